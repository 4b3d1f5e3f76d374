"""The reference of the API for people, at /docs: one page without a script, made of the description."""

import asyncio
import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from litestar import HttpMethod, Litestar, MediaType, Request, Response, route
from markupsafe import Markup, escape

from .. import __version__
from ..errors import by_code
from ..render import devices
from . import response_headers
from .openapi import NOT_SENT, description_of

_HERE = Path(__file__).parent
_STYLE = (_HERE / "reference.css").read_text()
_CODE = re.compile(r"`([^`]+)`")
_MANY = 10_000  # from here on figures are grouped

# The style is the only thing that the page may use, and it is named by what it is.
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A field, a parameter or a header, as the page shows it."""

    name: str
    kind: str
    meaning: str
    range: str = ""
    default: str = ""
    required: bool = False
    nullable: bool = False
    shapes: tuple[str, ...] = ()  # that the kind is made of, described further down


@route("/docs", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False)
async def reference(request: Request[Any, Any, Any]) -> Response[str]:
    """Show everything that can be asked for, and every answer."""
    page = await asyncio.to_thread(page_of, request.app)
    return Response(page, media_type=MediaType.HTML, headers=HEADERS)


def page_of(app: Litestar) -> str:
    """Return the page, made once."""
    if "reference" not in app.state:
        app.state.reference = _page(description_of(app))
    found: str = app.state.reference
    return found


def _page(spec: dict[str, Any]) -> str:
    shapes = spec["components"]["schemas"]
    asked = _reached("ScreenshotRequest", shapes)
    return _template().render(
        version=__version__,
        style=Markup(_STYLE),  # noqa: S704 - ours, and held by its hash
        spec=spec,
        operations=[
            {"method": method.upper(), "path": path, **operation, "answers": _answers(operation)}
            for path, operations in spec["paths"].items()
            for method, operation in operations.items()
        ],
        shapes=shapes,
        groups={
            "Shapes of requests": [name for name in shapes if name in asked and name != "ScreenshotRequest"],
            "Shapes of answers": [name for name in shapes if name not in asked],
        },
        devices=[(name, devices.find(name)) for name in devices.NAMES],
        errors=[(code, error.status, error.when, error.cure) for code, error in by_code().items()],
        headers=response_headers.ALWAYS
        | response_headers.RATE
        | response_headers.RETRY
        | response_headers.CHALLENGE
        | response_headers.QUEUE
        | response_headers.RESULT
        | response_headers.METHODS,
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        marked=marked, codes=_with_links, rows=_rows, parameters=_parameters, pretty=_pretty, named=_named
    )
    return environment.get_template("reference.html")


def _answers(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the responses of an operation that this version sends."""
    return {
        status: response
        for status, response in operation["responses"].items()
        if not response["description"].endswith(NOT_SENT)
    }


def marked(text: str) -> Markup:
    """Return *text* with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def _with_links(text: str) -> Markup:
    """Return *text* with its error codes as links to what is said of each."""

    def link(found: re.Match[str]) -> str:
        code = f"<code>{found[1]}</code>"
        return f'<a href="#error-{found[1]}">{code}</a>' if found[1] in by_code() else code

    return Markup(_CODE.sub(link, str(escape(text))))  # noqa: S704 - escaped


def _reached(name: str, shapes: dict[str, Any]) -> set[str]:
    """Return the names of a shape and of all that it is made of."""
    found, left = set(), [name]
    while left:
        found.add(one := left.pop())
        below = [part for schema in shapes[one]["properties"].values() for part in _named(schema)]
        left += [part for part in below if part not in found]
    return found


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


# --- rows ---------------------------------------------------------------------------------------


def _rows(schema: dict[str, Any]) -> list[Row]:
    """Return the fields of a shape: first what tells it apart, then those that must be there."""
    required = schema.get("required", [])
    by_weight = sorted(schema["properties"].items(), key=lambda pair: ("const" not in pair[1], pair[0] not in required))
    return [_row(name, part, required=name in required) for name, part in by_weight]


def _parameters(operation: dict[str, Any]) -> list[Row]:
    return [
        _row(part["name"], part["schema"] | {"description": part["description"]}, required=part["required"])
        for part in operation.get("parameters", [])
    ]


def _row(name: str, schema: dict[str, Any], *, required: bool) -> Row:
    default = schema.get("default")
    return Row(
        name=name,
        kind=_kind(schema),
        meaning=schema["description"],
        range=_range(schema),
        default="" if default is None else default if isinstance(default, str) else json.dumps(default),
        required=required,
        nullable=any(part.get("type") == "null" for part in schema.get("oneOf", [])),
        shapes=tuple(_named(schema)),
    )


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in schema.get("oneOf", []) if part.get("type") != "null"]


def _kind(schema: dict[str, Any]) -> str:
    """Say in a word or two what a value is."""
    if others := _alternatives(schema):
        return " or ".join(dict.fromkeys(_kind(part) for part in others))
    if "$ref" in schema:
        return "object"
    if "items" in schema:
        return f"list of {_kind(schema['items'])}s"
    if "additionalProperties" in schema:
        return f"object of {_kind(schema['additionalProperties'])}s" if schema["additionalProperties"] else "object"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "number": "number"}
    return words.get(schema.get("type", ""), "anything")


def _named(schema: dict[str, Any]) -> list[str]:
    """Return the names of the shapes that a value is made of."""
    if "$ref" in schema:
        return [schema["$ref"].rpartition("/")[2]]
    below = [*_alternatives(schema), schema.get("items"), schema.get("additionalProperties")]
    return [name for part in below if isinstance(part, dict) for name in _named(part)]


def _range(schema: dict[str, Any]) -> str:
    """Return the bounds of a value as people say them."""
    own = {name: bound for part in (*_alternatives(schema), schema) for name, bound in part.items()}
    if "const" in own:
        return f"`{own['const']}`"
    choices = re.fullmatch(r"\^\(([\w|]+)\)\$", own.get("pattern", ""))
    if choices:
        return ", ".join(f"`{one}`" for one in choices[1].split("|"))
    said = []
    if "minimum" in own and "maximum" in own:
        said.append(f"{_figure(own['minimum'])} to {_figure(own['maximum'])}")
    if "maxItems" in own:
        said.append(f"up to {_figure(own['maxItems'])}")
    if "maxProperties" in own:
        said.append(f"up to {_figure(own['maxProperties'])} fields")
    if "maxLength" in own:
        said.append(f"up to {_figure(own['maxLength'])} characters")
    if "maxLength" in own.get("items", {}):
        said.append(f"each up to {_figure(own['items']['maxLength'])} characters")
    return ", ".join(said)


def _figure(number: int) -> str:
    return f"{number:,}" if abs(number) >= _MANY else str(number)


routes = [reference]
