"""What was captured of late: one row for each capture, with nothing secret in it, and a bounded number of them."""

import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlite_utils

from .. import logs
from ..storage.database import BUSY_MILLISECONDS, Database, repeated, writing

KEPT = 10_000  # rows; the oldest go first
MOST_WAITING = 2000  # not written yet; what comes faster than that, or finds no disk, takes the place of the oldest
WRITE_SECONDS = 1.0  # what a kill -9 may lose; half of what is promised, for slow disks
PATIENCE = 50  # milliseconds: requests wait behind a write, and the next one comes soon
LONGEST_TEXT = 500  # characters of a caller or a target


@dataclass(frozen=True, kw_only=True)
class CaptureRecord:
    """One capture: when it was answered, for whom, of what, and how it went."""

    moment: str  # ISO 8601 in UTC
    request: str  # its id
    caller: str  # a key's first 12 characters and its name, or "admin"
    target: str  # without user, password, query and fragment
    status: int
    code: str | None  # of the error; None if there is a picture
    milliseconds: int
    bytes: int


_COLUMNS = tuple(field.name for field in fields(CaptureRecord))


class CaptureHistory:
    """Takes note of captures in memory, and writes them together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[CaptureRecord] = deque(maxlen=MOST_WAITING)
        self._in_trouble = False

    def note(self, entry: CaptureRecord) -> None:
        """Take note of one capture."""
        self._waiting.append(entry)

    async def write(self, *, patience: int = PATIENCE) -> None:
        """Write what is waiting; what cannot be written waits on, and is told once."""
        if not self._waiting:
            return
        taken, self._waiting = self._waiting, deque(maxlen=MOST_WAITING)
        try:
            await self._database.run(add, list(taken), patience=patience)
        except Exception as error:  # noqa: BLE001 - whatever it is, the box goes on without a list of what it did
            self._waiting = deque([*taken, *self._waiting], maxlen=MOST_WAITING)
            if not self._in_trouble:
                logs.fault("captures_not_written", error)
            self._in_trouble = True
            return
        self._in_trouble = False

    async def recent(
        self, *, before: int | None = None, number: int = 50, failed: bool = False, caller: str = ""
    ) -> list[dict[str, Any]]:
        """Return what is written, as `recent` does."""
        return await self._database.look(recent, before=before, number=number, failed=failed, caller=caller)

    async def close(self) -> None:
        """Write what is left, and wait for it."""
        await self.write(patience=BUSY_MILLISECONDS)
        if self._waiting:
            logs.event("captures_lost", logging.ERROR, number=len(self._waiting))


@asynccontextmanager
async def noting(database: Database) -> AsyncIterator[CaptureHistory]:
    """Yield a Captures that is written as it grows, and once more when the block ends."""
    captures = CaptureHistory(database)
    try:
        async with repeated(captures.write, WRITE_SECONDS):
            yield captures
    finally:
        await captures.close()


def add(db: sqlite_utils.Database, entries: list[CaptureRecord], *, patience: int) -> None:
    """Add *entries*, all or none, and forget the oldest rows over the bound."""
    marks = ", ".join(f":{column}" for column in _COLUMNS)
    with writing(db, patience=patience):
        db.conn.executemany(
            f"insert into captures ({', '.join(_COLUMNS)}) values ({marks})", [_row(entry) for entry in entries]
        )
        db.execute("delete from captures where id <= (select max(id) from captures) - ?", [KEPT])


def _row(entry: CaptureRecord) -> dict[str, Any]:
    return {name: value[:LONGEST_TEXT] if isinstance(value, str) else value for name, value in asdict(entry).items()}


def recent(
    db: sqlite_utils.Database, *, before: int | None = None, number: int = 50, failed: bool = False, caller: str = ""
) -> list[dict[str, Any]]:
    """Return the newest rows, those before the id *before* if it is given.

    Only those that *failed*, if so wanted, and only those whose caller has *caller* in it, in whatever case.
    """
    return list(
        db.query(
            """
            select * from captures
            where (:before is null or id < :before) and (not :failed or code is not null)
                and (:caller = '' or instr(lower(caller), lower(:caller)))
            order by id desc limit :number
            """,
            {"before": before, "number": number, "failed": failed, "caller": caller},
        )
    )
