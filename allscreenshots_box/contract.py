"""What operations of the contract share: the shapes of their answers, and the errors that each one declares."""

from datetime import datetime
from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, UnsetType

from .bodies import Body


class ErrorDetail(Body):
    """The nested part of an error body."""

    code: str
    message: str
    details: dict[str, dict[str, Any]] | None = None
    documentation_url: str | None = None


class ErrorResponse(Body):
    """Error body for generated clients; all others get a flat one, whose error is the code in lower case."""

    error: ErrorDetail
    request_id: str | None = None


class ScreenshotJsonResponse(Body):
    """One capture as JSON. *data* is written into it last, for it may be large."""

    url: str
    format: str
    content_type: str
    width: int
    size: int
    render_time_ms: int
    height: int | None = None
    cached: bool = False
    result_url: str | None = None
    storage_url: str | None = None
    expires_at: datetime | None = None
    encoding: str | None = None
    data: str | UnsetType | None = UNSET


class OutputResponse(Body):
    """One output of several. *data* is text, or the object that was extracted."""

    type: str
    content_type: str
    size: int
    encoding: str
    width: int | None = None
    height: int | None = None
    data: Any = UNSET


class MultiOutputResponse(Body):
    """Several outputs of one load of a page, by their ids."""

    url: str
    render_time_ms: int
    outputs: dict[str, OutputResponse]


_MEANINGS = {
    400: "Bad request",
    401: "Key missing or wrong",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict",
    413: "Body too large",
    422: "Cannot be processed",
    429: "Too many requests or quota used up",
    500: "Server fault",
    503: "Overloaded or stopping",
}

ERRORS = {
    status: ResponseSpec(ErrorResponse, generate_examples=False, description=meaning)
    for status, meaning in _MEANINGS.items()
}
