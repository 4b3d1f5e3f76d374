"""Where a browser believes that the page is, and whether what it sends comes from there."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from .. import logs
from ..errors import CrossSite
from ..hosts import Network
from ..keys.authentication import Headers, is_trusted

_HOST = re.compile(r"[a-z0-9._:\[\]-]{1,255}")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_OURS = {"same-origin", "none"}  # none: typed by the operator
LONGEST_REASON = 200  # characters in the log, where strangers write it
MOST_TOLD = 4  # headers of one name in there


def own(scheme: str, peer: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """Return the page's origin, such as https://box.example, empty if no host was asked for.

    A trusted proxy's word for scheme and host counts for more than what it asked us by itself.
    """
    hosts = _values(headers, b"host")
    if is_trusted(peer, trusted):
        forwarded = first(headers, b"x-forwarded-proto").lower()
        scheme = forwarded if forwarded in _DEFAULT_PORTS else scheme
        hosts = [first(headers, b"x-forwarded-host")] if first(headers, b"x-forwarded-host") else hosts
    host = hosts[0].lower() if len(hosts) == 1 else ""
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}" if _HOST.fullmatch(host) else ""


def refuse_foreign(headers: Headers, page: str) -> None:
    """Raise CrossSite unless a request that changes something was sent by the page at the origin *page*.

    Every browser says where a form comes from. Those that say more, on secure origins, are heard on that too.
    """
    sites = _values(headers, b"sec-fetch-site")
    said = _values(headers, b"origin") or [_of(referer) for referer in _values(headers, b"referer")]
    if not page or len(said) != 1 or _plain(said[0]) != page or not _OURS.issuperset(sites):
        reason = f"to {page or 'no host'} from {_told(said) or 'nowhere'} ({_told(sites) or 'no site'})"
        raise CrossSite(reason[:LONGEST_REASON])


def _told(values: list[str]) -> str:
    return ", ".join(map(logs.clean, values[:MOST_TOLD]))


def _plain(origin: str) -> str:
    origin = origin.lower()
    scheme = origin.partition(":")[0]
    return origin.removesuffix(_DEFAULT_PORTS.get(scheme, ":80"))


def _of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def first(headers: Headers, name: bytes) -> str:
    """Return what the outermost proxy wrote into a header: those behind it may append."""
    return ",".join(_values(headers, name)).partition(",")[0].strip()


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for found, value in headers if found == name]
