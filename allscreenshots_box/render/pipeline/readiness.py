"""When a page is ready for its picture: what is waited for beyond its load, and for how long at most."""

import asyncio
import math
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from ...errors import HttpError
from .. import scripts
from ..activity import BEAT_SECONDS, NO_BODIES
from ..browsers.messages import ORDINARY
from ..outputs.image import NEAR_SECONDS, PARTS
from ..page import Page
from ..shot import Output, Pdf, Picture
from .navigation import navigate
from .navigation_errors import reason, refusal

LOAD_SECONDS = 3.0  # for pictures and the like, where the request does not ask to wait for them
FONT_SECONDS = 1.5
IMAGE_SECONDS = 2.0  # for lazy images in the window, which the load event does not wait for
FRAME_SECONDS = 0.5
LEAST_FRAME_SECONDS = 0.1  # though there is no time left
MOST_NAMES = 2000  # classes and ids that are looked up among those of advertisements
HTTP_ERRORS = 400  # the first status that is one

# A page with scripts is at rest when for so many seconds ...
REST_SECONDS = 5.0  # at most, and then it is taken as it is
REQUEST_SECONDS = 0.1  # no request was answered,
CHANGE_SECONDS = 0.4  # the document did not change: in less, what frameworks draw in steps is missed,
BRIEF_SECONDS = 0.15  # or in these, if no timer was ever set,
ATTACHED_SECONDS = 0.03  # or in these, if no script has asked for anything either,
DRAW_SECONDS = 0.1  # nothing new was drawn,
TIMERS_SECONDS = 1.0  # no timer was set, or that was all it did for so long,
RESTLESS_SECONDS = 0.6  # or what was drawn all the time changed nothing in the document: a film, a style's animation,
TOLD_SECONDS = 0.8  # and its sockets brought nothing, once they brought something,
UNTOLD_SECONDS = 1.0  # or never do.
OPENING_SECONDS = 0.05  # what a socket brings so soon is the word that it is open
# It is as much at rest as it ever will be when for so long it only changes what it has (a clock, a ticker, a drawing
# that goes on), or does nothing but say that it loads.
SAME_SECONDS = 3.0
CALM_SECONDS = 0.2  # without drawing are a pause, where there was one in BURST_SECONDS
BURST_SECONDS = 1.5
CALM_WITHIN_SECONDS = 0.8  # a pause that comes later is not waited for
ENDLESS = {"changes", "animations", "sockets", "loading"}
REFRESH_SECONDS = 0.3  # for a page that goes elsewhere by itself to go
MOST_REFRESHES = 5  # that a page is followed through
YOUNG_SECONDS = 3.0  # in flight; then a request is a long poll
FRAMED_SECONDS = 0.6  # for a frame that has loaded to be drawn, and so to ask for its fonts
ANSWER_SECONDS = 2.0  # for what a worker has asked for, of which only the proxy knows
BUSY_SHARE = 0.2  # of a processor: with more a page's workers are at work, whether or not that shows

HIDE = scripts.read("hide")
_LATE = scripts.read("late_images")
_SETTLE = scripts.read("settle", HIDE=HIDE, LATE=_LATE, **PARTS)
_PULSE = scripts.read("pulse", LATE=_LATE, **PARTS)
_SAYS_LOADING = scripts.read("says_loading")


class Settled(TypedDict):
    """What settling says of a page, and where it is now."""

    scripted: bool
    refreshes: bool
    missed: list[str]
    status: Annotated[int, msgspec.Meta(ge=0, le=65_535)]  # as odd as a server likes
    url: str
    classes: NotRequired[list[str]]
    ids: NotRequired[list[str]]


class _Pulse(TypedDict):
    """What pulse.js returns."""

    known: bool
    quiet: Annotated[float, msgspec.Meta(ge=-1, le=1e9)]
    timers: float
    fonts: bool
    images: bool
    running: bool
    hidden: bool
    foreign: bool
    opaque: bool
    size: tuple[float, float, float, float]


async def settle(page: Page) -> Settled:
    """Wait for pictures and fonts, each within its budget, and until the page has come to rest; say where it is now.

    Raises UrlUnreachable or TargetNotAllowed if it has gone nowhere, HttpError if the request wants that.
    """
    shot = page.shot
    told = await _loaded(page)
    for _ in range(MOST_REFRESHES):
        if told["refreshes"]:  # the browser tells of it once the document is loaded
            await page.until(min(REFRESH_SECONDS, page.left()), lambda: page.leaving)
        if not shot.settle or not await page.leave(min(REST_SECONDS, page.left())):
            break
        told = await _loaded(page)
    moves = told["scripted"] or shot.custom_css or "#" in page.target.url
    if shot.settle and moves and not page.broken and page.left():
        await _Rest(page).come()
        page.missed = [name for name in page.missed if name not in {"load", "fonts", "images"}]
        told = await _loaded(page, brief=True)
    if not any(_scrolls(one) for one in shot.outputs):
        page.activity.stop()
    if told["url"].startswith("chrome-error:"):
        await _find_status(page, told)
    if shot.fail_on_http_error and told["status"] >= HTTP_ERRORS:
        raise HttpError(f"The page answered with status {told['status']}, and failOnHttpError is set.")
    return told


def _scrolls(output: Output) -> bool:
    return isinstance(output, Picture | Pdf) and (output.selector is not None or getattr(output, "full_page", False))


async def _loaded(page: Page, *, brief: bool = False) -> Settled:
    """Have settle.js run; *brief*: without waiting again for what has had its time."""
    shot = page.shot
    if shot.custom_css and not brief:
        await _dress(page, shot.custom_css)
    blocked = shot.blocked
    share = 0 if brief else page.left()
    asked = {
        "whole": shot.wait_until != "commit",
        "hidden": shot.hide_selectors,
        "dressed": bool(shot.custom_css) and not brief,
        "load": 0 if page.missed else min(LOAD_SECONDS, share),
        "fonts": min(FONT_SECONDS, share),
        "images": min(IMAGE_SECONDS, share),
        "frames": min(FRAME_SECONDS, max(LEAST_FRAME_SECONDS, page.left())),
        "near": NEAR_SECONDS,
        "names": MOST_NAMES if blocked.ads or blocked.cookie_banners or blocked.popups else 0,
    }
    told = await _settled(page, asked)
    for name in told["missed"]:
        page.miss(name)
    return told


async def _dress(page: Page, css: str) -> None:
    """Add the caller's style sheet as an inspector would: fonts and imports work, and no policy refuses the rest."""
    if not page.missed:
        await page.reach("domcontentloaded", page.left())
    await page.command("DOM.enable")
    await page.command("CSS.enable")
    made = await page.command("CSS.createStyleSheet", frameId=page.tab.target)
    await page.command("CSS.setStyleSheetText", styleSheetId=made["styleSheetId"], text=css)
    await page.command("CSS.disable")
    await page.command("DOM.disable")


async def _settled(page: Page, asked: dict[str, Any]) -> Settled:
    """Have the page settle; no longer as a whole once its document has ended in the middle."""
    settling: asyncio.Future[Settled] = asyncio.ensure_future(page.run(_SETTLE, asked, Settled, ORDINARY))
    breaking = asyncio.ensure_future(page.until(page.deadline, lambda: page.broken))
    try:
        either: set[asyncio.Future[Any]] = {settling, breaking}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if page.broken and not settling.done():
            page.miss("load")
            settling.cancel()
            broken = asked | {"whole": False, "load": 0}
            settling = asyncio.ensure_future(page.run(_SETTLE, broken, Settled, ORDINARY))
        return await settling
    finally:
        settling.cancel()
        breaking.cancel()


class _Rest:
    """Feels a page's pulse until it has come to rest.

    Spans are counted in beats of the page: a machine that is busy with other work makes it slower, not more restful.
    """

    def __init__(self, page: Page) -> None:
        self._page, self._activity = page, page.activity
        self._loop = asyncio.get_running_loop()
        self._clock = 0.0  # seconds of beats
        self._last: dict[str, float] = {}  # when there was a sign of each kind, on that clock
        self._looked = self._loop.time()
        self._size: tuple[float, ...] = ()
        self._timers = 0.0

    async def come(self) -> None:
        """Wait until it has; what was not awaited is missed."""
        page = self._page
        end = self._loop.time() + min(REST_SECONDS, page.left())
        self._activity.look()
        pending = await self._feel()
        while pending and not self._is_endless(pending) and self._loop.time() < end:
            await asyncio.sleep(BEAT_SECONDS)
            pending = await self._feel()
        if not self._activity.listening:  # it said more than anybody could hear
            pending.append("requests")
        for name in pending:
            page.miss(name)

    async def _feel(self) -> list[str]:
        """Return what is still to come."""
        pulse = await self._page.run(_PULSE, NEAR_SECONDS, _Pulse)
        if not pulse["known"]:  # another document
            await _loaded(self._page)
            self._last.clear()
            return ["changes"]
        self._beat(pulse)
        return self._pending(pulse) or await self._loading()

    # --- signs of life ------------------------------------------------------------------------

    def _beat(self, pulse: _Pulse) -> None:
        """Note what there was since the last one."""
        activity, now = self._activity, self._loop.time()
        before, self._looked = self._looked, now
        first = not self._last
        self._clock += min(now - before, 2 * BEAT_SECONDS)
        share = activity.look()
        signs = {
            "change": pulse["quiet"] < now - before or (not first and pulse["size"] != self._size),
            "draw": activity.drawn > before,
            "request": activity.ended > before,
            "bytes": activity.heard > before or (first and not math.isinf(activity.heard)),
            "timer": pulse["timers"] > (0 if first else self._timers),
            "work": activity.workers and share > BUSY_SHARE,
            "growth": first or pulse["size"] != self._size or pulse["fonts"] or pulse["images"],
        }
        if pulse["foreign"] or (activity.workers and pulse["opaque"]):
            activity.watch_frames()
        signs["pause"] = signs["draw"] and CALM_SECONDS <= self._quiet("draw") < SAME_SECONDS
        self._timers, self._size = pulse["timers"], pulse["size"]
        self._last |= {name: self._clock for name, there in signs.items() if there}
        if first:
            self._last["change"] = self._clock - pulse["quiet"]

    def _quiet(self, name: str) -> float:
        return self._clock - self._last.get(name, -math.inf)

    def _changes(self, pulse: _Pulse) -> bool:
        """Say whether the page is to be thought of as changing still."""
        activity = self._activity
        change = min(self._quiet("change"), self._quiet("draw")) if pulse["opaque"] else self._quiet("change")
        if self._quiet("draw") < DRAW_SECONDS and change < RESTLESS_SECONDS:
            return True
        hides = pulse["opaque"] or activity.workers or activity.scripted
        if math.isinf(self._quiet("timer")) and not hides:
            return change < ATTACHED_SECONDS
        timer = self._quiet("timer")
        if timer < CHANGE_SECONDS and min(change, self._quiet("request")) < TIMERS_SECONDS:
            return True
        hides = activity.workers or activity.framed > -math.inf
        return change < (BRIEF_SECONDS if math.isinf(timer) and not hides else CHANGE_SECONDS)

    def _listens(self) -> bool:
        """Say whether its sockets have yet to tell something, or go on telling."""
        opened = self._activity.sockets.values()
        if not opened:
            return False
        told = self._activity.heard - min(opened) > OPENING_SECONDS
        if told or self._loop.time() - max(opened) >= UNTOLD_SECONDS:
            return self._quiet("bytes") < TOLD_SECONDS
        return True

    def _asks(self) -> bool:
        """Say whether something is in flight, or has just come."""
        activity = self._activity
        if activity.requests(YOUNG_SECONDS) or activity.loads_frames(YOUNG_SECONDS):
            return True
        if activity.workers and activity.asks(ANSWER_SECONDS):
            return True
        if activity.drawn < activity.framed > self._loop.time() - FRAMED_SECONDS:
            return True
        return (activity.scripted or activity.framed > -math.inf) and self._quiet("request") < REQUEST_SECONDS

    def _pending(self, pulse: _Pulse) -> list[str]:
        """Return what is still to come, by the names that callers are told."""
        signs = {
            "requests": self._asks(),
            "fonts": pulse["fonts"],
            "images": pulse["images"],
            "sockets": self._listens(),
            "animations": pulse["running"],
            "changes": self._changes(pulse) or self._quiet("work") < BEAT_SECONDS,
            "blank": pulse["hidden"],
        }
        return [name for name, there in signs.items() if there]

    async def _loading(self) -> list[str]:
        """Return what is to come of a page that does nothing: its readers are told that it loads, or not."""
        return ["loading"] if await self._page.run(_SAYS_LOADING, None, bool) else []

    def _is_endless(self, pending: list[str]) -> bool:
        """Say whether what is to come will be nothing new."""
        if not self._last or not set(pending) <= ENDLESS or self._quiet("growth") < SAME_SECONDS:
            return False
        # What is drawn in bursts is taken between two of them.
        in_burst = self._quiet("draw") < CALM_SECONDS and self._quiet("pause") < BURST_SECONDS
        return not in_burst or self._quiet("growth") >= SAME_SECONDS + CALM_WITHIN_SECONDS


async def _find_status(page: Page, told: Settled) -> None:
    """Find the status of an answer without content, for which the browser shows a page of its own."""
    if refusal(page, page.unreachable) is not None:
        raise reason(page, "")
    status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def answered(event: dict[str, Any]) -> None:
        if event["type"] == "Document" and event["frameId"] == page.tab.target and not status.done():
            status.set_result(event["response"]["status"])

    page.session.on("Network.responseReceived", answered)
    page.session.send("Network.enable", **NO_BODIES)
    text = await navigate(page, page.unreachable)
    if "ERR_HTTP_RESPONSE_CODE_FAILURE" not in text:
        raise reason(page, text)
    told["status"], told["url"] = await status, page.unreachable
