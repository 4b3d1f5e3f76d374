"""How a page is made of a template, and the headers that all of them have."""

from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import jinja2
from litestar import MediaType, Request, Response

from .. import __version__
from ..config import Settings
from ..escapes import escaped_lines
from ..storage.audit import Actor
from . import charts, formatting
from .path_prefix import PrefixedResponse

SECTIONS = {
    "overview": ("Overview", "/admin"),
    "keys": ("API Keys", "/admin/keys"),
    "plans": ("Plans", "/admin/plans"),
    "playground": ("Playground", "/admin/playground"),
    "activity": ("Activity", "/admin/activity"),
}

EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - addresses that stand for all

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # not no-referrer: with that, Chromium sends forms with "Origin: null"
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _seen(value: Any) -> Any:
    """Return what a template inserts, with all of it to be seen: who reads it must not take it for something else."""
    return escaped_lines(value) if type(value) is str else value  # markup is ours


_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    finalize=_seen,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals.update(sections=SECTIONS, version=__version__, sparks=charts.sparks, columns=charts.columns)
_TEMPLATES.filters.update(day=formatting.day, full=formatting.full, ago=formatting.ago, since=formatting.since)


def page(template: str, *, section: str = "", status: int = 200, **shown: Any) -> Response[str]:
    """Return the page that *template* makes of what is *shown*; *section* is the one that the sidebar marks."""
    html = _TEMPLATES.get_template(template).render(section=section, **shown)
    return PrefixedResponse(html, status_code=status, media_type=MediaType.HTML, headers=HEADERS)


def moved(to: str) -> Response[str]:
    """Send the browser on to a path of the page, which it then GETs."""
    return PrefixedResponse("", status_code=303, media_type=MediaType.TEXT, headers=HEADERS | {"Location": to})


def actor_of(request: Request[Any, Any, Any]) -> Actor:
    """Return who makes the request, as the audit is to name them: set where somebody is signed in."""
    return cast("Actor", request.state.actor)


def base_of(request: Request[Any, Any, Any]) -> str:
    """Return where callers reach the API: where this browser has the page, unless that has an address of its own."""
    origin, settings = str(request.scope["state"]["origin"]), cast("Settings", request.app.state.services.settings)
    if settings.admin_address is None:
        return (origin or "http://localhost") + str(request.scope["state"].get("prefix", ""))
    host = (urlsplit(origin).hostname or "localhost") if settings.host in EVERYWHERE else settings.host
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"
