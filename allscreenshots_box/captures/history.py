"""What was captured of late: one row for each capture, with nothing secret in it, and a bounded number of them."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlite_utils

from .. import logs
from ..storage.database import Database, writing
from ..storage.write_behind import WriteBehind, kept_written

KEPT = 10_000  # rows; the oldest go first
MOST_WAITING = 2000  # not written yet; what comes faster than that, or finds no disk, takes the place of the oldest
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
        self._behind: WriteBehind[deque[CaptureRecord]] = WriteBehind(
            database,
            add,
            empty=lambda: deque(maxlen=MOST_WAITING),
            join=lambda earlier, later: deque([*earlier, *later], maxlen=MOST_WAITING),
            failed=lambda error: logs.fault("captures_not_written", error),
        )

    def note(self, entry: CaptureRecord) -> None:
        """Take note of one capture."""
        self._behind.waiting.append(entry)

    async def write(self) -> None:
        """Write what is waiting; what cannot be written waits on, and is told once."""
        await self._behind.write()

    async def recent(
        self, *, before: int | None = None, number: int = 50, failed: bool = False, caller: str = ""
    ) -> list[dict[str, Any]]:
        """Return what is written, as `recent` does."""
        return await self._database.look(recent, before=before, number=number, failed=failed, caller=caller)

    async def close(self) -> None:
        """Write what is left, and wait for it."""
        if lost := await self._behind.close():
            logs.event("captures_lost", logging.ERROR, number=len(lost))


@asynccontextmanager
async def noting(database: Database) -> AsyncIterator[CaptureHistory]:
    """Yield a CaptureHistory that is written as it grows, and once more when the block ends."""
    captures = CaptureHistory(database)
    async with kept_written(captures):
        yield captures


def add(db: sqlite_utils.Database, entries: Iterable[CaptureRecord], *, patience: int) -> None:
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
