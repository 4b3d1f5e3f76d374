"""One page during one shot, and what it may have the browser tell of it."""

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

import pytest

from allscreenshots_box.egress.policy import AllowedTarget, Scope, Target
from allscreenshots_box.errors import PageCrashed, PageTooLarge
from allscreenshots_box.render import page as page_module
from allscreenshots_box.render.blocking.engine import BlockingEngine
from allscreenshots_box.render.browsers.cdp import DROPPED, FLOODED
from allscreenshots_box.render.browsers.messages import ORDINARY, WEIGHED
from allscreenshots_box.render.browsers.tab_pool import Tab
from allscreenshots_box.render.page import MOST_FLOODS, Page
from allscreenshots_box.render.pipeline import navigation
from allscreenshots_box.render.shot import Milestone, Shot
from tests.wire import Wire

pytestmark = pytest.mark.anyio


def opened(wire: Wire, wait_until: Milestone = "load") -> Page:
    """Return a page whose browser is the test."""
    url = "http://page.test/"
    nothing: Any = None  # it goes nowhere
    tab = Tab("C", "T", wire.connection.session("P"), nothing, nothing)
    allowed_target = AllowedTarget(Target(url, "page.test", 80), (), Scope())
    return Page(tab, Shot(url=url, wait_until=wait_until), allowed_target, asyncio.get_running_loop().time() + 30)


def methods(wire: Wire) -> list[str]:
    return [asked["method"] for asked in wire.asked()]


async def test_a_page_that_floods_the_pipe_is_too_large(wire: Wire) -> None:
    page = opened(wire)
    page.session.tell(FLOODED, {})
    assert isinstance(page.gone.result(), PageTooLarge)


async def test_a_network_that_floods_the_pipe_is_listened_to_no_more(wire: Wire) -> None:
    page = opened(wire, "networkidle")
    page.activity.listen()
    page.session.tell(FLOODED, {})
    assert methods(wire) == ["Network.enable", "LayerTree.enable", "Network.disable", "LayerTree.disable"]
    assert not await page.activity.be_quiet(20)
    for _ in range(MOST_FLOODS - 1):
        page.session.tell(FLOODED, {})
    assert not page.gone.done()
    page.session.tell(FLOODED, {})
    assert isinstance(page.gone.result(), PageTooLarge)


async def test_a_page_is_listened_to_until_it_has_come_to_rest(wire: Wire) -> None:
    page = opened(wire, "networkidle")
    assert await page.activity.be_quiet(20)
    page.activity.stop()
    page.activity.stop()
    page.activity.listen()
    assert methods(wire) == ["Network.enable", "LayerTree.enable", "Network.disable", "LayerTree.disable"]


async def test_a_dialog_that_says_too_much_is_closed(wire: Wire) -> None:
    page = opened(wire)
    page.session.tell(DROPPED, {"method": "Page.javascriptDialogOpening", "size": 1 << 21, "head": ""})
    page.session.tell(DROPPED, {"method": "Page.frameNavigated", "size": 1 << 21, "head": ""})
    assert methods(wire) == ["Page.handleJavaScriptDialog"]


async def test_the_second_way_to_a_page_waits_until_the_browser_has_shown_that_the_first_was_shut(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(navigation, "SHOWN_SECONDS", 60)
    page = opened(wire)
    shut: Any = SimpleNamespace(admit=lambda *_: None, blocked=["ads.test"])
    page.tab.egress = shut
    going = asyncio.ensure_future(navigation.go(page, BlockingEngine.load()))
    first = await asked_to_go(wire)
    await wire.tell({"id": first, "sessionId": "P", "result": {"errorText": "net::ERR_TUNNEL_CONNECTION_FAILED"}})
    for _ in range(100):  # turns of the loop, enough for whoever does not wait
        await asyncio.sleep(0)
        assert methods(wire) == []
    frame = {"id": "T", "url": "chrome-error://chromewebdata/", "unreachableUrl": page.target.url}
    await wire.tell({"method": "Page.frameNavigated", "sessionId": "P", "params": {"frame": frame}})
    assert await asked_to_go(wire) > first
    going.cancel()


async def answered(wire: Wire, running: Awaitable[Any], result: dict[str, Any]) -> Any:
    """Return what a script brings back that the browser gives this *result* for."""
    task = asyncio.ensure_future(running)
    world = await number_of(wire, "Page.createIsolatedWorld")
    await wire.tell({"id": world, "sessionId": "P", "result": {"executionContextId": 1}})
    call = await number_of(wire, "Runtime.evaluate")
    await wire.tell({"id": call, "sessionId": "P", "result": result})
    async with asyncio.timeout(10):
        return await task


MOVED = {
    "method": "Page.frameNavigated",
    "sessionId": "P",
    "params": {"frame": {"id": "T", "url": "http://page.test/b"}},
}


async def test_what_a_document_leaves_unanswered_is_asked_of_the_next(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "LEFT_SECONDS", 0)
    page = opened(wire)
    running = asyncio.ensure_future(page.run("() => 0", None, int))
    world = await number_of(wire, "Page.createIsolatedWorld")
    await wire.tell({"id": world, "sessionId": "P", "result": {"executionContextId": 1}})
    lost = await number_of(wire, "Runtime.evaluate")
    await wire.tell(MOVED)
    assert await answered(wire, running, {"result": {"value": 7}}) == 7
    assert lost  # it never was


@pytest.mark.parametrize(
    ("value", "shape"),
    [("yes", bool), (None, bool), ([[]], list[bool]), ({}, int), ("x" * 1000, int), ([1, 2], bool | None)],
)
async def test_what_has_not_the_shape_that_was_asked_for_is_no_answer(wire: Wire, value: Any, shape: Any) -> None:
    with pytest.raises(PageCrashed):
        await answered(wire, opened(wire).run("() => 0", None, shape), {"result": {"value": value}})


async def test_a_script_that_nothing_was_asked_of_says_nothing(wire: Wire) -> None:
    with pytest.raises(PageCrashed):
        await answered(wire, opened(wire).run("() => 1"), {"result": {"value": 1}})


async def test_a_script_that_says_nothing_has_said_nothing(wire: Wire) -> None:
    assert await answered(wire, opened(wire).run("() => {}"), {"result": {"type": "undefined"}}) is None


@pytest.mark.parametrize("largest", [WEIGHED, ORDINARY])
async def test_an_answer_as_long_as_its_bound_is_one(wire: Wire, largest: int) -> None:
    text = "x" * (largest - 100)  # the rest is around it
    assert await answered(wire, opened(wire).run("f", None, str, largest), {"result": {"value": text}}) == text


@pytest.mark.parametrize("bound", [(), (ORDINARY,)])
async def test_an_answer_over_its_bound_is_too_large(wire: Wire, bound: tuple[int, ...]) -> None:
    result = {"result": {"value": "x" * (bound[0] if bound else WEIGHED)}}
    with pytest.raises(PageTooLarge):
        await answered(wire, opened(wire).run("f", None, str, *bound), result)


async def asked_to_go(wire: Wire) -> int:
    """Return the number of the next command to go somewhere."""
    return await number_of(wire, "Page.navigate")


async def number_of(wire: Wire, method: str) -> int:
    """Return the number of the next command of that name."""
    async with asyncio.timeout(10):
        while True:
            for asked in wire.asked():
                if asked["method"] == method:
                    return int(asked["id"])
            await asyncio.sleep(0)
