"""The loopback proxy that all of the browser's traffic goes through."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from .. import outbound
from ..config import Address
from ..errors import BoxError, UrlUnreachable
from .http1 import (
    FOLD,
    HEAD_END,
    HTTP_PORT,
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

Key = tuple[str, int]  # host and port
Resolve = Callable[[outbound.Target], Awaitable[list[Address]]]

HIGH_WATER = 128 * 1024  # bytes held for a slow reader before its source is paused
CLOSE_SECONDS = 1.0  # until sockets that were cut are gone; they take a moment, and no shot waits for a stuck one
REMEMBERED = 64  # refusals and failures a door keeps, each; a hostile page makes any number


@dataclass(frozen=True)
class Bounds:
    """What one door allows; times in seconds."""

    head_length: int = 64 * 1024  # bytes, with the blank line
    head: float = 10.0  # from the first byte of a head to its last
    idle: float = 60.0  # without a byte either way
    attempt: float = 4.0  # to connect to one address
    dial: float = 10.0  # to connect to any of them
    connections: int = 256
    names: int = 512  # different hosts
    lookups: int = 8  # at once: other shots want the resolver too
    sweep: float = 1.0  # between two looks for what has expired


_BLOCKED = b"HTTP/1.1 204 No Content\r\n\r\n"  # an advertisement's frame stays blank and shows no error page
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_PROBLEMS = {TimeoutError: "timeout", ConnectionRefusedError: "refused", ConnectionResetError: "reset"}
_REASONS = {400: b"Bad Request", 403: b"Forbidden", 502: b"Bad Gateway"}


# --- connections --------------------------------------------------------------------------------


class _End(asyncio.Protocol):
    """One end of what passes through: it is read only while what it says has somewhere to go."""

    transport: asyncio.Transport
    until: float = math.inf  # when it is cut
    congested = False

    def __init__(self, door: "Door") -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)
        self._door.enter(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._door.leave(self)

    def pause_writing(self) -> None:
        self.congested = True
        self.steer_source()

    def resume_writing(self) -> None:
        self.congested = False
        self.steer_source()

    def steer_source(self) -> None:
        """Let whoever writes here wait or go on."""

    def expire(self) -> None:
        """Cut a connection on which nothing happened for too long."""
        self.transport.abort()

    def steer(self, *, waits: bool) -> None:
        """Stop to read, or go on."""
        if not self.transport.is_closing():
            (self.transport.pause_reading if waits else self.transport.resume_reading)()


class _Inside(_End):
    """A connection from the browser: a tunnel, or one request after the other. It owns the one to the target."""

    def __init__(self, door: "Door") -> None:
        super().__init__(door)
        self.tunnel = False
        self._outside: _Outside | None = None
        self._request: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.until = self._door.soon()
        super().connection_made(transport)
        peer = transport.get_extra_info("peername") or ("",)  # none once it is gone again
        if not self._door.lets_in(peer[0]):
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
        status = await self._door.reach(target, lambda: _Outside(self._door, self, target))
        if status is not None:
            self.turn_away(status)

    def turn_away(self, status: int, request: Request | None = None) -> None:
        """End the connection; only a tunnel that is asked for gets a word, plain HTTP would show it as the page."""
        request = request or self._request
        if request is None or request.method == b"CONNECT":
            line = b"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            self.transport.write(line % (status, _REASONS[status]))
        self.transport.close()

    def reached(self, outside: "_Outside") -> None:
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

    def open_tunnel(self, outside: "_Outside") -> None:
        """From here on every byte is passed as it is."""
        self.tunnel = True
        early, self._buffer = self._buffer, b""
        if early:
            outside.send(early)
        self.wait_if_needed()

    def _pass_body(self, request: Request, outside: "_Outside") -> None:
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

    def outside_lost(self, outside: "_Outside") -> None:
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


class _Outside(_End):
    """A connection to a target."""

    def __init__(self, door: "Door", inside: _Inside, target: outbound.Target) -> None:
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


# --- doors --------------------------------------------------------------------------------------


class Door:
    """The way out for one shot: a port of its own, whose every connection is known, counted and cut with it."""

    def __init__(
        self,
        policy: outbound.Policy,
        largest: int | None,
        resolve: Resolve,
        bounds: Bounds,
    ) -> None:
        self.port = 0
        self.received = self.sent = 0  # bytes from and to targets
        self.blocked = 0  # requests
        self.closed = False
        self.exhausted = False  # *largest* bytes have passed, and no more do
        self.refusals: dict[Key, BoxError] = {}
        self.failures: dict[Key, str] = {}  # refused, unreachable, timeout, unresolved or reset
        self.bounds = bounds
        self._policy, self._largest, self._resolve = policy, largest, resolve
        self._loop = asyncio.get_running_loop()
        self._ends: set[_End] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._targets: dict[str, outbound.Target | None] = {}  # by origin
        self._lookups: dict[str, asyncio.Task[list[Address] | UrlUnreachable]] = {}  # by host: each is asked once
        self._looking = asyncio.Semaphore(bounds.lookups)
        self._admitted = False
        self._refuses: Callable[[str], bool] | None = None
        self._own: set[str] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    @property
    def url(self) -> str:
        """What the browser is told."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """The number of connections from the browser."""
        return sum(isinstance(end, _Inside) for end in self._ends)

    def admit(self, vetted: outbound.Target, refuses: Callable[[str], bool] | None) -> None:
        """Begin the shot of *vetted*. *refuses* says of a URL whether it is blocked; of a tunnel it hears the origin.

        The page that is asked for is never blocked.
        """
        host = f"[{vetted.host}]" if ":" in vetted.host else vetted.host
        netloc = host if vetted.port == HTTP_PORT else f"{host}:{vetted.port}"
        page = urlsplit(vetted.url)._replace(netloc=netloc, fragment="")
        self._own = {page._replace(path=page.path or "/").geturl(), f"https://{host}/", f"https://{netloc}/"}
        self._refuses, self._admitted = refuses, True
        self._lookup(vetted)  # while the browser is still on its way
        self._sweep()

    async def close(self) -> None:
        """Cut everything and free the port."""
        self._admitted, self.closed = False, True
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._gone()

    async def _gone(self) -> None:
        while self._ends:
            self._empty.clear()
            await self._empty.wait()
        if self._server is not None:
            await self._server.wait_closed()

    async def listen(self) -> None:
        """Take a port, one that no page may go to: a door that leads to a door would be a loop."""
        while True:
            listener = socket.socket(proto=socket.IPPROTO_TCP)
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
            if all(port != self.port for _, port in self._policy.allow):
                break
            listener.close()
        self._server = await self._loop.create_server(
            lambda: _Inside(self), sock=listener, backlog=self.bounds.connections
        )

    # What its connections ask it.

    def lets_in(self, peer: str) -> bool:
        """Say whether a connection from *peer*, that is already counted, may stay."""
        room = self._admitted and not self.exhausted and self.open_connections <= self.bounds.connections
        return room and peer.startswith("127.")

    def enter(self, end: _End) -> None:
        """Know of a connection."""
        self._ends.add(end)
        if not self._admitted:
            end.transport.abort()

    def leave(self, end: _End) -> None:
        """Forget a connection that is gone."""
        self._ends.discard(end)
        if not self._ends:
            self._empty.set()

    def soon(self) -> float:
        """Return when a head must be complete."""
        return self._loop.time() + self.bounds.head

    def later(self) -> float:
        """Return when a connection must have carried a byte."""
        return self._loop.time() + self.bounds.idle

    def count(self, received: int = 0, sent: int = 0) -> bool:
        """Count bytes; say whether they may pass."""
        self.received += received
        self.sent += sent
        if self._largest is None or self.received + self.sent <= self._largest:
            return True
        self.exhausted = True
        self._cut()
        return False

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start what ends with the door at the latest."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def blocks(self, url: str) -> bool:
        """Say whether *url* is blocked, and count it."""
        if self._refuses is None or url in self._own or not self._refuses(url):
            return False
        self.blocked += 1
        return True

    def locate(self, origin: str) -> outbound.Target | None:
        """Return where *origin* is; None, and a refusal, when it is no place."""
        if origin not in self._targets:
            try:
                target = outbound.parse(origin)
            except BoxError as error:
                _remember(self.refusals, (origin.split("/")[2], 0), error.with_traceback(None))
                return None
            if len(self._targets) >= self.bounds.names:
                return target
            self._targets[origin] = target
        return self._targets[origin]

    async def reach(self, target: outbound.Target, make: Callable[[], _Outside]) -> int | None:
        """Connect to *target* if that may be; else return the status that says why not."""
        key = (target.host, target.port)
        if key in self.refusals:
            return self._refuse(key, self.refusals[key])
        if target.host not in self._lookups and len(self._lookups) >= self.bounds.names:
            return self._refuse(key, UrlUnreachable("The page asks for too many host names."))
        found = await asyncio.shield(self._lookup(target))  # others wait for the same
        if isinstance(found, UrlUnreachable):
            return self._refuse(key, found)
        try:
            outbound.decide(target, found, self._policy)
        except BoxError as error:
            return self._refuse(key, error)
        problem = await self._dial(target.port, found, make)
        if problem is None:
            self.failures.pop(key, None)
            return None
        self.fail(key, problem)
        return 502

    def _refuse(self, key: Key, error: BoxError) -> int:
        _remember(self.refusals, key, error.with_traceback(None))
        if not isinstance(error, UrlUnreachable):
            return 403
        self.fail(key, "unresolved")
        return 502

    def fail(self, key: Key, problem: str) -> None:
        """Remember why a target did not answer."""
        _remember(self.failures, key, problem)

    # What it does for them.

    def _lookup(self, target: outbound.Target) -> asyncio.Task[list[Address] | UrlUnreachable]:
        """Return the one lookup of a host: all that is decided and dialled in this shot goes by its answer."""
        if target.host not in self._lookups:
            self._lookups[target.host] = self.spawn(self._look_up(target))
        return self._lookups[target.host]

    async def _look_up(self, target: outbound.Target) -> list[Address] | UrlUnreachable:
        try:
            async with self._looking:
                return list(dict.fromkeys(await self._resolve(target)))
        except UrlUnreachable as error:
            return error.with_traceback(None)

    async def _dial(self, port: int, addresses: list[Address], make: Callable[[], _Outside]) -> str | None:
        """Connect to the first address that answers; else say what was wrong with the last."""
        problem = "unreachable"
        latest = self._loop.time() + self.bounds.dial
        for address in addresses:
            try:
                async with asyncio.timeout_at(min(self._loop.time() + self.bounds.attempt, latest)):
                    await self._connect(make(), str(address), port)
                return None
            except OSError as error:
                problem = next((word for kind, word in _PROBLEMS.items() if isinstance(error, kind)), "unreachable")
        return problem

    async def _connect(self, outside: _Outside, address: str, port: int) -> None:
        try:
            await self._loop.create_connection(lambda: outside, address, port)
        except BaseException:
            outside.connection_lost(None)  # cancelled just after it was made: uvloop closes it and tells nobody
            raise

    def _sweep(self) -> None:
        if self.closed:
            return
        now = self._loop.time()
        for end in list(self._ends):
            if end.until < now:
                end.expire()
        self._sweeper = self._loop.call_later(self.bounds.sweep, self._sweep)

    def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()


def _remember(where: dict[Key, Any], key: Key, value: Any) -> None:
    if key in where or len(where) < REMEMBERED:
        where[key] = value


class Proxy:
    """Opens doors. *largest* is the number of bytes that may pass through one."""

    def __init__(
        self,
        policy: outbound.Policy,
        largest: int | None = None,
        *,
        resolve: Resolve = outbound.resolve,
        bounds: Bounds = Bounds(),
    ) -> None:
        self._policy, self._largest, self._resolve, self._bounds = policy, largest, resolve, bounds
        self._doors: set[Door] = set()

    async def open(self) -> Door:
        """Open a door. It costs a listening socket, and lets nobody in until the shot is admitted."""
        door = Door(self._policy, self._largest, self._resolve, self._bounds)
        await door.listen()
        self._doors = {door, *(other for other in self._doors if not other.closed)}
        return door

    async def close(self) -> None:
        """Close every door."""
        await asyncio.gather(*(door.close() for door in self._doors))
