"""Pictures on request: POST /v1/screenshots."""

import asyncio
from binascii import b2a_base64
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import JSONBody

from ..captures.capturer import Caller
from ..captures.request import ScreenshotRequest, shot_of
from ..hosts import HostPattern
from ..keys.authentication import Authenticator
from ..keys.store import KeySecret
from ..render.queue import QueueTimes
from ..render.shot import MEDIA_TYPES, Product, Rendering, Shot
from ..services import Services
from ..validation import WireModel
from ..web.context import context_of
from .area import key_of
from .file_name import disposition
from .responses import ERRORS, TOO_SLOW, MultiOutputResponse, OutputResponse, ScreenshotJsonResponse

# A thread that encodes holds all the others up between two stretches only. A multiple of three: base64 needs that.
STRETCH = 3 * 2**18  # bytes, or characters


@dataclass
class _Captures(Operation):
    """The operation as the contract has it: JSON, or a file of any kind."""

    def __post_init__(self) -> None:
        self.operation_id = "captureSync"
        file = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        if self.responses and "200" in self.responses:
            answer = cast("Any", self.responses["200"])
            kinds = [kind for kind in MEDIA_TYPES.values() if kind.startswith("image/") or kind == "application/pdf"]
            answer.content |= {kind: OpenAPIMediaType(schema=file) for kind in kinds}


@post(
    "/screenshots",
    status_code=200,
    operation_class=_Captures,
    tags=["Screenshot"],
    summary="Capture now",
    description="Load a page in a fresh browser context and answer with what became of it: a picture, a PDF, or JSON. "
    "Takes one token of the key's bucket `screenshot`, and waits its turn when the box is busy.",
    responses=ERRORS
    | {408: TOO_SLOW, 200: ResponseSpec(ScreenshotJsonResponse | MultiOutputResponse, generate_examples=False)},
)
async def take_screenshot(
    data: JSONBody[ScreenshotRequest], request: Request[Any, Any, Any], services: NamedDependency[Services]
) -> Response[bytes]:
    """Render a page and answer with what became of it."""
    context = context_of(request.scope)
    key = key_of(context)
    shot = replace(shot_of(data), hosts=key.hosts)
    context.target, context.times = shot.url, QueueTimes()
    context.rendering = rendering = await services.capturer.capture(
        shot,
        by=_caller(key, services.authenticator),
        request=context.id,
        times=context.times,
        receive=request.receive,
    )
    content, media_type = await _content(data, shot, rendering)
    headers = _headers(rendering)
    if media_type != MEDIA_TYPES["json"]:
        headers["Content-Disposition"] = disposition(shot.url, rendering.products[0].format)
    return Response(content, media_type=media_type, headers=headers)


def _caller(key: KeySecret, authenticator: Authenticator) -> Caller:
    name = f"{key.prefix} ({key.name})"
    return Caller(id=key.id, name=name, weight=key.plan.weight, key=key, still=_Still(authenticator, key.prefix))


@dataclass(frozen=True)
class _Still:
    """Looks at a secret again when the turn of its shot comes: it may have been stopped, or bound to other hosts."""

    authenticator: Authenticator
    prefix: str

    async def __call__(self) -> tuple[HostPattern, ...]:
        return await self.authenticator.hosts_of(self.prefix)


def _headers(rendering: Rendering) -> dict[str, str]:
    headers = {
        "X-Fetched-Bytes": str(rendering.fetched),
        "X-Target-Status": str(rendering.target_status),
        "X-Target-Url": _header_safe(rendering.target_url),
        "X-Settled-Ms": str(_milliseconds(rendering.steps.get("settle", 0))),
    }
    if rendering.not_awaited:
        headers["X-Not-Awaited"] = ", ".join(rendering.not_awaited)
    if rendering.truncated:
        headers["X-Truncated"] = "true"
    return headers


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _header_safe(url: str) -> str:
    """Return a page's own address so that no header can be made of it."""
    return url[:2000].encode("ascii", "backslashreplace").decode().replace("\r", "").replace("\n", "")


# --- bodies of answers --------------------------------------------------------------------------


async def _content(request: ScreenshotRequest, shot: Shot, rendering: Rendering) -> tuple[bytes, str]:
    """Return the body of the answer in the shape that was asked for, and its Content-Type."""
    first = rendering.products[0]
    if shot.several:
        return await asyncio.to_thread(_several_as_json, shot, rendering), MEDIA_TYPES["json"]
    if request.response_type == "BASE64":
        return await asyncio.to_thread(_one_as_json, shot, rendering), MEDIA_TYPES["json"]
    return first.content, first.media_type


def _one_as_json(shot: Shot, rendering: Rendering) -> bytes:
    product = rendering.products[0]
    answer = ScreenshotJsonResponse(
        url=shot.url,
        format=product.format,
        content_type=product.media_type,
        width=product.width or shot.window.width,  # a PDF has none, and the contract insists
        height=product.height,
        size=len(product.content),
        render_time_ms=_milliseconds(rendering.render_seconds),
        encoding="base64",
    )
    return b"".join(_with_data(answer, _base64(product.content)))


def _several_as_json(shot: Shot, rendering: Rendering) -> bytes:
    answer = MultiOutputResponse(url=shot.url, render_time_ms=_milliseconds(rendering.render_seconds), outputs={})
    pieces = [msgspec.json.encode(answer).removesuffix(b"}}")]
    for index, product in enumerate(rendering.products):
        pieces += [b"," if index else b"", msgspec.json.encode(product.id), b":", *_output_as_json(product)]
    return b"".join([*pieces, b"}}"])


def _output_as_json(product: Product) -> list[bytes]:
    encoding, encoded = _ENCODINGS.get(product.type, ("base64", _base64))
    answer = OutputResponse(
        type=product.type,
        content_type=product.media_type,
        size=len(product.content),
        width=product.width,
        height=product.height,
        encoding=encoding,
    )
    return _with_data(answer, encoded(product.content))


def _with_data(answer: WireModel, data: list[bytes]) -> list[bytes]:
    """Return *answer* as JSON with one more field, without a copy of it: joining many pieces lets other threads run."""
    return [msgspec.json.encode(answer).removesuffix(b"}"), b',"data":', *data, b"}"]


def _base64(content: bytes) -> list[bytes]:
    stretches = range(0, len(content), STRETCH)
    return [b'"', *(b2a_base64(content[start : start + STRETCH], newline=False) for start in stretches), b'"']


def _text(content: bytes) -> list[bytes]:
    text = content.decode()
    stretches = range(0, len(text), STRETCH)
    return [b'"', *(msgspec.json.encode(text[start : start + STRETCH])[1:-1] for start in stretches), b'"']


def _as_it_is(content: bytes) -> list[bytes]:
    return [content]


_ENCODINGS = {"html": ("utf-8", _text), "markdown": ("utf-8", _text), "json": ("json", _as_it_is)}

routes = [take_screenshot]
