"""Who has the data directory: one server, many commands, or a restore alone."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import OperatorError

LOCK = "serve.lock"
PATIENCE_SECONDS = 5.0  # for commands, which take less, unless they wait for an answer
LOOK_SECONDS = 0.05


@contextmanager
def serving(data_dir: Path, sign: str = "") -> Iterator[None]:
    """Be the one server: two would count limits apart and sweep each other's files.

    *sign* is what commands beside it may read: where the operator's page is.
    """
    with _lock(data_dir) as lock:
        if not _take(lock.fileno(), fcntl.LOCK_EX, 0):
            raise OperatorError(
                f"Another server already runs on {data_dir}: stop it first, or give this one another --data-dir."
            )
        with suppress(OSError):  # on a full disk there is none
            lock.truncate(0)
            lock.write(sign)
            lock.flush()
        yield


def sign(data_dir: Path) -> str:
    """Return what the server says of itself, the one that runs or ran last; empty if it says nothing."""
    try:
        return (data_dir / LOCK).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


@contextmanager
def visiting(data_dir: Path) -> Iterator[None]:
    """Work on the database beside others; not while it is replaced, or the work would be on the old one."""
    with _directory(data_dir) as directory:
        if not _take(directory, fcntl.LOCK_SH, PATIENCE_SECONDS):
            raise OperatorError(f"A restore is at work in {data_dir}: wait for its end, or answer what it asks.")
        yield


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Have the database to ourselves: no server, and no other command."""
    with _lock(data_dir) as lock, _directory(data_dir) as directory:
        if not _take(lock.fileno(), fcntl.LOCK_EX, 0):
            raise OperatorError(
                f"A server runs on {data_dir}: stop it, `systemctl stop allscreenshots-box`, and start it afterwards."
            )
        if not _take(directory, fcntl.LOCK_EX, PATIENCE_SECONDS):
            raise OperatorError(f"Another command is at work in {data_dir}: wait for its end, or answer what it asks.")
        yield


@contextmanager
def _lock(data_dir: Path) -> Iterator[IO[str]]:
    try:
        lock = (data_dir / LOCK).open("a")
    except OSError as error:
        raise OperatorError(
            f"The data directory {data_dir} cannot be written ({error.strerror}): "
            "check its rights, and that its disk is neither full nor read-only."
        ) from error
    with lock:
        yield lock


@contextmanager
def _directory(data_dir: Path) -> Iterator[int]:
    directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)


def _take(file: int, kind: int, patience: float) -> bool:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK_SECONDS)
        else:
            return True
