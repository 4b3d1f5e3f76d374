"""Areas: parts of the paths with rules of their own for who is let in, and for what a failure looks like."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, cast

from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

from ..errors import BoxError
from ..hosts import Network
from .context import RequestContext

LARGEST_BODY = 1024 * 1024  # bytes, where no area has another bound

Side = Literal["ops", "admin"]  # a listener beside the main one

_SIDE = "allscreenshots_box.side"  # in a scope: which listener the request came to, if not to the main one


class Area(Protocol):
    """What is below one path."""

    root: str  # the path
    side: Side | None  # the listener that has it; None is the main one
    largest_body: int  # bytes

    async def admit(self, scope: Scope, context: RequestContext, trusted: Sequence[Network]) -> bool:
        """Let a request pass, and say whether it was proven who makes it. Raises BoxError.

        Before routing: whoever is not let in learns of no path whether it exists. *trusted* are the operator's proxies.
        """
        ...

    def explain(self, error: Exception) -> BoxError | None:
        """Return what a failure is here that is no fault of ours elsewhere; None for what is none."""
        ...

    def refuse(self, request: Request[Any, Any, Any], error: BoxError, context: RequestContext) -> Response[Any] | None:
        """Do what is due for a request that failed; return the answer, None for the one that all others get."""
        ...


def covers(root: str, path: str) -> bool:
    """Say whether *path* is *root* or below it."""
    return path == root or path.startswith(f"{root}/")


def area_of(areas: Sequence[Area], scope: Scope) -> Area | None:
    """Return the area that a request is in, if the listener that it came to has that."""
    found = next((area for area in areas if covers(area.root, scope["path"])), None)
    return found if found is not None and found.side == side_of(scope) else None


def side_of(scope: Scope) -> Side | None:
    """Return the listener that a request came to; None for the main one."""
    return cast("dict[str, Any]", scope).get(_SIDE)


def beside(app: ASGIApp, side: Side) -> ASGIApp:
    """Return *app* as a listener beside the main one has it."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        cast("dict[str, Any]", scope)[_SIDE] = side
        await app(scope, receive, send)

    return marked
