"""How long a client may hold a connection or a half-sent body: the clocks that Granian lacks."""

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
import struct
import termios
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

from . import logs
from .errors import RequestTimeout

SWEEP_SECONDS = 1.0
LONGEST_READING = 120.0  # seconds that a client may take to fetch an answer which is done
FULL = 0.75  # of the connections there may be: from here on the idle ones are closed, the longest idle first
FRESH_SECONDS = 1.0  # so new that its request may be on its way

Peer = tuple[str, int]  # address and port: what Granian and the kernel both know a connection by


@dataclass
class _Open:
    """A connection that the kernel has, as of the last sweep."""

    peer: Peer
    descriptor: int
    unread: bool  # whether the client has yet to take bytes of ours


class Clocks:
    """An ASGI application that wraps *app*, and ends what takes longer than *arrive_within* seconds to arrive.

    A body that does gets 408. A connection without a request for that long is closed, whatever it says
    meanwhile: silence, half a TLS or HTTP/2 greeting, pings. With *most* connections nearly reached, the
    longest idle go at once.
    """

    def __init__(self, app: ASGIApp, port: int, arrive_within: float, most: int) -> None:
        self._app = app
        self._port = port
        self._arrive_within = arrive_within
        self._most = most
        self._under_way: Counter[Peer] = Counter()
        self._idle_since: dict[Peer, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        peer = _peer(client) if client else ("", 0)
        self._under_way[peer] += 1
        try:
            await self._app(scope, _timed(receive, self._arrive_within), send)
        finally:
            self._under_way[peer] -= 1
            if not self._under_way[peer]:
                del self._under_way[peer]
                self._idle_since[peer] = time.monotonic()

    async def run(self) -> NoReturn:
        """Look at the connections for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                there = await asyncio.to_thread(lambda: list(_connections(self._port)))
                self._sweep(there)
            except OSError as error:  # out of descriptors, say: the next look may help
                logs.fault("connections_not_seen", error)

    def _sweep(self, there: list[_Open]) -> None:
        now = time.monotonic()
        self._idle_since = {one.peer: self._idle_since.get(one.peer, now) for one in there}
        idle = sorted(
            (one for one in there if one.peer not in self._under_way), key=lambda one: self._idle_since[one.peer]
        )
        surplus = len(there) - int(self._most * FULL)
        for place, one in enumerate(idle):
            spent = now - self._idle_since[one.peer]
            allowed = LONGEST_READING if one.unread else self._arrive_within
            if spent > (min(FRESH_SECONDS, allowed) if place < surplus else allowed):
                _close(one, self._port)


def _timed(receive: Receive, seconds: float) -> Receive:
    """Return *receive* with a deadline for the whole body, which counts from the first call."""
    deadline: float | None = None
    arrived = False

    async def receive_in_time() -> ReceiveMessage:
        nonlocal deadline, arrived
        if arrived:
            return await receive()
        loop = asyncio.get_running_loop()
        deadline = deadline or loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(f"The body was not here within {seconds:g} s.") from None
        arrived = not (message["type"] == "http.request" and message["more_body"])
        return message

    return receive_in_time


def _peer(address: tuple[str, int]) -> Peer:
    """Spell a peer as both Granian, where the port is text and no zone is given, and the kernel have it."""
    return address[0].partition("%")[0], int(address[1])


def _connections(port: int) -> Iterator[_Open]:
    """Yield our connections on *port*: Granian keeps them to itself, but they are this process's descriptors."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are enough
        with contextlib.suppress(OSError), _socket(int(name), port) as connection:
            peer = _peer(connection.getpeername()[:2])
            yield _Open(peer, int(name), unread=_unsent(connection) > 0)


@contextlib.contextmanager
def _socket(descriptor: int, port: int) -> Iterator[socket.socket]:
    """Yield a copy of *descriptor* if it is a socket on *port*; else OSError."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise OSError
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if copy.family not in {socket.AF_INET, socket.AF_INET6} or copy.getsockname()[1] != port:
            raise OSError
        yield copy


def _unsent(connection: socket.socket) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def _close(one: _Open, port: int) -> None:
    """End a connection, if its descriptor is still that connection's: Granian reads an end, and lets go."""
    with contextlib.suppress(OSError), _socket(one.descriptor, port) as connection:
        if _peer(connection.getpeername()[:2]) == one.peer:
            connection.shutdown(socket.SHUT_RDWR)
