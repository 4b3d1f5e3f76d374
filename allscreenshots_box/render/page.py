"""One page during one shot: where it is, what it has reached, and JavaScript beside its own."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import msgspec

from ..egress import policy
from ..errors import BoxError, DeadlinePassed, PageCrashed, PageTooLarge
from . import scripts
from .activity import Activity
from .browsers.cdp import DETACHED, DROPPED, FLOODED, AnswerTooLarge, ConnectionLost, ProtocolError, Session
from .browsers.messages import ORDINARY, WEIGHED, decoded
from .browsers.tab_pool import Tab
from .queue import LEAST_REST
from .shot import Shot

T = TypeVar("T")

RESERVE_SECONDS = 1.0  # of the deadline, kept for taking the picture
RESERVE_SHARE = 0.25  # and never more of it than this
NAVIGATIONS = 40  # a page may move on this often while it is being waited for ...
BETWEEN_SECONDS = 0.05  # ... and has this long to arrive
SOON_SECONDS = 1.0  # a refresh that comes later is not waited for
LEFT_SECONDS = 0.3  # after it has moved on, for what was asked before to be refused
WORLD = "box"  # the name of ours
LONGEST_TEXT = 64 << 20  # characters of JSON that a page is read into
BRIEF = 1 << 20  # characters that are decoded on the event loop, in some milliseconds
MOST_FLOODS = 4  # of the pipe, by a page whose network is listened to

Aside = Callable[[], AbstractContextManager[None]]

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
_RESTLESS = "The page moved on again and again while it was waited for."
_OPAQUE = "The page is not one that can be looked into."
TALKATIVE = "What the page says of itself is too large: ask for a picture of a part of it."

_CUT = scripts.read("cut")
_KEEP = scripts.read("keep", CUT=_CUT)


class Page:
    """A tab while it is used, and how far its document is."""

    def __init__(
        self, tab: Tab, shot: Shot, allowed_target: policy.AllowedTarget, deadline: float, aside: Aside = nullcontext
    ) -> None:
        self.tab = tab
        self.shot = shot
        self.allowed_target = allowed_target
        self.target = allowed_target.target
        self.deadline = deadline  # on the event loop's clock
        self._aside = aside  # around what takes nothing but time
        self.missed: list[str] = []  # what could not be waited for
        self.arrived = False  # whether the document that was asked for is there
        self.url = ""  # of the document that is there
        self._departed = False  # whether it has left for there
        self.leaving = False  # whether it is about to go to another by itself: a refresh, say
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
        self._asked: set[asyncio.Future[Any]] = set()  # of the document that is there
        self._given_up: set[asyncio.Future[Any]] = set()
        self._moving = False
        self._floods = 0
        self.activity = Activity(tab)
        on = tab.session.on
        on("Page.frameNavigated", self._navigated)
        on("Page.domContentEventFired", lambda _: self._reach("domcontentloaded"))
        on("Page.loadEventFired", lambda _: self._reach("load"))
        on("Page.frameStartedLoading", lambda event: self._move(event, moving=True))
        on("Page.frameStoppedLoading", lambda event: self._move(event, moving=False))
        on("Page.frameScheduledNavigation", self._schedule)
        on("Page.frameRequestedNavigation", self._depart)
        on("Page.frameClearedScheduledNavigation", self._stay)
        on("Page.javascriptDialogOpening", self._dismiss)
        on("Inspector.targetCrashed", self._lose)
        on(DETACHED, self._lose)
        on(DROPPED, self._mend)
        on(FLOODED, self._stem)
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
        await self.pause(delay)

    async def pause(self, seconds: float) -> None:
        """Wait for so long because the request says so, out of the way of other shots if it is worth it."""
        with self._aside() if seconds >= LEAST_REST else nullcontext():
            await asyncio.sleep(seconds)

    def miss(self, name: str) -> None:
        """Note what was not waited for to its end."""
        if name not in self.missed:
            self.missed.append(name)

    # --- where it is --------------------------------------------------------------------------

    def _navigated(self, event: dict[str, Any]) -> None:
        if event["frame"]["id"] == self.tab.target:
            self._reached.clear()
            self.broken = self.leaving = self._departed = False
            self.url = event["frame"]["url"]
            self._leave()
            self._enter()
            self.unreachable = event["frame"].get("unreachableUrl", "")
            self._changed.set()

    def _leave(self) -> None:
        """Give up what was asked of the document before: Chromium does not always answer that it is gone."""
        asked, self._asked = self._asked, set()
        if asked:
            self._loop.call_later(LEFT_SECONDS, self._give_up, asked)

    def _give_up(self, asked: set[asyncio.Future[Any]]) -> None:
        for answer in asked:
            if not answer.done() and answer not in self._asked:
                self._given_up.add(answer)
                answer.cancel()

    def _reach(self, milestone: str) -> None:
        self._reached.add(milestone)
        self._changed.set()

    def _move(self, event: dict[str, Any], *, moving: bool) -> None:
        if event["frameId"] == self.tab.target:
            self._moving = moving
            if not moving and self._departed:  # it went nowhere: an answer without content, a download
                self.leaving = self._departed = False
            self.broken = not moving and "domcontentloaded" not in self._reached
            self._changed.set()

    def _schedule(self, event: dict[str, Any]) -> None:
        if event["frameId"] == self.tab.target and event.get("delay", 0) <= SOON_SECONDS:
            self.leaving = event.get("url", "").partition("#")[0] != self.url.partition("#")[0]
            self._changed.set()

    def _depart(self, event: dict[str, Any]) -> None:
        if event["frameId"] == self.tab.target:
            self.leaving = self._departed = True
            self._changed.set()

    def _stay(self, event: dict[str, Any]) -> None:
        if event["frameId"] == self.tab.target and not self._departed:
            self.leaving = False
            self._changed.set()

    def _dismiss(self, event: dict[str, Any]) -> None:
        leaving = event["type"] == "beforeunload"
        self.session.send("Page.handleJavaScriptDialog", accept=leaving)

    def _lose(self, _: dict[str, Any]) -> None:
        self.fail(PageCrashed("The page closed itself or crashed."))

    def _mend(self, event: dict[str, Any]) -> None:
        """Do without an event that was too large: only a dialog would hold up the page."""
        if event["method"] == "Page.javascriptDialogOpening":
            self.session.send("Page.handleJavaScriptDialog", accept=False)

    def _stem(self, _: dict[str, Any]) -> None:
        """Listen to the network no more, for it never rests; a page that floods the pipe all the same has to go."""
        self._floods += 1
        self.tab.flooding = True
        if self._floods > MOST_FLOODS or not self.activity.began:
            self.fail(PageTooLarge("The page's frames, names and addresses are too many or too long."))
        self.activity.stop()

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

    async def leave(self, seconds: float) -> bool:
        """Wait while the page is about to go elsewhere; say whether it was."""
        was = self.leaving
        if was:
            await self.until(seconds, lambda: not self.leaving)
            await self.come_to_rest(seconds)
        return was

    async def come_to_rest(self, seconds: float) -> bool:
        """Wait while the page is on its way to another document."""
        await asyncio.sleep(min(seconds, BETWEEN_SECONDS))  # for the browser to tell that it is
        return await self.until(seconds, lambda: not self._moving)

    # --- JavaScript ---------------------------------------------------------------------------

    async def run(self, function: str, argument: Any = None, shape: Any = None, largest: int = WEIGHED) -> Any:
        """Call a JavaScript function beside the page's own, again if the page moves on meanwhile.

        In a world of its own: it sees the page's document, and none of what the page's scripts did to the language.
        Raises PageCrashed if what comes back has not that *shape*, and PageTooLarge if it comes in more than *largest*
        bytes: for what may be long there is read.
        """
        call = {"expression": f"({function})({json.dumps(argument)})", "awaitPromise": True, "returnByValue": True}

        async def ask() -> dict[str, Any]:
            context = await self._own_world()
            if (asking := asyncio.current_task()) is not None:  # it is the document that is there now that is asked
                self._asked.add(asking)
            return await self.session.send("Runtime.evaluate", largest, contextId=context, **call)

        try:
            answer = await self._again(ask)
        except AnswerTooLarge as error:
            raise PageTooLarge(TALKATIVE) from error
        if "exceptionDetails" in answer:
            raise PageCrashed(_OPAQUE)
        return _shaped(_value(answer), shape)

    async def read(self, function: str, argument: Any, shape: Any) -> Any:
        """As run, for an answer that may be long: it comes in parts, and other pages have their turns in between."""
        keep = scripts.put(_KEEP, FUNCTION=function)
        for _ in range(NAVIGATIONS):
            parts: list[str] = []
            size, more = 0, True
            part = await self.run(keep, argument, _PART_SHAPE, ORDINARY)
            while part is not None:
                text, place, more = part
                parts.append(text)
                size += len(text)
                if size > LONGEST_TEXT:
                    raise PageTooLarge(f"The text of the page has more than {LONGEST_TEXT:,} characters.")
                if not more:
                    return await _joined(parts, size, shape)
                part = await self.run(_CUT, place, _PART_SHAPE, ORDINARY)
        raise DeadlinePassed(_RESTLESS)

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send the page a command, again if the page moves on meanwhile."""

        async def ask() -> dict[str, Any]:
            return await self.session.send(method, **params)

        return await self._again(ask)

    async def fetch(self, method: str, largest: int, **params: Any) -> bytes:
        """Send the page a command that is answered with data, as Session.fetch does, and again if it moves on."""

        async def ask() -> bytes:
            return await self.session.fetch(method, largest, **params)

        return await self._again(ask)

    async def _again(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        for _ in range(NAVIGATIONS):
            asking: asyncio.Future[T] = asyncio.ensure_future(ask())
            self._asked.add(asking)
            try:
                return await asking
            except ProtocolError as error:
                if not any(words in str(error) for words in _MOVED_ON):
                    raise
                self._world = None
            except asyncio.CancelledError:
                if asking not in self._given_up:
                    raise
            finally:
                asking.cancel()
                self._asked.discard(asking)
            await asyncio.sleep(BETWEEN_SECONDS)
        raise DeadlinePassed(_RESTLESS)

    async def tell(self, expression: str) -> None:
        """Evaluate JavaScript in the page's own world, and listen to nothing that it says: there it may be anything."""
        try:
            await self.session.send("Runtime.evaluate", WEIGHED, expression=expression)
        except ConnectionLost:
            raise
        except ProtocolError:
            return

    async def _own_world(self) -> int:
        made = await asyncio.shield(self._world or self._enter())  # others want it too
        return int(made["executionContextId"])

    def _enter(self) -> asyncio.Future[dict[str, Any]]:
        """Have a world of our own made in the document, as soon as it is there: it is wanted before long."""
        self._world = self.session.send("Page.createIsolatedWorld", frameId=self.tab.target, worldName=WORLD)
        return self._world


_PART_SHAPE = tuple[str, int, bool] | None


def _value(answer: dict[str, Any]) -> Any:
    result = answer.get("result")
    return result.get("value") if isinstance(result, dict) else None


def _shaped(value: Any, shape: Any) -> Any:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise PageCrashed(_OPAQUE) from error


async def _joined(parts: list[str], size: int, shape: Any) -> Any:
    text = "".join(parts)
    try:
        return decoded(text, shape) if size < BRIEF else await asyncio.to_thread(decoded, text, shape)
    except (ValueError, RecursionError) as error:
        raise PageCrashed(_OPAQUE) from error
