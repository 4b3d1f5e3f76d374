"""Equal requests in flight share one rendering, if they ask for that and are one caller's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from allscreenshots_box.errors import NotAPage
from allscreenshots_box.render.coalesce import Coalescer
from allscreenshots_box.render.queue import QueueTimes
from allscreenshots_box.render.shot import BrowserSession, Rendering, Shot, Storage

SHOT = Shot(url="http://site.example/", share=True)
MADE = Rendering(products=(), target_status=200, target_url="")


class CaptureResources:
    """Renders when the test says so."""

    def __init__(self) -> None:
        self.sharing = Coalescer()
        self.begun = 0
        self.given_up = 0
        self.end = asyncio.Event()
        self.failure: Exception | None = None

    async def _render(self, times: QueueTimes) -> Rendering:
        self.begun += 1
        times.arrived = times.begun = asyncio.get_running_loop().time()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            times.ended = asyncio.get_running_loop().time()
        if self.failure:
            raise self.failure
        return MADE

    def ask(self, caller: int, shot: Shot = SHOT, times: QueueTimes | None = None) -> asyncio.Task[Rendering]:
        return asyncio.create_task(self.sharing.join(caller, shot, times or QueueTimes(), self._render))


def play(act: Callable[[CaptureResources], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            kit = CaptureResources()
            await act(kit)
            await asyncio.sleep(0.01)
            assert not kit.sharing._under_way

    asyncio.run(bounded())


def test_equal_ones_are_rendered_once() -> None:
    async def act(kit: CaptureResources) -> None:
        times = QueueTimes()
        asked = [kit.ask(1), kit.ask(1), kit.ask(1, times=times)]
        await asyncio.sleep(0)
        kit.end.set()
        assert await asyncio.gather(*asked) == [MADE] * 3
        assert kit.begun == 1
        assert times.rendered is not None

    play(act)


SECRET = BrowserSession(storage=(Storage(origin="http://site.example", local={"token": "mine"}),))


@pytest.mark.parametrize(
    ("caller", "shot"),
    [
        (2, SHOT),
        (1, replace(SHOT, url="http://site.example/x")),
        (1, replace(SHOT, session=SECRET)),
    ],
)
def test_others_are_rendered_for_themselves(caller: int, shot: Shot) -> None:
    async def act(kit: CaptureResources) -> None:
        asked = [kit.ask(1), kit.ask(caller, shot)]
        await asyncio.sleep(0)
        kit.end.set()
        await asyncio.gather(*asked)
        assert kit.begun == 2

    play(act)


def test_one_that_comes_later_is_rendered_anew() -> None:
    async def act(kit: CaptureResources) -> None:
        kit.end.set()
        await kit.ask(1)
        await kit.ask(1)
        assert kit.begun == 2

    play(act)


def test_all_hear_of_a_failure() -> None:
    async def act(kit: CaptureResources) -> None:
        kit.failure = NotAPage("nothing there")
        asked = [kit.ask(1), kit.ask(1)]
        await asyncio.sleep(0)
        kit.end.set()
        assert [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)] == [NotAPage, NotAPage]

    play(act)


def test_it_goes_on_until_the_last_has_left() -> None:
    async def act(kit: CaptureResources) -> None:
        first, second = kit.ask(1), kit.ask(1)
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        assert kit.given_up == 0
        second.cancel()
        await asyncio.sleep(0.01)
        assert kit.given_up == 1

    play(act)
