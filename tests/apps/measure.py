"""The colours and the ink of a picture, to write checks by: ``measure FILE [LEFT TOP RIGHT BOTTOM]``."""

import sys
from pathlib import Path

from PIL import Image

from .checks import WHOLE, Colour, colours, count_of, ink

SHOWN = 14


def main() -> None:
    """Print the most frequent colours of a place, and how much of it is unlike the first."""
    left, top, right, bottom = map(int, sys.argv[2:6]) if len(sys.argv) > 2 else WHOLE
    with Image.open(Path(sys.argv[1])) as image:
        place = image.convert("RGB").crop((left, top, right, bottom))
    for _, colour in sorted(colours(place), reverse=True)[:SHOWN]:
        name = f"#{bytes(colour).hex()}"
        sys.stdout.write(f"{count_of(place, name, Colour(name, 0).tolerance):8} {name}\n")
    sys.stdout.write(f"{ink(place):8} of ink\n")


if __name__ == "__main__":
    main()
