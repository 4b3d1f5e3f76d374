"""The operator's password, and the one-time links that set it. Stored are an argon2id hash, and digests of links.

Every function is synchronous and takes the open database first: the command line calls it directly, the server
through `Database.run`.
"""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlite_utils

from ..errors import OperatorError
from ..storage.audit import COMMAND_LINE, Actor, record
from ..storage.database import acting, writing
from ..timestamps import stamp
from . import sessions
from .sessions import OperatorSession
from .tokens import digest, generate

SHORTEST_PASSWORD = 12  # characters
LARGEST_PASSWORD = 1024  # bytes: argon2 reads them all
LINK_LIFETIME = timedelta(minutes=30)  # as long as it takes to walk to another desk
LINK_SCHEME = "askl_"  # so that the log knows what it must cut

Deliver = Callable[[str], None]


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
        return sessions.begin(db, by, now)


def rehash(db: sqlite_utils.Database, proven: str, hashed: str) -> None:
    """Replace the hash of the same password, unless it has changed since."""
    with writing(db):
        db.execute("update password set hash = ? where hash = ?", [hashed, proven])


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
        return sessions.begin(db, by, now)


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


def make_link(db: sqlite_utils.Database, deliver: Deliver, *, by: Actor = COMMAND_LINE, now: datetime) -> datetime:
    """Make a token that sets the password once, and return until when; the one before it works no more.

    *deliver* gets the token once it is stored for good: what it raises undoes all, for what nobody got must not stay.
    """
    token, ends = generate(LINK_SCHEME), now + LINK_LIFETIME
    with acting(db):
        before = db.execute("select digest, expires_at from links").fetchall()
        _set_links(db, [(digest(token), stamp(ends))])
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
    found = db.execute("select 1 from links where digest = ? and expires_at > ?", [digest(token), stamp(now)])
    return found.fetchone() is not None


def use_link(db: sqlite_utils.Database, token: str, hashed: str, *, by: Actor, now: datetime) -> str | None:
    """Use up a link: set the password, end all sessions, and return the token of a new one.

    None if the link works no more: of two who use it at once, the second gets that.
    """
    with acting(db):
        if not link_works(db, token, now=now):
            return None
        _set_password(db, hashed, "by one-time link", by, now)
        return sessions.begin(db, by, now)
