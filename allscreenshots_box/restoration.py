"""A backup in the place of the database: looked at first, with what was stopped since still stopped."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import sqlite_utils

from . import database, keys, snapshot, stamps
from .audit import COMMAND_LINE, record
from .database import migrations
from .errors import OperatorError

MAGIC = b"SQLite format 3\0"
KIND = "before-restore-"
ROOM = "restoring-"  # how our work directories begin

_ENDS = """
    select secrets.prefix, keys.name, secrets.revoked_at, secrets.retires_at, keys.expires_at
    from secrets join keys on keys.id = secrets.key_id
"""


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """What is known of the database that is replaced."""

    ends: dict[str, dict[str, Any]]  # by prefix: when each secret ends or ended
    born: str | None  # when it was made; a backup of it was born at the same moment
    audit: list[dict[str, Any]] = field(default_factory=list)
    password: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restore comes to. Keys as PREFIX (NAME)."""

    changes: list[str]  # made to a backup of an older version
    working: list[str]
    stopped: list[str]  # work in the backup, and were stopped since
    forgotten: list[str]  # work in the backup, and were forgotten since: stopped, unless they are to be revived
    lost: list[str]  # made since, and not in the backup
    compared: bool  # whether the database that is replaced could be read at all


@contextmanager
def prepared(backup: BinaryIO, path: Path, *, revive: bool) -> Iterator[tuple[Path, Restored]]:
    """Yield the database that *backup* becomes in the place of *path*, beside it, and what that comes to.

    To be called by who has the data directory alone. Raises OperatorError.
    """
    for left in path.parent.glob(f"{ROOM}*"):
        shutil.rmtree(left, ignore_errors=True)
    with database.explained(path):
        room = Path(tempfile.mkdtemp(prefix=ROOM, dir=path.parent))
    try:
        with database.explained(path):
            new = room / path.name
            _lay(backup, new)
            yield new, _made_ready(new, _read(path), revive=revive)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def put(new: Path, path: Path) -> Path | None:
    """Put the database *new* in the place of *path*; return where the old one is kept, if there was one.

    Whatever ends this between two of its steps, *path* is the old database or the new one.
    """
    with database.explained(path):
        _drop_unfinished(path)
        kept = None
        if path.exists():
            _fold(path)
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
            kept = path.with_name(f"{path.name}.{KIND}{stamp}")
            kept.hardlink_to(path)
            _set_journal_aside(path, kept)
        else:  # of a database that is gone: SQLite would take it for the new one's
            snapshot.drop_journals(path)
        new.replace(path)
        snapshot.settle(path)
        snapshot.prune(path, KIND)
    return kept


# --- the backup ---------------------------------------------------------------------------------


def _lay(backup: BinaryIO, new: Path) -> None:
    head = backup.read(len(MAGIC))
    if head != MAGIC:
        raise OperatorError("The backup is not a database: name a file that `allscreenshots-box backup` made.")
    new.touch(mode=snapshot.PRIVATE)
    with new.open("wb") as file:
        file.write(head)
        shutil.copyfileobj(backup, file)
    if problem := snapshot.damage(new):
        raise OperatorError(f"The backup is damaged ({problem}), and nothing was changed: use another one.")


def _made_ready(new: Path, replaced: Replaced | None, *, revive: bool) -> Restored:
    with snapshot.connected(new) as connection:
        connection.execute("pragma journal_mode = delete")  # one file, whole after each transaction
        connection.execute("pragma trusted_schema = off")
        db = sqlite_utils.Database(connection)
        _refuse_strange(db)
        changes = [migration.name for migration in migrations.pending(db)]
        with database.writing(db):
            migrations.apply(db)
            told = _carried_over(db, replaced, revive=revive)
            for table in ("sessions", "links"):
                db.execute(f"delete from {table}")
            record(db, COMMAND_LINE, "restore backup", f"{len(told['working'])} keys work")
    snapshot.settle(new)
    return Restored(changes=changes, compared=replaced is not None, **told)


def _refuse_strange(db: sqlite_utils.Database) -> None:
    """Refuse what no version, or a newer one, made. Triggers and views could do more than hold data."""
    kinds = {kind for (kind,) in db.execute("select type from sqlite_master")}
    if "m001_keys" not in {migration.name for migration in migrations.applied(db)} or kinds & {"trigger", "view"}:
        raise OperatorError(
            "The backup is a database, but none of allscreenshots-box: name a file that `allscreenshots-box backup` "
            "made."
        )
    if unknown := database.unknown_changes(db):
        raise OperatorError(
            f"The backup was made by a newer allscreenshots-box (it has {', '.join(unknown)}): install that version "
            "first, or use an older backup."
        )


# --- what was stopped since ---------------------------------------------------------------------


def _read(path: Path) -> Replaced | None:
    """Read what is to be carried over, also from a newer version's database; None if it cannot be read."""
    if not path.exists():
        return None
    try:
        with snapshot.connected(path) as connection:
            connection.execute("pragma query_only = on")
            db = sqlite_utils.Database(connection)
            if not db.table("secrets").exists():
                return None
            there = set(db.table_names())
            return Replaced(
                ends={row["prefix"]: row for row in db.query(_ENDS)},
                born=_born(db),
                audit=list(db.query("select * from audit order by id")) if "audit" in there else [],
                password=next(db.query("select * from password"), None) if "password" in there else None,
            )
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}:
            return None
        raise


def _born(db: sqlite_utils.Database) -> str | None:
    return next((one.applied_at for one in migrations.applied(db) if one.name == "m001_keys"), None)


def _carried_over(db: sqlite_utils.Database, replaced: Replaced | None, *, revive: bool) -> dict[str, list[str]]:
    """Stop in the backup what was stopped since, and tell of it."""
    before = _live(db)
    if replaced is None:
        return {"working": list(before.values()), "stopped": [], "forgotten": [], "lost": []}
    for prefix, end in replaced.ends.items():
        _end(db, prefix, end)
    left = _live(db)
    stopped = [name for prefix, name in before.items() if prefix not in left]
    forgotten = {}
    if replaced.born == _born(db):  # else it is another box's, and knows nothing of what was forgotten here
        forgotten = {prefix: name for prefix, name in before.items() if prefix not in replaced.ends}
        _carry_audit(db, replaced.audit)
    _carry_password(db, replaced.password)
    for prefix, name in () if revive else forgotten.items():
        db.execute("update secrets set revoked_at = ? where prefix = ?", [stamps.now(), prefix])
        record(db, COMMAND_LINE, "revoke key", name)
    lost = [f"{prefix} ({end['name']})" for prefix, end in replaced.ends.items() if _is_lost(db, prefix, end)]
    return {
        "working": list(_live(db).values()),
        "stopped": stopped,
        "forgotten": list(forgotten.values()),
        "lost": lost,
    }


def _live(db: sqlite_utils.Database) -> dict[str, str]:
    return {key.prefix: f"{key.prefix} ({key.name})" for key in keys.live(db)}


def _end(db: sqlite_utils.Database, prefix: str, end: dict[str, Any]) -> None:
    """Let a secret end at the earlier of two moments: the backup's, and that of the database that is replaced."""
    for column in ("revoked_at", "retires_at"):
        db.execute(
            f"update secrets set {column} = min(coalesce({column}, ?1), ?1) where prefix = ?2 and ?1 is not null",
            [end[column], prefix],
        )
    db.execute(
        "update keys set expires_at = min(coalesce(expires_at, ?1), ?1)"
        " where id = (select key_id from secrets where prefix = ?2) and ?1 is not null",
        [end["expires_at"], prefix],
    )


def _is_lost(db: sqlite_utils.Database, prefix: str, end: dict[str, Any]) -> bool:
    """Say whether a secret works in the database that is replaced, and is none in the backup."""
    now = stamps.now()
    works = end["revoked_at"] is None and all((end[name] or "~") > now for name in ("retires_at", "expires_at"))
    return works and keys.by_prefix(db, prefix) is None


def _carry_audit(db: sqlite_utils.Database, entries: list[dict[str, Any]]) -> None:
    """Keep what was done since the backup in the audit: some of it is what is carried over here."""
    (last,) = db.execute("select coalesce(max(id), 0) from audit").fetchone()
    for entry in entries:
        if entry["id"] > last:
            db.execute(
                "insert into audit (id, moment, actor, address, act, subject)"
                " values (:id, :moment, :actor, :address, :act, :subject)",
                entry,
            )


def _carry_password(db: sqlite_utils.Database, password: dict[str, Any] | None) -> None:
    """Keep a password of the operator's page that is newer than the backup's: the older one may have leaked."""
    if password is None:
        return
    known = next(db.query("select changed_at from password"), None)
    if known is None or known["changed_at"] < password["changed_at"]:
        db.execute(
            "insert or replace into password (id, hash, changed_at) values (1, :hash, :changed_at)",
            {"hash": password["hash"], "changed_at": password["changed_at"]},
        )


# --- putting it there ---------------------------------------------------------------------------


def _drop_unfinished(path: Path) -> None:
    """Take away the second name that a restore which was killed half-way gave to the database."""
    for copy in path.parent.glob(f"{path.name}.{KIND}*"):
        if path.exists() and copy.samefile(path):
            copy.unlink()


def _fold(path: Path) -> None:
    """Bring what stands in the journal into the file, so that the file alone is the database."""
    try:
        with snapshot.connected(path) as connection:
            (busy, *_) = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        return  # it is damaged: nothing can be folded
    if busy:
        raise OperatorError(f"Another program reads {path}: `fuser {path}` names it; end it, and restore again.")


def _set_journal_aside(path: Path, kept: Path) -> None:
    """Move a journal that could not be folded to the copy that it belongs to: applied to another file, it ruins it."""
    for suffix in snapshot.JOURNALS:
        journal = path.with_name(path.name + suffix)
        if journal.exists():
            journal.replace(kept.with_name(kept.name + suffix))
