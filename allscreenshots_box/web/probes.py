"""What the box says of itself: the sign at /, and /health, /ready and /metrics."""

import asyncio
import base64
import hashlib
from typing import Any

from litestar import HttpMethod, MediaType, Request, Response, route
from litestar.di import NamedDependency

from .. import __version__
from ..metrics import CONTENT_TYPE, Metrics
from .readiness import Readiness

_SIGN = {
    "name": "allscreenshots-box",
    "about": "A screenshot appliance: POST a URL to /v1/screenshots with an API key, get a picture back.",
    "version": __version__,
    "reference": "/docs",
    "openapi": "/schema/openapi.json",
    "health": "/health",
    "documentation": "the docs/ folder beside the installed program, from docs/index.md on",
    "keys": "allscreenshots-box keys create NAME, on the machine itself",
}

_STYLE = """:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}
code{background:#8883;padding:.1em .3em;border-radius:3px} a{color:#0b57d0}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e9ec} a{color:#8ab4f8}}"""
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>allscreenshots-box</title><link rel="icon" href="data:,">
<style>{style}</style>
<main><h1>allscreenshots-box {version}</h1><p>{about}</p>
<ul><li>API reference: <a href="{reference}">{reference}</a></li>
<li>The same for machines: <a href="{openapi}">{openapi}</a></li>
<li>Health: <a href="{health}">{health}</a></li>
<li>Documentation: {documentation}</li>
<li>A key: <code>{keys}</code></li>{page}</ul></main></html>
"""
_LINE = '\n<li>The operator\'s page: <a href="{0}">{0}</a></li>'

_FRESH = {"Cache-Control": "no-store"}
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_STRICT = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@route("/", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False)
async def sign(request: Request[Any, Any, Any]) -> Response[Any]:
    """Say what answers here: a page for people, JSON for programs."""
    page = request.app.state.page  # its path, if this port has it
    if "text/html" in request.headers.get("accept", ""):
        shown = _PAGE.format(style=_STYLE, **_SIGN, page=_LINE.format(page) if page else "")
        return Response(shown, media_type=MediaType.HTML, headers=_STRICT)
    return Response(_SIGN | ({"page": page} if page else {}))


@route("/health", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False)
async def health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok", "version": __version__}


@route("/ready", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False)
async def ready(readiness: NamedDependency[Readiness]) -> Response[dict[str, Any]]:
    """Say whether the box can take a picture now, and if not, why: 503, as load balancers read it."""
    if reasons := await readiness.look():
        return Response({"status": "not ready", "reasons": reasons}, status_code=503, headers=_FRESH)
    return Response({"status": "ready"}, headers=_FRESH)


@route("/metrics", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False)
async def show_metrics(metrics: NamedDependency[Metrics]) -> Response[bytes]:
    """Tell Prometheus what was counted."""
    text = await asyncio.to_thread(metrics.text)
    return Response(text, headers={"Content-Type": CONTENT_TYPE, **_FRESH})


routes = [sign, health, ready, show_metrics]
