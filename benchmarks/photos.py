"""Draws the photographs of the image page: clouds of noise over a sky, the same ones on every machine."""

import random
from pathlib import Path

from PIL import Image, ImageChops

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "site" / "pages"
COUNT = 6  # files; the page asks for each of them five times, under different addresses
SIZE = (640, 432)
QUALITY = 75
OCTAVES = (4, 12, 36, 108)  # columns of random points, from the large shapes to the fine grain
FINEST_SHARE = 0.35  # of the weight of what went before: as in a photograph, most of the contrast is in large shapes


def photo(number: int) -> Image.Image:
    """Draw one photograph."""
    chance = random.Random(number)
    picture = noise(chance, OCTAVES[0])
    for columns in OCTAVES[1:]:
        picture = Image.blend(picture, noise(chance, columns), FINEST_SHARE)
    return ImageChops.overlay(sky(chance), picture)


def noise(chance: random.Random, columns: int) -> Image.Image:
    """Stretch random points over the whole size."""
    rows = columns * SIZE[1] // SIZE[0]
    points = Image.frombytes("RGB", (columns, rows), chance.randbytes(columns * rows * 3))
    return points.resize(SIZE, Image.Resampling.BICUBIC)


def sky(chance: random.Random) -> Image.Image:
    """Fade from one colour into another."""
    two = Image.frombytes("RGB", (1, 2), chance.randbytes(6))
    return two.resize(SIZE, Image.Resampling.BILINEAR)


def main() -> None:
    """Write the files."""
    for number in range(COUNT):
        photo(number).save(FOLDER / f"bench-photo-{number}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
