"""The pipeline from a blank tab to what was asked for, one step a function."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from ...errors import InvalidRequest, PageTooLarge, SelectorNotFound
from ...hosts import HostPattern
from .. import scripts
from ..blocking.engine import BlockingEngine
from ..browsers.cdp import AnswerTooLarge
from ..browsers.certificates import Inspector
from ..outputs import text as texts
from ..outputs.image import WATCH, Encoder, is_blank, picture
from ..outputs.pdf import printed
from ..page import TALKATIVE, WORLD, Page
from ..shot import Extract, Html, Markdown, Pdf, Picture, Product, Rendering, Shot, Wait
from . import consent, console
from .actions import act, check_keys, selectors
from .emulation import emulate
from .navigation import go
from .readiness import HIDE, Settled, settle
from .view import bring

T = TypeVar("T")

BLANK_SECONDS = 2.0  # for a page that has drawn nothing yet
CONSENT_SECONDS = 2.0
SELECTOR_SECONDS = 5.0
GRACE_SECONDS = 0.1  # for an answer to come back from the page


_CHECK = scripts.read("check_selectors")
_WAIT_FOR = scripts.read("wait_for")
_WAIT_FOR_PAINT = scripts.read("wait_for_paint")


@dataclass(frozen=True)
class CaptureResources:
    """What all captures share."""

    blocking: BlockingEngine
    encoder: Encoder
    user_agent: str  # the browser's own
    insecure_hosts: tuple[HostPattern, ...]  # whose certificates are not checked


async def capture(page: Page, kit: CaptureResources) -> Rendering:
    """Make what the shot asks for; the caller holds the deadline.

    Raises the PageError or InvalidRequest that tells what the page or the request has wrong, and
    TargetNotAllowed if the page leads where the box does not go.
    """
    steps = asyncio.create_task(_steps(page, kit))
    try:
        either: set[asyncio.Future[Any]] = {steps, page.gone}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if page.gone.done() and (not steps.done() or steps.exception() is not None):
            raise page.gone.result()
        return await steps
    except AnswerTooLarge as error:
        raise PageTooLarge(TALKATIVE) from error
    finally:
        steps.cancel()
        await asyncio.gather(steps, return_exceptions=True)


async def _steps(page: Page, kit: CaptureResources) -> Rendering:
    watch = _Watch()
    await watch.timed("prepare", prepare(page, kit))
    await watch.timed("go", go(page, kit.blocking))
    await watch.timed("wait", wait(page))
    told = await watch.timed("settle", settle(page))
    await watch.timed("unclutter", hide_clutter(page, kit.blocking, told))
    products, truncated = await watch.timed("produce", make_outputs(page, kit.encoder))

    return Rendering(
        products=tuple(products),
        target_status=int(told["status"]),
        target_url=told["url"],
        not_awaited=(*page.missed, "limit") if page.tab.egress.exhausted else tuple(page.missed),
        truncated=truncated,
        steps=watch.seconds,
    )


class _Watch:
    """Takes the time of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    async def timed(self, name: str, step: Awaitable[T]) -> T:
        begun = time.monotonic()
        done = await step
        self.seconds[name] = time.monotonic() - begun
        return done


async def prepare(page: Page, kit: CaptureResources) -> None:
    """Give the blank tab its window and its session; refuse what is not a CSS selector before anything is fetched."""
    shot = page.shot
    named = {"selector": _selector_of(shot), "waitFor": shot.wait_for}
    named |= {f"hideSelectors[{number}]": selector for number, selector in enumerate(shot.hide_selectors)}
    named |= selectors(shot.actions) | _selectors_of_outputs(shot)
    given = {path: selector for path, selector in named.items() if selector is not None}
    if given:
        good = await page.run(_CHECK, list(given.values()), list[bool])
        wrong = [path for path, fine in zip(given, good, strict=True) if not fine]
        if wrong:
            problem = "must be a CSS selector"
            raise InvalidRequest(f"{', '.join(wrong)} {problem}.", dict.fromkeys(wrong, problem))
    check_keys(shot.actions)
    if kit.insecure_hosts:
        Inspector(page.session, page.tab.target, kit.insecure_hosts, page.fail)
    console.listen(page)
    await emulate(page, kit.user_agent)
    if any(isinstance(one, Picture) and one.full_page for one in shot.outputs):
        page.session.send("Page.addScriptToEvaluateOnNewDocument", source=WATCH, worldName=WORLD)
    if (
        shot.settle
        or shot.wait_until == "networkidle"
        or any(isinstance(one, Wait) and one.network_idle for one in shot.actions)
    ):
        page.activity.listen()


def _selector_of(shot: Shot) -> str | None:
    """Return the selector of a plain request, whose one output is the request itself."""
    only = shot.outputs[0] if len(shot.outputs) == 1 else None
    return only.selector if isinstance(only, Picture | Pdf) and not shot.several else None


def _selectors_of_outputs(shot: Shot) -> dict[str, str | None]:
    if not shot.several:
        return {}
    named: dict[str, str | None] = {}
    for number, output in enumerate(shot.outputs):
        if isinstance(output, Picture | Pdf):
            named[f"outputs[{number}].selector"] = output.selector
        elif isinstance(output, Extract):
            named |= {f"outputs[{number}].schema.{field.name}.selector": field.selector for field in output.fields}
    return named


async def wait(page: Page) -> None:
    """Wait for the element that must be there, do the actions, and then wait as long as the request says."""
    shot = page.shot
    if shot.wait_for is not None:
        await _need(page, "waitFor", shot.wait_for, page.left())
    await act(page, shot.actions)
    for path, selector in {"selector": _selector_of(shot), **_selectors_of_outputs(shot)}.items():
        if selector is not None and ".schema." not in path:
            await _need(page, path, selector, min(SELECTOR_SECONDS, page.left()))
    await page.rest()


async def _need(page: Page, name: str, selector: str, seconds: float) -> None:
    seconds = max(0.1, seconds)
    try:
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            found = await page.run(_WAIT_FOR, {"selector": selector, "seconds": seconds}, bool)
    except TimeoutError:
        found = False
    if not found:
        raise SelectorNotFound(f"No element matched {name} within {seconds:.1f} s.")


async def hide_clutter(page: Page, blocking: BlockingEngine, told: Settled) -> None:
    """Hide advertisements, banners and pop-ups, and answer those who ask for consent."""
    if "classes" not in told or not page.left():
        return
    if not (told["scripted"] or told["classes"] or told["ids"]):
        return  # no advertisement, banner or pop-up was ever made of so little
    blocked = page.shot.blocked
    hidden = blocking.hiding(told["url"], told["classes"], told["ids"], blocked)
    if hidden:
        await page.run(HIDE, hidden)
    seen = consent.Seen(told["url"], told["classes"], told["ids"], hidden)
    await consent.clear(page.run, page.tell, seen, blocked, min(CONSENT_SECONDS, page.left()))


async def make_outputs(page: Page, encoder: Encoder) -> tuple[list[Product], bool]:
    """Make every output, in order; tell whether a picture ends before the page does."""
    products, truncated = [], False
    # A PDF of one element takes the page apart, so those come last.
    order = sorted(page.shot.outputs, key=lambda one: isinstance(one, Pdf) and one.selector is not None)
    for output in order:
        if page.shot.settle and isinstance(output, Picture | Pdf) and output.selector is not None:
            await bring(page, output.selector)
        if isinstance(output, Picture):
            product, cut = await _painted(page, output, encoder)
            truncated = truncated or cut
        else:
            product = await printed(page, output) if isinstance(output, Pdf) else await _told_as_text(page, output)
        products.append(product)
    places = {output.id: number for number, output in enumerate(page.shot.outputs)}
    return sorted(products, key=lambda product: places[product.id]), truncated


async def _painted(page: Page, output: Picture, encoder: Encoder) -> tuple[Product, bool]:
    """Take a picture; if it is blank and its page has yet to draw, once more when it has."""
    product, cut = await picture(page, output, encoder)
    if output.selector is None and await is_blank(product):
        painted = await page.run(_WAIT_FOR_PAINT, min(BLANK_SECONDS, page.left()), bool | None)
        if painted is False:
            page.miss("blank")
        elif painted:
            return await picture(page, output, encoder)
    return product, cut


async def _told_as_text(page: Page, output: Html | Markdown | Extract) -> Product:
    if isinstance(output, Extract):
        found = await page.read(texts.EXTRACT, texts.extract_order(output.fields), dict[str, Any])
        values = await asyncio.to_thread(texts.extracted, found, output.fields)
        content = await asyncio.to_thread(msgspec.json.encode, values)
        return Product(id=output.id, type="json", format="json", content=content, value=values)
    only_shown = not (isinstance(output, Html) and not output.clean)
    told = await page.read(texts.SOURCE, texts.source_order(only_shown=only_shown), texts.Source)
    source, url = told.source, told.url
    if source is None:
        raise PageTooLarge(f"The source of the page is over {texts.LARGEST_SOURCE} characters: ask for a picture.")
    if isinstance(output, Html):
        text = await asyncio.to_thread(texts.html, source, url, clean=output.clean, main=output.main)
        return Product(id=output.id, type="html", format="html", content=text.encode())
    text = await asyncio.to_thread(texts.markdown, source, url, main=output.main)
    return Product(id=output.id, type="markdown", format="markdown", content=text.encode())
