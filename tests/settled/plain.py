"""Results as plain Playwright gives them, and as they must never be: too early, or spoilt."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright, Route

from tests.settled.cases import Take

FAILURES = (Error, TimeoutError)
WINDOW = {"width": 1920, "height": 1080}  # what the box takes too if nothing is said
PATIENCE = 15_000  # milliseconds
LONG = 6000  # milliseconds after which every page here has settled

# Without timers, frames and messages nothing goes on but what the document does at once.
_STILL = """for (const name of ['setTimeout', 'setInterval', 'requestAnimationFrame', 'requestIdleCallback'])
  window[name] = () => 0
window.WebSocket = window.MessageChannel = class { send() {} port1 = {}; port2 = { postMessage() {} } }
Element.prototype.animate = () => ({ finished: new Promise(() => {}) })"""


async def _nothing(_: Page, __: Take) -> None:
    """Leave a page as it is."""


@dataclass(frozen=True)
class Way:
    """How Playwright is asked: until when it waits, and what is done before and after."""

    name: str
    until: Literal["commit", "load", "networkidle"]
    before: Callable[[Page, Take], Awaitable[None]] = _nothing
    after: Callable[[Page, Take], Awaitable[None]] = _nothing


async def _wait(page: Page, _: Take) -> None:
    await page.wait_for_timeout(LONG)


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
    context: BrowserContext = await browser.new_context(viewport=asked.body.get("viewport", WINDOW))
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
