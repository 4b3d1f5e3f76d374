"""All hard pages on one sheet, each as the box takes it: ``python -m tests.gallery OUT.png``."""

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw, ImageFont

from tests.camera import Camera, open_camera, picture
from tests.site.routes import ADS_HOST
from tests.site.server import Site

COLUMNS = 6
CELL = (200, 150)  # pixels of a picture on the sheet
LABEL = 30  # and of the two lines under it
GAP = 10
FOLD_GAP = 6  # between the columns that a tall picture is folded into, before it is made smaller
COLOURS = 128  # of the sheet: enough for pages like these, and a quarter of the bytes
SHADE, EDGE, REFUSED = (236, 236, 240), (200, 200, 206), (250, 228, 228)
INK, FAINT = (20, 20, 30), (110, 110, 120)

FULL: dict[str, Any] = {"fullPage": True, "scrollInterval": 100}
OPEN: dict[str, Any] = {"blockAds": False, "blockCookieBanners": False, "blockPopups": False}
TITLE, NOTE = ImageFont.load_default(size=11), ImageFont.load_default(size=9)


@dataclass(frozen=True)
class Exhibit:
    """One picture on the sheet: what it is called, of which page it is, and how it is asked for."""

    title: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)


EXHIBITS = (
    Exhibit("Plain table", "/table.html"),
    Exhibit("Four colours", "/colors.html"),
    Exhibit("iPhone 14", "/device.html", {"device": "iPhone 14"}),
    Exhibit("Desktop HD", "/device.html", {"device": "Desktop HD"}),
    Exhibit("Light", "/dark.html"),
    Exhibit("darkMode", "/dark.html", {"darkMode": True}),
    Exhibit("Image that hangs", "/slow-image.html"),
    Exhibit("Font that hangs", "/font-hang.html"),
    Exhibit("Frame that hangs", "/frame-hang.html"),
    Exhibit("Analytics that hang", "/analytics.html"),
    Exhibit("WebSocket, networkidle", "/socket.html", {"waitUntil": "networkidle"}),
    Exhibit("Never idle, networkidle", "/never-idle.html", {"waitUntil": "networkidle", "timeout": 4000}),
    Exhibit("Blank for 800 ms", "/blank.html"),
    Exhibit("Chain, networkidle", "/steps.html", {"waitUntil": "networkidle"}),
    Exhibit("Slow drip of HTML", "/drip?parts=10"),
    Exhibit("waitFor", "/late.html", {"waitFor": "#late"}),
    Exhibit("Animations", "/motion.html"),
    Exhibit("Caret", "/caret.html", {"actions": [{"type": "click", "selector": "input"}]}),
    Exhibit("Lazy images, 12,000 px", "/lazy.html", FULL),
    Exhibit("Revealed when seen", "/reveal.html", FULL),
    Exhibit("100vh sections", "/vh.html", FULL),
    Exhibit("Fixed and sticky, frozen", "/fixed.html", FULL),
    Exhibit("Fixed, not frozen", "/fixed.html", FULL | {"freezeFixed": False}),
    Exhibit("Fixed, native", "/fixed.html", FULL | {"fullPageMode": "native"}),
    Exhibit("Sticky table head", "/sticky-table.html", FULL),
    Exhibit("Virtual list, stitched", "/virtual.html", FULL),
    Exhibit("Virtual list, native", "/virtual.html", FULL | {"fullPageMode": "native"}),
    Exhibit("Infinite scroll, 8 sections", "/infinite.html", FULL | {"maxSections": 8}),
    Exhibit("20,000 px pattern", "/pattern?height=20000", FULL | {"viewport": {"width": 400, "height": 1000}}),
    Exhibit("200,000 px, maxHeight", "/huge.html", FULL | {"maxHeight": 5000}),
    Exhibit("Wider than the window", "/wide.html", FULL),
    Exhibit("Element below the fold", "/elements.html", {"selector": "#target"}),
    Exhibit("hideSelectors", "/elements.html", {"hideSelectors": ["#banner"]}),
    Exhibit("customCss under a CSP", "/csp.html", {"customCss": "html { background: gold }"}),
    Exhibit("Broken JavaScript", "/hostile.html"),
    Exhibit("Frames, two origins", "/frames.html"),
    Exhibit("Shadow tree", "/shadow.html"),
    Exhibit("Canvas and WebGL", "/canvas.html"),
    Exhibit("Video with a poster", "/media.html"),
    Exhibit("Letters of the world", "/letters.html"),
    Exhibit("Fonts", "/fonts.html", {"viewport": {"width": 800, "height": 420}}),
    Exhibit("Article", "/article.html", {"viewport": {"width": 640, "height": 480}}),
    Exhibit(
        "Actions",
        "/actions.html",
        {
            "actions": [
                {"type": "click", "selector": "#click"},
                {"type": "type", "selector": "#type", "text": "hello"},
                {"type": "press", "selector": "#press", "key": "Enter"},
                {"type": "select", "selector": "#select", "value": "b"},
                {"type": "click", "selector": "#late-start"},
                {"type": "wait", "selector": "#late"},
                {"type": "hover", "selector": "#hovered"},
            ]
        },
    ),
    Exhibit(
        "Buttons hard to hit",
        "/chase.html",
        {"actions": [{"type": "click", "selector": selector} for selector in ("#moving", "#covered", "#late")]},
    ),
    Exhibit("Cookie", "/session.html", {"session": {"cookies": [{"name": "who", "value": "me"}]}}),
    Exhibit("Ads blocked", "/ads.html"),
    Exhibit("Ads let in", "/ads.html", OPEN | {"waitUntil": "load"}),
    Exhibit("OneTrust blocked", "/banner-onetrust.html"),
    Exhibit("OneTrust let in", "/banner-onetrust.html", {"blockCookieBanners": False}),
    Exhibit("Cookiebot blocked", "/banner-cookiebot.html"),
    Exhibit("CookieYes blocked", "/banner-cookieyes.html", {"delay": 400}),
    Exhibit("Plain banner blocked", "/banner-plain.html"),
    Exhibit("Newsletter blocked", "/newsletter.html"),
    Exhibit("Newsletter let in", "/newsletter.html", {"blockPopups": False}),
    Exhibit("Chat blocked", "/chat.html"),
    Exhibit("Dialogs", "/dialogs.html"),
    Exhibit("A hundred windows", "/windows.html"),
    Exhibit("Asks to stay", "/leave.html", {"actions": [{"type": "click", "selector": "#leave"}], "delay": 300}),
    Exhibit("Link to a new window", "/links.html", {"actions": [{"type": "click", "selector": "#blank"}]}),
    Exhibit("Permissions", "/permission.html"),
    Exhibit("Service worker", "/worker.html"),
    Exhibit("404", "/status/404"),
    Exhibit("404, failOnHttpError", "/status/404", {"failOnHttpError": True}),
    Exhibit("Download", "/download"),
    Exhibit("PDF", "/document.pdf"),
    Exhibit("Endless redirect", "/redirect-loop"),
    Exhibit("Endless meta refresh", "/meta-loop", {"timeout": 3000}),
    Exhibit("Endless alerts", "/alert-loop.html", {"timeout": 3000}),
    Exhibit("Endless script", "/busy.html", {"timeout": 3000}),
    Exhibit("Endless memory", "/hog.html", {"timeout": 5000}),
    Exhibit("8 GB of HTML", "/flood", {"timeout": 3000}),
    Exhibit("8 GB picture", "/flood-image.html", {"timeout": 3000}),
    Exhibit("8 GB for a script", "/flood-fetch.html", {"timeout": 6000}),
)


def cell(exhibit: Exhibit, answer: httpx.Response) -> Image.Image:
    """Draw one exhibit: the picture or why there is none, its title and what the answer told beside it."""
    canvas = Image.new("RGB", (CELL[0], CELL[1] + LABEL), SHADE)
    draw = ImageDraw.Draw(canvas)
    if answer.status_code == httpx.codes.OK:
        shown = folded(picture(answer.content))
        shown.thumbnail(CELL, Image.Resampling.LANCZOS)
        left, top = (CELL[0] - shown.width) // 2, (CELL[1] - shown.height) // 2
        canvas.paste(shown, (left, top))
        draw.rectangle((left, top, left + shown.width - 1, top + shown.height - 1), outline=EDGE)
    else:
        draw.rectangle((0, 0, CELL[0], CELL[1]), REFUSED)
        draw.text((10, 60), f"{answer.status_code} {answer.json()['error']}", INK, TITLE)
    draw.rectangle((0, CELL[1], CELL[0], CELL[1] + LABEL), "white")
    draw.text((0, CELL[1] + 3), exhibit.title, INK, TITLE)
    draw.text((0, CELL[1] + 18), note(answer), FAINT, NOTE)
    return canvas


def folded(image: Image.Image) -> Image.Image:
    """Cut a tall picture into columns side by side, as many as fill a cell best."""
    count = max(1, round(math.sqrt(image.height / image.width * CELL[0] / CELL[1])))
    if count == 1:
        return image
    height = math.ceil(image.height / count)
    sheet = Image.new("RGB", (count * (image.width + FOLD_GAP * count) - FOLD_GAP * count, height), SHADE)
    for number in range(count):
        part = image.crop((0, number * height, image.width, min((number + 1) * height, image.height)))
        sheet.paste(part, (number * (image.width + FOLD_GAP * count), 0))
    return sheet


def note(answer: httpx.Response) -> str:
    """Say in a line what the answer told beside the picture."""
    told = [f"not awaited: {missed}"] if (missed := answer.headers.get("x-not-awaited")) else []
    told += ["truncated"] if "x-truncated" in answer.headers else []
    if answer.status_code == httpx.codes.OK:
        size = "x".join(map(str, picture(answer.content).size))
        told = [size, f"{answer.headers['x-render-time-ms']} ms", *told]
    return " · ".join(told)


def sheet(cells: list[Image.Image]) -> Image.Image:
    """Lay cells out in rows."""
    width, height = CELL[0] + GAP, CELL[1] + LABEL + GAP
    rows = math.ceil(len(cells) / COLUMNS)
    whole = Image.new("RGB", (COLUMNS * width + GAP, rows * height + GAP), "white")
    for number, one in enumerate(cells):
        row, place = divmod(number, COLUMNS)
        whole.paste(one, (GAP + place * width, GAP + row * height))
    return whole


def take(camera: Camera) -> list[Image.Image]:
    """Take every exhibit, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda exhibit: camera.ask(exhibit.path, **exhibit.body), EXHIBITS)
        return [cell(exhibit, answer) for exhibit, answer in zip(EXHIBITS, answers, strict=True)]


def main() -> None:
    """Take all pictures, and write the sheet into the file that is named."""
    if len(sys.argv) != 2:
        sys.exit("Say where the sheet goes: python -m tests.gallery OUT.png")
    out = Path(sys.argv[1])
    with Site() as site, open_camera(site, rules=f"||{ADS_HOST}^") as camera:
        sheet(take(camera)).quantize(COLOURS).save(out, optimize=True)
    sys.stdout.write(f"{out}: {len(EXHIBITS)} pictures, {out.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
