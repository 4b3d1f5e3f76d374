"""What gathers in memory: written together, kept while the database takes nothing, and lost to nobody who hangs up."""

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest
import sqlite_utils

from allscreenshots_box.config import Settings
from allscreenshots_box.storage import database, write_behind
from allscreenshots_box.storage.write_behind import WriteBehind


class Shelf:
    """Where things are written, unless it is in trouble."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.told: list[str] = []
        self.trouble = False

    def add(self, _: sqlite_utils.Database, things: list[str], *, patience: int) -> None:
        if self.trouble:
            raise OSError(patience)
        self.written += things

    def behind(self, connected: database.Database) -> WriteBehind[list[str]]:
        return WriteBehind(
            connected,
            self.add,
            empty=list,
            join=lambda earlier, later: earlier + later,
            failed=lambda error: self.told.append(type(error).__name__),
            recovered=lambda: self.told.append("well"),
        )


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def play(settings: Settings, scene: Any) -> None:
    async def whole() -> None:
        async with database.connected(settings.database_path) as connected:
            await scene(connected)

    asyncio.run(whole())


def test_trouble_is_told_once_and_its_end_too_and_all_is_written_in_order(settings: Settings, shelf: Shelf) -> None:
    async def scene(connected: database.Database) -> None:
        behind = shelf.behind(connected)
        for shelf.trouble, thing in ((False, "a"), (True, "b"), (True, "c"), (False, "d"), (True, "e"), (False, "f")):
            behind.waiting.append(thing)
            await behind.write()
        assert await behind.close() == []

    play(settings, scene)
    assert shelf.written == list("abcdef")
    assert shelf.told == ["OSError", "well", "OSError", "well"]


def test_the_end_gives_back_what_could_not_be_written(settings: Settings, shelf: Shelf) -> None:
    async def scene(connected: database.Database) -> None:
        behind = shelf.behind(connected)
        behind.waiting.append("a")
        shelf.trouble = True
        assert await behind.close() == ["a"]

    play(settings, scene)


def test_who_hangs_up_while_it_is_written_loses_nothing(settings: Settings, shelf: Shelf) -> None:
    async def scene(connected: database.Database) -> None:
        behind, busy = shelf.behind(connected), threading.Event()
        before = asyncio.create_task(connected.run(lambda _: busy.wait(10)))
        behind.waiting.append("a")
        asked = asyncio.create_task(behind.write())
        while not behind.reconciling.locked():  # noqa: ASYNC110 - that it has begun, nothing else tells
            await asyncio.sleep(0)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
        busy.set()
        await before
        assert await behind.close() == []

    play(settings, scene)
    assert shelf.written == ["a"]


def test_a_kill_loses_two_seconds_at_most() -> None:
    assert write_behind.WRITE_SECONDS <= 2
