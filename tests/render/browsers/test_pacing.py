"""Chromium's one network process: who keeps it busy is slowed down, and nobody else."""

import asyncio
import math

import pytest

from allscreenshots_box.egress.session import Bounds
from allscreenshots_box.egress.socks import Reply
from allscreenshots_box.render.browsers.pacing import FASTER, PART, SLOWEST, UNBOUND, Pacing
from tests.egress.test_proxy import Stage, play

MUCH, LITTLE = 8 << 20, 1 << 10  # bytes
SLOWED = MUCH * PART  # bytes a second
FREE = math.inf


@pytest.mark.parametrize(
    ("looks", "passed", "rates"),
    [
        ([(7, 1.0), (7, 1.9)], (MUCH, LITTLE), [SLOWED, FREE]),
        ([(7, 1.0), (7, 1.9)], (LITTLE, MUCH), [FREE, SLOWED]),
        ([(7, 1.0), (7, 1.9)], (LITTLE, 0), [SLOWEST, FREE]),
        ([(7, 1.0), (7, 1.4)], (MUCH, LITTLE), [FREE, FREE]),  # it had time for more
        ([(7, 1.0), (8, 1.9)], (MUCH, LITTLE), [FREE, FREE]),  # another process
        ([(7, 1.0), (7, 1.9)], (MUCH,), [FREE]),  # nobody else waits
    ],
)
def test_the_door_that_kept_the_process_busy_is_slowed_down(
    looks: list[tuple[int, float]], passed: tuple[int, ...], rates: list[float]
) -> None:
    async def scene(stage: Stage) -> None:
        sessions = [await stage.session() for _ in passed]
        clock, using = iter([0.0, 1.0]), iter([used for _, used in looks])
        pacing = Pacing(lambda _: next(using), lambda: next(clock))
        pacing.share(looks[0][0], sessions)
        for session, number in zip(sessions, passed, strict=True):
            session.count(received=number)
        pacing.share(looks[1][0], sessions)
        assert [session.rate for session in sessions] == rates

    play(scene)


def test_what_passed_before_the_last_look_is_forgiven() -> None:
    async def scene(stage: Stage) -> None:
        old, new = await stage.session(), await stage.session()
        clock, using = iter([0.0, 1.0, 2.0]), iter([0.0, 0.1, 1.1])
        pacing = Pacing(lambda _: next(using), lambda: next(clock))
        pacing.share(7, [old])
        old.count(received=MUCH)
        pacing.share(7, [old, new])
        new.count(received=LITTLE)
        pacing.share(7, [old, new])
        assert (old.rate, new.rate) == (FREE, SLOWEST)

    play(scene)


@pytest.mark.parametrize(("rate", "then"), [(SLOWEST, SLOWEST * FASTER), (UNBOUND, FREE), (FREE, FREE)])
def test_it_goes_faster_while_there_is_time(rate: float, then: float) -> None:
    async def scene(stage: Stage) -> None:
        session, other = await stage.session(), await stage.session()
        session.rate = rate
        clock = iter([0.0, 1.0])
        pacing = Pacing(lambda _: 0.0, lambda: next(clock))
        for _ in range(2):
            session.rate = rate
            pacing.share(7, [session, other])
        assert (session.rate, other.rate) == (then, FREE)

    play(scene)


def test_a_door_that_is_slowed_down_lets_all_through_in_time() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(bytes(400_000))

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=talk)
        session = await stage.session(target, bounds=Bounds(reads=10**6))
        client = await stage.client(session)
        assert await client.ask(target.at) == Reply.GRANTED
        session.rate = 1_000_000
        begun = asyncio.get_running_loop().time()
        await client.say("one")
        assert await client.reader.readexactly(400_000) == bytes(400_000)
        assert asyncio.get_running_loop().time() - begun > 0.1  # all but the last read was waited for

    play(scene)
