"""How much of the page of lazy pictures a screenshot shows."""

import io
import re
from typing import Any

from PIL import Image

from benchmarks.stage import ROOT

NAME = "lazy.html"
SHAPE = (1920, 12_000)
BAND = 1000  # pixels that each picture is high
TOLERANCE = 4  # of 255, in each channel


def share_shown(picture: bytes) -> float:
    """Give the share of the lazy page's pictures that its screenshot shows."""
    colours = [
        bytes.fromhex(text)
        for text in re.findall(r"color=([0-9a-f]{6})", (ROOT / "tests" / "site" / "pages" / NAME).read_text())
    ]
    with Image.open(io.BytesIO(picture)) as image:
        rows = image.convert("RGB")
        middle = rows.width // 2
        seen = [rows.getpixel((middle, BAND * number + BAND // 2)) for number in range(len(colours))]
    return sum(alike(*pair) for pair in zip(colours, seen, strict=True)) / len(colours)


def alike(wanted: bytes, got: Any) -> bool:
    """Say whether two colours are the same to the eye."""
    return all(abs(one - other) <= TOLERANCE for one, other in zip(wanted, got, strict=True))
