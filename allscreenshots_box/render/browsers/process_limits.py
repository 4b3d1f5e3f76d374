"""The processes of one browser: which are its own, which are its pages', and how large, many and greedy they may be."""

import math
import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

from ... import resources
from . import processes
from .processes import GONE, STOPPED

# What all pages need and whose end is felt in a picture; others come and go with a sound or a file.
NETWORK = b"network.mojom.NetworkService"
SERVING = (b"--type=gpu-process", NETWORK, b"storage.mojom.StorageService")
# Two thirds of the weight of the browser's own processes, which all pages wait for; not less, as others on this machine
# are before them too.
PAGE_NICENESS = 2
# Who has used much goes further back: seconds of processor time, and the niceness from then on. A page that has the
# machine to itself is as quick as ever.
RANKS = ((3.0, 10), (10.0, 19))
LAST = RANKS[-1][1]
# Who has more threads at work at a time than a page has for itself goes to the end at once: each would have a turn like
# the one of a page that only draws. Sixty of them weigh less there than one anywhere else.
THREADS = 4 + resources.threads()  # what draws, and a pool of as many as can run
SOON_SECONDS = 0.3
GREEDY_SECONDS = 1.5  # of processor time, while others waited, below which nobody is to blame for that
# That one thing a page draws (a shader, say) may keep the thread waiting that draws for all: it is drawn again in a
# browser of its own, where it may take longer.
DRAWING_SECONDS, LONELY_DRAWING_SECONDS = 1.0, 10.0
NOTHING_ELSE = 0.8  # of a core, that is worked on it
YOUNG_SECONDS = 1.0
CLAIM_SECONDS = 2.0  # after a page's process was ended, for its tab to hear of it
GRAPHICS, HELPER, DRAWING = "graphics_memory", "helper_memory", "graphics_processor"  # bounds, as the log has them
UNMADE, HALTED = AILMENTS = "the process that makes pages has ended", "one of its processes was stopped"
BLAMED = {"page_memory", "processor"}  # the bounds that a page breaks by itself


class Killed(NamedTuple):
    """A process that was ended, and the bound that it broke. Memory in bytes."""

    bound: str
    pid: int
    memory: int

    @property
    def is_page(self) -> bool:
        """Whether it served one page, and not all of them."""
        return self.bound not in {GRAPHICS, HELPER, DRAWING}


class Drawing:
    """How long the process for graphics has been at work on one thing."""

    def __init__(self) -> None:
        self._last = (0.0, 0, 0.0)
        self._seconds = 0.0

    def look(self, now: float, turns: int, used: float) -> float:
        """Return the seconds for which its first thread, which draws for all, took no turn while others of it worked.

        *turns* are those that this thread has taken, *used* the seconds of processor time of them all.
        """
        before, self._last = self._last, (now, turns, used)
        seconds, taken, worked = now - before[0], turns - before[1], used - before[2]
        self._seconds = self._seconds + seconds if taken == 0 and worked > NOTHING_ELSE * seconds else 0.0
        return self._seconds


class ProcessLimits:
    """One browser's processes, with the bounds that hold for them."""

    def __init__(self, browser: int, page_memory: int, most_pages: int) -> None:
        self._page_memory = page_memory  # bytes
        self._most_pages = most_pages  # processes
        self._browser = browser
        lines = {pid: processes.command_line(pid) for pid in {browser} | processes.descendants(browser)}
        # Debian starts it by a shell script that stays.
        self._own = [pid for pid, line in lines.items() if line and b"--type=" not in line]
        self._serving: set[int] = set()  # helpers that serve all pages: network, GPU
        self._helpers: set[int] = set()  # these and others
        self.network = 0  # the process that carries all that pages load; 0 while it is not known
        self._helper_ended = -math.inf  # when one of those that serve all was last missed
        self._zygotes = [pid for pid, line in lines.items() if b"--type=zygote" in line]
        self._pages_from = [pid for pid in self._zygotes if b"--no-zygote-sandbox" not in lines[pid]]
        self._ranks: dict[int, int] = {}  # niceness of pages that have used much, by process
        self._drawing = Drawing()
        self._ended: dict[int, tuple[str, float]] = {}  # pages' processes that were ended, by which bound and when
        self.tabs: set[int] = set()  # the processes that tabs were opened in
        for zygote in self._pages_from:  # whatever it starts begins there
            processes.rank(zygote, PAGE_NICENESS)

    # --- what they take -----------------------------------------------------------------------

    def memory(self) -> int:
        """Return the bytes that the browser's own process holds, its pages not counted."""
        return sum(map(processes.resident, self._own))

    def largest_page(self) -> int:
        """Return the bytes that the largest page holds for itself alone."""
        return max(map(processes.own_memory, self.pages()), default=0)

    def cull(self) -> list[Killed]:
        """End the processes that are too large, and the youngest of those that are too many but for tabs' own."""
        pages = self.pages()
        sizes = {pid: processes.resident(pid) for pid in (*pages, *self._helpers)}
        large = {pid for pid, size in sizes.items() if size > self._page_memory}
        killed = [Killed("page_memory" if pid in pages else self._bound(pid), pid, sizes[pid]) for pid in large]
        excess = len(pages) - self._most_pages
        if excess > 0:
            latest = processes.now() - YOUNG_SECONDS  # who is younger may be a tab that is being opened
            others = [pid for pid in pages if pid not in self.tabs | large and processes.started(pid) < latest]
            youngest = sorted(others, key=processes.started)[-excess:]
            killed += [Killed("processes", pid, sizes[pid]) for pid in youngest]
        for one in killed:
            self._end(one.pid, one.bound)
        return killed

    def end_stopped_pages(self, ours: Collection[int]) -> list[int]:
        """End the pages' processes that somebody has stopped: their shots hear of it, and are tried again.

        Not *ours*, which are stopped by us, and go on in a moment.
        """
        stopped = [pid for pid in self.pages() if pid not in ours and processes.state(pid) == STOPPED]
        for pid in stopped:
            self._end(pid, "stopped")
        return stopped

    def end_greediest(self, before: dict[int, float], *, pages: bool = True) -> Killed | None:
        """End the page's process that used most of the processor since *before*, if one did; see `used`.

        Or, and without *pages* only, the one for graphics: all pages draw there, and a shader that does not end keeps
        it from all others, also when its page has long been closed.
        """
        spent = {pid: used - before.get(pid, 0.0) for pid, used in self.used().items()}
        bounds = dict.fromkeys(self.pages() if pages else (), "processor")
        bounds |= {pid: DRAWING for pid in self._helpers if self._bound(pid) == GRAPHICS}
        pid = max(bounds, key=lambda pid: spent.get(pid, 0.0), default=0)
        most = spent.get(pid, 0.0)
        if most < GREEDY_SECONDS or most < sum(spent.values()) / 2:
            return None
        self._end(pid, bounds[pid])
        return Killed(bounds[pid], pid, processes.resident(pid))

    def end_endless_drawing(self, *, lonely: bool) -> Killed | None:
        """End the process for graphics if one thing that a page draws has long held up all others.

        Call it again and again. *lonely* is a page that nobody waits for.
        """
        pid = next((pid for pid in self._serving if self._bound(pid) == GRAPHICS), 0)
        seconds = self._drawing.look(time.monotonic(), processes.switches(pid), processes.used(pid))
        if seconds < (LONELY_DRAWING_SECONDS if lonely else DRAWING_SECONDS):
            return None
        self._drawing = Drawing()
        self._end(pid, DRAWING)
        return Killed(DRAWING, pid, processes.resident(pid))

    def claim(self, tab: int) -> str:
        """Return the bound for which we have just ended the process *tab* or, if that is not it, one of no tab's."""
        now = time.monotonic()
        self._ended = {pid: one for pid, one in self._ended.items() if now - one[1] < CLAIM_SECONDS}
        # A document that asks for it (COOP) gets another process than the one that its tab was opened in.
        ours = tab if tab in self._ended else next((pid for pid in self._ended if pid not in self.tabs), 0)
        return self._ended.pop(ours, ("", 0.0))[0]

    def _end(self, pid: int, bound: str) -> None:
        if bound in BLAMED:
            self._ended[pid] = bound, time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _bound(self, pid: int) -> str:
        return GRAPHICS if b"--type=gpu-process" in processes.command_line(pid) else HELPER

    # --- what they do -------------------------------------------------------------------------

    def used(self) -> dict[int, float]:
        """Return the seconds of processor time that each process of the browser has used."""
        return {pid: processes.used(pid) for pid in {self._browser, *processes.descendants(self._browser)}}

    def serving(self) -> set[int]:
        """Return the processes that all pages need."""
        return {*self._own, *self._serving}

    def workers(self) -> set[int]:
        """Return the processes that an answer may wait for: all but the pages that have used much."""
        found = {self._browser, *self._own, *self._zygotes, *self._helpers, *self.pages()}
        return found - self._ranks.keys()

    def rank_pages(self) -> set[int]:
        """Put pages behind each other by the processor time that they have used, and by how many threads.

        Return those that have too many threads at work.
        """
        pages = self.pages()
        crowds = {pid for pid in pages if _is_crowd(pid)}
        places = {pid: max(self._ranks.get(pid, 0), LAST if pid in crowds else _niceness(pid)) for pid in pages}
        self._ranks = {pid: niceness for pid, niceness in places.items() if niceness}
        for pid, niceness in self._ranks.items():  # each time: a thread may have been begun meanwhile
            processes.rank(pid, niceness)
        return crowds

    def ailment(self) -> str | None:
        """Return what is wrong with the browser's other processes, if something is."""
        if any(processes.state(pid) in GONE for pid in self._zygotes):
            return UNMADE
        self._count_helpers()
        if any(processes.state(pid) == STOPPED for pid in (self._browser, *self._own, *self._zygotes, *self._helpers)):
            return HALTED
        return None

    def has_missed_a_helper_since(self, moment: float) -> bool:
        """Say whether the network's process or the GPU's has ended since *moment* on the monotonic clock.

        Chromium starts another by itself, and what the old one was at fails as if the target had.
        """
        if any(processes.state(pid) in GONE for pid in self._serving):
            self._count_helpers()
        return self._helper_ended >= moment

    def _count_helpers(self) -> None:
        if any(processes.state(pid) in GONE for pid in self._serving):
            self._helper_ended = time.monotonic()
        # By what they are, and not by being no page: a page's process begins as a copy of its zygote.
        lines = {pid: processes.command_line(pid) for pid in processes.descendants(self._browser)}
        self._serving = {pid for pid, line in lines.items() if any(mark in line for mark in SERVING)}
        self._helpers = {pid for pid, line in lines.items() if b"--type=utility" in line} | self._serving
        self.network = next((pid for pid, line in lines.items() if NETWORK in line), 0)

    def pages(self) -> list[int]:
        """Return the processes of pages."""
        return [pid for zygote in self._pages_from for pid in processes.children(zygote) if _is_page(pid)]


def _is_crowd(pid: int) -> bool:
    return processes.used(pid) >= SOON_SECONDS and processes.at_work(pid) > THREADS


def _niceness(pid: int) -> int:
    used = processes.used(pid)
    return max((niceness for seconds, niceness in RANKS if used >= seconds), default=0)


def _is_page(pid: int) -> bool:
    return b"--type=renderer" in processes.command_line(pid)
