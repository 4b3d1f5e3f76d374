"""A box in a network namespace, and beside it all the world that it sees: one process with the targets and the names.

The targets are not this process: what they send to an attack must not slow the clock that the neighbour is timed by.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from allscreenshots_box.config import Settings
from tests.attacks.network import BOX_SIDE, NAME_SERVER, WORLD_SIDE, Space, ip
from tests.box import PROGRAM, Box, environment
from tests.neighbour.cases import TIGHT

ROOT = Path(__file__).parent.parent.parent
# Resolved as on a plain machine, with the system's own patience, by files of the box's own that nobody else sees.
RESOLVER = {
    "resolv.conf": f"nameserver {NAME_SERVER}\n",
    "nsswitch.conf": "hosts: files dns\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
_ENTER = f'for file in {" ".join(RESOLVER)}; do mount --bind $0/$file /etc/$file || exit; done; exec "$@"'
PLENTY = ("--screenshots-per-hour", "--screenshots-burst", "--requests-per-hour", "--requests-burst")
NEIGHBOUR = "neighbour"
MEAGRE = ("--screenshots-per-hour", "1", "--screenshots-burst", "1")


class StreetBox(Box):
    """A box that sees nothing but the street, on a copy of a data directory that has all keys."""

    def __init__(self, inside: Space, above: Path, founded: "Founded", *options: str) -> None:
        inside.run(super().__init__, above / "data", *options)  # inside: a port that is free there
        self.inside = inside
        self.secrets = founded.secrets
        founded.copy(self.data_dir)
        for name, text in RESOLVER.items():
            (above / name).write_text(text)
        self.program = ("unshare", "--mount", "sh", "-c", _ENTER, str(above), founded.installed)

    def start(self) -> None:
        self.inside.run(super().start)


class Founded:
    """A data directory with a key for the neighbour and one for attackers on each plan, made once for many boxes.

    *installed* is the program of the checkout that is tried.
    """

    def __init__(self, above: Path, installed: str) -> None:
        self.installed = installed
        self._data_dir = above / "data"
        self._run("plans", "set", "default", *(word for flag in PLENTY for word in (flag, "1000000")))
        self._run("plans", "set", TIGHT, *MEAGRE)
        self.secrets = {
            name: self._run("keys", "create", name, "--plan", plan)
            for name, plan in ((NEIGHBOUR, "default"), ("default", "default"), (TIGHT, TIGHT))
        }

    def _run(self, *words: str) -> str:
        command = [self.installed, "--data-dir", str(self._data_dir), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def copy(self, data_dir: Path) -> None:
        """Lay a copy, for whoever the program becomes."""
        shutil.copytree(self._data_dir, data_dir)
        for path in (data_dir, *data_dir.rglob("*")):
            shutil.chown(path, Settings.user)


class Street:
    """Two namespaces with a wire between them, the world in one, and boxes in the other."""

    def __init__(self) -> None:
        self.inside, self._outside = Space(), Space()
        self.inside.run(ip, f"link add wire type veth peer name wire netns {self._outside.thread}\n")
        self._outside.run(ip, WORLD_SIDE)
        self.inside.run(ip, BOX_SIDE)
        self._world = self._outside.run(self._start)
        self._open = ExitStack()
        self._founded: dict[str, Founded] = {}  # by program

    @staticmethod
    def _start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.neighbour.world", NAME_SERVER]
        world = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert world.stdout is not None
        assert world.stdout.readline() == b"ready\n"
        return world

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._world.kill()
        self._world.communicate()
        self.inside.close()
        self._outside.close()

    @contextmanager
    def box(self, installed: str = PROGRAM, *options: str) -> Iterator[StreetBox]:
        """Run a box that has nothing but its defaults and *options*."""
        if installed not in self._founded:
            self._founded[installed] = Founded(self._open.enter_context(_folder()), installed)
        with _folder() as above:
            box = StreetBox(self.inside, above, self._founded[installed], *options)
            box.start()
            try:
                yield box
            finally:
                end(box)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a directory that whoever the program becomes can enter."""
    with tempfile.TemporaryDirectory(prefix="box-test-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def end(box: Box, seconds: float = 10) -> None:
    """Stop a box, and do not wait for long for what an attack has left in it."""
    box.process.terminate()
    limit = time.monotonic() + seconds
    while box.process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    if box.process.poll() is None:
        box.process.kill()
        box.process.wait()


def opening(body: dict[str, Any]) -> dict[str, Any]:
    """Return how every picture of the street is asked for, if a case says nothing else."""
    return {"viewport": {"width": 400, "height": 300}, "timeout": 4000} | body
