"""One supervised Chromium, and a never-used tab for each shot, opened before it is asked for."""

import asyncio
import os
import shutil
import signal
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, CDPSession, Page, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from .. import logs
from ..errors import OperatorError
from .shot import Shot

EXECUTABLES = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell", "chromium", "google-chrome")
LAUNCH_SECONDS = 20.0
CALL_SECONDS = 5.0  # for opening or closing a tab: an idle machine takes a hundredth of it
HEALTH_SECONDS = 4.0  # for a blank page; an idle machine takes a fiftieth of it
ANSWER_FIRST_SECONDS = 0.025  # the picture goes out before the event loop is busy with the next tab
DISABLED_FEATURES = (
    # With this one, which Playwright turns on, a sixth of first captures fail.
    "CDPScreenshotNewSurface",
    # The last --disable-features wins, so Playwright's own are said again.
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
SWITCHES = [
    f"--disable-features={','.join(DISABLED_FEATURES)}",
    # A picture is of one page: what it would open beside itself is not looked at by anybody.
    "--block-new-web-contents",
    # Pages may not send packets past the network stack that HTTP uses; the two builds read one each.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
]
SECCOMP_FILTER = "2"  # /proc's word for a process that runs under a system call filter


class BrowserGone(Exception):
    """The browser died or hangs; the work it carried can be tried once more in the next one."""


@dataclass
class Tab:
    """A fresh context with one blank page, and the session that speaks to it without detours."""

    context: BrowserContext
    page: Page
    session: CDPSession
    frame_id: str
    life: "_Life"
    crashed: bool = False


@dataclass
class _Life:
    """One browser from launch to death, with the driver that speaks to it and the tabs it has ready."""

    playwright: Playwright
    browser: PlaywrightBrowser
    driver: int  # process id
    warm: deque[asyncio.Task[Tab]] = field(default_factory=deque)
    dead: bool = False


class Browser:
    """Keeps a browser running, replaces it when it dies, and hands out tabs."""

    def __init__(self, executable: Path | None, *, sandbox: bool, warm: int) -> None:
        self._executable = executable
        self._sandbox = sandbox
        self._warm = warm
        self._life: _Life | None = None
        self._launching: asyncio.Task[_Life] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.evidence = "not started"  # of the sandbox
        self.version = ""
        self.path = ""

    async def start(self) -> None:
        """Launch, and prove the sandbox. Raises OperatorError."""
        try:
            self._life = await self._launch()
        except PlaywrightError as error:
            raise OperatorError(_launch_advice(str(error), self._executable)) from error
        except TimeoutError as error:
            raise OperatorError(f"The browser did not start within {LAUNCH_SECONDS:g} s.") from error

    async def close(self) -> None:
        """End the browser and its driver."""
        life, self._life = self._life, None
        if life is not None:
            await self._end(life)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """Hand out a never-used tab, closed after the block whatever happened. Raises BrowserGone."""
        life = await self._alive()
        opening = self._next(life)
        try:
            yield await self._opened(life, opening)
        finally:
            self._in_background(self._renew(life, opening))

    def _next(self, life: _Life) -> asyncio.Task[Tab]:
        """Return a warm tab, or one that is being opened; those whose renderer died while they waited are let go."""
        while life.warm:
            opening = life.warm.popleft()
            if not _has_crashed(opening):
                return opening
            self._in_background(self._renew(life, opening))
        return self._in_background(self._open(life))

    async def _opened(self, life: _Life, opening: asyncio.Task[Tab]) -> Tab:
        try:
            return await asyncio.shield(opening)  # a shot whose deadline passes here leaves no half a tab behind
        except (PlaywrightError, TimeoutError) as error:
            self._condemn(life, "no tab could be opened")
            raise BrowserGone from error

    async def verify(self, tab: Tab | None) -> None:
        """Make the browser of *tab* draw a blank page; condemn it and raise BrowserGone when it cannot in time.

        That takes all of its processes: the browser's own, a renderer, the GPU's and, for cookies, the network's.
        """
        life = tab.life if tab is not None else self._life
        if life is None or life.dead:
            raise BrowserGone
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                probe = await self._open(life)
                await probe.session.send("Network.getCookies")
                await probe.session.send("Page.captureScreenshot", {"format": "jpeg", "quality": 1})
            self._in_background(self._close(life, probe))
        except (PlaywrightError, TimeoutError) as error:
            self._condemn(life, "no answer to a health check")
            raise BrowserGone from error

    async def _alive(self) -> _Life:
        if self._life is not None and not self._life.dead:
            return self._life
        if self._launching is None or self._launching.done():
            self._launching = self._in_background(self._launch())
        try:
            # One launch for all who wait, and none of them can end it by going away.
            self._life = await asyncio.shield(self._launching)
        except (PlaywrightError, OperatorError, TimeoutError, OSError) as error:
            logs.fault("browser_not_started", error)
            raise BrowserGone from error
        return self._life

    async def _launch(self) -> _Life:
        async with asyncio.timeout(LAUNCH_SECONDS):
            before = _children(os.getpid())
            playwright = await async_playwright().start()
            driver = next(iter(_children(os.getpid()) - before), 0)
            try:
                path = self._executable or find_executable(playwright)
                browser = await playwright.chromium.launch(
                    executable_path=path,
                    args=SWITCHES,
                    chromium_sandbox=self._sandbox,
                    timeout=LAUNCH_SECONDS * 1000,
                    # Left on, these end the browser while the shots it carries are still to be finished.
                    handle_sigint=False,
                    handle_sigterm=False,
                    handle_sighup=False,
                )
                life = _Life(playwright, browser, driver)
                browser.on("disconnected", lambda _: self._condemn(life, "it disconnected"))
                for _ in range(self._warm):
                    self._warm_up(life)
                await asyncio.gather(*life.warm)
                self.evidence = _prove_sandbox(driver) if self._sandbox else "OFF"
            except BaseException:
                _kill(driver)
                with suppress(Exception):
                    await playwright.stop()
                raise
        self.version, self.path = browser.version, str(path)
        logs.event("browser_started", version=self.version, path=self.path, sandbox=self.evidence, driver=driver)
        return life

    def _warm_up(self, life: _Life) -> None:
        if not life.dead:
            life.warm.append(self._in_background(self._open(life)))

    async def _open(self, life: _Life) -> Tab:
        async with asyncio.timeout(CALL_SECONDS):
            context = await life.browser.new_context(no_viewport=True, accept_downloads=False, service_workers="block")
            page = await context.new_page()
            session = await context.new_cdp_session(page)
            await session.send("Page.enable")
            await session.send("Emulation.setDeviceMetricsOverride", metrics(Shot.width, Shot.height, Shot.scale))
            await session.send("Fetch.enable", {"patterns": [{"urlPattern": "*", "resourceType": "Document"}]})
            tree = await session.send("Page.getFrameTree")
            tab = Tab(context, page, session, tree["frameTree"]["frame"]["id"], life)
            page.on("crash", lambda _: setattr(tab, "crashed", True))
            return tab

    async def _renew(self, life: _Life, used: asyncio.Task[Tab]) -> None:
        await asyncio.sleep(ANSWER_FIRST_SECONDS)
        with suppress(PlaywrightError, TimeoutError):  # whoever waited for the tab has heard of it
            await self._close(life, await used)
        if len(life.warm) < self._warm:
            self._warm_up(life)

    async def _close(self, life: _Life, tab: Tab) -> None:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await tab.context.close()
        except (PlaywrightError, TimeoutError):
            self._condemn(life, "a tab could not be closed")

    def _condemn(self, life: _Life, reason: str) -> None:
        """Take *life* out of service; the next shot starts a new one."""
        if life.dead:
            return
        life.dead = True
        if life is self._life:  # not while closing
            logs.event("browser_lost", reason=reason)
            self._in_background(self._end(life))

    async def _end(self, life: _Life) -> None:
        life.dead = True
        for task in life.warm:
            task.cancel()
        for polite in (life.browser.close, life.playwright.stop):
            with suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(CALL_SECONDS):
                    await polite()
        _kill(life.driver)

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever awaits the task hears of it; a tab nobody waits for may fail quietly


def _has_crashed(opening: asyncio.Task[Tab]) -> bool:
    return opening.done() and not opening.cancelled() and opening.exception() is None and opening.result().crashed


def metrics(width: int, height: int, scale: int) -> dict[str, Any]:
    """Return the device metrics of a desktop window."""
    return {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}


def find_executable(playwright: Playwright) -> Path:
    """Return the Chromium to drive: headless shell is twice as fast as the full browser. Raises OperatorError."""
    for name in EXECUTABLES:
        if found := shutil.which(name):
            return Path(found)
    own = Path(playwright.chromium.executable_path)
    if own.exists():
        return own
    raise OperatorError(
        "No Chromium was found: `apt-get install chromium-headless-shell`, or name one with the setting browser."
    )


def _launch_advice(text: str, executable: Path | None) -> str:
    if "sandbox" in text.lower():
        return (
            "Chromium cannot build its sandbox here: allow unprivileged user namespaces "
            "(`sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu "
            "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`) and do not run as root."
        )
    return (
        f"The browser {executable or 'that was found'} does not start: run it by hand with --headless --version to see "
        "why, or name another with the setting browser."
    )


# --- processes ----------------------------------------------------------------------------------


def _children(pid: int) -> set[int]:
    """Return the direct children of *pid*."""
    found: set[int] = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(child) for child in listing.read_text().split()}
    return found


def descendants(pid: int) -> set[int]:
    """Return every process below *pid*."""
    found = _children(pid)
    for child in list(found):
        found |= descendants(child)
    return found


def _kill(driver: int) -> None:
    """End the driver and all it started; it is our own child, so the numbers are ours."""
    if not driver or driver not in _children(os.getpid()):
        return
    for pid in {driver} | descendants(driver):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _prove_sandbox(driver: int) -> str:
    """Return the evidence that pages run inside the sandbox. Raises OperatorError if there is none."""
    for pid in descendants(driver):
        with suppress(OSError):
            if b"--type=renderer" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                continue
            status = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
            )
            if status["Seccomp"] == SECCOMP_FILTER and len(status["NSpid"].split()) > 1:
                return f"on (renderer {pid}: system call filter, own process namespace)"
    raise OperatorError(
        "Chromium runs, but its pages are not in a sandbox: allow unprivileged user namespaces "
        "(`sysctl kernel.unprivileged_userns_clone=1`), or set dangerously_disable_sandbox if you must."
    )
