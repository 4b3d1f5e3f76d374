"""Files that an operator names, and what is none: never waited for, never read without end."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from allscreenshots_box import config, regular_files
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.render.blocking import engine
from allscreenshots_box.web import tls
from tests.box import command, found


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def endless(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (os.mkfifo, "it is not a file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is not a file"),
    "a socket": (a_socket, "No such device or address"),
    "a directory": (Path.mkdir, "Is a directory"),
    "an endless file": (endless, "it is larger than"),
}
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "tls_cert": (lambda path: tls.read(path, path), r"\(setting tls_cert\) cannot be read by user"),
    "block_rules": (engine._own_lines, "mend it or block_rules"),
    "config": (lambda path: config.load({}, {}, path), "The settings file"),
}


@pytest.mark.parametrize("setting", READERS)
@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_refused_at_once_by_the_settings_name(tmp_path: Path, setting: str, kind: str) -> None:
    (make, why), (read, said) = NO_FILES[kind], READERS[setting]
    path = tmp_path / "named"
    make(path)
    with pytest.raises(OperatorError, match=said) as caught:
        read(path)
    assert why in str(caught.value)


def test_a_file_is_read_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "named"
    path.write_bytes(b"x" * 100)
    assert regular_files.content(path, 100) == b"x" * 100
    with pytest.raises(OSError, match="larger"):
        regular_files.content(path, 99)


def test_what_is_always_empty_is_an_empty_file() -> None:
    assert regular_files.content(Path(os.devnull)) == b""


def test_a_backup_in_a_pipe_that_nobody_fills_is_none(box_in: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o666)
    done = command("--data-dir", str(box_in), "restore", str(pipe), "--yes")
    assert (done.returncode, "The backup is not a database" in done.stderr) == (1, True)


@pytest.fixture
def box_in(data_dir: Path) -> Path:
    """Return the data directory of an empty box."""
    return found(data_dir)
