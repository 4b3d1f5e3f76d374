"""One supervised Chromium, replaced when it dies, hangs or has grown, and a never-used tab of it for each shot."""

import asyncio
import math
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import Any, NoReturn

from ... import logs, resources
from ...egress.policy import Policy
from ...egress.proxy import Proxy
from ...errors import OperatorError
from ...resources import NO_HANDLES
from ..memory_guard import MemoryGuard
from . import sandbox
from .cdp import ConnectionLost, ProtocolError
from .certificates import Authorities
from .chromium import Chromium, find_executable
from .process_limits import Killed, ProcessLimits
from .progress import answer
from .tab_pool import DIED, ENDED, UNANSWERED, UNCLOSED, UNOPENED, BrowserGone, BrowserProcess, Tab, has_failed
from .watch import LOOK_SECONDS, Watch

# How long nobody may be at work on an answer; see progress.py for what that means.
CALL_SECONDS = 5.0  # for opening or closing a tab: an idle machine takes a hundredth of it
HEALTH_SECONDS = 4.0  # for a blank page; an idle machine takes a fiftieth of it
LAUNCH_SECONDS = 20.0  # from a cold disk
RELAUNCH_SECONDS = 6.0  # when it has been read already
VERIFY_SECONDS = 6.0  # that a shot waits for a blank page to tell whose fault it was
LAUNCHES = 3  # at the start, if something ends the browser while it starts
PAUSE_SECONDS = 0.5  # after a browser that did not start, before the next is tried
# Without a picture, until a blank page is asked for to prove that there could be one: a tenth of a second of processor
# time. What is stopped or gone is seen sooner, and whoever asks /ready has a younger proof.
PROVE_SECONDS = 6.0
RECYCLE_AGAIN_SECONDS = 60.0  # after a browser that could not be replaced
# Closing a tab and opening the next go on beside the shot that comes after. Begun at once they slow its navigation,
# begun later its drawing; in between, while the page loads, they cost it least.
PUT_AWAY_SECONDS = 0.06
PROCESSES_A_SHOT = 32  # that it may have on average: headless shell makes one, a full Chromium one for each site in it
APART_NICENESS = (
    5  # of the browser for a shot that may be to blame for the last one's end: a third of the weight of others
)


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
        memory: MemoryGuard,
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
        self._memory = memory
        self._cores = resources.cores()
        self._process: BrowserProcess | None = None
        self._processes: set[BrowserProcess] = set()  # it, and those that are begun, seen out, or apart
        self._recycle_at = -math.inf  # not before
        self._launch_at = -math.inf  # not before
        self._closed = False
        self._launching: asyncio.Task[BrowserProcess] | None = None
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
        if self._process is None or self._process.dead:
            return None
        return asyncio.get_running_loop().time() - self._process.begun

    async def start(self) -> None:
        """Launch, and prove the sandbox. Raises OperatorError."""
        try:
            self._process = await self._launch_insisting()
        except TimeoutError as error:
            raise OperatorError(f"The browser did not start within {LAUNCH_SECONDS:g} s.") from error
        except ProtocolError as error:
            raise OperatorError(
                f"The browser ended {LAUNCHES} times while it started: see who kills it; `journalctl -k` tells if it "
                "is the kernel, for want of memory."
            ) from error
        self._in_background(self._supervise())

    async def _launch_insisting(self) -> BrowserProcess:
        for _ in range(LAUNCHES - 1):
            with suppress(ProtocolError):
                return await self._launch(LAUNCH_SECONDS)
        return await self._launch(LAUNCH_SECONDS)

    async def close(self) -> None:
        """End the browser."""
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            await self._end(process)
        for task in self._tasks - self._ending:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._end(process) for process in list(self._processes)), return_exceptions=True)

    @asynccontextmanager
    async def tab(self, behind: list[asyncio.Future[None]] | None = None, *, apart: bool = False) -> AsyncIterator[Tab]:
        """Hand out a never-used tab, closed after the block whatever happened. Raises BrowserGone.

        *behind* gets the closing if the block fails. *apart* is in a browser of its own, which ends with it and whose
        end costs nobody else anything.
        """
        process = await (self._apart() if apart else self._alive())
        process.inside += 1
        process.shots += 1
        opening = self._next(process)
        try:
            tab = await self._opened(process, opening)
            process.used.add(tab)
            tab.given = asyncio.get_running_loop().time()
            yield tab
            process.proven = asyncio.get_running_loop().time()
            behind = None
        finally:
            process.inside -= 1
            process.left = asyncio.get_running_loop().time()
            closing = self._in_background(self._put_away(process, opening))
            if behind is not None:
                behind.append(closing)

    def _next(self, process: BrowserProcess) -> asyncio.Task[Tab]:
        """Return a warm tab, or one that is being opened; those that came to nothing meanwhile are let go."""
        while process.warm:
            opening = process.warm.popleft()
            if not has_failed(opening):
                return opening
            self._in_background(self._put_away(process, opening))
        return self._in_background(self._open(process))

    async def _opened(self, process: BrowserProcess, opening: asyncio.Task[Tab]) -> Tab:
        try:
            return await asyncio.shield(opening)  # a shot whose deadline passes here leaves no half a tab behind
        except (ProtocolError, TimeoutError, OSError) as error:
            _absolve(error)
            self._condemn(process, UNOPENED)
            raise await process.lost() from error

    def reload(self, policy: Policy) -> None:
        """Let all sessions of the proxy go by another policy, those of tabs that wait and of shots that run, too."""
        self._proxy.reload(policy)

    async def verify(self, tab: Tab | None) -> bool:
        """Have the browser of *tab* draw a blank page; say whether it did, or was busy with what others do.

        Raises BrowserGone when it cannot, or whatever the tab was ended for.
        """
        if tab is not None and tab.fate is not None:
            raise tab.fate
        process = tab.process if tab is not None else self._process
        if process is None:
            raise BrowserGone
        try:
            async with asyncio.timeout(VERIFY_SECONDS):
                await self._prove(process)
        except TimeoutError:
            if process.limits is not None and (ailment := process.limits.ailment()):
                self._condemn(process, ailment)
            if process.dead:
                raise await process.lost() from None
            return not process.inside
        return True

    async def prove(self) -> None:
        """As verify, for the browser that is in service, or the one that is started because none is."""
        await self._prove(await self._alive())

    def is_proven_since(self, seconds: float) -> bool:
        """Say whether the browser in service has made a picture in the last *seconds*."""
        process = self._process
        return (
            process is not None and not process.dead and asyncio.get_running_loop().time() - process.proven <= seconds
        )

    async def _prove(self, process: BrowserProcess) -> None:
        if process.dead:
            raise await process.lost()
        if process.probing is None or process.probing.done():
            process.probing = self._in_background(self._probe(process))
        try:
            await asyncio.shield(process.probing)  # one for all who want to know, and none of them can break it off
        except (ProtocolError, TimeoutError, OSError) as error:
            _absolve(error)
            self._condemn(process, UNANSWERED)
            raise await process.lost() from error

    async def _probe(self, process: BrowserProcess) -> None:
        await answer(self._draw(process), HEALTH_SECONDS, process.progress(), lambda: self._relieve(process))
        process.proven = asyncio.get_running_loop().time()

    async def _draw(self, process: BrowserProcess) -> None:
        probe = await self._open(process)
        try:
            await process.draw(probe)
        finally:
            self._in_background(self._close(process, probe))

    async def _supervise(self) -> NoReturn:
        """See to it that there is a browser, that it works, and that it is replaced in time, also when nobody asks."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                process = await self._alive()
                self._recycle(process)
                if not self.is_proven_since(PROVE_SECONDS):
                    await self._prove(process)
            except BrowserGone:
                continue  # told where it was found out; the next look starts another
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody must go on looking
                logs.fault("supervision_failed", error)

    async def _apart(self) -> BrowserProcess:
        if self._closed:
            raise BrowserGone("the box is closing")
        try:
            return await self._launch(RELAUNCH_SECONDS, apart=True)
        except (ProtocolError, OperatorError, TimeoutError, OSError) as error:
            logs.fault("browser_not_started", error)
            raise BrowserGone("no browser could be started") from error

    async def _alive(self) -> BrowserProcess:
        if self._closed:
            raise BrowserGone("the box is closing")
        if self._process is not None and not self._process.dead:
            return self._process
        if self._launching is None or self._launching.done():
            self._launching = self._in_background(self._relaunch())
        try:
            # One launch for all who wait, and none of them can end it by going away.
            return await asyncio.shield(self._launching)
        except (ProtocolError, OperatorError, TimeoutError, OSError) as error:
            logs.fault("browser_not_started", error)
            raise BrowserGone("no browser could be started") from error

    async def _relaunch(self) -> BrowserProcess:
        """Put a new browser into service, whether or not those who wanted it still wait."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._launch_at - loop.time())
        try:
            process = await self._launch(RELAUNCH_SECONDS)
        except BaseException:
            self._launch_at = loop.time() + PAUSE_SECONDS
            raise
        if self._closed:
            await self._end(process)
            raise BrowserGone("the box is closing")
        if (
            self._process is not None and not self._process.dead
        ):  # one that was to be recycled died, and has its successor
            await self._end(process)
            return self._process
        self._process = process
        return process

    async def _launch(self, seconds: float, *, apart: bool = False) -> BrowserProcess:
        path = self._executable or find_executable()
        profile = Path(tempfile.mkdtemp(prefix="browser-"))
        chromium = Chromium(path, profile, sandbox=self._sandbox, niceness=APART_NICENESS if apart else 0)
        process = BrowserProcess(chromium, self._proxy)
        self._processes.add(process)
        try:
            limits = await answer(
                self._begin(process, profile, 1 if apart else self._warm), seconds, process.progress()
            )
            evidence = await sandbox.prove(limits.pages) if self._sandbox else "OFF"
            process.require_alive()  # else a dead one would be put into service
        except BaseException as error:
            lost = process.dead
            await self._end(process)
            if lost and isinstance(error, OperatorError):  # no pages were found, for there is nothing any more
                raise ConnectionLost(ENDED) from error
            raise
        self.evidence = evidence
        self.version, self.user_agent, self.path = chromium.version, chromium.user_agent, str(path)
        logs.event("browser_started", version=self.version, path=self.path, sandbox=self.evidence, pid=chromium.pid)
        largest = self._recycle_memory + self._page_memory
        watch = Watch(process, limits, self._memory, largest=largest, condemn=self._condemn, tell=self._tell)
        self._in_background(watch.run())
        return process

    async def _begin(self, process: BrowserProcess, profile: Path, warm: int) -> ProcessLimits:
        await asyncio.to_thread(self._authorities.lay, profile)
        await process.chromium.start(lambda: self._condemn(process, DIED))
        process.limits = ProcessLimits(process.chromium.pid, self._page_memory, PROCESSES_A_SHOT * self._warm)
        while len(process.warm) < warm:
            self._warm_up(process)
        try:
            await asyncio.gather(*process.warm)
        except asyncio.CancelledError:
            process.require_alive()  # if its own end has cancelled them
            raise
        process.limits.ailment()  # to know from the start what is missed if it ends
        return process.limits

    def _relieve(self, process: BrowserProcess) -> None:
        """End the page that the others wait for, where somebody has waited long: it goes before the browser does."""
        if (
            process.dead or process.limits is None or not process.looks or process.is_lonely
        ):  # who is alone costs nobody anything
            return
        if killed := process.limits.end_greediest(process.looks[0], pages=process.inside > 1):
            self._tell(process, killed)

    def _tell(self, process: BrowserProcess, killed: Killed) -> None:
        """Tell of a process that was ended, and those inside if all of them needed it."""
        logs.event("page_killed", bound=killed.bound, pid=killed.pid, memory=killed.memory)
        if killed.is_page:
            return
        process.spoil("The page took too much of a process that serves all pages.")
        if (
            process is self._process and not process.retiring
        ):  # Chromium draws less after that, and ends itself after a few
            self._replace(process, "helper")

    def _warm_up(self, process: BrowserProcess) -> None:
        process.warm.append(self._in_background(self._open(process)))

    def _refill(self, process: BrowserProcess) -> None:
        """Open tabs for later, unless the cores have shots to work on: then they are opened as they are needed."""
        if (
            not process.dead
            and not process.retiring
            and process.inside < self._cores
            and len(process.warm) < self._warm
        ):
            self._warm_up(process)

    async def _open(self, process: BrowserProcess) -> Tab:
        return await answer(process.open(), CALL_SECONDS, process.progress(), lambda: self._relieve(process))

    async def _put_away(self, process: BrowserProcess, used: asyncio.Task[Tab]) -> None:
        await asyncio.sleep(PUT_AWAY_SECONDS)
        with suppress(ProtocolError, TimeoutError, OSError):  # whoever waited for the tab has heard of it
            tab = await used
            process.used.discard(tab)
            await self._close(process, tab)
        if process is not self._process and not process.inside and not process.dead:  # its successor is there
            await self._end(process)
        elif not process.dead:
            self._refill(process)
            self._recycle(process)

    async def _close(self, process: BrowserProcess, tab: Tab) -> None:
        try:
            await answer(process.close(tab), CALL_SECONDS, process.progress(), lambda: self._relieve(process))
        except (ProtocolError, TimeoutError):
            self._condemn(process, UNCLOSED)

    def _recycle(self, process: BrowserProcess) -> None:
        """Replace a browser that has served long or grown large: the next one first, so that nobody waits for it."""
        if process is not self._process or process.retiring or process.limits is None:
            return
        now = asyncio.get_running_loop().time()
        size, age = process.memory, now - process.begun
        worn = process.shots >= self._recycle_after or size > self._recycle_memory or age > self._recycle_age
        if worn and now > self._recycle_at:
            many, large = process.shots >= self._recycle_after, size > self._recycle_memory
            self._replace(process, "shots" if many else "memory" if large else "age")

    def _replace(self, process: BrowserProcess, reason: str) -> None:
        process.retiring = True
        age = asyncio.get_running_loop().time() - process.begun
        self.restarts[reason] += 1
        logs.event("browser_recycled", reason=reason, shots=process.shots, memory=process.memory, age=round(age))
        self._in_background(self._succeed(process))

    async def _succeed(self, process: BrowserProcess) -> None:
        try:
            successor = await self._launch(LAUNCH_SECONDS)
        except (ProtocolError, OperatorError, TimeoutError, OSError) as error:
            logs.fault("browser_not_started", error)
            process.retiring = False  # better an old one than none
            self._recycle_at = asyncio.get_running_loop().time() + RECYCLE_AGAIN_SECONDS
            return
        if self._process is not process:  # closed, or died, meanwhile
            await self._end(successor)
            return
        self._process = successor
        if not process.inside:
            await self._end(process)

    def _condemn(self, process: BrowserProcess, reason: str) -> None:
        """Take *life* out of service, and start a new one if it was the one in service."""
        if process.dead:
            return
        reason = process.die(reason)
        if process is self._process:  # not while closing, and not one that has a successor
            self.restarts[reason.replace(" ", "_")] += 1
            logs.event("browser_lost", reason=reason)
            if not self._closed:
                self._in_background(self._alive())
        self._ending.add(self._in_background(self._end(process)))

    async def _end(self, process: BrowserProcess) -> None:
        process.dead = True
        warm = list(process.warm)
        process.warm.clear()
        for task in warm:
            task.cancel()
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().egress.close()
        await process.chromium.end()
        self._processes.discard(process)

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


def _absolve(error: Exception) -> None:
    """Raise BrowserGone if *error* is for want of a file handle: no browser is at fault, and none is lost for it."""
    if isinstance(error, OSError) and error.errno in NO_HANDLES:
        raise BrowserGone("the box has no file handles left") from error
