"""Files that an operator names: read whole if they are files at all, in bounds, and never waited for."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

LARGEST = 1 << 20  # bytes, of what people or their programs write: certificates, keys, settings


def content(path: Path, largest: int = LARGEST) -> bytes:
    """Return what lies in the file *path*. Raises OSError, also for what is no file, or too large a one."""
    with opened(path) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) and not os.path.samestat(status, Path(os.devnull).stat()):
            raise OSError(errno.EINVAL, "it is not a file", str(path))
        found = file.read(largest + 1)
    if len(found) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest >> 20} MiB", str(path))
    return found


def opened(path: Path) -> BinaryIO:
    """Open *path*, whatever it is: a pipe that nobody writes to has come to its end, and is not waited for."""
    return open(path, "rb", opener=_open)


def _open(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    os.set_blocking(descriptor, True)  # of a pipe with a writer, all is read
    return descriptor
