"""A capture without a request: it is counted, remembered and measured as one with a request, whatever becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from argon2 import PasswordHasher

from allscreenshots_box import keys
from allscreenshots_box.captures import history
from allscreenshots_box.captures.capturer import Caller, Capturer
from allscreenshots_box.errors import ClientGone, DeadlinePassed, InvalidUrl, ServiceUnavailable
from allscreenshots_box.keys import usage, usage_store
from allscreenshots_box.keys.store import KeySecret
from allscreenshots_box.logs import NO_URL
from allscreenshots_box.metrics import Metrics
from allscreenshots_box.render.queue import QueueTimes
from allscreenshots_box.render.shot import Picture, Shot
from allscreenshots_box.storage import database
from tests.conftest import StandIn

pytestmark = pytest.mark.anyio

SHOT = Shot(url="https://user:secret@example.com/a?token=1", outputs=(Picture(),))
FAILURES = [
    (DeadlinePassed("late"), 422, "timeout", SHOT.url),
    (InvalidUrl("no URL"), 400, "invalid_url", None),
    (ServiceUnavailable("busy", 1), 503, "service_unavailable", SHOT.url),
    (ClientGone(), 499, "client_gone", SHOT.url),
    (RuntimeError("a fault of ours"), 500, "internal_error", SHOT.url),
    (asyncio.CancelledError(), 499, "cancelled", SHOT.url),
]


@pytest.fixture
def key(db: sqlite_utils.Database, hasher: PasswordHasher) -> KeySecret:
    return keys.create(db, hasher, "svc")[0]


@asynccontextmanager
async def capturing(path: Path, renderer: StandIn, metrics: Metrics) -> AsyncIterator[Capturer]:
    """Yield a Capturer; what it remembers is written when the block ends."""
    async with database.connected(path) as db, usage.counting(db) as counted, history.noting(db) as noted:
        yield Capturer(renderer, counted, noted, metrics)


def today() -> str:
    return f"{datetime.now(UTC).date()}"


def path_of(db: sqlite_utils.Database) -> Path:
    ((_, _, path),) = db.execute("pragma database_list").fetchall()
    return Path(path)


async def test_a_capture_is_counted_remembered_and_measured(
    db: sqlite_utils.Database, key: KeySecret, renderer: StandIn
) -> None:
    metrics, times = Metrics("1"), QueueTimes()
    async with capturing(path_of(db), renderer, metrics) as capturer:
        by = Caller(id=key.id, name="svc", weight=3, key=key)
        rendering = await capturer.capture(SHOT, by=by, request="0123", times=times)
    assert renderer.asked == [{"caller": key.id, "weight": 3}]
    (row,) = history.recent(db)
    assert (row["caller"], row["request"], row["status"], row["code"]) == ("svc", "0123", 200, None)
    assert (row["target"], row["bytes"]) == ("https://example.com/a?…", rendering.size)
    assert usage_store.tally(db)[key.id, today()].screenshots == 1
    assert 'allscreenshots_shots_total{code="ok"} 1.0' in metrics.text().decode()


@pytest.mark.parametrize(("failure", "status", "code", "target"), FAILURES, ids=[code for _, _, code, _ in FAILURES])
async def test_so_is_one_that_fails(
    failure: Any, status: int, code: str, target: str | None, db: sqlite_utils.Database, renderer: StandIn
) -> None:
    metrics, renderer.failure = Metrics("1"), failure
    async with capturing(path_of(db), renderer, metrics) as capturer:
        with pytest.raises(type(failure)):
            await capturer.capture(SHOT, by=Caller(id=-1, name="admin"), request="0123", times=QueueTimes())
    (row,) = history.recent(db)
    assert (row["status"], row["code"], row["bytes"]) == (status, code, 0)
    assert row["target"] == ("https://example.com/a?…" if target else NO_URL)
    assert f'allscreenshots_shots_total{{code="{code}"}} 1.0' in metrics.text().decode()


async def test_a_caller_without_a_key_uses_no_quota(db: sqlite_utils.Database, renderer: StandIn) -> None:
    async with capturing(path_of(db), renderer, Metrics("1")) as capturer:
        await capturer.capture(SHOT, by=Caller(id=-1, name="admin"), request="0123", times=QueueTimes())
    assert list(db.query("select * from usage")) == []
