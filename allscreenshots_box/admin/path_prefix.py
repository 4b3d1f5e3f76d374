"""The path below which a reverse proxy has the box: links, redirects and cookies of the page begin with it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from litestar import Request, Response
from litestar.response.base import ASGIResponse

from ..hosts import Network
from ..keys.authentication import Headers, is_trusted
from .csrf import first

ROOT = "/admin"
LONGEST = 200  # characters

_PREFIX = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)
_DOTS = re.compile(r"/\.{1,2}(?:/|$)")
# No text in a page can look like this: quotation marks in it are escaped.
_LINK = re.compile(rf'(?<==")(?={ROOT}[/?"])')


def forwarded_prefix(peer: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """Return the path that a trusted proxy has taken off the addresses it passes on (X-Forwarded-Prefix), if it has."""
    if not is_trusted(peer, trusted):
        return ""
    told = first(headers, b"x-forwarded-prefix").rstrip("/")
    return told if len(told) <= LONGEST and _PREFIX.fullmatch(told) and not _DOTS.search(told) else ""


class PrefixedResponse(Response[str]):
    """A page, or the way to one, as the browser has to get it: it knows the page below the prefix."""

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **more: Any) -> ASGIResponse:
        """Put the prefix before all that begins with the page's own path."""
        if prefix := request.scope["state"].get("prefix"):
            self.content = _LINK.sub(prefix, self.content)
            if (location := self.headers.get("Location", "")).startswith(ROOT):
                self.headers["Location"] = prefix + location
            self.cookies = [replace(cookie, path=prefix + cookie.path) for cookie in self.cookies]
        return super().to_asgi_response(app, request, **more)
