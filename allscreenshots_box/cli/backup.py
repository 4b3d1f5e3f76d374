"""The commands that keep the database elsewhere, and bring it back."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from .. import regular_files
from ..config import Settings
from ..errors import OperatorError
from ..process import atomic_files, locks, privileges
from ..restore import restore
from ..restore.restore import Restored
from ..storage import backup as snapshot
from .terminal import YES, confirm, load, require_box, say

STRETCH = 1 << 20  # bytes read at a time
SHOWN = 20  # keys named in one line


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def backup_command(file: Path, *, force: bool) -> None:
    """Copy the database into FILE, with a server running or not; - is standard output.

    It holds keys (their hashes), plans, usage and the audit: keep it as private as the original. Settings and
    blocking rules are files of their own.
    """
    settings = load(click.get_current_context(), {}).settings
    if str(file) == "-":
        if sys.stdout.isatty():
            raise click.UsageError("A backup is nothing for a terminal: name a file, or send it into a pipe.")
        with _copied(settings) as copy:
            _to_stdout(copy)
            say(_summary(settings, copy, "standard output"), err=True)
        return
    atomic_files.refuse_within(settings.data_dir, [file])
    with (
        atomic_files.files([file], replace=force, mode=snapshot.PRIVATE) as (out,),
        _copied(settings) as copy,
    ):
        _into(file, out, copy)
        told = _summary(settings, copy, str(file))
    say(told, err=True)


@contextmanager
def _copied(settings: Settings) -> Iterator[Path]:
    """Become who the data belongs to; yield a checked copy of the database, in a directory of its own."""
    require_box(settings)
    privileges.enter(settings)
    with locks.visiting(settings.data_dir):
        room = _room(settings)
        try:
            copy = room / settings.database_path.name
            snapshot.take(settings.database_path, copy)
            yield copy
        finally:
            shutil.rmtree(room, ignore_errors=True)


def _room(settings: Settings) -> Path:
    """Make the directory for the copy where there is room: elsewhere, if the disk of the data is full."""
    tempfile.tempdir = None  # root's may be closed to whom we have become
    size = settings.database_path.stat().st_size
    try:
        if shutil.disk_usage(settings.data_dir).free > 2 * size:
            return Path(tempfile.mkdtemp(prefix="backup-", dir=settings.data_dir))
        return Path(tempfile.mkdtemp(prefix="allscreenshots-box-backup-"))
    except OSError as error:
        raise OperatorError(
            f"No copy of {settings.database_path} could be begun ({error.strerror}): free the disk of "
            f"{settings.data_dir}, or name another directory in the variable TMPDIR."
        ) from error


def _into(file: Path, out: BinaryIO, copy: Path) -> None:
    with copy.open("rb") as source:
        while stretch := source.read(STRETCH):
            atomic_files.write(file, out, stretch)


def _to_stdout(copy: Path) -> None:
    with copy.open("rb") as source:
        while stretch := source.read(STRETCH):
            atomic_files.to_stdout(stretch)


def _summary(settings: Settings, copy: Path, where: str) -> str:
    size = copy.stat().st_size
    return f"{where}: {snapshot.holdings(copy)}; {size:,} bytes, a checked copy of {settings.database_path}."


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--revive", is_flag=True, help="Let keys that were pruned since the backup work again.")
@YES
def restore_command(file: Path, *, revive: bool, yes: bool) -> None:
    """Put the backup FILE in the place of the database, which is kept beside it; - is standard input.

    No server may run meanwhile. Keys that were revoked, rotated, shortened or pruned since the backup stay
    stopped, as far as the database that is replaced can be read.
    """
    settings = load(click.get_current_context(), {}).settings
    path = settings.database_path
    with _backup(file) as backup:
        privileges.enter(settings)
        with (
            locks.alone(settings.data_dir),
            restore.prepared(backup, path, revive=revive) as (new, restored),
        ):
            for line in _foreseen(restored, revive=revive):
                say(line, err=True)
            confirm(f"Put it in the place of {path}?", yes=yes)
            kept = restore.put(new, path)
    ending = f"; what was there is {kept}" if kept else ""
    say(f"{path} is the backup now{ending}. Start the server.", err=True)


@contextmanager
def _backup(file: Path) -> Iterator[BinaryIO]:
    """Open the backup as whoever called, who may read what the owner of the data may not."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = regular_files.opened(file)
    except OSError as error:
        raise OperatorError(f"The backup {file} cannot be read ({error.strerror}): name another file.") from error
    with opened:
        yield opened


def _foreseen(restored: Restored, *, revive: bool) -> Iterator[str]:
    """Say line by line what the restore comes to."""
    if restored.changes:
        yield f"The backup is of an older version; changed: {', '.join(restored.changes)}."
    if restored.compared:
        yield f"Keys that will work: {_named(restored.working)}."
    else:
        yield (
            "There is no database that could tell which keys were stopped since the backup. These work AGAIN, so "
            f"revoke what should not: {_named(restored.working)}."
        )
    if restored.stopped:
        yield f"Stopped since the backup, and stay so: {_named(restored.stopped)}."
    if restored.forgotten:
        fate = "work again, as you said --revive" if revive else "are revoked; --revive lets them work again"
        yield f"Pruned since the backup, and {fate}: {_named(restored.forgotten)}."
    if restored.returning:
        yield f"Not in the database that is replaced, and work with the backup: {_named(restored.returning)}."
    if restored.lost:
        yield f"Made since the backup, and lost with it: {_named(restored.lost)}."
    if restored.keys:
        yield f"Keys that go back to what the backup has, {len(restored.keys)}: {_named(restored.keys, '; ')}."
    if restored.plans:
        yield f"Plans that go back to what the backup has, {len(restored.plans)}: {_named(restored.plans)}."
    if restored.password_stays:
        yield "The password of the page stays: it is newer than the backup's."


def _named(found: list[str], between: str = ", ") -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (between.join(found[:SHOWN]) or "none") + more
