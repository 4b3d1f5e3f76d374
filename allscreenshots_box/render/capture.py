"""The pipeline from a blank tab to a picture, one step a function."""

import asyncio
import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Response

from .. import outbound
from ..errors import (
    BoxError,
    DeadlinePassed,
    InvalidRequest,
    NotAPage,
    PageCrashed,
    PageTooLarge,
    SelectorNotFound,
    TargetNotAllowed,
    UrlUnreachable,
)
from .browser import Tab, metrics
from .shot import MEDIA_TYPES, Milestone, Rendering, Shot

LARGEST_SIDE = 16_384  # device pixels; beyond it Chromium repeats or blanks what it draws
LOAD_SECONDS = 3.0  # for pictures and the like, where the request does not ask to wait for them
IDLE_SECONDS = 10.0  # many pages are never idle
FONT_SECONDS = 1.5
FRAME_SECONDS = 0.5
SELECTOR_SECONDS = 5.0
SCROLL_SECONDS = 5.0
RESERVE_SECONDS = 1.0  # of the deadline, kept for taking the picture
RESERVE_SHARE = 0.25  # and never more of it than this
GRACE_SECONDS = 0.1  # for an answer to come back from the page
NAVIGATIONS = 40  # a page may move on this often while it is being waited for ...
BETWEEN_SECONDS = 0.05  # ... and has this long to arrive

_NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)")
_MOVED_ON = (
    "navigated or closed",
    "context was destroyed",
    "Cannot find context",
    "Promise was collected",
    "was not found",
)
_CRASHES = ("crashed", "has been closed", "Target closed", "detached")
_UNREACHABLE = {
    "ERR_NAME_NOT_RESOLVED": "its host name could not be resolved",
    "ERR_CONNECTION_REFUSED": "the connection was refused",
    "ERR_CONNECTION_RESET": "the connection was reset",
    "ERR_CONNECTION_CLOSED": "the connection was closed",
    "ERR_EMPTY_RESPONSE": "the server sent nothing",
    "ERR_CONNECTION_TIMED_OUT": "the connection timed out",
    "ERR_ADDRESS_UNREACHABLE": "there is no route to it",
    "ERR_INTERNET_DISCONNECTED": "this machine has no network",
    "ERR_TOO_MANY_REDIRECTS": "it redirects without end",
    "ERR_INVALID_HTTP_RESPONSE": "the answer is not HTTP",
    "ERR_HTTP_RESPONSE_CODE_FAILURE": "it answered with an error and no content",
    "ERR_UNSAFE_REDIRECT": "it redirects to something that is not a web page",
}

_SETTLE = """async ({load, fonts, frames}) => {
  const missed = [];
  const late = Symbol();
  const within = async (promise, name, seconds) => {
    const timer = new Promise(done => setTimeout(done, seconds * 1000, late));
    if (await Promise.race([promise, timer]) === late) missed.push(name);
  };
  if (document.readyState !== 'complete')
    await within(new Promise(done => addEventListener('load', done, {once: true})), 'load', load);
  await within(document.fonts.ready, 'fonts', fonts);
  const frame = () => new Promise(done => requestAnimationFrame(done));
  await within(frame().then(frame), 'frames', frames);
  const navigation = performance.getEntriesByType('navigation')[0];
  return {missed, status: navigation ? navigation.responseStatus : 0, url: location.href};
}"""

_CHECK = """selectors => {
  const blank = document.createDocumentFragment();
  return selectors.map(selector => { try { blank.querySelector(selector); return true } catch { return false } });
}"""

_WAIT_FOR = """async ({selector, seconds}) => {
  const end = performance.now() + seconds * 1000;
  while (!document.querySelector(selector)) {
    if (performance.now() > end) return false;
    await new Promise(done => setTimeout(done, 50));
  }
  return true;
}"""

_DRESS = """({hidden, css}) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  for (const selector of hidden) {
    const rule = sheet.cssRules[sheet.insertRule('html { display: none !important }', sheet.cssRules.length)];
    rule.selectorText = '#selector-to-come';  // one by one: no selector can swallow what comes after it
    rule.selectorText = selector;
  }
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""

_BOX = """selector => {
  const element = document.querySelector(selector);
  if (!element) return null;
  const {x, y, width, height} = element.getBoundingClientRect();
  return {x: x + scrollX, y: y + scrollY, width, height};
}"""

_WAKE = """async seconds => {
  const end = performance.now() + seconds * 1000;
  const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  const height = () => document.documentElement.scrollHeight;
  for (let y = 0; y < height() && performance.now() < end; y += innerHeight) {
    scrollTo({top: y, behavior: 'instant'});
    await pause(50);
  }
  scrollTo({top: 0, behavior: 'instant'});
  const waiting = () => [...document.images].some(image => !image.complete);
  while (waiting() && performance.now() < end) await pause(50);
  return waiting();
}"""


@dataclass
class Take:
    """One attempt at a shot: what it works with, and what it could not wait for."""

    tab: Tab
    shot: Shot
    target: outbound.Target
    deadline: float  # on the event loop's clock
    missed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        left = self.deadline - asyncio.get_running_loop().time()
        self._ready_by = self.deadline - min(RESERVE_SECONDS, left * RESERVE_SHARE)

    def left(self) -> float:
        """Return the seconds until it is time to take the picture."""
        return max(0.0, self._ready_by - asyncio.get_running_loop().time())


async def capture(take: Take, policy: outbound.Policy) -> Rendering:
    """Take the picture; the caller holds the deadline.

    Raises the PageError or InvalidRequest that tells what the page or the request has wrong, and
    TargetNotAllowed if the page leads where the box does not go.
    """
    door = Door(take, policy)
    steps = asyncio.create_task(_steps(take))
    try:
        either: set[asyncio.Future[Any]] = {steps, door.shut}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if door.shut.done():
            raise door.shut.result()
        return await steps
    except PlaywrightError as error:
        raise _told(str(error)) from error
    finally:
        steps.cancel()
        await asyncio.gather(steps, return_exceptions=True)


async def _steps(take: Take) -> Rendering:
    await prepare(take)
    response = await go(take)
    await wait(take)
    await dress(take)
    page = await settle(take)
    content = await shoot(take)
    status, url = _where(response, page)
    return Rendering(
        content=content,
        media_type=MEDIA_TYPES[take.shot.format],
        target_status=status,
        target_url=url,
        not_awaited=tuple(take.missed),
    )


class Door:
    """Watches where the tab goes, and shuts when it is a place that the box does not go to, or the tab is lost.

    Each document is judged before it is fetched, redirects included. What a page had prefetched is shown without
    being fetched, so where the tab arrives is judged as well.
    """

    def __init__(self, take: Take, policy: outbound.Policy) -> None:
        self._tab = take.tab
        self._vetted = {(take.target.host, take.target.port)}
        self._policy = policy
        self._tasks: set[asyncio.Task[None]] = set()
        self.shut: asyncio.Future[BoxError] = asyncio.get_running_loop().create_future()
        take.tab.session.on("Fetch.requestPaused", self._paused)
        take.tab.session.on("Page.frameNavigated", self._arrived)
        take.tab.page.on("crash", lambda _: self._shut(PageCrashed("The page closed itself or crashed.")))

    def _shut(self, reason: BoxError) -> None:
        if not self.shut.done():
            self.shut.set_result(reason)

    def _arrived(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if frame["id"] != self._tab.frame_id or not frame["url"].startswith(("http:", "https:")):
            return
        target = outbound.parse(frame["url"])
        if (target.host, target.port) not in self._vetted:
            self._shut(TargetNotAllowed(f"the page went to {target.host}:{target.port} without being let"))

    def _paused(self, event: dict[str, Any]) -> None:
        task = asyncio.create_task(self._answer(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, event: dict[str, Any]) -> None:
        request = {"requestId": event["requestId"]}
        reason = await self._objection(event)
        try:
            if reason is None:
                await self._tab.session.send("Fetch.continueRequest", request)
            else:
                await self._tab.session.send("Fetch.failRequest", request | {"errorReason": reason})
        except PlaywrightError:
            pass  # the tab is gone, and the request with it

    async def _objection(self, event: dict[str, Any]) -> str | None:
        """Return the network error that the browser shall report instead of asking, if any."""
        url = event["request"]["url"].partition("#")[0]
        try:
            target = outbound.parse(url)
            if (target.host, target.port) not in self._vetted:
                await outbound.judge(url, self._policy)
                self._vetted.add((target.host, target.port))
        except UrlUnreachable:
            return "NameNotResolved"
        except BoxError as error:
            if event["frameId"] == self._tab.frame_id:
                known = isinstance(error, TargetNotAllowed)
                self._shut(error if known else TargetNotAllowed("the page leads to what is not a web address"))
            return "BlockedByClient"
        return None


async def prepare(take: Take) -> None:
    """Give the blank tab its size and scheme; refuse what is not a CSS selector before anything is fetched."""
    tab, shot = take.tab, take.shot
    if (shot.width, shot.height, shot.scale) != (Shot.width, Shot.height, Shot.scale):
        await tab.session.send("Emulation.setDeviceMetricsOverride", metrics(shot.width, shot.height, shot.scale))
    if shot.dark_mode:
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        await tab.session.send("Emulation.setEmulatedMedia", {"features": [dark]})
    named = {"selector": shot.selector, "waitFor": shot.wait_for}
    named |= {f"hideSelectors[{number}]": selector for number, selector in enumerate(shot.hide_selectors)}
    given = {field: selector for field, selector in named.items() if selector is not None}
    if given:
        good = await _in_page(tab, _CHECK, list(given.values()))
        wrong = [field for field, fine in zip(given, good, strict=True) if not fine]
        if wrong:
            raise InvalidRequest(
                f"{', '.join(wrong)} must be a CSS selector.", dict.fromkeys(wrong, "must be a CSS selector")
            )


async def go(take: Take) -> Response | None:
    """Open the page up to its milestone. Only commit and domcontentloaded must come; the others have a budget."""
    page, milestone = take.tab.page, take.shot.wait_until
    first: Milestone = "commit" if milestone == "commit" else "domcontentloaded"
    response = await page.goto(take.target.url, wait_until=first, timeout=0)
    if milestone == "load" or milestone == "networkidle":  # noqa: PLR1714 - narrows the type
        budget = take.left() if milestone == "load" else min(IDLE_SECONDS, take.left())
        try:
            async with asyncio.timeout(budget):
                await page.wait_for_load_state(milestone, timeout=0)
        except TimeoutError:
            take.missed.append(milestone)
    return response


async def wait(take: Take) -> None:
    """Wait for the element that must be there, and then as long as the request says."""
    shot = take.shot
    if shot.wait_for is not None:
        await _need(take, "waitFor", shot.wait_for, take.left() - shot.delay)
    if shot.selector is not None:
        await _need(take, "selector", shot.selector, min(SELECTOR_SECONDS, take.left() - shot.delay))
    if shot.delay:
        await asyncio.sleep(shot.delay)


async def dress(take: Take) -> None:
    """Add the caller's style, in a way that no content security policy of the page can refuse."""
    hidden, css = take.shot.hide_selectors, take.shot.custom_css
    if hidden or css:
        await _in_page(take.tab, _DRESS, {"hidden": hidden, "css": css or ""})


async def settle(take: Take) -> dict[str, Any]:
    """Wait for pictures, fonts and two frames, each within its budget; return where the page is now."""
    if take.shot.full_page and await _in_page(take.tab, _WAKE, min(SCROLL_SECONDS, take.left())):
        take.missed.append("images")
    load = 0 if take.missed else min(LOAD_SECONDS, take.left())
    budgets = {"load": load, "fonts": min(FONT_SECONDS, take.left()), "frames": FRAME_SECONDS}
    page: dict[str, Any] = await _in_page(take.tab, _SETTLE, budgets)
    take.missed.extend(name for name in page["missed"] if name not in take.missed)
    return page


async def shoot(take: Take) -> bytes:
    """Take the picture."""
    tab, shot = take.tab, take.shot
    order: dict[str, Any] = {"format": shot.format, "optimizeForSpeed": True}
    if shot.format != "png":
        order["quality"] = shot.quality
    if shot.selector is not None or shot.full_page:
        box = await _in_page(tab, _BOX, shot.selector) if shot.selector is not None else await _whole_page(tab)
        if box is None:
            raise SelectorNotFound("The element of selector has gone from the page again.")
        _require_drawable(box, shot)
        order |= {"clip": box | {"scale": 1}, "captureBeyondViewport": True}
    answer = await tab.session.send("Page.captureScreenshot", order)
    return await asyncio.to_thread(base64.b64decode, answer["data"])


async def _whole_page(tab: Tab) -> dict[str, float]:
    sizes = await tab.session.send("Page.getLayoutMetrics")
    return {"x": 0, "y": 0} | {side: sizes["cssContentSize"][side] for side in ("width", "height")}


def _require_drawable(box: dict[str, float], shot: Shot) -> None:
    width, height = box["width"] * shot.scale, box["height"] * shot.scale
    if min(width, height) < 1:
        raise SelectorNotFound("The element of selector has no size.")
    if max(width, height) > LARGEST_SIDE:
        raise PageTooLarge(
            f"The picture would be {width:.0f} x {height:.0f} pixels, and {LARGEST_SIDE} is the most for a side: "
            "ask for an element with selector, a smaller deviceScaleFactor, or no fullPage."
        )


async def _need(take: Take, name: str, selector: str, seconds: float) -> None:
    seconds = max(0.1, seconds)
    try:
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            found = await _in_page(take.tab, _WAIT_FOR, {"selector": selector, "seconds": seconds})
    except TimeoutError:
        found = False
    if not found:
        raise SelectorNotFound(f"No element matched {name} within {seconds:.1f} s.")


async def _in_page(tab: Tab, function: str, argument: Any) -> Any:
    """Call a JavaScript function beside the page's own, again if the page moves on meanwhile.

    In a world of its own: it sees the page's document, and none of what the page's scripts did to the language.
    """
    call = {"expression": f"({function})({json.dumps(argument)})", "awaitPromise": True, "returnByValue": True}
    for attempt in range(1, NAVIGATIONS + 1):
        try:
            world = await tab.session.send("Page.createIsolatedWorld", {"frameId": tab.frame_id})
            answer = await tab.session.send("Runtime.evaluate", call | {"contextId": world["executionContextId"]})
            break
        except PlaywrightError as error:
            if not any(words in str(error) for words in _MOVED_ON):
                raise
            if attempt == NAVIGATIONS:
                raise DeadlinePassed("The page moved on again and again while it was waited for.") from error
            await asyncio.sleep(BETWEEN_SECONDS)
    if "exceptionDetails" in answer:
        raise PageCrashed("The page is not one that can be looked into.")
    return answer["result"].get("value")


def _where(response: Response | None, page: dict[str, Any]) -> tuple[int, str]:
    """Return the status and address of the document in the picture."""
    if page["url"].startswith("chrome-error:"):
        raise UrlUnreachable("The page went on to an address that could not be reached.")
    if response is not None and urlsplit(response.url)[:4] == urlsplit(page["url"])[:4]:
        return response.status, page["url"]
    return int(page["status"]), page["url"]


def _told(text: str) -> BoxError:
    """Say in our words what the driver said; its own never leave the box."""
    found = _NET_ERROR.search(text)
    code = found[1] if found else ""
    if code == "ERR_ABORTED" or "Download is starting" in text:
        return NotAPage("The URL is a download, a PDF or has no content: there is no page to take a picture of.")
    if code == "ERR_UNSAFE_PORT":
        return TargetNotAllowed("the browser refuses this port")
    if code.startswith(("ERR_CERT", "ERR_SSL")):
        return UrlUnreachable("The page could not be reached: its certificate or TLS set-up is not valid.")
    if code:
        return UrlUnreachable(f"The page could not be reached: {_UNREACHABLE.get(code, 'the connection failed')}.")
    if any(words in text for words in _CRASHES):
        return PageCrashed("The page closed itself or crashed.")
    raise PlaywrightError(text)
