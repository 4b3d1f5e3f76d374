"""Room on the disk that is kept for commands and operators: on a full one, keys can still be stopped."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "reserve"
SIZE = 1 << 20  # bytes: a hundred acts, each of a few pages in the journal
LEAST = 64 << 10  # what is worth keeping
SHORT = 1 << 20  # bytes free: from here down the reserve is given back while somebody works


@contextmanager
def at_hand(data_dir: Path) -> Iterator[bool]:
    """Have the reserve free in the block, if the disk is short of room; yield whether it is. Then keep it again."""
    short = _is_short(data_dir)
    if short:
        with suppress(OSError):
            (data_dir / NAME).unlink(missing_ok=True)
    try:
        yield short
    finally:
        keep(data_dir)


def keep(data_dir: Path) -> None:
    """Take the reserve, or as much of it as there is."""
    path, size = data_dir / NAME, SIZE
    with suppress(OSError):
        if path.stat().st_size >= SIZE:
            return
    while size >= LEAST and not _taken(path, size):
        size //= 2


def _taken(path: Path, size: int) -> bool:
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return False
    return True


def _is_short(data_dir: Path) -> bool:
    try:
        found = os.statvfs(data_dir)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < SHORT
