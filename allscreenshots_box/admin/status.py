"""How the box stands: what its parts say of themselves, put together for people."""

import asyncio
import os
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlite_utils

from .. import resources
from ..config import Settings
from ..keys.states import WORKS
from ..keys.usage_store import Counts
from ..render.browsers import processes
from ..services import Services
from ..timestamps import stamp
from .charts import Bars
from .key_list import ROTATE_AFTER, UNUSED_AFTER

DAYS = 30  # that are looked back on, today among them


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the box takes of its machine, and what is left. Bytes."""

    server: int  # memory of this process
    browser: int  # memory of all below it
    limit: int  # memory that the machine and the control groups allow
    available: int
    disk: int
    disk_free: int
    database: int


def machine(settings: Settings) -> Machine:
    """Return how the machine stands. Reads all of /proc below this process: for a thread."""
    server, browser = processes.weigh(os.getpid())
    memory = resources.memory()
    disk = shutil.disk_usage(settings.data_dir)
    return Machine(
        server=server,
        browser=browser,
        limit=memory.limit,
        available=memory.available,
        disk=disk.total,
        disk_free=disk.free,
        database=sum(_size(settings.database_path.with_name(f"{settings.database_path.name}{end}")) for end in _FILES),
    )


_FILES = ("", "-wal", "-shm")  # that SQLite makes of one database


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@dataclass(frozen=True, kw_only=True)
class Past:
    """What the last days were like, all keys together."""

    screenshots: Bars  # by day, the oldest first
    failed: Bars
    causes: list[tuple[str, int]] = field(default_factory=list)  # error codes, the most frequent first


def past(by_day: dict[str, Counts], today: datetime) -> Past:
    """Return the last days as charts and tables have them."""
    days = [f"{(today - timedelta(days=ago)).date()}" for ago in reversed(range(DAYS))]
    counts = [(day, by_day.get(day, Counts())) for day in days]
    causes = sum((one.failures for _, one in counts), start=Counts().failures)
    return Past(
        screenshots=[(day, one.screenshots) for day, one in counts],
        failed=[(day, one.failures.total()) for day, one in counts],
        causes=causes.most_common(),
    )


@dataclass(frozen=True, kw_only=True)
class Neglected:
    """How many live keys somebody should look at."""

    live: int
    unused: int
    old: int


def neglected(db: sqlite_utils.Database, now: datetime) -> Neglected:
    """Count the live keys, however many secrets each has, that nobody uses, and those whose newest secret is old."""
    (row,) = db.query(
        f"""
        select count(*) as live, coalesce(sum(seen < :unused), 0) as unused, coalesce(sum(made < :old), 0) as old
        from (
            select max(coalesce(secrets.last_used_at, secrets.created_at)) as seen, max(secrets.created_at) as made
            from secrets join keys on keys.id = secrets.key_id
            where {WORKS} group by keys.id
        )
        """,
        {"now": stamp(now), "unused": stamp(now - UNUSED_AFTER), "old": stamp(now - ROTATE_AFTER)},
    )
    return Neglected(**row)


async def all_of_it(services: Services) -> dict[str, Any]:
    """Return what the overview shows, as of now."""
    now = datetime.now(UTC)
    await services.history.write()  # what was captured a moment ago is shown, too
    reasons, stands, by_day, keys, last = await asyncio.gather(
        services.readiness.look(),
        asyncio.to_thread(machine, services.settings),
        services.usage.all_days((now - timedelta(days=DAYS - 1)).date()),
        services.database.look(neglected, now),
        services.history.recent(number=10, failed=True),
    )
    slots, in_use, waiting = services.renderer.standing
    age = services.renderer.browser_age
    return {
        "reasons": reasons,
        "machine": stands,
        "past": past(by_day, now),
        "keys": keys,
        "errors": last,
        "settings": services.settings,
        "begun": stamp(services.begun),
        "browser": services.renderer.description,
        "browser_begun": stamp(datetime.fromtimestamp(time.time() - age, UTC)) if age is not None else None,
        "restarts": services.renderer.restarts,
        "slots": slots,
        "in_use": in_use,
        "waiting": waiting,
    }
