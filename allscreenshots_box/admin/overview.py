"""Whether the box is well, and what it did of late."""

from litestar import Response, get
from litestar.di import NamedDependency

from .advice import advice
from .condition import Insight, all_of_it
from .measures import size
from .pages import page


@get("/")
async def show(insight: NamedDependency[Insight]) -> Response[str]:
    """Show the section."""
    return page("overview.html", section="overview", advice=advice, size=size, **await all_of_it(insight))


routes = [show]
