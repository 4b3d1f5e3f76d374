"""The waiting line: a few slots, a bounded number of waiters, two clocks."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import Overloaded, ServiceUnavailable

SMOOTHING = 0.2  # how much the newest shot weighs in the average that Retry-After is made of
STOPPING_RETRY_SECONDS = 5  # a restart takes about this long


class Line:
    """Gives out *slots* turns at a time; at most *length* callers wait, each at most *wait* seconds."""

    def __init__(self, slots: int, length: int, wait: float) -> None:
        self._free = asyncio.Semaphore(slots)
        self._slots = slots
        self._length = length
        self._wait = wait
        self._waiting = 0
        self._inside = 0
        self._average = 1.0  # seconds a turn takes
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def turn(self, deadline: float) -> AsyncIterator[float]:
        """Hold a slot for the block; yield the seconds waited for it.

        Raises Overloaded when the line is full or the wait too long, ServiceUnavailable once it is closed.
        """
        if self._closed:
            raise ServiceUnavailable("The box is stopping.", STOPPING_RETRY_SECONDS)
        self._inside += 1
        self._empty.clear()
        try:
            loop = asyncio.get_running_loop()
            arrived = loop.time()
            await self._come_in(min(arrived + self._wait, deadline))
            begun = loop.time()
            try:
                yield begun - arrived
            finally:
                self._free.release()
                self._average += SMOOTHING * (loop.time() - begun - self._average)
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    async def _come_in(self, latest: float) -> None:
        if self._free.locked() and self._waiting >= self._length:
            raise Overloaded("The box has more requests waiting than it takes; try again later.", self._retry_after())
        self._waiting += 1
        try:
            async with asyncio.timeout_at(latest):
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded("The box was too busy to begin in time; try again later.", self._retry_after()) from None
        finally:
            self._waiting -= 1

    def _retry_after(self) -> int:
        return max(1, math.ceil(self._average * (self._waiting + 1) / self._slots))

    async def close(self, seconds: float) -> bool:
        """Let nobody in any more; say whether those inside were done within *seconds*."""
        self._closed = True
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
