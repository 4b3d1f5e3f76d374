"""How this program is to be typed, so that it works on the same data again: for messages that name a command."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from ..config import SERVICE_DATA_DIR, default_data_dir

PROGRAM = "allscreenshots-box"

_SUDO_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # where sudo looks, whatever we have
# As it was when we were called: later we may be another user, in another directory, with another HOME.
_CALLED_AS = Path(sys.argv[0]).absolute()
_DEFAULT = default_data_dir()
_IS_ROOT = os.geteuid() == 0
_BY_SUDO = "SUDO_USER" in os.environ


def typed(data_dir: Path, words: str, *, as_root: bool = False) -> str:
    """Return the command line that does *words*, such as "admin link", on *data_dir*; *as_root* if only root can."""
    sudo = _BY_SUDO if _IS_ROOT else as_root or data_dir == SERVICE_DATA_DIR
    default = SERVICE_DATA_DIR if sudo else _DEFAULT
    path = _SUDO_PATH if sudo else os.environ.get("PATH", os.defpath)
    option = "" if data_dir == default else f"--data-dir {shlex.quote(str(data_dir))} "
    return f"{'sudo ' if sudo else ''}{_program(path)} {option}{words}"


def has_path(command: str) -> bool:
    """Say whether a command line tells where something lies on this machine, which is no stranger's business."""
    return "/" in command


def _program(path: str) -> str:
    """Return how a shell finds this very program: by its name if that leads here, else by where it is."""
    here = _CALLED_AS if _CALLED_AS.name == PROGRAM else Path(sys.executable).with_name(PROGRAM)
    if not here.exists():
        return f"{shlex.quote(sys.executable)} -m allscreenshots_box"
    found = shutil.which(PROGRAM, path=path)
    return PROGRAM if found and Path(found).resolve() == here.resolve() else shlex.quote(str(here))
