"""Browsers that a killed server left behind: found at the next start, and ended if they are provably ours."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ... import logs

NOTE = "box-process.json"  # in each profile: which session its browser was started in
BOOT = Path("/proc/sys/kernel/random/boot_id")
FIELDS = 20  # of /proc/PID/stat behind the name, up to the start
GONE_SECONDS = 2.0  # the kernel takes back a large browser's memory before the process is gone


class Process(NamedTuple):
    """What the kernel says of a process, to everybody."""

    pid: int
    state: str
    session: int
    started: int  # ticks since the machine was
    user: int
    command: bytes


def note(profile: Path, pid: int) -> None:
    """Write down which process has *profile*; it leads the session that all its children are in."""
    process = look(pid)
    if process is not None:
        told = {"boot": BOOT.read_text(), "session": pid, "started": process.started}
        (profile / NOTE).write_text(json.dumps(told))


def sweep(work_dir: Path) -> list[int]:
    """End what browsers with a profile below *work_dir* left behind, stopped or not; return their ids.

    Ours is who runs as this user, and either names such a profile as its own or is a Chromium's process in a session
    that was noted there, on this boot. A session's number is given to nobody else while it has members.
    """
    sessions = dict(_sessions(work_dir))
    named = b"--user-data-dir=%s/" % os.fsencode(work_dir)
    ours = [one for one in _processes() if one.user == os.geteuid() and _is_ours(one, named, sessions)]
    for process in ours:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
    end = time.monotonic() + GONE_SECONDS
    while any(_is_there(process) for process in ours) and time.monotonic() < end:
        time.sleep(0.01)
    pids = [process.pid for process in ours]
    if pids:
        logs.event("leftovers_ended", pids=pids)
    return pids


def _is_ours(process: Process, named: bytes, sessions: dict[int, int]) -> bool:
    if process.pid == os.getpid() or process.state == "Z":
        return False
    if named in process.command:
        return True
    started = sessions.get(process.session)
    return started is not None and process.started >= started and b"--type=" in process.command


def _sessions(work_dir: Path) -> Iterator[tuple[int, int]]:
    """Yield the sessions noted below *work_dir*, and when each began; not one whose number has a new owner."""
    for file in work_dir.glob(f"*/{NOTE}"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(file.read_text())
            leader = look(int(told["session"]))
            if told["boot"] == BOOT.read_text() and (leader is None or leader.started == told["started"]):
                yield int(told["session"]), int(told["started"])


def _processes() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (process := look(int(entry.name))) is not None:
            yield process


def look(pid: int) -> Process | None:
    """Return what there is to know of the process *pid*, if it exists."""
    directory = Path(f"/proc/{pid}")
    try:
        # Names are bytes that anybody chooses, and what ends meanwhile leaves empty files.
        words = (directory / "stat").read_bytes().rpartition(b")")[2].decode().split()
        status = (directory / "status").read_bytes()
        command = (directory / "cmdline").read_bytes()
        user = next(int(line.split()[1]) for line in status.splitlines() if line.startswith(b"Uid:"))
    except (OSError, ValueError, StopIteration):
        return None
    if len(words) < FIELDS:
        return None
    return Process(pid, words[0], int(words[3]), int(words[19]), user, command.replace(b"\0", b" "))


def _is_there(process: Process) -> bool:
    now = look(process.pid)
    return now is not None and now.started == process.started and now.state != "Z"
