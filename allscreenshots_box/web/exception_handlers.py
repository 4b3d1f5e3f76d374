"""Any failure becomes the answer that this client understands: here, and nowhere else."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from litestar.types import Scope

from .. import logs
from ..errors import BoxError, InternalError, InvalidRequest, MethodNotAllowed, NotFound, RequestTooLarge
from .areas import LARGEST_BODY, Area
from .context import context_of
from .error_body import error_body

NOTHING_HERE = "There is nothing here; / says what there is."
_FAULT = "The box failed to do this; its log has the reason under the request id."

AnyRequest = Request[Any, Any, Any]
Answer = Callable[[AnyRequest, Exception], Response[Any]]


def answering(area_of: Callable[[Scope], Area | None]) -> Answer:
    """Return the handler of all exceptions; *area_of* tells the area that a request came to, if it may be there."""

    def answer(request: AnyRequest, error: Exception) -> Response[Any]:
        context, area = context_of(request.scope), area_of(request.scope)
        known = context.error = _known(error, request, area)
        if area is not None and (response := area.refuse(request, known, context)):
            return response
        body = error_body(known, context.id, request.headers.get("user-agent", ""))
        return Response(body, status_code=known.status, headers=known.headers)

    return answer


def _known(error: Exception, request: AnyRequest, area: Area | None) -> BoxError:
    if isinstance(error, BoxError):
        return error
    if isinstance(error, InternalServerException) and "disconnected" in error.detail:
        return InvalidRequest("The body ended before it was whole.")
    if not isinstance(error, HTTPException) or error.status_code >= 500:  # noqa: PLR2004 - our faults
        logs.fault("request_failed", error, id=context_of(request.scope).id)
        return (area and area.explain(error)) or InternalError(_FAULT)
    return _plain(error, request, area)


def _plain(error: HTTPException, request: AnyRequest, area: Area | None) -> BoxError:
    """Return what Litestar refuses, in our words."""
    match error.status_code:
        case 404:
            return NotFound(NOTHING_HERE)
        case 405:
            return MethodNotAllowed(f"{request.method} is not for this path.", headers=dict(error.headers or {}))
        case 413:
            return RequestTooLarge(f"The body must be at most {area.largest_body if area else LARGEST_BODY} bytes.")
    return InvalidRequest("The request must have a JSON object as its body.")
