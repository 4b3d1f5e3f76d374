"""All applications, by what they are for."""

from .charts import CHARTS
from .dashboards import DASHBOARDS
from .documents import DOCUMENTS
from .grids import GRIDS
from .projects import PROJECTS
from .tools import TOOLS

APPS = (*DASHBOARDS, *CHARTS, *GRIDS, *DOCUMENTS, *PROJECTS, *TOOLS)
