"""What the machine, and the control groups that this process is in, let it have: memory, cores and file handles."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/")
KIB = 1024
MIB = 1024 * KIB
# Measured: the server and a browser with nothing to do take 400 MiB, a window of a page with photographs 90, a full
# page up to 520. Slots are made for something between; the queue looks at what is free before each shot.
BASE_MEMORY = 448 * MIB
SLOT_MEMORY = 256 * MIB
# Chromium opens 32 connections at most to what it takes for a proxy; each leads to another, and
# the session listens for them.
SHOT_HANDLES = 65
NO_HANDLES = {errno.EMFILE, errno.ENFILE}
# Files of a group, version 2 and 1: a bound, and what is used of it.
_BOUNDS = {
    "memory.max": "memory.current",
    "memory.high": "memory.current",
    "memory.limit_in_bytes": "memory.usage_in_bytes",
}


class Memory(NamedTuple):
    """Bytes: all that a process and its children may have, and how much of that is still to be had."""

    limit: int
    available: int


def memory(root: Path = ROOT, process: int | None = None) -> Memory:
    """Return the tightest of what the machine and each control group above *process*, or above this one, allow.

    What can be taken back from the page cache counts as available. *root* is where proc and sys are.
    """
    return Memory(*map(min, zip(_machine(root), *_groups(root, process), strict=True)))


def handles() -> int:
    """Return how many files and connections this process may still open; 0 also when not even that can be seen."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        return max(0, limit - len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - a name for each, and no more
    except OSError:
        return 0


def threads(process: int | None = None) -> int:
    """Return how many threads can run at a time: what Chromium makes its pools for, whatever the quota of time is."""
    return len(os.sched_getaffinity(process or 0))


def cores(root: Path = ROOT, process: int | None = None) -> int:
    """Return how many cores *process*, or this one, may keep busy, at least one."""
    allowed = threads(process)
    for quota in _quotas(root, process):
        allowed = min(allowed, max(1, round(quota)))
    return allowed


def slots(root: Path = ROOT, process: int | None = None) -> int:
    """Return how many pages to render at the same time: one more than cores, and no more than memory carries."""
    return max(1, min(cores(root, process) + 1, carried(memory(root, process).limit), 64))


def carried(limit: int) -> int:
    """Return how many slots *limit* bytes are enough for; less than one where they are not enough for the box."""
    return (limit - BASE_MEMORY) // SLOT_MEMORY


def needed(slots: int) -> int:
    """Return how many bytes the box may take with so many slots."""
    return BASE_MEMORY + slots * SLOT_MEMORY


def _machine(root: Path) -> Memory:
    lines = (line.split() for line in (root / "proc/meminfo").read_text().splitlines())
    told = {words[0]: int(words[1]) * KIB for words in lines if len(words) > 1}
    return Memory(told["MemTotal:"], told.get("MemAvailable:", told["MemFree:"]))


def _groups(root: Path, process: int | None) -> Iterator[Memory]:
    for group in _above(root, "memory", process):
        for limit_in, used_in in _BOUNDS.items():
            limit, used = _number(group / limit_in), _number(group / used_in) or 0
            if limit is not None:
                yield Memory(limit, max(0, min(limit, limit - used + _reclaimable(group))))


def _reclaimable(group: Path) -> int:
    with suppress(OSError, ValueError):
        told = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(told.get("total_inactive_file", told.get("inactive_file", 0)))
    return 0


def _quotas(root: Path, process: int | None) -> Iterator[float]:
    for group in _above(root, "cpu", process):
        with suppress(OSError, ValueError):  # "max" is no number
            quota, period = map(int, (group / "cpu.max").read_text().split())
            yield quota / period
        quota_v1, period_v1 = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        if quota_v1 and period_v1:
            yield quota_v1 / period_v1


def _above(root: Path, controller: str, process: int | None) -> Iterator[Path]:
    """Yield the directories of a process's groups for *controller*, version 1 and 2, up to the mount.

    In a container the path may be that outside of it, which is not there: then the mount is the group.
    """
    for line in _lines(root / "proc" / str(process or "self") / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in controllers.split(","):
            mounts = [root / "sys/fs/cgroup" / name for name in dict.fromkeys((controllers, controller))]
        else:
            continue
        for mount in filter(Path.is_dir, mounts):
            group = mount / path.strip("/")
            while mount in group.parents:
                yield group
                group = group.parent
            yield mount


def _lines(path: Path) -> list[str]:
    with suppress(OSError):
        return path.read_text().splitlines()
    return []


def _number(path: Path) -> int | None:
    """Return the number in a file; None where there is none, or none that binds ("max", -1)."""
    with suppress(OSError, ValueError):
        number = int(path.read_text())
        return number if number > 0 else None
    return None
