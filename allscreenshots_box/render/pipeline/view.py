"""Brings a part of the page into view for a moment, so that it loads what it loads there."""

from .. import scripts
from ..page import Page

LOADING_SECONDS = 3.0  # for what an element asks for when it is seen

_BRING = scripts.read("bring")


async def bring(page: Page, selector: str) -> None:
    """Show an element that is not in the window, and wait for its images and whatever else it asks for then."""
    seconds = min(LOADING_SECONDS, page.left() / 2)
    order = {"selector": selector, "pause": min(page.shot.scroll_interval, seconds), "loading": seconds}
    late = await page.run(_BRING, order, bool | None)
    if late is not None and (not await page.activity.be_still(seconds) or late):
        page.miss("images")
