"""The queue: fair between callers, bounded, honest about when to come again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from allscreenshots_box.errors import BoxError, Overloaded, OverShare, ServiceUnavailable
from allscreenshots_box.render.queue import LONGEST_RETRY_SECONDS, CaptureQueue, QueueTimes

GREEDY, MODEST, OTHER = 1, 2, 3
FAR = 1e9


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Scene:
    """A line whose turns end when the test says so; *began* has the callers in the order of their turns."""

    def __init__(self, queue: CaptureQueue) -> None:
        self.queue = queue
        self.began: list[int] = []
        self.heard: list[tuple[int, type[BoxError]]] = []
        self._ends: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, caller: int, count: int = 1, weight: int = 1) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._wait(caller, weight)) for _ in range(count)]
        self._tasks += tasks
        await settle()
        return tasks

    async def _wait(self, caller: int, weight: int) -> None:
        try:
            async with self.queue.slot(FAR, caller, weight):
                self.began.append(caller)
                self._ends.append(end := asyncio.Event())
                await end.wait()
        except BoxError as error:
            self.heard.append((caller, type(error)))

    async def end_turns(self, count: int = 1) -> None:
        for _ in range(count):
            self._ends.pop(0).set()
            await settle()

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def scene(slots: int = 1, length: int = 1000, room: Callable[[], bool] = lambda: True) -> AsyncIterator[Scene]:
    queue = CaptureQueue(slots, length, FAR, room)
    opened = Scene(queue)
    try:
        yield opened
    finally:
        await opened.leave()
        assert (queue.running, queue.waiting) == (0, 0)


def play(act: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await act()

    asyncio.run(bounded())


def test_a_key_with_500_requests_does_not_delay_anothers_one() -> None:
    async def act() -> None:
        async with scene() as here:
            await here.come(GREEDY, 500)
            await here.come(MODEST)
            await here.end_turns()
            assert here.began == [GREEDY, MODEST]

    play(act)


def test_callers_take_turns() -> None:
    async def act() -> None:
        async with scene() as here:
            await here.come(GREEDY, 10)
            await here.come(MODEST, 3)
            await here.come(OTHER, 3)
            await here.end_turns(9)
            assert sorted(here.began[1:4]) == sorted(here.began[4:7]) == [GREEDY, MODEST, OTHER]

    play(act)


def test_a_weight_of_three_is_three_turns_to_one() -> None:
    async def act() -> None:
        async with scene() as here:
            await here.come(OTHER)
            await here.come(GREEDY, 30, weight=1)
            await here.come(MODEST, 30, weight=3)
            await here.end_turns(24)
            assert here.began[1:].count(MODEST) == 18

    play(act)


def test_who_comes_back_after_each_turn_gets_no_more_than_who_waits() -> None:
    async def act() -> None:
        async with scene() as here:
            await here.come(GREEDY, 20)
            for _ in range(10):
                await here.come(MODEST)
                await here.end_turns(2)
            assert here.began.count(MODEST) == 10

    play(act)


def test_a_full_line_gives_the_place_of_the_greediest_to_who_has_less_than_its_share() -> None:
    async def act() -> None:
        async with scene(length=10) as here:
            await here.come(GREEDY, 10)
            await here.come(MODEST, 5)
            assert here.heard == [(GREEDY, OverShare)] * 4
            await here.come(MODEST)
            await here.come(GREEDY)
            assert here.heard[4:] == [(MODEST, OverShare), (GREEDY, OverShare)]
            await here.end_turns(10)
            assert here.began.count(MODEST) == 5

    play(act)


def test_a_line_that_one_caller_fills_has_places_left_for_others_who_then_take_none_away() -> None:
    async def act() -> None:
        async with scene(length=20) as here:
            await here.come(GREEDY, 30)
            assert here.heard == [(GREEDY, Overloaded)] * 11
            await here.come(MODEST)
            await here.come(OTHER)
            assert len(here.heard) == 11
            await here.come(GREEDY)
            assert here.heard[11:] == [(GREEDY, OverShare)]

    play(act)


def test_a_line_that_one_caller_fills_alone_is_overloaded() -> None:
    async def act() -> None:
        async with scene(slots=2, length=3) as here:
            await here.come(GREEDY, 6)
            assert here.heard == [(GREEDY, Overloaded)]

    play(act)


def test_who_cannot_be_served_in_time_is_told_at_once() -> None:
    async def act() -> None:
        queue = CaptureQueue(2, 1000, wait=20)
        queue._average = 4  # seconds a turn: twenty seconds are ten turns on two slots
        here = Scene(queue)
        await here.come(GREEDY, 2 + 9 + 1)  # and one of the ten places is kept for somebody else
        assert here.heard == [(GREEDY, Overloaded)]
        await here.leave()

    play(act)


def test_who_has_to_let_others_pass_is_told_how_few_can_be_served_in_time() -> None:
    async def act() -> None:
        queue = CaptureQueue(1, 1000, wait=20)
        queue._average = 1
        here = Scene(queue)
        await here.come(GREEDY, 11)
        await here.come(MODEST)
        queue._callers[GREEDY].pace = 2  # every other turn is somebody else's
        await here.come(GREEDY)
        assert here.heard == [(GREEDY, OverShare)]
        await here.come(MODEST)
        assert len(here.heard) == 1
        await here.leave()

    play(act)


@pytest.mark.parametrize(
    ("average", "waiting", "seconds"),
    [(0.01, 0, 1), (2, 0, 1), (2, 9, 10), (2, 10, 11), (1e6, 9, LONGEST_RETRY_SECONDS)],
)
def test_retry_after_is_when_all_who_wait_have_had_their_turn(average: float, waiting: int, seconds: int) -> None:
    async def act() -> None:
        async with scene(slots=2) as here:
            await here.come(GREEDY, 2 + waiting)
            here.queue._average = average
            assert here.queue.retry_after == seconds

    play(act)


def test_its_own_turns_teach_the_line_its_speed() -> None:
    async def act() -> None:
        queue = CaptureQueue(1, 10, FAR)
        for _ in range(50):
            async with queue.slot(FAR):
                pass
        assert queue._average < 0.01

    play(act)


@pytest.mark.parametrize(("wait", "within"), [(0.01, FAR), (FAR, 0.01)])
def test_the_wait_ends_with_the_first_of_its_clocks(wait: float, within: float) -> None:
    async def act() -> None:
        queue, times = CaptureQueue(1, 10, wait), QueueTimes()
        async with queue.slot(FAR):
            latest = asyncio.get_running_loop().time() + within
            with pytest.raises(Overloaded) as caught:
                async with queue.slot(latest, times=times):
                    raise AssertionError
            assert int(caught.value.headers["Retry-After"]) >= 1
            assert times.queued is not None
            assert times.queued > 0
            assert times.rendered == 0
        assert (queue.waiting, queue.running) == (0, 0)

    play(act)


def test_who_leaves_the_line_gives_up_the_place() -> None:
    async def act() -> None:
        async with scene(length=1) as here:
            await here.come(GREEDY)
            [gone] = await here.come(GREEDY)
            gone.cancel()
            await settle()
            await here.come(MODEST)
            await here.end_turns()
            assert (here.began, here.heard) == ([GREEDY, MODEST], [])

    play(act)


def test_who_leaves_in_the_moment_of_the_call_loses_no_slot() -> None:
    async def act() -> None:
        queue = CaptureQueue(1, 10, FAR)
        end = asyncio.Event()

        async def hold() -> None:
            async with queue.slot(FAR):
                await end.wait()

        first, second = asyncio.create_task(hold()), asyncio.create_task(hold())
        await settle()
        first.cancel()
        await asyncio.sleep(0)  # the slot is passed on to the second, which has yet to run
        assert queue.running == 1
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert (queue.running, queue.waiting) == (0, 0)

    play(act)


@pytest.mark.parametrize("leaving", ["by cancellation", "by failure"])
def test_a_slot_is_passed_on_once_what_its_turn_left_behind_is_put_away(leaving: str) -> None:
    async def act() -> None:
        queue = CaptureQueue(1, 10, FAR)
        closing = asyncio.get_running_loop().create_future()
        times = QueueTimes()

        async def leave() -> None:
            async with queue.slot(FAR, GREEDY, times=times) as slot:
                slot.behind.append(closing)
                if leaving == "by failure":
                    raise Overloaded("", 1)
                await asyncio.Event().wait()

        async def come() -> None:
            async with queue.slot(FAR, MODEST):
                pass

        gone = asyncio.create_task(leave())
        await settle()
        next_one = asyncio.create_task(come())
        gone.cancel()
        await settle()
        assert gone.done()  # nobody waits for the answer
        assert times.ended is not None
        assert (queue.running, queue.waiting) == (1, 1)
        closing.set_result(None)
        await next_one
        assert (queue.running, queue.waiting) == (0, 0)
        await asyncio.gather(gone, return_exceptions=True)

    play(act)


def test_without_memory_one_shot_runs_all_the_same_and_the_others_wait_for_it() -> None:
    async def act() -> None:
        plenty = False
        async with scene(slots=3, room=lambda: plenty) as here:
            await here.come(GREEDY, 3)
            assert len(here.began) == 1
            await here.end_turns()
            assert len(here.began) == 2
            plenty = True
            while len(here.began) < 3:  # noqa: ASYNC110 - nobody ends: the line itself looks again
                await asyncio.sleep(0.01)

    play(act)


def test_a_closed_line_lets_nobody_in_but_those_inside_finish() -> None:
    async def act() -> None:
        async with scene() as here:
            await here.come(GREEDY, 2)
            closing = asyncio.create_task(here.queue.close(FAR))
            await settle()
            await here.come(MODEST)
            assert here.heard == [(MODEST, ServiceUnavailable)]
            await here.end_turns(2)
            assert await closing

    play(act)


def test_callers_that_are_gone_are_forgotten() -> None:
    async def act() -> None:
        queue = CaptureQueue(1, 10, FAR)
        for caller in range(100):
            async with queue.slot(FAR, caller):
                pass
        assert len(queue._callers) < 3

    play(act)


def test_the_line_survives_a_crowd_that_comes_and_goes_at_random() -> None:
    async def act() -> None:
        queue = CaptureQueue(3, 50, FAR)

        async def visit(number: int) -> None:
            with contextlib.suppress(BoxError):
                async with queue.slot(FAR, number % 7, 1 + number % 3):
                    assert queue.running <= 3
                    for _ in range(number % 5):
                        await asyncio.sleep(0)

        tasks = [asyncio.create_task(visit(number)) for number in range(500)]
        for number in range(500):
            await asyncio.sleep(0)
            if number % 3 == 0:
                tasks[(number * 7) % 500].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (queue.running, queue.waiting, queue._inside) == (0, 0, 0)

    play(act)
