"""API Keys on the operator's page: what it shows, does, refuses and never tells twice."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import httpx
import pytest
import sqlite_utils
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient
from lxml import html

from allscreenshots_box import keys
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.keys import plans, usage_store
from allscreenshots_box.keys.usage_store import Counts
from allscreenshots_box.storage import audit

pytestmark = pytest.mark.long

Client = TestClient[Litestar]

DAY = timedelta(days=1)
LONG_AGO = "2020-01-01T00:00:00.000Z"


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


def make(client: Client, **fields: str) -> httpx.Response:
    """Fill in the form for a new key, and send it."""
    ticket = hidden(client.get("/admin/keys/new").text, "ticket")
    return client.post("/admin/keys/new", data={"ticket": ticket, "name": "Invoices", "plan": "default"} | fields)


def secrets_in(answer: httpx.Response) -> list[str]:
    return sorted(set(re.findall(keys.PATTERN, answer.text)))


def names_in(answer: httpx.Response) -> list[str]:
    return [unescape(name) for name in re.findall(r'<td class="first"><a[^>]*><bdi>(.*?)</bdi>', answer.text)]


def error_at(answer: httpx.Response, field: str) -> str:
    """Return what the page says at *field*, which must be tied to it."""
    found = re.search(rf'<p class="error" id="{field}-error">(.*?)</p>', answer.text)
    assert found, answer.text
    control = re.search(rf'<(?:input|select|textarea) id="{field}"[^>]*>', answer.text)
    assert control
    assert 'aria-invalid="true"' in control[0]
    assert f"{field}-error" in control[0].split('aria-describedby="')[1]
    return unescape(found[1])


def picture(client: Client, secret: str) -> int:
    answer = client.post("/v1/screenshots", json={"url": "https://example.com"}, headers={"X-API-Key": secret})
    return answer.status_code


def live(db: sqlite_utils.Database) -> list[str]:
    return [key.name for key in keys.live(db)]


# --- making -------------------------------------------------------------------------------------


def test_the_steps_have_the_vendors_words(signed_in: Client) -> None:
    listed = signed_in.get("/admin/keys").text
    assert '<a href="/admin/keys" aria-current="page">API Keys</a>' in listed
    assert '<a class="button primary" href="/admin/keys/new">Create API Key</a>' in listed
    assert '<button class="primary">Create API Key</button>' in signed_in.get("/admin/keys/new").text
    assert "Copy the key immediately: it won't be shown again." in make(signed_in).text


def test_a_made_key_works(signed_in: Client) -> None:
    [secret] = secrets_in(make(signed_in))
    assert picture(signed_in, secret) == 200


def test_a_made_key_is_what_the_form_said(signed_in: Client, db: sqlite_utils.Database) -> None:
    plans.set_plan(db, "small", {})
    said = {"plan": "small", "environment": "production", "organization": "acme", "expires": "90d"}
    make(signed_in, **said, allow_hosts="wiki.corp.example\r\n*.Example.org, 10.0.0.0/8\r\n")
    key = keys.find(db, "Invoices")
    assert (key.plan.name, key.environment, key.organization) == ("small", "production", "acme")
    assert key.allow_hosts == "wiki.corp.example,*.example.org,10.0.0.0/8"
    assert key.expires_at is not None
    assert abs(datetime.fromisoformat(key.expires_at) - datetime.now(UTC) - 90 * DAY) < timedelta(minutes=1)


@pytest.mark.parametrize("until", ["36h", f"{datetime.now(UTC) + DAY:%Y-%m-%d}"])
def test_a_key_works_until_the_time_that_was_typed(signed_in: Client, db: sqlite_utils.Database, until: str) -> None:
    make(signed_in, expires="other", until=until)
    expires = datetime.fromisoformat(keys.find(db, "Invoices").expires_at or "")
    assert DAY - timedelta(minutes=1) < expires - datetime.now(UTC) < 2 * DAY
    assert until == "36h" or f"{expires:%Y-%m-%d %H:%M}" == f"{until} 23:59"


def test_a_secret_is_in_the_answer_that_made_it_and_nowhere_else(
    signed_in: Client, db: sqlite_utils.Database, capfd: pytest.CaptureFixture[str]
) -> None:
    made = make(signed_in)
    [secret] = secrets_in(made)
    assert made.headers["cache-control"] == "no-store"
    assert not made.cookies
    assert secret not in str(made.url) + str(made.headers)
    for path in ("/admin/keys", "/admin/keys?state=all", "/admin/keys/1", "/admin/keys/1/edit", "/admin/activity"):
        page = signed_in.get(path).text
        assert secret[keys.PREFIX_LENGTH :] not in page
        assert keys.find(db, "Invoices").hash not in page
    assert secret[keys.PREFIX_LENGTH :] not in "".join(capfd.readouterr())
    stored = [db.execute(f"select * from {table}").fetchall() for table in db.table_names()]
    assert secret[keys.PREFIX_LENGTH :] not in str(stored)


@pytest.mark.parametrize(
    ("host", "elsewhere", "base"),
    [
        ("box.corp.example:8080", {}, "http://box.corp.example:8080"),
        ("box.corp.example:9000", {"admin_listen": "0.0.0.0:9000"}, "http://127.0.0.1:8080"),
        ("box.corp.example:9000", {"admin_listen": "0.0.0.0:9000", "host": "::"}, "http://box.corp.example:8080"),
        ("[::1]:9000", {"admin_listen": "[::]:9000", "host": "::1", "tls_cert": "c"}, "https://[::1]:8080"),
    ],
)
def test_the_curl_line_goes_to_where_callers_reach_the_box(
    signed_in: Client, host: str, elsewhere: dict[str, Any], base: str
) -> None:
    ticket = hidden(signed_in.get("/admin/keys/new").text, "ticket")
    fields = {"ticket": ticket, "name": "Invoices", "plan": "default"}
    signed_in.app.state.services.settings = replace(signed_in.app.state.services.settings, **elsewhere)
    headers = {"Host": host, "Origin": f"http://{host}"}
    made = signed_in.post("/admin/keys/new", data=fields, headers=headers)
    assert f'curl -X POST "{base}/v1/screenshots"' in unescape(made.text)
    assert '-H "X-API-Key: $ALLSCREENSHOTS_API_KEY"' in unescape(made.text)


def test_a_reload_makes_no_second_key_even_when_the_first_is_gone(signed_in: Client, db: sqlite_utils.Database) -> None:
    fields = {"ticket": hidden(signed_in.get("/admin/keys/new").text, "ticket"), "name": "Invoices", "plan": "default"}
    signed_in.post("/admin/keys/new", data=fields)
    keys.revoke(db, "Invoices")
    again = signed_in.post("/admin/keys/new", data=fields)
    assert again.status_code == 400
    assert "This form was sent before" in again.text
    assert secrets_in(again) == []
    assert live(db) == []


def test_a_double_click_makes_one_key(signed_in: Client, db: sqlite_utils.Database) -> None:
    fields = {"ticket": hidden(signed_in.get("/admin/keys/new").text, "ticket"), "name": "Invoices", "plan": "default"}
    with ThreadPoolExecutor(4) as clicks:
        answers = list(clicks.map(lambda _: signed_in.post("/admin/keys/new", data=fields), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert live(db) == ["Invoices"]


def test_a_form_without_a_ticket_makes_nothing(signed_in: Client, db: sqlite_utils.Database) -> None:
    assert signed_in.post("/admin/keys/new", data={"name": "Invoices", "plan": "default"}).status_code == 400
    assert live(db) == []


def test_two_tabs_cannot_make_two_keys_of_one_name(signed_in: Client, db: sqlite_utils.Database) -> None:
    make(signed_in)
    second = make(signed_in, environment="staging")
    assert second.status_code == 400
    assert "There is a live key 'Invoices' already" in error_at(second, "name")
    assert f'<a href="/admin/keys/{keys.find(db, "Invoices").id}">Open the key' in second.text


WRONG = [
    ("name", {"name": ""}, "1 to 100 printable characters"),
    ("name", {"name": "x" * 101}, "1 to 100 printable characters"),
    ("name", {"name": "a\u202eb"}, "1 to 100 printable characters"),
    ("name", {"name": "a\x00b"}, "1 to 100 printable characters"),
    ("name", {"name": "ask_x"}, "cannot begin with ask_"),
    ("plan", {"plan": "gold"}, "the plans are default"),
    ("environment", {"environment": "a\nb"}, "1 to 100 printable characters"),
    ("organization", {"organization": "o" * 101}, "1 to 100 printable characters"),
    ("expires", {"expires": "soon"}, "Choose one of these."),
    ("until", {"until": "36h", "expires": "never"}, "Choose “At another time”"),
    ("until", {"until": "", "expires": "other"}, "Another time must be a date such as"),
    ("until", {"until": "tomorrow", "expires": "other"}, "Another time must be a date such as"),
    ("until", {"until": "2001-01-01", "expires": "other"}, "is past"),
    ("until", {"until": "0s", "expires": "other"}, "at least 1s"),
    ("until", {"until": "999999999d", "expires": "other"}, "further than the calendar goes"),
    ("allow_hosts", {"allow_hosts": "https://wiki.example/"}, "'https://wiki.example/' must be a host name"),
    ("allow_hosts", {"allow_hosts": "\n".join(f"h{n}.example" for n in range(101))}, "at most 100 hosts"),
]


@pytest.mark.parametrize(("field", "fields", "told"), WRONG)
def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_is_kept(
    signed_in: Client, db: sqlite_utils.Database, field: str, fields: dict[str, str], told: str
) -> None:
    answer = make(signed_in, **({"environment": "kept"} | fields))
    assert answer.status_code == 400
    error = error_at(answer, field)
    assert told in error
    assert "--" not in error
    assert f'<a href="#{field}">' in answer.text  # in the summary above the form
    assert "environment" in fields or 'value="kept"' in answer.text
    assert live(db) == []


@pytest.mark.parametrize(
    "body",
    [
        {"content": b""},
        {"json": {"name": "Invoices"}},
        {"content": b"\xff\xfe=%ff&name=%00", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"content": b"name=" + b"x" * 50_000, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"files": {"name": b"x" * 1000}},
    ],
)
def test_a_body_that_is_no_such_form_is_refused(
    signed_in: Client, db: sqlite_utils.Database, body: dict[str, Any]
) -> None:
    assert signed_in.post("/admin/keys/new", **body).status_code == 400
    assert live(db) == []


# --- the list -----------------------------------------------------------------------------------


def test_no_keys_at_all_is_told_with_what_to_do(signed_in: Client) -> None:
    listed = signed_in.get("/admin/keys?state=all").text
    assert "No keys yet" in listed
    assert 'href="/admin/keys/new">Create the first key</a>' in listed


def test_the_list_shows_a_key_by_twelve_characters(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    key, secret = keys.create(db, hasher, "Invoices", environment="production", lifetime=30 * DAY)
    keys.touch(db, key.prefix, datetime.now(UTC) - timedelta(hours=3))
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    usage_store.add(db, {(key.id, today): Counts(screenshots=1234)}, patience=1000)
    listed = signed_in.get("/admin/keys").text
    assert f"{secret[:12]}…" in listed
    assert secret[:13] not in listed
    for shown in ("Invoices", "default", "production", "1,234", "3 hours ago", "in 30 days", '"badge active"'):
        assert shown in listed
    [(made,)] = db.execute("select created_at from keys").fetchall()
    assert f'<time datetime="{made}" title="' in listed
    assert 'role="img" aria-label="1,234 screenshots this month"' in listed


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=invoice", {"Invoices"}),
        ("q=%C3%9CNAL", {"Büro Ünal"}),
        ("q=STAGING", {"Wiki"}),
        ("q=small", {"Wiki"}),
        ("q=%25", set()),
        ("q=__", set()),
        ("q=ask_", {"Invoices", "Wiki", "Büro Ünal"}),
        ("q=as", set()),
        ("q='%20or%201%3D1%20--", set()),
        ("plan=small", {"Wiki"}),
        ("plan=nothing", set()),
        ("", {"Invoices", "Wiki", "Büro Ünal"}),
        ("state=all", {"Invoices", "Wiki", "Büro Ünal", "Gone"}),
        ("state=nonsense&sort=nonsense&order=nonsense&page=nonsense", {"Invoices", "Wiki", "Büro Ünal"}),
        ("page=-1", {"Invoices", "Wiki", "Büro Ünal"}),
        ("page=99999999999999999999", {"Invoices", "Wiki", "Büro Ünal"}),
        ("page=%C2%B2", {"Invoices", "Wiki", "Büro Ünal"}),
    ],
)
def test_keys_are_found(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher, asked: str, found: set[str]
) -> None:
    plans.set_plan(db, "small", {})
    keys.create(db, hasher, "Invoices")
    keys.create(db, hasher, "Wiki", plan="small", environment="staging")
    keys.create(db, hasher, "Büro Ünal")
    keys.create(db, hasher, "Gone")
    keys.revoke(db, "Gone")
    answer = signed_in.get(f"/admin/keys?{asked}")
    assert answer.status_code == 200
    assert set(names_in(answer)) == found


def test_a_key_is_found_by_a_secret_that_it_had_before(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    old, _ = keys.create(db, hasher, "Invoices")
    keys.rotate(db, hasher, "Invoices")
    keys.create(db, hasher, "Wiki")
    assert names_in(signed_in.get(f"/admin/keys?q={old.prefix}")) == ["Invoices"]


def test_a_key_in_a_search_is_refused(signed_in: Client, secret: str) -> None:
    assert signed_in.get(f"/admin/keys?q={secret}").status_code == 400


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["a", "B", "c"]),
        ("created", ["c", "B", "a"]),
        ("usage", ["B", "a", "c"]),
        ("used", ["a", "B", "c"]),
        ("expires", ["c", "B", "a"]),
        ("environment", ["c", "a", "B"]),
    ],
)
def test_keys_are_sorted_both_ways(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher, sort: str, expected: list[str]
) -> None:
    now = datetime.now(UTC)
    days, environments = {"B": 60, "c": 30}, {"a": "b", "B": "c", "c": "A"}
    for at, name in enumerate(("a", "B", "c")):
        lifetime = days[name] * DAY if name in days else None
        key, _ = keys.create(db, hasher, name, environment=environments[name], lifetime=lifetime)
        usage_store.add(db, {(key.id, f"{now:%Y-%m-%d}"): Counts(screenshots=(2, 3, 1)[at])}, patience=1000)
        keys.touch(db, key.prefix, now - at * DAY)
        db.execute("update keys set created_at = ? where id = ?", [f"2026-01-0{at + 1}T00:00:00.000Z", key.id])
    db.conn.commit()
    assert names_in(signed_in.get(f"/admin/keys?sort={sort}")) == expected
    backwards = names_in(signed_in.get(f"/admin/keys?sort={sort}&order=back"))
    assert backwards == (["B", "c", "a"] if sort == "expires" else expected[::-1])  # what never does comes last


def test_a_search_keeps_what_is_sorted_by(signed_in: Client, secret: str) -> None:
    listed = signed_in.get(f"/admin/keys?sort=usage&order=back&q={secret[:8]}").text
    assert '<option value="usage" selected>' in listed
    assert '<input type="hidden" name="order" value="back">' in listed


def test_the_list_is_paged(signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    for number in range(120):
        keys.create(db, hasher, f"service {number:03}")
    pages = [signed_in.get(f"/admin/keys?sort=name&page={page}") for page in (1, 2, 3, 4)]
    assert [len(names_in(page)) for page in pages] == [50, 50, 20, 20]
    assert names_in(pages[3]) == names_in(pages[2])
    found = [name for page in pages[:3] for name in names_in(page)]
    assert found == [f"service {number:03}" for number in range(120)]
    assert "120 keys, page 2 of 3" in pages[1].text
    assert re.findall(r'rel="(prev|next)" href="([^"]*)"', unescape(pages[1].text)) == [
        ("prev", "/admin/keys?sort=name&page=1"),
        ("next", "/admin/keys?sort=name&page=3"),
    ]


def test_keys_that_nobody_uses_or_that_are_old_are_marked(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    used, _ = keys.create(db, hasher, "used")
    for name in ("unused", "dead"):
        keys.create(db, hasher, name)
    db.execute("update keys set created_at = ?", [LONG_AGO])
    db.execute("update secrets set created_at = ?", [LONG_AGO])
    db.conn.commit()
    keys.touch(db, used.prefix, datetime.now(UTC) - 89 * DAY)
    keys.rotate(db, hasher, "used", grace=DAY)
    rows = rows_of(signed_in.get("/admin/keys"))
    keys.revoke(db, "dead")
    assert ("badge warning" in rows["used"], "badge warning" in rows["unused"]) == (False, True)
    assert {">unused</span>", ">rotate</span>"} <= set(re.findall(r">\w+</span>", rows["unused"]))
    assert "badge warning" not in rows_of(signed_in.get("/admin/keys?state=all"))["dead"]


def rows_of(answer: httpx.Response) -> dict[str, str]:
    rows = re.findall(r"<tr>(.*?)</tr>", answer.text.split("<tbody>")[1], re.DOTALL)
    return {re.findall(r"<bdi>(.*?)</bdi>", row)[0]: row for row in rows}


def test_a_retiring_secret_is_shown_with_its_time(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    old, _ = keys.create(db, hasher, "Invoices")
    keys.rotate(db, hasher, "Invoices", grace=timedelta(hours=5, minutes=1))
    assert f"{old.prefix}…</span> retires in 5 hours" in signed_in.get("/admin/keys").text
    assert f"{old.prefix}…</span> still works, and stops in 5 hours" in signed_in.get(f"/admin/keys/{old.id}").text


# --- one key ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["7", "7/edit", "0", "9" * 23, "-1", "-" + "9" * 26])
def test_a_key_that_is_not_there_is_not_found(signed_in: Client, path: str) -> None:
    assert signed_in.get(f"/admin/keys/{path}").status_code == 404


def rotate(client: Client, key_id: int, **fields: str) -> httpx.Response:
    prefix = hidden(client.get(f"/admin/keys/{key_id}").text, "prefix")
    return client.post(f"/admin/keys/{key_id}/rotate", data={"prefix": prefix, "grace": "24h"} | fields)


@pytest.mark.parametrize(("grace", "old_works"), [("0s", False), ("1h", True), ("24h", True), ("7d", True)])
def test_a_rotated_key_has_a_new_secret_and_the_old_one_its_grace(
    signed_in: Client, db: sqlite_utils.Database, secret: str, grace: str, *, old_works: bool
) -> None:
    answer = rotate(signed_in, keys.find(db, "tests").id, grace=grace)
    [new] = secrets_in(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert picture(signed_in, new) == 200
    assert picture(signed_in, secret) == (200 if old_works else 401)


def test_a_reload_rotates_no_second_time(signed_in: Client, db: sqlite_utils.Database, secret: str) -> None:
    key = keys.find(db, secret[:12])
    fields = {"prefix": key.prefix, "grace": "24h"}
    signed_in.post(f"/admin/keys/{key.id}/rotate", data=fields)
    newest = keys.find(db, key.id).prefix
    again = signed_in.post(f"/admin/keys/{key.id}/rotate", data=fields)
    assert again.status_code == 400
    assert newest in error_at(again, "grace")
    assert secrets_in(again) == []
    assert keys.find(db, key.id).prefix == newest


def test_two_clicks_rotate_once(signed_in: Client, db: sqlite_utils.Database, secret: str) -> None:
    key = keys.find(db, secret[:12])
    fields = {"prefix": key.prefix, "grace": "24h"}
    with ThreadPoolExecutor(4) as clicks:
        send = lambda _: signed_in.post(f"/admin/keys/{key.id}/rotate", data=fields).status_code  # noqa: E731
        assert sorted(clicks.map(send, range(4))) == [200, 400, 400, 400]
    assert len(keys.secrets_of(db, key.id)) == 2


@pytest.mark.parametrize("grace", ["", "5m", "nonsense"])
def test_a_grace_that_is_not_offered_is_refused(
    signed_in: Client, db: sqlite_utils.Database, secret: str, grace: str
) -> None:
    key = keys.find(db, secret[:12])
    assert error_at(rotate(signed_in, key.id, grace=grace), "grace") == "Choose one of these."
    assert len(keys.secrets_of(db, key.id)) == 1


def test_a_dead_key_is_neither_rotated_nor_offered_to_be(
    signed_in: Client, db: sqlite_utils.Database, secret: str
) -> None:
    key = keys.find(db, secret[:12])
    keys.revoke(db, key.id)
    page = signed_in.get(f"/admin/keys/{key.id}").text
    assert "Requests with this key are refused." in page
    assert "/rotate" not in page
    fields = {"prefix": key.prefix, "grace": "1h"}
    refused = signed_in.post(f"/admin/keys/{key.id}/rotate", data=fields)
    assert (refused.status_code, secrets_in(refused)) == (400, [])
    assert "is revoked" in refused.text


def test_only_a_key_that_editing_can_help_is_offered_to_be_edited(
    signed_in: Client, db: sqlite_utils.Database, secret: str
) -> None:
    where = f"/admin/keys/{keys.find(db, 'tests').id}"
    assert f'href="{where}/edit"' in signed_in.get(where).text
    keys.edit(db, "tests", {"expires": timedelta(microseconds=1)})
    assert f'href="{where}/edit"' in signed_in.get(where).text
    keys.revoke(db, secret[:12])
    assert f'href="{where}/edit"' not in signed_in.get(where).text


def test_a_deleted_key_is_refused_from_the_next_request_on(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher, secret: str
) -> None:
    _, new = keys.rotate(db, hasher, "tests", grace=DAY)
    key_id = keys.find(db, "tests").id
    assert (picture(signed_in, secret), picture(signed_in, new)) == (200, 200)
    deleted = signed_in.post(f"/admin/keys/{key_id}/delete", data={"typed": "tests"})
    assert "badge revoked" in deleted.text
    assert (picture(signed_in, secret), picture(signed_in, new)) == (401, 401)


@pytest.mark.parametrize("typed", ["", "Tests", "other"])
def test_a_key_is_not_deleted_under_another_name(
    signed_in: Client, db: sqlite_utils.Database, secret: str, typed: str
) -> None:
    refused = signed_in.post(f"/admin/keys/{keys.find(db, secret[:12]).id}/delete", data={"typed": typed})
    assert refused.status_code == 400
    assert error_at(refused, "typed") == "That is not the name of this key."
    assert live(db) == ["tests"]


def edit(client: Client, key_id: int, **fields: str) -> httpx.Response:
    """Send the form as it is shown, but for *fields*."""
    shown = {"name": "tests", "plan": "default", "environment": "", "expires": "", "until": "", "allow_hosts": ""}
    if "shown" not in fields:
        shown["shown"] = hidden(client.get(f"/admin/keys/{key_id}/edit").text, "shown")
    return client.post(f"/admin/keys/{key_id}/edit", data=shown | fields, follow_redirects=False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "Invoices"}, "name Invoices"),
        ({"plan": "small"}, "plan small"),
        ({"environment": "staging"}, "environment staging"),
        ({"allow_hosts": "wiki.example 10.0.0.0/8"}, "allow_hosts wiki.example,10.0.0.0/8"),
        ({"expires": "never"}, "expires none"),
    ],
)
def test_an_edit_changes_what_was_changed_in_the_form(
    signed_in: Client, db: sqlite_utils.Database, secret: str, fields: dict[str, str], told: str
) -> None:
    plans.set_plan(db, "small", {})
    key = keys.find(db, secret[:12])
    answer = edit(signed_in, key.id, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/keys/{key.id}?done=saved")
    [entry] = [row for row in audit.recent(db) if row["act"] == "edit key"]
    assert entry["subject"] == f"{key.prefix} (tests): {told}"
    assert (entry["actor"], entry["address"]) == ("operator", "testclient")


def test_a_form_sent_as_it_was_shown_changes_nothing(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    key, _ = keys.create(
        db, hasher, "tests", environment="staging", allow_hosts=["a.example", "b.example"], lifetime=DAY
    )
    shown = signed_in.get(f"/admin/keys/{key.id}/edit").text
    assert "a.example\nb.example</textarea>" in shown
    answer = edit(signed_in, key.id, environment="staging", allow_hosts="a.example\r\nb.example")
    assert answer.headers["location"].endswith("?done=nothing")
    assert "edit key" not in {row["act"] for row in audit.recent(db)}
    assert keys.find(db, key.id) == key


@pytest.mark.parametrize(
    "change",
    [
        {"name": "narrow"}, {"plan": "small"}, {"environment": "staging"}, {"allow_hosts": ["a.example"]},
        {"expires": DAY},
    ],
)  # fmt: skip
def test_an_old_form_takes_back_nothing(
    signed_in: Client, db: sqlite_utils.Database, secret: str, change: dict[str, Any]
) -> None:
    plans.set_plan(db, "small", {})
    key_id = keys.find(db, secret[:12]).id
    old = hidden(signed_in.get(f"/admin/keys/{key_id}/edit").text, "shown")
    changed = keys.edit(db, key_id, change)
    typed = {"environment": "typed", "expires": "never"}
    for shown in (old, "", "x"):
        refused = edit(signed_in, key_id, shown=shown, **typed)
        assert refused.status_code == 400
        assert "This key was changed since this form was shown" in refused.text
        assert 'value="typed"' in refused.text
        assert keys.find(db, key_id) == changed
    assert f"It has name {changed.name}, plan {changed.plan.name}" in refused.text
    assert edit(signed_in, key_id, shown=hidden(refused.text, "shown"), **typed).status_code == 303
    assert keys.find(db, key_id).environment == "typed"


def test_a_mistake_in_an_old_form_makes_it_no_newer(signed_in: Client, db: sqlite_utils.Database, secret: str) -> None:
    key_id = keys.find(db, secret[:12]).id
    old = hidden(signed_in.get(f"/admin/keys/{key_id}/edit").text, "shown")
    keys.edit(db, key_id, {"allow_hosts": ["a.example"]})
    mistaken = edit(signed_in, key_id, shown=old, expires="other", until="soon")
    assert edit(signed_in, key_id, shown=hidden(mistaken.text, "shown")).status_code == 400
    assert keys.find(db, key_id).allow_hosts == "a.example"


def test_a_change_between_look_and_save_is_seen(db: sqlite_utils.Database, secret: str) -> None:
    def refuse(key: keys.KeySecret) -> None:
        raise OperatorError(key.name)

    with pytest.raises(OperatorError, match="tests"):
        keys.edit(db, secret[:12], {"name": "other"}, require=refuse)
    assert live(db) == ["tests"]


def test_an_old_form_of_a_plan_takes_back_nothing(signed_in: Client, db: sqlite_utils.Database) -> None:
    plans.set_plan(db, "small", {"weight": 2})
    where = "/admin/plans/edit?name=small"
    old = hidden(signed_in.get(where).text, "shown")
    changed = plans.set_plan(db, "small", {"screenshots_per_hour": 5})
    for shown in (old, ""):
        refused = signed_in.post(where, data=NUMBERS | {"shown": shown, "weight": "9"})
        assert refused.status_code == 400
        assert "This plan was changed since this form was shown" in refused.text
        assert changed in plans.plans(db)
    assert "screenshots per hour 5, " in refused.text
    sent = NUMBERS | {"weight": "9", "shown": hidden(refused.text, "shown")}
    assert signed_in.post(where, data=sent, follow_redirects=False).status_code == 303
    plans.remove_plan(db, "small")
    assert signed_in.post(where, data=sent).status_code == 404


def test_a_later_expiry_brings_an_expired_key_back(signed_in: Client, db: sqlite_utils.Database, secret: str) -> None:
    key_id = keys.find(db, "tests").id
    keys.edit(db, key_id, {"expires": timedelta(microseconds=1)})
    assert picture(signed_in, secret) == 401
    edit(signed_in, key_id, expires="30d")
    assert picture(signed_in, secret) == 200


@pytest.mark.parametrize(("field", "fields", "told"), [row for row in WRONG if row[0] != "organization"])
def test_an_edit_that_is_wrong_is_told_at_its_field(
    signed_in: Client, db: sqlite_utils.Database, secret: str, field: str, fields: dict[str, str], told: str
) -> None:
    key = keys.find(db, secret[:12])
    answer = edit(signed_in, key.id, **fields)
    assert answer.status_code == 400
    assert told in error_at(answer, field)
    assert keys.find(db, key.id) == key


def test_every_act_is_written_down_with_who_did_it(signed_in: Client, db: sqlite_utils.Database) -> None:
    make(signed_in, name="tests")
    key_id = keys.find(db, "tests").id
    rotate(signed_in, key_id)
    signed_in.post(f"/admin/keys/{key_id}/delete", data={"typed": "tests"})
    told = [(row["act"], row["actor"], row["address"]) for row in reversed(audit.recent(db))]
    assert told == [(act, "operator", "testclient") for act in ("create key", "rotate key", "revoke key", "revoke key")]


# --- what names may hold ------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea></option><svg onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "\u05d0\u05d1 \u0627\u0644",
    "W" * 100,
    "\U0001f9ff\U0001f468\u200d\U0001f469",
]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()])
def test_hostile_names_are_text_on_every_page(signed_in: Client, db: sqlite_utils.Database, text: str) -> None:
    plans.set_plan(db, text, {})
    make(signed_in, name=text, plan=text, environment=text, organization=text)
    key = keys.find(db, text)
    rotated = rotate(signed_in, key.id)
    paths = [f"keys/{key.id}", f"keys/{key.id}/edit", "keys", "keys/new", "plans"]
    answers = [rotated, *(signed_in.get(f"/admin/{path}") for path in paths)]
    answers += [signed_in.get(f"/admin/{path}", params={"q": text, "name": text}) for path in ("keys", "plans/edit")]
    for answer in answers:
        assert answer.status_code == 200
        assert text in unescape(answer.text)
        assert foreign(answer) == []
    again = make(signed_in, name=text, plan=text, allow_hosts=text)
    assert again.status_code == 400
    assert foreign(again) == []


def foreign(answer: httpx.Response) -> list[Any]:
    """Return the elements of a page that no template of ours has."""
    ours = "starts-with(@src, '/admin/static/')"
    found = html.fromstring(answer.text).xpath(
        f"//*[@*[starts-with(name(), 'on')] or @style or self::script[not({ours})] or self::img[not({ours})]"
        " or self::svg[not(@class='bars' or @class='wide bars')]]"
    )
    return list(found)


# --- plans --------------------------------------------------------------------------------------

NUMBERS = {
    "screenshots_per_hour": "500",
    "screenshots_burst": "20",
    "requests_per_hour": "1,000",
    "requests_burst": "50",
    "screenshots_per_month": "",
    "bandwidth_per_month": "5000000000",
    "weight": "2",
}


def test_a_plan_is_made_changed_and_removed(signed_in: Client, db: sqlite_utils.Database) -> None:
    made = signed_in.post("/admin/plans/new", data={"name": "a/b & c"} | NUMBERS)
    assert "The plan is saved" in made.text
    [plan] = [plan for plan in plans.plans(db) if plan.name == "a/b & c"]
    assert (plan.requests_per_hour, plan.screenshots_per_month, plan.bandwidth_per_month) == (1000, None, 5 * 10**9)
    where = {"name": "a/b & c"}
    shown = hidden(signed_in.get("/admin/plans/edit", params=where).text, "shown")
    changes = NUMBERS | {"shown": shown, "screenshots_per_month": "100", "bandwidth_per_month": "unlimited"}
    signed_in.post("/admin/plans/edit", params=where, data=changes)
    [plan] = [plan for plan in plans.plans(db) if plan.name == "a/b & c"]
    assert (plan.screenshots_per_month, plan.bandwidth_per_month) == (100, None)
    assert "The plan is removed" in signed_in.post("/admin/plans/remove", params=where).text
    told = [(row["act"], row["actor"], row["subject"]) for row in audit.recent(db)]
    assert told[0] == ("remove plan", "operator", "a/b & c")
    assert told[1][2] == "a/b & c: screenshots per month 100, bandwidth per month unlimited"


@pytest.mark.parametrize(
    ("field", "fields", "told"),
    [
        ("name", {"name": ""}, "1 to 100 printable characters"),
        ("name", {"name": "default"}, "There is a plan 'default' already"),
        ("screenshots_per_hour", {"screenshots_per_hour": ""}, "must be a whole number."),
        ("screenshots_per_hour", {"screenshots_per_hour": "unlimited"}, "must be a whole number."),
        ("requests_burst", {"requests_burst": "1.5"}, "must be a whole number."),
        ("requests_burst", {"requests_burst": "²"}, "must be a whole number."),
        ("weight", {"weight": "0"}, "Weight must be between 1 and 100, not 0."),
        ("weight", {"weight": "-1"}, "Weight must be between 1 and 100, not -1."),
        ("screenshots_burst", {"screenshots_burst": "9" * 20}, "Screenshots burst must be between 1 and 2147483647"),
        ("screenshots_burst", {"screenshots_burst": "9" * 19_000}, "must be a whole number."),
        ("screenshots_per_month", {"screenshots_per_month": "many"}, "must be a whole number, or unlimited."),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_at_its_field(
    signed_in: Client, db: sqlite_utils.Database, field: str, fields: dict[str, str], told: str
) -> None:
    answer = signed_in.post("/admin/plans/new", data={"name": "small"} | NUMBERS | fields)
    assert answer.status_code == 400
    assert told in error_at(answer, field)
    assert [plan.name for plan in plans.plans(db)] == ["default"]


def test_a_plan_with_keys_stays(signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    plans.set_plan(db, "small", {})
    keys.create(db, hasher, "Invoices", plan="small")
    assert "Remove this plan" not in signed_in.get("/admin/plans/edit?name=small").text
    refused = signed_in.post("/admin/plans/remove?name=small")
    assert refused.status_code == 400
    assert "Keys are on the plan &#39;small&#39; (Invoices)" in refused.text


def test_the_default_plan_stays(signed_in: Client, db: sqlite_utils.Database) -> None:
    assert signed_in.post("/admin/plans/remove?name=default").status_code == 400
    assert [plan.name for plan in plans.plans(db)] == ["default"]


@pytest.mark.parametrize("act", ["edit", "remove"])
def test_a_plan_that_is_not_there_is_not_found(signed_in: Client, act: str) -> None:
    assert signed_in.post(f"/admin/plans/{act}?name=nothing", data=NUMBERS).status_code == 404


def test_plans_tell_how_many_keys_are_on_them(
    signed_in: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    for name in ("one", "two", "three"):
        keys.create(db, hasher, name)
    keys.revoke(db, "three")
    listed = signed_in.get("/admin/plans").text
    assert '<a href="/admin/keys?plan=default&amp;state=all">2</a> <small>1 ended</small>' in listed
