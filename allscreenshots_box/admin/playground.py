"""A shot tried on the page: with its options, its picture, and the lines that would do the same."""

import asyncio
import base64
import json
import re
from functools import partial
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from markupsafe import Markup

from .. import validation
from ..captures.capturer import Caller
from ..captures.request import ScreenshotRequest, ViewportConfig, shot_of
from ..errors import BoxError, InvalidRequest, NotSignedIn, RateLimited, TargetNotAllowed
from ..hosts import HostPattern
from ..keys.plans import Plan
from ..keys.rate_limits import TokenBuckets
from ..render import devices
from ..render.queue import QueueTimes
from ..render.shot import Product, Rendering
from ..services import Services
from ..web.context import RequestContext, context_of
from .formatting import size, span
from .forms import Form, sent
from .snippets import snippets
from .templating import base_of, page

CALLER = -1  # in the queue and among the buckets: keys count from 1, and 0 is nobody's
CALLER_NAME = "admin"
# A person tries one after the other; what is more is a script in the operator's session.
PLAN = Plan(
    name=CALLER_NAME,
    screenshots_per_hour=600,
    screenshots_burst=30,
    requests_per_hour=600,
    requests_burst=30,
    weight=2,  # somebody sits and waits
)
MOST_SHOWN = 16 << 20  # bytes of a picture in the page; larger ones are for the lines below it

AnyRequest = Request[Any, Any, Any]

_NUMBER = re.compile(r"-?\d{1,12}")
_TEXTS = ("url", "device", "format", "waitUntil", "selector")
_NUMBERS = ("quality", "delay")
_TICKS = ("fullPage", "darkMode", "blockAds", "blockCookieBanners", "blockPopups")
_WINDOW = ("width", "height", "deviceScaleFactor")
_LABELS = {  # of the fields, by the path that they have in a request
    "url": "URL",
    "device": "Device",
    "viewport.width": "Width",
    "viewport.height": "Height",
    "viewport.deviceScaleFactor": "Scale",
    "format": "Format",
    "quality": "Quality",
    "waitUntil": "Wait until",
    "delay": "Delay",
    "selector": "Selector",
}
_BLAMED = {  # fields that are to blame for what befell a good request
    "selector_not_found": "selector",
    "target_not_allowed": "url",
    "url_unreachable": "url",
    "certificate_invalid": "url",
    "not_a_page": "url",
}


def _defaults(shape: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.default for field in msgspec.structs.fields(shape)}


def _choices(name: str) -> list[str]:
    """Return the words that a field of a request may have."""
    described = msgspec.inspect.type_info(ScreenshotRequest)
    assert isinstance(described, msgspec.inspect.StructType)  # noqa: S101 - for the type checker
    (wanted,) = (field.type for field in described.fields if field.encode_name == name)
    extra = wanted.extra if isinstance(wanted, msgspec.inspect.Metadata) else None
    return [word for word in (extra or {}).get("choices", ()) if word != "jpg"]  # as good as jpeg


_DEFAULTS = _defaults(ScreenshotRequest) | {
    f"viewport.{name}": value for name, value in _defaults(ViewportConfig).items()
}
_OPTIONS = {
    "device": [("", "None: a window of the size below"), *((name, name) for name in devices.NAMES)],
    "format": [(word, word) for word in _choices("format")],
    "waitUntil": [(word, word) for word in _choices("waitUntil")],
}


def _fresh() -> Form:
    """Return the form as it is at first."""
    names = [*_TEXTS, *_NUMBERS, *(f"viewport.{name}" for name in _WINDOW)]
    values = {name: "" if _DEFAULTS[name] in {None, msgspec.NODEFAULT} else str(_DEFAULTS[name]) for name in names}
    return Form(values | {name: "on" for name in _TICKS if _DEFAULTS[name]})


@get("/playground")
async def show() -> Response[str]:
    """Show the section."""
    return _page(_fresh())


@post("/playground", status_code=200)
async def take(request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Take the picture that the form asks for, and show it, or say why there is none."""
    form, context = await sent(request), context_of(request.scope)
    context.wants_capture = True
    try:
        _charge(services.buckets)
        body = _body(form.values)
        rendering = await _rendering(request, body, services, context)
    except NotSignedIn:
        raise
    except BoxError as error:
        context.error = error  # the log and the counts know it as they know every other
        _blame(form, error)
        response = _page(form, status=error.status, failure=error, request_id=context.id)
        response.headers.update(error.headers)
        return response
    shown = await asyncio.to_thread(_shown, rendering)
    return await asyncio.to_thread(_page, form, picture=shown, lines=snippets(base_of(request), body))


def _charge(buckets: TokenBuckets) -> None:
    standing = buckets.take(CALLER, "screenshot", PLAN)
    if standing.wait:
        raise RateLimited(f"The playground takes no more for {standing.retry_after} s.", standing.retry_after)


async def _rendering(
    request: AnyRequest, body: dict[str, Any], services: Services, context: RequestContext
) -> Rendering:
    """Return what becomes of *body*, read and rendered as if a key had sent it. Raises BoxError."""
    caller = Caller(id=CALLER, name=CALLER_NAME, weight=PLAN.weight, still=partial(_still, request))
    try:
        wanted, _ = validation.read(ScreenshotRequest, json.dumps(body).encode())
        shot = shot_of(wanted)
        context.target, context.times = shot.url, QueueTimes()
        context.rendering = await services.capturer.capture(
            shot, by=caller, request=context.id, times=context.times, receive=request.receive
        )
    except BoxError as error:
        if error.is_free(loaded=context.loaded):
            services.buckets.give_back(CALLER, "screenshot", PLAN)
        raise
    return context.rendering


async def _still(request: AnyRequest) -> tuple[HostPattern, ...]:
    """Look again whether who asked is signed in, when the turn comes."""
    await request.app.state.authentication.require(request.state.session)
    return ()


def _body(values: dict[str, str]) -> dict[str, Any]:
    """Return the JSON that the form stands for, as short as it can be said. What is wrong in it stays wrong."""
    body: dict[str, Any] = {name: values[name] for name in _TEXTS if values.get(name)}
    body |= {name: _number(values[name]) for name in _NUMBERS if values.get(name)}
    body |= {name: name in values for name in _TICKS}
    window = {name: _number(values[f"viewport.{name}"]) for name in _WINDOW if values.get(f"viewport.{name}")}
    window = {name: value for name, value in window.items() if value != _DEFAULTS[f"viewport.{name}"]}
    if window and "device" not in body:
        body["viewport"] = window
    return {name: value for name, value in body.items() if value != _DEFAULTS[name]}


def _number(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text


def _blame(form: Form, error: BoxError) -> None:
    """Mark the fields that are wrong; what none of them is to blame for is wrong with the form."""
    problems = error.problems if isinstance(error, InvalidRequest) else {}
    marked = {name: f"{_LABELS[name]} {problem}." for name, problem in problems.items() if name in _LABELS}
    if not marked:
        marked = {_BLAMED.get(error.code, ""): _told(error)}
    form.errors.update(marked)


def _told(error: BoxError) -> str:
    """Return what the operator reads: of a target that is refused also why, which callers do not hear."""
    return f"{error.message.rstrip('.')}: {error.reason}." if isinstance(error, TargetNotAllowed) else error.message


def _shown(rendering: Rendering) -> dict[str, Any]:
    product = rendering.products[0]
    return {
        "source": _data_url(product) if len(product.content) <= MOST_SHOWN else None,
        "is_image": product.media_type.startswith("image/"),
        "file": f"screenshot.{product.format}",
        "bytes": len(product.content),
        "width": product.width,
        "height": product.height,
        "line": rendering.queue_seconds * 1000,
        "render": rendering.render_seconds * 1000,
        "fetched": rendering.fetched,
        "status": rendering.target_status,
        "url": rendering.target_url,
        "not_awaited": rendering.not_awaited,
        "truncated": rendering.truncated,
    }


def _data_url(product: Product) -> Markup:
    """Return the picture as an address: so it is never kept, and nobody else can ask for it."""
    return Markup(f"data:{product.media_type};base64,{base64.b64encode(product.content).decode()}")  # noqa: S704


def _page(form: Form, *, status: int = 200, **shown: Any) -> Response[str]:
    shown = {"picture": None, "lines": [], "failure": None, "request_id": None} | shown
    shown |= {"form": form, "options": _OPTIONS, "size": size, "span": span}
    return page("playground.html", section="playground", status=status, **shown)


routes = [show, take]
