"""What a browser is shown when a request below /admin fails."""

from http import HTTPStatus
from typing import Any

from litestar import Request, Response

from ..errors import BoxError, CrossSite, NotSignedIn
from .templating import moved, page

_TITLES = {status.value: status.phrase for status in HTTPStatus}
_SHOWN = frozenset({"GET", "HEAD"})  # methods of a window that opens a page
_PROXY = (
    "If the box is behind a reverse proxy, that must pass on the host that the browser asked for (Host) and "
    "X-Forwarded-Proto, and its address must stand in the setting trusted_proxy."
)


def refusal(request: Request[Any, Any, Any], error: BoxError, request_id: str) -> Response[Any] | None:
    """Return the page that says what failed; None for a script, which asks for JSON and gets it as everywhere."""
    accepted = request.headers.get("accept", "")
    if "application/json" in accepted and "text/html" not in accepted:
        return None
    if isinstance(error, NotSignedIn) and request.method in _SHOWN and _is_navigation(request):
        return moved(error.location)
    shown = page(
        "refusal.html",
        status=error.status,
        title=_TITLES.get(error.status, "This did not work"),
        message=error.message,
        hint=_PROXY if isinstance(error, CrossSite) else None,
        request_id=request_id,
        signed_in="actor" in request.scope["state"],
    )
    shown.headers.update(error.headers)
    return shown


def _is_navigation(request: Request[Any, Any, Any]) -> bool:
    """Say whether the answer is for the window: a script that follows a redirect would take the sign-in for its own."""
    return request.headers.get("sec-fetch-mode", "navigate") == "navigate"
