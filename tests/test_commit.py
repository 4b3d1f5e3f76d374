"""Which commit a source is of, read from git's own files: a bare machine has no git."""

from pathlib import Path

import pytest

from allscreenshots_box import commit
from tests.box import command

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    "files",
    [
        {"HEAD": f"{COMMIT}\n"},
        {"HEAD": "ref: refs/heads/main\n", "refs__heads__main": f"{COMMIT}\n"},
        {"HEAD": "ref: refs/heads/main\n", "packed_refs": f"# pack-refs with: peeled\n{COMMIT} refs/heads/main\n"},
    ],
    ids=["detached", "branch", "packed"],
)
def test_a_clone_tells_its_commit(tmp_path: Path, files: dict[str, str]) -> None:
    git(tmp_path / ".git", **files)
    assert commit.of_source(tmp_path) == COMMIT[: commit.SHOWN]


def test_a_worktree_tells_its_commit(tmp_path: Path) -> None:
    main = tmp_path / "main.git"
    (main / "refs" / "heads").mkdir(parents=True)
    (main / "refs" / "heads" / "side").write_text(f"{COMMIT}\n")
    (main / "worktrees" / "side").mkdir(parents=True)
    (main / "worktrees" / "side" / "HEAD").write_text("ref: refs/heads/side\n")
    (main / "worktrees" / "side" / "commondir").write_text("../..\n")
    (tmp_path / ".git").write_text(f"gitdir: {main}/worktrees/side\n")
    assert commit.of_source(tmp_path) == COMMIT[: commit.SHOWN]


@pytest.mark.parametrize(
    "files",
    [{}, {"HEAD": "ref: refs/heads/main\n"}, {"HEAD": "nonsense\n"}, {"HEAD": ""}],
    ids=["no git", "no commit", "nonsense", "empty"],
)
def test_what_is_no_clone_tells_none(tmp_path: Path, files: dict[str, str]) -> None:
    git(tmp_path / ".git", **files)
    assert commit.of_source(tmp_path) is None


def test_a_copy_tells_what_its_installer_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "commit").write_text("fedcba987654\n")
    monkeypatch.setattr(commit, "_INSTALLED", tmp_path / "commit")
    assert commit.commit() == "fedcba987654"


def test_the_version_is_told_with_its_commit() -> None:
    known = commit.commit()
    told = command("version").stdout
    assert told.startswith(f"allscreenshots-box 0.1.0, {f'commit {known}, ' if known else ''}Python 3.")
