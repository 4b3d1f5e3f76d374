"""The log: one id for all lines of a request, levels by part, and nothing that is nobody's business."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import config, logs
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import InvalidUrl, OperatorError
from tests.box import Box
from tests.conftest import StandIn, standing_in
from tests.test_serve import eventually


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
        ("joe:hunter2@example.com/a refused", "example.com/a refused"),
        ("'joe:hunter2@host' is down, at 10:30", "'host' is down, at 10:30"),
    ],
)
def test_what_others_say_is_cleaned(text: str, shown: str) -> None:
    assert logs.clean(text) == shown


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://joe:hunter2@example.com:8443/a?b=c#d", "https://example.com:8443/a?…"),
        ("http://a:b@joe:hunter2@[2001:db8::1]/", "http://[2001:db8::1]/"),
        ("https://example.com/@joe/post", "https://example.com/@joe/post"),
        ("joe:hunter2@example.com/a", logs.NO_URL),
        ("joe:hunter2@example.com:80/a", logs.NO_URL),
        ("http:joe:hunter2@example.com/a", logs.NO_URL),
        ("http:/joe:hunter2@example.com/a", logs.NO_URL),
        ("http:///joe:hunter2@example.com/a", logs.NO_URL),
        ("http:\\\\joe:hunter2@example.com/a", logs.NO_URL),
        ("http://joe:hunter2%40example.com/a", logs.NO_URL),
        ("http://joe%3Ahunter2%40example.com/a", logs.NO_URL),
        ("http://joe:hunter2\uff20example.com/a", logs.NO_URL),
        ("//joe:hunter2@example.com/a", logs.NO_URL),
        ("ftp://joe:hunter2@example.com/a", logs.NO_URL),
        ("joe hunter2", logs.NO_URL),
    ],
)
def test_a_target_is_shown_without_what_may_be_secret_or_not_at_all(target: str, shown: str) -> None:
    assert logs.shown_url(target, with_query=False) == shown


@pytest.mark.parametrize("target", ["joe:hunter2@example.com/?token=hunter2", "http:joe:hunter2@example.com/"])
def test_a_target_that_is_no_url_leaves_no_password_behind(
    api: TestClient[Litestar], as_key: dict[str, str], renderer: StandIn, ear: Ear, target: str
) -> None:
    renderer.failure = InvalidUrl("url is not one")
    api.post("/v1/screenshots", json={"url": target}, headers=as_key)
    api.get(f"/{target}")
    assert [line for line in ear.lines if line["event"] == "request"]
    assert "hunter2" not in str(ear.lines)


def test_a_path_with_somebodys_password_is_logged_without_it(api: TestClient[Litestar], ear: Ear) -> None:
    api.get("/http://joe:hunter2@example.com/a")
    assert [line["path"] for line in ear.lines] == ["/http:/example.com/a"]


# --- letters that do something ------------------------------------------------------------------

MISCHIEF = (
    "\x00\x1b[2K\r\x7f\x85\x9b31m\xad\u061c\u200b\u200f\u2028\u2029\u202e\u2066\u2069\ufeff\ufff9\udc80\U000e0041"
)


def written(**fields: Any) -> str:
    """Return the line that the log gets."""
    record = logging.LogRecord("allscreenshots_box.box", logging.INFO, "", 0, "event", (), None)
    record.__dict__["fields"] = fields
    return logs._JsonLines().format(record)


@pytest.mark.parametrize("letter", MISCHIEF)
def test_no_letter_that_does_something_is_written_as_it_is(letter: str) -> None:
    line = written(path=f"/a{letter}b")
    assert line.isprintable()
    assert line.encode()
    assert json.loads(line)["path"] == f"/a{letter}b"


def test_letters_of_all_languages_are_written_as_they_are() -> None:
    assert "/日本語/café/Ελλάδα/مرحبا/😀" in written(path="/日本語/café/Ελλάδα/مرحبا/😀")


def test_what_a_stranger_asks_for_reaches_the_log_escaped(box: Box) -> None:
    httpx.get(f"{box.url}/a%C2%9B31m%E2%80%AEb%E2%80%A8c%1B%7F")
    assert eventually(lambda: "/a\\u009b31m\\u202eb\\u2028c\\u001b\\u007f" in box.log.read_text())
