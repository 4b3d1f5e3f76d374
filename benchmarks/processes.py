"""What a process and all of its descendants take: CPU time, memory and handles, read from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024


def tree(pid: int) -> Iterator[int]:
    """List a process and all of its living descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue  # the thread ended in the meantime
        for child in children:
            yield from tree(int(child))


def alive(pid: int) -> bool:
    """Say whether a process is there, and not only its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """Sum the CPU time, user and system, of a tree: the living, and the dead as their parents know them."""
    total = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(ticks) for ticks in fields[11:15])  # utime, stime, cutime, cstime
    return total / TICKS


def memory(pid: int) -> tuple[float, bool]:
    """Sum the MiB of a tree; True if every part is PSS, which counts shared pages once."""
    parts = [weight for member in tree(pid) if (weight := process_memory(member))]
    return sum(part for part, _ in parts) / KIB, all(is_pss for _, is_pss in parts)


def process_memory(pid: int) -> tuple[int, bool] | None:
    """Read a process's PSS in KiB, or its RSS (and False) where PSS may not be read."""
    for file, name, is_pss in (("smaps_rollup", "Pss:", True), ("status", "VmRSS:", False)):
        try:
            text = Path(f"/proc/{pid}/{file}").read_text()
        except OSError:
            continue
        rows = [line.split() for line in text.splitlines() if line.startswith(name)]
        if rows:
            return int(rows[0][1]), is_pss
    return None


def handles(pid: int) -> int:
    """Count the open file descriptors of one process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """Count the threads of one process."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
