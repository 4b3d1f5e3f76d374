"""Whether the box is well, and what it did of late."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from ..process import command_hint
from ..services import Services
from .cures import cure
from .formatting import size
from .status import all_of_it
from .templating import base_of, page


@get("/")
async def show(request: Request[Any, Any, Any], services: NamedDependency[Services]) -> Response[str]:
    """Show the section."""
    known = await all_of_it(services)
    doctor = command_hint.typed(services.settings.data_dir, "doctor")
    return page(
        "overview.html", section="overview", cure=cure, size=size, base=base_of(request), doctor=doctor, **known
    )


routes = [show]
