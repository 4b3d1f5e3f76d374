"""Starts what a benchmark needs, each as a process of its own, and stops it again."""

import http.client
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOX = Path(sys.executable).with_name("allscreenshots-box")
CHROMIUM = "/usr/bin/chromium"
HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"
USER = "allscreenshots"  # whom every server becomes when started as root
START_LIMIT = 60.0  # seconds until a server answers /health: a cold Chromium on a small machine takes some
STOP_LIMIT = 15.0  # seconds between SIGTERM and SIGKILL
PLENTY = "1000000"  # a rate limit that no benchmark meets
LIMITS = ("--screenshots-per-hour", "--screenshots-burst", "--requests-per-hour", "--requests-burst")


@dataclass(frozen=True)
class Target:
    """A server to measure: its process, and the request that takes a picture."""

    name: str
    pid: int
    port: int
    path: str = "/screenshot"
    headers: dict[str, str] = field(default_factory=dict)
    temporary: Path | None = None  # where its temporary files are, if it says


class StageError(Exception):
    """What was to be started did not start."""


def free_port() -> int:
    """Find a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """Give the environment without the settings of some other box."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ALLSCREENSHOTS_BOX_")}


@contextmanager
def process(command: list[str], port: int, ready: str = "/health") -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it is handed over when *ready* answers with 200."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=log, stderr=log)
        try:
            if not answers(child, port, ready):
                log.seek(0)
                raise StageError(f"{' '.join(command)}\n{log.read()[-4000:].decode(errors='replace')}")
            yield child
        finally:
            stop(child)


def answers(child: subprocess.Popen[bytes], port: int, path: str) -> bool:
    """Wait until a server answers with 200; False when it ends or takes too long."""
    deadline = time.monotonic() + START_LIMIT
    while child.poll() is None and time.monotonic() < deadline:
        if status_of(port, path) == http.client.OK:
            return True
        time.sleep(0.1)
    return False


def status_of(port: int, path: str) -> int | None:
    """Ask once; None when nobody is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a process that we started, gently first."""
    child.terminate()
    try:
        child.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def site() -> Iterator[str]:
    """Serve the test site; gives its host and port."""
    port = free_port()
    with process([sys.executable, "-m", "tests.site.server", "--port", str(port)], port, "/table.html"):
        yield f"127.0.0.1:{port}"


@contextmanager
def ads() -> Iterator[int]:
    """Serve advertisements on their hosts; gives the port, the same on each."""
    port = free_port()
    with process([sys.executable, "-m", "benchmarks.adserver", "--port", str(port)], port, "/hits"):
        yield port


@contextmanager
def plain(executable: str) -> Iterator[Target]:
    """Serve with the plain server and the given Chromium."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.plain_server", "--browser", executable, "--port", str(port)]
    with process(command, port) as child:
        yield Target(f"plain, {Path(executable).name}", child.pid, port)


@contextmanager
def ceiling(*options: str) -> Iterator[Target]:
    """Serve with the raw loop."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.ceiling", "--port", str(port), *options]
    with process(command, port) as child:
        yield Target(" ".join(("ceiling", *(option.strip("-") for option in options))), child.pid, port)


@contextmanager
def box(
    *allowed: str,
    options: Sequence[str] = (),
    folder: Path | None = None,
    name: str = "allscreenshots-box",
    program: Sequence[str] = (str(BOX),),
) -> Iterator[Target]:
    """Serve with the box: a data directory of its own, a key without a tight limit, only these addresses allowed."""
    with nullcontext(folder) if folder else data_dir() as place:
        secret = make_key(place)
        give_away(place)
        port = free_port()
        command = [*program, "serve", "--data-dir", str(place), "--port", str(port)]
        command += ["--allow", ",".join(allowed), *options]
        with process(command, port) as child:
            yield Target(name, child.pid, port, "/v1/screenshots", {"X-API-Key": secret}, place / "tmp")


@contextmanager
def data_dir() -> Iterator[Path]:
    """Make a data directory that the box's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="box-benchmark-", dir="/tmp") as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "data"
        folder.mkdir(mode=0o700)
        give_away(folder)
        yield folder


def give_away(folder: Path) -> None:
    """Let the box's own user have a folder and all that is in it, if we are root and it is needed."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, USER, USER)


def make_key(folder: Path) -> str:
    """Make a key on a plan that lets a benchmark through; gives its secret."""
    limits = [word for flag in LIMITS for word in (flag, PLENTY)]
    command_line(folder, "plans", "set", "benchmark", *limits)
    return command_line(folder, "keys", "create", "benchmark", "--plan", "benchmark").strip()


def become(name: str) -> None:
    """Put root down for good: Chromium's sandbox does not work for it."""
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def command_line(folder: Path, *words: str) -> str:
    """Run the box's command line on a data directory; gives what it printed."""
    command = [str(BOX), "--data-dir", str(folder), *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageError(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout
