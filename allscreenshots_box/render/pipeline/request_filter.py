"""What one shot does without: its proxy asks about hosts, and the browser about each address before it goes."""

import re
from typing import Any
from urllib.parse import urlsplit

from ..blocking.engine import BlockingEngine
from ..browsers.cdp import DROPPED
from ..page import Page
from ..shot import Header

MOST_ASKED = 500  # questions of one shot; then it goes by hosts alone
LONGEST_ASKED = 8192  # characters of an address, as long as any that rules are about

# What is asked about, as the browser and as rules call it. It has no body: the browser would send us that, too.
KINDS = {"Script": "script", "Stylesheet": "stylesheet", "Image": "image", "Media": "media", "Font": "font"}

_PAUSED = re.compile(r'\{"method":"Fetch\.requestPaused","params":\{"requestId":"([\w.-]+)"')


class RequestFilter:
    """Refuses what a page asks for and its shot does without; adds to the rest what a session brings."""

    def __init__(self, page: Page, blocking: BlockingEngine) -> None:
        self.off = False
        self._shot, self._session = page.shot, page.session
        self._blocking = blocking
        self._left = MOST_ASKED if blocking.reads_addresses(page.shot.blocked) else 0
        self._headers = _Headers(page.target.url, page.shot.session.headers) if page.shot.session.headers else None

    def listen(self) -> None:
        """Have the browser ask, if there is anything to ask about."""
        patterns = [{"urlPattern": "http*", "resourceType": kind} for kind in KINDS] if self._left else []
        if self._headers is not None:
            patterns = [{"urlPattern": "http*"}]
        if patterns:
            self._session.on("Fetch.requestPaused", self._decide)
            self._session.on(DROPPED, self._fail)
            self._session.send("Fetch.enable", patterns=patterns)

    def refuses_host(self, url: str) -> bool:
        """Say of ``https://host/`` whether the shot does without that host."""
        return not self.off and self._blocking.refuses(url, self._shot.url, self._shot.blocked)

    def _decide(self, event: dict[str, Any]) -> None:
        request, asked = event["request"], event["requestId"]
        if self._refuses(request["url"], KINDS.get(event["resourceType"], "")):
            self._session.send("Fetch.failRequest", requestId=asked, errorReason="BlockedByClient")
        else:
            added = self._headers.of(request) if self._headers is not None else {}
            self._session.send("Fetch.continueRequest", requestId=asked, **added)

    def _fail(self, event: dict[str, Any]) -> None:
        """End a request that brings more than a message may have: where it leads, nobody has seen."""
        if paused := _PAUSED.match(event["head"]):
            self._session.send("Fetch.failRequest", requestId=paused[1], errorReason="BlockedByClient")

    def _refuses(self, url: str, kind: str) -> bool:
        if not self._left or not kind:
            return False
        self._left -= 1
        if not self._left and self._headers is None:
            self._session.send("Fetch.disable")
        if self.off or len(url) > LONGEST_ASKED:
            return False
        return self._blocking.refuses(url, self._shot.url, self._shot.blocked, kind)


class _Headers:
    """Adds headers to the requests of their origins and to no others, wherever a redirect leads."""

    def __init__(self, url: str, headers: tuple[Header, ...]) -> None:
        own = origin_of(url)
        self._added = [(header.origin or own, header.name, header.value) for header in headers]
        self._names = {name.lower() for _, name, _ in self._added}

    def of(self, request: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
        """Return all headers of a request as the browser wants to be told them."""
        origin = origin_of(request["url"])
        # After a redirect the browser still has what was added before it.
        kept = {name: value for name, value in request["headers"].items() if name.lower() not in self._names}
        kept |= {name: value for wanted, name, value in self._added if wanted == origin}
        return {"headers": [{"name": name, "value": value} for name, value in kept.items()]}


def origin_of(url: str) -> str:
    """Return scheme, host and port as browsers compare them."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    try:
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in {None, default} else "")
