"""The one SQLite file: opening it, its schema, and using it from the event loop."""

import asyncio
import shlex
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import sqlite_utils

from .. import logs
from ..errors import OperatorError
from ..process import command_hint
from . import backup, reserve
from .migrations import migrations

P = ParamSpec("P")
T = TypeVar("T")

BUSY_MILLISECONDS = backup.BUSY_MILLISECONDS  # how long the command line and the server wait for each other
SERVER_MILLISECONDS = 500  # ... once the server serves: all other requests wait behind its one thread
BEATS = 2**31 - 1  # the number in the head has 32 bits

Tell = Callable[[list[str], Path], None]


def _log(changes: list[str], copy: Path) -> None:
    logs.event("database_changed", changes=changes, copy=str(copy))


def open_database(path: Path, tell: Tell = _log) -> sqlite_utils.Database:
    """Open the database at *path*, made and brought up to date as needed.

    One that an older version made is copied first, and *tell* is given what was changed and the copy.
    Raises OperatorError, with the cure, when that cannot be done.
    """
    with explained(path):
        path.touch(mode=backup.PRIVATE)
        # The server opens it on one thread and hands that thread every call.
        db = sqlite_utils.Database(sqlite3.connect(path, check_same_thread=False))
        try:
            db.execute(f"pragma busy_timeout = {BUSY_MILLISECONDS}")
            db.execute("pragma foreign_keys = on")
            _enter_wal(db)
            _refuse_newer(db, path)
            if migrations.pending(db):
                with writing(db):  # two first starts at once: one waits, then finds nothing to do
                    told = _bring_up_to_date(db, path)
                if told is not None:
                    tell(*told)
        except BaseException:
            db.close()
            raise
    return db


def _bring_up_to_date(db: sqlite_utils.Database, path: Path) -> tuple[list[str], Path] | None:
    """Apply what is missing; return it and the copy that was made before, if there was anything to copy."""
    pending = [migration.name for migration in migrations.pending(db)]
    told = None
    if pending and migrations.applied(db):
        copy = _copy_before(pending[0], path)
        copy.unlink(missing_ok=True)  # of a start that could not go on
        backup.take(path, copy)
        backup.prune(path, "before-m")
        told = pending, copy
    migrations.apply(db)
    return told


def _copy_before(change: str, path: Path) -> Path:
    return path.with_name(f"{path.name}.before-{change}")


def _enter_wal(db: sqlite_utils.Database) -> None:
    """Switch to WAL, once and for all; two first starts at once meet here, and SQLite does not wait by itself."""
    end = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            db.enable_wal()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)


@contextmanager
def writing(db: sqlite_utils.Database, *, patience: int | None = None) -> Iterator[None]:
    """One transaction that holds the write lock from its beginning, and waits *patience* milliseconds for it.

    Without one, as long as the connection waits for anything. A transaction that reads first and writes later
    fails at once, whatever the timeout, if another process wrote in between.
    """
    (usual,) = db.conn.execute("pragma busy_timeout").fetchone()
    db.conn.execute(f"pragma busy_timeout = {usual if patience is None else patience}")
    try:
        db.conn.execute("begin immediate")
    finally:
        db.conn.execute(f"pragma busy_timeout = {usual}")
    try:
        yield
        db.conn.commit()  # fails on a full disk, and would leave the transaction open
    except BaseException:
        db.conn.rollback()
        raise


def typed(db: sqlite_utils.Database, words: str) -> str:
    """Return the command line that does *words* on the data directory of *db*."""
    return command_hint.typed(_path(db).parent, words)


def _path(db: sqlite_utils.Database) -> Path:
    return Path(db.conn.execute("pragma database_list").fetchone()[2])


@contextmanager
def acting(db: sqlite_utils.Database) -> Iterator[None]:
    """One transaction of somebody who acts, such as who stops a key: on a full disk it has the reserve."""
    path = _path(db)
    if not path.name:  # it lies in memory
        with writing(db):
            yield
        return
    with reserve.at_hand(path.parent) as short:
        with writing(db):
            yield
        if short:  # what the journal took becomes free, and the reserve can be kept again
            with suppress(sqlite3.Error):  # what was done is done
                db.conn.execute("pragma wal_checkpoint(truncate)")


def beat(db: sqlite_utils.Database, patience: int) -> None:
    """Write something, for good, and read it back: what a full or read-only disk does not let pass.

    It is a number in the file's head that SQLite leaves to its user. *patience* as in `writing`.
    """
    with writing(db, patience=patience):
        (before,) = db.execute("pragma user_version").fetchone()
        db.execute(f"pragma user_version = {(before + 1) % BEATS}")
    (after,) = db.execute("pragma user_version").fetchone()
    if after != (before + 1) % BEATS:
        raise sqlite3.DatabaseError("what was written is not what is read")


def unknown_changes(db: sqlite_utils.Database) -> list[str]:
    """Return what a newer version changed in *db*."""
    with closing(sqlite_utils.Database(memory=True)) as empty:
        known = {migration.name for migration in migrations.pending(empty)}
    return sorted({migration.name for migration in migrations.applied(db)} - known)


def _refuse_newer(db: sqlite_utils.Database, path: Path) -> None:
    if unknown := unknown_changes(db):
        copy = _copy_before(unknown[0], path)
        back = command_hint.typed(path.parent, f"restore {shlex.quote(str(copy) if copy.exists() else 'BACKUP')}")
        raise OperatorError(
            f"The database {path} was made by a newer allscreenshots-box (it has {', '.join(unknown)}): "
            f"install that version again; or go back to what was there before, while no server runs: `{back}`."
        )


def trouble(error: sqlite3.DatabaseError, path: Path) -> str:
    """Return what *error* is, and what to do about it, in a sentence."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of the bits says where
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"Another process is writing to the database {path} ({error}): try again in a moment."
    if code == sqlite3.SQLITE_FULL:
        return f"The disk of {path.parent} is full ({error}): make room on it, then try again."
    return (
        f"The database {path} cannot be used ({error}): check the rights of {path.parent}, "
        "that its disk is neither full nor read-only, and that the file is a database."
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into a sentence with the cure."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise OperatorError(trouble(error, path)) from error
    except OSError as error:
        raise OperatorError(
            f"The database {path} cannot be opened ({error.strerror}): check the rights of {path.parent} "
            "and that its disk is neither full nor read-only."
        ) from error


class Database:
    """One connection, used by one thread, so that no query ever blocks the event loop.

    SQLite allows one writer at a time anyway. With one thread two requests cannot meet a locked database,
    and a function given to `run` is alone with the data until it returns. Beside it is a connection that can only read,
    on a thread of its own: lists and searches for people take long in a large database, and requests do not wait.
    """

    def __init__(
        self,
        db: sqlite_utils.Database,
        thread: ThreadPoolExecutor,
        lists: sqlite_utils.Database,
        list_thread: ThreadPoolExecutor,
    ) -> None:
        self._db = db
        self._thread = thread
        self._lists = lists
        self._list_thread = list_thread

    async def run(
        self, function: Callable[Concatenate[sqlite_utils.Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call ``function(db, *args, **kwargs)`` on the database thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(self._db, *args, **kwargs))

    async def look(
        self, function: Callable[Concatenate[sqlite_utils.Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call ``function(db, *args, **kwargs)``, which only reads and may take long, where nobody waits for it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._list_thread, lambda: function(self._lists, *args, **kwargs))


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Database]:
    """Yield a Database for *path*, closed when the block ends."""
    loop = asyncio.get_running_loop()
    with (
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="database") as thread,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-lists") as list_thread,
    ):
        db = await loop.run_in_executor(thread, open_database, path)
        try:
            await loop.run_in_executor(thread, db.execute, f"pragma busy_timeout = {SERVER_MILLISECONDS}")
            lists = await loop.run_in_executor(list_thread, _for_reading, path)
            try:
                yield Database(db, thread, lists, list_thread)
            finally:
                await loop.run_in_executor(list_thread, lists.close)
        finally:
            await loop.run_in_executor(thread, db.close)


def _for_reading(path: Path) -> sqlite_utils.Database:
    with explained(path):
        db = sqlite_utils.Database(sqlite3.connect(path, check_same_thread=False))
        db.execute("pragma query_only = on")
        return db
