"""What the operator's page tells of the box, and of what was done with it."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlite_utils
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import errors, keys, timestamps
from allscreenshots_box.admin import formatting, overview, status
from allscreenshots_box.config import Settings, _hosts
from allscreenshots_box.keys import usage
from allscreenshots_box.keys.usage_store import Counts
from allscreenshots_box.process.health_cache import Health
from allscreenshots_box.storage import audit, database
from tests.captures.test_history import add, entry
from tests.conftest import StandIn

Page = TestClient[Litestar]

HOSTILE = "\"><script>alert(1)</script><b title='"


def text_of(page: Page, path: str) -> str:
    answer = page.get(path)
    assert answer.status_code == 200
    return answer.text


def said(page: Page, path: str) -> str:
    """Return the words of a page."""
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", text_of(page, path))).split())


# --- overview -----------------------------------------------------------------------------------


def test_a_fresh_box_is_told_to_be_well(signed_in: Page) -> None:
    told = said(signed_in, "/admin")
    for words in ("Overview ready", "1 of 3", "2 waiting in line", "it ended", "on (all of it)", "1 hour ago"):
        assert words in told
    assert "No key has taken a screenshot" in told


def test_why_the_box_is_not_ready_is_told(signed_in: Page, renderer: StandIn) -> None:
    renderer.wellbeing = Health(ok=False, reason=f"it is {HOSTILE} gone")
    told = said(signed_in, "/admin")
    assert "not ready" in told
    assert f"browser: it is {HOSTILE} gone" in told
    assert HOSTILE not in text_of(signed_in, "/admin")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dangerously_disable_sandbox": True}, "Pages run without Chromium's sandbox"),
        ({"insecure_hosts": _hosts("wiki.corp.example")}, "Certificates are not checked for wiki.corp.example"),
    ],
)
def test_what_makes_the_box_less_safe_is_shouted(
    signed_in: Page, settings: Settings, changes: dict[str, Any], words: str
) -> None:
    assert words not in said(signed_in, "/admin")
    signed_in.app.state.services.settings = replace(settings, **changes)  # as settings that are read again
    assert words in said(signed_in, "/admin")


def test_screenshots_and_failures_of_today_are_counted_at_once(
    signed_in: Page, as_key: dict[str, str], renderer: StandIn
) -> None:
    shot = {"url": "https://example.com"}
    for _ in range(3):
        signed_in.post("/v1/screenshots", json=shot, headers=as_key)
    renderer.failure = errors.UrlUnreachable("gone")
    signed_in.post("/v1/screenshots", json=shot, headers=as_key)
    told = said(signed_in, "/admin")
    assert "Screenshots today 3 1 failed" in told
    assert "url_unreachable 1 Try the page with curl" in told
    assert "https://example.com for ask_" in told


def test_the_past_has_every_day_up_to_today() -> None:
    today = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    past = status.past({"2026-02-28": Counts(5), "2026-01-01": Counts(9)}, today)
    assert len(past.screenshots) == status.DAYS
    assert past.screenshots[-2:] == [("2026-02-28", 5), ("2026-03-01", 0)]
    assert sum(number for _, number in past.screenshots) == 5


def test_keys_that_need_a_look_are_counted(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    now = datetime.now(UTC)
    for name in ("fresh", "unused", "old", "revoked"):
        keys.create(db, hasher, name)
    aged = "update secrets set created_at = ?, last_used_at = ? where key_id = (select id from keys where name = ?)"
    long_ago, lately = (timestamps.stamp(now - timedelta(days=days)) for days in (200, 1))
    db.execute(aged, [long_ago, lately, "old"])
    db.execute(aged, [lately, long_ago, "unused"])
    db.execute(aged, [long_ago, long_ago, "revoked"])
    keys.revoke(db, "revoked")
    assert status.neglected(db, now) == status.Neglected(live=3, unused=1, old=1)


CODES = sorted({known.code for known in vars(errors).values() if hasattr(known, "returns_token")} | {usage.CANCELLED})


@pytest.mark.parametrize("code", CODES)
def test_there_is_a_cure_for_every_way_to_fail(code: str) -> None:
    assert overview.cure(code)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1024, "1.0 KiB"), (123 << 20, "123 MiB"), (5 << 50, "5,120 TiB")],
)
def test_amounts_are_told_with_few_digits(number: int, words: str) -> None:
    assert formatting.size(number) == words


# --- activity -----------------------------------------------------------------------------------


def test_what_was_done_is_told_with_who_did_it(
    signed_in: Page, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    key, _ = keys.create(db, hasher, "billing", by=audit.Actor("operator", "192.0.2.7"))
    told = said(signed_in, "/admin/activity")
    assert f"create key {key.prefix} (billing)" in told
    assert "operator 192.0.2.7" in told


def test_that_nothing_was_done_is_told_with_what_to_do(signed_in: Page, db: sqlite_utils.Database) -> None:
    with database.writing(db):
        db.execute("delete from audit")
    assert "Nothing has changed yet" in said(signed_in, "/admin/activity")


@pytest.mark.parametrize(
    ("word", "found"),
    [("BILL", True), ("create", True), ("192.0.2", True), ("operator", True), ("%", False), ("_", True), ("!", False)],
)
def test_changes_are_found_by_a_word(
    signed_in: Page, db: sqlite_utils.Database, hasher: PasswordHasher, word: str, *, found: bool
) -> None:
    keys.create(db, hasher, "billing", by=audit.Actor("operator", "192.0.2.7"))
    answer = signed_in.get("/admin/activity", params={"q": word})
    assert ("(billing)" in answer.text) == found


def test_changes_come_in_pages(signed_in: Page, db: sqlite_utils.Database) -> None:
    with database.writing(db):
        for number in range(120):
            audit.record(db, audit.COMMAND_LINE, "create key", f"number {number}.")
    seen, path = [], "/admin/activity?q=number"
    while path:
        page = text_of(signed_in, path)
        seen += re.findall(r"number (\d+)\.", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(older[1]) if older else ""
    assert seen == [str(number) for number in reversed(range(120))]


@pytest.mark.parametrize("path", ["/admin/activity", "/admin/activity/captures"])
@pytest.mark.parametrize("before", ["-1", "x", "9" * 30, "1.5", "\u0663", "1 or 1=1", ""])
def test_a_page_that_there_is_not_is_the_newest_or_none(signed_in: Page, path: str, before: str) -> None:
    assert signed_in.get(path, params={"before": before, "q": HOSTILE, "key": HOSTILE}).status_code == 200


def test_captures_are_found_by_key_and_failure(signed_in: Page, db: sqlite_utils.Database) -> None:
    add(
        db,
        entry(target="https://one.example/", caller="ask_12345678 (billing)"),
        entry(target="https://two.example/", caller="ask_12345678 (billing)", code="timeout", status=422),
        entry(target="https://three.example/", code="timeout", status=422),
    )

    def found(query: str) -> list[str]:
        return re.findall(r"https://(\w+)\.example", text_of(signed_in, f"/admin/activity/captures{query}"))

    assert found("") == ["three", "two", "one"]
    assert found("?failed=1") == ["three", "two"]
    assert found("?key=ask_12345678") == found("?key=BILL") == ["two", "one"]
    assert found("?key=billing&failed=1") == ["two"]
    assert "No such failure" in text_of(signed_in, "/admin/activity/captures?key=nobody&failed=1")


def test_captures_come_in_pages(signed_in: Page, db: sqlite_utils.Database) -> None:
    add(db, *(entry(request=f"request{number}.", code="timeout") for number in range(101)))
    seen, path = [], "/admin/activity/captures?failed=1"
    while path:
        page = text_of(signed_in, path)
        seen += re.findall(r"request(\d+)\.", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(older[1]) if older else ""
    assert seen == [str(number) for number in reversed(range(101))]


@pytest.mark.parametrize("path", ["/admin", "/admin/activity", "/admin/activity/captures"])
def test_what_strangers_wrote_is_shown_as_text(signed_in: Page, db: sqlite_utils.Database, path: str) -> None:
    add(db, entry(target=f"https://x.example/{HOSTILE}", caller=HOSTILE, code="timeout", request=HOSTILE))
    with database.writing(db):
        audit.record(db, audit.Actor(HOSTILE, HOSTILE), HOSTILE, HOSTILE)
    assert HOSTILE not in text_of(signed_in, path)
    assert HOSTILE in html.unescape(text_of(signed_in, path))
