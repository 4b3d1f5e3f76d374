"""What this machine gives the box: files, memory, time, and what its kernel does with the memory of the dead."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .. import keys, resources
from ..config import Settings
from ..egress.session import Bounds
from ..process import command_hint
from ..resources import MIB, Memory
from .context import ASKING_SECONDS, SERVICE, SYSTEMD, CheckContext
from .result import CheckResult, failed, ok, warning

OWN_FILES = 256  # of the server beside its proxy sessions: clients, libraries, pipes, the database
SESSION_FILES = 2 * Bounds().connections + 1  # each connection has two ends, and the session listens
GOOD_FILES = 4096
PLENTY_FILES = 65_536  # as in the unit
THIS_SHELL = "this shell"
OBEDIENT = ("systemd-coredump",)  # it keeps nothing of a process whose limit is zero
GOOD_SHARED_MEMORY = 256 * MIB  # pictures on their way between the browser's processes
FIRST_YEAR, LAST_YEAR = 2025, 2100  # there was no box before
CLOCK_SECONDS = 1.0  # that it may jump while doctor runs
SLOW_HASH_SECONDS = 1.0
_FILES = "Max open files"


def open_files(context: CheckContext) -> CheckResult:
    """Compare the limit of open files with what pages and clients may use up."""
    limit, whose = _limit(context)
    slots = context.slots
    most = slots * SESSION_FILES + context.settings.connections + OWN_FILES
    need = max(GOOD_FILES, most)
    fact = f"{limit} for {whose}; {slots} slots and {context.settings.connections} clients may take {most}"
    cure = f"ulimit -Hn {PLENTY_FILES}, as root" if whose == THIS_SHELL else _override(f"LimitNOFILE={PLENTY_FILES}")
    if limit < SESSION_FILES + OWN_FILES:
        return failed(f"{fact}, and one page alone {SESSION_FILES}", cure)
    return warning(f"{fact}; {need} are enough", cure) if limit < need else ok(fact)


def _limit(context: CheckContext) -> tuple[int, str]:
    """Return how many files may be open, and to whom: to the server that runs, else to the service, else to us.

    A server that starts takes all that it may have: then the hard limit counts.
    """
    if context.server:
        with suppress(OSError):
            return _limit_of(str(context.server), hard=False), f"the running server (process {context.server})"
    if context.unit.get("LoadState") == "loaded" and (told := context.unit.get("LimitNOFILE")):
        return int(told) if told.isdecimal() else sys.maxsize, "the service"
    return _limit_of("self", hard=True), THIS_SHELL


def _limit_of(process: str, *, hard: bool) -> int:
    told = Path(f"/proc/{process}/limits").read_text()
    soft_and_hard = next(line for line in told.splitlines() if line.startswith(_FILES)).removeprefix(_FILES).split()
    word = soft_and_hard[1 if hard else 0]
    return int(word) if word.isdecimal() else sys.maxsize


def core_dumps(_: CheckContext) -> CheckResult:
    """See that a crash writes no caller's page to the disk. The server turns core files off for itself and its browser.

    But the kernel hands a crash to a program in spite of that, if it is told to.
    """
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if not pattern.startswith("|") or any(obedient in pattern for obedient in OBEDIENT):
        return ok(f"the server turns them off (kernel.core_pattern is {pattern})")
    program = pattern[1:].split()[0] if len(pattern) > 1 else ""
    cure = "sysctl kernel.core_pattern=core"
    if "apport" in program:
        cure = "systemctl disable --now apport"
    return warning(f"the kernel hands crashes to {program}, which may keep the pages of callers", cure)


def _override(line: str) -> str:
    folder = f"/etc/systemd/system/{SERVICE}.service.d"
    name = f"{folder}/{line.partition('=')[0].lower()}.conf"
    return (
        f"mkdir -p {folder} && printf '[Service]\\n{line}\\n' >{name} && "
        f"systemctl daemon-reload && systemctl restart {SERVICE}"
    )


def memory(context: CheckContext) -> CheckResult:
    """Compare the memory there is, for the server or for us, with what the slots may take."""
    found = resources.memory(process=context.server)
    return enough(context.slots, found, _where(context.settings), serving=context.server is not None)


def enough(slots: int, memory: Memory, where: str, *, serving: bool) -> CheckResult:
    """Say whether *memory* is enough, by the figures that slots are chosen by. A server that runs holds its share.

    *where* says how many slots there are set to be.
    """
    bound, available = memory
    need = resources.needed(slots)
    fact = f"{bound // MIB} MiB, {available // MIB} available; {slots} slots take up to {need // MIB}"
    fitting = resources.carried(bound)
    if bound < need and fitting > 0:
        return failed(fact, f"set slots = {fitting} ({where}), or give the machine more memory")
    if bound < need:
        return failed(fact, f"give the machine, or its control group, {need // MIB} MiB")
    if available < need and not serving:
        return warning(f"{fact}, and others hold the rest", "ps -eo rss,comm --sort=-rss | head; stop what may stop")
    return ok(fact)


def _where(settings: Settings) -> str:
    return f"{command_hint.typed(settings.data_dir, 'config')} shows where it is set"


def shared_memory(_: CheckContext) -> CheckResult:
    """Look at /dev/shm, which containers make too small for a browser."""
    found = os.statvfs("/dev/shm")  # noqa: S108 - it is what Chromium uses
    room = found.f_bavail * found.f_frsize
    if room >= GOOD_SHARED_MEMORY:
        return ok(f"{room // MIB} MiB free in /dev/shm")
    cure = "mount -o remount,size=1G /dev/shm (a container: start it with --shm-size=1g)"
    return warning(f"{room // MIB} MiB free in /dev/shm: large pages crash below {GOOD_SHARED_MEMORY // MIB}", cure)


def clock(context: CheckContext) -> CheckResult:
    """See that the clock is sane, steady and kept right: keys expire by it, and certificates are judged by it."""
    now = datetime.now(UTC)
    fact = f"{now.isoformat(timespec='seconds').replace('+00:00', 'Z')}"
    cure = "timedatectl set-ntp true (or: date --set '...'; hwclock --systohc)"
    if not FIRST_YEAR <= now.year < LAST_YEAR:
        return failed(f"{fact} cannot be", cure)
    wall, steady = context.began
    jumped = (time.time() - wall) - (time.monotonic() - steady)
    if abs(jumped) > CLOCK_SECONDS:
        return warning(f"{fact}; it jumped by {jumped:+.1f} s while this ran", cure)
    kept = _is_synchronized()
    if kept is False:
        return warning(f"{fact}, and nothing keeps it right", cure)
    return ok(f"{fact}, {'kept right over the network' if kept else 'steady; who keeps it right is not known here'}")


def _is_synchronized() -> bool | None:
    if not SYSTEMD.is_dir():
        return None
    asked = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=ASKING_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(told.stdout.strip())


def hashing(context: CheckContext) -> CheckResult:
    """Time one proof of a key."""
    settings = context.settings
    begun = time.monotonic()
    keys.hasher_of(settings.argon2_memory, settings.argon2_passes).hash("not a key")
    seconds = time.monotonic() - begun
    fact = f"{seconds * 1000:.0f} ms for a key's first proof (argon2: {settings.argon2_memory} MiB, "
    fact += f"{settings.argon2_passes} passes)"
    if seconds > SLOW_HASH_SECONDS:
        return warning(fact, f"lower argon2_memory or argon2_passes ({_where(settings)})")
    return ok(fact)
