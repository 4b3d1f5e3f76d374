"""The playground: what the form asks for, what comes of it, and the lines for the same."""

import ast
import html
import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
import sqlite_utils
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import errors, keys
from allscreenshots_box.admin import playground, snippets
from allscreenshots_box.captures import history
from allscreenshots_box.errors import BoxError
from allscreenshots_box.keys import usage_store
from allscreenshots_box.render.shot import BlockOptions, Pdf, Picture, Shot, Window
from tests.admin.test_view import HOSTILE, text_of
from tests.conftest import StandIn

Page = TestClient[Litestar]

FORM = {"url": "https://example.com", "blockAds": "on", "blockCookieBanners": "on", "blockPopups": "on"}


def test_the_form_says_what_the_api_does_by_itself(signed_in: Page) -> None:
    page = text_of(signed_in, "/admin/playground")
    assert re.findall(r'name="(\w+)" value="on" checked', page) == ["blockAds", "blockCookieBanners", "blockPopups"]
    assert re.findall(r'<option value="(\w+)" selected', page) == ["png", "domcontentloaded"]
    assert 'name="viewport.width" type="text" value="1920"' in page


@pytest.mark.parametrize(
    ("fields", "shot"),
    [
        ({}, Shot(url="https://example.com")),
        ({"viewport.width": "800", "viewport.height": ""}, Shot(url="https://example.com", window=Window(width=800))),
        ({"fullPage": "on", "format": "webp", "quality": "50"}, None),
        ({"darkMode": "on", "delay": "1500", "waitUntil": "load"}, None),
        ({"device": "", "selector": "#main", "viewport.deviceScaleFactor": "2"}, None),
        ({"format": "pdf"}, Shot(url="https://example.com", outputs=(Pdf(),))),
    ],
)
def test_the_form_asks_for_what_its_lines_ask_for(
    signed_in: Page, renderer: StandIn, as_key: dict[str, str], fields: dict[str, str], shot: Shot | None
) -> None:
    answer = signed_in.post("/admin/playground", data=FORM | fields)
    assert answer.status_code == 200
    (line,) = re.findall(r'<pre id="curl"[^>]*><code>(.*?)</code>', answer.text, re.DOTALL)
    words = shlex.split(html.unescape(line))
    signed_in.post("/v1/screenshots", content=words[words.index("-d") + 1], headers=as_key)
    tried, asked = renderer.shots
    assert tried == asked
    assert shot in {None, tried}


def test_what_is_not_ticked_is_not_done(signed_in: Page, renderer: StandIn) -> None:
    signed_in.post("/admin/playground", data={"url": "https://example.com"})
    assert renderer.shots[0].blocked == BlockOptions(ads=False, cookie_banners=False, popups=False)


def test_a_device_has_its_own_window(signed_in: Page, renderer: StandIn) -> None:
    signed_in.post("/admin/playground", data=FORM | {"device": "iPhone 14", "viewport.width": "800"})
    assert renderer.shots[0].window.width == 390


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"url": ""}, "url", "URL is required."),
        ({"quality": "high"}, "quality", "Quality must be a whole number from 1 to 100."),
        ({"quality": "101"}, "quality", "Quality must be a whole number from 1 to 100."),
        ({"viewport.width": "1e9"}, "viewport.width", "Width must be a whole number from 100 to 4096."),
        ({"delay": "30001"}, "delay", "Delay must be a whole number from 0 to 30000."),
        ({"device": "iPhnoe 15"}, "device", "Device must be the name of a device; the nearest are iPhone 15"),
        ({"format": "gif"}, "format", "Format must be one of png, jpeg"),
        ({"selector": "a" * 501}, "selector", "Selector must be text of at most 500 characters."),
    ],
)
def test_a_wrong_field_is_marked(
    signed_in: Page, renderer: StandIn, fields: dict[str, str], field: str, words: str
) -> None:
    answer = signed_in.post("/admin/playground", data=FORM | {"delay": "7"} | fields)
    assert answer.status_code == 400
    assert re.search(rf'<p class="error" id="{field}-error">{re.escape(words)}', answer.text)
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert 'value="https://example.com"' in answer.text or "url" in fields
    assert not renderer.shots


@pytest.mark.parametrize(
    ("failure", "status", "field", "told"),
    [
        (errors.SelectorNotFound("No element matches."), 422, "selector", "No element matches."),
        (errors.TargetNotAllowed("loopback", "allow"), 422, "url", "This address is not allowed: loopback."),
        (errors.UrlUnreachable("No such host."), 422, "url", "No such host."),
        (errors.Overloaded("Too busy.", 3), 503, None, "Too busy."),
    ],
)
def test_what_a_shot_fails_with_is_told(
    signed_in: Page, renderer: StandIn, failure: BoxError, status: int, field: str | None, told: str
) -> None:
    renderer.failure = failure
    answer = signed_in.post("/admin/playground", data=FORM | {"selector": "#here"})
    assert answer.status_code == status
    assert told in answer.text
    assert f"<code>{failure.code}</code>, request <code>{answer.headers['X-Request-Id']}</code>" in answer.text
    assert 'value="#here"' in answer.text
    assert re.findall(r'id="(\w+)"[^>]*aria-invalid', answer.text) == ([field] if field else [])
    assert answer.headers.get("Retry-After") == ("3" if status == 503 else None)


def test_what_a_page_says_is_shown_as_text(signed_in: Page, renderer: StandIn) -> None:
    renderer.rendering = replace(renderer.rendering, not_awaited=(HOSTILE,))
    taken = signed_in.post("/admin/playground", data=FORM | {"url": f"https://x.example/{HOSTILE}"})
    renderer.failure = errors.UrlUnreachable(HOSTILE)
    failed = signed_in.post("/admin/playground", data=FORM | {"url": HOSTILE, "selector": HOSTILE, "delay": HOSTILE})
    for answer in (taken, failed):
        assert HOSTILE not in answer.text
        assert HOSTILE in html.unescape(answer.text)


def test_the_playground_has_a_turn_of_its_own(
    signed_in: Page, renderer: StandIn, as_key: dict[str, str], db: sqlite_utils.Database
) -> None:
    signed_in.post("/admin/playground", data=FORM)
    assert renderer.asked == [{"caller": playground.CALLER, "weight": playground.PLAN.weight}]
    assert playground.CALLER not in {0, *(key.id for key in keys.every(db))}
    assert as_key


def test_the_playground_counts_for_no_key(signed_in: Page, as_key: dict[str, str], db: sqlite_utils.Database) -> None:
    signed_in.post("/admin/playground", data=FORM)
    assert signed_in.get("/v1/usage", headers=as_key).json()["currentPeriod"]["screenshotsCount"] == 0
    assert 'allscreenshots_shots_total{code="ok"} 1.0' in signed_in.get("/metrics").text
    text_of(signed_in, "/admin/activity/captures")
    assert [(row["caller"], row["status"]) for row in history.recent(db)] == [("admin", 200)]
    assert usage_store.all_days(db, "") == {}


def test_a_failure_of_the_playground_counts_as_one(
    signed_in: Page, renderer: StandIn, db: sqlite_utils.Database
) -> None:
    renderer.failure = errors.DeadlinePassed("late")
    signed_in.post("/admin/playground", data=FORM)
    assert 'allscreenshots_shots_total{code="timeout"} 1.0' in signed_in.get("/metrics").text
    text_of(signed_in, "/admin/activity/captures")
    assert [(row["caller"], row["code"]) for row in history.recent(db)] == [("admin", "timeout")]


def test_the_playground_has_a_bucket_of_its_own(
    signed_in: Page, renderer: StandIn, as_key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playground, "PLAN", replace(playground.PLAN, screenshots_burst=2, screenshots_per_hour=1))
    wrong = [signed_in.post("/admin/playground", data={"url": ""}).status_code for _ in range(3)]  # cost nothing
    taken = [signed_in.post("/admin/playground", data=FORM) for _ in range(3)]
    assert (wrong, [answer.status_code for answer in taken]) == ([400] * 3, [200, 200, 429])
    assert int(taken[-1].headers["Retry-After"]) > 3000
    assert signed_in.post("/v1/screenshots", json={"url": "https://example.com"}, headers=as_key).status_code == 200
    assert len(renderer.shots) == 3


def test_a_picture_too_large_for_the_page_is_not_in_it(signed_in: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "MOST_SHOWN", 10)
    answer = signed_in.post("/admin/playground", data=FORM)
    assert "more than this page shows" in answer.text
    assert "data:" not in answer.text


def test_a_pdf_is_there_to_be_downloaded(signed_in: Page) -> None:
    answer = signed_in.post("/admin/playground", data=FORM | {"format": "pdf"})
    assert 'href="data:application/pdf;base64,JVBERi' in answer.text
    assert 'download="screenshot.pdf"' in answer.text
    assert "<img id=" not in answer.text


# --- the same by API ----------------------------------------------------------------------------

BODIES: list[dict[str, Any]] = [
    {"url": "https://example.com"},
    {"url": "https://example.com/it's?a=\"`$(id)`\\", "format": "webp", "fullPage": True, "viewport": {"width": 800}},
    {"url": "https://example.com/\u00fc\U0001f600\u2028", "selector": "a[href='x']\n\t\x01", "blockAds": False},
]


def lines_of(body: dict[str, Any]) -> dict[str, str]:
    return {line.id: line.text for line in snippets.snippets("https://box.example:8443", body)}


@pytest.mark.parametrize("body", BODIES)
def test_curl_sends_the_very_same(body: dict[str, Any]) -> None:
    words = shlex.split(lines_of(body)["curl"])
    assert words[:4] == ["curl", "-X", "POST", "https://box.example:8443/v1/screenshots"]
    assert json.loads(words[words.index("-d") + 1]) == body
    assert words[-1] == f"screenshot.{body.get('format', 'png')}"


@pytest.mark.parametrize("body", BODIES)
def test_python_sends_the_very_same(body: dict[str, Any]) -> None:
    calls = [node for node in ast.walk(ast.parse(lines_of(body)["python"])) if isinstance(node, ast.Call)]
    (asked,) = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "from_dict")
    assert ast.literal_eval(asked.args[0]) == body


@pytest.mark.parametrize("body", BODIES)
def test_javascript_sends_the_very_same(body: dict[str, Any]) -> None:
    (asked,) = re.findall(r"client\.screenshot\((.*)\);", lines_of(body)["javascript"])
    assert json.loads(asked) == body


@pytest.mark.parametrize("body", BODIES)
def test_go_sends_the_very_same(body: dict[str, Any]) -> None:
    (asked,) = re.findall(r"\[\]byte\((.*)\), &wanted", lines_of(body)["go"])
    text = asked[1:-1] if asked.startswith("`") else json.loads(asked)
    assert json.loads(text) == body
    assert "`" not in asked[1:-1] or asked.startswith('"')


def test_the_lines_have_the_address_that_the_operator_came_by(signed_in: Page) -> None:
    headers = {"Origin": "http://box.example:8080", "Host": "box.example:8080"}
    answer = signed_in.post("/admin/playground", data=FORM, headers=headers)
    assert "curl -X POST http://box.example:8080/v1/screenshots" in answer.text


def test_a_picture_is_what_a_picture_is(signed_in: Page, renderer: StandIn) -> None:
    signed_in.post("/admin/playground", data=FORM | {"format": "jpeg"})
    assert renderer.shots[0].outputs == (Picture(format="jpeg"),)
