"""The queue over hours that pass in a moment: its turns are fair by the seconds that they take."""

import asyncio
import itertools
import selectors
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allscreenshots_box.errors import BoxError
from allscreenshots_box.render.queue import LEAST_RESTING, OTHERS_SECONDS, CaptureQueue

SLOW, PLAIN, OTHER = 1, 2, 3
FAR = 1e9
PICTURE = 0.2  # seconds


class Hourglass(asyncio.SelectorEventLoop):
    """A loop whose clock goes on by itself to whatever comes next."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Turned(self))

    def time(self) -> float:
        return self.now


class _Turned(selectors.DefaultSelector):
    def __init__(self, glass: Hourglass) -> None:
        super().__init__()
        self.glass = glass

    def select(self, timeout: float | None = None) -> Any:
        self.glass.now += timeout or 0
        return super().select(0)


def play(act: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=Hourglass) as runner:
        runner.run(act())  # type: ignore[arg-type]


class Scene:
    """A line, and what became of those who asked it."""

    def __init__(self, slots: int, wait: float = 20) -> None:
        self.queue = CaptureQueue(slots, 100, wait)
        self.made: Counter[int] = Counter()
        self.seconds: defaultdict[int, float] = defaultdict(float)  # of a slot
        self.failed: Counter[int] = Counter()
        self.longest: defaultdict[int, float] = defaultdict(float)  # that one has waited
        self.most_open: Counter[int] = Counter()

    async def ask(self, caller: int, seconds: float, rest: float = 0, weight: int = 1) -> None:
        """Ask once for a picture that takes so many *seconds* of a slot, and as much *rest* between."""
        try:
            async with self.queue.slot(FAR, caller, weight, rest=rest) as slot:
                self.longest[caller] = max(self.longest[caller], slot.waited)
                self.most_open[caller] = max(self.most_open[caller], len(slot.caller.under_way))
                await asyncio.sleep(seconds / 2)
                with self.queue.aside(slot):
                    await asyncio.sleep(rest)
                await asyncio.sleep(seconds / 2)
            self.made[caller] += 1
            self.seconds[caller] += seconds
        except BoxError:
            self.failed[caller] += 1
            await asyncio.sleep(1)

    async def crowd(self, caller: int, number: int, seconds: float, rest: float = 0, weight: int = 1) -> None:
        """Have so many clients ask again and again."""

        async def go_on() -> None:
            while True:
                await self.ask(caller, seconds, rest, weight)

        async with asyncio.TaskGroup() as group:
            for _ in range(number):
                group.create_task(go_on())

    async def watch(self, seconds: float, *crowds: Awaitable[None]) -> None:
        """Let the *crowds* ask for so long, then send them home."""
        going = asyncio.gather(*crowds)
        await asyncio.sleep(seconds)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)


@pytest.mark.parametrize("slots", [1, 3, 5])  # of two slots neither key may have both
def test_pages_that_rest_take_nothing_from_plain_pictures(slots: int) -> None:
    async def act() -> None:
        alone, beside = Scene(slots), Scene(slots)
        await alone.watch(40, alone.crowd(PLAIN, 2, PICTURE))
        await beside.watch(40, beside.crowd(SLOW, 6, PICTURE, rest=30), beside.crowd(PLAIN, 2, PICTURE))
        assert beside.made[PLAIN] > 0.9 * alone.made[PLAIN]
        assert not beside.failed[PLAIN]
        assert beside.made[SLOW]

    play(act)


@pytest.mark.parametrize("slots", [1, 3])
def test_six_keys_whose_pages_rest_take_nothing_either(slots: int) -> None:
    async def act() -> None:
        alone, beside = Scene(slots), Scene(slots)
        await alone.watch(40, alone.crowd(PLAIN, 2, PICTURE))
        slow = [beside.crowd(10 + number, 1, PICTURE, rest=30) for number in range(6)]
        await beside.watch(40, *slow, beside.crowd(PLAIN, 2, PICTURE))
        assert beside.made[PLAIN] > 0.9 * alone.made[PLAIN]
        assert not beside.failed[PLAIN]

    play(act)


@pytest.mark.parametrize("slots", [2, 3, 5])
def test_a_key_with_slow_pages_leaves_a_slot_to_others_who_asked_of_late(slots: int) -> None:
    async def act() -> None:
        here = Scene(slots)
        await here.ask(PLAIN, PICTURE)
        await here.watch(120, here.crowd(SLOW, 6, 30), here.crowd(PLAIN, 1, PICTURE))
        assert here.most_open[SLOW] == slots - 1
        assert here.longest[PLAIN] == 0

    play(act)


def test_a_key_alone_has_all_slots_as_soon_as_others_asked_long_ago() -> None:
    async def act() -> None:
        here = Scene(3)
        loop = asyncio.get_running_loop()
        await here.ask(PLAIN, 0)
        asked = loop.time()
        slow = [asyncio.create_task(here.ask(SLOW, 300)) for _ in range(6)]
        await asyncio.sleep(OTHERS_SECONDS / 2)
        assert here.queue.running == 2
        while here.queue.running < 3:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        assert OTHERS_SECONDS <= loop.time() - asked < OTHERS_SECONDS + 1
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    play(act)


@pytest.mark.parametrize(("slots", "weight"), [(1, 1), (2, 1), (3, 1), (3, 3)])
def test_who_contends_has_as_many_seconds_as_its_weight_and_not_as_many_turns(slots: int, weight: int) -> None:
    async def act() -> None:
        here = Scene(slots, wait=300)
        slow = here.crowd(SLOW, 6, 5)
        await here.watch(1000, slow, here.crowd(OTHER, 6, 5), here.crowd(PLAIN, 6, 0.5, weight=weight))
        assert here.seconds[PLAIN] / here.seconds[SLOW] == pytest.approx(weight, rel=0.2)
        assert here.seconds[OTHER] / here.seconds[SLOW] == pytest.approx(1, rel=0.2)
        assert not here.failed

    play(act)


def test_nobody_starves_beside_a_crowd_of_plain_pictures() -> None:
    async def act() -> None:
        here = Scene(1, wait=300)
        await here.watch(1200, here.crowd(SLOW, 2, 30), here.crowd(PLAIN, 8, PICTURE))
        assert here.made[SLOW] > 15
        assert here.longest[SLOW] < 100

    play(act)


def test_what_a_turn_takes_is_charged_while_it_runs() -> None:
    async def act() -> None:
        here = Scene(2)
        long = asyncio.create_task(here.ask(SLOW, 100))
        held = asyncio.create_task(here.ask(OTHER, 50))
        await asyncio.sleep(40)
        waiting = [asyncio.create_task(here.ask(caller, 2)) for caller in (SLOW, PLAIN, PLAIN, PLAIN)]
        await held
        await asyncio.sleep(7)
        assert here.made == {OTHER: 1, PLAIN: 3}
        await asyncio.gather(long, *waiting)

    play(act)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_no_slot_is_idle_while_anybody_waits_who_may_have_it(slots: int) -> None:
    async def act() -> None:
        here = Scene(slots, wait=1000)
        await here.watch(200, here.crowd(SLOW, 5, 7), here.crowd(PLAIN, 5, PICTURE), here.crowd(OTHER, 5, 1))
        assert sum(here.seconds.values()) > 0.95 * 200 * slots
        assert (here.queue.running, here.queue.waiting) == (0, 0)

    play(act)


def test_as_many_rest_as_there_are_slots_and_one_key_leaves_one_of_those_places_too() -> None:
    async def act() -> None:
        for slots, together in itertools.product((1, 3), (False, True)):
            here = Scene(slots)
            crowds = [here.crowd(SLOW, 6, PICTURE, rest=30)]
            if together:
                crowds.append(here.crowd(PLAIN, 1, PICTURE))
                await here.ask(PLAIN, PICTURE)
            await here.watch(20, *crowds)
            assert here.most_open[SLOW] == max(LEAST_RESTING, slots) - together

    play(act)


def test_who_comes_back_from_a_rest_waits_for_nobody() -> None:
    async def act() -> None:
        here = Scene(1)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        rests = asyncio.create_task(here.ask(SLOW, 2, rest=10))
        await asyncio.sleep(5)
        long = asyncio.create_task(here.ask(PLAIN, 100))
        await rests
        assert loop.time() - begun == pytest.approx(12)
        assert here.queue.running == 1
        late = asyncio.create_task(here.ask(OTHER, 0))
        await asyncio.sleep(1)
        assert here.queue.waiting == 1
        late.cancel()
        await long

    play(act)


def test_retry_after_tells_the_rests_of_those_who_wait() -> None:
    async def act() -> None:
        here = Scene(1, wait=FAR)
        asking = [asyncio.create_task(here.ask(SLOW, 1, rest=30)) for _ in range(8)]
        await asyncio.sleep(2)
        assert here.queue.standing == (1, 0, 6)
        assert here.queue.retry_after == 90
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    play(act)


def test_who_only_rested_meanwhile_is_owed_nothing_for_it() -> None:
    async def act() -> None:
        here = Scene(1)
        rests = asyncio.create_task(here.ask(OTHER, PICTURE, rest=300))
        plain = asyncio.create_task(here.crowd(PLAIN, 2, PICTURE))
        await asyncio.sleep(200)
        before = here.made[PLAIN]
        await here.watch(20, here.crowd(OTHER, 2, PICTURE))
        assert here.made[PLAIN] - before > 40
        for one in (rests, plain):
            one.cancel()
        await asyncio.gather(rests, plain, return_exceptions=True)

    play(act)
