"""Which of a browser's processes are ended or put behind the others: tried on processes that draw nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest

from allscreenshots_box.render.browsers import processes
from allscreenshots_box.render.browsers.process_limits import (
    DRAWING_SECONDS,
    GREEDY_SECONDS,
    LAST,
    LONELY_DRAWING_SECONDS,
    PAGE_NICENESS,
    THREADS,
    YOUNG_SECONDS,
    Drawing,
    ProcessLimits,
)
from allscreenshots_box.render.browsers.watch import WATCH_SECONDS

T = TypeVar("T")


MIB = 1 << 20
BOUND, MOST = 100 * MIB, 3  # of a process, and processes of pages
REST = "import time; time.sleep(60)"
LARGE = f"held = bytearray(b'x') * {150 * MIB}; {REST}"
SPIN = "while True: pass"
CROWD = f"""import threading
def spin():
    while True: pass
for _ in range({3 * THREADS}): threading.Thread(target=spin, daemon=True).start()
spin()"""
# All that is drawn at once is one thing, and the thread that draws for all waits for it: as hashes, which many threads
# make at a time; or that thread has turns meanwhile.
DRAWS = f"""import hashlib, threading, time
for _ in range({2 * (os.cpu_count() or 1)}):
    threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"", b"", 10**9), daemon=True).start()
"""
STUCK = DRAWS + "lock = threading.Lock(); lock.acquire(); lock.acquire()"
LIVELY = DRAWS + "while True: time.sleep(0.01)"
# Is a browser or, if it is told so, what makes pages. Plans come by the environment: a command line tells who one is.
SCRIPT = """import json, os, signal, subprocess, sys
def start(kind, code):
    subprocess.Popen([sys.executable, "-ISc", code, "--ty" + "pe=" + kind])
plan = json.loads(os.environ["PLAN"])
if len(sys.argv) == 1:
    start("gpu-process", plan["graphics"])
    start("zygote", plan["script"])
else:
    for code in plan["pages"]:
        start("renderer", code)
signal.pause()"""


class Tree:
    """A browser with pages that run these codes, as far as /proc can tell."""

    def __init__(self, *pages: str, graphics: str = REST) -> None:
        plan = json.dumps({"script": SCRIPT, "pages": pages, "graphics": graphics})
        words = [sys.executable, "-ISc", SCRIPT]
        self._process = subprocess.Popen(words, env={**os.environ, "PLAN": plan}, start_new_session=True)
        self._pages = len(pages)
        self.pages: list[int] = []

    def __enter__(self) -> Self:
        browser = self._process.pid
        eventually(lambda: len(self._named(b"--type=renderer")) == self._pages and self._named(b"--type=gpu-process"))
        self.pages = sorted(self._named(b"--type=renderer"))
        [self.zygote], [self.graphics] = self._named(b"--type=zygote"), self._named(b"--type=gpu-process")
        self.limits = ProcessLimits(browser, BOUND, MOST)
        self.limits.ailment()  # the first look
        return self

    def _named(self, word: bytes) -> list[int]:
        found = processes.descendants(self._process.pid)
        return [pid for pid in found if word in processes.command_line(pid).split(b"\0")]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def alive(self) -> list[int]:
        """Return the pages that are left, by their numbers."""
        return [number for number, pid in enumerate(self.pages) if processes.state(pid) not in processes.GONE]


def eventually(holds: Callable[[], T | None], every: float = 0.02) -> T:
    """Ask *every* so many seconds until something is true, and return it."""
    end = time.monotonic() + 60  # a wait for what comes at once where nobody else works
    while not (held := holds()):
        assert time.monotonic() < end
        time.sleep(every)
    return held


def grow(pid: int) -> None:
    eventually(lambda: processes.resident(pid) > BOUND)


def ages(pid: int) -> None:
    eventually(lambda: processes.now() - processes.started(pid) > YOUNG_SECONDS)


def niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def test_pages_and_what_they_start_are_behind_the_browser() -> None:
    with Tree(REST) as tree:
        assert niceness(tree.zygote) == niceness(0) + PAGE_NICENESS
        assert niceness(tree.graphics) == niceness(0)


def test_a_page_with_a_crowd_of_busy_threads_goes_to_the_end_with_all_of_them() -> None:
    with Tree(CROWD, REST) as tree:
        eventually(lambda: tree.limits.rank_pages() == {tree.pages[0]})
        assert {niceness(int(thread.name)) for thread in Path(f"/proc/{tree.pages[0]}/task").iterdir()} == {LAST}
        assert niceness(tree.pages[1]) < LAST
        assert tree.pages[0] not in tree.limits.workers()
        assert tree.pages[1] in tree.limits.workers()


def test_a_page_that_has_used_little_keeps_its_place() -> None:
    with Tree(SPIN) as tree:
        before = niceness(tree.pages[0])
        eventually(lambda: processes.used(tree.pages[0]) > 0.1)
        tree.limits.rank_pages()
        assert niceness(tree.pages[0]) == before


@pytest.mark.parametrize(
    ("used", "left"),
    [
        ((0, 2 * GREEDY_SECONDS, 0), [0, 2]),
        ((GREEDY_SECONDS, 4 * GREEDY_SECONDS, GREEDY_SECONDS), [0, 2]),
        ((2 * GREEDY_SECONDS, 2 * GREEDY_SECONDS, 2 * GREEDY_SECONDS), [0, 1, 2]),  # several share the processor
        ((0, GREEDY_SECONDS / 2, 0), [0, 1, 2]),  # nobody has used much
    ],
)
def test_the_page_that_used_most_of_the_processor_is_ended_and_no_other(
    used: tuple[float, ...], left: list[int]
) -> None:
    with Tree(REST, REST, REST) as tree:
        now = tree.limits.used()
        before = now | {pid: now[pid] - seconds for pid, seconds in zip(tree.pages, used, strict=True)}
        killed = tree.limits.end_greediest(before)
        assert (killed is None) == (len(left) == len(used))
        eventually(lambda: tree.alive() == left)


def test_the_process_for_graphics_is_ended_if_most_of_the_processor_went_there() -> None:
    with Tree(REST) as tree:
        eventually(lambda: tree.limits.ailment() is None and tree.graphics in tree.limits.workers())
        now = tree.limits.used()
        killed = tree.limits.end_greediest(now | {tree.graphics: now[tree.graphics] - 2 * GREEDY_SECONDS})
        assert killed is not None
        assert (killed.bound, killed.pid, killed.is_page) == ("graphics_processor", tree.graphics, False)
        assert tree.alive() == [0]


@pytest.mark.parametrize(
    ("looks", "seconds"),
    [
        ([(7, 1.0), (7, 2.0), (7, 2.9)], 2.0),
        ([(7, 1.0), (7, 3.0), (7, 5.0)], 2.0),  # on two cores
        ([(7, 1.0), (7, 2.0), (8, 3.0)], 0.0),  # there was a turn for others
        ([(7, 1.0), (7, 1.0), (7, 1.5)], 0.0),  # it rests
        ([(7, 1.0), (7, 1.2), (7, 2.2)], 1.0),  # it rested before
        ([(7, 9.0), (7, 10.0), (2, 0.5)], 0.0),  # another process
        ([(7, 1.0)], 0.0),
    ],
)
def test_how_long_one_thing_has_been_drawn(looks: list[tuple[int, float]], seconds: float) -> None:
    drawing = Drawing()
    found = [drawing.look(100.0 + moment, turns, used) for moment, (turns, used) in enumerate(looks)]
    assert found[-1] == seconds


@pytest.mark.parametrize(
    ("seconds", "lonely", "ended"),
    [
        (DRAWING_SECONDS - 0.1, False, False),
        (DRAWING_SECONDS, False, True),
        (DRAWING_SECONDS, True, False),
        (LONELY_DRAWING_SECONDS, True, True),
    ],
)
def test_one_thing_may_be_drawn_for_longer_if_nobody_waits(
    monkeypatch: pytest.MonkeyPatch, seconds: float, *, lonely: bool, ended: bool
) -> None:
    monkeypatch.setattr(Drawing, "look", lambda *_: seconds)
    with Tree(REST) as tree:
        assert (tree.limits.end_endless_drawing(lonely=lonely) is not None) == ended


def test_what_is_drawn_without_end_is_ended() -> None:
    with Tree(REST, graphics=STUCK) as tree:
        killed = eventually(lambda: tree.limits.end_endless_drawing(lonely=False), every=WATCH_SECONDS)
        assert (killed.bound, killed.pid, killed.is_page) == ("graphics_processor", tree.graphics, False)
        eventually(lambda: processes.state(tree.graphics) in processes.GONE)
        assert tree.alive() == [0]


@pytest.mark.parametrize(("graphics", "takes_turns"), [(LIVELY, True), (STUCK, False)])
def test_a_thread_that_waits_for_one_thing_takes_no_turns(graphics: str, *, takes_turns: bool) -> None:
    with Tree(REST, graphics=graphics) as tree:
        eventually(lambda: processes.used(tree.graphics) > 0.5)  # it has begun
        before = processes.switches(tree.graphics)
        eventually(lambda: processes.used(tree.graphics) > 1.0)
        assert (processes.switches(tree.graphics) > before) == takes_turns


def test_a_page_that_is_too_large_is_ended_and_no_other() -> None:
    with Tree(REST, LARGE) as tree:
        grow(tree.pages[1])
        [killed] = tree.limits.cull()
        assert (killed.bound, killed.pid, killed.is_page) == ("page_memory", tree.pages[1], True)
        eventually(lambda: tree.alive() == [0])
        assert tree.limits.cull() == []


def test_the_process_for_graphics_is_weighed_like_a_page() -> None:
    with Tree(REST, graphics=LARGE) as tree:
        grow(tree.graphics)
        [killed] = tree.limits.cull()
        assert (killed.bound, killed.pid, killed.is_page) == ("graphics_memory", tree.graphics, False)
        assert tree.alive() == [0]
        eventually(lambda: tree.limits.has_missed_a_helper_since(0))


def test_of_too_many_the_youngest_go_that_no_tab_was_opened_in() -> None:
    with Tree(*[REST] * 6) as tree:
        tree.limits.tabs |= {tree.pages[5], tree.pages[4]}
        assert tree.limits.cull() == []  # as long as they are young, one may be a tab that is being opened
        ages(tree.pages[5])
        assert {killed.pid for killed in tree.limits.cull()} == {tree.pages[1], tree.pages[2], tree.pages[3]}
        eventually(lambda: tree.alive() == [0, 4, 5])


@pytest.mark.parametrize(("tab", "claims"), [(1, "page_memory"), (0, "page_memory"), (2, "")])
def test_a_tab_claims_what_was_ended_if_it_is_its_own_or_no_tabs(tab: int, claims: str) -> None:
    with Tree(REST, LARGE, REST) as tree:
        grow(tree.pages[1])
        tree.limits.cull()
        # 0 does not know that its document got another process; 2 stands beside one that does know.
        tree.limits.tabs |= {tree.pages[0]} if tab == 0 else {tree.pages[1], tree.pages[2]}
        assert tree.limits.claim(tree.pages[tab]) == claims
        assert tree.limits.claim(tree.pages[tab]) == ""


def test_what_somebody_stopped_is_no_tabs_fault() -> None:
    with Tree(REST) as tree:
        os.kill(tree.pages[0], signal.SIGSTOP)
        eventually(lambda: processes.state(tree.pages[0]) == processes.STOPPED)
        assert tree.limits.end_stopped_pages(tree.pages) == []  # what we stopped ourselves goes on
        assert tree.limits.end_stopped_pages(()) == tree.pages
        assert tree.limits.claim(tree.pages[0]) == ""
