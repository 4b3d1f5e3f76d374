"""The cell that pages live in: the proof that it is shut, and how large and how many the processes in it may be."""

import asyncio
import math
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import OperatorError

NAMESPACES = ("user", "pid", "net")  # that pages must have of their own
SECCOMP_FILTER = "2"  # /proc's word for a process that runs under a system call filter
NO_CAPABILITIES = "0000000000000000"
LOOKS, BETWEEN_SECONDS = 40, 0.05  # a page's process shuts itself in a moment after its start
PAGE = os.sysconf("SC_PAGE_SIZE")
STOPPED, GONE = "T", {"", "X", "Z"}  # /proc's words for what a process does
STARTED = 19  # of the fields in /proc/PID/stat behind the name, which may have anything in it


class Killed(NamedTuple):
    """A page's process that was ended, and the bound that it broke. Memory in bytes."""

    bound: str
    pid: int
    memory: int


class Cell:
    """The processes of one browser: which are its own, which are its pages', and what they take."""

    def __init__(self, browser: int, page_memory: int, most_pages: int) -> None:
        self._page_memory = page_memory  # bytes
        self._most_pages = most_pages  # processes
        self._browser = browser
        lines = {pid: _command_line(pid) for pid in {browser} | descendants(browser)}
        # Debian starts it by a shell script that stays.
        self._own = [pid for pid, line in lines.items() if line and b"--type=" not in line]
        self._helpers: set[int] = set()  # that serve all pages: network, GPU
        self._helper_ended = -math.inf  # when one was last missed
        self._zygotes = [pid for pid, line in lines.items() if b"--type=zygote" in line]  # parents of all pages

    async def prove(self) -> str:
        """Return the evidence that every page is inside the sandbox. Raises OperatorError if one is not, or none is."""
        for _ in range(LOOKS):
            pages = self._pages()
            lacks = {pid: lacking for pid in pages if (lacking := _lacks(pid))}
            if pages and not lacks:
                return f"on (renderer {pages[0]}: system call filter, own user, process and network namespaces)"
            await asyncio.sleep(BETWEEN_SECONDS)
        if not pages:
            raise OperatorError("Chromium runs, but has no process for pages: its sandbox cannot be proven.")
        raise OperatorError(
            f"Chromium runs, but its pages lack: {', '.join(lacks.popitem()[1])}. Allow unprivileged user namespaces "
            "('The browser's sandbox' in docs/install.md says how), or set dangerously_disable_sandbox if you must."
        )

    def memory(self) -> int:
        """Return the bytes that the browser's own process holds, its pages not counted."""
        return sum(map(_resident, self._own))

    def largest_page(self) -> int:
        """Return the bytes that the largest page holds for itself alone."""
        return max(map(_own_memory, self._pages()), default=0)

    def cull(self) -> list[Killed]:
        """End the pages' processes that are too large, and the youngest of those that are too many."""
        sizes = {pid: size for zygote in self._zygotes for pid in _children(zygote) if (size := _resident(pid))}
        large = [pid for pid, size in sizes.items() if size > self._page_memory and _is_page(pid)]
        killed = [Killed("page_memory", pid, sizes[pid]) for pid in large]
        if len(sizes) > self._most_pages:
            pages = sorted(set(sizes).intersection(self._pages()), key=_started)
            killed += [Killed("processes", pid, sizes[pid]) for pid in pages[self._most_pages :] if pid not in large]
        for one in killed:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        return killed

    def end_stopped_pages(self) -> list[int]:
        """End the pages' processes that somebody has stopped: their shots hear of it, and are tried again."""
        stopped = [pid for pid in self._pages() if _state(pid) == STOPPED]
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return stopped

    def ailment(self) -> str | None:
        """Return what is wrong with the browser's other processes, if something is."""
        if any(_state(pid) in GONE for pid in self._zygotes):
            return "the process that makes pages has ended"
        self._count_helpers()
        if any(_state(pid) == STOPPED for pid in (self._browser, *self._own, *self._zygotes, *self._helpers)):
            return "one of its processes was stopped"
        return None

    def has_missed_a_helper_since(self, moment: float) -> bool:
        """Say whether the network's process or the GPU's has ended since *moment* on the monotonic clock.

        Chromium starts another by itself, and what the old one was at fails as if the target had.
        """
        self._count_helpers()
        return self._helper_ended >= moment

    def _count_helpers(self) -> None:
        if any(_state(pid) in GONE for pid in self._helpers):
            self._helper_ended = time.monotonic()
        # By what they are, and not by being no page: a page's process begins as a copy of its zygote.
        self._helpers = {pid for pid in descendants(self._browser) if _is_helper(pid)}

    def _pages(self) -> list[int]:
        return [pid for zygote in self._zygotes for pid in _children(zygote) if _is_page(pid)]


def _lacks(pid: int) -> list[str]:
    """Return what the process *pid* should have and has not."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        shared = [name for name in NAMESPACES if _namespace(str(pid), name) == _namespace("self", name)]
    except (ProcessLookupError, FileNotFoundError):
        return []  # it has ended
    except PermissionError:
        return ["namespaces that can be looked at"]
    lacks = [f"a {name} namespace of their own" for name in shared]
    if status.get("Seccomp") != SECCOMP_FILTER:
        lacks.append("a system call filter")
    if status.get("CapEff") != NO_CAPABILITIES:
        lacks.append("an empty set of capabilities")
    return lacks


def _namespace(pid: str, name: str) -> str:
    return str(Path(f"/proc/{pid}/ns/{name}").readlink())


def _is_helper(pid: int) -> bool:
    line = _command_line(pid)
    return b"--type=utility" in line or b"--type=gpu-process" in line


def _is_page(pid: int) -> bool:
    return b"--type=renderer" in _command_line(pid)


def _command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


def _state(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def _own_memory(pid: int) -> int:
    """Return what *pid* holds without what it shares: the program, which all pages have once."""
    with suppress(OSError):
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
        return (int(resident) - int(shared)) * PAGE
    return 0


def _started(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[STARTED])
    return 0


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(child) for child in listing.read_text().split()}
    return found


def weigh(pid: int) -> tuple[int, int]:
    """Return the bytes that *pid* holds, and that all processes below it do; shared ones are counted for each."""
    return _resident(pid), sum(map(_resident, descendants(pid)))


def descendants(pid: int) -> set[int]:
    """Return every process below *pid*."""
    found = _children(pid)
    for child in list(found):
        found |= descendants(child)
    return found
