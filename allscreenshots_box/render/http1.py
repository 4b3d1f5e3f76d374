"""HTTP/1.1 as it stands on the wire: heads, their fields, and where bodies end."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

CHUNK_LINE_LENGTH = 4096  # of a chunk's size and extensions, or of one trailer

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([!-~]+) HTTP/1\.1")
_ABSOLUTE = re.compile(rb"http://([A-Za-z0-9._:\[\]-]{1,300})((?:[/?][!-\"$-~]*)?)", re.IGNORECASE)
_AUTHORITY = re.compile(rb"([A-Za-z0-9._:\[\]-]{1,300}):([0-9]{1,5})")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n]*))?")
_STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")  # what two parsers could read in two ways
UNFINISHED_STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")
FOLD = re.compile(rb"\n[ \t]+")
HEAD_END = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n\0]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")

_HOP = {  # for the next connection only, or written anew here
    *(b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"proxy-authenticate"),
    *(b"te", b"upgrade", b"host", b"transfer-encoding", b"content-length"),
}
HTTP_PORT, _HTTPS_PORT = 80, 443
SWITCHING, NO_CONTENT, NOT_MODIFIED = 101, 204, 304


class Malformed(Exception):
    """A message that is not HTTP/1.1, or could be read in two ways."""


class ToTheProxy(Malformed):
    """A request for the proxy itself, as a server is asked."""


class Counted:
    """A body of known length; of infinite length, one that ends with its connection."""

    def __init__(self, length: float) -> None:
        self._left = length
        self.endless = math.isinf(length)

    @property
    def over(self) -> bool:
        return not self._left

    def take(self, data: bytes) -> int:
        """Return how many bytes from the start of *data* are of this body."""
        taken = len(data) if len(data) < self._left else int(self._left)
        self._left -= taken
        return taken


class Chunked:
    """A body in chunks. It is passed on as it came, so nothing in it may be read in two ways."""

    def __init__(self) -> None:
        self.over = False
        self._left = 0  # bytes of the chunk
        self._line = b""
        self._read = self._size
        self._trailers = 0  # bytes

    def take(self, data: bytes) -> int:
        """Return how many bytes from the start of *data* are of this body. Raises Malformed."""
        at = 0
        while at < len(data) and not self.over:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
            else:
                step = (data.find(b"\n", at) + 1 or len(data)) - at
                self._add(data[at : at + step])
            at += step
        return at

    def _add(self, text: bytes) -> None:
        self._line += text
        if len(self._line) > CHUNK_LINE_LENGTH:
            raise Malformed
        if self._line.endswith(b"\n"):
            line, self._line = self._line, b""
            self._read(line)

    def _size(self, line: bytes) -> None:
        found = _CHUNK_SIZE.fullmatch(line)
        if not found:
            raise Malformed
        self._left = int(found[1], 16)
        self._read = self._end_of_chunk if self._left else self._trailer

    def _end_of_chunk(self, line: bytes) -> None:
        if line != b"\r\n":
            raise Malformed
        self._read = self._size

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        self.over = line == b"\r\n"
        if not self.over and (not _TRAILER.fullmatch(line) or self._trailers > CHUNK_LINE_LENGTH):
            raise Malformed


Body = Counted | Chunked


class Fields:
    """The fields of a head: the lines that are for the other end, and the values that are for us."""

    def __init__(self, lines: Iterable[bytes], *, strict: bool) -> None:
        self.lines: list[bytes] = []
        self.doubtful = False  # two framings
        self._hop: dict[bytes, list[bytes]] = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not _TOKEN.fullmatch(name):
                if strict:
                    raise Malformed
                continue  # as browsers do; nobody downstream sees the line
            if (lower := name.lower()) in _HOP:
                self._hop.setdefault(lower, []).append(value.strip(b" \t"))
            else:
                self.lines.append(line)
        self.connection = self.words(b"connection") | self.words(b"proxy-connection")
        if named := self.connection - _HOP - {b"close"}:
            self.lines = [line for line in self.lines if line.partition(b":")[0].lower() not in named]

    def words(self, name: bytes) -> set[bytes]:
        """Return the words of a field that is a list, in lower case."""
        return {word.strip(b" \t").lower() for value in self._hop.get(name, ()) for word in value.split(b",")}

    def first(self, name: bytes) -> bytes | None:
        """Return the value of a field's first line."""
        return self._hop.get(name, (None,))[0]

    def body(self, otherwise: float, *, strict: bool) -> Body:
        """Return the body that these fields announce, or one of *otherwise* bytes. Raises Malformed."""
        codings, lengths = self._hop.get(b"transfer-encoding"), self._hop.get(b"content-length")
        if lengths and (not _LENGTH.fullmatch(lengths[0]) or len(set(lengths)) > 1 or (strict and len(lengths) > 1)):
            raise Malformed
        if codings:
            if [coding.lower() for coding in codings] != [b"chunked"] or (strict and lengths):
                raise Malformed
            self.doubtful = self._hop.pop(b"content-length", None) is not None
            return Chunked()
        return Counted(int(lengths[0]) if lengths else otherwise)

    def framing(self) -> list[bytes]:
        """Return the lines that announce the body, as they are sent on."""
        if self.first(b"transfer-encoding") is not None:
            return [b"Transfer-Encoding: chunked"]
        length = self.first(b"content-length")
        return [b"Content-Length: " + length] if length is not None else []


@dataclass(slots=True)
class Request:
    """What the browser asks for; *head* is what the target is sent."""

    method: bytes
    url: str
    origin: str
    head: bytes
    body: Body
    keep: bool  # the connection, for further requests
    upgrade: bool


def read_request(head: bytes) -> Request:
    """Return what a browser asks a proxy for. Raises Malformed."""
    if _STRAY.search(head):
        raise Malformed
    first, *lines = head.split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(first)
    if not found:
        raise Malformed
    method, target = found.groups()
    fields = Fields(lines, strict=True)
    body = fields.body(0, strict=True)
    if method == b"CONNECT":
        origin = _tunnel_origin(target, body)
        return Request(method, origin, origin, b"", body, keep=False, upgrade=False)
    if target.startswith((b"/", b"*")):
        raise ToTheProxy
    address = _ABSOLUTE.fullmatch(target)
    if not address:
        raise Malformed
    upgrade = fields.first(b"upgrade") if b"upgrade" in fields.connection else None
    text = _request_head(method, address[1], address[2], fields, upgrade)
    origin, keep = f"http://{address[1].decode()}/", b"close" not in fields.connection
    return Request(method, target.decode(), origin, text, body, keep, upgrade is not None)


def _tunnel_origin(target: bytes, body: Body) -> str:
    found = _AUTHORITY.fullmatch(target)
    if not found or not body.over:
        raise Malformed
    return f"https://{found[1].decode()}/" if int(found[2]) == _HTTPS_PORT else f"https://{target.decode()}/"


def _request_head(method: bytes, authority: bytes, path: bytes, fields: Fields, upgrade: bytes | None) -> bytes:
    """Write the head as the browser itself would have sent it: no Via, sites must not see a proxy."""
    path = path if path.startswith(b"/") else b"/" + path
    kind = [b"Connection: keep-alive"] if upgrade is None else [b"Connection: Upgrade", b"Upgrade: " + upgrade]
    start = [method + b" " + path + b" HTTP/1.1", b"Host: " + authority, *kind]
    return b"\r\n".join([*start, *fields.framing(), *fields.lines, b"", b""])
