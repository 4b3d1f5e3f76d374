"""What a finished page is told by: how much of a colour, and how much ink, its picture has in a place."""

from dataclasses import dataclass
from typing import cast

from PIL import Image, ImageChops, ImageColor

WINDOW = (1920, 1080)  # of a default request
Box = tuple[int, int, int, int]  # left, top, right, bottom
WHOLE: Box = (0, 0, *WINDOW)
INK = 24  # how much a channel has to differ from the ground, to be ink


@dataclass(frozen=True)
class Colour:
    """About so many pixels of a colour in a place, give or take a share of them."""

    name: str
    count: int
    within: Box = WHOLE
    share: float = 0.02
    tolerance: int = 12

    def __call__(self, picture: Image.Image) -> str:
        count = count_of(picture.crop(self.within), self.name, self.tolerance)
        return _compared(count, self.count, self.share, f"of {self.name} in {self.within}")


@dataclass(frozen=True)
class Ink:
    """About so many pixels in a place that are unlike its ground, which is the colour that most of it has."""

    within: Box
    count: int
    share: float = 0.05

    def __call__(self, picture: Image.Image) -> str:
        return _compared(ink(picture.crop(self.within)), self.count, self.share, f"of ink in {self.within}")


@dataclass(frozen=True)
class Some:
    """At least so many pixels of a colour in a place, for pages that never look the same twice."""

    name: str
    least: int
    within: Box = WHOLE
    tolerance: int = 12

    def __call__(self, picture: Image.Image) -> str:
        count = count_of(picture.crop(self.within), self.name, self.tolerance)
        return "" if count >= self.least else f"{count} pixels of {self.name} in {self.within}, not {self.least}"


def absent(name: str, within: Box = WHOLE, tolerance: int = 12) -> Colour:
    """Say that a colour is gone, such as that of a spinner."""
    return Colour(name, 0, within, tolerance=tolerance)


def _compared(count: int, expected: int, share: float, what: str) -> str:
    good = abs(count - expected) <= expected * share
    return "" if good else f"{count} pixels {what}, not about {expected}"


def count_of(image: Image.Image, name: str, tolerance: int) -> int:
    """Count the pixels that are like a colour."""
    ground = Image.new("RGB", image.size, ImageColor.getrgb(name)[:3])
    return image.width * image.height - unlike(image, ground, tolerance)


def ink(image: Image.Image) -> int:
    """Count the pixels that are unlike the most frequent colour."""
    ground = max(colours(image))[1]
    return unlike(image, Image.new("RGB", image.size, ground), INK)


def colours(image: Image.Image) -> list[tuple[int, tuple[int, int, int]]]:
    """Count the colours of a picture."""
    return cast("list[tuple[int, tuple[int, int, int]]]", image.getcolors(image.width * image.height))


def unlike(image: Image.Image, other: Image.Image, tolerance: int = INK) -> int:
    """Count the pixels in which two pictures differ by more than a tolerance in some channel."""
    red, green, blue = ImageChops.difference(image, other).split()
    furthest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return sum(furthest.histogram()[tolerance + 1 :])
