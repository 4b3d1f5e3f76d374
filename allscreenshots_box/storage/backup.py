"""A copy of a database in one file: made while others write, and checked before it counts."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..errors import OperatorError

PRIVATE = 0o600  # what a database holds is its owner's business
BUSY_MILLISECONDS = 5000
JOURNALS = ("-wal", "-shm", "-journal")  # what SQLite writes beside a database, by how their names end
KEPT = 3  # copies of one kind beside the database; each may be as large as it
COUNTED = {"keys": "keys", "plans": "plans", "usage": "days of usage", "audit": "audit entries"}


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to the database *path*, which is not made if it is not there."""
    # To open it for reading only would leave files beside it.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
        connection.execute(f"pragma busy_timeout = {BUSY_MILLISECONDS}")
        yield connection


def take(source: Path, target: Path) -> None:
    """Copy *source* as it is at one moment into the new file *target*, which is whole and on the disk then.

    Raises OperatorError if there is no room or *source* is damaged, and leaves nothing then.
    """
    try:
        target.touch(mode=PRIVATE, exist_ok=False)
        with connected(source) as connection:
            connection.execute("vacuum into ?", [str(target)])
        if problem := damage(target):
            raise OperatorError(_DAMAGED.format(source=source, problem=problem))  # noqa: TRY301 - cleared away below
        settle(target)
    except sqlite3.DatabaseError as error:
        target.unlink(missing_ok=True)
        raise OperatorError(_told(error, source, target)) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


_DAMAGED = "The database {source} is damaged ({problem}), and was not copied: restore an older backup."


def _told(error: sqlite3.DatabaseError, source: Path, target: Path) -> str:
    if error.sqlite_errorcode in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return _DAMAGED.format(source=source, problem=error)
    return (
        f"No copy of {source} could be made in {target.parent} ({error}): free as much room there as the database has."
    )


def damage(path: Path) -> str | None:
    """Return what is wrong inside the database *path*, if anything is."""
    try:
        with connected(path) as connection:
            (found,) = connection.execute("pragma integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        return str(error)
    return None if found == "ok" else str(found).removeprefix("*** in database main ***\n").partition("\n")[0]


def settle(path: Path) -> None:
    """Have a file, and that it is there, outlast a power cut."""
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def holdings(path: Path) -> str:
    """Say in a few words what the database *path* holds."""
    with connected(path) as connection:
        there = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
        counts = {
            word: connection.execute(f"select count(*) from {table}").fetchone()[0]
            for table, word in COUNTED.items()
            if table in there
        }
    return ", ".join(f"{word} {count}" for word, count in counts.items())


def drop_journals(path: Path) -> None:
    """Remove what SQLite left beside the database *path*."""
    for suffix in JOURNALS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def prune(path: Path, kind: str) -> None:
    """Forget all but the last copies of a *kind* beside the database *path*, and the journals of those.

    Their names tell which came later: how old a file is, whoever copies it may change.
    """
    found = (copy for copy in path.parent.glob(f"{path.name}.{kind}*") if not copy.name.endswith(JOURNALS))
    for old in sorted(found)[:-KEPT]:
        old.unlink(missing_ok=True)
        drop_journals(old)
