"""What the box keeps: its directory and the rights in it, its database, the disk below, and its lists."""

import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

import sqlite_utils

from ..config import Settings
from ..errors import OperatorError
from ..process import command_hint, privileges
from ..render.blocking import filter_lists as lists
from ..storage import database
from ..storage.migrations import migrations
from .context import SERVICE, CheckContext
from .result import CheckResult, Skipped, failed, ok, warning

MOST_FILES = 10_000  # looked at; a box has a dozen
SHOWN = 3  # names of files in one fact
LITTLE_SPACE = 1 << 30  # bytes: profiles and pictures of busy hours
NO_SPACE = 100 << 20  # bytes: one browser's profile
LITTLE_INODES = 10_000
NO_INODES = 1_000  # one profile has hundreds of files
OTHERS = 0o077  # the rights of everybody but the owner


def data_directory(context: CheckContext) -> CheckResult:
    """Look at the data directory as it is, and become who it belongs to."""
    settings = context.settings
    was_there = settings.data_dir.exists()
    try:
        privileges.enter(settings)
    except OperatorError as error:
        return failed(str(error), _cure_of_entering(settings))
    context.is_ours = True
    about = settings.data_dir.stat()
    fact = f"{settings.data_dir} ({about.st_mode & 0o777:04o}, {privileges.name(about.st_uid)})"
    files = list(_files(settings.data_dir))
    if loose := [f"{path} is {mode:04o}" for path, mode, _ in files if mode & OTHERS]:
        cure = f"chmod -R u=rwX,go= {shlex.quote(str(settings.data_dir))}"
        return failed(f"{_some(loose)}: open to others than {privileges.name(about.st_uid)}", cure)
    if strange := [f"{path} is {privileges.name(owner)}'s" for path, _, owner in files if owner != about.st_uid]:
        cure = f"chown -R {privileges.name(about.st_uid)}: {shlex.quote(str(settings.data_dir))}"
        return failed(f"{fact}, but {_some(strange)}", cure)
    return ok(fact if was_there else f"{fact}, made just now")


def _files(folder: Path) -> Iterator[tuple[Path, int, int]]:
    """Yield what lies in the data directory and the directory itself, with rights and owner."""
    for path in (folder, *islice(folder.rglob("*"), MOST_FILES)):
        if path != folder and (path.is_symlink() or path.parts[len(folder.parts)] == "tmp"):
            continue  # a running browser's files come and go
        with suppress(OSError):  # gone meanwhile
            about = path.stat()
            yield path, about.st_mode & 0o777, about.st_uid


def _some(told: list[str]) -> str:
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return ", ".join(told[:SHOWN]) + more


def _cure_of_entering(settings: Settings) -> str:
    folder = shlex.quote(str(settings.data_dir))
    if os.geteuid() != 0:
        command = command_hint.typed(settings.data_dir, "doctor", as_root=True)
        return f"{command}, or name a directory of {privileges.name()} with --data-dir"
    return f"id {settings.user} || useradd --system {settings.user}; chown -R {settings.user}: {folder}"


def sound(context: CheckContext) -> CheckResult:
    """Read the whole database, beside a server or without one, and change nothing in it."""
    path = context.data() / context.settings.database_path.name
    if not path.exists():
        raise Skipped(f"{path} is made by the first start, or by the first key")
    try:
        # To write would make a database where there is none; to read only would leave files beside it.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("pragma query_only = on")
            connection.execute(f"pragma busy_timeout = {database.BUSY_MILLISECONDS}")
            return _soundness(sqlite_utils.Database(connection), path)
    except sqlite3.DatabaseError as error:
        is_damaged = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT
        return failed(f"{path} {'is damaged' if is_damaged else 'cannot be used'} ({error})", _restoring(path))


def _soundness(db: sqlite_utils.Database, path: Path) -> CheckResult:
    problems = [str(row[0]) for row in db.execute("pragma quick_check(3)").fetchall()]
    if problems != ["ok"]:
        return failed(f"{path} is damaged ({problems[0]})", _restoring(path))
    with closing(sqlite_utils.Database(memory=True)) as empty:
        known = {migration.name for migration in migrations.pending(empty)}
    applied = {migration.name for migration in migrations.applied(db)}
    if unknown := sorted(applied - known):
        cure = f"install that version again, or restore the backup from before the upgrade: {_restoring(path)}"
        return failed(f"{path} was made by a newer {SERVICE} (it has {', '.join(unknown)})", cure)
    if missing := known - applied:
        return ok(f"{path} is whole; {len(missing)} of {len(known)} changes of its form are made by the next start")
    return ok(f"{path} is whole, and of this version")


def _restoring(path: Path) -> str:
    folder = shlex.quote(str(path.parent))
    return (
        f"systemctl stop {SERVICE}; {command_hint.typed(path.parent, 'restore BACKUP')}; systemctl start {SERVICE} "
        f"(without a backup: mkdir -m 0700 {folder}/damaged; mv {folder}/box.db* {folder}/damaged/, and make new keys)"
    )


def disk(context: CheckContext) -> CheckResult:
    """Look how much room there is where the data lies."""
    folder = context.data()
    found = os.statvfs(folder)
    room = found.f_bavail * found.f_frsize
    inodes = found.f_favail if found.f_files else None  # some file systems have no number of them
    fact = f"{_size(room)} free" + (f", {inodes} inodes" if inodes is not None else "")
    cure = f"df -h {shlex.quote(str(folder))}; journalctl --vacuum-size=200M; apt-get clean"
    files = LITTLE_INODES if inodes is None else inodes
    if room < NO_SPACE or files < NO_INODES:
        return failed(f"{fact}; the box needs {_size(NO_SPACE)} and {NO_INODES} inodes", cure)
    if room < LITTLE_SPACE or files < LITTLE_INODES:
        return warning(f"{fact}, which is less than {_size(LITTLE_SPACE)} and {LITTLE_INODES} inodes", cure)
    return ok(fact)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count // (1 << 20)} MiB"


def filter_lists(context: CheckContext) -> CheckResult:
    """Tell how old the lists are that say what is blocked, and whether the operator's own rules can be read."""
    folder = context.data() / lists.FOLDER
    rules = context.settings.block_rules
    if rules is not None and not (rules.is_file() and os.access(rules, os.R_OK)):
        name = shlex.quote(str(rules))
        cure = f"ls -l {name}; chmod o+r {name}, or mend the setting block_rules"
        return failed(f"the rules of block_rules, {rules}, cannot be read by {privileges.name()}", cure)
    fetched = sorted(str(row["from"]) for row in lists.show(folder) if str(row["from"]).startswith("fetched"))
    if not fetched:
        return ok("as they come with the box")
    return ok(f"{len(fetched)} of {len(lists.SOURCES)} fresher than those of the box; the oldest was {fetched[0]}")
