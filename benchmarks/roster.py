"""Keys on the operator's page, over a full database: ten thousand keys, a million days of usage, each page timed.

The app is the real one, but for the browser, which no page of these needs.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlite_utils
from argon2 import PasswordHasher, profiles
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import keys
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.database import open_database, writing
from tests.conftest import StandIn, standing_in
from tests.open_door import let_in

PLANS = ("default", "staging", "development", "partners")
PAGES = {
    "keys, newest first": "/admin/keys",
    "keys, last page": "/admin/keys?page=999999",
    "keys, all states": "/admin/keys?state=all",
    "keys by usage": "/admin/keys?sort=usage",
    "keys by name": "/admin/keys?sort=name",
    "keys by last use": "/admin/keys?sort=used",
    "keys searched, many found": "/admin/keys?q=service",
    "keys searched, few found": "/admin/keys?q=service%204711&state=all",
    "keys searched, none found": "/admin/keys?q=nothing%20at%20all",
    "keys of a plan": "/admin/keys?plan=staging",
    "create a key": "/admin/keys/new",
    "one key": "/admin/keys/4711",
    "edit a key": "/admin/keys/4711/edit",
    "plans": "/admin/plans",
    "a plan": "/admin/plans/edit?name=staging",
}


def fill(db: sqlite_utils.Database, number: int, days: int) -> None:
    """Make *number* keys, a third of them rotated once, a tenth revoked, each used on *days* days up to today."""
    today, hashed = datetime.now(UTC), PasswordHasher.from_parameters(profiles.CHEAPEST).hash("of nobody")
    dates = [f"{today - timedelta(days=ago):%Y-%m-%d}" for ago in range(days)]
    with writing(db):
        db.conn.executemany(
            "insert or ignore into plans select ?, 500, 20, 1000, 50, 10000, null, 1", [(plan,) for plan in PLANS]
        )
        for at in range(1, number + 1):
            made = _stamp(today - timedelta(days=at % 400, seconds=at))
            db.execute(
                "insert into keys (id, name, plan, environment, organization, created_at, expires_at)"
                " values (?, ?, ?, ?, 'default', ?, ?)",
                [at, f"service {at}", PLANS[at % 4], ("production", "staging", None)[at % 3], made, None],
            )
            for turn in range(2 if at % 3 == 0 else 1):
                retires, revoked = (made if at % 3 == 0 and turn == 0 else None), (made if at % 10 == 0 else None)
                row = [keys.mint()[: keys.PREFIX_LENGTH], at, hashed, made, made, retires, revoked]
                db.execute("insert into secrets values (?, ?, ?, ?, ?, ?, ?)", row)
        used = itertools.product(range(1, number + 1), dates)
        db.conn.executemany(
            "insert into usage values (?, ?, ?, ?, ?)",
            ((at, day, at * int(day[-2:]) % 977 + 1, at * 1000, 1.5) for at, day in used),
        )
        db.execute(
            "insert into usage_by_month select key_id, substr(day, 1, 7), sum(screenshots), sum(bytes)"
            " from usage group by 1, 2"
        )


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def measure(client: TestClient[Litestar], path: str, rounds: int) -> tuple[float, float, float, int]:
    """Return the median time of a page, its CPU's and the longest one, in milliseconds, and its size in bytes."""
    times, spent = [], []
    for _ in range(rounds):
        begun, worked = time.perf_counter(), time.process_time()
        answer = client.get(path)
        times.append((time.perf_counter() - begun) * 1000)
        spent.append((time.process_time() - worked) * 1000)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return statistics.median(times), statistics.median(spent), max(times), len(answer.content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=100, help="of usage, for each key")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        db = open_database(settings.database_path)
        fill(db, options.keys, options.days)
        db.close()
        print(f"{options.keys} keys, {options.keys * options.days} rows of usage", file=sys.stderr)
        with TestClient(let_in(create_app(settings, standing_in(StandIn())))) as client:
            print("| Page | median ms | CPU ms | longest ms | KiB |\n| --- | ---: | ---: | ---: | ---: |")
            for name, path in PAGES.items():
                median, spent, longest, size = measure(client, path, options.rounds)
                print(f"| {name} | {median:.0f} | {spent:.0f} | {longest:.0f} | {size / 1024:.0f} |")


if __name__ == "__main__":
    main()
