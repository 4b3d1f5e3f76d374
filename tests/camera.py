"""A camera on the test site: what the browser suites and the gallery take their pictures with."""

import base64
import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests.box import PROGRAM, Box
from tests.site.server import Site

Colour = tuple[int, ...]

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (128, 128, 128)
RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)
SMALL = {"width": 400, "height": 300}  # enough for every page, and quick


class Camera:
    """Takes pictures of the site, 400 x 300 if nothing else is said."""

    def __init__(self, box: Box, site: Site, secret: str) -> None:
        self.box, self.site, self._secret = box, site, secret

    def ask(self, path: str, **body: Any) -> httpx.Response:
        """Return the whole answer; *path* may be a whole address too."""
        url = path if path.startswith("http") else self.site.url(path)
        return self.box.shoot(self._secret, url, **{"viewport": SMALL} | body)

    def shoot(self, path: str, **body: Any) -> Image.Image:
        """Return the picture."""
        return picture(good(self.ask(path, **body)).content)

    def outputs(self, path: str, *specs: dict[str, Any], **body: Any) -> dict[str, dict[str, Any]]:
        """Return all outputs of one load by their ids; those that are base64 decoded to bytes."""
        found: dict[str, dict[str, Any]] = good(self.ask(path, outputs=list(specs), **body)).json()["outputs"]
        for output in found.values():
            if output.get("encoding") == "base64":
                output["data"] = base64.b64decode(output["data"])
        return found

    def read(self, path: str, ids: Iterable[str], **body: Any) -> dict[str, Any]:
        """Return the text of some elements of the page by their ids."""
        schema = {name: {"selector": f"#{name}"} for name in ids}
        texts: dict[str, Any] = self.outputs(path, {"type": "json", "schema": schema}, **body)["json"]["data"]
        return texts


@contextmanager
def open_camera(site: Site, *levels: str, rules: str = "", program: str = PROGRAM, slots: int = 3) -> Iterator[Camera]:
    """Open a box of its own that may shoot all hosts of the site, with lists for *levels* and the operator's rules."""
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    own = above / "rules.txt"
    own.write_text(rules)
    box = Box(above / "data", "--allow", site.addresses, "--block-rules", str(own), "--slots", str(slots))
    box.program = (program,)
    try:
        if levels:
            updated = box.run("lists", "update", *levels, "--mirror", site.url("/lists"))
            assert updated.returncode == 0, updated.stderr
        with box:
            yield Camera(box, site, box.key("camera"))
    finally:
        shutil.rmtree(above)


def good(answer: httpx.Response) -> httpx.Response:
    """Return an answer that is one."""
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer


def picture(content: bytes) -> Image.Image:
    """Return a picture's pixels."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def colour(image: Image.Image, x: int, y: int) -> Colour:
    """Return the colour of one pixel."""
    found = image.getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def column(image: Image.Image, x: int) -> list[Colour]:
    """Return the colours of one column of pixels, from the top."""
    raw = image.crop((x, 0, x + 1, image.height)).tobytes()
    return [tuple(raw[start : start + 3]) for start in range(0, len(raw), 3)]


def bands(image: Image.Image, x: int) -> list[tuple[Colour, int]]:
    """Return what a column is made of: each colour and for how many rows, from the top."""
    return [(found, len(list(rows))) for found, rows in groupby(column(image, x))]


def is_all(image: Image.Image, wanted: Colour) -> bool:
    """Say whether a picture has one colour and no other."""
    return image.getcolors() == [(image.width * image.height, wanted)]


def is_near(found: Colour, wanted: Colour, *, by: int = 6) -> bool:
    """Say whether two colours are the same but for what an encoder loses."""
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))
