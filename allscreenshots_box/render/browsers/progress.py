"""Whether a browser that owes an answer is at work on it: judged by what it says and does, not by the clock alone."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from . import processes
from .cdp import Connection

LOOK_SECONDS = 0.25  # between two looks at who works
# However busy it seems: one that runs in circles is given up then. Twice what the heaviest picture that a request may
# ask for kept it silent here, on two cores that five others wanted; and before systemd's watchdog ends the whole box.
MOST_SECONDS = 40.0

T = TypeVar("T")


class Progress:
    """What one browser has said and done since it was last looked at."""

    def __init__(self, connection: Callable[[], Connection | None], workers: Callable[[], Iterable[int]]) -> None:
        self._connection = connection  # None while there is none
        self._workers = workers  # processes whose work may lead to an answer
        self._received = 0  # bytes
        self._used: dict[int, float] = {}  # seconds of processor time

    def made(self) -> bool:
        """Say whether anything was said, is being said, was done, or would be if the machine had time for it."""
        connection = self._connection()
        received = connection.received if connection is not None else 0
        workers = set(self._workers())
        used = {pid: processes.used(pid) for pid in workers}
        moved = received != self._received or any(self._used.get(pid, 0.0) < now for pid, now in used.items())
        self._received, self._used = received, used
        if moved or (connection is not None and connection.has_more()):
            return True
        return any(map(processes.at_work, workers))


async def answer(
    question: Coroutine[Any, Any, T], patience: float, progress: Progress, late: Callable[[], None] | None = None
) -> T:
    """Return what *question* brings. Raises TimeoutError once nobody was at work on it for *patience* seconds in all.

    *late* is called when it has taken that long, whoever was at work. A look counts for what it should have taken: if
    our own loop is late, the machine had no time for the browser either.
    """
    asked = asyncio.ensure_future(question)
    idle = spent = 0.0
    try:
        while idle < patience and spent < MOST_SECONDS:
            done, _ = await asyncio.wait({asked}, timeout=LOOK_SECONDS)
            if done:
                return asked.result()
            spent += LOOK_SECONDS
            idle += 0 if progress.made() else LOOK_SECONDS
            if late is not None and spent >= patience:
                late()
                late = None
        raise TimeoutError
    finally:
        asked.cancel()
        asked.add_done_callback(_hear)


def _hear(asked: asyncio.Task[T]) -> None:
    if not asked.cancelled():
        asked.exception()  # it may have failed while it was broken off
