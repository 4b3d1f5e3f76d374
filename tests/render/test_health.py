"""What the box says of its browser, and that a sick one is replaced before anybody hears of it."""

import asyncio
import errno
import os
import signal
import socket
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from allscreenshots_box import hosts
from allscreenshots_box.config import Settings
from allscreenshots_box.egress import policy
from allscreenshots_box.errors import DeadlinePassed, PageEnded, ServiceUnavailable
from allscreenshots_box.process.health_cache import Health
from allscreenshots_box.render.browsers import orphans, processes
from allscreenshots_box.render.browsers.cdp import ProtocolError
from allscreenshots_box.render.browsers.process_limits import Killed
from allscreenshots_box.render.browsers.supervisor import Browser
from allscreenshots_box.render.browsers.tab_pool import BrowserGone, PagesBlamed, Tab
from allscreenshots_box.render.circuit_breaker import CircuitBreaker
from allscreenshots_box.render.queue import NOBODY
from allscreenshots_box.render.renderer import Equipment, Renderer, _Work, running
from allscreenshots_box.render.shot import Shot

pytestmark = pytest.mark.rough


@pytest.mark.browser
def test_a_stopped_browser_is_replaced_before_it_is_unhealthy(tmp_path: Path) -> None:
    async def lives_through(renderer: Renderer) -> None:
        assert await renderer.health() == Health(ok=True)
        browser = renderer._browser
        before = browser._process
        assert before is not None
        os.kill(before.chromium.pid, signal.SIGSTOP)
        async with asyncio.timeout(10):
            while browser._process is before or not browser.is_proven_since(1):  # noqa: ASYNC110 - a condition, not a time
                await asyncio.sleep(0.05)
        assert await renderer.health() == Health(ok=True)
        assert await renderer.drain(1)
        assert await renderer.health() == Health(ok=False, reason="draining")

    play(lives_through, tmp_path)


def play(scene: Callable[[Renderer], Awaitable[None]], tmp_path: Path) -> None:
    async def whole() -> None:
        equipment = Equipment(slots=1, sandbox=os.geteuid() != 0)
        async with running(equipment, policy.policy_of(Settings(data_dir=tmp_path))) as renderer:
            await scene(renderer)

    asyncio.run(whole())


def lacking(number: int) -> Callable[..., NoReturn]:
    def fail(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.browser
def test_no_browser_is_lost_for_want_of_a_file_handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(renderer: Renderer) -> None:
        browser = renderer._browser
        before = browser._process
        with monkeypatch.context() as patch:
            patch.setattr(browser._proxy, "open", lacking(errno.EMFILE))
            for _ in range(2):
                with pytest.raises(BrowserGone, match="no file handles"):
                    await browser.prove()
        await browser.prove()
        assert browser._process is before

    play(scene, tmp_path)


@pytest.mark.browser
def test_a_browser_that_dies_while_its_successor_starts_leaves_one(tmp_path: Path) -> None:
    others = browsers()  # of boxes that several tests share

    async def scene(renderer: Renderer) -> None:
        browser = renderer._browser
        old = browser._process
        assert old is not None
        old.shots = 1_000_000
        browser._recycle(old)
        os.kill(old.chromium.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while browser._process is old or browser._launching is None or not browser._launching.done():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while len(browsers() - others) > 1:  # noqa: ASYNC110 - conditions, not times
                await asyncio.sleep(0.05)
        assert browser._process is not None
        assert browsers() - others == {browser._process.chromium.pid}

    play(scene, tmp_path)


def browsers() -> set[int]:
    found = {pid: processes.command_line(pid) for pid in processes.descendants(os.getpid())}
    return {pid for pid, line in found.items() if b"--remote-debugging-pipe\0--no-startup-window" in line}


@pytest.mark.browser
def test_only_a_tab_whose_shot_failed_is_closed_at_its_cost(tmp_path: Path) -> None:
    async def scene(renderer: Renderer) -> None:
        behind: list[asyncio.Future[None]] = []
        async with renderer._browser.tab(behind):
            pass
        assert not behind
        with pytest.raises(PageEnded):
            async with renderer._browser.tab(behind) as tab:
                raise PageEnded("")
        [closing] = behind
        assert not closing.done()
        await closing
        with pytest.raises(ProtocolError, match="not found"):
            await tab.session.send("Runtime.evaluate", expression="1")

    play(scene, tmp_path)


@pytest.mark.browser
def test_the_page_that_others_wait_for_is_ended_before_its_browser(tmp_path: Path) -> None:
    async def scene(renderer: Renderer) -> None:
        browser = renderer._browser
        async with browser.tab() as greedy, browser.tab() as other:
            process = other.process
            assert process.limits is not None
            process.looks.append(process.limits.used())
            browser._relieve(process)
            assert greedy.fate is None  # nobody has used much
            greedy.session.send("Runtime.evaluate", expression="for (;;);")
            async with asyncio.timeout(30):
                while not greedy.crashed:
                    await asyncio.sleep(0.2)
                    process.looks = deque([process.looks[0]])
                    browser._relieve(process)
            with pytest.raises(PageEnded, match="others had to wait"):
                await browser.verify(greedy)
            assert await browser.verify(other)
            assert not process.dead

    play(scene, tmp_path)


@pytest.mark.browser
def test_a_browser_that_had_to_lose_a_process_of_all_pages_is_replaced(tmp_path: Path) -> None:
    async def scene(renderer: Renderer) -> None:
        browser = renderer._browser
        before = browser._process
        assert before is not None
        browser._tell(before, Killed("graphics_processor", 0, 0))
        browser._tell(before, Killed("graphics_processor", 0, 0))  # once is enough
        async with asyncio.timeout(20):
            while not before.dead:  # noqa: ASYNC110 - a condition, not a time
                await asyncio.sleep(0.05)
        assert browser.restarts == {"helper": 1}
        assert browser._process is not before

    play(scene, tmp_path)


@pytest.mark.browser
def test_a_page_that_floods_its_browser_is_stopped_now_and_then_while_others_wait(tmp_path: Path) -> None:
    async def scene(renderer: Renderer) -> None:
        browser = renderer._browser
        async with asyncio.timeout(20), browser.tab() as flooding:
            async with browser.tab() as other:
                flooding.flooding = True
                while processes.state(flooding.renderer_pid) != processes.STOPPED:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.005)
                await flooding.session.send("Runtime.evaluate", expression="1")  # and goes on
                assert processes.state(other.renderer_pid) != processes.STOPPED
            await alone(flooding)

    play(scene, tmp_path)


async def alone(tab: Tab) -> None:
    """Wait until the one page that is left goes on as it likes: so many looks in a row find it so."""
    ran = 0
    while ran < 100:
        ran = 0 if processes.state(tab.renderer_pid) == processes.STOPPED else ran + 1
        await asyncio.sleep(0.005)


@pytest.mark.browser
def test_a_page_that_is_late_in_a_browser_of_its_own_is_late(tmp_path: Path) -> None:
    async def scene(renderer: Renderer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            settings = Settings(data_dir=tmp_path, allow=(hosts.read(f"127.0.0.1:{port}"),))
            await renderer.reload(policy.policy_of(settings), None)
            renderer._circuit_breaker.note((NOBODY, "127.0.0.1"), alone=False)
            with pytest.raises(DeadlinePassed):
                await renderer.render(Shot(url=f"http://127.0.0.1:{port}/", timeout=3))

    play(scene, tmp_path)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("lost", "had", "error"),
    [
        (PagesBlamed("it ended", alone=False), [6.0], TimeoutError),
        (PagesBlamed("it ended", alone=False), [4.0], ServiceUnavailable),
        (PagesBlamed("it ended", alone=False), [], ServiceUnavailable),
        (BrowserGone("it was killed"), [9.0], ServiceUnavailable),
    ],
    ids=["time", "too little", "no tab", "our own loss"],
)
async def test_a_second_try_that_is_late_is_the_pages_fault_if_the_first_was_and_it_had_time(
    lost: BrowserGone, had: list[float], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = asyncio.get_running_loop().time()
    tries = iter([lost, TimeoutError()])

    async def fail(_: Renderer, __: object, tabs: list[Any], **___: object) -> NoReturn:
        tabs.extend(SimpleNamespace(given=now + 10 - seconds) for seconds in had)
        raise next(tries)

    renderer = object.__new__(Renderer)
    renderer._circuit_breaker = CircuitBreaker()
    monkeypatch.setattr(Renderer, "_try", fail)
    allowed_target = policy.AllowedTarget(policy.parse("http://slow.example/"), (), policy.Scope())
    shot = Shot(url="http://slow.example/", timeout=10)
    with pytest.raises(error):
        await renderer._insist(_Work(shot, allowed_target, now + 10, NOBODY, nullcontext, []))


def profiles(directory: Path) -> int:
    return len(list(directory.glob("browser-*")))


@pytest.mark.browser
def test_a_browser_whose_start_fails_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def replaced(browser: Browser) -> None:
        before = browser._process
        assert before is not None
        os.kill(before.chromium.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while browser._process is before:  # noqa: ASYNC110 - a condition, not a time
                await asyncio.sleep(0.05)

    async def scene(renderer: Renderer) -> None:
        browser = renderer._browser
        with monkeypatch.context() as patch:
            patch.setattr(orphans, "note", lacking(errno.ENOSPC))  # after the process was made
            with pytest.raises(OSError, match="No space left"):
                await browser._launch(5)
        await replaced(browser)
        await browser.prove()
        assert profiles(tmp_path) == 1

    play(scene, tmp_path)
