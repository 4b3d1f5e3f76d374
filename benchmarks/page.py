"""The operator's page over a full database: ten thousand keys and a million rows of usage, each page timed."""

import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import sqlite_utils
from argon2 import PasswordHasher, profiles
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import audit, captures, keys, limits
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.database import open_database, writing
from allscreenshots_box.ledger import DAY, MONTH
from allscreenshots_box.render import Health, Renderer
from tests.operator_in import sign_in

TIMES = 20
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
    dates = [f"{now - timedelta(days=ago):%Y-%m-%d}" for ago in range(days)]
    known = [(index + 1, f"service-{index:05}", keys.mint()[: keys.PREFIX_LENGTH]) for index in range(number)]
    limits.set_plan(db, "small", {"screenshots_per_month": 1000})
    with writing(db):
        db.conn.executemany(
            "insert into keys (id, name, plan, environment, organization, created_at) values (?, ?, ?, ?, ?, ?)",
            [
                (
                    id_,
                    name,
                    chance.choice(["default", "small"]),
                    chance.choice(["production", "staging"]),
                    "default",
                    stamp(now, chance.random() * 400),
                )
                for at, (id_, name, _) in enumerate(known)
            ],
        )
        db.conn.executemany(
            "insert into secrets (prefix, key_id, hash, created_at, last_used_at) values (?, ?, 'none', ?, ?)",
            [(prefix, id_, stamp(now, 300), stamp(now, chance.random() * 120)) for id_, _, prefix in known],
        )
        db.conn.executemany(
            "insert into usage values (?, ?, ?, ?, ?)",
            ((id_, day, chance.randrange(1, 50), chance.randrange(10**7), 1.5) for id_, _, _ in known for day in dates),
        )
        db.conn.executemany(
            "insert into failures values (?, ?, ?, ?)",
            (
                (id_, day, chance.choice(CODES), chance.randrange(1, 5))
                for id_, _, _ in known
                for day in dates
                if chance.random() < 0.05
            ),
        )
        add_up(db)
        add_recent(db, known, chance, now)


def add_up(db: sqlite_utils.Database) -> None:
    """Make the sums that the server keeps beside the days of each key."""
    db.execute(
        "insert into usage_by_month select key_id, substr(day, 1, ?), sum(screenshots), sum(bytes) from usage"
        " group by 1, 2",
        [MONTH],
    )
    db.execute(
        "insert into usage_by_day select substr(day, 1, ?), sum(screenshots), sum(bytes) from usage group by 1", [DAY]
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
            for left in range(captures.KEPT, 0, -1)
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


def seconds(client: TestClient[Litestar], path: str) -> float:
    begun = time.perf_counter()
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - begun


def main(number: int = 10_000, days: int = 100) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        db = open_database(settings.database_path)
        print(f"{number:,} keys, {number * days:,} rows of usage; milliseconds, median and slowest of {TIMES}")
        with TestClient(create_app(settings, idle)) as client:
            sign_in(client, db, PasswordHasher.from_parameters(profiles.CHEAPEST))
            fill(db, number, days)
            for path in PAGES:
                taken = [seconds(client, path) * 1000 for _ in range(TIMES)]
                print(f"{path:50} {median(taken):8.1f} {max(taken):8.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
