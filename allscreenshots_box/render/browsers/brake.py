"""A page that leaves the browser's own processes no time goes on only now and then, while others wait for those."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from . import processes

# Of a core, between two looks. Plain pages taken one after the other keep no thread of those processes busy for longer
# than a third of the time.
BUSY = 0.4
# A page's part in that, and how often it must have more than the next: pages that all load alike are all as greedy.
GREEDY, TIMES = 0.4, 2.0
HEAVY_SECONDS = 2.0  # of processor time, from which on it need not have more than others
# Of the time that such a page goes on for, by the seconds of processor time that it has used: what many pages take to
# load costs them little, and what never ends is soon out of the others' way.
PARTS = ((0.5, 1 / 2), (1.0, 1 / 4), (2.0, 1 / 8))
LEAST = PARTS[-1][1]
POOLS = ("ThreadPool", "Thread<")  # Chromium's, and that of its software for WebGL: so their threads' names begin
HOLD_SECONDS = 2.0  # after the last look that found it so, longer each time that it is stopped again
GO_SECONDS = 0.02  # at a time: less, and it would do little but wake up


class Brake:
    """Stops pages of one browser, and has them go on, many times a second."""

    def __init__(self) -> None:
        self._looked = time.monotonic()
        self._threads: dict[int, float] = {}  # seconds that each thread of the serving processes had used
        self._used: dict[int, float] = {}  # and each page
        self._held: dict[int, _Held] = {}
        self._times: Counter[int] = Counter()  # that each page was held

    @property
    def held(self) -> set[int]:
        """The pages that are stopped now and then."""
        return set(self._held)

    def look(self, serving: Iterable[int], pages: Collection[int], guilty: Collection[int] = ()) -> None:
        """See who has worked since the last look; *guilty* are pages that need not be judged by that.

        Give no pages when nobody else waits.
        """
        now = time.monotonic()
        seconds, self._looked = now - self._looked, now
        busy = self._busiest(serving) > BUSY * seconds
        moved = self._moved(pages)
        for pid in set(pages) & set(guilty):
            self._hold(pid, LEAST, now)
        if busy:
            for pid, part in culprits(moved, self._used, seconds).items():
                self._hold(pid, part, now)
        for pid in [pid for pid, held in self._held.items() if pid not in moved or held.until < now]:
            self._held.pop(pid).release()

    def release(self) -> None:
        """Let all pages go on."""
        for held in self._held.values():
            held.release()
        self._held.clear()

    def _busiest(self, serving: Iterable[int]) -> float:
        """Return the seconds that the busiest thread has worked; what pools of them do, others need not wait for."""
        told = {thread: one for pid in serving for thread, one in processes.used_by_threads(pid).items()}
        threads = {thread: used for thread, (name, used) in told.items() if not name.startswith(POOLS)}
        before, self._threads = self._threads, threads
        return max((used - before[thread] for thread, used in threads.items() if thread in before), default=0.0)

    def _moved(self, pages: Iterable[int]) -> dict[int, float]:
        used = {pid: processes.used(pid) for pid in pages}
        self._times = Counter({pid: times for pid, times in self._times.items() if pid in used})
        before, self._used = self._used, used
        # What a page did before it was first looked at beside others cost nobody anything.
        return {pid: seconds - before.get(pid, seconds) for pid, seconds in used.items()}

    def _hold(self, pid: int, part: float, now: float) -> None:
        if pid not in self._held:
            with suppress(OSError):  # it has ended
                self._held[pid] = _Held(pid)
                self._times[pid] += 1
        if pid in self._held:
            self._held[pid].hold(part, now + HOLD_SECONDS * self._times[pid])


def culprits(moved: Mapping[int, float], used: Mapping[int, float], seconds: float) -> dict[int, float]:
    """Return who is to be stopped of pages that have *moved* for so long in the last *seconds*, and *used* so much.

    All are seconds of processor time, by process; what is returned is the part of the time for which each goes on.
    """
    first, second = (*sorted(moved.values(), reverse=True), 0.0, 0.0)[:2]
    stands_out = first > TIMES * second
    found: dict[int, float] = {}
    for pid, has in moved.items():
        parts = [part for least, part in PARTS if used[pid] >= least]
        guilty = used[pid] >= HEAVY_SECONDS or (stands_out and has == first)
        if parts and guilty and has > GREEDY * seconds:
            found[pid] = min(parts)
    return found


class _Held:
    """One page that is stopped now and then. Raises OSError if it has ended."""

    def __init__(self, pid: int) -> None:
        self._process = os.pidfd_open(pid)  # nobody else is ever stopped, whoever has the number next
        self._loop = asyncio.get_running_loop()
        self._part = 1.0
        self.until = 0.0
        self._next = self._loop.call_soon(self._stop)

    def hold(self, part: float, until: float) -> None:
        self._part, self.until = min(part, self._part), until

    def release(self) -> None:
        self._next.cancel()
        self._tell(signal.SIGCONT)
        os.close(self._process)

    def _stop(self) -> None:
        self._tell(signal.SIGSTOP)
        self._next = self._loop.call_later(GO_SECONDS * (1 / self._part - 1), self._go)

    def _go(self) -> None:
        self._tell(signal.SIGCONT)
        self._next = self._loop.call_later(GO_SECONDS, self._stop)

    def _tell(self, word: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, word)
