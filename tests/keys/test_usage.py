import asyncio
import gc
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlite_utils
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import errors, keys
from allscreenshots_box.api import usage as statements
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import QuotaExceeded
from allscreenshots_box.keys import KeySecret, plans, usage, usage_store
from allscreenshots_box.keys.usage import Usage
from allscreenshots_box.keys.usage_store import MONTH, Counts
from allscreenshots_box.render.queue import QueueTimes
from allscreenshots_box.storage import database
from allscreenshots_box.storage.migrations import migrations
from tests.conftest import StandIn

Api = TestClient[Litestar]

SHOT = {"url": "https://example.com"}
DAYS = 300  # whose counts are more than one page of the database takes
SIZE = len(b"a picture of https://example.com")
RAN = QueueTimes(arrived=0, begun=0, ended=0.5)
GENERATED = {"User-Agent": "OpenAPI-Generator/2.0.0/python"}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 30, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def key(db: sqlite_utils.Database, hasher: PasswordHasher) -> KeySecret:
    return keys.create(db, hasher, "svc")[0]


def of_plan(key: KeySecret, **quotas: Any) -> KeySecret:
    return replace(key, plan=replace(key.plan, **quotas))


async def shoot(counted: Usage, key: KeySecret, size: int = 10) -> None:
    async with counted.capture(key, RAN) as capture:
        await asyncio.sleep(0)
        capture.made(size)


async def fail(counted: Usage, key: KeySecret, error: BaseException, times: QueueTimes = RAN) -> None:
    with pytest.raises(type(error)):
        async with counted.capture(key, times):
            raise error


Scene = Callable[[Usage], Any]


@pytest.fixture
def play(settings: Settings, db: sqlite_utils.Database, clock: Clock) -> Callable[[Scene], None]:
    """Return what plays a scene with counters that nobody writes by themselves."""
    assert db.table("usage").exists()

    def played(scene: Scene) -> None:
        async def whole() -> None:
            async with database.connected(settings.database_path) as connected:
                await scene(Usage(connected, clock))

        asyncio.run(whole())

    return played


# --- counting -----------------------------------------------------------------------------------


def test_what_was_used_is_kept_by_key_and_day(
    play: Any, db: sqlite_utils.Database, key: KeySecret, clock: Clock
) -> None:
    async def scene(counted: Usage) -> None:
        await shoot(counted, key, 10)
        await shoot(counted, key, 5)
        await counted.write()
        await shoot(counted, key, 1)
        clock.time += timedelta(days=1)
        await shoot(counted, key, 2)
        await counted.write()

    play(scene)
    assert usage_store.tally(db) == {
        (key.id, "2026-11-30"): Counts(3, 16, 1.5),
        (key.id, "2026-12-01"): Counts(1, 2, 0.5),
    }


def test_months_are_what_their_days_are(play: Any, db: sqlite_utils.Database, key: KeySecret, clock: Clock) -> None:
    async def scene(counted: Usage) -> None:
        for _ in range(70):
            clock.time += timedelta(days=1)
            await shoot(counted, key)
            await counted.write()

    play(scene)
    added_up = {name: (counts.screenshots, counts.bytes) for name, counts in usage_store.tally(db, span=MONTH).items()}
    kept = {name: (counts.screenshots, counts.bytes) for name, counts in usage_store.months(db, [key.id]).items()}
    assert kept == added_up
    assert usage_store.month(db, key.id, "2026-12") == Counts(31, 310)


def test_a_capture_counts_on_the_day_that_it_began(
    play: Any, db: sqlite_utils.Database, key: KeySecret, clock: Clock
) -> None:
    async def scene(counted: Usage) -> None:
        async with counted.capture(key, RAN) as capture:
            clock.time += timedelta(days=1)
            capture.made(1)
        assert await counted.used_by(key) == Counts()
        await counted.write()

    play(scene)
    assert set(usage_store.tally(db)) == {(key.id, "2026-11-30")}


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (errors.DeadlinePassed("late"), {"timeout": 1}),
        (errors.TargetNotAllowed("loopback"), {"target_not_allowed": 1}),
        (errors.Overloaded("full", 1), {"overloaded": 1}),
        (ZeroDivisionError(), {"internal_error": 1}),
        (asyncio.CancelledError(), {"cancelled": 1}),
        (errors.InvalidRequest("no selector"), {}),
        (errors.RateLimited("too many of yours", 1), {}),
    ],
)
def test_a_failure_counts_by_its_code_with_its_rendering(
    play: Any, db: sqlite_utils.Database, key: KeySecret, error: BaseException, failures: dict[str, int]
) -> None:
    async def scene(counted: Usage) -> None:
        await fail(counted, key, error, RAN if failures else QueueTimes())
        assert (await counted.used_by(key)).screenshots == 0
        await counted.write()

    play(scene)
    told = [(dict(counts.failures), counts.render_seconds) for counts in usage_store.tally(db).values()]
    assert told == [(failures, 0.5)] * bool(failures)


def test_what_is_read_has_what_is_not_written_yet(play: Any, key: KeySecret) -> None:
    async def scene(counted: Usage) -> None:
        await shoot(counted, key)
        await counted.write()
        await shoot(counted, key)
        assert await counted.of_organization("default", span=MONTH) == {"2026-11": Counts(2, 20)}
        assert await counted.of_organization("default", since="2026-12-01") == {}
        assert await counted.of_organization("other") == {}
        [(holder, lately, in_all)] = await counted.stretch("default", 0, "2026-11")
        assert (holder.id, lately, in_all) == (key.id, Counts(2, 20), Counts(2, 20))
        assert await counted.stretch("default", key.id, "2026-11") == []
        [(_, lately, in_all)] = await counted.stretch("default", 0, "2026-12")
        assert (lately, in_all) == (Counts(), Counts(2, 20))
        assert await counted.by_day([key.id], date(2026, 11, 30)) == {"2026-11-30": 2}
        assert await counted.by_day([key.id], date(2026, 12, 1)) == {}

    play(scene)


def test_writing_goes_on_by_itself(settings: Settings, db: sqlite_utils.Database, key: KeySecret) -> None:
    async def scene() -> None:
        async with database.connected(settings.database_path) as connected, usage.counting(connected) as counted:
            await shoot(counted, key)
            async with asyncio.timeout(20):
                while not usage_store.tally(db):  # noqa: ASYNC110 - only the file can tell
                    await asyncio.sleep(0.01)

    asyncio.run(scene())


def test_a_stop_writes_what_is_left(settings: Settings, db: sqlite_utils.Database, key: KeySecret) -> None:
    async def scene() -> None:
        async with database.connected(settings.database_path) as connected, usage.counting(connected) as counted:
            await shoot(counted, key)

    asyncio.run(scene())
    [counts] = usage_store.tally(db).values()
    assert counts.screenshots == 1


def test_a_stop_says_what_it_could_not_write(
    settings: Settings, db: sqlite_utils.Database, key: KeySecret, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with database.connected(settings.database_path) as connected:
            await connected.run(lambda db: db.execute("pragma query_only = on"))
            async with usage.counting(connected) as counted:
                await shoot(counted, key)

    asyncio.run(scene())
    assert usage_store.tally(db) == {}
    assert [(record.getMessage(), vars(record)["fields"].get("screenshots")) for record in caplog.records] == [
        ("usage_not_written", None),
        ("usage_lost", 1),
    ]


# --- a database that takes nothing --------------------------------------------------------------


@asynccontextmanager
async def locked(settings: Settings, _: Any) -> AsyncIterator[None]:
    with closing(sqlite3.connect(settings.database_path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield


@asynccontextmanager
async def full(_: Settings, connected: database.Database) -> AsyncIterator[None]:
    """Let the database file grow no further, which is to SQLite what a full disk is."""

    def fill(db: sqlite_utils.Database) -> None:
        [(pages,)] = db.execute("pragma page_count").fetchall()
        db.execute(f"pragma max_page_count = {pages}").fetchall()

    await connected.run(fill)
    yield
    await connected.run(lambda db: db.execute("pragma max_page_count = 1000000").fetchall())


@pytest.mark.parametrize("trouble", [locked, full])
def test_what_cannot_be_written_is_kept_and_told_once(
    settings: Settings,
    db: sqlite_utils.Database,
    key: KeySecret,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    trouble: Any,
) -> None:
    caplog.set_level(logging.INFO, "allscreenshots_box")

    async def scene() -> None:
        async with database.connected(settings.database_path) as connected:
            counted = Usage(connected, clock)
            async with trouble(settings, connected):
                for _ in range(2):
                    for _ in range(DAYS):
                        clock.time -= timedelta(days=1)
                        await shoot(counted, key)
                    clock.time += timedelta(days=DAYS)
                    await counted.write()
                assert usage_store.tally(db) == {}
                used = await counted.by_day([key.id], date(2026, 1, 1))
                assert list(used.values()) == [2] * DAYS
            await counted.write()

    asyncio.run(scene())
    assert [counts.screenshots for counts in usage_store.tally(db).values()] == [2] * DAYS
    assert [record.getMessage() for record in caplog.records] == ["usage_not_written", "usage_written"]


def test_a_pruned_key_takes_its_usage_along(
    play: Any, db: sqlite_utils.Database, hasher: PasswordHasher, key: KeySecret
) -> None:
    other, _ = keys.create(db, hasher, "other")

    async def scene(counted: Usage) -> None:
        await shoot(counted, key)
        await counted.write()
        await fail(counted, key, errors.DeadlinePassed("late"))
        await shoot(counted, other)
        keys.revoke(db, "svc")
        keys.prune(db, older_than=timedelta())
        await counted.write()

    play(scene)
    assert set(usage_store.tally(db)) == {(other.id, "2026-11-30")}


# --- quotas -------------------------------------------------------------------------------------


def test_the_quota_is_met_and_not_passed(play: Any, key: KeySecret) -> None:
    async def scene(counted: Usage) -> None:
        few = of_plan(key, screenshots_per_month=2)
        for _ in range(2):
            await shoot(counted, few)
        for _ in range(2):
            with pytest.raises(QuotaExceeded, match="All 2 screenshots of this month"):
                await shoot(counted, few)
        await shoot(counted, of_plan(key, screenshots_per_month=3))  # a larger plan binds at once
        assert (await counted.used_by(key)).screenshots == 3
        assert not (await counted.used_by(key)).failures

    play(scene)


@pytest.mark.parametrize(("size", "taken"), [(10, 2), (9, 3)])
def test_bytes_are_refused_once_they_are_used_up(play: Any, key: KeySecret, size: int, taken: int) -> None:
    async def scene(counted: Usage) -> None:
        few = of_plan(key, bandwidth_per_month=20)
        for _ in range(taken):
            await shoot(counted, few, size)
        with pytest.raises(QuotaExceeded, match="All 20 bytes of this month"):
            await shoot(counted, few, size)

    play(scene)


def test_many_at_once_do_not_overshoot(play: Any, key: KeySecret) -> None:
    async def scene(counted: Usage) -> None:
        few = of_plan(key, screenshots_per_month=3)
        done = await asyncio.gather(*(shoot(counted, few) for _ in range(20)), return_exceptions=True)
        assert [type(one) for one in done].count(QuotaExceeded) == 17
        assert (await counted.used_by(key)).screenshots == 3

    play(scene)


def test_a_failure_leaves_its_place_to_another(play: Any, key: KeySecret) -> None:
    async def scene(counted: Usage) -> None:
        few = of_plan(key, screenshots_per_month=1)
        await fail(counted, few, errors.DeadlinePassed("late"))
        await shoot(counted, few)

    play(scene)


def test_the_first_of_the_month_begins_anew(play: Any, key: KeySecret, clock: Clock) -> None:
    async def scene(counted: Usage) -> None:
        few = of_plan(key, screenshots_per_month=1)
        await shoot(counted, few)
        clock.time = datetime(2026, 11, 30, 23, 59, 59, 500_000, tzinfo=UTC)
        with pytest.raises(QuotaExceeded) as refused:
            await shoot(counted, few)
        assert refused.value.extra == {"resetsAt": "2026-12-01T00:00:00Z"}
        clock.time = datetime(2026, 12, 1, tzinfo=UTC)
        await shoot(counted, few)
        clock.time = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)  # a clock that is set back finds its month again
        with pytest.raises(QuotaExceeded):
            await shoot(counted, few)

    play(scene)


def test_a_restart_remembers_the_month(play: Any, key: KeySecret) -> None:
    few = of_plan(key, screenshots_per_month=1)

    async def before(counted: Usage) -> None:
        await shoot(counted, few)
        await counted.write()

    async def after(counted: Usage) -> None:
        with pytest.raises(QuotaExceeded):
            await shoot(counted, few)

    play(before)
    play(after)


@pytest.mark.parametrize(
    ("day", "begins", "ends"),
    [
        ("2026-11-30", "2026-11-01", "2026-12-01"),
        ("2026-12-01", "2026-12-01", "2027-01-01"),
        ("2028-02-29", "2028-02-01", "2028-03-01"),
    ],
)
def test_a_period_is_a_month(day: str, begins: str, ends: str) -> None:
    period = usage_store.period_of(datetime.fromisoformat(day).date())
    assert (period.begins.isoformat(), period.ends.isoformat()) == (begins, ends)


# --- what callers see ---------------------------------------------------------------------------


def made(db: sqlite_utils.Database, hasher: PasswordHasher, name: str, organization: str = "default") -> dict[str, str]:
    """Return the header of a new key on the plan small: two screenshots a month."""
    plans.set_plan(db, "small", {"screenshots_per_month": 2, "bandwidth_per_month": 1000})
    return {"X-API-Key": keys.create(db, hasher, name, plan="small", organization=organization)[1]}


@pytest.fixture
def small(db: sqlite_utils.Database, hasher: PasswordHasher) -> dict[str, str]:
    return made(db, hasher, "small")


def shot(api: Api, headers: dict[str, str], **body: Any) -> int:
    return api.post("/v1/screenshots", json=SHOT | body, headers=headers).status_code


def next_month() -> str:
    return usage_store.moment(usage_store.period_of(datetime.now(UTC).date()).ends)


def test_over_the_quota_is_429_with_the_reset(api: Api, small: dict[str, str], renderer: StandIn) -> None:
    assert [shot(api, small) for _ in range(3)] == [200, 200, 429]
    refused = api.post("/v1/screenshots", json=SHOT, headers=small)
    told = refused.json()
    assert (told["error"], told["errorCode"], told["resetsAt"]) == ("quota_exceeded", "QUOTA_EXCEEDED", next_month())
    assert "retryAfter" not in told
    assert "retry-after" not in refused.headers  # many clients would sleep until it is over
    assert len(renderer.shots) == 2


def test_generated_clients_hear_of_the_quota_in_their_shape(api: Api, small: dict[str, str]) -> None:
    for _ in range(2):
        shot(api, small)
    told = api.post("/v1/screenshots", json=SHOT, headers=small | GENERATED).json()
    assert (told["error"]["code"], told["error"]["details"], told["resetsAt"]) == ("QUOTA_EXCEEDED", None, next_month())


def test_a_refusal_by_the_quota_costs_no_token(api: Api, small: dict[str, str]) -> None:
    answers = [api.post("/v1/screenshots", json=SHOT, headers=small) for _ in range(4)]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["99", "98", "98", "98"]


def test_a_bad_request_is_400_whatever_the_quota(api: Api, small: dict[str, str]) -> None:
    assert [shot(api, small), shot(api, small, delay=-1), shot(api, small), shot(api, small, delay=-1)] == [
        200,
        400,
        200,
        400,
    ]


def test_several_outputs_are_one_screenshot(api: Api, small: dict[str, str]) -> None:
    shot(api, small, outputs=[{"type": "screenshot"}, {"type": "markdown"}])
    quota = api.get("/v1/usage/quota", headers=small).json()
    assert (quota["screenshots"]["used"], quota["bandwidth"]["usedBytes"]) == (1, SIZE + len("# Title\n"))


def test_a_rotated_key_keeps_its_quota(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, small: dict[str, str]
) -> None:
    shot(api, small)
    _, secret = keys.rotate(db, hasher, "small", grace=timedelta(hours=1))
    new = {"X-API-Key": secret}
    assert [shot(api, new), shot(api, new), shot(api, small)] == [200, 429, 429]


def test_a_plan_that_is_changed_beside_us_binds_at_once(
    api: Api, db: sqlite_utils.Database, small: dict[str, str]
) -> None:
    plans.set_plan(db, "small", {"screenshots_per_month": 1})
    assert [shot(api, small), shot(api, small)] == [200, 429]
    keys.edit(db, "small", {"plan": "default"})
    assert shot(api, small) == 200


def test_the_quota_is_told(api: Api, small: dict[str, str]) -> None:
    shot(api, small)
    assert api.get("/v1/usage/quota", headers=small).json() == {
        "tier": "small",
        "screenshots": {"limit": 2, "used": 1, "remaining": 1, "percentUsed": 50},
        "bandwidth": {
            "limitBytes": 1000,
            "limitFormatted": "1.0 KB",
            "usedBytes": SIZE,
            "usedFormatted": f"{SIZE} B",
            "remainingBytes": 1000 - SIZE,
            "remainingFormatted": f"{1000 - SIZE} B",
            "percentUsed": 3,
        },
        "periodEnds": next_month(),
    }


def test_no_quota_is_the_largest_number(api: Api, as_key: dict[str, str]) -> None:
    shot(api, as_key)
    told = api.get("/v1/usage/quota", headers=as_key).json()
    assert told["screenshots"] == {"limit": 2147483647, "used": 1, "remaining": 2147483647, "percentUsed": 0}
    bandwidth = told["bandwidth"]
    assert (bandwidth["limitBytes"], bandwidth["limitFormatted"]) == (2147483647, "unlimited")
    assert (bandwidth["remainingBytes"], bandwidth["percentUsed"]) == (2147483647, 0)


def test_usage_is_the_organizations(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, small: dict[str, str]
) -> None:
    made(db, hasher, "beside")
    made(db, hasher, "stranger", organization="other")
    [_, beside, stranger] = usage_store.holders(db)
    old = {(beside.id, day): Counts(1, 10) for day in ("2020-01-31", "2020-02-01", "2020-02-29")}
    usage_store.add(db, old | {(stranger.id, "2020-02-01"): Counts(1000, 1000)}, patience=1000)
    shot(api, small)
    told = api.get("/v1/usage", headers=small).json()
    period = usage_store.period_of(datetime.now(UTC).date())
    assert told["organization"] == {"id": "default", "name": "default"}
    assert told["tier"] == "small"
    assert told["credits"] == {"allowanceType": "MONTHLY", "balance": 1, "resetsAt": next_month()}
    assert told["currentPeriod"] == {
        "periodStart": usage_store.moment(period.begins),
        "periodEnd": usage_store.moment(period.ends),
        "screenshotsCount": 1,
        "bandwidthBytes": SIZE,
        "bandwidthFormatted": f"{SIZE} B",
    }
    assert [(one["periodStart"], one["periodEnd"], one["screenshotsCount"]) for one in told["history"]] == [
        ("2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z", 2),
        ("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z", 1),
    ]
    assert told["totals"] == {
        "screenshotsCount": 4,
        "bandwidthBytes": SIZE + 30,
        "bandwidthFormatted": f"{SIZE + 30} B",
    }


def test_history_has_the_last_twelve_months_that_had_any(
    api: Api, db: sqlite_utils.Database, small: dict[str, str]
) -> None:
    [holder] = usage_store.holders(db)
    usage_store.add(db, {(holder.id, f"{year}-06-01"): Counts(1) for year in range(2000, 2020)}, patience=1000)
    history = api.get("/v1/usage", headers=small).json()["history"]
    assert [one["periodStart"][:4] for one in history] == [str(year) for year in range(2019, 2007, -1)]


def test_the_quota_has_the_names_that_every_client_reads(api: Api, small: dict[str, str]) -> None:
    quota = api.get("/v1/usage", headers=small).json()["quota"]
    status = api.get("/v1/usage/quota", headers=small).json()
    assert {name: quota[name] for name in ("screenshots", "bandwidth")} == {
        name: status[name] for name in ("screenshots", "bandwidth")
    }
    assert (quota["monthlyLimit"], quota["screenshotsLimit"]) == (2, 2)
    assert (quota["monthlyBandwidthBytes"], quota["bandwidthLimitBytes"]) == (1000, 1000)
    assert (quota["monthlyBandwidthFormatted"], quota["bandwidthFormatted"]) == ("1.0 KB", "1.0 KB")
    assert quota["bandwidthLimit"] == 1000  # where it is missing, one client takes the object for the number


@pytest.mark.parametrize(
    ("agent", "quota"),
    [("AllScreenshotsSDK-Swift/1.0.0", "null"), ("AllScreenshotsSDK-Swift/2.0.0", "an object"), ("", "an object")],
)
def test_one_client_gets_no_quota_rather_than_one_it_cannot_read(
    api: Api, small: dict[str, str], agent: str, quota: str
) -> None:
    told = api.get("/v1/usage", headers=small | {"User-Agent": agent}).json()
    assert ("null" if told["quota"] is None else "an object") == quota


def test_keys_are_those_of_the_organization(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, small: dict[str, str]
) -> None:
    beside = made(db, hasher, "beside")
    made(db, hasher, "stranger", organization="other")
    [mine, other, _] = usage_store.holders(db)
    usage_store.add(db, {(mine.id, "2020-01-31"): Counts(4, 40)}, patience=1000)
    shot(api, small)
    keys.revoke(db, "beside")
    told = api.get("/v1/usage/keys", headers=small).json()
    none = {"screenshotsCount": 0, "bandwidthBytes": 0}
    assert told["periodEnd"] == next_month()
    assert told["keys"] == [
        {
            "apiKeyId": str(mine.id),
            "keyPrefix": small["X-API-Key"][:12],
            "name": "small",
            "currentPeriod": {"screenshotsCount": 1, "bandwidthBytes": SIZE},
            "totals": {"screenshotsCount": 5, "bandwidthBytes": SIZE + 40},
        },
        {
            "apiKeyId": str(other.id),
            "keyPrefix": beside["X-API-Key"][:12],
            "name": "beside",
            "currentPeriod": none,
            "totals": none,
        },
    ]


def test_activity_has_every_day(api: Api, db: sqlite_utils.Database, small: dict[str, str]) -> None:
    [holder] = usage_store.holders(db)
    today = datetime.now(UTC).date()
    past = {(holder.id, (today - timedelta(days)).isoformat()): Counts(days) for days in (1, 4, 5)}
    shot(api, small)  # first: what others than the server write is no quota's
    usage_store.add(db, past, patience=1000)
    days = api.get("/v1/usage/activity?days=5", headers=small).json()
    assert [day["date"] for day in days] == [(today - timedelta(back)).isoformat() for back in (4, 3, 2, 1, 0)]
    assert [day["count"] for day in days] == [4, 0, 0, 1, 1]


def test_activity_is_of_120_days(api: Api, small: dict[str, str]) -> None:
    assert len(api.get("/v1/usage/activity", headers=small).json()) == 120


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("&apiKeyIds=1", 1),
        ("&apiKeyIds=2", 2),
        ("&apiKeyIds=1&apiKeyIds=2", 3),
        ("&apiKeyIds=1,2", 3),
        ("&apiKeyIds=1%2C+2", 3),
        ("&apiKeyIds=", 3),
    ],
)
def test_activity_is_of_the_keys_asked_for(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, small: dict[str, str], query: str, count: int
) -> None:
    made(db, hasher, "beside")
    today = datetime.now(UTC).date().isoformat()
    usage_store.add(db, {(1, today): Counts(1), (2, today): Counts(2)}, patience=1000)
    assert api.get(f"/v1/usage/activity?days=1{query}", headers=small).json()[0]["count"] == count


@pytest.mark.parametrize("ids", ["2", "1,2", "1&apiKeyIds=2", "99", "one", "-1", "1.0", "\u0661"])
@pytest.mark.parametrize("agent", ["curl/8.0", GENERATED["User-Agent"]])
def test_a_key_of_another_organization_is_the_documented_401(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, small: dict[str, str], ids: str, agent: str
) -> None:
    made(db, hasher, "stranger", organization="other")
    answer = api.get(f"/v1/usage/activity?apiKeyIds={ids}", headers=small | {"User-Agent": agent})
    assert answer.status_code == 401
    assert answer.content == b'{"error":"unauthorized","message":"Invalid or missing API key"}'


@pytest.mark.parametrize("days", ["0", "367", "-1", "1.5", "many", "\u0661", "9" * 5000])
def test_days_out_of_range_are_told(api: Api, small: dict[str, str], days: str) -> None:
    answer = api.get("/v1/usage/activity", params={"days": days}, headers=small)
    assert (answer.status_code, answer.json()["errors"]) == (400, {"days": "must be a whole number from 1 to 366"})


@pytest.mark.parametrize(("number", "status"), [(100, 401), (101, 400)])
def test_ids_have_a_bound(api: Api, small: dict[str, str], number: int, status: int) -> None:
    ids = ",".join(map(str, range(1000, 1000 + number)))
    assert api.get(f"/v1/usage/activity?apiKeyIds={ids}", headers=small).status_code == status


@pytest.mark.parametrize("path", ["/v1/usage", "/v1/usage/quota", "/v1/usage/keys", "/v1/usage/activity"])
def test_a_question_costs_a_general_token(api: Api, small: dict[str, str], path: str) -> None:
    headers = api.get(path, headers=small).headers
    assert (headers["x-ratelimit-type"], headers["x-ratelimit-remaining"]) == ("general", "499")
    assert api.get(path).status_code == 401


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (999_999, "1000.0 KB"),
        (1_000_000, "1.0 MB"),
        (1_550_000_000, "1.6 GB"),
        (2**62, "4611686.0 TB"),
    ],
)
def test_sizes_are_told_as_people_read_them(size: int, text: str) -> None:
    assert statements.formatted(size) == text


# --- many keys ----------------------------------------------------------------------------------


def test_sums_of_an_organization_are_kept_by_day_and_stay_when_its_keys_are_forgotten(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, small: dict[str, str]
) -> None:
    made(db, hasher, "gone")
    [_, gone] = usage_store.holders(db)
    usage_store.add(db, {(gone.id, "2020-01-31"): Counts(4, 40)}, patience=1000)
    keys.revoke(db, "gone")
    keys.prune(db, older_than=timedelta())
    assert api.get("/v1/usage", headers=small).json()["totals"]["screenshotsCount"] == 4
    assert [one["name"] for one in api.get("/v1/usage/keys", headers=small).json()["keys"]] == ["small"]


def test_keys_are_all_there_however_few_are_read_at_once(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, small: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        made(db, hasher, f"beside-{number}", organization="default" if number % 2 else "other")
    monkeypatch.setattr(usage, "KEYS_AT_ONCE", 2)
    told = api.get("/v1/usage/keys", headers=small).json()["keys"]
    assert [one["name"] for one in told] == ["small", "beside-1", "beside-3", "beside-5"]


def test_lists_for_people_hold_up_no_request(settings: Settings, db: sqlite_utils.Database) -> None:
    async def scene() -> None:
        begun, end = threading.Event(), threading.Event()

        def take_long(_: sqlite_utils.Database) -> None:
            begun.set()
            end.wait(20)

        async with database.connected(settings.database_path) as connected:
            looking = asyncio.create_task(connected.look(take_long))
            await asyncio.to_thread(begun.wait, 20)
            assert await connected.run(keys.every) == []
            assert not looking.done()
            end.set()
            await looking
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await connected.look(lambda lists: lists.execute("delete from keys"))

    assert keys.every(db) == []
    asyncio.run(scene())


def test_what_was_counted_before_there_were_these_sums_is_summed(
    db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    made(db, hasher, "mine")
    made(db, hasher, "stranger", organization="other")
    [mine, stranger] = usage_store.holders(db)
    used = {
        (key_id, day): Counts(1, 10, 0.5, Counter(timeout=2))
        for key_id in (mine.id, stranger.id)
        for day in ("2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01")
    }
    usage_store.add(db, used, patience=1000)
    tables = ("usage_by_organization", "usage_by_month", "failures_by_month")
    kept = [list(db.query(f"select * from {name} order by 1, 2")) for name in tables]
    db.executescript(
        """
        drop index keys_by_name; drop index keys_by_organization; drop index keys_by_plan;
        drop table usage_by_organization; drop table failures_by_month;
        alter table usage_by_month drop column render_seconds;
        delete from _sqlite_migrations where name = 'm009_sums';
        """
    )
    migrations.apply(db)
    assert [list(db.query(f"select * from {name} order by 1, 2")) for name in tables] == kept
    assert [len(rows) for rows in kept] == [8, 6, 6]


@pytest.mark.parametrize(
    "question",
    [
        "select id from keys where name = 'x'",
        "select id from keys where organization = 'x' and id > 1 order by id limit 2",
        "select day from usage_by_organization where organization = 'x' and day >= '2026'",
        "select sum(bytes) from usage_by_month where key_id in (select value from json_each('[1]')) group by key_id",
    ],
)
def test_no_question_of_a_request_reads_all_keys(db: sqlite_utils.Database, question: str) -> None:
    plan = [row[-1] for row in db.execute(f"explain query plan {question}")]
    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step]


def test_a_list_of_keys_reads_no_row_of_a_secret(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    made(db, hasher, "svc")
    asked: list[str] = []
    db.conn.set_trace_callback(asked.append)
    usage_store.stretch(db, "default", 0, usage.KEYS_AT_ONCE, "2026-11")
    db.conn.set_trace_callback(None)
    steps = [row[-1] for question in asked for row in db.execute(f"explain query plan {question}")]
    assert [step.partition(" (")[0] for step in steps if " secrets " in step] == [
        "SEARCH secrets USING COVERING INDEX secrets_by_key"
    ]


def test_the_garbage_collector_has_no_work_with_a_list_of_keys() -> None:
    counts = statements.CaptureUsageCounts(screenshots_count=1, bandwidth_bytes=2)
    told = statements.ApiKeyUsageDetail(
        api_key_id="1", key_prefix="ask_12345678", name="svc", current_period=counts, totals=counts
    )
    assert not gc.is_tracked(counts)
    assert not gc.is_tracked(told)
