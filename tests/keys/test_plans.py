import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlite_utils import Database

from allscreenshots_box import keys
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.keys import plans, rate_limits
from allscreenshots_box.keys.plans import Plan
from allscreenshots_box.keys.rate_limits import TokenBuckets
from allscreenshots_box.storage import migrations
from allscreenshots_box.storage.database import typed

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs/api.md").read_text()

PLAN = Plan(name="p", screenshots_per_hour=3600, screenshots_burst=3, requests_per_hour=7200, requests_burst=5)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buckets(clock: Clock) -> TokenBuckets:
    return TokenBuckets(clock)


def test_a_burst_is_let_through_and_then_no_more(buckets: TokenBuckets) -> None:
    waits = [buckets.take(1, "screenshot", PLAN).wait for _ in range(4)]
    assert waits == [0, 0, 0, 1]


def test_tokens_come_back_at_the_plans_rate(buckets: TokenBuckets, clock: Clock) -> None:
    for _ in range(3):
        buckets.take(1, "screenshot", PLAN)
    clock.time += 2
    assert [buckets.take(1, "screenshot", PLAN).wait for _ in range(3)] == [0, 0, 1]


def test_a_bucket_never_holds_more_than_its_burst(buckets: TokenBuckets, clock: Clock) -> None:
    buckets.take(1, "screenshot", PLAN)
    clock.time += 1_000_000
    assert buckets.take(1, "screenshot", PLAN).remaining == 2


def test_keys_and_kinds_have_buckets_of_their_own(buckets: TokenBuckets) -> None:
    for _ in range(3):
        buckets.take(1, "screenshot", PLAN)
    assert buckets.take(1, "general", PLAN).remaining == 4
    assert buckets.take(2, "screenshot", PLAN).remaining == 2


def test_a_token_given_back_can_be_taken_again(buckets: TokenBuckets) -> None:
    for _ in range(3):
        buckets.take(1, "screenshot", PLAN)
    assert buckets.give_back(1, "screenshot", PLAN).remaining == 1
    assert buckets.take(1, "screenshot", PLAN).wait == 0


def test_giving_back_overfills_nothing(buckets: TokenBuckets) -> None:
    assert buckets.give_back(1, "screenshot", PLAN).remaining == 3


def test_a_smaller_plan_binds_from_the_next_request(buckets: TokenBuckets) -> None:
    buckets.take(1, "screenshot", PLAN)
    small = Plan(name="s", screenshots_per_hour=1, screenshots_burst=1, requests_per_hour=1, requests_burst=1)
    assert buckets.take(1, "screenshot", small).remaining == 0
    assert buckets.take(1, "screenshot", small).wait == pytest.approx(3600)


def test_full_buckets_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "SWEEP_AT", 10)
    buckets = TokenBuckets(clock)
    for key_id in range(10):
        buckets.take(key_id, "screenshot", PLAN)
    clock.time += 100
    buckets.take(99, "screenshot", PLAN)
    assert len(buckets._buckets) == 1


def test_both_families_of_headers_tell_the_same(buckets: TokenBuckets) -> None:
    headers = buckets.take(1, "screenshot", PLAN).headers(now=5000.25)
    assert headers["X-RateLimit-Limit"] == "3"
    assert headers["X-RateLimit-Remaining"] == "2"
    assert headers["X-RateLimit-Type"] == "screenshot"
    assert headers["X-RateLimit-Reset"] == "5002"
    assert headers["RateLimit-Policy"] == '"screenshot";q=3;w=3'
    match = re.fullmatch(r'"screenshot";r=(\d+);t=(\d+)', headers["RateLimit"])
    assert match
    assert match[1] == headers["X-RateLimit-Remaining"]
    assert 5000 + int(match[2]) == int(headers["X-RateLimit-Reset"])


def test_there_is_a_generous_default_plan(db: Database) -> None:
    [plan] = plans.plans(db)
    assert plan == Plan(
        name="default",
        screenshots_per_hour=20_000,
        screenshots_burst=100,
        requests_per_hour=100_000,
        requests_burst=500,
    )


def test_a_new_plan_takes_what_is_unsaid_from_the_default(db: Database) -> None:
    plan = plans.set_plan(db, "small", {"screenshots_per_hour": 5, "screenshots_burst": None})
    assert (plan.screenshots_per_hour, plan.screenshots_burst) == (5, 100)
    assert plans.plans(db)[1] == plan


def test_a_plan_is_changed_where_it_is_said(db: Database) -> None:
    plans.set_plan(db, "small", {"screenshots_per_hour": 5})
    assert plans.set_plan(db, "small", {"screenshots_per_month": 9}).screenshots_per_hour == 5


@pytest.mark.parametrize(("number", "fine"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_weight_is_from_1_to_100(db: Database, number: int, fine: bool) -> None:  # noqa: FBT001 - a table's column
    expected = nullcontext() if fine else pytest.raises(OperatorError, match="Weight must be between 1 and 100")
    with expected:
        assert plans.set_plan(db, "p", {"weight": number}).weight == number


@pytest.mark.parametrize("number", [0, -1, 2**31])
def test_a_limit_out_of_range_is_refused(db: Database, number: int) -> None:
    with pytest.raises(OperatorError, match="Screenshots burst must be between 1 and 2147483647"):
        plans.set_plan(db, "p", {"screenshots_burst": number})


def test_the_default_plan_is_what_the_docs_say(db: Database) -> None:
    (plan,) = plans.plans(db)
    hourly, burst, requests, at_once = migrations.DEFAULT_PLAN
    assert (plan.screenshots_per_hour, plan.screenshots_burst) == (hourly, burst)
    assert (plan.requests_per_hour, plan.requests_burst) == (requests, at_once)
    told = f"{hourly:,} screenshots an hour (burst {burst}), {requests:,} other requests an hour (burst {at_once})"
    assert told in (ROOT / "docs/plans.md").read_text()
    assert f"| `screenshot` | {hourly:,} an hour, one every {3600 / hourly:g} s | {burst} |" in API
    assert f"| `general` | {requests:,} an hour | {at_once} |" in API


def test_a_plan_in_use_stays(db: Database, hasher: PasswordHasher) -> None:
    plans.set_plan(db, "small", {"screenshots_per_hour": 5})
    keys.create(db, hasher, "svc", plan="small")
    with pytest.raises(OperatorError, match=r"Keys are on the plan 'small' \(svc\)") as caught:
        plans.remove_plan(db, "small")
    assert f"`{typed(db, 'keys prune')}`" in str(caught.value)


def test_a_plan_nobody_uses_goes(db: Database) -> None:
    plans.set_plan(db, "small", {"screenshots_per_hour": 5})
    plans.remove_plan(db, "small")
    assert [plan.name for plan in plans.plans(db)] == ["default"]


@pytest.mark.parametrize(("name", "problem"), [("default", "stays"), ("gold", "no plan 'gold'")])
def test_what_cannot_be_removed_is_told(db: Database, name: str, problem: str) -> None:
    with pytest.raises(OperatorError, match=problem):
        plans.remove_plan(db, name)
