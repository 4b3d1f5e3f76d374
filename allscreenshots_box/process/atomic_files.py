"""Files for whoever called: they appear whole or not at all, wherever the caller may write."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from ..errors import OperatorError

LONGEST_WORD = 8192  # bytes of what is told about a failure; paths are long


@contextmanager
def files(paths: Sequence[Path], *, replace: bool, mode: int) -> Iterator[list[BinaryIO]]:
    """Yield a file for each of *paths*; at the end of the block they are in their places, after an error in it nowhere.

    A child that stays who we are now puts them there, or takes them away if this process ends before: after the
    block has begun, this process may give up root. Rights are *mode* less the umask. Raises OperatorError.
    """
    parts: list[tuple[int, Path]] = []
    try:
        for path in paths:
            parts.append(_part(path, replace=replace, mode=mode))  # noqa: PERF401 - those made are known when one fails
        ours, keepers = socket.socketpair()
        keeper = os.fork()
    except BaseException:
        _remove(parts)
        raise
    if keeper == 0:
        ours.close()
        _keep(keepers, parts, [path.absolute() for path in paths], replace=replace)
    keepers.close()
    opened: list[BinaryIO] = [os.fdopen(descriptor, "wb") for descriptor, _ in parts]
    try:
        yield opened
        for path, file in zip(paths, opened, strict=True):
            _finish(path, file)
        ours.send(b"done")
        problem = ours.recv(LONGEST_WORD).decode(errors="replace")
    finally:
        ours.close()
        for file in opened:
            with suppress(OSError):
                file.close()
        os.waitpid(keeper, 0)
    if problem != "done":
        raise OperatorError(problem or _unwritten(paths[0], "its keeper was killed"))


def refuse_within(directory: Path, paths: Sequence[Path]) -> None:
    """Raise OperatorError if a file would be put into *directory*, such as in the place of the database itself."""
    for path in paths:
        if directory.resolve() in path.absolute().parent.resolve().joinpath(path.name).parents:
            raise OperatorError(f"The file {path} would lie in the data directory, which is the box's: name another.")


def write(path: Path, file: BinaryIO, content: bytes) -> None:
    """Write *content* to the file that is to become *path*. Raises OperatorError."""
    try:
        file.write(content)
    except OSError as error:
        raise OperatorError(_unwritten(path, error.strerror)) from error


def to_stdout(content: bytes) -> None:
    """Write *content* to standard output. Raises OperatorError."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again at its end
        raise OperatorError(
            f"Standard output took not all of it ({error.strerror}): give it room, or name a file."
        ) from error


def _part(path: Path, *, replace: bool, mode: int) -> tuple[int, Path]:
    """Make the file beside *path* that becomes it."""
    try:
        if _is_there(path):
            if not path.is_file():
                raise OperatorError(f"{path} is there, and is not a file: name another.")
            if not replace:
                raise OperatorError(_taken(path))
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.absolute().parent)
    except (OSError, ValueError) as error:
        raise OperatorError(_unwritten(path, getattr(error, "strerror", None) or "no such name")) from error
    try:
        os.fchmod(descriptor, mode & ~_umask())
    except OSError as error:
        _remove([(descriptor, Path(name))])
        raise OperatorError(_unwritten(path, error.strerror)) from error
    return descriptor, Path(name)


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _finish(path: Path, file: BinaryIO) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise OperatorError(_unwritten(path, error.strerror)) from error


def _keep(line: socket.socket, parts: list[tuple[int, Path]], paths: list[Path], *, replace: bool) -> NoReturn:
    """Wait for the word that all is written, and put the files into their places; without it, remove them."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)  # they are for the other one, whose end we see
        if line.recv(LONGEST_WORD) == b"done":
            line.send(_put(parts, paths, replace=replace).encode()[:LONGEST_WORD])
    finally:
        _remove(parts)
        os._exit(0)


def _put(parts: list[tuple[int, Path]], paths: list[Path], *, replace: bool) -> str:
    for (_, part), path in zip(parts, paths, strict=True):
        try:
            if not replace and _is_there(path):
                return _taken(path)
            part.replace(path)
        except OSError as error:
            return _unwritten(path, error.strerror)
    return "done"


def _remove(parts: list[tuple[int, Path]]) -> None:
    for _, part in parts:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _taken(path: Path) -> str:
    return f"The file {path} is there already: choose another name, or say --force."


def _unwritten(path: Path, reason: str | None) -> str:
    return f"The file {path} cannot be written ({reason}): see that its directory is there, is yours, and has room."
