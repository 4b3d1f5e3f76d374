"""One browser from launch to death, and its tabs: each opened before it is asked for, used once, and closed."""

import asyncio
import math
import re
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...egress.proxy import Proxy
from ...egress.session import ProxySession
from ...errors import PageEnded
from ..shot import Window
from .cdp import ConnectionLost, ProtocolError, Session
from .chromium import Chromium
from .process_limits import AILMENTS, ProcessLimits
from .progress import Progress

ENDED = "The browser was ended while it started."
NO_PROXY_FOR_NOTHING = "<-loopback>"  # Chromium would go to loopback past the proxy by itself
SETTLED_SECONDS = 10.0  # after a shot left, what becomes of the browser may still be that one's doing
MISSED_SECONDS = 15.0  # after a process that all pages need has ended, what hangs is to be put down to that
ALIVE_SECONDS = 3.0  # for a blank or broken page to say that it is there
DIED, TOO_LARGE = "it ended", "it has grown too large"
UNOPENED, UNANSWERED = "no tab could be opened", "no answer to a health check"
UNCLOSED = "a tab could not be closed"
# Of a browser's replacement, as they are counted: first those that are planned.
_LOSSES = (DIED, TOO_LARGE, *AILMENTS, UNOPENED, UNANSWERED, UNCLOSED)
CAUSES = ("shots", "memory", "age", "helper", *(reason.replace(" ", "_") for reason in _LOSSES))
# What pages get for families that are no font's name: the same as from a browser with a window, or from Playwright.
FONTS = {
    "standard": "Times New Roman",
    "fixed": "Monospace",
    "serif": "Times New Roman",
    "sansSerif": "Arial",
    "cursive": "Comic Sans MS",
    "fantasy": "Impact",
}
REMEMBERED_LOOKS = 5  # at what each process has used, a second apart
_SHEET = re.compile(r"style-sheet-(\d+)-")
_ENDED_FOR = {
    "page_memory": "The page took more memory than one may, and was ended.",
    "processor": "The page kept the processor so busy that others had to wait, and was ended.",
}


class BrowserGone(Exception):
    """The browser died or hangs; the work it carried can be tried once more in the next one."""

    def __init__(self, reason: str = "the browser was lost") -> None:
        super().__init__(reason)


class PagesBlamed(BrowserGone):
    """It was lost, or spoilt, by what ran in it: by this shot if *alone*, else by one of those that were inside."""

    def __init__(self, reason: str, *, alone: bool) -> None:
        super().__init__(reason)
        self.alone = alone


@dataclass(eq=False)
class Tab:
    """A fresh context with one blank page, the session that speaks to it, and its way to the network."""

    context: str
    target: str  # also the name of its main frame
    session: Session
    egress: ProxySession
    process: "BrowserProcess"
    window: int = 0  # the browser's number of it
    renderer_pid: int = 0  # that it was opened in; 0 if that could not be found out
    crashed: bool = False
    given: float = math.inf  # when a shot got it
    flooding: bool = False  # whether its page has said more than anybody could hear
    fate: Exception | None = None  # why we ended it, for whoever uses it

    def resize(self, width: int, height: int) -> None:
        """Make its window so large, CSS pixels: that is what pages are told of its outside."""
        browser = self.process.chromium.connection.browser
        browser.send("Browser.setWindowBounds", windowId=self.window, bounds={"width": width, "height": height})

    def place_cookie(self, cookie: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
        """Place a cookie in the context, as the protocol spells one; ProtocolError if the browser refuses it."""
        browser = self.process.chromium.connection.browser
        return browser.send("Storage.setCookies", cookies=[cookie], browserContextId=self.context)

    def require_whole(self, moment: float) -> None:
        """Raise what tells that the page was ended, or a process that all pages need, after *moment* (monotonic)."""
        if self.fate is not None:
            raise self.fate
        if self.process.limits is None or self.process.limits.has_missed_a_helper_since(moment):
            raise BrowserGone

    async def require_alive(self, moment: float) -> None:
        """As require_whole, also if the page or its browser has ended.

        What such a page was at ends as if the target had ended it, and before the browser tells what happened.
        """
        with suppress(ProtocolError, TimeoutError):
            async with asyncio.timeout(ALIVE_SECONDS):
                await self.session.send("Runtime.evaluate", expression="1")
                self.require_whole(moment)
                if not self.crashed and not self.process.dead:
                    return
        raise self.fate or (await self.process.lost() if self.process.dead else BrowserGone())


@dataclass(eq=False)
class BrowserProcess:
    """One browser from launch to death, with the tabs it has ready."""

    chromium: Chromium
    proxy: Proxy
    limits: ProcessLimits | None = None  # until it runs
    warm: deque[asyncio.Task[Tab]] = field(default_factory=deque)
    used: set[Tab] = field(default_factory=set)  # by shots that run
    shots: int = 0
    inside: int = 0  # shots that run, those that wait for their tab included
    left: float = -math.inf  # when the last one ended
    dead: bool = False
    _was_lonely: bool = False  # when it died
    loss: BrowserGone | None = None  # once it is dead and why is known
    retiring: bool = False
    begun: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    proven: float = -math.inf  # when it last made a picture
    probing: asyncio.Task[None] | None = None
    looks: deque[dict[int, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LOOKS))

    @property
    def is_lonely(self) -> bool:
        """Whether whatever happens now is the one shot's doing that is inside."""
        return self.inside == 1 and asyncio.get_running_loop().time() - self.left > SETTLED_SECONDS

    def progress(self) -> Progress:
        """Return what tells whether it is at work, from now on."""
        return Progress(lambda: getattr(self.chromium, "connection", None), self._workers)

    def _workers(self) -> set[int]:
        return self.limits.workers() if self.limits is not None else self.chromium.processes()

    @property
    def memory(self) -> int:
        """Bytes that the browser's own process holds."""
        return self.limits.memory() if self.limits is not None else 0

    def require_alive(self) -> None:
        """Raise ConnectionLost if it has ended while it started."""
        if self.dead:
            raise ConnectionLost(ENDED)

    def spoil(self, reason: str) -> None:
        """End the shots inside: a process of the browser was ended that drew for all of them."""
        blamed = PagesBlamed(reason, alone=self.is_lonely)
        for tab in self.used:
            tab.fate = tab.fate or blamed
            tab.session.end()

    def die(self, reason: str) -> str:
        """Hear that it is given up for *reason*; return the one that holds."""
        if reason != DIED and self.limits is not None:
            reason = self.limits.ailment() or reason
            self.loss = self._judge(self.limits, reason)
        self.dead, self._was_lonely = True, self.is_lonely
        return reason

    def _judge(self, limits: ProcessLimits, reason: str) -> BrowserGone:
        if reason == TOO_LARGE:
            return PagesBlamed(reason, alone=self.is_lonely)
        if reason in AILMENTS or limits.has_missed_a_helper_since(time.monotonic() - MISSED_SECONDS):
            return BrowserGone("the browser does not answer")
        return PagesBlamed(reason, alone=False)  # it may have hung by itself: another try, apart, tells

    async def lost(self) -> BrowserGone:
        """Return what those hear who were inside when it died, once it is known of what."""
        if self.loss is None:
            crashed = await self.chromium.has_crashed()
            self.loss = PagesBlamed("it crashed", alone=self._was_lonely) if crashed else BrowserGone()
        return self.loss

    async def open(self) -> Tab:
        """Open a tab. Raises ProtocolError or OSError."""
        egress = await self.proxy.open()
        try:
            return await self._open(egress)
        except BaseException:
            await egress.close()
            raise

    async def _open(self, egress: ProxySession) -> Tab:
        connection = self.chromium.connection
        made = await connection.browser.send(
            "Target.createBrowserContext",
            disposeOnDetach=True,
            proxyServer=egress.url,
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
        tab = Tab(context, target, connection.session(attached["sessionId"]), egress, self)
        tab.session.on("Inspector.targetCrashed", lambda _: self._lose(tab))
        tab.session.send("Inspector.enable")
        renderer_pid = asyncio.ensure_future(_process_of(tab))
        found = connection.browser.send("Browser.getWindowForTarget", targetId=target)
        await tab.session.send("Page.enable")
        tab.session.send("Page.setFontFamilies", fontFamilies=FONTS)
        tab.renderer_pid = await renderer_pid
        tab.window = (await found)["windowId"]
        if self.limits is not None:
            self.limits.tabs.add(tab.renderer_pid)
        return tab

    def _lose(self, tab: Tab) -> None:
        tab.crashed = True
        bound = self.limits.claim(tab.renderer_pid) if self.limits is not None else ""
        if bound:
            tab.fate = tab.fate or PageEnded(_ENDED_FOR[bound])

    async def close(self, tab: Tab) -> None:
        """Close a tab. Raises ProtocolError if that could not be done, though the browser is there."""
        tab.session.forget()
        if self.limits is not None:
            self.limits.tabs.discard(tab.renderer_pid)
        await tab.egress.close()
        with suppress(ConnectionLost):
            await self.chromium.connection.browser.send("Target.disposeBrowserContext", browserContextId=tab.context)

    async def draw(self, tab: Tab) -> None:
        """Have a blank page drawn, which takes all processes: the browser's own, a page's, the GPU's, the network's."""
        crashed = asyncio.Event()
        tab.session.on("Inspector.targetCrashed", lambda _: crashed.set())
        if tab.crashed:
            crashed.set()
        drawing, crashing = asyncio.create_task(_draw(tab)), asyncio.create_task(crashed.wait())
        try:
            await asyncio.wait({drawing, crashing}, return_when=asyncio.FIRST_COMPLETED)
            if not drawing.done() and self.inside:  # the youngest page is the first to go when there are too many
                await self.chromium.connection.browser.send("Browser.getVersion")
                return
            await drawing
        finally:
            drawing.cancel()
            crashing.cancel()


def has_failed(opening: asyncio.Task[Tab]) -> bool:
    """Say whether a tab could not be opened, or its renderer has died since."""
    return opening.done() and (opening.cancelled() or opening.exception() is not None or opening.result().crashed)


async def _draw(tab: Tab) -> None:
    await tab.session.send("Network.getCookies")
    await tab.session.send("Page.captureScreenshot", format="jpeg", quality=1)


async def _process_of(tab: Tab) -> int:
    """Return the process that draws *tab*: of all that a blank page can be asked, names of style sheets have it."""
    send = tab.session.send
    send("DOM.enable")
    send("CSS.enable")
    made = send("CSS.createStyleSheet", frameId=tab.target)
    send("CSS.disable")
    send("DOM.disable")
    name: dict[str, Any] = {}
    with suppress(ProtocolError):
        name = await made
    found = _SHEET.match(str(name.get("styleSheetId", "")))
    return int(found[1]) if found else 0
