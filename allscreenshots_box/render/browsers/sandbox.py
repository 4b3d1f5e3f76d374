"""The sandbox that pages live in: the proof that it is shut."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from ...errors import OperatorError

NAMESPACES = ("user", "pid", "net")  # that pages must have of their own
SECCOMP_FILTER = "2"  # /proc's word for a process that runs under a system call filter
NO_CAPABILITIES = "0000000000000000"
LOOKS, BETWEEN_SECONDS = 40, 0.05  # a page's process shuts itself in a moment after its start


async def prove(pages: Callable[[], list[int]]) -> str:
    """Return the evidence that every process that *pages* finds is inside the sandbox.

    Raises OperatorError if one is not, or if there is none.
    """
    for _ in range(LOOKS):
        found = pages()
        lacks = {pid: lacking for pid in found if (lacking := _lacks(pid))}
        if found and not lacks:
            return f"on (renderer {found[0]}: system call filter, own user, process and network namespaces)"
        await asyncio.sleep(BETWEEN_SECONDS)
    if not found:
        raise OperatorError("Chromium runs, but has no process for pages: its sandbox cannot be proven.")
    raise OperatorError(
        f"Chromium runs, but its pages lack: {', '.join(lacks.popitem()[1])}. Allow unprivileged user namespaces "
        "('The browser's sandbox' in docs/install.md says how), or set dangerously_disable_sandbox if you must."
    )


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
