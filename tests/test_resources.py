"""What the process may have, read from files as the kernel writes them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from allscreenshots_box import resources
from allscreenshots_box.resources import MIB, Memory

MACHINE = {"proc/meminfo": "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nMemAvailable: 2097152 kB\n"}
UNLIMITED_V1 = "9223372036854771712"


def v2(group: str, **files: str) -> dict[str, str]:
    return {f"sys/fs/cgroup/{group}/{name.replace('_', '.')}": text for name, text in files.items()}


def v1(group: str, **files: str) -> dict[str, str]:
    return {f"sys/fs/cgroup/memory/{group}/memory.{name}": text for name, text in files.items()}


def root_with(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in (MACHINE | files).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return tmp_path


STAT_V2 = f"anon {300 * MIB}\ninactive_file {100 * MIB}"
STAT_V1 = f"inactive_file 1\ntotal_inactive_file {100 * MIB}"
UNIT = "system.slice/box.service"


@pytest.mark.parametrize(
    ("files", "limit", "available"),
    [
        ({}, 4096, 2048),
        ({"proc/self/cgroup": "0::/"}, 4096, 2048),
        (
            {"proc/self/cgroup": f"0::/{UNIT}"}
            | v2(UNIT, memory_max=str(1024 * MIB), memory_current=str(512 * MIB), memory_stat=STAT_V2),
            1024,
            612,
        ),
        (
            {"proc/self/cgroup": f"0::/{UNIT}"}
            | v2(UNIT, memory_max="max", memory_high=str(800 * MIB), memory_current=str(900 * MIB)),
            800,
            0,
        ),
        (
            {"proc/self/cgroup": f"0::/{UNIT}"}
            | v2(UNIT, memory_max="max", memory_current="5")
            | v2("system.slice", memory_max=str(600 * MIB), memory_current=str(100 * MIB)),
            600,
            500,
        ),
        (
            {"proc/self/cgroup": "0::/not/seen/in/here"}
            | v2(".", memory_max=str(700 * MIB), memory_current=str(100 * MIB)),
            700,
            600,
        ),
        (
            {"proc/self/cgroup": f"4:memory:/{UNIT}\n0::/"}
            | v1(UNIT, limit_in_bytes=str(1024 * MIB), usage_in_bytes=str(512 * MIB), stat=STAT_V1),
            1024,
            612,
        ),
        ({"proc/self/cgroup": "4:memory:/"} | v1(".", limit_in_bytes=UNLIMITED_V1, usage_in_bytes="1"), 4096, 2048),
        (
            {"proc/self/cgroup": f"4:memory:/{UNIT}"}
            | v1(UNIT, limit_in_bytes=UNLIMITED_V1, usage_in_bytes="1")
            | v1("system.slice", limit_in_bytes=str(512 * MIB), usage_in_bytes=str(12 * MIB)),
            512,
            500,
        ),
    ],
)
def test_memory_is_the_tightest_of_all_bounds(
    tmp_path: Path, files: dict[str, str], limit: int, available: int
) -> None:
    assert resources.memory(root_with(tmp_path, files)) == Memory(limit * MIB, available * MIB)


def test_the_groups_may_be_those_of_another_process(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/", "proc/7/cgroup": f"0::/{UNIT}"} | v2(UNIT, memory_max=str(512 * MIB))
    root = root_with(tmp_path, files)
    assert (resources.memory(root).limit, resources.memory(root, 7).limit) == (4096 * MIB, 512 * MIB)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"sys/fs/cgroup/cpu.max": "100000 100000"}, 1),
        ({"sys/fs/cgroup/cpu.max": "20000 100000"}, 1),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, None),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 1),
    ],
)
def test_cores_are_those_of_the_machine_or_of_the_quota(
    tmp_path: Path, files: dict[str, str], quota: int | None
) -> None:
    root = root_with(tmp_path, {"proc/self/cgroup": "1:cpu:/\n0::/"} | files)
    assert resources.cores(root) == (quota or len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(("mib", "slots"), [(256, 1), (512, 1), (960, 2), (4096, len(os.sched_getaffinity(0)) + 1)])
def test_slots_are_what_memory_carries_up_to_one_more_than_cores(tmp_path: Path, mib: int, slots: int) -> None:
    files = {"proc/self/cgroup": "0::/"} | v2(".", memory_max=str(mib * MIB), memory_current="0")
    assert resources.slots(root_with(tmp_path, files)) == min(slots, len(os.sched_getaffinity(0)) + 1)


@pytest.mark.parametrize("mib", [704, 959, 960, 1215, 1216, 4096])
def test_the_slots_that_are_chosen_fit_and_one_more_does_not(mib: int) -> None:
    slots = resources.carried(mib * MIB)
    assert resources.needed(slots) <= mib * MIB < resources.needed(slots + 1)


@pytest.mark.parametrize("question", ["cpu_count", "sched_getaffinity", "/cgroup", "fs/cgroup", "meminfo", "SC_NPROC"])
def test_only_resources_asks_what_the_machine_has(question: str) -> None:
    package = Path(resources.__file__).parent
    asking = {path.name for path in package.rglob("*.py") if question in path.read_text()}
    assert asking <= {"resources.py"}


def test_this_machine_has_something() -> None:
    memory = resources.memory()
    assert 0 < memory.available <= memory.limit
    assert resources.cores() >= 1


# In a process of its own: the limit holds for all that a process does.
HANDLES = """
import os, resource
from allscreenshots_box import resources
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
free = resources.handles()
held = [os.dup(0) for _ in range(5)]
print(free - resources.handles())
try:
    while True:
        os.dup(0)
except OSError as error:
    print(error.errno in resources.NO_HANDLES, resources.handles())
"""


def test_handles_that_are_held_are_not_left() -> None:
    words = [sys.executable, "-c", HANDLES]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.splitlines() == ["5", "True 0"]
