"""Whether the box can do its work now, and if it cannot, why not."""

import asyncio
import os
import sqlite3
from pathlib import Path

import sqlite_utils

from .. import logs, resources
from ..process.health_cache import Health, HealthCache
from ..render.renderer import Renderer
from ..storage import database
from ..storage.database import Database

STORE_SECONDS = 4.0  # for a write and a read; an idle disk takes a thousandth of it
LOCK_MILLISECONDS = 1000  # that the look waits for somebody else's transaction
LEAST_FREE = 64 << 20  # bytes on the data directory's disk: a browser's profile takes a tenth of them
LEAST_FILES = 100  # that can still be made there
LEAST_MEMORY = 128 << 20  # bytes; a shot is thought to take half of it at least, and the box keeps the rest for itself
MEANS_SECONDS = 1.0  # to read a few files of the kernel's

DRAINING = "draining: the box is stopping"


class Readiness:
    """Looks at browser, store and means for whoever asks, and tells the log when the answer changes."""

    def __init__(self, renderer: Renderer, store: Database, data_dir: Path) -> None:
        self._renderer = renderer
        self._store = HealthCache(lambda: store.run(look_at_store, data_dir), STORE_SECONDS)
        self._means = HealthCache(look_at_means, MEANS_SECONDS)
        self.draining = False
        self.browser = Health(ok=True)  # as of the last look
        self.reasons: list[str] = []  # as of the last look

    def drain(self) -> None:
        """Be ready no more: the box is stopping."""
        self.draining = True
        self._conclude([DRAINING])

    async def look(self) -> list[str]:
        """Return why the box is not ready; nothing if it is. Each reason begins with what it is about."""
        if self.draining:
            return self.reasons
        self.browser, store, means = await asyncio.gather(
            self._renderer.health(), self._store.health(), self._means.health()
        )
        reasons = [] if self.browser.ok else [f"browser: {self.browser.reason}"]
        reasons += [] if store.ok else _about_store(store.reason)
        reasons += [] if means.ok else means.reason.splitlines()
        self._conclude([DRAINING] if self.draining else reasons)
        return self.reasons

    def close(self) -> None:
        """Look no more."""
        self._store.close()
        self._means.close()

    def _conclude(self, reasons: list[str]) -> None:
        before, self.reasons = self.reasons, reasons
        if self.draining or reasons == before:
            return
        if reasons:
            logs.event("not_ready", logs.WARNING, reasons=reasons)
        else:
            logs.event("ready_again")


def _about_store(reason: str) -> list[str]:
    return [line if ": " in line else f"database: {line}" for line in reason.splitlines()]


def look_at_store(db: sqlite_utils.Database, data_dir: Path) -> str:
    """Write to the database and read it back, and look at the room around it; one line for each thing wrong."""
    problems = []
    try:
        database.beat(db, LOCK_MILLISECONDS)
    except sqlite3.Error as error:
        problems.append(f"database: it cannot be written ({error})")
    try:
        room = os.statvfs(data_dir)
    except OSError as error:
        return "\n".join([*problems, f"disk space: the data directory cannot be looked at ({error.strerror})"])
    if room.f_bavail * room.f_frsize < LEAST_FREE:
        problems.append(f"disk space: less than {LEAST_FREE >> 20} MiB are free in the data directory")
    if room.f_files and room.f_favail < LEAST_FILES:
        problems.append(f"disk space: fewer than {LEAST_FILES} files can be made in the data directory")
    return "\n".join(problems)


async def look_at_means() -> str:
    """Look at what a shot takes beside the browser: memory and file handles; one line for each that is short."""
    problems = []
    if resources.handles() < resources.SHOT_HANDLES:
        problems.append(f"file handles: fewer than {resources.SHOT_HANDLES} are left, which a page may take")
    try:
        available = resources.memory().available
    except OSError:  # for want of a file handle, and that is told
        return "\n".join(problems)
    if available < LEAST_MEMORY:
        problems.append(f"memory: less than {LEAST_MEMORY >> 20} MiB are free")
    return "\n".join(problems)
