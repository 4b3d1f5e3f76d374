"""Whether memory has room for one more shot: what is free, against the most that a shot took lately."""

import time
from collections import deque
from collections.abc import Callable

from .. import logs
from ..resources import MIB, Memory, memory

HEADROOM = 64 * MIB  # left to all that is not a page
LEAST = 64 * MIB  # what a shot is thought to take, however little the last ones took
FORGET = 0.02  # of the peak, with each look that finds less: half of it in nine seconds of work
UNSEEN_SECONDS = 1.0  # until what a shot takes can be seen


class MemoryGuard:
    """Says whether there is memory for one more shot, counting those that have only just begun."""

    def __init__(self, look: Callable[[], Memory] = memory, now: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._now = now
        self._peak = float(LEAST)
        self._begun: deque[float] = deque()  # when, of those whose memory cannot be seen yet
        self._short = False

    def note(self, largest: int) -> None:
        """Hear what the largest page holds now, in bytes."""
        self._peak = max(largest, LEAST, self._peak - FORGET * (self._peak - largest))

    def admits(self) -> bool:
        """Say whether one more may begin; if so, it is taken to begin now."""
        now = self._now()
        while self._begun and self._begun[0] < now - UNSEEN_SECONDS:
            self._begun.popleft()
        try:
            available = self._look().available
        except OSError:  # out of descriptors, say; one shot at a time may run all the same
            available = 0
        short = available - HEADROOM < self._peak * (len(self._begun) + 1)
        if short != self._short:
            self._short = short
            name = "memory_short" if short else "memory_enough"
            logs.event(name, available=available, peak=int(self._peak))
        if not short:
            self._begun.append(now)
        return not short
