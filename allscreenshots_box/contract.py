"""What all operations of the contract share: the error answers that each one declares."""

from typing import Any

from litestar.openapi.datastructures import ResponseSpec

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
