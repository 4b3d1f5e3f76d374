"""The box under examination: its settings, the server that may run on it, and the renderer that checks share."""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path

from .. import resources
from ..config import Loaded
from ..process import locks
from ..render.renderer import Renderer
from .probe import Site
from .result import Skipped

SERVICE = "allscreenshots-box"
SYSTEMD = Path("/run/systemd/system")  # there if and only if systemd runs this machine
ASKING_SECONDS = 3.0
_WANTED = "LoadState,UnitFileState,ActiveState,NeedDaemonReload,FragmentPath,LimitNOFILE"


class CheckContext:
    """What the checks know of the box and of each other."""

    def __init__(self, loaded: Loaded) -> None:
        self.settings = loaded.settings
        self.sources = loaded.sources
        self.stack = AsyncExitStack()  # what was opened for the checks, and closes after them
        self.renderer: Renderer | None = None
        self.site = Site()  # the pages that it is given
        self.is_ours = False  # whether we are whoever the data directory belongs to
        self._moved_out = False
        self.began = time.time(), time.monotonic()

    def data(self) -> Path:
        """Return the data directory, once it is known to be one that we may look into."""
        if not self.is_ours:
            raise Skipped("it needs the data directory")
        return self.settings.data_dir

    def rendering(self) -> Renderer:
        """Return the renderer, once it runs."""
        if self.renderer is None:
            raise Skipped("it needs the browser, which does not run")
        return self.renderer

    def move_out(self) -> None:
        """Have the browser write into a directory of our own: the server's is swept by the server."""
        if os.geteuid() == 0:
            raise Skipped("the browser is never started as root")
        if self._moved_out:
            return
        self._moved_out = True
        tempfile.tempdir = None  # root's may be closed to whom we have become
        room = tempfile.mkdtemp(prefix=f"{SERVICE}-doctor-")
        self.stack.callback(shutil.rmtree, room, ignore_errors=True)
        tempfile.tempdir = room
        os.environ |= {"TMPDIR": room, "HOME": room}

    @cached_property
    def server(self) -> int | None:
        """The process that serves this data directory, if one does."""
        return holder(self.settings.data_dir / locks.LOCK)

    @cached_property
    def slots(self) -> int:
        """How many slots the server has: as they are set, else by what it may have, which may be less than we may."""
        is_chosen = self.sources.get("slots", "default") == "default"
        return resources.slots(process=self.server) if is_chosen else self.settings.slots

    @cached_property
    def unit(self) -> dict[str, str]:
        """What systemd says of the service; nothing where systemd does not run."""
        if not SYSTEMD.is_dir():
            return {}
        shown = subprocess.run(
            ["systemctl", "show", SERVICE, f"--property={_WANTED}"],
            capture_output=True,
            text=True,
            timeout=ASKING_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)


def holder(lock: Path) -> int | None:
    """Return the process that holds a flock on *lock*, without trying to take it from a server that just starts."""
    try:
        file = lock.stat().st_ino  # the device is not compared: overlays show another one than the kernel's list
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(file):
            return int(words[4])
    return None
