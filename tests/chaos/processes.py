"""The processes below a box, by what they do, and what a box must not leave behind."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.box import Box
from tests.test_serve import below

in_full = pytest.mark.skipif("CHAOS_ROUNDS" not in os.environ, reason="a part of the full form: `make chaos`")

MARKS = {
    "browser": "--remote-debugging-pipe --no-startup-window",
    "renderer": "--type=renderer",
    "gpu": "--type=gpu-process",
    "zygote": "--type=zygote",
    "network": "network.mojom.NetworkService",
}


def named(box: Box, kind: str) -> list[int]:
    """Return the processes of one kind."""
    return [pid for pid, line in below(box.process.pid).items() if MARKS[kind] in line]


def hit(box: Box, kind: str, number: signal.Signals) -> int:
    """Send all processes of a kind a signal; return how many there were."""
    pids = named(box, kind)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(pids)


def still_there(pids: dict[int, str]) -> list[str]:
    """Return which of these processes still exist and are what they were."""
    left = []
    for pid, line in pids.items():
        with suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() == line:
                left.append(line)
    return left


def zombies(box: Box) -> int:
    """Return how many processes below the box are dead and not yet buried."""
    states = []
    for pid in below(box.process.pid):
        with suppress(OSError):
            states.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
    return states.count("Z")


def wait_until(holds: object, seconds: float) -> float | None:
    """Return after how many seconds *holds* did; None if it did not within *seconds*."""
    assert callable(holds)
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            return None
        time.sleep(0.05)
    return time.monotonic() - begun
