"""What passes between the browser and a target: the two connections, and the HTTP/1.1 read on its way."""

import asyncio
import math

from .. import outbound
from .door import Door, End
from .http1 import (
    FOLD,
    HEAD_END,
    NO_CONTENT,
    NOT_MODIFIED,
    STATUS_LINE,
    SWITCHING,
    UNFINISHED_STRAY,
    Body,
    Counted,
    Fields,
    Malformed,
    Request,
    ToTheProxy,
    read_request,
)

_BLOCKED = b"HTTP/1.1 204 No Content\r\n\r\n"  # an advertisement's frame stays blank and shows no error page
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REASONS = {400: b"Bad Request", 403: b"Forbidden", 502: b"Bad Gateway"}


class Inside(End):
    """A connection from the browser: a tunnel, or one request after the other. It owns the one to the target."""

    inside = True

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self.tunnel = False
        self._outside: Outside | None = None
        self._request: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.until = self._door.soon()
        super().connection_made(transport)
        peer = transport.get_extra_info("peername") or ("", 0)  # none once it is gone again
        if not self._door.lets_in(peer):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.tunnel and self._outside is not None:
            self._outside.send(data)
            self.until = self._door.later()
            return
        if self._request is None and not self._buffer:
            self.until = self._door.soon()
        self._buffer = self._buffer + data if self._buffer else data
        self._advance()

    def _advance(self) -> None:
        """Deal with what has come, as far as that can be done now."""
        try:
            while self._request is None and self._buffer and self._read_head():
                pass
            if self._request is not None and self._outside is not None:
                self._pass_body(self._request, self._outside)
        except ToTheProxy:
            self.turn_away(400)
        except Malformed:
            self.transport.close()
        self.wait_if_needed()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end + 4 > self._door.bounds.head_length or (end < 0 and self._hopeless()):
            raise Malformed
        if end < 0 or self.transport.is_closing():
            return False
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        self._begin(read_request(head))
        return True

    def _hopeless(self) -> bool:
        return len(self._buffer) >= self._door.bounds.head_length or bool(UNFINISHED_STRAY.search(self._buffer))

    def _begin(self, request: Request) -> None:
        self.until = self._door.later()
        if self._door.blocks(request.url):
            self._block(request)
            return
        self._request = request
        target = self._door.locate(request.origin)
        if target is None:
            self.turn_away(403)
        elif self._outside is not None and self._outside.key == (target.host, target.port):
            self._outside.ask(request)
        else:
            old, self._outside = self._outside, None
            if old is not None:
                old.transport.abort()
            self._task = self._door.spawn(self._dial(target))

    def _block(self, request: Request) -> None:
        if request.method == b"CONNECT":
            self.turn_away(403, request)
            return
        self.transport.write(_BLOCKED)
        if not request.keep or not request.body.over:
            self.transport.close()

    async def _dial(self, target: outbound.Target) -> None:
        status = await self._door.reach(target, lambda: Outside(self._door, self, target))
        if status is not None:
            self.turn_away(status)

    def turn_away(self, status: int, request: Request | None = None) -> None:
        """End the connection; only a tunnel that is asked for gets a word, plain HTTP would show it as the page."""
        request = request or self._request
        if request is None or request.method == b"CONNECT":
            line = b"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            self.transport.write(line % (status, _REASONS[status]))
        self.transport.close()

    def reached(self, outside: "Outside") -> None:
        """Go on, now that there is a connection to the target."""
        if self._request is None or self.transport.is_closing():
            outside.transport.abort()
            return
        self._outside = outside
        if self._request.method == b"CONNECT":
            self.transport.write(_ESTABLISHED)
            self.open_tunnel(outside)
        else:
            outside.ask(self._request)
            self._advance()
        outside.steer(waits=self.congested)

    def open_tunnel(self, outside: "Outside") -> None:
        """From here on every byte is passed as it is."""
        self.tunnel = True
        early, self._buffer = self._buffer, b""
        if early:
            outside.send(early)
        self.wait_if_needed()

    def _pass_body(self, request: Request, outside: "Outside") -> None:
        taken = request.body.take(self._buffer)
        if taken:
            body, self._buffer = self._buffer[:taken], self._buffer[taken:]
            outside.send(body)
            self.until = self._door.later()

    def answered(self, *, keep: bool) -> None:
        """Go on to the next request, or end if there can be none."""
        request, self._request = self._request, None
        if request is not None and request.body.over and keep:
            self._advance()
        else:
            self.transport.close()

    def wait_if_needed(self) -> None:
        """Read on only if that has somewhere to go: a target, or an empty buffer."""
        early = self._request is not None and bool(self._buffer)
        self.steer(waits=early or (self._outside is not None and self._outside.congested))

    def steer_source(self) -> None:
        if self._outside is not None:
            self._outside.steer(waits=self.congested)

    def expire(self) -> None:
        if self._outside is not None and self._outside.fresh:
            self._door.fail(self._outside.key, "timeout")
        super().expire()

    def outside_lost(self, outside: "Outside") -> None:
        """End as the target did. What it still had to say is flushed; half a body shows by its length."""
        if self._outside is outside:
            self._outside = None
            if outside.fresh:
                self._door.fail(outside.key, "reset")
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self._task is not None:
            self._task.cancel()
        outside, self._outside = self._outside, None
        if outside is not None:
            outside.until = self._door.soon()
            outside.transport.close()


class Outside(End):
    """A connection to a target."""

    def __init__(self, door: Door, inside: Inside, target: outbound.Target) -> None:
        super().__init__(door)
        self.key = (target.host, target.port)
        self.fresh = True  # not a byte has come
        self._inside = inside
        self._request: Request | None = None
        self._body: Body | None = None
        self._keep = True
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.transport.is_closing():
            self._inside.reached(self)

    def send(self, data: bytes) -> None:
        """Write to the target, unless the door is used up."""
        if self._door.count(sent=len(data)):
            self.transport.write(data)

    def ask(self, request: Request) -> None:
        """Send the head of a request, and expect its answer."""
        self._request, self._body = request, None
        self.send(request.head)

    def data_received(self, data: bytes) -> None:
        self.fresh = False
        if not self._door.count(received=len(data)):
            return
        if self._inside.tunnel:
            self._inside.transport.write(data)
            self._inside.until = self._door.later()
            return
        try:
            self._read(data)
        except Malformed:
            self._inside.transport.close()

    def _read(self, data: bytes) -> None:
        """Pass on what is of the answer; see where it ends."""
        request, out = self._request, list[bytes]()
        if request is None:
            raise Malformed  # nobody asked
        while data and self._body is None and not self._inside.tunnel:
            head, data = self._take_head(data)
            if head:
                out.append(self._read_head(head, request))
        if self._body is not None:
            taken = self._body.take(data)
            out.append(data[:taken])
            data = data[taken:]
        elif self._inside.tunnel:
            out.append(data)
        if out:
            self._inside.until = self._door.later()
            self._inside.transport.write(b"".join(out))
        if self._body is not None and self._body.over:
            self._request = self._body = None
            self._inside.answered(keep=self._keep and not data)

    def _take_head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return a head and what follows it; nothing while it is not complete."""
        if not self._buffer:
            self._inside.until = self._door.soon()
        data = self._buffer + data
        end = HEAD_END.search(data)
        if (end.end() if end else len(data) + 1) > self._door.bounds.head_length:
            raise Malformed
        self._buffer = b"" if end else data
        return (data[: end.start()], data[end.end() :]) if end else (b"", b"")

    def _read_head(self, head: bytes, request: Request) -> bytes:
        """Return the head for the browser. It is written anew, so it may be read as leniently as browsers do."""
        text = head.replace(b"\r\n", b"\n").removesuffix(b"\r")
        first, *lines = FOLD.sub(b" ", text).split(b"\n")
        found = STATUS_LINE.fullmatch(first)
        if not found or b"\r" in text or b"\0" in text:
            raise Malformed
        status, fields = int(found[2]), Fields(lines, strict=False)
        own = self._frame(status, fields, request, http10=found[1] == b"0")
        start = b"HTTP/1.1 %d %s" % (status, found[3] or b"")
        return b"\r\n".join([start, *own, *fields.lines, b"", b""])

    def _frame(self, status: int, fields: Fields, request: Request, *, http10: bool) -> list[bytes]:
        """Note how the answer goes on, and return the lines that tell the browser so."""
        if status == SWITCHING:
            if not request.upgrade or not request.body.over:
                raise Malformed
            self._inside.open_tunnel(self)
            return [b"Connection: Upgrade", b"Upgrade: " + (fields.first(b"upgrade") or b"")]
        if status < 200:  # noqa: PLR2004 - what comes before the answer
            return []
        body = fields.body(math.inf, strict=False)
        endless = isinstance(body, Counted) and body.endless
        if request.method == b"HEAD" or status in {NO_CONTENT, NOT_MODIFIED}:
            body, endless = Counted(0), False
        self._body = body
        ends = endless or http10 or fields.doubtful or b"close" in fields.connection
        self._keep = request.keep and not ends
        framing = [] if status == NO_CONTENT else fields.framing()
        return framing if self._keep else [b"Connection: close", *framing]

    def steer_source(self) -> None:
        self._inside.wait_if_needed()

    def eof_received(self) -> None:
        self._inside.outside_lost(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._inside.outside_lost(self)
