"""Equal requests in flight share one rendering, if they ask for that and are one caller's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from allscreenshots_box.errors import NotAPage
from allscreenshots_box.render.coalesce import Sharing
from allscreenshots_box.render.queue import Clocks
from allscreenshots_box.render.shot import Rendering, Session, Shot, Storage

SHOT = Shot(url="http://site.example/", share=True)
MADE = Rendering(products=(), target_status=200, target_url="")


class Studio:
    """Renders when the test says so."""

    def __init__(self) -> None:
        self.sharing = Sharing()
        self.begun = 0
        self.given_up = 0
        self.end = asyncio.Event()
        self.failure: Exception | None = None

    async def _render(self, clocks: Clocks) -> Rendering:
        self.begun += 1
        clocks.arrived = clocks.begun = asyncio.get_running_loop().time()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            clocks.ended = asyncio.get_running_loop().time()
        if self.failure:
            raise self.failure
        return MADE

    def ask(self, caller: int, shot: Shot = SHOT, clocks: Clocks | None = None) -> asyncio.Task[Rendering]:
        return asyncio.create_task(self.sharing.join(caller, shot, clocks or Clocks(), self._render))


def play(act: Callable[[Studio], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            studio = Studio()
            await act(studio)
            await asyncio.sleep(0.01)
            assert not studio.sharing._under_way

    asyncio.run(bounded())


def test_equal_ones_are_rendered_once() -> None:
    async def act(studio: Studio) -> None:
        clocks = Clocks()
        asked = [studio.ask(1), studio.ask(1), studio.ask(1, clocks=clocks)]
        await asyncio.sleep(0)
        studio.end.set()
        assert await asyncio.gather(*asked) == [MADE] * 3
        assert studio.begun == 1
        assert clocks.rendered is not None

    play(act)


SECRET = Session(storage=(Storage(origin="http://site.example", local={"token": "mine"}),))


@pytest.mark.parametrize(
    ("caller", "shot"),
    [
        (2, SHOT),
        (1, replace(SHOT, url="http://site.example/x")),
        (1, replace(SHOT, session=SECRET)),
    ],
)
def test_others_are_rendered_for_themselves(caller: int, shot: Shot) -> None:
    async def act(studio: Studio) -> None:
        asked = [studio.ask(1), studio.ask(caller, shot)]
        await asyncio.sleep(0)
        studio.end.set()
        await asyncio.gather(*asked)
        assert studio.begun == 2

    play(act)


def test_one_that_comes_later_is_rendered_anew() -> None:
    async def act(studio: Studio) -> None:
        studio.end.set()
        await studio.ask(1)
        await studio.ask(1)
        assert studio.begun == 2

    play(act)


def test_all_hear_of_a_failure() -> None:
    async def act(studio: Studio) -> None:
        studio.failure = NotAPage("nothing there")
        asked = [studio.ask(1), studio.ask(1)]
        await asyncio.sleep(0)
        studio.end.set()
        assert [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)] == [NotAPage, NotAPage]

    play(act)


def test_it_goes_on_until_the_last_has_left() -> None:
    async def act(studio: Studio) -> None:
        first, second = studio.ask(1), studio.ask(1)
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        assert studio.given_up == 0
        second.cancel()
        await asyncio.sleep(0.01)
        assert studio.given_up == 1

    play(act)
