"""The queue: a few slots, a bounded number of waiters, fair between callers by time and weight, two clocks."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from ..errors import Overloaded, OverShare, ServiceUnavailable

SMOOTHING = 0.2  # how much the newest turn weighs in the average that Retry-After is made of
PACE_SMOOTHING = 0.05  # the same for the time between two turns of one caller, which come in bursts
STOPPING_RETRY_SECONDS = 5  # a restart takes about this long
LONGEST_RETRY_SECONDS = 3600
SPARE = 10  # one place in so many is kept for callers that have few
LOOK_AGAIN_SECONDS = 0.1  # for memory that somebody else gives back
NOBODY = 0  # the caller of work that no key asked for
LEAST_CHARGE = 0.1  # seconds that every turn is charged for: what it costs beside its page
LEAST_REST = 1.0  # seconds; for less a slot is not given back, and one page more opened
LEAST_RESTING = 2  # turns that may rest at the same time, however few slots there are: one, and one of somebody else
OTHERS_SECONDS = 10.0  # after another asked, one slot of several is kept free of the caller that has the rest of them


@dataclass
class QueueTimes:
    """When a request came to the queue, got its turn, and was done; on the event loop's clock."""

    arrived: float | None = None
    begun: float | None = None
    ended: float | None = None

    @property
    def queued(self) -> float | None:
        """Seconds it waited; None if it never came to the queue."""
        end = self.begun if self.begun is not None else self.ended
        return None if self.arrived is None or end is None else max(0.0, end - self.arrived)

    @property
    def rendered(self) -> float | None:
        """Seconds its turn took, 0 if it got none; None if it never came to the queue."""
        if self.arrived is None or self.ended is None:
            return None
        return 0.0 if self.begun is None else max(0.0, self.ended - max(self.begun, self.arrived))


@dataclass(eq=False)
class Slot:
    """One request's: it waits to be called, has a slot, and gives that back while it rests."""

    caller: "_Caller"
    rest: float  # seconds that it is going to rest in all
    call: asyncio.Future[None]
    waited: float = 0  # seconds
    estimate: float = 0  # seconds of a slot that it is thought to take
    used: float = 0  # seconds that it has had a slot, without the one that it has now
    since: float | None = None  # when it got that one; None while it waits or rests
    behind: list[asyncio.Future[None]] = field(default_factory=list)  # what has to be put away after it

    def had(self, now: float) -> float:
        """Return the seconds of a slot that it has had."""
        return self.used if self.since is None else self.used + now - self.since


@dataclass
class _Caller:
    """Whose requests wait, first come first served among themselves."""

    name: int
    due: float  # when the next turn is, on a clock of seconds of a slot by weight; without the turns under way
    average: float  # seconds of a slot that a turn takes
    weight: int = 1
    pace: float = 0  # seconds between two turns while more wait; 0 if none do
    last: float = 0  # when the last one began
    waiting: deque[Slot] = field(default_factory=deque)
    under_way: set[Slot] = field(default_factory=set)

    def comes(self, now: float) -> float:
        """Return when the next turn is, charged for those under way: what they are thought to take, or take already."""
        return self.due + sum(max(slot.estimate, slot.had(now)) for slot in self.under_way) / self.weight

    @property
    def slots(self) -> int:
        """How many slots it has."""
        return sum(slot.since is not None for slot in self.under_way)

    @property
    def resting(self) -> int:
        """How many of its turns under way rest, or will or did."""
        return sum(slot.rest > 0 for slot in self.under_way)


class CaptureQueue:
    """Gives out *slots* turns at a time, as long as there is *room*; at most *length* wait, each *wait* seconds."""

    def __init__(self, slots: int, length: int, wait: float, room: Callable[[], bool] = lambda: True) -> None:
        self._slots = slots
        self._length = length
        self._wait = wait
        self._room = room
        self._callers: dict[int, _Caller] = {}
        self._clock = 0.0  # that of the turns: who has had less time for their weight is due before
        self._average = 1.0  # seconds of a slot that a turn takes
        self._most_resting = max(LEAST_RESTING, slots)
        self._asked = (NOBODY, -math.inf)  # who asked last, and when
        self._asked_before = -math.inf  # when somebody else did
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
    async def slot(
        self,
        deadline: float,
        caller: int = NOBODY,
        weight: int = 1,
        times: QueueTimes | None = None,
        rest: float = 0,
    ) -> AsyncIterator[Slot]:
        """Hold a slot for the block, but while it is `aside`, which it will be for *rest* seconds.

        Raises Overloaded when the queue is full or the wait too long, OverShare when it is full and this
        caller has its share of it, ServiceUnavailable once it is closed.
        """
        times = times or QueueTimes()
        loop = asyncio.get_running_loop()
        times.arrived = arrived = loop.time()
        self._enter()
        try:
            self._note_asked(caller, arrived)
            slot = await self._come_in(caller, weight, rest, min(arrived + self._wait, deadline))
            times.begun = begun = loop.time()
            slot.waited = begun - arrived
            try:
                yield slot
            finally:
                self._give_back(slot)
        finally:
            times.ended = loop.time()
            self._leave()

    @contextmanager
    def aside(self, slot: Slot) -> Iterator[None]:
        """Give the slot of *turn* back for the block, if it said that it would rest.

        It goes on at once afterwards, for its own clocks run: until others end, more slots are taken than there are.
        """
        if not slot.rest:
            yield
            return
        loop = asyncio.get_running_loop()
        slot.used, slot.since = slot.had(loop.time()), None
        self.running -= 1
        self._call()
        try:
            yield
        finally:
            slot.since = loop.time()
            self.running += 1

    def _enter(self) -> None:
        if self._closed:
            raise ServiceUnavailable("The box is stopping.", STOPPING_RETRY_SECONDS)
        self._inside += 1
        self._empty.clear()

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            if not self.running:
                self._callers.clear()  # where nobody contends, nobody is owed a turn
            self._empty.set()

    async def _come_in(self, name: int, weight: int, rest: float, latest: float) -> Slot:
        loop = asyncio.get_running_loop()
        self._call()  # who waits is first, as soon as it may
        caller = self._callers.get(name) or _Caller(name, self._clock, self._average)
        if not caller.waiting:  # what it might have had before, and did not ask for, is not owed to it
            caller.due += max(0.0, self._clock - caller.comes(loop.time()))
        slot = Slot(caller, rest, loop.create_future())
        if not caller.waiting and self._may(caller, slot, loop.time()) and self._has_room():
            caller.weight = weight
            self._begin(slot)
            return slot
        self._make_place(name, weight)
        caller = slot.caller = self._callers.setdefault(name, caller)
        caller.weight = weight
        caller.waiting.append(slot)
        self.waiting += 1
        try:
            self._call()
            async with asyncio.timeout_at(latest):
                await slot.call
        except BaseException as error:
            self._give_up(slot)
            if isinstance(error, TimeoutError):
                raise Overloaded("The box was too busy to begin in time; try again later.", self.retry_after) from None
            raise
        return slot

    def _give_up(self, slot: Slot) -> None:
        if slot in slot.caller.waiting:
            slot.caller.waiting.remove(slot)
            self.waiting -= 1
        elif slot in slot.caller.under_way:  # it was called, and left as it was
            self._end(slot)
        self._call()

    def _note_asked(self, name: int, now: float) -> None:
        who, when = self._asked
        if who != name:
            self._asked_before = when
        self._asked = name, now

    def _give_back(self, slot: Slot) -> None:
        """End a turn once what it left behind is put away: who comes and goes pays for that, and not who is next."""
        for work in slot.behind:
            if not work.done():
                work.add_done_callback(lambda _: self._give_back(slot))
                return
        self._learn(slot)
        self._end(slot)

    def _learn(self, slot: Slot) -> None:
        took = slot.had(asyncio.get_running_loop().time())
        self._average += SMOOTHING * (took - self._average)
        slot.caller.average += SMOOTHING * (took - slot.caller.average)

    # --- who is next --------------------------------------------------------------------------

    def _has_room(self) -> bool:
        """Say whether memory has room for one more; one always may begin, or nothing would ever be given back."""
        return not any(one.under_way for one in self._callers.values()) or self._room()

    def _may(self, caller: _Caller, slot: Slot, now: float) -> bool:
        """Say whether there is a slot for *turn*, and that *caller* leaves one to others who asked of late."""
        if self.running >= self._slots:
            return False
        if slot.rest and sum(one.resting for one in self._callers.values()) >= self._most_resting:
            return False
        who, when = self._asked
        if now - (self._asked_before if who == caller.name else when) > OTHERS_SECONDS:
            return True
        leaves_slot = self._slots == 1 or caller.slots + 1 < self._slots
        return leaves_slot and not (slot.rest and caller.resting + 1 >= self._most_resting)

    def _call(self) -> None:
        """Give free slots to those whose turn it is."""
        while (caller := self._next()) is not None:
            slot = caller.waiting.popleft()
            self.waiting -= 1
            if not slot.call.done():
                self._begin(slot)
                slot.call.set_result(None)
        if self.waiting and self.running < self._slots and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_AGAIN_SECONDS, self._look_again)

    def _next(self) -> _Caller | None:
        if not self.waiting or self.running >= self._slots:
            return None
        now = asyncio.get_running_loop().time()
        ready = [one for one in self._callers.values() if one.waiting and self._may(one, one.waiting[0], now)]
        return min(ready, key=lambda one: one.comes(now)) if ready and self._has_room() else None

    def _look_again(self) -> None:
        self._looking = None
        self._call()

    def _begin(self, slot: Slot) -> None:
        caller, now = slot.caller, asyncio.get_running_loop().time()
        self._callers[caller.name] = caller
        self._clock = max(self._clock, caller.comes(now))
        slot.estimate, slot.since = max(LEAST_CHARGE, caller.average), now
        caller.under_way.add(slot)
        self.running += 1
        if not caller.waiting:
            caller.pace = 0
        elif not caller.pace:
            caller.pace = self._average / self.running
        else:
            caller.pace += PACE_SMOOTHING * (now - caller.last - caller.pace)
        caller.last = now

    def _end(self, slot: Slot) -> None:
        """Charge for what *turn* took in the end, and give its slot to the next."""
        caller = slot.caller
        caller.under_way.discard(slot)
        caller.due += max(LEAST_CHARGE, slot.had(asyncio.get_running_loop().time())) / caller.weight
        self.running -= slot.since is not None
        # Who is neither here nor has had more than others is as good as new.
        self._callers = {
            name: one for name, one in self._callers.items() if one.waiting or one.under_way or one.due > self._clock
        }
        self._call()

    # --- how many may wait --------------------------------------------------------------------

    def _places(self) -> int:
        """Return how many may wait: no more than the queue, at the speed it has, can call in time."""
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
        if not last.call.done():
            last.call.set_exception(self._over_share())

    def _over_share(self) -> OverShare:
        return OverShare("This key has its share of the queue, and others wait too.", self.retry_after)

    @property
    def retry_after(self) -> int:
        """Seconds after which all who wait now have had their turn, at the speed that the queue has."""
        lanes = max(1, self.running if self.waiting else self._slots)
        rests = sum(slot.rest for one in self._callers.values() for slot in one.waiting) / self._most_resting
        seconds = max(rests, self._average * (self.waiting + 1) / lanes)
        return min(LONGEST_RETRY_SECONDS, max(1, math.ceil(seconds)))

    async def close(self, seconds: float) -> bool:
        """Let nobody in any more; say whether those inside were done within *seconds*."""
        self._closed = True
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
