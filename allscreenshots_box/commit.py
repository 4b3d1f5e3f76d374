"""Which commit this program is of: two of them bear the same version. It imports nothing of ours, for the installer."""

import re
import sys
from contextlib import suppress
from pathlib import Path

SHOWN = 12  # characters, as git abbreviates in a large repository
_INSTALLED = Path(sys.prefix, "commit")  # what the installer wrote beside a copy
_SOURCE = Path(__file__).parents[1]


def commit() -> str | None:
    """Return the commit of what runs, shortened; nothing where nobody knows it."""
    with suppress(OSError):
        return _INSTALLED.read_text().strip() or None
    return of_source(_SOURCE)


def of_source(folder: Path | str) -> str | None:
    """Return the commit that *folder* has checked out, as git's own files tell: there may be no git here."""
    with suppress(OSError, ValueError):
        git = Path(folder, ".git")
        if git.is_file():  # a worktree
            git = Path(folder, git.read_text().removeprefix("gitdir:").strip())
        told = (git / "HEAD").read_text().strip()
        if told.startswith("ref:"):
            told = _resolved(git, told.removeprefix("ref:").strip())
        return told[:SHOWN] if re.fullmatch(r"[0-9a-f]{40,64}", told) else None
    return None


def _resolved(git: Path, name: str) -> str:
    common = git
    if (git / "commondir").is_file():
        common = git / (git / "commondir").read_text().strip()
    with suppress(OSError):
        return (common / name).read_text().strip()
    packed = (line.split() for line in (common / "packed-refs").read_text().splitlines())
    return next((words[0] for words in packed if words[1:] == [name]), "")
