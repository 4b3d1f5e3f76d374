"""One supervised Chromium, and a never-used tab for each shot, opened before it is asked for."""

import asyncio
import math
import os
import tempfile
from collections import Counter, deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from .. import logs, outbound
from ..allowance import NO_HANDLES
from ..errors import OperatorError
from .cdp import ConnectionLost, ProtocolError, Session
from .cell import Cell
from .chromium import Chromium, find_executable
from .door import Door
from .proxy import Proxy
from .room import Room
from .shot import Window
from .trust import Authorities

CALL_SECONDS = 5.0  # for opening or closing a tab: an idle machine takes a hundredth of it
HEALTH_SECONDS = 4.0  # for a blank page; an idle machine takes a fiftieth of it ...
BUSY_HEALTH_SECONDS = 6.0  # ... and one that draws others more
LAUNCH_SECONDS = 20.0  # from a cold disk
RELAUNCH_SECONDS = 6.0  # when it has been read already
LAUNCHES = 3  # at the start, if something ends the browser while it starts
PAUSE_SECONDS = 0.5  # after a browser that did not start, before the next is tried
LOOK_SECONDS = 1.0  # between two looks at whether the browser's processes run
PROVE_SECONDS = 2.0  # without a picture, until a blank page is asked for to prove that there could be one
RECYCLE_AGAIN_SECONDS = 60.0  # after a browser that could not be replaced
# Closing a tab and opening the next go on beside the shot that comes after. Begun at once they slow its navigation,
# begun later its drawing; in between, while the page loads, they cost it least.
PUT_AWAY_SECONDS = 0.06
ALIVE_SECONDS = 3.0  # for a blank or broken page to say that it is there
WATCH_SECONDS = 0.25  # between two looks at what pages take; a page fills a gigabyte in no less
PROCESSES_A_SHOT = 32  # that it may have on average: headless shell makes one, a full Chromium one for each site in it
ENDED = "The browser was ended while it started."
NO_PROXY_FOR_NOTHING = "<-loopback>"  # Chromium would go to loopback past the proxy by itself


class BrowserGone(Exception):
    """The browser died or hangs; the work it carried can be tried once more in the next one."""

    def __init__(self, reason: str = "the browser was lost") -> None:
        super().__init__(reason)


@dataclass
class Tab:
    """A fresh context with one blank page, the session that speaks to it, and its door to the network."""

    context: str
    target: str  # also the name of its main frame
    session: Session
    door: Door
    life: "_Life"
    crashed: bool = False


@dataclass
class _Life:
    """One browser from launch to death, with the tabs it has ready."""

    chromium: Chromium
    cell: Cell | None = None  # until it is proven
    warm: deque[asyncio.Task[Tab]] = field(default_factory=deque)
    shots: int = 0
    inside: int = 0  # shots that run
    dead: bool = False
    retiring: bool = False
    begun: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    proven: float = -math.inf  # when it last made a picture
    probing: asyncio.Task[None] | None = None


class Browser:
    """Keeps a browser running, replaces it when it dies or has grown, and hands out tabs."""

    def __init__(  # noqa: PLR0913 - each is a setting
        self,
        executable: Path | None,
        proxy: Proxy,
        *,
        sandbox: bool,
        warm: int,
        recycle_after: int,
        recycle_age: float,
        recycle_memory: int,
        page_memory: int,
        authorities: Authorities,
        room: Room,
    ) -> None:
        self._executable = executable
        self._proxy = proxy
        self._sandbox = sandbox
        self._warm = warm
        self._recycle_after = recycle_after  # shots
        self._recycle_age = recycle_age  # seconds
        self._recycle_memory = recycle_memory  # bytes that the browser's own process may take
        self._page_memory = page_memory  # bytes that one page's process may take
        self._authorities = authorities
        self._room = room
        self._cores = os.cpu_count() or 1
        self._life: _Life | None = None
        self._recycle_at = -math.inf  # not before
        self._launch_at = -math.inf  # not before
        self._closed = False
        self._launching: asyncio.Task[_Life] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending: set[asyncio.Task[Any]] = set()  # those of them that see a browser out; they take seconds at most
        self.restarts: Counter[str] = Counter()  # by cause
        self.evidence = "not started"  # of the sandbox
        self.version = ""
        self.user_agent = ""
        self.path = ""

    @property
    def age(self) -> float | None:
        """Seconds since the browser in service was started; None while there is none."""
        if self._life is None or self._life.dead:
            return None
        return asyncio.get_running_loop().time() - self._life.begun

    async def start(self) -> None:
        """Launch, and prove the sandbox. Raises OperatorError."""
        try:
            self._life = await self._launch_insisting()
        except TimeoutError as error:
            raise OperatorError(f"The browser did not start within {LAUNCH_SECONDS:g} s.") from error
        except ProtocolError as error:
            raise OperatorError(
                f"The browser ended {LAUNCHES} times while it started: see who kills it; `journalctl -k` tells if it "
                "is the kernel, for want of memory."
            ) from error
        self._in_background(self._supervise())

    async def _launch_insisting(self) -> _Life:
        for _ in range(LAUNCHES - 1):
            with suppress(ProtocolError):
                return await self._launch(LAUNCH_SECONDS)
        return await self._launch(LAUNCH_SECONDS)

    async def close(self) -> None:
        """End the browser."""
        self._closed = True
        life, self._life = self._life, None
        if life is not None:
            await self._end(life)
        for task in self._tasks - self._ending:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """Hand out a never-used tab, closed after the block whatever happened. Raises BrowserGone."""
        life = await self._alive()
        life.inside += 1
        life.shots += 1
        opening = self._next(life)
        try:
            yield await self._opened(life, opening)
            life.proven = asyncio.get_running_loop().time()
        finally:
            life.inside -= 1
            self._in_background(self._put_away(life, opening))

    def _next(self, life: _Life) -> asyncio.Task[Tab]:
        """Return a warm tab, or one that is being opened; those that came to nothing meanwhile are let go."""
        while life.warm:
            opening = life.warm.popleft()
            if not _has_failed(opening):
                return opening
            self._in_background(self._put_away(life, opening))
        return self._in_background(self._open(life))

    async def _opened(self, life: _Life, opening: asyncio.Task[Tab]) -> Tab:
        try:
            return await asyncio.shield(opening)  # a shot whose deadline passes here leaves no half a tab behind
        except (ProtocolError, TimeoutError, OSError) as error:
            _absolve(error)
            self._condemn(life, "no tab could be opened")
            raise BrowserGone from error

    def obey(self, policy: outbound.Policy) -> None:
        """Let all doors go by another policy, those of tabs that wait and of shots that run, too."""
        self._proxy.obey(policy)

    async def verify(self, tab: Tab | None) -> None:
        """Make the browser of *tab* draw a blank page; condemn it and raise BrowserGone when it cannot in time.

        That takes all of its processes: the browser's own, a renderer, the GPU's and, for cookies, the network's.
        """
        life = tab.life if tab is not None else self._life
        if life is None:
            raise BrowserGone
        await self._prove(life)

    async def has_lost_a_part_since(self, tab: Tab, moment: float) -> bool:
        """Say whether the browser of *tab*, its page, or what all pages need, ended after *moment* (monotonic).

        What such a page was at ends as if the target had ended it, and before the browser tells what happened.
        """
        try:
            async with asyncio.timeout(ALIVE_SECONDS):
                await tab.session.send("Runtime.evaluate", expression="1")
        except (ProtocolError, TimeoutError):
            return True
        cell = tab.life.cell
        return tab.crashed or tab.life.dead or cell is None or cell.has_missed_a_helper_since(moment)

    async def prove(self) -> None:
        """As verify, for the browser that is in service, or the one that is started because none is."""
        await self._prove(await self._alive())

    def is_proven_since(self, seconds: float) -> bool:
        """Say whether the browser in service has made a picture in the last *seconds*."""
        life = self._life
        return life is not None and not life.dead and asyncio.get_running_loop().time() - life.proven <= seconds

    async def _prove(self, life: _Life) -> None:
        if life.dead:
            raise BrowserGone
        if life.probing is None or life.probing.done():
            life.probing = self._in_background(self._probe(life))
        try:
            await asyncio.shield(life.probing)  # one for all who want to know, and none of them can break it off
        except (ProtocolError, TimeoutError, OSError) as error:
            _absolve(error)
            self._condemn(life, "no answer to a health check")
            raise BrowserGone("the browser does not answer") from error

    async def _probe(self, life: _Life) -> None:
        async with asyncio.timeout(BUSY_HEALTH_SECONDS if life.inside else HEALTH_SECONDS):
            probe = await self._open(life)
            crashed = asyncio.Event()
            probe.session.on("Inspector.targetCrashed", lambda _: crashed.set())
            if probe.crashed:
                crashed.set()
            drawing, crashing = asyncio.create_task(_draw(probe)), asyncio.create_task(crashed.wait())
            try:
                await asyncio.wait({drawing, crashing}, return_when=asyncio.FIRST_COMPLETED)
                if not drawing.done() and life.inside:  # the youngest page is the first to go when there are too many
                    await life.chromium.connection.browser.send("Browser.getVersion")
                    return
                await drawing
            finally:
                drawing.cancel()
                crashing.cancel()
                self._in_background(self._close(life, probe))
        life.proven = asyncio.get_running_loop().time()

    async def _supervise(self) -> NoReturn:
        """See to it that there is a browser, that it works, and that it is replaced in time, also when nobody asks."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                life = await self._alive()
                self._recycle(life)
                if not self.is_proven_since(PROVE_SECONDS):
                    await self._prove(life)
            except BrowserGone:
                continue  # told where it was found out; the next look starts another
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody must go on looking
                logs.fault("supervision_failed", error)

    async def _alive(self) -> _Life:
        if self._closed:
            raise BrowserGone("the box is closing")
        if self._life is not None and not self._life.dead:
            return self._life
        if self._launching is None or self._launching.done():
            self._launching = self._in_background(self._relaunch())
        try:
            # One launch for all who wait, and none of them can end it by going away.
            return await asyncio.shield(self._launching)
        except (ProtocolError, OperatorError, TimeoutError, OSError) as error:
            logs.fault("browser_not_started", error)
            raise BrowserGone("no browser could be started") from error

    async def _relaunch(self) -> _Life:
        """Put a new browser into service, whether or not those who wanted it still wait."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._launch_at - loop.time())
        try:
            life = await self._launch(RELAUNCH_SECONDS)
        except BaseException:
            self._launch_at = loop.time() + PAUSE_SECONDS
            raise
        if self._closed:
            await self._end(life)
            raise BrowserGone("the box is closing")
        if self._life is not None and not self._life.dead:  # one that was to be recycled died, and has its successor
            await self._end(life)
            return self._life
        self._life = life
        return life

    async def _launch(self, seconds: float) -> _Life:
        path = self._executable or find_executable()
        profile = Path(tempfile.mkdtemp(prefix="browser-"))
        chromium = Chromium(path, profile, sandbox=self._sandbox)
        life = _Life(chromium)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.to_thread(self._authorities.lay, profile)
                await chromium.start(lambda: self._condemn(life, "it ended"))
                while len(life.warm) < self._warm:
                    self._warm_up(life)
                await asyncio.gather(*life.warm)
            life.cell = Cell(chromium.pid, self._page_memory, PROCESSES_A_SHOT * self._warm)
            self.evidence = await life.cell.prove() if self._sandbox else "OFF"
            _require_alive(life)  # else a dead one would be put into service
        except BaseException as error:
            lost, life.dead = life.dead, True
            await chromium.end()
            if lost and isinstance(error, OperatorError):  # no pages were found, for there is nothing any more
                raise ConnectionLost(ENDED) from error
            raise
        self.version, self.user_agent, self.path = chromium.version, chromium.user_agent, str(path)
        logs.event("browser_started", version=self.version, path=self.path, sandbox=self.evidence, pid=chromium.pid)
        self._in_background(self._watch(life, life.cell))
        return life

    async def _watch(self, life: _Life, cell: Cell) -> None:
        """Hold the browser to its bounds while it has shots, before the kernel runs out of memory and chooses whom."""
        looks = 0
        while not life.dead:
            await asyncio.sleep(WATCH_SECONDS)
            looks += 1
            if looks % round(LOOK_SECONDS / WATCH_SECONDS) == 0:
                self._look_after(life, cell)
            if not life.inside:
                continue
            self._room.note(cell.largest_page())
            for killed in cell.cull():
                logs.event("page_killed", bound=killed.bound, pid=killed.pid, memory=killed.memory)
            if cell.memory() > self._recycle_memory + self._page_memory:  # with no shot in it, it is recycled
                self._condemn(life, "it has grown too large")

    def _look_after(self, life: _Life, cell: Cell) -> None:
        """Find out at once what a shot or a probe would only hear by waiting: processes that are stopped or gone."""
        for pid in cell.end_stopped_pages():
            logs.event("page_killed", bound="stopped", pid=pid)
        if ailment := cell.ailment():
            self._condemn(life, ailment)

    def _warm_up(self, life: _Life) -> None:
        life.warm.append(self._in_background(self._open(life)))

    def _refill(self, life: _Life) -> None:
        """Open tabs for later, unless the cores have shots to work on: then they are opened as they are needed."""
        if not life.dead and not life.retiring and life.inside < self._cores and len(life.warm) < self._warm:
            self._warm_up(life)

    async def _open(self, life: _Life) -> Tab:
        connection = life.chromium.connection
        door = await self._proxy.open()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                made = await connection.browser.send(
                    "Target.createBrowserContext",
                    disposeOnDetach=True,
                    proxyServer=door.url,
                    proxyBypassList=NO_PROXY_FOR_NOTHING,
                )
                context = made["browserContextId"]
                connection.browser.send("Browser.setDownloadBehavior", behavior="deny", browserContextId=context)
                # Grants nothing and rejects all others, also those that Chromium gives without asking.
                connection.browser.send("Browser.grantPermissions", permissions=[], browserContextId=context)
                window = {"width": Window.width, "height": Window.height}
                made = await connection.browser.send(
                    "Target.createTarget", url="about:blank", browserContextId=context, **window
                )
                target = made["targetId"]
                attached = await connection.browser.send("Target.attachToTarget", targetId=target, flatten=True)
                tab = Tab(context, target, connection.session(attached["sessionId"]), door, life)
                tab.session.on("Inspector.targetCrashed", lambda _: setattr(tab, "crashed", True))
                tab.session.send("Inspector.enable")
                await tab.session.send("Page.enable")
                return tab
        except BaseException:
            await door.close()
            raise

    async def _put_away(self, life: _Life, used: asyncio.Task[Tab]) -> None:
        await asyncio.sleep(PUT_AWAY_SECONDS)
        with suppress(ProtocolError, TimeoutError, OSError):  # whoever waited for the tab has heard of it
            await self._close(life, await used)
        if life is not self._life and not life.inside and not life.dead:  # its successor is there
            await self._end(life)
        elif not life.dead:
            self._refill(life)
            self._recycle(life)

    async def _close(self, life: _Life, tab: Tab) -> None:
        tab.session.forget()
        await tab.door.close()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await life.chromium.connection.browser.send(
                    "Target.disposeBrowserContext", browserContextId=tab.context
                )
        except ConnectionLost:
            pass
        except (ProtocolError, TimeoutError):
            self._condemn(life, "a tab could not be closed")

    def _recycle(self, life: _Life) -> None:
        """Replace a browser that has served long or grown large: the next one first, so that nobody waits for it."""
        if life is not self._life or life.retiring or life.cell is None:
            return
        now = asyncio.get_running_loop().time()
        size, age = life.cell.memory(), now - life.begun
        worn = life.shots >= self._recycle_after or size > self._recycle_memory or age > self._recycle_age
        if worn and now > self._recycle_at:
            life.retiring = True
            many, large = life.shots >= self._recycle_after, size > self._recycle_memory
            self.restarts["shots" if many else "memory" if large else "age"] += 1
            logs.event("browser_recycled", shots=life.shots, memory=size, age=round(age))
            self._in_background(self._succeed(life))

    async def _succeed(self, life: _Life) -> None:
        try:
            successor = await self._launch(LAUNCH_SECONDS)
        except (ProtocolError, OperatorError, TimeoutError, OSError) as error:
            logs.fault("browser_not_started", error)
            life.retiring = False  # better an old one than none
            self._recycle_at = asyncio.get_running_loop().time() + RECYCLE_AGAIN_SECONDS
            return
        if self._life is not life:  # closed, or died, meanwhile
            await self._end(successor)
            return
        self._life = successor
        if not life.inside:
            await self._end(life)

    def _condemn(self, life: _Life, reason: str) -> None:
        """Take *life* out of service, and start a new one if it was the one in service."""
        if life.dead:
            return
        life.dead = True
        if life is self._life:  # not while closing, and not one that has a successor
            self.restarts[reason.replace(" ", "_")] += 1
            logs.event("browser_lost", reason=reason)
            if not self._closed:
                self._in_background(self._alive())
        self._ending.add(self._in_background(self._end(life)))

    async def _end(self, life: _Life) -> None:
        life.dead = True
        for task in life.warm:
            task.cancel()
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().door.close()
        life.warm.clear()
        await life.chromium.end()

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # It outlives the request that it was begun in, and its lines in the log are not that one's.
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # whoever awaits the task hears of it; a tab nobody waits for may fail quietly


def _require_alive(life: _Life) -> None:
    if life.dead:
        raise ConnectionLost(ENDED)


async def _draw(tab: Tab) -> None:
    await tab.session.send("Network.getCookies")
    await tab.session.send("Page.captureScreenshot", format="jpeg", quality=1)


def _has_failed(opening: asyncio.Task[Tab]) -> bool:
    """Say whether a tab could not be opened, or its renderer has died since."""
    return opening.done() and (opening.cancelled() or opening.exception() is not None or opening.result().crashed)


def _absolve(error: Exception) -> None:
    """Raise BrowserGone if *error* is for want of a file handle: no browser is at fault, and none is lost for it."""
    if isinstance(error, OSError) and error.errno in NO_HANDLES:
        raise BrowserGone("the box has no file handles left") from error
