"""A backup in the place of the database: looked at first, with what was stopped since still stopped."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import sqlite_utils

from .. import keys, timestamps
from ..errors import OperatorError
from ..keys.states import works
from ..storage import backup as snapshot
from ..storage import database
from ..storage.audit import COMMAND_LINE, record
from ..storage.migrations import migrations
from . import previous, row_checks
from .previous import Predecessor

MAGIC = b"SQLite format 3\0"
KIND = "before-restore-"
ROOM = "restoring-"  # how our work directories begin


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restore comes to. Keys as PREFIX (NAME)."""

    changes: list[str]  # made to a backup of an older version
    working: list[str]
    stopped: list[str]  # work in the backup, and were stopped since
    forgotten: list[str]  # work in the backup, and were forgotten since: stopped, unless they are to be revived
    returning: list[str]  # work in the backup, and the database that is replaced never had them
    lost: list[str]  # made since, and not in the backup
    keys: list[str]  # go back to what the backup has, as NAME: WHAT
    plans: list[str]  # go back, too
    password_stays: bool  # it is newer than the backup's
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
            yield new, _made_ready(new, previous.read(path), revive=revive)
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


def _made_ready(new: Path, replaced: Predecessor | None, *, revive: bool) -> Restored:
    with snapshot.connected(new) as connection:
        connection.execute("pragma journal_mode = delete")  # one file, whole after each transaction
        connection.execute("pragma trusted_schema = off")
        db = sqlite_utils.Database(connection)
        _refuse_strange(db)
        changes = [migration.name for migration in migrations.pending(db)]
        with database.writing(db):
            migrations.apply(db)
            row_checks.require_ours(db)
            told = _carried_over(db, replaced, revive=revive)
            for table in ("sessions", "links"):
                db.execute(f"delete from {table}")
            record(db, COMMAND_LINE, "restore backup", f"{len(told['working'])} keys work")
    snapshot.settle(new)
    return Restored(changes=changes, compared=replaced is not None, **told)


def _refuse_strange(db: sqlite_utils.Database) -> None:
    """Refuse what no version, or a newer one, made. Triggers and views could do more than hold data."""
    kinds = {kind for (kind,) in db.execute("select type from sqlite_master")}
    if kinds & {"trigger", "view"} or "m001_keys" not in {migration.name for migration in migrations.applied(db)}:
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


def _carried_over(db: sqlite_utils.Database, replaced: Predecessor | None, *, revive: bool) -> dict[str, Any]:
    """Stop in the backup what was stopped since, and tell of it."""
    before = _live(db)
    told: dict[str, Any] = {"stopped": [], "forgotten": [], "returning": [], "lost": [], "keys": [], "plans": []}
    if replaced is None:
        return told | {"working": list(before.values()), "password_stays": False}
    chosen = replaced.chose_password_since(db)
    if replaced.born == previous.born(db):
        fates = _ended_as_audited(db, replaced, before)
        _carry_audit(db, replaced.audit)
    else:  # it is another box's, and knows nothing of what was forgotten here
        fates = {"forgotten": [], "returning": []}
        for prefix, row in replaced.secrets.items():
            _end(db, prefix, row)
    keys.stop_retired(db, datetime.now(UTC))  # an older version left moments
    left = _live(db)
    told["stopped"] = [name for prefix, name in before.items() if prefix not in left]
    for fate, prefixes in fates.items():
        told[fate] = [before[prefix] for prefix in prefixes if prefix in left]
    for prefix in fates["forgotten"]:
        if not revive:
            db.execute("update secrets set revoked_at = ? where prefix = ?", [timestamps.now(), prefix])
        record(db, COMMAND_LINE, previous.REVIVE if revive else previous.REVOKE_PRUNED, before[prefix])
    told["lost"] = [
        f"{prefix} ({row['name']})" for prefix, row in replaced.secrets.items() if _is_lost(db, prefix, row)
    ]
    told["keys"], told["plans"] = replaced.changed(db)
    told["password_stays"] = _carry_password(db, replaced.password, chosen=chosen)
    return told | {"working": list(_live(db).values())}


def _ended_as_audited(db: sqlite_utils.Database, replaced: Predecessor, before: dict[str, str]) -> dict[str, list[str]]:
    """Stop what was stopped since the backup; return the prefixes that were forgotten since, and those never known."""
    acts, whole = replaced.acts_since(db), replaced.saw_all_since(db)
    last = {prefix: previous.last_end(done) for prefix, done in acts.items()}
    known = {prefix for prefix in replaced.secrets if last.get(prefix) != previous.REVOKE_PRUNED}
    edited = {replaced.secrets[prefix]["key_id"] for prefix in known if previous.expiries(acts.get(prefix, []))}
    for prefix in known:
        row = replaced.secrets[prefix]
        # An expiry that nobody edited since is only older: the backup may be the younger of the two.
        _end(db, prefix, row if not whole or row["key_id"] in edited else row | {"expires_at": None})
    fates: dict[str, list[str]] = {"forgotten": [], "returning": []}
    for prefix in before.keys() - known:
        _end_unknown(db, prefix, acts.get(prefix, []))
        # What nobody can tell counts as forgotten.
        forgotten = last.get(prefix) in previous.PRUNED or not whole
        fates["forgotten" if forgotten else "returning"].append(prefix)
    return {fate: sorted(prefixes, key=list(before).index) for fate, prefixes in fates.items()}


def _end_unknown(db: sqlite_utils.Database, prefix: str, acts: list[dict[str, Any]]) -> None:
    """Stop a secret that the database that is replaced does not have, as far as its audit says so."""
    of_key = "key_id = (select key_id from secrets where prefix = ?2)"  # a rotation ends all that there were
    for entry in acts if previous.last_end(acts) in previous.STOPPED else ():
        if entry["act"] in previous.STOPPED:
            which = of_key if entry["act"] == "rotate key" else "prefix = ?2"
            db.execute(
                f"update secrets set revoked_at = coalesce(revoked_at, ?1) where {which}", [entry["moment"], prefix]
            )
    for expiry in previous.expiries(acts):
        _end(db, prefix, {"revoked_at": None, "retires_at": None, "expires_at": expiry})


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
    ends = {name: end[name] for name in ("revoked_at", "retires_at", "expires_at")}
    return works(timestamps.now(), **ends) and keys.by_prefix(db, prefix) is None


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


def _carry_password(db: sqlite_utils.Database, password: dict[str, Any] | None, *, chosen: bool) -> bool:
    """Keep a password of the operator's page that is newer than the backup's, which may have leaked; say if it is.

    One that is known to be *chosen* since is newer, whatever the clock said then.
    """
    known = next(db.query("select changed_at from password"), None)
    if password is None or (known and not chosen and known["changed_at"] >= password["changed_at"]):
        return False
    db.execute(
        "insert or replace into password (id, hash, changed_at) values (1, :hash, :changed_at)",
        {"hash": password["hash"], "changed_at": password["changed_at"]},
    )
    return True


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
