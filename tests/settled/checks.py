"""What a picture or a PDF must be like: checks that give what is wrong with one, and nothing if it is right."""

import io
from collections.abc import Callable
from itertools import product

from PIL import Image
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from tests.camera import GREEN, RED, Colour, colour, is_near, picture

Check = Callable[[bytes], str]

NEAR = 8  # of 255 in each channel: what blending and scaling may cost
STEPS = 20  # samples a side, for shares of a picture


def pictured(check: Callable[[Image.Image], str]) -> Check:
    """Make a check of bytes of one of a picture: what is none is wrong."""

    def of_bytes(content: bytes) -> str:
        try:
            image = picture(content)
        except OSError:
            return "no picture"
        return check(image)

    return of_bytes


def shows(spots: dict[tuple[int, int], Colour]) -> Check:
    """Want these colours at these places."""

    def check(image: Image.Image) -> str:
        for (x, y), wanted in spots.items():
            if x >= image.width or y >= image.height:
                return f"only {image.width}x{image.height}"
            found = colour(image, x, y)
            if not is_near(found, wanted, by=NEAR):
                return f"{found} at {x},{y}, not {wanted}"
        return ""

    return pictured(check)


def has(wanted: Colour, least: float, most: float = 1.0) -> Check:
    """Want so large a share of a colour, from 0 to 1."""

    def check(image: Image.Image) -> str:
        share = share_of(image, wanted)
        return "" if least <= share <= most else f"{share:.0%} are {wanted}"

    return pictured(check)


def share_of(image: Image.Image, wanted: Colour) -> float:
    """Give the share of a colour in a picture, by samples on a grid."""
    sides = ([(2 * step + 1) * length // (2 * STEPS) for step in range(STEPS)] for length in image.size)
    found = [is_near(colour(image, x, y), wanted, by=NEAR) for x, y in product(*sides)]
    return sum(found) / len(found)


def size(width: int, height: int) -> Check:
    """Want this size, in pixels."""
    return pictured(lambda image: "" if image.size == (width, height) else f"{image.width}x{image.height}")


def says(*words: str, pages: int | None = None) -> Check:
    """Want a PDF with all these words, and so many pages if that is given."""

    def check(content: bytes) -> str:
        try:
            found = [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]
        except PyPdfError:
            return "no PDF"
        text = " ".join(" ".join(found).split())
        missing = [word for word in words if word not in text]
        if missing:
            return f"{missing[0]!r} is not in {text[:80]!r}"
        return "" if pages in {None, len(found)} else f"{len(found)} pages"

    return check


def both(*checks: Check) -> Check:
    """Want all of this."""
    return lambda content: next(filter(None, (check(content) for check in checks)), "")


GREEN_ALL = both(has(GREEN, 0.85), has(RED, 0, 0))  # but for the letters
