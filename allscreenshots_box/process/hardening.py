"""What this process knows is nobody else's: no core, no debugger, and a data directory that only its owner enters."""

import ctypes
import os
import resource
from pathlib import Path

_PR_SET_DUMPABLE = 4  # of <linux/prctl.h>
_OTHERS = 0o077


def hide_memory() -> None:
    """Let no core dump and no other process have our memory or environment.

    Pages' processes run as our user, and outside of their sandbox could read both from /proc. To be called
    after the last change of user, which undoes it on some systems.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def close_directory(path: Path) -> None:
    """Take from everybody but the owner what rights they have in the directory *path*, and in the files in it."""
    for one in (path, *path.iterdir()):
        status = one.lstat()
        if status.st_uid == os.geteuid() and not one.is_symlink() and status.st_mode & _OTHERS:
            one.chmod(status.st_mode & ~_OTHERS & 0o7777)
