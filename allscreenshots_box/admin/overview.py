"""Whether the box is well, and what it did of late."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from ..errors import by_code
from ..keys.usage import CANCELLED
from ..process import command_hint
from ..services import Services
from .formatting import size
from .status import all_of_it
from .templating import base_of, page


def cure(code: str) -> str:
    """Return what to do about an error code; those that an older version counted have none."""
    known = {CANCELLED: "The box stopped while the capture ran."}
    return known.get(code, "") or getattr(by_code().get(code), "operator_cure", "")


@get("/")
async def show(request: Request[Any, Any, Any], services: NamedDependency[Services]) -> Response[str]:
    """Show the section."""
    known = await all_of_it(services)
    doctor = command_hint.typed(services.settings.data_dir, "doctor")
    return page(
        "overview.html", section="overview", cure=cure, size=size, base=base_of(request), doctor=doctor, **known
    )


routes = [show]
