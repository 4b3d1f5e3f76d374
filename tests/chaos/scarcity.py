"""Machines that lack something a box needs, until they have it again."""

import fcntl
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.box import PROGRAM, Box

MIB = 1 << 20
DISK = 160 * MIB  # of which 64 must be free, or the box says so
PICTURES = 40  # of a crowd: more than the connections that a browser opens for one page
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10  # of <linux/fs.h>


def refused(why: object) -> None:
    """Skip a test for which this system gives root too little; where nobody reads what was skipped, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"the system refuses what this test needs: {why}")
    pytest.skip(f"the system refuses what this test needs: {why}")


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """Have *directory* on a disk of its own."""
    directory.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "box-test", str(directory)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        refused(done.stderr)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def full(directory: Path) -> Iterator[Callable[[], None]]:
    """Leave nothing free on the disk of *directory*; yield what does so again, when something has been given back."""
    ballast = directory / "ballast"

    def fill() -> None:
        with ballast.open("ab", buffering=0) as file:
            for size in (MIB, 4096):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    fill()
    try:
        yield fill
    finally:
        ballast.unlink()


@contextmanager
def read_only(*files: Path) -> Iterator[None]:
    """Let nobody write to *files*, whoever has them open already."""
    for file in files:
        _mark(file, immutable=True)
    try:
        yield
    finally:
        for file in files:
            _mark(file, immutable=False)


def _mark(file: Path, *, immutable: bool) -> None:
    with file.open("rb") as opened:
        try:
            (flags,) = struct.unpack("i", fcntl.ioctl(opened, _GET_FLAGS, bytes(4)))
            flags = flags | _IMMUTABLE if immutable else flags & ~_IMMUTABLE
            fcntl.ioctl(opened, _SET_FLAGS, struct.pack("i", flags))
        except OSError as error:  # not root, or a file system without such a mark
            refused(error)


class Memory:
    """What a box takes for the memory of the machine: its /proc/meminfo is a file of ours."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines = Path("/proc/meminfo").read_text().splitlines()
        self.leave(8 << 30)
        file.chmod(0o644)
        # In the file system as this process alone sees it; `exec` keeps its id.
        script = 'mount --bind "$0" /proc/meminfo && exec "$@"'
        self.program = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(file), PROGRAM)

    @contextmanager
    def short(self) -> Iterator[None]:
        """Leave less than one shot may take."""
        self.leave(100 * MIB)
        yield
        self.leave(8 << 30)

    def leave(self, available: int) -> None:
        """Say that so many bytes can be had."""
        told = f"MemAvailable: {available >> 10:>20} kB"
        text = "\n".join(told if line.startswith("MemAvailable:") else line for line in self._lines)
        with self._file.open("r+b" if self._file.exists() else "wb") as file:  # as long as before: no reader sees half
            file.write(f"{text}\n".encode())


@contextmanager
def held_connections(box: Box, number: int) -> Iterator[None]:
    """Hold connections to *box*, each with a request and a half: who has asked once is borne for some seconds."""
    with ExitStack() as held:
        for _ in range(number):
            client = held.enter_context(socket.create_connection(("127.0.0.1", box.port)))
            client.sendall(b"GET /health HTTP/1.1\r\nHost: box\r\n\r\n")
            client.recv(4096)
            client.sendall(b"GET /health HTTP/1.1\r\n")
        yield


class Crowd:
    """A page whose pictures never come: each is at an address of its own that takes the connection, and no more."""

    def __init__(self) -> None:
        handler = type("Handler", (_Handler,), {"crowd": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        port = self._server.server_port
        self._silent = [socket.create_server((f"127.0.0.{number}", port)) for number in range(2, PICTURES + 2)]
        places = [f"127.0.0.{number}:{port}" for number in range(1, PICTURES + 2)]
        self.addresses = ",".join(places)  # to be allowed
        self.url = f"http://{places[0]}/"
        self.page = "".join(f'<img src="http://{place}/">' for place in places[1:]).encode()
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for listener in self._silent:
            listener.close()


class _Handler(BaseHTTPRequestHandler):
    crowd: Crowd

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.crowd.page)))
        self.end_headers()
        self.wfile.write(self.crowd.page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
