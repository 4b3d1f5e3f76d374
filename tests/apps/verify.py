"""The checks, checked: every moment of a page's coming is judged, and held against how it looks in the end."""

import io
import time
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image
from playwright.sync_api import Browser, Error

from .app import App
from .checks import WINDOW, unlike

COMING = 5.0  # seconds in which a picture is taken after the other
SETTLED = 8.0  # seconds more until every page is finished
LENIENT = 2000  # pixels that may differ in what is accepted: a thousandth of the picture
SAME = 50  # pixels that may differ in what has to be accepted

Moment = tuple[float, Image.Image]  # milliseconds since the page was asked for, and how it looked


@dataclass(frozen=True)
class Verdict:
    """How the checks of one application did, and the pictures that tell most."""

    app: str
    told: str
    good: bool
    pictures: dict[str, Image.Image]


def verify(app: App, url: str, browser: Browser) -> Verdict:
    """Watch a page come, and judge every picture of it."""
    _moments(url, browser)  # what is shown for the first time may take longer
    moments = _moments(url, browser)
    settled = moments[-1][1]
    differ = [unlike(picture, settled) for _, picture in moments]
    wrong = [app.wrong(picture) for _, picture in moments]
    lenient = [at for at, problem in enumerate(wrong) if not (problem or app.moves) and differ[at] > LENIENT]
    strict = [at for at, problem in enumerate(wrong) if problem and differ[at] <= SAME]
    first = next((f"{moments[at][0]:.0f}" for at, problem in enumerate(wrong) if not problem), "never")
    last = f"{moments[max((at + 1 for at, count in enumerate(differ) if count > LENIENT), default=0)][0]:.0f}"
    told = f"first accepted at {first} ms, alike from {last} ms on, {sum(map(bool, wrong))} of {len(wrong)} refused"
    for words, those in (("too lenient", lenient), ("too strict", strict)):
        told += f"; {words}: {[(round(moments[at][0]), differ[at], wrong[at]) for at in those[:2]]}" if those else ""
    early = wrong[0] or differ[0] <= LENIENT  # some are finished in their first moment
    good = bool(early) and not (wrong[-1] or lenient or strict)
    pictures = {"settled": settled} | {f"lenient-{moments[at][0]:.0f}": moments[at][1] for at in lenient[-1:]}
    return Verdict(app.name, told + (f"; settled: {wrong[-1]}" if wrong[-1] else ""), good, pictures)


def _moments(url: str, browser: Browser) -> list[Moment]:
    """Take pictures from a page's first moment on, and one when it has settled."""
    context = browser.new_context(viewport={"width": WINDOW[0], "height": WINDOW[1]})
    page = context.new_page()
    begun = time.monotonic()
    page.goto(url, wait_until="commit")
    moments = []
    while (passed := time.monotonic() - begun) < COMING:
        with suppress(Error):  # now and then the browser is "unable to capture"
            moments.append((passed * 1000, page.screenshot(timeout=60_000)))
    page.wait_for_timeout(SETTLED * 1000)
    moments.append(((COMING + SETTLED) * 1000, page.screenshot(timeout=60_000)))
    context.close()
    return [(ms, Image.open(io.BytesIO(content)).convert("RGB")) for ms, content in moments]
