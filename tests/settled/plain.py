"""Results as plain Playwright gives them, and as they must never be: too early, or spoilt."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright, Route

from tests.settled.cases import Take

HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"
FAILURES = (Error, TimeoutError)
WINDOW = {"width": 1920, "height": 1080}  # what the box takes too if nothing is said
PHONES: dict[str, dict[str, Any]] = {
    "iPhone 14": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "is_mobile": True},
}
PATIENCE = 15_000  # milliseconds
LONG = 6000  # milliseconds after which every page here has settled

# Without timers, frames and messages nothing goes on but what the document does at once.
_STILL = """for (const name of ['setTimeout', 'setInterval', 'requestAnimationFrame', 'requestIdleCallback'])
  window[name] = () => 0
window.WebSocket = window.MessageChannel = class { send() {} port1 = {}; port2 = { postMessage() {} } }
Element.prototype.animate = () => ({ finished: new Promise(() => {}) })"""

_READ = """async () => {
  const pause = () => new Promise(go => setTimeout(go, 700))
  const root = document.scrollingElement
  for (let top = 0; top < Math.min(root.scrollHeight, 3000); top += innerHeight) { root.scrollTop = top; await pause() }
  root.scrollTop = 0
  await pause()
}"""


async def _nothing(_: Page, __: Take) -> None:
    """Leave a page as it is."""


@dataclass(frozen=True)
class Way:
    """How Playwright is asked: until when it waits, and what is done before and after."""

    name: str
    until: Literal["commit", "load", "networkidle"]
    before: Callable[[Page, Take], Awaitable[None]] = _nothing
    after: Callable[[Page, Take], Awaitable[None]] = _nothing


async def _wait(page: Page, asked: Take) -> None:
    """Look at a page until it has settled, and where more of it is asked for than its window, at all of that."""
    if selector := asked.body.get("selector"):
        await page.locator(selector).first.scroll_into_view_if_needed()
    await page.wait_for_timeout(LONG)
    if asked.body.get("fullPage"):
        with suppress(Error):  # it went on to another page meanwhile
            await page.evaluate(_READ)


async def _spoil(page: Page, take: Take) -> None:
    await _wait(page, take)
    await page.add_style_tag(content=take.case.wrong)


async def _hold(page: Page, _: Take) -> None:
    """Let the page have its document, and nothing that it asks for or that would come with time."""
    asked: list[str] = []

    async def only_the_first(route: Route) -> None:
        asked.append(route.request.url)
        await (route.continue_() if len(asked) == 1 else route.abort())

    await page.route("**/*", only_the_first)
    await page.add_init_script(_STILL)
    session = await page.context.new_cdp_session(page)
    await session.send("Animation.enable")
    await session.send("Animation.setPlaybackRate", {"playbackRate": 0})


LOAD = Way("plain", "load")
IDLE = Way("networkidle", "networkidle")
SETTLED = Way("settled", "load", after=_wait)
SPOILT = Way("spoilt", "load", after=_spoil)
STILL = Way("still", "load", before=_hold)


async def launch(playwright: Playwright, executable: str) -> Browser:
    """Start the browser; its own sandbox does not work for root, and all pages here are ours."""
    return await playwright.chromium.launch(executable_path=executable)


async def take(browser: Browser, url: str, asked: Take, way: Way) -> bytes:
    """Take one result in a context of its own."""
    body = asked.body
    screen = PHONES[body["device"]] if "device" in body else {"viewport": body["viewport"] or WINDOW}
    context: BrowserContext = await browser.new_context(**screen, locale="en-US")
    context.set_default_timeout(PATIENCE)
    try:
        page = await context.new_page()
        await way.before(page, asked)
        await page.goto(url, wait_until=way.until)
        await way.after(page, asked)
        return await _result(page, asked)
    finally:
        await context.close()


async def _result(page: Page, asked: Take) -> bytes:
    """Make of a page what is asked for."""
    body = asked.body
    if css := body.get("customCss"):
        await page.add_style_tag(content=css)
    if body.get("format") == "pdf":
        return await page.pdf(format="A4", print_background=True)
    if selector := body.get("selector"):
        return await page.locator(selector).first.screenshot()
    return await page.screenshot(full_page=body.get("fullPage", False))
