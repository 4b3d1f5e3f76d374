"""Chromium's one network process: who keeps it busy is held back, and nobody else."""

import asyncio

import pytest

from allscreenshots_box.render.carriage import Carriage
from allscreenshots_box.render.socks import Reply
from tests.test_proxy import Stage, play


@pytest.mark.parametrize(
    ("looks", "passed", "held"),
    [
        ([(7, 1.0), (7, 1.9)], (100, 10), [True, False]),
        ([(7, 1.0), (7, 1.9)], (10, 100), [False, True]),
        ([(7, 1.0), (7, 1.4)], (100, 10), [False, False]),  # it had time for more
        ([(7, 1.0), (8, 1.9)], (100, 10), [False, False]),  # another process
        ([(7, 1.0), (7, 1.9)], (100,), [False]),  # nobody else waits
    ],
)
def test_the_door_that_kept_the_process_busy_is_held(
    looks: list[tuple[int, float]], passed: tuple[int, ...], held: list[bool]
) -> None:
    async def scene(stage: Stage) -> None:
        doors = [await stage.door() for _ in passed]
        clock, using = iter([0.0, 1.0]), iter([used for _, used in looks])
        carriage = Carriage(lambda _: next(using), lambda: next(clock))
        carriage.share(looks[0][0], doors)
        for door, number in zip(doors, passed, strict=True):
            door.count(received=number)
        carriage.share(looks[1][0], doors)
        assert [door.held for door in doors] == held

    play(scene)


def test_what_passed_before_the_last_look_is_forgiven() -> None:
    async def scene(stage: Stage) -> None:
        old, new = await stage.door(), await stage.door()
        clock, using = iter([0.0, 1.0, 2.0]), iter([0.0, 0.1, 1.1])
        carriage = Carriage(lambda _: next(using), lambda: next(clock))
        carriage.share(7, [old])
        old.count(received=1000)
        carriage.share(7, [old, new])
        new.count(received=10)
        carriage.share(7, [old, new])
        assert (old.held, new.held) == (False, True)

    play(scene)


def test_a_door_that_is_held_lets_all_through_afterwards() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(bytes(3000))

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=talk)
        door = await stage.door(target)
        client, late = await stage.client(door), await stage.client(door)
        assert await client.ask(target.at) == Reply.GRANTED
        door.hold(0.2)
        await client.say("one")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.05)
        assert door.sent == 0
        assert await late.ask(target.at) == Reply.GRANTED
        assert not door.held
        assert await client.reader.readexactly(3000) == bytes(3000)

    play(scene)
