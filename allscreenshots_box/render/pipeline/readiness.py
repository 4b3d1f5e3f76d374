"""When a page is ready for its picture: what is waited for beyond its load, and for how long at most."""

import asyncio
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from ...errors import HttpError
from .. import scripts
from ..browsers.messages import ORDINARY
from ..page import NO_BODIES, Page
from .navigation import navigate
from .navigation_errors import reason, refusal

LOAD_SECONDS = 3.0  # for pictures and the like, where the request does not ask to wait for them
FONT_SECONDS = 1.5
IMAGE_SECONDS = 2.0  # for lazy images in the window, which the load event does not wait for
FRAME_SECONDS = 0.5
MOST_NAMES = 2000  # classes and ids that are looked up among those of advertisements
HTTP_ERRORS = 400  # the first status that is one

STYLE = scripts.read("style")
_SETTLE = scripts.read("settle", STYLE=STYLE)


class Settled(TypedDict):
    """What settling says of a page, and where it is now."""

    scripted: bool
    missed: list[str]
    status: Annotated[int, msgspec.Meta(ge=0, le=65_535)]  # as odd as a server likes
    url: str
    classes: NotRequired[list[str]]
    ids: NotRequired[list[str]]


async def settle(page: Page) -> Settled:
    """Wait for pictures and fonts, each within its budget, and still what moves; return where the page is now.

    Raises UrlUnreachable or TargetNotAllowed if it has gone nowhere, HttpError if the request wants that.
    """
    shot = page.shot
    blocked = shot.blocked
    asked = {
        "whole": shot.wait_until != "commit",
        "hidden": shot.hide_selectors,
        "css": shot.custom_css or "",
        "load": 0 if page.missed else min(LOAD_SECONDS, page.left()),
        "fonts": min(FONT_SECONDS, page.left()),
        "images": min(IMAGE_SECONDS, page.left()),
        "frames": FRAME_SECONDS,
        "names": MOST_NAMES if blocked.ads or blocked.cookie_banners or blocked.popups else 0,
    }
    told = await _settled(page, asked)
    for name in told["missed"]:
        page.miss(name)
    if told["url"].startswith("chrome-error:"):
        await _find_status(page, told)
    if shot.fail_on_http_error and told["status"] >= HTTP_ERRORS:
        raise HttpError(f"The page answered with status {told['status']}, and failOnHttpError is set.")
    return told


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
