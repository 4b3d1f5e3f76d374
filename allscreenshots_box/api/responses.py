"""What operations of the contract share: the shapes of their answers, and the errors that each one declares."""

from datetime import datetime
from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, UnsetType

from ..validation import WireModel


class ErrorDetail(WireModel):
    """The nested part of an error body."""

    code: str
    message: str
    details: dict[str, dict[str, Any]] | None = None
    documentation_url: str | None = None


class ErrorResponse(WireModel):
    """The body of an error for clients that were generated from the contract."""

    error: ErrorDetail
    request_id: str | None = None


class FlatErrorResponse(WireModel):
    """The body of an error for all other clients."""

    error: str
    message: str
    request_id: str
    status_code: int
    error_code: str
    code: str
    errors: dict[str, str] | UnsetType = UNSET
    validation_errors: dict[str, str] | UnsetType = UNSET
    retry_after: int | UnsetType = UNSET
    resets_at: str | UnsetType = UNSET
    setting: str | UnsetType = UNSET


class UnauthorizedResponse(WireModel):
    """The body of a 401, the same for every reason and every client."""

    error: str
    message: str


class ScreenshotJsonResponse(WireModel):
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


class OutputResponse(WireModel):
    """One output of several. *data* is text, or the object that was extracted."""

    type: str
    content_type: str
    size: int
    encoding: str
    width: int | None = None
    height: int | None = None
    data: Any = UNSET


class MultiOutputResponse(WireModel):
    """Several outputs of one load of a page, by their ids."""

    url: str
    render_time_ms: int
    outputs: dict[str, OutputResponse]


_MEANINGS = {
    400: "Bad request",
    401: "Key missing or wrong",
    403: "Not with this key",
    404: "Not found",
    409: "Conflict",
    413: "Body too large",
    422: "Cannot be processed",
    429: "Too many requests or quota used up",
    500: "Server fault",
    503: "Overloaded or stopping",
}

_BODIES: dict[int, Any] = {401: UnauthorizedResponse}

ERRORS = {
    status: ResponseSpec(
        _BODIES.get(status, FlatErrorResponse | ErrorResponse), generate_examples=False, description=meaning
    )
    for status, meaning in _MEANINGS.items()
}
# For operations that have a body.
TOO_SLOW = ResponseSpec(FlatErrorResponse | ErrorResponse, generate_examples=False, description="Body too slow")
