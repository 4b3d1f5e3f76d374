"""The waiting line: a few slots, a bounded number of waiters, fair between callers by weight, two clocks."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..errors import Overloaded, OverShare, ServiceUnavailable

SMOOTHING = 0.2  # how much the newest turn weighs in the average that Retry-After is made of
PACE_SMOOTHING = 0.05  # the same for the time between two turns of one caller, which come in bursts
STOPPING_RETRY_SECONDS = 5  # a restart takes about this long
LONGEST_RETRY_SECONDS = 3600
SPARE = 10  # one place in so many is kept for callers that have few
LOOK_AGAIN_SECONDS = 0.1  # for memory that somebody else gives back
NOBODY = 0  # the caller of work that no key asked for

Turn = asyncio.Future[None]


@dataclass
class Clocks:
    """When a request came to the line, got its turn, and was done; on the event loop's clock."""

    arrived: float | None = None
    begun: float | None = None
    ended: float | None = None

    @property
    def queued(self) -> float | None:
        """Seconds it waited; None if it never came to the line."""
        end = self.begun if self.begun is not None else self.ended
        return None if self.arrived is None or end is None else max(0.0, end - self.arrived)

    @property
    def rendered(self) -> float | None:
        """Seconds its turn took, 0 if it got none; None if it never came to the line."""
        if self.arrived is None or self.ended is None:
            return None
        return 0.0 if self.begun is None else max(0.0, self.ended - max(self.begun, self.arrived))


@dataclass
class _Caller:
    """Whose requests wait, first come first served among themselves."""

    due: float  # when the next turn is, on a clock that goes on by 1/weight with each
    weight: int = 1
    pace: float = 0  # seconds between two turns while more wait; 0 if none do
    last: float = 0  # when the last one began
    waiting: deque[Turn] = field(default_factory=deque)


class Line:
    """Gives out *slots* turns at a time, as long as there is *room*; at most *length* wait, each *wait* seconds."""

    def __init__(self, slots: int, length: int, wait: float, room: Callable[[], bool] = lambda: True) -> None:
        self._slots = slots
        self._length = length
        self._wait = wait
        self._room = room
        self._callers: dict[int, _Caller] = {}
        self._clock = 0.0  # that of the turns: who has had fewer for their weight is due before
        self._average = 1.0  # seconds a turn takes
        self._inside = 0
        self._looking: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()
        self.waiting = 0
        self.running = 0

    @property
    def closed(self) -> bool:
        """Whether nobody is let in any more."""
        return self._closed

    @property
    def standing(self) -> tuple[int, int, int]:
        """How many slots there are, how many are taken, and how many callers wait."""
        return self._slots, self.running, self.waiting

    @asynccontextmanager
    async def turn(
        self, deadline: float, caller: int = NOBODY, weight: int = 1, clocks: Clocks | None = None
    ) -> AsyncIterator[float]:
        """Hold a slot for the block; yield the seconds waited for it.

        Raises Overloaded when the line is full or the wait too long, OverShare when it is full and this
        caller has its share of it, ServiceUnavailable once it is closed.
        """
        clocks = clocks or Clocks()
        loop = asyncio.get_running_loop()
        clocks.arrived = arrived = loop.time()
        self._enter()
        try:
            await self._come_in(caller, weight, min(arrived + self._wait, deadline))
            clocks.begun = begun = loop.time()
            try:
                yield begun - arrived
            finally:
                self._average += SMOOTHING * (loop.time() - begun - self._average)
                self.running -= 1
                self._call()
        finally:
            clocks.ended = loop.time()
            self._leave()

    def _enter(self) -> None:
        if self._closed:
            raise ServiceUnavailable("The box is stopping.", STOPPING_RETRY_SECONDS)
        self._inside += 1
        self._empty.clear()

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            self._callers.clear()  # where nobody contends, nobody is owed a turn
            self._empty.set()

    async def _come_in(self, name: int, weight: int, latest: float) -> None:
        if not self.waiting and self._is_free():
            self._begin(self._callers.setdefault(name, _Caller(self._clock)), weight)
            return
        self._make_place(name, weight)
        turn: Turn = asyncio.get_running_loop().create_future()
        caller = self._callers.setdefault(name, _Caller(self._clock))
        caller.weight = weight
        caller.waiting.append(turn)
        self.waiting += 1
        try:
            self._call()
            async with asyncio.timeout_at(latest):
                await turn
        except BaseException as error:
            self._give_up(caller, turn)
            if isinstance(error, TimeoutError):
                raise Overloaded("The box was too busy to begin in time; try again later.", self.retry_after) from None
            raise

    def _give_up(self, caller: _Caller, turn: Turn) -> None:
        if turn in caller.waiting:
            caller.waiting.remove(turn)
            self.waiting -= 1
        elif turn.done() and not turn.cancelled() and turn.exception() is None:  # it was called, and left as it was
            self.running -= 1
        self._call()

    # --- who is next --------------------------------------------------------------------------

    def _is_free(self) -> bool:
        """Say whether one more may begin; one always may, or nothing would ever be given back."""
        return self.running < self._slots and (not self.running or self._room())

    def _call(self) -> None:
        """Give free slots to those whose turn it is."""
        while self.waiting and self._is_free():
            caller = min((one for one in self._callers.values() if one.waiting), key=lambda one: one.due)
            turn = caller.waiting.popleft()
            self.waiting -= 1
            if not turn.done():
                self._begin(caller, caller.weight)
                turn.set_result(None)
        if self.waiting and self.running < self._slots and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._looking = None
        self._call()

    def _begin(self, caller: _Caller, weight: int) -> None:
        self.running += 1
        self._clock = max(self._clock, caller.due)
        caller.due = self._clock + 1 / weight
        now = asyncio.get_running_loop().time()
        if not caller.waiting:
            caller.pace = 0
        elif not caller.pace:
            caller.pace = self._average / self.running
        else:
            caller.pace += PACE_SMOOTHING * (now - caller.last - caller.pace)
        caller.last = now
        # Who neither waits nor has had more than others is as good as new.
        self._callers = {name: one for name, one in self._callers.items() if one.waiting or one.due > self._clock}

    # --- how many may wait --------------------------------------------------------------------

    def _places(self) -> int:
        """Return how many may wait: no more than the line, at the speed it has, can call in time."""
        lanes = max(1, self.running)  # fewer than slots while memory is short
        return min(self._length, max(lanes, int(self._wait * lanes / max(self._average, 0.001))))

    def _make_place(self, name: int, weight: int) -> None:
        """See that there is a place for one more of this caller, and if need be take one from who has too many."""
        own = self._callers.get(name)
        if own is not None and own.pace * (len(own.waiting) + 1) > self._wait and len(self._callers) > 1:
            raise self._over_share()  # the others' turns are between its own, and it could not be served in time
        places = self._places()
        others = [one for key, one in self._callers.items() if one.waiting and key != name]
        wanted, weights = 1 + len(own.waiting if own is not None else ()), weight + sum(one.weight for one in others)
        # Who would have too many if one more caller came leaves the last places free: who comes need not take one away.
        is_modest = wanted <= max(1.0, places * weight / (weights + 1))
        if self.waiting < (places if is_modest else places - places // SPARE):
            return
        if not others:
            raise Overloaded("The box has more requests waiting than it can serve in time.", self.retry_after)
        share = places / weights  # to a weight of one
        if wanted > max(1.0, share * weight):
            raise self._over_share()
        greedy = max(others, key=lambda one: len(one.waiting) / one.weight)
        if len(greedy.waiting) <= max(1.0, share * greedy.weight):
            raise Overloaded("The box has more requests waiting than it can serve in time.", self.retry_after)
        last = greedy.waiting.pop()
        self.waiting -= 1
        if not last.done():
            last.set_exception(self._over_share())

    def _over_share(self) -> OverShare:
        return OverShare("This key has its share of the waiting line, and others wait too.", self.retry_after)

    @property
    def retry_after(self) -> int:
        """Seconds after which all who wait now have had their turn, at the speed that the line has."""
        lanes = max(1, self.running if self.waiting else self._slots)
        return min(LONGEST_RETRY_SECONDS, max(1, math.ceil(self._average * (self.waiting + 1) / lanes)))

    async def close(self, seconds: float) -> bool:
        """Let nobody in any more; say whether those inside were done within *seconds*."""
        self._closed = True
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
