"""Chromium's one network process, which all pages need: who keeps it busy is held back while others load."""

import time
from collections.abc import Callable, Collection

from . import processes
from .door import Door

# Of a core, between two looks. Four pages at a time that load what pages do take a tenth; what is sent in pieces of a
# few bytes, or without end, takes all of it, and what another page waits for then comes after each of them.
BUSY = 0.5
HELD_SECONDS = 0.6  # longer than until the next look, so that others have the process to themselves for a while


class Carriage:
    """Shares the network process of one browser among the doors of its shots."""

    def __init__(
        self, used: Callable[[int], float] = processes.used, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._used, self._now = used, now
        self._seen = (0, 0.0, 0.0)  # the process, the seconds it had used, and when that was
        self._passed: dict[Door, int] = {}  # bytes until then

    def share(self, process: int, doors: Collection[Door]) -> None:
        """Look at *process*; if it had no time for more, hold the door through which most has come since the last look.

        A single door is never held: nobody else waits.
        """
        busy = self._was_busy(process)
        before, self._passed = self._passed, {door: door.received + door.sent for door in doors}
        if busy and len(doors) > 1:
            max(doors, key=lambda door: self._passed[door] - before.get(door, 0)).hold(HELD_SECONDS)

    def _was_busy(self, process: int) -> bool:
        (known, used, at), self._seen = self._seen, (process, self._used(process), self._now())
        return known == process and self._seen[1] - used > BUSY * (self._seen[2] - at)
