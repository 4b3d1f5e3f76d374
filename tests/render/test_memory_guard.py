"""Admission by memory: against what a shot took lately, and what has begun but cannot be seen yet."""

from allscreenshots_box.render.memory_guard import HEADROOM, LEAST, UNSEEN_SECONDS, MemoryGuard
from allscreenshots_box.resources import MIB, Memory


class World:
    """A machine with so much memory, at such a time."""

    def __init__(self, available: int) -> None:
        self.available, self.time = available, 0.0
        self.memory = MemoryGuard(lambda: Memory(1 << 40, self.available), lambda: self.time)


def test_a_shot_is_admitted_while_its_peak_fits() -> None:
    world = World(HEADROOM + 200 * MIB)
    world.memory.note(201 * MIB)
    assert not world.memory.admits()
    world.available += MIB
    assert world.memory.admits()


def test_a_little_is_kept_for_a_shot_however_small_they_were() -> None:
    world = World(HEADROOM + LEAST - 1)
    world.memory.note(1)
    assert not world.memory.admits()


def test_those_that_have_just_begun_count_until_they_are_seen() -> None:
    world = World(HEADROOM + 2 * LEAST)
    assert [world.memory.admits() for _ in range(3)] == [True, True, False]
    world.time += UNSEEN_SECONDS + 0.1
    assert world.memory.admits()


def test_a_peak_is_forgotten_with_time() -> None:
    world = World(HEADROOM + 2 * LEAST)
    world.memory.note(10_000 * MIB)
    assert not world.memory.admits()
    for _ in range(1000):
        world.memory.note(0)
    assert world.memory.admits()


def test_memory_that_cannot_be_seen_lets_nobody_begin_beside_others() -> None:
    def blind() -> Memory:
        raise OSError

    assert not MemoryGuard(blind, lambda: 0.0).admits()
