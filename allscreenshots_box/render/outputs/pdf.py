"""A finished page on paper: a PDF."""

import base64
from typing import Any

from ...errors import PageTooLarge, SelectorNotFound
from .. import scripts
from ..page import Page
from ..shot import Pdf, Product

PAPER_INCHES = {
    "A0": (33.1, 46.8),
    "A1": (23.4, 33.1),
    "A2": (16.54, 23.4),
    "A3": (11.7, 16.54),
    "A4": (8.27, 11.69),
    "A5": (5.83, 8.27),
    "A6": (4.13, 5.83),
    "Letter": (8.5, 11.0),
    "Legal": (8.5, 14.0),
    "Tabloid": (11.0, 17.0),
    "Ledger": (17.0, 11.0),
}
PART = 1 << 19  # bytes that are read at once: in base64 an ordinary message
LARGEST_PDF = 200_000_000  # bytes, as the browser sends it

_ISOLATE = scripts.read("isolate")


async def printed(page: Page, output: Pdf) -> Product:
    """Print the page, or one element of it, which takes the page apart. Raises SelectorNotFound, PageTooLarge."""
    order: dict[str, Any] = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0)
    order |= {"landscape": output.landscape, "printBackground": output.background}
    width, height = PAPER_INCHES[output.paper]
    order |= {"paperWidth": width, "paperHeight": height, "transferMode": "ReturnAsStream"}
    if output.selector is not None and not await page.run(_ISOLATE, output.selector, bool):
        raise SelectorNotFound("The element of selector has gone from the page again.")
    stream = (await page.session.send("Page.printToPDF", **order))["stream"]
    content = await _stream(page, stream)
    return Product(id=output.id, type="pdf", format="pdf", content=content)


async def _stream(page: Page, handle: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= LARGEST_PDF:
        part = await page.session.send("IO.read", handle=handle, size=PART)
        data = part["data"]
        parts.append(base64.b64decode(data) if part.get("base64Encoded") else data.encode())
        size += len(parts[-1])
        if part["eof"]:
            page.session.send("IO.close", handle=handle)
            return b"".join(parts)
    raise PageTooLarge(
        f"The PDF would be over {LARGEST_PDF // 1_000_000} MB: ask for a part of the page with selector."
    )
