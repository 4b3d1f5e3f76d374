"""Who may open the operator's page: its password, the one-time links that set it, and who is signed in.

Every function is synchronous and takes the open database first: the command line calls it directly, the server
through `Database.run`. Of links and sessions only a digest is stored, of the password an argon2id hash.
"""

import hashlib
import secrets
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlite_utils

from ..errors import OperatorError
from ..storage.audit import COMMAND_LINE, Actor, record
from ..storage.database import acting, writing
from ..timestamps import stamp

SHORTEST_PASSWORD = 12  # characters
LARGEST_PASSWORD = 1024  # bytes: argon2 reads them all
LINK_LIFETIME = timedelta(minutes=30)  # as long as it takes to walk to another desk
IDLE = timedelta(hours=2)  # a session that is not used is over
LIFETIME = timedelta(days=7)  # and so is one that is: whoever took it is out
SEEN = timedelta(minutes=1)  # how exactly the last use is known: never a write a request
NOTE_PATIENCE = 50  # milliseconds, for what can be noted another time
MOST_SESSIONS = 20  # the one unused for the longest time goes first
TOKEN_BYTES = 32  # 256 bits, which no digest needs to be slow for
LINK_SCHEME, SESSION_SCHEME = "askl_", "asks_"  # so that the log knows what it must cut

Deliver = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class OperatorSession:
    """Who is signed in. Times are ISO 8601 in UTC."""

    digest: str
    address: str
    created_at: str
    seen_at: str
    expires_at: str


# --- the password -------------------------------------------------------------------------------


def readable(text: str) -> str:
    """Return *text* as a password in its one spelling, however the keyboard made its accents. Raises OperatorError."""
    password = spelled(text)
    if len(password) < SHORTEST_PASSWORD or len(password.encode("utf-8", "surrogatepass")) > LARGEST_PASSWORD:
        raise OperatorError(
            f"The password must have at least {SHORTEST_PASSWORD} characters, and at most {LARGEST_PASSWORD} bytes."
        )
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in password):
        raise OperatorError("The password must not have control characters, such as tabs.")
    return password


def spelled(text: str) -> str:
    """Return *text* in the one spelling of passwords."""
    return unicodedata.normalize("NFC", text)


def password_hash(db: sqlite_utils.Database) -> str | None:
    """Return the hash of the password, if one is set."""
    row = db.execute("select hash from password").fetchone()
    return row[0] if row else None


def set_password(db: sqlite_utils.Database, hashed: str, *, by: Actor = COMMAND_LINE, now: datetime) -> int:
    """Set the password; say how many sessions that ended, which is all of them."""
    with acting(db):
        return _set_password(db, hashed, "by command", by, now)


def change_password(db: sqlite_utils.Database, proven: str, hashed: str, *, by: Actor, now: datetime) -> str | None:
    """Put *hashed* in the place of the hash *proven*, end all sessions, and return the token of a new one.

    None if the password has changed since it was proven.
    """
    with acting(db):
        if password_hash(db) != proven:
            return None
        _set_password(db, hashed, "on the page", by, now)
        return _open_session(db, by, now)


def rehash(db: sqlite_utils.Database, proven: str, hashed: str) -> None:
    """Replace the hash of the same password, unless it has changed since."""
    with writing(db):
        db.execute("update password set hash = ? where hash = ?", [hashed, proven])


def _set_password(db: sqlite_utils.Database, hashed: str, how: str, by: Actor, now: datetime) -> int:
    db.execute(
        "insert into password (id, hash, changed_at) values (1, ?, ?) "
        "on conflict (id) do update set hash = excluded.hash, changed_at = excluded.changed_at",
        [hashed, stamp(now)],
    )
    db.execute("delete from links")
    ended = db.execute("delete from sessions").rowcount
    record(db, by, "set password", how)
    return ended


# --- one-time links -----------------------------------------------------------------------------


def make_link(db: sqlite_utils.Database, deliver: Deliver, *, by: Actor = COMMAND_LINE, now: datetime) -> datetime:
    """Make a token that sets the password once, and return until when; the one before it works no more.

    *deliver* gets the token once it is stored for good: what it raises undoes all, for what nobody got must not stay.
    """
    token, ends = _mint(LINK_SCHEME), now + LINK_LIFETIME
    with acting(db):
        before = db.execute("select digest, expires_at from links").fetchall()
        _set_links(db, [(_digest(token), stamp(ends))])
        act = record(db, by, "make link", f"until {ends:%H:%M} UTC")
    try:
        deliver(token)
    except BaseException:
        with acting(db):
            _set_links(db, before)
            db.execute("delete from audit where id = ?", [act])
        raise
    return ends


def _set_links(db: sqlite_utils.Database, links: Sequence[tuple[str, str]]) -> None:
    db.execute("delete from links")
    db.conn.executemany("insert into links (digest, expires_at) values (?, ?)", links)


def link_works(db: sqlite_utils.Database, token: str, *, now: datetime) -> bool:
    """Say whether a link with *token* would be taken."""
    found = db.execute("select 1 from links where digest = ? and expires_at > ?", [_digest(token), stamp(now)])
    return found.fetchone() is not None


def use_link(db: sqlite_utils.Database, token: str, hashed: str, *, by: Actor, now: datetime) -> str | None:
    """Use up a link: set the password, end all sessions, and return the token of a new one.

    None if the link works no more: of two who use it at once, the second gets that.
    """
    with acting(db):
        if not link_works(db, token, now=now):
            return None
        _set_password(db, hashed, "by one-time link", by, now)
        return _open_session(db, by, now)


# --- sessions -----------------------------------------------------------------------------------


def sign_in(
    db: sqlite_utils.Database, proven: str, *, by: Actor, now: datetime, instead_of: OperatorSession | None = None
) -> str | None:
    """Return the token of a new session for whoever proved the hash *proven*; None if it has changed since."""
    with acting(db):
        if password_hash(db) != proven:
            return None
        if instead_of is not None:
            db.execute("delete from sessions where digest = ?", [instead_of.digest])
        record(db, by, "sign in", "with the password")
        return _open_session(db, by, now)


def recognize(db: sqlite_utils.Database, token: str, *, now: datetime) -> OperatorSession | None:
    """Return the session that *token* belongs to, unless it is over; its last use is noted."""
    rows = list(db.query(f"select * from sessions where digest = ? and {_LIVE}", [_digest(token), *_live_at(now)]))
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


def sessions(db: sqlite_utils.Database, *, now: datetime) -> list[OperatorSession]:
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
        number = len(sessions(db, now=now))
        db.execute("delete from sessions")
        record(db, by, "sign out", f"everywhere ({number})")
    return number


def note_failures(db: sqlite_utils.Database, number: int, *, by: Actor) -> None:
    """Write down that *number* sign-ins failed, the last of them from *by*, if nobody else is writing just now."""
    with writing(db, patience=NOTE_PATIENCE):
        record(db, by, "fail to sign in", "once" if number == 1 else f"{number} times")


_LIVE = "expires_at > ? and seen_at > ?"


def _live_at(now: datetime) -> tuple[str, str]:
    return stamp(now), stamp(now - IDLE)


def _open_session(db: sqlite_utils.Database, by: Actor, now: datetime) -> str:
    """Make a session with a token that nobody has seen before, so that none can be planted beforehand."""
    token, moment = _mint(SESSION_SCHEME), stamp(now)
    db.execute(f"delete from sessions where not ({_LIVE})", [*_live_at(now)])
    db.execute(
        "delete from sessions where digest not in (select digest from sessions order by seen_at desc limit ?)",
        [MOST_SESSIONS - 1],
    )
    db.execute(
        "insert into sessions (digest, address, created_at, seen_at, expires_at) values (?, ?, ?, ?, ?)",
        [_digest(token), by.address or "", moment, moment, stamp(now + LIFETIME)],
    )
    return token


def _mint(scheme: str) -> str:
    return scheme + secrets.token_hex(TOKEN_BYTES)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
