"""The log: one id for all lines of a request, levels by part, and nothing that is nobody's business."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import config, logs
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import OperatorError
from tests.conftest import StandIn, standing_in


class Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append({"event": record.getMessage(), **record.__dict__["fields"]})

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Return what hears every line of ours; levels are put back after the test."""
    one = Ear()
    logging.getLogger("allscreenshots_box").addHandler(one)
    logs.choose("info")
    yield one
    logging.getLogger("allscreenshots_box").removeHandler(one)
    logs.choose("info")


# --- levels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "levels", "written"),
    [
        ("info", (), {"request", "browser_lost", "stopped"}),
        ("warning", (), {"browser_lost"}),
        ("error", ("request=info",), {"request"}),
        ("info", ("request=error", "browser=debug"), {"browser_lost", "console", "stopped"}),
        ("debug", ("box=error",), {"request", "browser_lost", "console"}),
    ],
)
def test_each_part_has_its_level(ear: Ear, level: str, levels: tuple[str, ...], written: set[str]) -> None:
    logs.choose(level, levels)
    for event, weight in (("request", 20), ("browser_lost", 30), ("console", 10), ("stopped", 20)):
        logs.event(event, weight)
        assert logs.wants(event, weight) is (event in written)
    assert set(ear.events()) == written


@pytest.mark.parametrize("value", ["browser", "browser=loud", "page=debug", "=debug"])
def test_a_level_that_there_is_not_is_refused_with_those_that_there_are(value: str) -> None:
    with pytest.raises(OperatorError, match="PART=LEVEL, with a part of request, browser, box and a level of debug"):
        config.load({"log_levels": value}, {})


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "path", "logged"),
    [
        (False, "/health", False),
        (False, "/ready", False),
        (False, "/metrics", False),
        (False, "/", True),
        (False, "/v1/health", True),
        (True, "/health", True),
        (True, "/ready", True),
    ],
)
def test_requests_for_health_are_logged_only_if_the_operator_wants_it(
    settings: Settings, renderer: StandIn, ear: Ear, path: str, *, wanted: bool, logged: bool
) -> None:
    with TestClient(create_app(replace(settings, log_health=wanted), standing_in(renderer))) as client:
        client.get(path)
    assert ("request" in ear.events()) is logged


def test_a_scraper_at_the_wrong_port_is_logged(settings: Settings, renderer: StandIn, ear: Ear) -> None:
    app = create_app(replace(settings, ops_listen="127.0.0.1:9090"), standing_in(renderer))
    with TestClient(app) as client:
        client.get("/metrics")
    assert "request" in ear.events()


def test_all_lines_on_the_way_of_a_request_have_its_id(
    api: TestClient[Litestar], as_key: dict[str, str], renderer: StandIn, ear: Ear
) -> None:
    renderer.failure = ValueError("a fault")
    answers = [api.post("/v1/screenshots", json={"url": "https://example.com"}, headers=as_key) for _ in range(2)]
    lines = [(line["event"], line["id"]) for line in ear.lines]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert lines == [(event, one) for one in ids for event in ("request_failed", "request")]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_requests_at_the_same_time_keep_their_ids_apart(ear: Ear) -> None:
    async def answer(name: str) -> None:
        with logs.about(name):
            for _ in range(3):
                await asyncio.sleep(0)
                logs.event("stopped", expected=name)

    await asyncio.gather(*(answer(f"r{number}") for number in range(5)))
    logs.event("stopped")
    assert all(line.get("id") == line.get("expected") for line in ear.lines)
    assert "id" not in ear.lines[-1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://joe:hunter2@example.com/a?b=c failed", "GET https://example.com/a?… failed"),
        ("ws://token@host/", "ws://host/"),
        ("mail joe@example.com", "mail joe@example.com"),
        ("one\ntwo", "one"),
    ],
)
def test_what_others_say_is_cleaned(text: str, shown: str) -> None:
    assert logs.clean(text) == shown
