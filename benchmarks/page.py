"""The operator's page, usage and commands over a full database: what they take, and how long requests wait for it."""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import sqlite_utils
from argon2 import PasswordHasher, profiles
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import keys
from allscreenshots_box.app import create_app
from allscreenshots_box.captures import history
from allscreenshots_box.config import Settings
from allscreenshots_box.keys import plans
from allscreenshots_box.keys.usage_store import MONTH
from allscreenshots_box.process.health_cache import Health
from allscreenshots_box.render.renderer import Renderer
from allscreenshots_box.storage import audit
from allscreenshots_box.storage.database import Database, open_database, writing
from benchmarks import stage
from tests.operator_in import sign_in

SHOWN = 12  # of those that hold the database's thread longest
COMMAND_TIMES = 3
COMMANDS = ("keys list", "keys list --json", "usage", "keys --help")
USAGE = ("/v1/usage", "/v1/usage/quota", "/v1/usage/keys", "/v1/usage/activity", "/v1/usage/activity?apiKeyIds=1,2,3")
CODES = ("timeout", "url_unreachable", "target_not_allowed", "overloaded", "selector_not_found", "client_gone")
PAGES = (
    "/admin",
    "/admin/activity",
    "/admin/activity?q=nothing+like+it",
    "/admin/activity/captures",
    "/admin/activity/captures?failed=1",
    "/admin/activity/captures?key=nothing+like+it",
    "/admin/playground",
    "/admin/keys",
    "/admin/keys?page=999999",
    "/admin/keys?state=all",
    "/admin/keys?sort=usage",
    "/admin/keys?sort=name",
    "/admin/keys?sort=used",
    "/admin/keys?q=service",
    "/admin/keys?q=service-04711&state=all",
    "/admin/keys?q=nothing+like+it",
    "/admin/keys?plan=small",
    "/admin/keys/new",
    "/admin/keys/4711",
    "/admin/keys/4711/edit",
    "/admin/plans",
    "/admin/plans/edit?name=small",
)


def fill(db: sqlite_utils.Database, number: int, days: int) -> None:
    """Make so many keys, what each used on each of so many days, and as many captures and acts as are kept."""
    chance, now = random.Random(1), datetime.now(UTC)
    known = [(index + 1, f"service-{index:05}", keys.generate()[: keys.PREFIX_LENGTH]) for index in range(number)]
    plans.set_plan(db, "small", {"screenshots_per_month": 1000})
    with writing(db):
        db.conn.executemany(
            "insert into keys (id, name, plan, environment, organization, created_at) values (?, ?, ?, ?, ?, ?)",
            (
                (
                    id_,
                    name,
                    chance.choice(["default", "small"]),
                    chance.choice(["production", "staging"]),
                    keys.DEFAULT_ORGANIZATION,
                    stamp(now, chance.random() * 400),
                )
                for id_, name, _ in known
            ),
        )
        db.conn.executemany(
            "insert into secrets (prefix, key_id, hash, created_at, last_used_at) values (?, ?, 'none', ?, ?)",
            ((prefix, id_, stamp(now, 300), stamp(now, chance.random() * 120)) for id_, _, prefix in known),
        )
        add_usage(db, [f"{now - timedelta(days=ago):%Y-%m-%d}" for ago in range(days)])
        add_recent(db, known, chance, now)


def add_usage(db: sqlite_utils.Database, dates: list[str]) -> None:
    """Make what every key used on each of *dates*, in the order that it is kept in, and the sums beside it."""
    db.execute("create temp table dates (day text primary key) without rowid")
    db.conn.executemany("insert into dates values (?)", [(day,) for day in dates])
    db.execute(
        "insert into usage select keys.id, day, 1 + abs(random() % 49), abs(random() % 10000000), 1.5"
        " from keys cross join dates order by 1, 2"
    )
    db.conn.create_function("code", 1, lambda number: CODES[number % len(CODES)], deterministic=True)
    db.execute(
        "insert into failures select key_id, day, code(screenshots), 1 + bytes % 4 from usage where bytes % 20 = 0"
    )
    db.execute(
        "insert into usage_by_month select key_id, substr(day, 1, ?), sum(screenshots), sum(bytes), sum(render_seconds)"
        " from usage group by 1, 2",
        [MONTH],
    )
    db.execute(
        "insert into failures_by_month select key_id, substr(day, 1, ?), code, sum(number) from failures"
        " group by 1, 2, 3",
        [MONTH],
    )
    db.execute("insert into usage_by_day select day, sum(screenshots), sum(bytes) from usage group by 1")
    db.execute(
        "insert into usage_by_organization select ?, day, screenshots, bytes from usage_by_day",
        [keys.DEFAULT_ORGANIZATION],
    )
    db.execute("insert into failures_by_day select day, code, sum(number) from failures group by 1, 2")


def add_recent(
    db: sqlite_utils.Database, known: list[tuple[int, str, str]], chance: random.Random, now: datetime
) -> None:
    """Add captures and acts, as many as are kept."""
    db.conn.executemany(
        "insert into captures (moment, request, caller, target, status, code, milliseconds, bytes)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                stamp(now, left / 10_000),
                f"{chance.getrandbits(64):016x}",
                f"{prefix} ({name})",
                f"https://shop{chance.randrange(500)}.example/products/{chance.randrange(10**6)}?…",
                422 if code else 200,
                code,
                chance.randrange(150, 9000),
                0 if code else chance.randrange(10**4, 10**6),
            )
            for left in range(history.KEPT, 0, -1)
            for _, name, prefix in [chance.choice(known)]
            for code in [chance.choice(CODES) if chance.random() < 0.1 else None]
        ),
    )
    db.conn.executemany(
        "insert into audit (moment, actor, address, act, subject) values (?, ?, ?, ?, ?)",
        (
            (stamp(now, left / 1000), "operator", "192.0.2.7", chance.choice(["create key", "rotate key"]), subject)
            for left in range(audit.KEPT, 0, -1)
            for _, name, prefix in [chance.choice(known)]
            for subject in [f"{prefix} ({name})"]
        ),
    )


def stamp(now: datetime, days: float) -> str:
    moment = now - timedelta(days=days)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Idle(Renderer):
    """A renderer that never renders: this is about the page."""

    standing = (3, 0, 0)
    restarts: dict[str, int] = {}  # noqa: RUF012
    browser_age = 60.0
    description = {"browser": "none", "version": "none", "sandbox": "none"}  # noqa: RUF012

    def __init__(self) -> None: ...

    async def health(self) -> Health:
        return Health(ok=True)


@asynccontextmanager
async def idle() -> AsyncIterator[Renderer]:
    yield Idle()


@contextmanager
def watched() -> Iterator[dict[str, tuple[float, float]]]:
    """Note the longest that each function held the database's one thread, and took of a processor; milliseconds."""
    longest: dict[str, tuple[float, float]] = {}
    run = Database.run

    async def timed(self: Database, function: Any, *args: Any, **kwargs: Any) -> Any:
        def call(db: sqlite_utils.Database) -> Any:
            begun, worked = time.perf_counter(), time.thread_time()
            try:
                return function(db, *args, **kwargs)
            finally:
                name = f"{function.__module__}.{function.__qualname__}"
                held, took = (time.perf_counter() - begun) * 1000, (time.thread_time() - worked) * 1000
                before = longest.get(name, (0, 0))
                longest[name] = max(held, before[0]), max(took, before[1])

        return await run(self, call)

    Database.run = timed  # type: ignore[method-assign]
    try:
        yield longest
    finally:
        Database.run = run  # type: ignore[method-assign]


def milliseconds(client: TestClient[Litestar], path: str, headers: dict[str, str]) -> float:
    begun = time.perf_counter()
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return (time.perf_counter() - begun) * 1000


def command(folder: str, words: str) -> float:
    begun = time.perf_counter()
    stage.command_line(Path(folder), *words.split())
    return (time.perf_counter() - begun) * 1000


def show(what: str, measure: Callable[[], float], times: int) -> None:
    taken = [measure() for _ in range(times)]
    print(f"{what:50} {median(taken):8.1f} {max(taken):8.1f}", flush=True)


def main(number: int = 10_000, days: int = 100, times: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        db = open_database(settings.database_path)
        hasher = PasswordHasher.from_parameters(profiles.CHEAPEST)
        begun = time.perf_counter()
        fill(db, number, days)
        _, secret = keys.create(db, hasher, "who asks")
        plans.set_plan(db, "default", dict.fromkeys(("requests_per_hour", "requests_burst"), 1_000_000))
        print(f"{number:,} keys, {number * days:,} rows of usage, made in {time.perf_counter() - begun:.0f} s")
        print(f"milliseconds, median and slowest of {times}")
        with watched() as longest, TestClient(create_app(settings, idle)) as client:
            sign_in(client, db, hasher)
            for path in PAGES:
                show(path, partial(milliseconds, client, path, {}), times)
            for path in USAGE:
                show(path, partial(milliseconds, client, path, {"X-API-Key": secret}), times)
            print("the database's thread, held by one read or write at most, and the processor's part; milliseconds")
            for name, (held, worked) in sorted(longest.items(), key=lambda one: one[1], reverse=True)[:SHOWN]:
                print(f"{name:50} {held:8.1f} {worked:8.1f}")
        db.close()
        if os.geteuid() == 0:
            os.chmod(folder, 0o755)  # noqa: PTH101 - the commands become somebody else
            for file in Path(folder).iterdir():
                shutil.chown(file, settings.user)
            shutil.chown(folder, settings.user)
        for words in COMMANDS:
            show(words, partial(command, folder, words), COMMAND_TIMES)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
