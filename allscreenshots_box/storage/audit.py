"""Who did what to keys, plans and the page's password, who signed in or failed to: by page and command alike."""

import re
from dataclasses import dataclass
from typing import Any

import sqlite_utils

from .. import timestamps

_NOT_PLAIN, _ESCAPED = re.compile("[%_!]"), r"!\g<0>"  # in a pattern of SQL

KEPT = 100_000  # entries; the oldest go first


@dataclass(frozen=True)
class Actor:
    """Who acts: *name* is what people read; *address* where a request came from."""

    name: str
    address: str | None = None


COMMAND_LINE = Actor("command line")


def record(db: sqlite_utils.Database, by: Actor, act: str, subject: str) -> int:  # in the act's transaction
    """Note that *by* did *act* to *subject*, such as "create key" and "ask_12345678 (billing)"; return its id."""
    cursor = db.execute(
        "insert into audit (moment, actor, address, act, subject) values (?, ?, ?, ?, ?)",
        [timestamps.now(), by.name, by.address, act, subject],
    )
    entry = cursor.lastrowid or 0
    db.execute("delete from audit where id <= ?", [entry - KEPT])
    return entry


def recent(
    db: sqlite_utils.Database, *, before: int | None = None, number: int = 50, word: str = ""
) -> list[dict[str, Any]]:
    """Return the newest entries, those before the one with the id *before* if it is given.

    Only those that have *word* in them, in whatever case, if it is not empty: `like` is three times faster than
    `instr` here, where it has to look at all that is kept.
    """
    return list(
        db.query(
            """
            select * from audit
            where (:before is null or id < :before) and (
                :word = '' or subject like :like escape '!' or act like :like escape '!' or actor like :like escape '!'
                or address like :like escape '!'
            )
            order by id desc limit :number
            """,
            {"before": before, "number": number, "word": word, "like": f"%{_NOT_PLAIN.sub(_ESCAPED, word)}%"},
        )
    )
