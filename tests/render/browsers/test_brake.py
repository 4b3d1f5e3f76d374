"""Pages that keep the browser's own processes busy: they are stopped now and then, for as long as others wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from allscreenshots_box.render.browsers import processes
from allscreenshots_box.render.browsers.brake import HEAVY_SECONDS, LEAST, PARTS, POOLS, Brake, culprits
from allscreenshots_box.render.browsers.watch import WATCH_SECONDS
from tests.render.browsers.test_process_limits import REST, SPIN, Tree

# At work by a thread of a pool, which others need not wait for.
POOL = f"open('/proc/self/comm', 'w').write('{POOLS[0]}Foreg')\n{SPIN}"
FIRST, SECOND = (part for _, part in PARTS[:2])
SOON, LATER = (seconds for seconds, _ in PARTS[:2])


@pytest.mark.parametrize(
    ("moved", "used", "found"),
    [
        ((0.9, 0.1), (SOON, SOON), {0: FIRST}),
        ((0.1, 0.9), (SOON, LATER), {1: SECOND}),
        ((0.9, 0.1), (SOON - 0.1, SOON), {}),  # what any page takes
        ((0.9, 0.8), (SOON, SOON), {}),  # all load alike
        ((0.9, 0.8), (HEAVY_SECONDS, SOON), {0: LEAST}),
        ((0.9, 0.9), (HEAVY_SECONDS, HEAVY_SECONDS), {0: LEAST, 1: LEAST}),
        ((0.2, 0.0), (HEAVY_SECONDS, 0.0), {}),  # whoever keeps them busy, it is not this one
        ((), (), {}),
    ],
)
def test_who_is_stopped(moved: tuple[float, ...], used: tuple[float, ...], found: dict[int, float]) -> None:
    assert culprits(dict(enumerate(moved)), dict(enumerate(used)), 1.0) == found


async def looking(until: Callable[[], bool], look: Callable[[], None]) -> None:
    """Look as a browser's watch does until something holds."""
    end = time.monotonic() + 60  # on a machine that has time for it, two seconds
    while not until():
        assert time.monotonic() < end
        await asyncio.sleep(WATCH_SECONDS)
        look()


async def turns(pid: int) -> None:
    """Wait until a process was seen to be stopped, and to go on."""
    for stopped in (True, False, True):
        while (processes.state(pid) == processes.STOPPED) is not stopped:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)


def play(scene: Callable[[Brake], Awaitable[None]]) -> None:
    async def act() -> None:
        brake = Brake()
        try:
            async with asyncio.timeout(60):
                await scene(brake)
        finally:
            brake.release()

    asyncio.run(act())


def test_a_page_that_leaves_others_no_time_goes_on_now_and_then() -> None:
    with Tree(SPIN, REST, graphics=SPIN) as tree:

        async def scene(brake: Brake) -> None:
            greedy = tree.pages[0]
            await looking(lambda: greedy in brake.held, lambda: brake.look([tree.graphics], tree.pages))
            await turns(greedy)
            assert brake.held == {greedy}
            brake.look([tree.graphics], ())  # nobody else waits
            assert brake.held == set()
            assert processes.state(greedy) != processes.STOPPED

        play(scene)


def test_what_a_page_did_while_nobody_waited_is_forgiven() -> None:
    with Tree(SPIN, REST, graphics=SPIN) as tree:

        async def scene(brake: Brake) -> None:
            brake.look([tree.graphics], ())
            await looking(lambda: processes.used(tree.pages[0]) > HEAVY_SECONDS, lambda: None)
            brake.look([tree.graphics], tree.pages)
            assert brake.held == set()

        play(scene)


@pytest.mark.parametrize("graphics", [REST, POOL])
def test_a_page_that_only_works_is_not_stopped(graphics: str) -> None:
    with Tree(SPIN, REST, graphics=graphics) as tree:

        async def scene(brake: Brake) -> None:
            await looking(
                lambda: processes.used(tree.pages[0]) > HEAVY_SECONDS,
                lambda: brake.look([tree.graphics], tree.pages),
            )
            assert brake.held == set()

        play(scene)


def test_a_page_that_is_known_to_be_guilty_is_stopped_at_once() -> None:
    with Tree(REST, REST) as tree:

        async def scene(brake: Brake) -> None:
            brake.look([tree.graphics], tree.pages, {tree.pages[1], tree.zygote})
            assert brake.held == {tree.pages[1]}  # the other is no page
            await turns(tree.pages[1])

        play(scene)


def test_a_page_that_ended_is_let_go() -> None:
    with Tree(REST, REST) as tree:

        async def scene(brake: Brake) -> None:
            brake.look([], tree.pages, tree.pages)
            brake.look([], tree.pages[:1], tree.pages)
            assert brake.held == {tree.pages[0]}

        play(scene)
