"""What the box remembers of what it captured, and of what all keys did together."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlite_utils
from argon2 import PasswordHasher
from litestar.testing import TestClient

from allscreenshots_box import errors, keys
from allscreenshots_box.app import create_app
from allscreenshots_box.captures import history
from allscreenshots_box.captures.history import CaptureHistory, CaptureRecord
from allscreenshots_box.config import Settings
from allscreenshots_box.keys import usage_store
from allscreenshots_box.keys.usage_store import Counts
from allscreenshots_box.storage import database
from allscreenshots_box.storage.migrations import migrations
from tests.conftest import StandIn, standing_in


def entry(**facts: Any) -> CaptureRecord:
    known: dict[str, Any] = {
        "moment": "2026-11-25T12:00:00.000Z",
        "request": "0123456789abcdef",
        "caller": "admin",
        "target": "https://example.com/",
        "status": 200,
        "code": None,
        "milliseconds": 120,
        "bytes": 999,
    }
    return CaptureRecord(**known | facts)


def add(db: sqlite_utils.Database, *entries: CaptureRecord) -> None:
    history.add(db, list(entries), patience=5000)


Shoot = Callable[..., dict[str, Any] | None]


@pytest.fixture
def shoot(settings: Settings, renderer: StandIn, as_key: dict[str, str], db: sqlite_utils.Database) -> Shoot:
    """Return what sends one request to a box, stops it, and says what it remembers of that."""

    def shot(content: str, headers: dict[str, str] | None = None) -> dict[str, Any] | None:
        with TestClient(create_app(settings, standing_in(renderer))) as client:
            client.post("/v1/screenshots", content=content, headers=as_key if headers is None else headers)
        return next((row for row in history.recent(db)), None)

    return shot


def body(url: str) -> str:
    return json.dumps({"url": url})


# --- captures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com/path", "https://example.com/path"),
        ("https://example.com/?token=hush", "https://example.com/?…"),
        ("https://me:hush@example.com/#hush", "https://example.com/"),
        ("https://example.com/" + "a" * 1000, "https://example.com/" + "a" * 480),
    ],
)
def test_a_capture_is_kept_without_what_may_be_secret(
    shoot: Shoot, as_key: dict[str, str], url: str, target: str
) -> None:
    kept = shoot(body(url))
    assert kept is not None
    assert (kept["target"], kept["caller"]) == (target, f"{as_key['X-API-Key'][:12]} (tests)")


def test_what_is_no_url_is_not_kept(shoot: Shoot, renderer: StandIn) -> None:
    renderer.failure = errors.InvalidUrl("url is none.")
    kept = shoot(body("https:/me:hush@example.com"))
    assert kept is not None
    assert kept["target"] == "(not a URL)"


def test_a_failed_capture_is_kept_with_its_cause(shoot: Shoot, renderer: StandIn) -> None:
    renderer.failure = errors.DeadlinePassed("late")
    kept = shoot(body("https://example.com"))
    assert kept is not None
    assert (kept["status"], kept["code"], kept["bytes"]) == (422, "timeout", 0)


def test_a_capture_is_kept_with_its_size(shoot: Shoot) -> None:
    kept = shoot(body("https://example.com"))
    assert kept is not None
    assert (kept["status"], kept["code"], kept["bytes"]) == (200, None, len("a picture of https://example.com"))


@pytest.mark.parametrize(
    ("content", "headers"),
    [(body("https://example.com"), {}), (body("https://example.com"), {"X-API-Key": "ask_nonsense"}), ("{}", None)],
)
def test_what_never_named_a_page_for_a_good_key_is_not_kept(
    shoot: Shoot, content: str, headers: dict[str, str] | None
) -> None:
    assert shoot(content, headers) is None


def test_only_the_newest_captures_are_kept(db: sqlite_utils.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 3)
    for number in range(5):
        add(db, entry(request=f"first {number}"), entry(request=f"second {number}"))
    assert [row["request"] for row in history.recent(db)] == ["second 4", "first 4", "second 3"]


def noted(settings: Settings, scene: Callable[[CaptureHistory], Any]) -> None:
    """Play a scene with captures that nobody writes by themselves."""

    async def whole() -> None:
        async with database.connected(settings.database_path) as connected:
            await scene(CaptureHistory(connected))

    asyncio.run(whole())


def test_captures_that_cannot_be_written_wait(settings: Settings, db: sqlite_utils.Database) -> None:
    async def scene(taken: CaptureHistory) -> None:
        taken.note(entry(request="first"))
        with database.writing(db):
            await taken._behind.write(patience=1)
        taken.note(entry(request="second"))
        await taken.write()

    noted(settings, scene)
    assert [row["request"] for row in history.recent(db)] == ["second", "first"]


def test_only_so_many_captures_wait(settings: Settings, db: sqlite_utils.Database) -> None:
    async def scene(taken: CaptureHistory) -> None:
        for number in range(history.MOST_WAITING + 5):
            taken.note(entry(request=str(number)))
        with database.writing(db):
            await taken._behind.write(patience=1)
        taken.note(entry(request="last"))
        await taken.write()

    noted(settings, scene)
    kept = [row["request"] for row in history.recent(db, number=history.KEPT)]
    assert (len(kept), kept[0], kept[-1]) == (history.MOST_WAITING, "last", "6")


# --- sums of days -------------------------------------------------------------------------------


def test_what_all_keys_did_on_a_day_is_what_each_did(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    first, second = (keys.create(db, hasher, name)[0].id for name in ("first", "second"))
    for _ in range(2):
        used = {
            (first, "2026-11-24"): Counts(1, 10, 1),
            (first, "2026-11-25"): Counts(2, 20, 1, Counter(timeout=1)),
            (second, "2026-11-25"): Counts(3, 30, 1, Counter(timeout=2, cancelled=1)),
        }
        usage_store.add(db, used, patience=5000)
    told = usage_store.all_days(db, "2026-11-25")
    assert {day: (one.screenshots, one.bytes, dict(one.failures)) for day, one in told.items()} == {
        "2026-11-25": (10, 100, {"timeout": 6, "cancelled": 2})
    }


def test_what_the_box_did_stays_when_keys_are_forgotten(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    key, _ = keys.create(db, hasher, "gone")
    usage_store.add(db, {(key.id, "2026-11-25"): Counts(2, 20, 1)}, patience=5000)
    keys.revoke(db, "gone")
    keys.prune(db, older_than=timedelta())
    assert usage_store.all_days(db, "")["2026-11-25"].screenshots == 2


def test_days_counted_before_there_were_sums_are_summed(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    first, second = (keys.create(db, hasher, name)[0].id for name in ("first", "second"))
    usage_store.add(
        db, {(first, "2026-11-25"): Counts(1, 10, 1), (second, "2026-11-25"): Counts(2, 5, 1)}, patience=5000
    )
    db.executescript(
        "drop table usage_by_day; drop table failures_by_day; delete from _sqlite_migrations where name = 'm007_days'"
    )
    migrations.apply(db)
    assert usage_store.all_days(db, "")["2026-11-25"] == Counts(3, 15)
