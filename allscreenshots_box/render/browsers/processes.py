"""What /proc tells of processes: whose they are, what they do, hold and have used, and how the kernel ranks them."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")  # to a second
STOPPED, GONE = "T", {"", "X", "Z"}  # /proc's words for what a process does
VOLUNTARY = re.compile(rb"^voluntary_ctxt_switches:\s*(\d+)", re.MULTILINE)
AT_WORK = {"R", "D"}  # on a processor, waiting for one, or for the disk
# Of the fields in /proc/PID/stat behind the name, which may have anything in it.
_STATE, _USER, _SYSTEM, _STARTED = 0, 11, 12, 19


def children(pid: int) -> set[int]:
    """Return the processes that *pid* has started and that still exist."""
    return {int(child) for thread in _threads(pid) for child in _read(f"{thread}/children").split()}


def descendants(pid: int) -> set[int]:
    """Return every process below *pid*."""
    found = children(pid)
    for child in list(found):
        found |= descendants(child)
    return found


def command_line(pid: int) -> bytes:
    """Return the words that *pid* was started with, each ended by a zero."""
    return _read(f"/proc/{pid}/cmdline")


def state(pid: int) -> str:
    """Return /proc's letter for what *pid* does; empty if there is no such process."""
    fields = _fields(f"/proc/{pid}/stat")
    return fields[_STATE] if fields else ""


def started(pid: int) -> float:
    """Return when *pid* was started, in seconds of the clock of `now`."""
    fields = _fields(f"/proc/{pid}/stat")
    return int(fields[_STARTED]) / TICKS if fields else 0.0


def now() -> float:
    """Return the seconds since the machine was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def used(pid: int) -> float:
    """Return the seconds of processor time that *pid* has used, all threads together."""
    return _seconds(_fields(f"/proc/{pid}/stat"))


def used_by_threads(pid: int) -> dict[int, tuple[str, float]]:
    """Return the name of each thread of *pid*, and the seconds of processor time that it has used."""
    found: dict[int, tuple[str, float]] = {}
    for thread in _threads(pid):
        name, _, rest = _text(f"{thread}/stat").rpartition(")")
        if rest:
            number, _, name = name.partition(" (")
            found[int(number)] = name, _seconds(rest.split())
    return found


def switches(pid: int) -> int:
    """Return how often the first thread of *pid* has waited for something; 0 if there is none."""
    found = VOLUNTARY.search(_read(f"/proc/{pid}/task/{pid}/status"))
    return int(found[1]) if found else 0


def at_work(pid: int) -> int:
    """Return how many threads of *pid* run, or would if the machine let them."""
    return sum(bool((fields := _fields(f"{thread}/stat")) and fields[_STATE] in AT_WORK) for thread in _threads(pid))


def rank(pid: int, niceness: int) -> None:
    """Put all threads of *pid*, and what they start from now on, behind those of a lower niceness."""
    for thread in _threads(pid):
        with suppress(OSError):  # it has ended, or is as far back already, and nobody may bring it forward
            os.setpriority(os.PRIO_PROCESS, int(thread.rpartition("/")[2]), niceness)


def resident(pid: int) -> int:
    """Return the bytes of memory that *pid* holds, those that it shares included."""
    held = _read(f"/proc/{pid}/statm").split()[1:2]
    return int(held[0]) * PAGE if held else 0


def own_memory(pid: int) -> int:
    """Return what *pid* holds without what it shares: the program, which all pages have once."""
    sizes = _read(f"/proc/{pid}/statm").split()[1:3]
    return (int(sizes[0]) - int(sizes[1])) * PAGE if sizes else 0


def weigh(pid: int) -> tuple[int, int]:
    """Return the bytes that *pid* holds, and that all processes below it do; shared ones are counted for each."""
    return resident(pid), sum(map(resident, descendants(pid)))


def _threads(pid: int) -> Iterator[str]:
    with suppress(OSError):
        yield from (f"/proc/{pid}/task/{name}" for name in os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - names


def _seconds(fields: list[str]) -> float:
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / TICKS if fields else 0.0


def _fields(file: str) -> list[str]:
    return _text(file).rpartition(")")[2].split()


def _text(file: str) -> str:
    return _read(file).decode(errors="replace")  # a name may have anything in it


def _read(file: str) -> bytes:
    """Return what a file of /proc has, nothing if there is none any more.

    Without pathlib, which takes twice as long as the rest: the event loop reads hundreds of these a second.
    """
    with suppress(OSError), open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - see above
        return opened.read()
    return b""
