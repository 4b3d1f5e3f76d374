"""The installed program, driven from outside: its command line and its server."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from allscreenshots_box import keys
from allscreenshots_box.config import Settings
from allscreenshots_box.storage.database import open_database

PROGRAM = str(Path(sys.executable).parent / "allscreenshots-box")
START_SECONDS = 30
STOP_SECONDS = 30
FIRST_PORT = 21_000  # above those that attacks watch

_names: list[socket.socket] = []  # of the ports that we have


def environment(**extra: str) -> dict[str, str]:
    """Return the environment without any setting of the box in it, plus *extra*."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ALLSCREENSHOTS_BOX_")} | extra


def command(*words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(**extra),
    )


def found(data_dir: Path) -> Path:
    """Make an empty box in *data_dir*, for whoever the program becomes."""
    data_dir.mkdir(mode=0o700)
    open_database(data_dir / "box.db").close()
    if os.geteuid() == 0:
        for path in (data_dir, *data_dir.iterdir()):
            shutil.chown(path, Settings.user)
    return data_dir


def free_port() -> int:
    """Return a port that nobody listens on here, and that nobody gets by chance or from us until this process ends.

    Outside of those that the kernel gives to whoever asks for any: a connection of somebody else's could take one of
    those before its box listens. To be asked in the network namespace where the box will be.
    """
    low, high = (int(word) for word in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [port for port in range(FIRST_PORT, 65536) if not low <= port <= high]
    random.shuffle(ports)  # beside other runs
    return next(port for port in ports if _is_free(port) and _is_taken_for_us(port))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _is_taken_for_us(port: int) -> bool:
    """Take the name of a port, which other runs ask for too; the kernel gives it back when we end."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0box-test-port-{port}")
    except OSError:
        name.close()
        return False
    _names.append(name)
    return True


class Box:
    """A running server on a data directory of its own."""

    program: tuple[str, ...] = (PROGRAM,)

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self.process: subprocess.Popen[str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line beside the server."""
        return command("--data-dir", str(self.data_dir), *words)

    def key(self, name: str, *options: str) -> str:
        """Make a key and return its secret."""
        if not options:  # as the command does, but for its start
            with closing(open_database(self.data_dir / "box.db")) as db:
                return keys.create(db, keys.hasher_of(Settings.argon2_memory, Settings.argon2_passes), name)[1]
        made = self.run("keys", "create", name, *options)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def shoot(self, secret: str, url: str, **body: Any) -> httpx.Response:
        """Ask for a picture."""
        headers = {"X-API-Key": secret}
        return httpx.post(f"{self.url}/v1/screenshots", json={"url": url, **body}, headers=headers, timeout=70)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.log = self.data_dir.parent / "serve.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.program, "serve", "--data-dir", str(self.data_dir), "--port", str(self.port), *self._options],
                stdout=log,
                stderr=log,
                text=True,
                env=environment(),
            )
        try:
            self._await_answer()
        except BaseException:
            self.process.kill()  # nobody else will end what has not started
            self.process.wait()
            raise

    def _await_answer(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def answers(self) -> bool:
        """Say whether the server is there."""
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Ask the server to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
