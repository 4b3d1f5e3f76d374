"""The command that a message names, for whoever is to type it."""

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


def test_another_program_of_the_name_is_not_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / command_hint.PROGRAM).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not command_hint.typed(Path("/d"), "admin link").startswith(command_hint.PROGRAM)
