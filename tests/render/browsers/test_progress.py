"""A browser is judged by whether anybody is at work on what it owes, not by the clock."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from allscreenshots_box.render.browsers import progress
from allscreenshots_box.render.browsers.cdp import Connection
from allscreenshots_box.render.browsers.progress import Progress, answer

SPIN, SLEEP = "while True: pass", "import time; time.sleep(60)"
PATIENCE = 0.05  # seconds, in looks of a hundredth


@contextmanager
def process(code: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-ISc", f"print(flush=True)\n{code}"], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            yield child.pid
        finally:
            child.kill()


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[Connection, int]]:
    """Yield a connection, and the end that a browser would write to."""
    reading, theirs = os.pipe()
    other, writing = os.pipe()
    opened = Connection(reading, writing, lambda: None)
    try:
        yield opened, theirs
    finally:
        opened.close()
        os.close(theirs)
        os.close(other)


class Told(Progress):
    """Progress that is made, or none, look by look; the last word holds."""

    def __init__(self, *words: bool) -> None:
        super().__init__(lambda: None, lambda: ())
        self._words = list(words)
        self.looks = 0

    def made(self) -> bool:
        self.looks += 1
        return self._words.pop(0) if len(self._words) > 1 else self._words[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)


def ask(seconds: float, told: Progress) -> str:
    async def owed() -> str:
        await asyncio.sleep(seconds)
        return "done"

    return asyncio.run(answer(owed(), PATIENCE, told))


def test_who_is_at_work_is_waited_for_longer_than_patience_lasts() -> None:
    assert ask(10 * PATIENCE, Told(True)) == "done"


def test_who_is_not_is_given_up_when_patience_is_at_an_end() -> None:
    told = Told(False)
    with pytest.raises(TimeoutError):
        ask(60, told)
    assert told.looks == round(PATIENCE / 0.01)


def test_idle_looks_add_up_though_somebody_works_between_them() -> None:
    told = Told(*([True, False] * 5), False)
    with pytest.raises(TimeoutError):
        ask(60, told)
    assert told.looks == 2 * round(PATIENCE / 0.01)


def test_who_works_and_never_answers_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_SECONDS", 0.2)
    with pytest.raises(TimeoutError):
        ask(60, Told(True))


def test_a_loop_that_is_late_itself_blames_nobody() -> None:
    async def scene() -> str:
        async def owed() -> str:
            await asyncio.sleep(0.03)
            return "done"

        waiting = asyncio.create_task(answer(owed(), PATIENCE, Told(False)))
        await asyncio.sleep(0)
        time.sleep(4 * PATIENCE)  # noqa: ASYNC251 - the loop is late
        return await waiting

    assert asyncio.run(scene()) == "done"


def test_that_it_takes_long_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_SECONDS", 0.2)
    told: list[str] = []

    async def owed() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(answer(owed(), PATIENCE, Told(True), lambda: told.append("late")))
    assert told == ["late"]


def test_what_fails_is_told_as_it_failed() -> None:
    async def owed() -> None:
        raise KeyError("of its own")

    with pytest.raises(KeyError, match="of its own"):
        asyncio.run(answer(owed(), PATIENCE, Told(True)))


@pytest.mark.parametrize(
    ("code", "blow", "works"),
    [(SPIN, None, True), (SLEEP, None, False), (SPIN, signal.SIGSTOP, False), (SPIN, signal.SIGKILL, False)],
)
def test_a_process_works_if_it_has_the_processor_or_waits_for_it(
    code: str,
    blow: signal.Signals | None,
    works: bool,  # noqa: FBT001 - a table's column
) -> None:
    with process(code) as pid:
        made = Progress(lambda: None, lambda: {pid})
        made.made()  # whatever it did before
        if blow is not None:
            os.kill(pid, blow)
        assert eventually_is(made.made, works)


def eventually_is(look: Callable[[], bool], wanted: bool) -> bool:  # noqa: FBT001 - as the table has it
    """Say whether *look* answers so ten times on end within ten seconds: a start and an end take a moment."""
    same = 0
    for _ in range(1000):
        same = same + 1 if look() is wanted else 0
        if same == 10:
            return True
        time.sleep(0.01)
    return False


def test_what_is_said_is_progress() -> None:
    async def scene() -> None:
        async with connection() as (opened, theirs):
            made = Progress(lambda: opened, lambda: ())
            assert not made.made()
            os.write(theirs, b'{"method": "half a message')
            assert made.made()  # in the pipe
            await asyncio.sleep(0.01)
            assert made.made()  # read meanwhile
            assert not made.made()

    asyncio.run(scene())
