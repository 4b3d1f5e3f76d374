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
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NoReturn

from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

from .. import logs
from ..errors import RequestTimeout

PROVEN = "proven"  # in a scope's state: whoever asks has shown a good key, or a session
SWEEP_SECONDS = 1.0
LONGEST_READING = 120.0  # seconds that a client may take to fetch an answer which is done
FULL = 0.75  # of the connections there may be: from here on those that ask for nothing are closed
FRESH_SECONDS = 1.0  # so new that its request may be on its way

Peer = tuple[str, int]  # address and port: what Granian and the kernel both know a connection by


class Trust(IntEnum):
    """How much we owe a connection, when there are too many: the least first."""

    NEW = 0  # no request has come by it yet: silence, or half of something
    ASKED = 1
    PROVED = 2  # with a good key, or a session


@dataclass
class _Open:
    """A connection that the kernel has, as of the last sweep."""

    peer: Peer
    descriptor: int
    unread: bool  # whether the client has yet to take bytes of ours


@dataclass(eq=False)
class _Request:
    """A request under way."""

    scope: Scope
    lacks_body_since: float | None = None


@dataclass
class _Known:
    """What is known of a connection."""

    since: float  # when it was new, or last had a request
    trust: Trust = Trust.NEW
    requests: list[_Request] = field(default_factory=list)

    def idle_since(self) -> float | None:
        """Return since when it does nothing but wait for its client; None if it does more."""
        if not self.requests:
            return self.since
        waiting = [request.lacks_body_since for request in self.requests]
        return None if None in waiting else max(since for since in waiting if since is not None)


class Timeouts:
    """An ASGI application that wraps *app*, and ends what takes longer than *arrive_within* seconds to arrive.

    A body that does gets 408. A connection without a request for that long is closed, whatever it says
    meanwhile: silence, half a TLS or HTTP/2 greeting, pings. With *most* connections nearly reached, those that
    have not asked for anything go at once, then the longest idle, and those who proved who they are last.
    """

    def __init__(self, app: ASGIApp, port: int, arrive_within: float, most: int) -> None:
        self._app = app
        self._port = port
        self._arrive_within = arrive_within
        self._most = most
        self._known: dict[Peer, _Known] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        peer = _peer(client) if client else ("", 0)
        known = self._known.setdefault(peer, _Known(time.monotonic()))
        request = _Request(scope)
        known.requests.append(request)
        try:
            await self._app(scope, _timed(receive, self._arrive_within, request), send)
        finally:
            known.requests.remove(request)
            known.since = time.monotonic()
            known.trust = max(known.trust, _trust(scope))
            self._known[peer] = known  # a sweep may have missed it

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
        under_way = {peer: known for peer, known in self._known.items() if known.requests}
        self._known = {one.peer: self._known.get(one.peer) or _Known(now) for one in there} | under_way
        surplus = len(there) - int(self._most * FULL)
        for place, (one, spent) in enumerate(self._idle(there, now)):
            known = self._known[one.peer]
            if surplus > 0 and (place < surplus or known.trust is Trust.NEW):
                doomed = spent > min(FRESH_SECONDS, self._arrive_within)
            else:
                allowed = LONGEST_READING if one.unread else self._arrive_within
                doomed = spent > allowed and not known.requests  # a body has a clock of its own
            if doomed:
                _close(one, self._port)

    def _idle(self, there: list[_Open], now: float) -> list[tuple[_Open, float]]:
        """Return what does nothing but wait for its client, and for how long; what is owed the least comes first."""
        idle = [(one, known, since) for one in there if (since := (known := self._known[one.peer]).idle_since())]
        idle.sort(key=lambda row: (_trust_now(row[1]), row[2]))
        return [(one, now - since) for one, _, since in idle]


def _trust(scope: Scope) -> Trust:
    return Trust.PROVED if scope.get("state", {}).get(PROVEN) else Trust.ASKED


def _trust_now(known: _Known) -> Trust:
    """Return what a connection is owed with what is under way on it: half a body is no more than half a head."""
    return max([known.trust, *(Trust.PROVED for request in known.requests if _trust(request.scope) is Trust.PROVED)])


def _timed(receive: Receive, seconds: float, request: _Request) -> Receive:
    """Return *receive* with a deadline for the whole body, which counts from the first call."""
    deadline: float | None = None
    begun: float | None = None
    arrived = False

    async def receive_in_time() -> ReceiveMessage:
        nonlocal deadline, begun, arrived
        if arrived:
            return await receive()
        loop = asyncio.get_running_loop()
        deadline = deadline or loop.time() + seconds
        request.lacks_body_since = begun = begun or time.monotonic()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(f"The body was not here within {seconds:g} s.") from None
        finally:
            request.lacks_body_since = None
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
