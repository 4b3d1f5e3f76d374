"""The command that a message names, for whoever is to type it."""

import os
import re
from pathlib import Path

import pytest

from allscreenshots_box.config import SERVICE_DATA_DIR
from allscreenshots_box.process import command_hint

HOME = Path("/home/ada/.local/share/allscreenshots-box")


@pytest.mark.parametrize(
    ("is_root", "by_sudo", "data_dir", "on_path", "typed"),
    [
        (False, False, SERVICE_DATA_DIR, True, "sudo allscreenshots-box admin link"),
        (True, True, SERVICE_DATA_DIR, True, "sudo allscreenshots-box admin link"),
        (True, False, SERVICE_DATA_DIR, True, "allscreenshots-box admin link"),
        (True, True, Path("/d"), True, "sudo allscreenshots-box --data-dir /d admin link"),
        (False, False, HOME, True, "allscreenshots-box admin link"),
        (False, False, HOME, False, "{program} admin link"),
        (False, False, Path("/my data"), False, "{program} --data-dir '/my data' admin link"),
    ],
)
def test_a_command_is_spelled_for_who_called(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    is_root: bool,  # noqa: FBT001
    by_sudo: bool,  # noqa: FBT001
    data_dir: Path,
    on_path: bool,  # noqa: FBT001
    typed: str,
) -> None:
    program = tmp_path / "venv" / command_hint.PROGRAM
    program.parent.mkdir()
    program.touch(mode=0o755)
    (tmp_path / "bin").mkdir()
    if on_path:
        (tmp_path / "bin" / command_hint.PROGRAM).symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name, value in {
        "_SUDO_PATH": str(tmp_path / "bin"),
        "_CALLED_AS": program,
        "_DEFAULT": SERVICE_DATA_DIR if is_root else HOME,
        "_IS_ROOT": is_root,
        "_BY_SUDO": by_sudo,
    }.items():
        monkeypatch.setattr(command_hint, name, value)
    assert command_hint.typed(data_dir, "admin link") == typed.format(program=program)


def test_what_takes_root_is_done_as_root() -> None:
    root = command_hint.typed(Path("/d"), "doctor", as_root=True)
    assert root.startswith("sudo ") == (os.geteuid() != 0 or "SUDO_USER" in os.environ)
    assert root.endswith(" --data-dir /d doctor")


BY_HAND = re.compile(r"(allscreenshots-box|\{(SERVICE|PROGRAM)\}) (admin|backup|config|doctor|keys|plans|restore)\b")
# Strangers are told no path, and settings that cannot be read tell no data directory.
MEANT = {"web/probes.py", "api/reference.html", "config.py", "restore/restore.py", "admin/templates/activity.html"}


def test_commands_are_not_spelled_by_hand() -> None:
    package = Path(command_hint.__file__).parents[1]
    files = [*package.rglob("*.py"), *package.rglob("*.html")]
    assert {str(path.relative_to(package)) for path in files if BY_HAND.search(path.read_text())} == MEANT


def test_another_program_of_the_name_is_not_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / command_hint.PROGRAM).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not command_hint.typed(Path("/d"), "admin link").startswith(command_hint.PROGRAM)
