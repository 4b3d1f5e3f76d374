"""Somebody's state in the browser, as a request brings it: cookies, headers and storage."""

import re
from typing import Annotated

from msgspec import Meta

from ..egress import policy
from ..errors import InvalidUrl
from ..render import shot
from ..validation import WireModel, choice, spelled

MOST_COOKIES = 200
MOST_HEADERS = 100
MOST_ORIGINS = 5
MOST_STORED = 1000  # entries of one origin's storage; their values are bounded by the body
LAST_SECOND = 253_402_300_799  # of the year 9999, in Unix time

Origin = Annotated[str, spelled("^https?://[^/]+$", "an origin like https://example.com, without a path", most=255)]
Stored = Annotated[dict[str, str], Meta(max_length=MOST_STORED)]

_NOT_IN_COOKIES = re.compile(r"[\x00-\x1f\x7f;]")
_SAME_SITE: dict[str | None, shot.SameSite] = {
    "strict": "Strict",
    "lax": "Lax",
    "none": "None",
    "no_restriction": "None",  # browser extensions say this, and unspecified
}
_NOT_IN_HEADERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_THE_CALLERS = {  # headers of the connection, which is the browser's and the proxy's
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class BrowserCookieRequest(WireModel):
    """A cookie placed before navigation."""

    name: Annotated[str, Meta(min_length=1, max_length=512)]
    value: Annotated[str, Meta(max_length=4096)] = ""
    domain: Annotated[str, Meta(max_length=255)] | None = None
    path: Annotated[str, Meta(max_length=2048)] = "/"
    expires: Annotated[float, Meta(ge=-1, le=LAST_SECOND)] | None = None
    http_only: bool = False
    secure: bool = False
    same_site: Annotated[str, choice("strict", "lax", "none", "no_restriction", "unspecified")] | None = None

    def problems(self) -> dict[str, str]:
        texts = {"name": self.name, "value": self.value, "domain": self.domain or "", "path": self.path}
        problems = {
            field: "must have no ; and no control characters"
            for field, text in texts.items()
            if _NOT_IN_COOKIES.search(text)
        }
        if "=" in self.name:
            problems["name"] = "must have no ="
        return problems

    def cookie(self) -> shot.Cookie:
        """Return the cookie for the renderer."""
        return shot.Cookie(
            name=self.name,
            value=self.value,
            domain=self.domain or None,
            path=self.path or "/",
            expires=None if self.expires == -1 else self.expires,  # what exported session cookies have
            http_only=self.http_only,
            secure=self.secure,
            same_site=_SAME_SITE.get(self.same_site),
        )


class BrowserHeaderRequest(WireModel):
    """A request header, for the page's own origin or for one."""

    name: Annotated[str, spelled("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "a header's name", most=128)]
    value: Annotated[str, spelled(r"^[^\r\n]*$", "one line", most=8192)] = ""
    origin: Origin | None = None

    def problems(self) -> dict[str, str]:
        problems = _origin_problems(self.origin)
        if self.name.lower() in _NOT_THE_CALLERS or self.name.lower().startswith("proxy-"):
            problems["name"] = "must not be a header of the connection: that is the browser's own"
        if _NOT_IN_HEADERS.search(self.value):
            problems["value"] = "must have no control characters"
        return problems

    def header(self) -> shot.Header:
        """Return the header for the renderer."""
        return shot.Header(name=self.name, value=self.value, origin=_origin(self.origin) if self.origin else None)


class BrowserStorageOriginRequest(WireModel):
    """Web storage for one origin."""

    origin: Origin
    local_storage: Stored | None = None
    session_storage: Stored | None = None

    def problems(self) -> dict[str, str]:
        return _origin_problems(self.origin)

    def storage(self) -> shot.Storage:
        """Return the storage for the renderer."""
        local, session = self.local_storage or {}, self.session_storage or {}
        return shot.Storage(origin=_origin(self.origin), local=local, session=session)


class BrowserSessionRequest(WireModel):
    """Browser state used for one capture."""

    cookies: Annotated[list[BrowserCookieRequest], Meta(max_length=MOST_COOKIES)] | None = None
    headers: Annotated[list[BrowserHeaderRequest], Meta(max_length=MOST_HEADERS)] | None = None
    storage: Annotated[list[BrowserStorageOriginRequest], Meta(max_length=MOST_ORIGINS)] | None = None

    def session(self) -> shot.BrowserSession:
        """Return the session for the renderer."""
        return shot.BrowserSession(
            cookies=tuple(one.cookie() for one in self.cookies or ()),
            headers=tuple(one.header() for one in self.headers or ()),
            storage=tuple(one.storage() for one in self.storage or ()),
        )


def _origin(text: str) -> str:
    """Return an origin as browsers write it: lower case, ASCII, without a default port. Raises InvalidUrl."""
    target = policy.parse(text)
    scheme = text.partition(":")[0]
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{scheme}://{host}" + ("" if target.port == {"http": 80, "https": 443}[scheme] else f":{target.port}")


def _origin_problems(text: str | None) -> dict[str, str]:
    try:
        if text and not set("@?#") & set(text) and _origin(text):
            return {}
    except InvalidUrl:
        pass
    return {"origin": "must be an origin like https://example.com, without a path"} if text else {}
