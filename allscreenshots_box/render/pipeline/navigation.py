"""The way of a tab to the page: what is tried again, and how far the document has to be."""

import asyncio

from ..blocking.engine import BlockingEngine
from ..page import Page
from .navigation_errors import is_ours, reason
from .request_filter import RequestFilter

IDLE_SECONDS = 10.0  # many pages are never idle
SHOWN_SECONDS = 1.0  # until the browser shows its own page about an address that could not be opened
AGAIN_SECONDS = (0.1, 0.5)  # until a page is opened again, when it was this machine that was in the way


async def go(page: Page, blocking: BlockingEngine) -> None:
    """Open the page up to its milestone. Only commit and domcontentloaded must come; the others have a budget."""
    shot = page.shot
    request_filter = RequestFilter(page, blocking)
    request_filter.listen()
    page.tab.egress.admit(page.allowed_target, request_filter.refuses_host)
    text = await navigate(page, page.target.url)
    if text and page.tab.egress.blocked:  # the way to the page leads through what is blocked: a counter of clicks, say
        request_filter.off = True
        # The browser's own page about the failure comes after its answer, and breaks off what is on the way by then.
        await page.until(SHOWN_SECONDS, lambda: page.unreachable != "")
        text = await navigate(page, page.target.url)
        request_filter.off = False
    if text and "ERR_HTTP_RESPONSE_CODE_FAILURE" not in text:  # that is an empty page with a status, which it may be
        raise reason(page, text)
    page.arrived = True
    milestone = shot.wait_until
    if milestone == "commit" or (milestone == "domcontentloaded" and not (shot.wait_for or shot.actions or shot.delay)):
        return  # settling waits for the document, one round trip less
    await page.reach("domcontentloaded", page.deadline)  # the caller's deadline ends this
    if milestone == "load" and not await page.reach("load", page.left()):
        page.miss("load")
    if milestone == "networkidle" and not await page.activity.be_quiet(min(IDLE_SECONDS, page.left())):
        page.miss("networkidle")


async def navigate(page: Page, url: str) -> str:
    """Go to *url*, again if this machine was in the way; return the browser's words if it could not."""
    text = await _try(page, url)
    for pause in AGAIN_SECONDS:
        if not is_ours(page, text):
            break
        await asyncio.sleep(pause)
        text = await _try(page, url)
    return text


async def _try(page: Page, url: str) -> str:
    return str((await page.session.send("Page.navigate", url=url)).get("errorText", ""))
