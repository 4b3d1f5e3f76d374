"""One supervised Chromium, replaced when it dies, hangs or has grown, and a never-used tab of it for each shot."""

import asyncio
import math
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import Any, NoReturn

from ... import logs
from ...egress import policy as outbound
from ...egress.proxy import Proxy
from ...errors import OperatorError
from ...resources import NO_HANDLES
from ..memory_guard import Room
from . import sandbox
from .brake import Brake
from .cdp import ConnectionLost, ProtocolError
from .certificates import Authorities
from .chromium import Chromium, find_executable
from .pacing import Carriage
from .process_limits import Cell, Killed
from .progress import answer
from .tab_pool import DIED, TOO_LARGE, BrowserGone, Life, Tab

# How long nobody may be at work on an answer; see progress.py for what that means.
CALL_SECONDS = 5.0  # for opening or closing a tab: an idle machine takes a hundredth of it
HEALTH_SECONDS = 4.0  # for a blank page; an idle machine takes a fiftieth of it
LAUNCH_SECONDS = 20.0  # from a cold disk
RELAUNCH_SECONDS = 6.0  # when it has been read already
VERIFY_SECONDS = 6.0  # that a shot waits for a blank page to tell whose fault it was
LAUNCHES = 3  # at the start, if something ends the browser while it starts
PAUSE_SECONDS = 0.5  # after a browser that did not start, before the next is tried
LOOK_SECONDS = 1.0  # between two looks at whether the browser's processes run
# Without a picture, until a blank page is asked for to prove that there could be one: a tenth of a second of processor
# time. What is stopped or gone is seen sooner, and whoever asks /ready has a younger proof.
PROVE_SECONDS = 6.0
RECYCLE_AGAIN_SECONDS = 60.0  # after a browser that could not be replaced
# Closing a tab and opening the next go on beside the shot that comes after. Begun at once they slow its navigation,
# begun later its drawing; in between, while the page loads, they cost it least.
PUT_AWAY_SECONDS = 0.06
WATCH_SECONDS = 0.25  # between two looks at what pages take; a page fills a gigabyte in no less
PROCESSES_A_SHOT = 32  # that it may have on average: headless shell makes one, a full Chromium one for each site in it
APART_NICENESS = (
    5  # of the browser for a shot that may be to blame for the last one's end: a third of the weight of others
)
ENDED = "The browser was ended while it started."


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
        self._life: Life | None = None
        self._lives: set[Life] = set()  # it, and those that are begun, seen out, or apart
        self._recycle_at = -math.inf  # not before
        self._launch_at = -math.inf  # not before
        self._closed = False
        self._launching: asyncio.Task[Life] | None = None
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

    async def _launch_insisting(self) -> Life:
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
        await asyncio.gather(*(self._end(life) for life in list(self._lives)), return_exceptions=True)

    @asynccontextmanager
    async def tab(self, *, apart: bool = False) -> AsyncIterator[Tab]:
        """Hand out a never-used tab, closed after the block whatever happened. Raises BrowserGone.

        *apart* is in a browser of its own, which ends with it and whose end costs nobody else anything.
        """
        life = await (self._apart() if apart else self._alive())
        life.inside += 1
        life.shots += 1
        opening = self._next(life)
        try:
            tab = await self._opened(life, opening)
            life.used.add(tab)
            tab.given = asyncio.get_running_loop().time()
            yield tab
            life.proven = asyncio.get_running_loop().time()
        finally:
            life.inside -= 1
            life.left = asyncio.get_running_loop().time()
            self._in_background(self._put_away(life, opening))

    def _next(self, life: Life) -> asyncio.Task[Tab]:
        """Return a warm tab, or one that is being opened; those that came to nothing meanwhile are let go."""
        while life.warm:
            opening = life.warm.popleft()
            if not _has_failed(opening):
                return opening
            self._in_background(self._put_away(life, opening))
        return self._in_background(self._open(life))

    async def _opened(self, life: Life, opening: asyncio.Task[Tab]) -> Tab:
        try:
            return await asyncio.shield(opening)  # a shot whose deadline passes here leaves no half a tab behind
        except (ProtocolError, TimeoutError, OSError) as error:
            _absolve(error)
            self._condemn(life, "no tab could be opened")
            raise await life.lost() from error

    def obey(self, policy: outbound.Policy) -> None:
        """Let all doors go by another policy, those of tabs that wait and of shots that run, too."""
        self._proxy.obey(policy)

    async def verify(self, tab: Tab | None) -> bool:
        """Have the browser of *tab* draw a blank page; say whether it did, or was busy with what others do.

        Raises BrowserGone when it cannot, or whatever the tab was ended for.
        """
        if tab is not None and tab.fate is not None:
            raise tab.fate
        life = tab.life if tab is not None else self._life
        if life is None:
            raise BrowserGone
        try:
            async with asyncio.timeout(VERIFY_SECONDS):
                await self._prove(life)
        except TimeoutError:
            if life.cell is not None and (ailment := life.cell.ailment()):
                self._condemn(life, ailment)
            if life.dead:
                raise await life.lost() from None
            return not life.inside
        return True

    async def prove(self) -> None:
        """As verify, for the browser that is in service, or the one that is started because none is."""
        await self._prove(await self._alive())

    def is_proven_since(self, seconds: float) -> bool:
        """Say whether the browser in service has made a picture in the last *seconds*."""
        life = self._life
        return life is not None and not life.dead and asyncio.get_running_loop().time() - life.proven <= seconds

    async def _prove(self, life: Life) -> None:
        if life.dead:
            raise await life.lost()
        if life.probing is None or life.probing.done():
            life.probing = self._in_background(self._probe(life))
        try:
            await asyncio.shield(life.probing)  # one for all who want to know, and none of them can break it off
        except (ProtocolError, TimeoutError, OSError) as error:
            _absolve(error)
            self._condemn(life, "no answer to a health check")
            raise await life.lost() from error

    async def _probe(self, life: Life) -> None:
        await answer(self._draw(life), HEALTH_SECONDS, life.progress(), lambda: self._relieve(life))
        life.proven = asyncio.get_running_loop().time()

    async def _draw(self, life: Life) -> None:
        probe = await self._open(life)
        try:
            await life.draw(probe)
        finally:
            self._in_background(self._close(life, probe))

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

    async def _apart(self) -> Life:
        if self._closed:
            raise BrowserGone("the box is closing")
        try:
            return await self._launch(RELAUNCH_SECONDS, apart=True)
        except (ProtocolError, OperatorError, TimeoutError, OSError) as error:
            logs.fault("browser_not_started", error)
            raise BrowserGone("no browser could be started") from error

    async def _alive(self) -> Life:
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

    async def _relaunch(self) -> Life:
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

    async def _launch(self, seconds: float, *, apart: bool = False) -> Life:
        path = self._executable or find_executable()
        profile = Path(tempfile.mkdtemp(prefix="browser-"))
        chromium = Chromium(path, profile, sandbox=self._sandbox, niceness=APART_NICENESS if apart else 0)
        life = Life(chromium, self._proxy)
        self._lives.add(life)
        try:
            cell = await answer(self._begin(life, profile, 1 if apart else self._warm), seconds, life.progress())
            evidence = await sandbox.prove(cell.pages) if self._sandbox else "OFF"
            _require_alive(life)  # else a dead one would be put into service
        except BaseException as error:
            lost = life.dead
            await self._end(life)
            if lost and isinstance(error, OperatorError):  # no pages were found, for there is nothing any more
                raise ConnectionLost(ENDED) from error
            raise
        self.evidence = evidence
        self.version, self.user_agent, self.path = chromium.version, chromium.user_agent, str(path)
        logs.event("browser_started", version=self.version, path=self.path, sandbox=self.evidence, pid=chromium.pid)
        self._in_background(self._watch(life, cell))
        return life

    async def _begin(self, life: Life, profile: Path, warm: int) -> Cell:
        await asyncio.to_thread(self._authorities.lay, profile)
        await life.chromium.start(lambda: self._condemn(life, DIED))
        life.cell = Cell(life.chromium.pid, self._page_memory, PROCESSES_A_SHOT * self._warm)
        while len(life.warm) < warm:
            self._warm_up(life)
        try:
            await asyncio.gather(*life.warm)
        except asyncio.CancelledError:
            _require_alive(life)  # if its own end has cancelled them
            raise
        life.cell.ailment()  # to know from the start what is missed if it ends
        return life.cell

    async def _watch(self, life: Life, cell: Cell) -> None:
        """Hold the browser to its bounds while it has shots, before the kernel runs out of memory and chooses whom."""
        looks, carriage, brake = 0, Carriage(), Brake()
        try:
            while not life.dead:
                await asyncio.sleep(WATCH_SECONDS)
                looks += 1
                try:
                    if looks % round(LOOK_SECONDS / WATCH_SECONDS) == 0:
                        self._look_after(life, cell, brake)
                    if life.inside or brake.held:
                        self._bound(life, cell, carriage, brake)
                except Exception as error:  # noqa: BLE001 - whatever it is, somebody must go on looking
                    logs.fault("supervision_failed", error)
        finally:
            brake.release()

    def _bound(self, life: Life, cell: Cell, carriage: Carriage, brake: Brake) -> None:
        self._room.note(cell.largest_page())
        crowds = cell.rank_pages()
        self._cull(life, cell)
        carriage.share(cell.network, [tab.door for tab in life.used])
        flooding = {tab.process for tab in life.used if tab.flooding}
        brake.look(cell.serving(), cell.pages() if life.inside > 1 else (), crowds | flooding)
        if cell.memory() > self._recycle_memory + self._page_memory:  # with no shot in it, it is recycled
            self._condemn(life, TOO_LARGE)

    def _look_after(self, life: Life, cell: Cell, brake: Brake) -> None:
        """Find out at once what a shot or a probe would only hear by waiting: processes that are stopped or gone."""
        for pid in cell.end_stopped_pages(brake.held):
            logs.event("page_killed", bound="stopped", pid=pid)
        if ailment := cell.ailment():
            self._condemn(life, ailment)
        elif life.inside or (life.probing is not None and not life.probing.done()):
            life.looks.append(cell.used())
        else:
            life.looks.clear()

    def _cull(self, life: Life, cell: Cell) -> None:
        for killed in cell.cull():
            self._tell(life, killed)
        if drawing := cell.end_endless_drawing(lonely=life.inside <= 1):
            self._tell(life, drawing)

    def _relieve(self, life: Life) -> None:
        """End the page that the others wait for, where somebody has waited long: it goes before the browser does."""
        if life.dead or life.cell is None or not life.looks or life.is_lonely:  # who is alone costs nobody anything
            return
        if killed := life.cell.end_greediest(life.looks[0], pages=life.inside > 1):
            self._tell(life, killed)

    def _tell(self, life: Life, killed: Killed) -> None:
        """Tell of a process that was ended, and those inside if all of them needed it."""
        logs.event("page_killed", bound=killed.bound, pid=killed.pid, memory=killed.memory)
        if killed.is_page:
            return
        life.spoil("The page took too much of a process that serves all pages.")
        if life is self._life and not life.retiring:  # Chromium draws less after that, and ends itself after a few
            self._replace(life, "helper")

    def _warm_up(self, life: Life) -> None:
        life.warm.append(self._in_background(self._open(life)))

    def _refill(self, life: Life) -> None:
        """Open tabs for later, unless the cores have shots to work on: then they are opened as they are needed."""
        if not life.dead and not life.retiring and life.inside < self._cores and len(life.warm) < self._warm:
            self._warm_up(life)

    async def _open(self, life: Life) -> Tab:
        return await answer(life.open(), CALL_SECONDS, life.progress(), lambda: self._relieve(life))

    async def _put_away(self, life: Life, used: asyncio.Task[Tab]) -> None:
        await asyncio.sleep(PUT_AWAY_SECONDS)
        with suppress(ProtocolError, TimeoutError, OSError):  # whoever waited for the tab has heard of it
            tab = await used
            life.used.discard(tab)
            await self._close(life, tab)
        if life is not self._life and not life.inside and not life.dead:  # its successor is there
            await self._end(life)
        elif not life.dead:
            self._refill(life)
            self._recycle(life)

    async def _close(self, life: Life, tab: Tab) -> None:
        try:
            await answer(life.close(tab), CALL_SECONDS, life.progress(), lambda: self._relieve(life))
        except (ProtocolError, TimeoutError):
            self._condemn(life, "a tab could not be closed")

    def _recycle(self, life: Life) -> None:
        """Replace a browser that has served long or grown large: the next one first, so that nobody waits for it."""
        if life is not self._life or life.retiring or life.cell is None:
            return
        now = asyncio.get_running_loop().time()
        size, age = _memory_of(life), now - life.begun
        worn = life.shots >= self._recycle_after or size > self._recycle_memory or age > self._recycle_age
        if worn and now > self._recycle_at:
            many, large = life.shots >= self._recycle_after, size > self._recycle_memory
            self._replace(life, "shots" if many else "memory" if large else "age")

    def _replace(self, life: Life, reason: str) -> None:
        life.retiring = True
        age = asyncio.get_running_loop().time() - life.begun
        self.restarts[reason] += 1
        logs.event("browser_recycled", reason=reason, shots=life.shots, memory=_memory_of(life), age=round(age))
        self._in_background(self._succeed(life))

    async def _succeed(self, life: Life) -> None:
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

    def _condemn(self, life: Life, reason: str) -> None:
        """Take *life* out of service, and start a new one if it was the one in service."""
        if life.dead:
            return
        reason = life.die(reason)
        if life is self._life:  # not while closing, and not one that has a successor
            self.restarts[reason.replace(" ", "_")] += 1
            logs.event("browser_lost", reason=reason)
            if not self._closed:
                self._in_background(self._alive())
        self._ending.add(self._in_background(self._end(life)))

    async def _end(self, life: Life) -> None:
        life.dead = True
        warm = list(life.warm)
        life.warm.clear()
        for task in warm:
            task.cancel()
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().door.close()
        await life.chromium.end()
        self._lives.discard(life)

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


def _memory_of(life: Life) -> int:
    return life.cell.memory() if life.cell is not None else 0


def _require_alive(life: Life) -> None:
    if life.dead:
        raise ConnectionLost(ENDED)


def _has_failed(opening: asyncio.Task[Tab]) -> bool:
    """Say whether a tab could not be opened, or its renderer has died since."""
    return opening.done() and (opening.cancelled() or opening.exception() is not None or opening.result().crashed)


def _absolve(error: Exception) -> None:
    """Raise BrowserGone if *error* is for want of a file handle: no browser is at fault, and none is lost for it."""
    if isinstance(error, OSError) and error.errno in NO_HANDLES:
        raise BrowserGone("the box has no file handles left") from error
