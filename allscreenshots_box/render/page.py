"""One page during one shot: where it is, what it has reached, and JavaScript beside its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from .. import outbound
from ..errors import BoxError, DeadlinePassed, PageCrashed
from .browser import Tab
from .cdp import DETACHED, ProtocolError, Session
from .shot import Shot

RESERVE_SECONDS = 1.0  # of the deadline, kept for taking the picture
RESERVE_SHARE = 0.25  # and never more of it than this
NAVIGATIONS = 40  # a page may move on this often while it is being waited for ...
BETWEEN_SECONDS = 0.05  # ... and has this long to arrive
WORLD = "box"  # the name of ours
QUIET_SECONDS = 0.5  # without a request: what networkidle means

_MOVED_ON = (
    "navigated or closed",
    "context was destroyed",
    "Cannot find context",
    "Promise was collected",
    "was not found",
    "No frame for given id",
    "uniqueContextId not found",
    "Not attached to an active page",
)


class Page:
    """A tab while it is used, and how far its document is."""

    def __init__(self, tab: Tab, shot: Shot, vetted: outbound.Vetted, deadline: float) -> None:
        self.tab = tab
        self.shot = shot
        self.vetted = vetted
        self.target = vetted.target
        self.deadline = deadline  # on the event loop's clock
        self.missed: list[str] = []  # what could not be waited for
        self.arrived = False  # whether the document that was asked for is there
        self.unreachable = ""  # the address that the browser shows an error about, if it does
        self.broken = False  # whether its document ended in the middle: more of it will not come
        self.gone: asyncio.Future[BoxError] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        allowed = deadline - self._loop.time() - shot.delay
        self._ready_by = deadline - min(RESERVE_SECONDS, allowed * RESERVE_SHARE)
        self._delay = shot.delay  # still to come, and nobody else's time
        self._reached: set[str] = set()
        self._changed = asyncio.Event()
        self._world: asyncio.Future[dict[str, Any]] | None = None
        self._moving = False
        self._requests: set[str] | None = None  # in flight, once they are counted
        self._quiet_since = 0.0
        on = tab.session.on
        on("Page.frameNavigated", self._navigated)
        on("Page.domContentEventFired", lambda _: self._reach("domcontentloaded"))
        on("Page.loadEventFired", lambda _: self._reach("load"))
        on("Page.frameStartedLoading", lambda event: self._move(event, moving=True))
        on("Page.frameStoppedLoading", lambda event: self._move(event, moving=False))
        on("Page.javascriptDialogOpening", self._dismiss)
        on("Inspector.targetCrashed", self._lose)
        on(DETACHED, self._lose)
        if tab.crashed:
            self._lose({})

    @property
    def session(self) -> Session:
        """What speaks to the page."""
        return self.tab.session

    @property
    def scale(self) -> float:
        """Device pixels to a CSS pixel."""
        return self.shot.window.scale

    def left(self) -> float:
        """Return the seconds until it is time to take the picture."""
        return max(0.0, self._ready_by - self._loop.time() - self._delay)

    async def rest(self) -> None:
        """Wait as long as the request says."""
        delay, self._delay = self._delay, 0.0
        if delay:
            await asyncio.sleep(delay)

    def miss(self, name: str) -> None:
        """Note what was not waited for to its end."""
        if name not in self.missed:
            self.missed.append(name)

    # --- where it is --------------------------------------------------------------------------

    def _navigated(self, event: dict[str, Any]) -> None:
        if event["frame"]["id"] == self.tab.target:
            self._reached.clear()
            self.broken = False
            self._enter()
            self.unreachable = event["frame"].get("unreachableUrl", "")

    def _reach(self, milestone: str) -> None:
        self._reached.add(milestone)
        self._changed.set()

    def _move(self, event: dict[str, Any], *, moving: bool) -> None:
        if event["frameId"] == self.tab.target:
            self._moving = moving
            self.broken = not moving and "domcontentloaded" not in self._reached
            self._changed.set()

    def _dismiss(self, event: dict[str, Any]) -> None:
        leaving = event["type"] == "beforeunload"
        self.session.send("Page.handleJavaScriptDialog", accept=leaving)

    def _lose(self, _: dict[str, Any]) -> None:
        self.fail(PageCrashed("The page closed itself or crashed."))

    def fail(self, error: BoxError) -> None:
        """End the shot with *error*, if nothing else has ended it."""
        if not self.gone.done():
            self.gone.set_result(error)

    async def until(self, seconds: float, arrived: Callable[[], bool]) -> bool:
        """Wait for the page to change until *arrived*; say whether it did in time."""
        try:
            async with asyncio.timeout(seconds):
                while not arrived():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def reach(self, milestone: str, seconds: float) -> bool:
        """Wait for domcontentloaded or load of the document that is there; say whether it came in time."""
        await self.until(seconds, lambda: milestone in self._reached or self.broken)
        return milestone in self._reached

    async def come_to_rest(self, seconds: float) -> bool:
        """Wait while the page is on its way to another document."""
        await asyncio.sleep(min(seconds, BETWEEN_SECONDS))  # for the browser to tell that it is
        return await self.until(seconds, lambda: not self._moving)

    def count_requests(self) -> None:
        """Begin to count what is in flight, for those who wait for a quiet network."""
        if self._requests is not None:
            return
        in_flight: set[str] = set()
        self._requests = in_flight
        self._quiet_since = self._loop.time()

        def begin(event: dict[str, Any]) -> None:
            # The document has milestones of its own, and its end is not always told.
            if event.get("type") == "Document" or event["request"]["url"].startswith(("data:", "blob:")):
                return
            in_flight.add(event["requestId"])

        def end(event: dict[str, Any]) -> None:
            in_flight.discard(event["requestId"])
            self._quiet_since = self._loop.time()

        self.session.on("Network.requestWillBeSent", begin)
        self.session.on("Network.loadingFinished", end)
        self.session.on("Network.loadingFailed", end)
        self.session.send("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)

    async def be_quiet(self, seconds: float) -> bool:
        """Wait until no request was in flight for half a second; say whether that came in time."""
        self.count_requests()
        end = self._loop.time() + seconds
        self._quiet_since = max(self._quiet_since, self._loop.time() - BETWEEN_SECONDS)
        while (now := self._loop.time()) < end:
            if not self._requests and now - self._quiet_since >= QUIET_SECONDS:
                return True
            await asyncio.sleep(BETWEEN_SECONDS)
        return False

    # --- JavaScript ---------------------------------------------------------------------------

    async def run(self, function: str, argument: Any = None) -> Any:
        """Call a JavaScript function beside the page's own, again if the page moves on meanwhile.

        In a world of its own: it sees the page's document, and none of what the page's scripts did to the language.
        """
        call = {"expression": f"({function})({json.dumps(argument)})", "awaitPromise": True, "returnByValue": True}

        async def ask() -> dict[str, Any]:
            return await self.session.send("Runtime.evaluate", contextId=await self._own_world(), **call)

        answer = await self._again(ask)
        if "exceptionDetails" in answer:
            raise PageCrashed("The page is not one that can be looked into.")
        return answer["result"].get("value")

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send the page a command, again if the page moves on meanwhile."""

        async def ask() -> dict[str, Any]:
            return await self.session.send(method, **params)

        return await self._again(ask)

    async def _again(self, ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        for _ in range(NAVIGATIONS):
            try:
                return await ask()
            except ProtocolError as error:
                if not any(words in str(error) for words in _MOVED_ON):
                    raise
                self._world = None
                await asyncio.sleep(BETWEEN_SECONDS)
        raise DeadlinePassed("The page moved on again and again while it was waited for.")

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript in the page's own world. What comes back is the page's word, and may be anything."""
        answer = await self.session.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        return answer["result"].get("value")

    async def _own_world(self) -> int:
        made = await asyncio.shield(self._world or self._enter())  # others want it too
        return int(made["executionContextId"])

    def _enter(self) -> asyncio.Future[dict[str, Any]]:
        """Have a world of our own made in the document, as soon as it is there: it is wanted before long."""
        self._world = self.session.send("Page.createIsolatedWorld", frameId=self.tab.target, worldName=WORLD)
        return self._world
