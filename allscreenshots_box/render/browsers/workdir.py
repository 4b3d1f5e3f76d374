"""A directory for one command's browser: no server sweeps it, and what a killed command left in its own goes."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import OperatorError
from . import orphans

KIND = "shot-"
BEGUN_SECONDS = 60  # one that is being made has no lock yet


@contextmanager
def entered(data_dir: Path) -> Iterator[None]:
    """Have the browser and this process write into a directory of their own below *data_dir*, gone after the block."""
    _sweep(data_dir)
    try:
        room = Path(tempfile.mkdtemp(prefix=KIND, dir=data_dir))
        lock = os.open(room, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OperatorError(
            f"No work directory can be made in {data_dir} ({error.strerror}): check the rights and the space there."
        ) from error
    fcntl.flock(lock, fcntl.LOCK_EX)
    tempfile.tempdir = str(room)
    os.environ |= {"TMPDIR": str(room), "HOME": str(room)}
    try:
        yield
    finally:
        shutil.rmtree(room, ignore_errors=True)
        os.close(lock)


def _sweep(data_dir: Path) -> None:
    """Remove what is left of commands that were killed, with what their browsers left running."""
    for room in data_dir.glob(f"{KIND}*"):
        with suppress(OSError):
            if time.time() - room.stat().st_mtime < BEGUN_SECONDS:
                continue
            lock = os.open(room, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                orphans.sweep(room)
                shutil.rmtree(room, ignore_errors=True)
            finally:
                os.close(lock)
