"""The examples for callers, as they stand in the docs, against a real box."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import playwright
import pytest
from PIL import Image

from tests.box import Box
from tests.site.server import Site

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NODE = str(Path(playwright.__file__).parent / "driver/node")  # comes with it, so that nobody has to have one
RUN = {
    "sh": ("example.sh", ["bash", "-eu"]),
    "python": ("example.py", [sys.executable, "-W", "error"]),
    "js": ("example.mjs", [NODE]),
}


def examples(page: str, *, above: str, below: str) -> list[tuple[str, str]]:
    """Return the blocks of code between two headings, but those that need a library."""
    text = (ROOT / page).read_text().partition(f"\n{above}\n")[2].partition(f"\n{below}\n")[0]
    sections = re.split(r"^(?=###)", text, flags=re.MULTILINE)
    return [block for section in sections if "With the library" not in section for block in FENCE.findall(section)]


CALLERS = [
    (kind, block) for kind, block in examples("docs/api.md", above="## Examples", below="## The request") if kind in RUN
]
README = [
    block
    for block in examples("README.md", above="Then ask for a picture:", below="## What it does")
    if "curl" in block[1]
]


@pytest.fixture(scope="module")
def secret(box: Box) -> str:
    return box.key("examples")


@pytest.mark.parametrize(
    ("kind", "code"), CALLERS + README, ids=[f"{index}-{kind}" for index, (kind, _) in enumerate(CALLERS + README)]
)
def test_an_example_takes_a_picture(box: Box, site: Site, secret: str, tmp_path: Path, kind: str, code: str) -> None:
    name, command = RUN[kind]
    here = code.replace("http://127.0.0.1:8080", box.url).replace("https://example.com", site.url("/table.html"))
    here = here.replace("ask_...", secret)  # who reads it puts the key there
    (tmp_path / name).write_text(here)
    done = subprocess.run(
        [*command, name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"ALLSCREENSHOTS_API_KEY": secret},
    )
    assert done.returncode == 0, done.stderr
    [made] = [path for path in tmp_path.iterdir() if path.name != name]
    with Image.open(made) as picture:
        assert picture.format == {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG"}[made.suffix]
        assert picture.width == 1920


@pytest.mark.parametrize(("kind", "code"), CALLERS, ids=[f"{index}-{kind}" for index, (kind, _) in enumerate(CALLERS)])
def test_an_example_fails_and_says_why(box: Box, tmp_path: Path, kind: str, code: str) -> None:
    name, command = RUN[kind]
    (tmp_path / name).write_text(code.replace("http://127.0.0.1:8080", box.url))
    done = subprocess.run(
        [*command, name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"ALLSCREENSHOTS_API_KEY": "ask_mistyped"},
    )
    assert done.returncode != 0
    told = done.stderr + "".join(path.read_text() for path in tmp_path.glob("screenshot.*"))
    assert "Invalid or missing API key" in told
    assert "ask_mistyped" not in told


def test_every_curl_line_of_the_reference_works(box: Box, site: Site, secret: str, tmp_path: Path) -> None:
    told = httpx.get(f"{box.url}/schema/openapi.json").json()["paths"]
    lines = [
        sample["source"].replace("https://example.com", site.url("/table.html"))
        for operations in told.values()
        for operation in operations.values()
        for sample in operation["x-codeSamples"]
    ]
    assert len(lines) == len(told)
    for line in lines:
        done = subprocess.run(
            ["bash", "-euc", line],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"ALLSCREENSHOTS_API_KEY": secret, "ALLSCREENSHOTS_URL": box.url},
        )
        assert done.returncode == 0, done.stderr
        assert not done.stdout or "error" not in json.loads(done.stdout), line
    with Image.open(tmp_path / "screenshot.png") as picture:
        assert picture.format == "PNG"


def test_examples_are_found_in_each_language() -> None:
    assert {kind for kind, _ in CALLERS} == set(RUN)
    assert len(CALLERS) >= 4
    assert README
