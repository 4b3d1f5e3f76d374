"""Bodies of strangers: who has neither key nor session gets a few seconds, and a place that others may take."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from litestar.types import Receive, ReceiveMessage

from ..errors import RequestTimeout, RequestTooLarge, ServiceUnavailable

MOST_AT_ONCE = 16  # bodies on their way; a browser's form is one segment, and here as soon as its head
SECONDS = 5.0  # for all of a body
LEAST_SECONDS = 1.0  # that every body has: who gives way at once comes back at once, and costs more than one who waits
LARGEST = 16 * 1024  # bytes: two passwords of the largest kind, each byte of them written as three
RETRY_SECONDS = 1


class AnonymousLimits:
    """Bounds the bodies that strangers send, all together.

    Where all places are taken, whoever comes gets that of the network with the most of them, and there of the one that
    has waited the longest, which has a second in all then: so nobody is kept out by those who only wait.
    """

    def __init__(self) -> None:
        self._bodies: dict[_Body, None] = {}  # those on their way, in the order in which they came

    @contextmanager
    def bounded(self, receive: Receive, network: str) -> Iterator[Receive]:
        """Yield *receive* as a stranger from *network* gets it, which may raise a BoxError."""
        body = _Body(receive, network)

        async def receive_some() -> ReceiveMessage:
            if not body.arrived and body.begun is None:
                body.begun = asyncio.get_running_loop().time()
                self._make_room(body)
            message = await body.next()
            if body.arrived:
                self._bodies.pop(body, None)
            return message

        try:
            yield receive_some
        finally:
            self._bodies.pop(body, None)

    def _make_room(self, body: "_Body") -> None:
        self._bodies[body] = None
        if len(self._bodies) > MOST_AT_ONCE:
            counts = Counter(other.network for other in self._bodies)
            most = max(counts.values())
            last = next(other for other in self._bodies if counts[other.network] == most)
            del self._bodies[last]
            last.give_way()


@dataclass(eq=False)
class _Body:
    """The body of one request as it arrives."""

    receive: Receive
    network: str
    begun: float | None = None  # once somebody asks for it
    arrived: bool = False
    taken: int = 0  # bytes
    gives_way: bool = False
    clock: asyncio.Timeout | None = None  # while it is waited for

    async def next(self) -> ReceiveMessage:
        """Return what comes next."""
        if self.arrived:
            return await self.receive()
        try:
            async with asyncio.timeout_at(self._end()) as self.clock:
                message = await self.receive()
        except TimeoutError:
            raise self._refusal() from None
        finally:
            self.clock = None
        self.arrived = not (message["type"] == "http.request" and message["more_body"])
        self.taken += len(message["body"]) if message["type"] == "http.request" else 0
        if self.taken > LARGEST:
            raise RequestTooLarge(f"Without a key or a session, a body must be at most {LARGEST} bytes.")
        return message

    def give_way(self) -> None:
        """Be waited for no more than everybody is."""
        self.gives_way = True
        if self.clock is not None:
            self.clock.reschedule(self._end())

    def _end(self) -> float:
        return (self.begun or 0) + (LEAST_SECONDS if self.gives_way else SECONDS)

    def _refusal(self) -> RequestTimeout | ServiceUnavailable:
        if self.gives_way:
            return ServiceUnavailable("Too many bodies of strangers are on their way; try again.", RETRY_SECONDS)
        return RequestTimeout(f"The body was not here within {SECONDS:g} s.")
