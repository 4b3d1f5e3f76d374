"""What takes the pictures: the box by its default request, and a plain script with the same browser."""

import io
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from PIL import Image
from playwright.sync_api import Browser, Error, sync_playwright

from allscreenshots_box.render.browsers.chromium import find_executable
from benchmarks.stage import LIMITS, PLENTY, data_dir, environment, free_port, give_away, process

from .app import AppError
from .checks import WINDOW

LOAD_LIMIT = 15_000  # milliseconds until the script gives up what it waits for
BOX_LIMIT = 70.0  # seconds

Milestone = Literal["load", "networkidle"]


@dataclass(frozen=True)
class Taken:
    """A picture, or why there is none, and how long it took in milliseconds."""

    picture: Image.Image | None
    problem: str
    ms: float


class BoxCamera:
    """Asks a box for pictures, and for nothing but that."""

    name = "box"

    def __init__(self, port: int, secret: str) -> None:
        self._ask = httpx.Client(headers={"X-API-Key": secret}, timeout=BOX_LIMIT)
        self._url = f"http://127.0.0.1:{port}/v1/screenshots"

    def take(self, url: str) -> Taken:
        """Take the picture of a page."""
        begun = time.perf_counter()
        try:
            answer = self._ask.post(self._url, json={"url": url})
        except httpx.HTTPError as error:
            return Taken(None, repr(error), _since(begun))
        ms = _since(begun)
        if answer.status_code != httpx.codes.OK:
            return Taken(None, answer.text[:200], ms)
        return Taken(_read(answer.content), "", ms)


class PlainCamera:
    """Opens a page in a context of its own, waits for a milestone, and takes it."""

    def __init__(self, browser: Browser, milestone: Milestone) -> None:
        self.name = milestone
        self._browser, self._milestone = browser, milestone

    def take(self, url: str) -> Taken:
        """Take the picture of a page."""
        begun = time.perf_counter()
        context = self._browser.new_context(viewport={"width": WINDOW[0], "height": WINDOW[1]})
        try:
            page = context.new_page()
            page.goto(url, wait_until=self._milestone, timeout=LOAD_LIMIT)
            content = page.screenshot()
        except Error as error:
            return Taken(None, error.message.partition("\n")[0], _since(begun))
        finally:
            context.close()
        return Taken(_read(content), "", _since(begun))


Camera = BoxCamera | PlainCamera


@contextmanager
def box_camera(program: str, ports: list[int]) -> Iterator[BoxCamera]:
    """Start a box that may shoot what listens on some ports of this machine, and end it after."""
    with data_dir() as folder:
        limits = [word for flag in LIMITS for word in (flag, PLENTY)]
        _tell(program, folder, "plans", "set", "apps", *limits)
        secret = _tell(program, folder, "keys", "create", "apps", "--plan", "apps").strip()
        give_away(folder)
        port = free_port()
        allowed = ",".join(f"127.0.0.1:{port}" for port in ports)
        command = [program, "serve", "--data-dir", str(folder), "--port", str(port), "--allow", allowed]
        with process(command, port):
            yield BoxCamera(port, secret)


def _tell(program: str, folder: Path, *words: str) -> str:
    command = [program, "--data-dir", str(folder), *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise AppError(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


@contextmanager
def plain_browser() -> Iterator[Browser]:
    """Launch the browser that the box would find."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_executable())
        yield browser
        browser.close()


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


def _read(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")
