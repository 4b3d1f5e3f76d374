"""A real web application: what it is made of, how it is started, and how its finished page is told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
START_SECONDS = 120  # some of them import for a long time
STOP_SECONDS = 10

Check = Callable[[Image.Image], str]  # says what is wrong with a picture, or nothing


class AppError(Exception):
    """An application that could not be installed or started."""


@dataclass(frozen=True)
class App:
    """One application: packages by their registries, the command that serves it, and the checks of its picture.

    In commands and in the environment {home} is where it is installed, {port} where it has to listen, {here} this
    package's folder and {python} the interpreter that sees its packages.
    """

    name: str
    checks: tuple[Check, ...]
    command: tuple[str, ...]
    path: str = "/"
    ready: str | None = None  # what answers with 200 once it is there, if it is not the page
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    deb: tuple[str, ...] = ()
    files: str = ""  # a folder of ours that is copied there
    build: tuple[tuple[str, ...], ...] = ()  # commands, run in there once
    environment: dict[str, str] = field(default_factory=dict)
    moves: bool = False  # for ever, so that no two pictures of it are alike

    def url(self, port: int) -> str:
        """Return the address of its page."""
        return f"http://127.0.0.1:{port}{self.path}"

    def wrong(self, picture: Image.Image) -> str:
        """Say what the first check misses in a picture; nothing if it is the finished page."""
        return next((problem for check in self.checks if (problem := check(picture))), "")


@dataclass(frozen=True)
class Place:
    """Where an application is installed, and fills in what its words leave open."""

    home: Path
    port: int = 0

    def fill(self, word: str) -> str:
        """Return a word of a command with its names replaced."""
        python = self.home / "venv/bin/python"
        names: dict[str, object] = {
            "home": self.home,
            "port": self.port,
            "here": HERE,
            "python": python,
            "ours": sys.executable,
        }
        for name, value in names.items():
            word = word.replace(f"{{{name}}}", str(value))
        return word

    def environment(self, app: App) -> dict[str, str]:
        """Return what it finds in its environment: nothing of ours but the way to programs and registries."""
        path = f"{self.home}/venv/bin:{self.home}/node_modules/.bin:{os.environ['PATH']}"
        own = {name: self.fill(value) for name, value in app.environment.items()}
        return os.environ | {"PATH": path, "HOME": str(self.home)} | own


@contextmanager
def serving(app: App, home: Path, port: int) -> Iterator[str]:
    """Serve an application until the block ends; gives the address of its page."""
    place = Place(home, port)
    command = [place.fill(word) for word in app.command]
    cwd = ROOT if "{ours}" in app.command else home
    log = home / "serve.log"
    with log.open("w") as out:
        child = subprocess.Popen(
            command, cwd=cwd, env=place.environment(app), stdout=out, stderr=out, start_new_session=True
        )
    try:
        _await(app, port, child, log)
        yield app.url(port)
    finally:
        _stop(child)


def _await(app: App, port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    url = f"http://127.0.0.1:{port}{app.path if app.ready is None else app.ready}"
    end = time.monotonic() + START_SECONDS
    while not _answers(url):
        if child.poll() is not None or time.monotonic() > end:
            raise AppError(f"{app.name} does not answer at {url}:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=20, follow_redirects=True).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started, which are a group of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(STOP_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
