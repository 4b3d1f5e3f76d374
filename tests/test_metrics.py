"""/metrics says what happened, in words of the box's own, and no more of them than there are."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlite_utils
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client import parser

from allscreenshots_box import errors, keys, metrics
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import HttpError, Overloaded
from allscreenshots_box.metrics import Metrics, Served
from allscreenshots_box.render.browsers.tab_pool import CAUSES
from allscreenshots_box.render.shot import Rendering
from allscreenshots_box.web.areas import beside
from tests.conftest import StandIn, standing_in

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]

ROOT = Path(__file__).parent.parent
SHOT = {"url": "https://example.com"}


def values(text: str) -> Values:
    """Return every sample that a scraper reads, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return values(text).get((f"allscreenshots_{name}", frozenset(labels.items())), 0.0)


def scraped(api: TestClient[Litestar]) -> str:
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.text


def test_a_shot_is_counted_with_its_times(api: TestClient[Litestar], as_key: dict[str, str], renderer: StandIn) -> None:
    renderer.rendering = Rendering(
        products=(),
        target_status=200,
        target_url="",
        fetched=1000,
        steps={"go": 0.2},
        queue_seconds=0.3,
        render_seconds=2.0,
    )
    answer = api.post("/v1/screenshots", json=SHOT, headers=as_key)
    text = scraped(api)
    assert value(text, "shots_total", code="ok") == 1
    assert value(text, "requests_total", method="POST", route="/v1/screenshots", status="200") == 1
    assert value(text, "fetched_bytes_total") == 1000
    assert value(text, "sent_bytes_total") == len(answer.content)
    assert value(text, "queue_seconds_sum") == 0.3
    assert value(text, "render_seconds_sum") == pytest.approx(2)
    assert value(text, "step_seconds_sum", step="go") == 0.2
    assert value(text, "argon2_proofs_total", outcome="good") == 1


def test_a_failed_shot_is_counted_by_its_code(
    api: TestClient[Litestar], as_key: dict[str, str], renderer: StandIn
) -> None:
    for failure in (HttpError("no"), Overloaded("full", 1)):
        renderer.failure = failure
        api.post("/v1/screenshots", json=SHOT, headers=as_key)
    text = scraped(api)
    assert [value(text, "shots_total", code=code) for code in ("http_error", "overloaded", "ok")] == [1, 1, 0]
    assert value(text, "render_seconds_count") == value(text, "queue_seconds_count") == 2
    assert value(text, "shed_total") == 1


def test_bad_keys_are_counted(api: TestClient[Litestar], secret: str) -> None:
    wrong = secret[:12] + keys.generate()[12:]
    for key in ("", "nonsense", wrong):
        api.post("/v1/screenshots", json=SHOT, headers={"X-API-Key": key})
    text = scraped(api)
    assert value(text, "auth_failures_total") == 3
    assert value(text, "requests_total", method="POST", route="/v1/screenshots", status="401") == 3
    assert value(text, "shots_total", code="unauthorized") == 0


def test_a_key_over_its_rate_is_counted(
    api: TestClient[Litestar], db: sqlite_utils.Database, as_key: dict[str, str]
) -> None:
    db.execute("update plans set screenshots_burst = 1, screenshots_per_hour = 1")
    db.conn.commit()
    for _ in range(3):
        api.post("/v1/screenshots", json=SHOT, headers=as_key)
    text = scraped(api)
    assert (value(text, "rate_limited_total"), value(text, "shots_total", code="rate_limited")) == (2, 2)


def test_how_things_stand_is_told(api: TestClient[Litestar]) -> None:
    text = scraped(api)
    assert [value(text, name) for name in ("slots", "slots_in_use", "queue_waiting", "ready")] == [3, 1, 2, 1]
    assert value(text, "browser_restarts_total", cause="it_ended") == 1
    assert value(text, "memory_bytes", part="server") > 10 << 20
    assert "allscreenshots_build_info{version=" in text
    assert "process_open_fds" in text


def test_a_box_that_is_not_ready_says_so(api: TestClient[Litestar]) -> None:
    api.app.state.services.readiness.drain()
    assert value(scraped(api), "ready") == 0


def test_no_stranger_makes_a_label(api: TestClient[Litestar], as_key: dict[str, str]) -> None:
    for number in range(50):
        api.get(f"/made-up/{number}")
        api.get(f"/v1/made-up/{number}", headers=as_key if number % 2 else {})
        api.request(f"VERB{number}", "/", headers={"X-API-Key": f"ask_{number}"})
    text = scraped(api)
    counted = {pairs for (name, pairs), count in values(text).items() if name.endswith("_requests_total") and count}
    labels = {pair for pairs in counted for pair in pairs}
    assert {text for kind, text in labels if kind == "route"} == {"/", "/v1/{path}", "other"}
    assert {text for kind, text in labels if kind == "method"} == {"GET", "other"}


# --- at first -----------------------------------------------------------------------------------

POST = {"method": "POST", "route": "/v1/screenshots"}
AT_FIRST: list[tuple[str, dict[str, str]]] = [
    *(("shots_total", {"code": code}) for code in ("ok", *errors.by_code())),
    *(("step_seconds_count", {"step": step}) for step in metrics.STEPS),
    *(("browser_restarts_total", {"cause": cause}) for cause in CAUSES if cause != "it_ended"),  # as the stand-in says
    *(("argon2_proofs_total", {"outcome": outcome}) for outcome in ("good", "bad")),
    *(("requests_total", POST | {"status": status}) for status in ("200", "401", "422", "429", "500", "503")),
    ("requests_total", {"method": "GET", "route": "/v1/usage/quota", "status": "401"}),
    ("request_seconds_count", {"route": "/v1/screenshots"}),
]


def test_what_may_be_counted_is_there_before_it_happens(api: TestClient[Litestar]) -> None:
    text = values(scraped(api))  # rate() sees no first event of what was not there
    told = {(f"allscreenshots_{name}", frozenset(labels.items())) for name, labels in AT_FIRST}
    assert {one: text.get(one) for one in told} == dict.fromkeys(told, 0)


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [False, True])
def test_keys_are_named_only_if_the_operator_wants_it(
    settings: Settings, renderer: StandIn, db: sqlite_utils.Database, hasher: PasswordHasher, *, wanted: bool
) -> None:
    _, secret = keys.create(db, hasher, "named")
    app = create_app(replace(settings, metrics_keys=wanted), standing_in(renderer))
    with TestClient(app) as api:
        api.post("/v1/screenshots", json=SHOT, headers={"X-API-Key": secret})
        text = scraped(api)
    assert value(text, "key_requests_total", key=secret[:12], code="ok") == wanted
    assert secret[12:] not in text
    assert (secret[:12] in text) is wanted


def test_the_number_of_named_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_KEYS", 2)
    counted = Metrics("1", keys=True)
    for key in ("a", "b", "c", "a", "d"):
        counted.count(Served(method="GET", route="/", status=200, seconds=0, key=key))
    text = counted.text().decode()
    assert {key: value(text, "key_requests_total", key=key, code="ok") for key in ("a", "b", "c", "other")} == {
        "a": 2,
        "b": 1,
        "c": 0,
        "other": 2,
    }


# --- a port of their own ------------------------------------------------------------------------


@pytest.fixture
def apart(settings: Settings, renderer: StandIn) -> Iterator[tuple[TestClient[Litestar], TestClient[Litestar]]]:
    """Return clients of both ports of a box with ops_listen: the main one, and the operators'."""
    app = create_app(replace(settings, ops_listen="127.0.0.1:9090"), standing_in(renderer))
    with TestClient(app) as main:
        side: TestClient[Litestar] = TestClient(beside(app, "ops"))  # type: ignore[arg-type]
        side.blocking_portal = main.blocking_portal  # one loop, as in the server
        yield main, side


@pytest.mark.parametrize(
    ("path", "on_main", "on_side"),
    [
        ("/health", 200, 200),
        ("/ready", 404, 200),
        ("/metrics", 404, 200),
        ("/metrics/", 404, 200),
        ("//metrics", 404, 200),
        ("/", 200, 404),
        ("/schema/openapi.json", 200, 404),
        ("/v1/screenshots", 401, 404),
    ],
)
def test_each_port_has_its_own_paths(
    apart: tuple[TestClient[Litestar], TestClient[Litestar]], path: str, on_main: int, on_side: int
) -> None:
    assert [client.get(f"http://testserver.local{path}").status_code for client in apart] == [on_main, on_side]


# --- the docs -----------------------------------------------------------------------------------


def families(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (allscreenshots_\w+) ", text, re.MULTILINE))


def test_every_metric_is_documented_and_no_other(api: TestClient[Litestar]) -> None:
    page = (ROOT / "docs/monitoring.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(allscreenshots_\w+)`", page, re.MULTILINE)) == families(scraped(api))
