"""The description of the API for machines: what Litestar makes of the types, and what they mean, in words."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.openapi.plugins import JsonRenderPlugin
from msgspec.inspect import DictType, ListType, Metadata, StrType, Type, UnionType

from ..errors import by_code
from ..validation import WireModel
from . import field_descriptions, response_headers

# What the contract declares for an operation, and this version has no cause to answer.
_NEVER = {"captureSync": {"404", "409"}}
_NEVER_FOR_OTHERS = {"403", "404", "409", "413", "422"}
_ONLY_FOR_CAPTURES = {"invalid_url", "invalid_device", "overloaded", "quota_exceeded"}
_NOT_ANSWERED = {"client_gone", "not_signed_in", "cross_site"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "A picture of the window": {"url": "https://example.com"},
    "A whole page, as a telephone gets it": {
        "url": "https://example.com",
        "device": "iPhone 14",
        "fullPage": True,
        "format": "webp",
    },
    "One element, after a click": {
        "url": "https://example.com",
        "actions": [{"type": "click", "selector": "#accept", "optional": True}],
        "waitFor": "main",
        "selector": "main",
    },
    "Several results of one load": {
        "url": "https://example.com",
        "outputs": [
            {"type": "screenshot", "format": "jpeg", "quality": 90},
            {"type": "markdown"},
            {"type": "json", "schema": {"title": {"selector": "h1"}}},
        ],
    },
    "A page for somebody who is logged in": {
        "url": "https://example.com/account",
        "session": {"cookies": [{"name": "session", "value": "...", "secure": True}]},
    },
}
_WRONG = {"delay": "must be a whole number from 0 to 30000"}
_SAID = "delay must be a whole number from 0 to 30000."
_FLAT = {
    "error": "invalid_request",
    "message": _SAID,
    "requestId": "0865674f04595cb9",
    "statusCode": 400,
    "errorCode": "INVALID_REQUEST",
    "code": "INVALID_REQUEST",
    "validationErrors": _WRONG,
    "errors": _WRONG,
}
_NESTED = {
    "error": {"code": "INVALID_REQUEST", "message": _SAID, "details": {"fields": _WRONG}},
    "requestId": "0865674f04595cb9",
}
_ANSWERS: dict[str, dict[str, dict[str, Any]]] = {
    "400": {"most clients": _FLAT, "clients generated from the contract": _NESTED},
    "401": {"everybody": {"error": "unauthorized", "message": "Invalid or missing API key"}},
}
_SUCCESS = {"captureSync": "The file itself, or JSON: by `responseType` and `outputs`."}
_AFTER_THE_LINE = {"200", "403", "422", "429", "500", "503"}
NOT_SENT = "; this version has no cause to"


class Described(JsonRenderPlugin):
    """Serves the whole description as JSON."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - without the words
        return msgspec.json.encode(description_of(request.app))


def description_of(app: Litestar) -> dict[str, Any]:
    """Return the description of *app*, made once."""
    if "description" not in app.state:
        app.state.description = _described(copy.deepcopy(app.openapi_schema.to_schema()))
    found: dict[str, Any] = app.state.description
    return found


def _described(spec: dict[str, Any]) -> dict[str, Any]:
    shapes = {shape.__name__: shape for shape in _shapes(WireModel)}
    for name, schema in spec["components"]["schemas"].items():
        _describe_shape(schema, shapes[name])
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _describe_operation(operation, method, path)
    whole: dict[str, Any] = _tidy(spec)
    return whole


def _shapes(above: type[WireModel]) -> Iterator[type[WireModel]]:
    for shape in above.__subclasses__():
        yield shape
        yield from _shapes(shape)


def _tidy(part: Any) -> Any:
    """Return *part* with whole numbers as such: Litestar has all bounds as floats."""
    match part:
        case dict():
            return {name: _tidy(one) for name, one in part.items()}
        case list():
            return [_tidy(one) for one in part]
        case float() if part.is_integer():
            return int(part)
    return part


# --- shapes -------------------------------------------------------------------------------------


def _describe_shape(schema: dict[str, Any], shape: type[WireModel]) -> None:
    schema["description"] = " ".join((shape.__doc__ or "").replace("*", "`").split())
    for field, said in schema["properties"].items():
        said["description"] = field_descriptions.FIELDS[shape.__name__][field]
    for known in msgspec.structs.fields(shape):
        _bound(schema["properties"][known.encode_name], msgspec.inspect.type_info(known.type))


def _bound(schema: dict[str, Any], info: Type) -> None:
    """Add the bounds of what stands in lists and maps, which Litestar leaves out."""
    for part, known in _pairs(schema, info):
        match known:
            case ListType(item_type=inner) if "items" in part:
                part["items"] |= _bounds_of(inner)
            case DictType():
                part.update(_without_none({"minProperties": known.min_length, "maxProperties": known.max_length}))
                if names := _bounds_of(known.key_type):
                    part["propertyNames"] = names


def _pairs(schema: dict[str, Any], info: Type) -> Iterator[tuple[dict[str, Any], Type]]:
    """Yield each alternative of a schema with the type that it was made of."""
    while isinstance(info, Metadata):
        info = info.type
    if not isinstance(info, UnionType):
        yield schema, info
        return
    kinds = [part.type if isinstance(part, Metadata) else part for part in info.types]
    for part in schema.get("oneOf", []):
        for kind in kinds:
            if (part.get("type"), type(kind)) in {("array", ListType), ("object", DictType)}:
                yield part, kind


def _bounds_of(info: Type) -> dict[str, Any]:
    while isinstance(info, Metadata):
        info = info.type
    if not isinstance(info, StrType):
        return {}
    return _without_none({"minLength": info.min_length, "maxLength": info.max_length})


def _without_none(bounds: dict[str, int | None]) -> dict[str, int]:
    return {name: bound for name, bound in bounds.items() if bound is not None}


# --- operations ---------------------------------------------------------------------------------


def _describe_operation(operation: dict[str, Any], method: str, path: str) -> None:
    for parameter in operation.get("parameters", []):
        parameter["description"] = field_descriptions.PARAMETERS[parameter["name"]]
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]
        body["examples"] = {name: {"value": example} for name, example in EXAMPLES.items()}
    operation["responses"] = dict(sorted(operation["responses"].items()))
    for status, response in operation["responses"].items():
        _describe_response(response, status, operation["operationId"])
    operation["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": _curl(method, path)}]


def _describe_response(response: dict[str, Any], status: str, operation_id: str) -> None:
    headers = _headers(status, is_capture=operation_id == "captureSync")
    response["headers"] = {name: {"description": said, "schema": {"type": "string"}} for name, said in headers.items()}
    if status == "200":
        response["description"] = _SUCCESS.get(operation_id, "The answer, as JSON.")
        return
    codes = ", ".join(f"`{code}`" for code in _codes(status, operation_id))
    response["description"] += f": {codes}" if codes else NOT_SENT
    if status in _ANSWERS:
        response["content"]["application/json"]["examples"] = {
            who: {"value": body} for who, body in _ANSWERS[status].items()
        }


def _headers(status: str, *, is_capture: bool) -> dict[str, str]:
    return (
        response_headers.ALWAYS
        | ({} if status == "401" else response_headers.RATE)
        | (response_headers.QUEUE if is_capture and status in _AFTER_THE_LINE else {})
        | (response_headers.RESULT if is_capture and status == "200" else {})
        | (response_headers.RETRY if status in {"429", "503"} else {})
        | (response_headers.CHALLENGE if status == "401" else {})
    )


def _codes(status: str, operation_id: str) -> list[str]:
    """Return the error codes that an operation may answer with this status."""
    if status in _NEVER.get(operation_id, _NEVER_FOR_OTHERS):
        return []
    left_out = _NOT_ANSWERED if operation_id == "captureSync" else _NOT_ANSWERED | _ONLY_FOR_CAPTURES
    return [code for code, error in by_code().items() if str(error.status) == status and code not in left_out]


def _curl(method: str, path: str) -> str:
    lines = [f'curl "$ALLSCREENSHOTS_URL{path}"', '-H "X-API-Key: $ALLSCREENSHOTS_API_KEY"']
    if method == "post":
        example = json.dumps(next(iter(EXAMPLES.values())))
        lines += ['-H "Content-Type: application/json"', f"-d '{example}'", "--fail-with-body --output screenshot.png"]
    return " \\\n    ".join(lines)
