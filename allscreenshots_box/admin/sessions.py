"""Who is signed in to the operator's page, and until when. Of a session only a digest is stored.

Every function is synchronous and takes the open database first: the command line calls it directly, the server
through `Database.run`.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlite_utils

from ..storage.audit import COMMAND_LINE, Actor, record
from ..storage.database import acting, writing
from ..timestamps import stamp
from .tokens import digest, generate

IDLE = timedelta(hours=2)  # a session that is not used is over
LIFETIME = timedelta(days=7)  # and so is one that is: whoever took it is out
SEEN = timedelta(minutes=1)  # how exactly the last use is known: never a write a request
NOTE_PATIENCE = 50  # milliseconds, for what can be noted another time
MOST_SESSIONS = 20  # the one unused for the longest time goes first
SCHEME = "asks_"  # so that the log knows what it must cut

_LIVE = "expires_at > ? and seen_at > ?"


@dataclass(frozen=True, kw_only=True)
class OperatorSession:
    """Who is signed in. Times are ISO 8601 in UTC."""

    digest: str
    address: str
    created_at: str
    seen_at: str
    expires_at: str


def begin(db: sqlite_utils.Database, by: Actor, now: datetime) -> str:
    """Make a session with a token that nobody has seen before, so that none can be planted beforehand."""
    token, moment = generate(SCHEME), stamp(now)
    db.execute(f"delete from sessions where not ({_LIVE})", [*_live_at(now)])
    db.execute(
        "delete from sessions where digest not in (select digest from sessions order by seen_at desc limit ?)",
        [MOST_SESSIONS - 1],
    )
    db.execute(
        "insert into sessions (digest, address, created_at, seen_at, expires_at) values (?, ?, ?, ?, ?)",
        [digest(token), by.address or "", moment, moment, stamp(now + LIFETIME)],
    )
    return token


def recognize(db: sqlite_utils.Database, token: str, *, now: datetime) -> OperatorSession | None:
    """Return the session that *token* belongs to, unless it is over; its last use is noted."""
    rows = list(db.query(f"select * from sessions where digest = ? and {_LIVE}", [digest(token), *_live_at(now)]))
    if not rows:
        return None
    session = OperatorSession(**rows[0])
    if session.seen_at <= stamp(now - SEEN):
        with suppress(sqlite3.OperationalError), writing(db, patience=NOTE_PATIENCE):  # a full disk signs nobody out
            db.execute("update sessions set seen_at = ? where digest = ?", [stamp(now), session.digest])
    return session


def recognize_one(db: sqlite_utils.Database, tokens: Sequence[str], *, now: datetime) -> OperatorSession | None:
    """Return the session of the first of *tokens* that has one."""
    return next(filter(None, (recognize(db, token, now=now) for token in tokens)), None)


def those(db: sqlite_utils.Database, *, now: datetime) -> list[OperatorSession]:
    """Return who is signed in, the latest seen first."""
    return [
        OperatorSession(**row)
        for row in db.query(f"select * from sessions where {_LIVE} order by seen_at desc", [*_live_at(now)])
    ]


def sign_out(db: sqlite_utils.Database, session: OperatorSession, *, by: Actor) -> None:
    """End one session."""
    with acting(db):
        if db.execute("delete from sessions where digest = ?", [session.digest]).rowcount:
            record(db, by, "sign out", "one session")


def sign_out_everywhere(db: sqlite_utils.Database, *, by: Actor = COMMAND_LINE, now: datetime) -> int:
    """End all sessions, and say how many there were."""
    with acting(db):
        number = len(those(db, now=now))
        db.execute("delete from sessions")
        record(db, by, "sign out", f"everywhere ({number})")
    return number


def note_failures(db: sqlite_utils.Database, number: int, *, by: Actor) -> None:
    """Write down that *number* sign-ins failed, the last of them from *by*, if nobody else is writing just now."""
    with writing(db, patience=NOTE_PATIENCE):
        record(db, by, "fail to sign in", "once" if number == 1 else f"{number} times")


def _live_at(now: datetime) -> tuple[str, str]:
    return stamp(now), stamp(now - IDLE)
