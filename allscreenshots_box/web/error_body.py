"""What shape of answer a client understands: they disagree about errors, and about quotas."""

import re
from typing import Any

from ..errors import BoxError, InvalidRequest, RateLimited, Unauthorized

_GENERATED = re.compile(r"OpenAPI-Generator/", re.IGNORECASE)
_SWIFT_1 = re.compile(r"AllScreenshotsSDK-Swift/1\b", re.IGNORECASE)


def speaks_contract(user_agent: str) -> bool:
    """Say whether the client was generated from the contract, and so insists on its nested error body."""
    return bool(_GENERATED.match(user_agent))


def reads_quota(user_agent: str) -> bool:
    """Say whether the client can read the quota in its usage: one wants numbers where all others want objects."""
    return not _SWIFT_1.match(user_agent)


def error_body(error: BoxError, request_id: str, user_agent: str) -> dict[str, Any]:
    """Return the JSON body that tells this client of *error*."""
    if isinstance(error, Unauthorized):  # documented to the letter, and the same for everyone
        return {"error": error.code, "message": error.message}
    if speaks_contract(user_agent):
        return _nested(error, request_id)
    return _flat(error, request_id)


def _flat(error: BoxError, request_id: str) -> dict[str, Any]:
    """Return the body whose `error` is a string: some clients lose everything when it is an object."""
    # The first libraries know a rate limit by this name; one of them tries again after no other 429.
    code = "RATE_LIMIT_EXCEEDED" if isinstance(error, RateLimited) else error.code.upper()
    body = {
        "error": error.code,
        "message": error.message,
        "requestId": request_id,
        "statusCode": error.status,
        "errorCode": code,
        "code": code,  # as other clients call it
    }
    if isinstance(error, InvalidRequest) and error.problems:
        body |= {"validationErrors": error.problems, "errors": error.problems}  # two clients, two names
    return body | {name: value for name, value in error.extra.items() if value is not None}


def _nested(error: BoxError, request_id: str) -> dict[str, Any]:
    """Return the contract's body, with the fields that older clients read beside it."""
    code = error.code.upper()
    details = None
    if isinstance(error, InvalidRequest) and error.problems:
        details = {"fields": error.problems}  # the contract types every value of details as an object
    return {
        "error": {"code": code, "message": error.message, "details": details},
        "requestId": request_id,
        "message": error.message,
        "code": code,
        "errorCode": code,
        "errorMessage": error.message,
        "statusCode": error.status,
    } | {name: value for name, value in error.extra.items() if value is not None}
