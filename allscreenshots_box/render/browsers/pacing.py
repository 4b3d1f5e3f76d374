"""Chromium's one network process, which all pages need: who keeps it busy is slowed down while others load."""

import math
import time
from collections.abc import Callable, Collection

from ...egress.session import ProxySession
from . import processes

# Of a core, between two looks. Four pages at a time that load what pages do take a tenth; what is sent in pieces of a
# few bytes, or without end, takes all of it, and what another page waits for then comes after each of them.
BUSY = 0.5
# The greediest goes on at a part of the bytes a second that it had, and faster with each look at which there was time.
PART, FASTER = 0.1, 1.2
SLOWEST, UNBOUND = 64 << 10, 16 << 20  # bytes a second: less is not asked of it, and more is no bound


class Pacing:
    """Shares the network process of one browser among the sessions of its shots."""

    def __init__(
        self, used: Callable[[int], float] = processes.used, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._used, self._now = used, now
        self._seen = (0, 0.0, 0.0)  # the process, the seconds it had used, and when that was
        self._passed: dict[ProxySession, int] = {}  # bytes until then

    def share(self, process: int, sessions: Collection[ProxySession]) -> None:
        """Look at *process*; if it had no time for more, slow the session down through which most has come since.

        A single session is never slowed down: nobody else waits.
        """
        (known, used, at), self._seen = self._seen, (process, self._used(process), self._now())
        seconds = self._seen[2] - at
        busy = known == process and self._seen[1] - used > BUSY * seconds
        before, self._passed = self._passed, {session: session.received + session.sent for session in sessions}
        if busy and len(sessions) > 1:
            moved = {session: self._passed[session] - before.get(session, 0) for session in sessions}
            greediest = max(sessions, key=lambda session: moved[session])
            greediest.rate = max(SLOWEST, min(greediest.rate, moved[greediest] / seconds) * PART)
        elif not busy:
            for session in sessions:
                session.rate = session.rate * FASTER if session.rate < UNBOUND else math.inf
