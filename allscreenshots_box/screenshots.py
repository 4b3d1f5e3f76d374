"""Pictures on request: POST /v1/screenshots."""

from dataclasses import dataclass
from typing import Annotated, Any, cast

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import JSONBody
from msgspec import Meta

from .bodies import Body, choice
from .contract import ERRORS
from .errors import InvalidRequest
from .render import Renderer, Shot
from .render.shot import MEDIA_TYPES, ImageFormat, Milestone

LARGEST_VIEWPORT = 4096  # the contract says 2560 x 2160, older clients' documentation this


class ViewportConfig(Body):
    """Size of the browser window, in CSS pixels."""

    width: Annotated[int, Meta(ge=100, le=LARGEST_VIEWPORT)] = Shot.width
    height: Annotated[int, Meta(ge=100, le=LARGEST_VIEWPORT)] = Shot.height
    device_scale_factor: Annotated[int, Meta(ge=1, le=3)] = Shot.scale


class ScreenshotRequest(Body):
    """Body of a synchronous capture. The second half is the contract's and not done yet."""

    url: Annotated[str, Meta(min_length=1)]
    viewport: ViewportConfig | None = None
    format: Annotated[str, choice("png", "jpeg", "jpg", "webp", "pdf")] = "png"
    full_page: bool = False
    quality: Annotated[int, Meta(ge=1, le=100)] = Shot.quality
    delay: Annotated[int, Meta(ge=0, le=30_000)] = 0
    wait_for: Annotated[str, Meta(max_length=500)] | None = None
    wait_until: Annotated[str, choice("load", "domcontentloaded", "networkidle", "commit")] = Shot.wait_until
    timeout: Annotated[int, Meta(ge=1_000, le=60_000)] = 30_000
    dark_mode: bool = False
    custom_css: Annotated[str, Meta(max_length=10_000)] | None = None
    hide_selectors: Annotated[list[Annotated[str, Meta(max_length=500)]], Meta(max_length=50)] | None = None
    selector: Annotated[str, Meta(max_length=500)] | None = None
    response_type: Annotated[str, choice("BINARY", "BASE64", "URL", json="URL")] = "BINARY"

    block_ads: bool = True
    block_cookie_banners: bool = True
    block_popups: bool = True
    block_level: Annotated[str, choice("none", "light", "normal", "pro", "pro_plus", "ultimate")] = "none"
    stealth_mode: bool = False
    freeze_fixed: bool = True
    full_page_mode: Annotated[str, choice("native", "stitch")] = "stitch"
    max_sections: Annotated[int, Meta(ge=1, le=50)] = 50
    scroll_interval: Annotated[int, Meta(ge=50, le=1_000)] = 150
    max_height: Annotated[int, Meta(ge=1_000, le=30_000)] | None = None
    device: str | None = None
    actions: list[Any] | None = None
    outputs: list[Any] | None = None
    session: dict[str, Any] | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = None


# Clients spell out every default, so a default is never refused.
_NOT_YET = (
    "block_level",
    "stealth_mode",
    "freeze_fixed",
    "max_sections",
    "scroll_interval",
    "max_height",
    "device",
    "actions",
    "outputs",
    "session",
    "webhook_url",
    "webhook_secret",
)


def shot_of(request: ScreenshotRequest) -> Shot:
    """Return the Shot that *request* asks for. Raises InvalidRequest for what this version does not do."""
    _refuse_what_is_to_come(request)
    viewport = request.viewport or ViewportConfig()
    picture = "jpeg" if request.format == "jpg" else request.format
    return Shot(
        url=request.url,
        width=viewport.width,
        height=viewport.height,
        scale=viewport.device_scale_factor,
        format=cast("ImageFormat", picture),
        quality=request.quality,
        full_page=request.full_page,
        selector=request.selector or None,
        hide_selectors=tuple(request.hide_selectors or ()),
        custom_css=request.custom_css or None,
        dark_mode=request.dark_mode,
        wait_until=cast("Milestone", request.wait_until),
        wait_for=request.wait_for or None,
        delay=request.delay / 1000,
        timeout=request.timeout / 1000,
    )


def _refuse_what_is_to_come(request: ScreenshotRequest) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(ScreenshotRequest)}
    problems = {
        fields[name].encode_name: "is not supported by this version; leave it out"
        for name in _NOT_YET
        if getattr(request, name) not in _nothing(fields[name].default)
    }
    if request.response_type != "BINARY":
        problems["responseType"] = "must be BINARY in this version; URL and BASE64 are not supported yet"
    if request.format == "pdf":
        problems["format"] = "must be one of png, jpeg, jpg, webp in this version; pdf is not supported yet"
    if problems:
        raise InvalidRequest("; ".join(f"{path} {text}" for path, text in problems.items()) + ".", problems)


def _nothing(default: Any) -> list[Any]:
    """Return what means the same as leaving the field out."""
    return [default, "", [], {}] if default is None else [default]


@dataclass
class _Pictures(Operation):
    """The operation as the contract has it: a picture of any kind, and its name."""

    def __post_init__(self) -> None:
        self.operation_id = "captureSync"
        picture = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        if self.responses and "200" in self.responses:
            answer = cast("Any", self.responses["200"])
            answer.content = {kind: OpenAPIMediaType(schema=picture) for kind in MEDIA_TYPES.values()}
            answer.description = "The picture itself."


@post(
    "/screenshots",
    status_code=200,
    operation_class=_Pictures,
    tags=["Screenshot"],
    summary="Capture now",
    responses=ERRORS | {200: ResponseSpec(bytes, generate_examples=False, media_type="image/png")},
    response_headers=[
        ResponseHeader(name="X-Render-Time-Ms", description="Milliseconds the browser took.", documentation_only=True),
        ResponseHeader(name="X-Queue-Time-Ms", description="Milliseconds waited for it.", documentation_only=True),
        ResponseHeader(name="X-Target-Status", description="HTTP status of the page.", documentation_only=True),
        ResponseHeader(name="X-Target-Url", description="Where the page was in the end.", documentation_only=True),
        ResponseHeader(name="X-Not-Awaited", description="What had not loaded in time.", documentation_only=True),
    ],
)
async def take_screenshot(
    data: JSONBody[ScreenshotRequest], request: Request[Any, Any, Any], renderer: NamedDependency[Renderer]
) -> Response[bytes]:
    """Render a page and answer with the picture itself."""
    shot = shot_of(data)
    request.state.target = shot.url
    rendering = await renderer.render(shot)
    render_ms = request.state.render_ms = round(rendering.render_seconds * 1000)
    queue_ms = request.state.queue_ms = round(rendering.queue_seconds * 1000)
    headers = {
        "X-Render-Time-Ms": str(render_ms),
        "X-Queue-Time-Ms": str(queue_ms),
        "X-Target-Status": str(rendering.target_status),
        "X-Target-Url": _header_safe(rendering.target_url),
    }
    if rendering.not_awaited:
        headers["X-Not-Awaited"] = ", ".join(rendering.not_awaited)
    return Response(rendering.content, media_type=rendering.media_type, headers=headers)


def _header_safe(url: str) -> str:
    """Return a page's own address so that no header can be made of it."""
    return url[:2000].encode("ascii", "backslashreplace").decode().replace("\r", "").replace("\n", "")


routes = [take_screenshot]
