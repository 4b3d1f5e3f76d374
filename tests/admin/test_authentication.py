"""The door of the operator's page, attacked: only whoever has the password, or a link, comes in."""

import json
import logging
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
import sqlite_utils
from argon2 import PasswordHasher, profiles
from argon2.exceptions import VerifyMismatchError
from litestar import Litestar
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send

from allscreenshots_box import logs
from allscreenshots_box.admin import authentication as door_of_page
from allscreenshots_box.admin import password as passwords
from allscreenshots_box.admin import sessions
from allscreenshots_box.admin.authentication import MOST_COOKIES, destination
from allscreenshots_box.admin.csrf import LONGEST_REASON
from allscreenshots_box.admin.login_throttle import (
    KNOWN_FOR,
    MOST_KNOWN,
    MOST_NEAR,
    MOST_PROOFS,
    OF_ADDRESS,
    OF_ALL,
    OF_NEAR,
    LoginThrottle,
    near,
)
from allscreenshots_box.admin.path_prefix import LONGEST
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.keys.rate_limits import TokenBuckets
from allscreenshots_box.storage import audit
from allscreenshots_box.storage.audit import Actor
from allscreenshots_box.storage.database import open_database, writing
from allscreenshots_box.web.areas import Side, beside
from tests.conftest import StandIn, standing_in

PASSWORD = "correct horse battery staple"
OTHER = "another horse, another staple"
BASE = "http://testserver.local"
BURST = OF_ADDRESS.requests_burst
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPERATOR = Actor("operator", "192.0.2.7")

Client = TestClient[Litestar]


class Clock:
    """Stands still, unless the test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(api: Client, clock: Clock, db: sqlite_utils.Database, hasher: PasswordHasher) -> Client:
    """Return a browser of sorts, before a box with a password: at any address, and it says where its forms are from."""
    return browser(api, clock, db, hasher)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return the same, for tables of what leaves no trace in it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("door"))
    with TestClient(create_app(settings, standing_in(StandIn()))) as api:
        db = open_database(settings.database_path)
        yield browser(api, Clock(), db, PasswordHasher.from_parameters(profiles.CHEAPEST))
        db.close()


def browser(api: Client, clock: Clock, db: sqlite_utils.Database, hasher: PasswordHasher) -> Client:
    authentication, inner = api.app.state.authentication, api.app.asgi_handler
    authentication.now, authentication._throttle._buckets._now = clock, clock.seconds
    authentication._hasher._argon2 = hasher

    async def at_address(scope: Scope, receive: Receive, send: Send) -> None:
        if given := dict(scope.get("headers", [])).get(b"x-test-address"):
            scope["client"] = (given.decode(), 1)
        await inner(scope, receive, send)

    api.app.asgi_handler = at_address
    api.follow_redirects = False
    api.headers.update({"Origin": BASE, "Accept": "text/html,*/*;q=0.8", "X-Test-Address": "192.0.2.7"})
    passwords.set_password(db, hasher.hash(PASSWORD), now=clock.now)
    return api


def sign_in(page: Client, password: str = PASSWORD, *, to: str = "", **headers: str) -> httpx.Response:
    return page.post("/admin/sign-in", data={"password": password, "next": to}, headers=headers)


def link(db: sqlite_utils.Database, now: datetime = NOW) -> str:
    tokens: list[str] = []
    passwords.make_link(db, tokens.append, now=now)
    return f"/admin/link/{tokens[0]}"


def twice(password: str = OTHER) -> dict[str, str]:
    return {"password": password, "repeat": password}


def is_in(page: Client) -> bool:
    return page.get("/admin").status_code == httpx.codes.OK


def opens(page: Client, token: str) -> bool:
    """Say whether a session's token opens the page, and leave no cookie behind."""
    page.cookies.clear()
    return page.get("/admin", headers={"Cookie": f"allscreenshots-box={token}"}).status_code == httpx.codes.OK


def acts(db: sqlite_utils.Database) -> list[tuple[str, str]]:
    return [(row["act"], row["actor"]) for row in reversed(audit.recent(db))]


# --- who comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/", "/admin/keys", "/admin/account", "/admin/no-such-thing", "//admin"]
)
def test_whoever_is_not_signed_in_is_sent_to_sign_in_whatever_the_path(stranger: Client, path: str) -> None:
    answer = stranger.get(f"{BASE}{path}")
    assert answer.status_code == 303
    assert answer.headers["location"].partition("?")[0] == "/admin/sign-in"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/admin/keys", "/admin/account/sign-out", "/admin/no-such-thing"])
def test_other_methods_without_a_session_are_401_whatever_the_path(stranger: Client, method: str, path: str) -> None:
    assert stranger.request(method, path).status_code == 401


def test_a_script_is_not_sent_elsewhere_but_told(page: Client) -> None:
    assert page.get("/admin/keys", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    told = page.get("/admin/keys", headers={"Accept": "application/json"})
    assert (told.status_code, told.json()["error"]) == (401, "not_signed_in")


def test_the_password_opens_the_page(page: Client, db: sqlite_utils.Database) -> None:
    answer = sign_in(page)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    assert is_in(page)
    assert acts(db)[-1] == ("sign in", "operator")


def test_however_an_accent_is_typed_it_is_the_same_password(
    page: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    passwords.set_password(db, hasher.hash(passwords.readable("cafe\u0301 cafe\u0301 cafe\u0301")), now=NOW)
    assert sign_in(page, "caf\u00e9 caf\u00e9 caf\u00e9").status_code == 303


@pytest.mark.parametrize("wrong", ["", "x", PASSWORD.upper(), PASSWORD + " ", PASSWORD + "\0", "\u00e9" * 600])
def test_nothing_else_does(stranger: Client, wrong: str) -> None:
    answer = sign_in(stranger, wrong)
    assert answer.status_code == 401
    assert "This is not the password." in answer.text
    assert "set-cookie" not in answer.headers
    assert not is_in(stranger)


def test_before_there_is_a_password_the_page_says_what_to_run(api: Client) -> None:
    assert "<code>allscreenshots-box admin link</code>" in api.get("/admin/sign-in").text
    answer = api.post("/admin/sign-in", data={"password": ""}, headers={"Origin": BASE})
    assert (answer.status_code, "No password yet" in answer.text) == (401, True)


def test_a_key_never_opens_the_page(page: Client, as_key: dict[str, str], secret: str) -> None:
    for headers in (as_key, {"Authorization": f"Bearer {secret}"}, {"Cookie": f"allscreenshots-box={secret}"}):
        assert page.get("/admin/keys", headers=headers).status_code == 303
        assert page.post("/admin/account/sign-out", headers=headers).status_code == 401
    assert sign_in(page, secret).status_code == 401


def test_a_session_never_opens_the_api(page: Client) -> None:
    sign_in(page)
    token = page.cookies["allscreenshots-box"]
    for headers in (
        {"Cookie": f"allscreenshots-box={token}"},
        {"X-API-Key": token},
        {"Authorization": f"Bearer {token}"},
    ):
        answer = page.post("/v1/screenshots", json={"url": "https://example.com"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


# --- sessions -----------------------------------------------------------------------------------


def test_a_session_that_is_not_used_is_over(page: Client, clock: Clock) -> None:
    sign_in(page)
    clock.now += sessions.IDLE - timedelta(seconds=1)
    assert is_in(page)
    clock.now += sessions.IDLE
    assert not is_in(page)


def test_a_session_in_use_is_over_in_the_end(page: Client, clock: Clock) -> None:
    sign_in(page)
    while clock.now + timedelta(hours=1) < NOW + sessions.LIFETIME:
        clock.now += timedelta(hours=1)
        assert is_in(page)
    clock.now += timedelta(hours=1)
    assert not is_in(page)


def test_signing_in_never_takes_up_a_token_that_was_there(page: Client) -> None:
    planted = "asks_" + "0" * 64
    page.cookies.set("allscreenshots-box", planted)
    given = sign_in(page).cookies["allscreenshots-box"]
    assert given != planted
    assert not opens(page, planted)


def test_signing_in_again_ends_the_session_before(page: Client) -> None:
    first = sign_in(page).cookies["allscreenshots-box"]
    second = sign_in(page).cookies["allscreenshots-box"]
    assert (opens(page, first), opens(page, second)) == (False, True)


def test_a_cookie_that_another_site_added_does_not_lock_out(page: Client) -> None:
    token = sign_in(page).cookies["allscreenshots-box"]
    page.cookies.clear()
    tossed = f"allscreenshots-box=x; other=1; allscreenshots-box={token}"
    assert page.get("/admin", headers={"Cookie": tossed}).status_code == 200


def test_cookies_of_our_name_are_looked_at_up_to_a_bound(page: Client) -> None:
    token = sign_in(page).cookies["allscreenshots-box"]
    page.cookies.clear()
    for planted, status in ((MOST_COOKIES - 1, 200), (MOST_COOKIES, 303)):
        cookies = "; ".join([*["allscreenshots-box=x"] * planted, f"allscreenshots-box={token}"])
        assert page.get("/admin", headers={"Cookie": cookies}).status_code == status


def test_signing_out_ends_the_session_itself(page: Client) -> None:
    token = sign_in(page).cookies["allscreenshots-box"]
    answer = page.post("/admin/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/sign-in")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not opens(page, token)


def test_signing_out_everywhere_ends_all(page: Client, db: sqlite_utils.Database) -> None:
    first = sign_in(page).cookies["allscreenshots-box"]
    page.cookies.clear()
    sign_in(page)
    page.post("/admin/account/sign-out")
    assert not is_in(page)
    assert not opens(page, first)
    assert acts(db)[-1] == ("sign out", "operator")


def test_sessions_are_bounded(db: sqlite_utils.Database) -> None:
    passwords.set_password(db, "hash", now=NOW)
    tokens = [
        passwords.sign_in(db, "hash", by=OPERATOR, now=NOW + timedelta(minutes=minute))
        for minute in range(sessions.MOST_SESSIONS + 1)
    ]
    now = NOW + timedelta(minutes=sessions.MOST_SESSIONS + 1)
    live = [token is not None and sessions.recognize(db, token, now=now) is not None for token in tokens]
    assert live == [False] + [True] * sessions.MOST_SESSIONS


def test_the_account_lists_who_is_signed_in(page: Client) -> None:
    sign_in(page, **{"X-Test-Address": "192.0.2.99"})
    page.cookies.clear()
    sign_in(page)
    shown = page.get("/admin/account").text
    assert "192.0.2.99" in shown
    assert shown.count("this one") == 1


# --- the password changed -----------------------------------------------------------------------


def test_changing_the_password_signs_out_everybody_else(page: Client) -> None:
    other = sign_in(page).cookies["allscreenshots-box"]
    page.cookies.clear()
    own = sign_in(page).cookies["allscreenshots-box"]
    answer = page.post("/admin/account/password", data={"old": PASSWORD, **twice()})
    assert answer.status_code == 303
    assert is_in(page)
    assert page.cookies["allscreenshots-box"] != own
    assert [opens(page, other), opens(page, own)] == [False, False]
    assert sign_in(page).status_code == 401
    assert sign_in(page, OTHER).status_code == 303


def test_a_change_that_cannot_be_says_why(page: Client) -> None:
    sign_in(page)
    cases: list[tuple[dict[str, str], str]] = [
        ({"old": "wrong", **twice()}, "The old password is not right."),
        ({"old": PASSWORD, "password": OTHER, "repeat": OTHER + "x"}, "The two passwords differ."),
        ({"old": PASSWORD, **twice("x" * 11)}, "at least 12 characters"),
        ({"old": PASSWORD, **twice("\u00e9" * 513)}, "at most 1024 bytes"),
        ({"old": PASSWORD, **twice("tab\ttab\ttab\t")}, "control characters"),
        ({"x": ""}, "at least 12 characters"),
    ]
    for sent, said in cases:
        answer = page.post("/admin/account/password", data=sent)
        assert (answer.status_code, said in answer.text) == (400, True)
        assert not any(len(value) > 5 and value in answer.text for value in sent.values())
    assert is_in(page)


@pytest.mark.parametrize("password", ["x" * 12, "\u00e9" * 512, "with \u00a0 spaces  "])
def test_passwords_at_the_bounds_are_taken(password: str) -> None:
    assert passwords.readable(password) == password


def test_a_password_set_beside_the_server_signs_out_everybody(
    page: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    sign_in(page)
    passwords.set_password(db, hasher.hash(OTHER), now=NOW)
    assert not is_in(page)


def test_a_proof_of_an_old_password_opens_nothing(db: sqlite_utils.Database) -> None:
    passwords.set_password(db, "new", now=NOW)
    assert passwords.sign_in(db, "old", by=OPERATOR, now=NOW) is None
    assert passwords.change_password(db, "old", "third", by=OPERATOR, now=NOW) is None
    assert passwords.password_hash(db) == "new"


def test_a_hash_of_a_lower_cost_is_made_anew(page: Client, db: sqlite_utils.Database) -> None:
    page.app.state.authentication._hasher._argon2 = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1)
    before = passwords.password_hash(db)
    assert sign_in(page).status_code == 303
    assert passwords.password_hash(db) != before
    assert sign_in(page).status_code == 303


# --- one-time links -----------------------------------------------------------------------------


def test_a_link_sets_the_password_once(page: Client, db: sqlite_utils.Database) -> None:
    path = link(db)
    answer = page.post(path, data=twice())
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    assert is_in(page)
    page.cookies.clear()
    assert page.post(path, data=twice("a third password, later")).status_code == 404
    assert sign_in(page, OTHER).status_code == 303


def test_looking_at_a_link_uses_nothing_up(page: Client, db: sqlite_utils.Database) -> None:
    path = link(db)
    for method in ("GET", "GET", "HEAD", "OPTIONS"):
        page.request(method, path)
    assert page.post(path, data=twice()).status_code == 303


def test_a_link_opens_no_page_before_the_password_is_set(page: Client, db: sqlite_utils.Database) -> None:
    assert "set-cookie" not in page.get(link(db)).headers
    assert not is_in(page)


def test_a_mistake_in_the_form_leaves_the_link_good(page: Client, db: sqlite_utils.Database) -> None:
    path = link(db)
    assert page.post(path, data=twice("short")).status_code == 400
    assert page.post(path, data={"password": OTHER, "repeat": "else"}).status_code == 400
    assert page.post(path, data=twice()).status_code == 303


def test_a_link_is_good_for_half_an_hour(page: Client, db: sqlite_utils.Database, clock: Clock) -> None:
    path = link(db)
    clock.now += passwords.LINK_LIFETIME - timedelta(seconds=1)
    assert page.get(path).status_code == 200
    clock.now += timedelta(seconds=1)
    assert page.get(path).status_code == 404
    assert page.post(path, data=twice()).status_code == 404


@pytest.mark.parametrize("how", ["a newer one", "a password by command", "a password on the page"])
def test_a_link_ends_with(page: Client, db: sqlite_utils.Database, hasher: PasswordHasher, how: str) -> None:
    path = link(db)
    match how:
        case "a newer one":
            link(db)
        case "a password by command":
            passwords.set_password(db, hasher.hash(OTHER), now=NOW)
        case _:
            sign_in(page)
            page.post("/admin/account/password", data={"old": PASSWORD, **twice()})
    assert page.post(path, data=twice()).status_code == 404


def test_of_two_who_use_a_link_at_once_one_comes_in(page: Client, db: sqlite_utils.Database) -> None:
    path, both = link(db), threading.Barrier(2)

    def use(password: str) -> int:
        both.wait()
        return page.post(path, data=twice(password)).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, [OTHER, "yet another staple"])) == [303, 404]


@pytest.mark.parametrize("token", ["x", "askl_" + "0" * 64, "%00", "a" * 5000, "..", "%2e%2e", "\u00e9"])
def test_no_other_link_is_one(stranger: Client, token: str) -> None:
    assert stranger.get(f"/admin/link/{token}").status_code in {303, 404}
    assert stranger.post(f"/admin/link/{token}", data=twice()).status_code in {401, 404}


def test_a_link_that_nobody_got_is_not_made(db: sqlite_utils.Database) -> None:
    def broken(_: str) -> None:
        raise OperatorError("The secret could not be printed; nothing was changed.")

    with pytest.raises(OperatorError):
        passwords.make_link(db, broken, now=NOW)
    assert list(db.query("select * from links")) == []
    assert acts(db) == []


# --- where a request comes from -----------------------------------------------------------------

HTTPS = BASE.replace("http:", "https:")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": f"{BASE}.evil.example"},
        {"Origin": f"{BASE}:81"},
        {"Origin": f"http://evil.example/{BASE}"},
        {"Origin": f"{BASE} http://evil.example"},
        {"Origin": HTTPS},
        {"Origin": "http://x@testserver.local"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": BASE, "Sec-Fetch-Site": "same-site"},
        {"Origin": BASE, "Host": "evil.example"},
        {"Origin": BASE, "Host": ""},
        {"Origin": BASE, "X-Forwarded-Host": "evil.example", "Host": "evil.example"},
        {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
        {"Origin": HTTPS, "X-Forwarded-Proto": "https"},
        {"Origin": "http://evil.example", "Referer": f"{BASE}/admin"},
    ],
)
def test_what_another_origin_sends_is_refused(stranger: Client, headers: dict[str, str]) -> None:
    for path in (
        "/admin/account/sign-out",
        "/admin/sign-out",
        "/admin/sign-in",
        "/admin/link/x",
        "/admin/no-such-thing",
    ):
        assert stranger.post(path, data=twice(PASSWORD), headers=headers).status_code == 403


def test_what_is_refused_changes_nothing(page: Client) -> None:
    sign_in(page)
    for path in ("/admin/account/sign-out", "/admin/sign-out"):
        assert page.post(path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert is_in(page)


def test_without_an_origin_the_referer_must_be_ours(page: Client) -> None:
    del page.headers["Origin"]
    assert sign_in(page).status_code == 403
    for referer in ("", "http://evil.example/admin", "nonsense", "http://[", f"{BASE}.evil.example", "null"):
        assert sign_in(page, Referer=referer).status_code == 403
    assert sign_in(page, Referer=f"{BASE}/admin/sign-in").status_code == 303


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Host": "TestServer.local:80"}]
)
def test_what_our_own_page_sends_is_taken(page: Client, headers: dict[str, str]) -> None:
    assert sign_in(page, **headers).status_code == 303


def test_two_origins_are_none(page: Client) -> None:
    headers = [("Origin", BASE), ("Origin", "http://evil.example"), ("X-Test-Address", "192.0.2.7")]
    del page.headers["Origin"]
    assert page.post("/admin/sign-in", data={"password": PASSWORD}, headers=headers).status_code == 403


def test_strangers_write_little_into_the_log(page: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "allscreenshots_box")
    sites = f"http://b:word@evil.example/?secret {'y' * 1000}"
    assert sign_in(page, **{"Origin": f"http://a:word@evil.example/{'x' * 60}?secret", "Sec-Fetch-Site": sites})
    [line] = [vars(record)["fields"] for record in caplog.records if record.getMessage() == "request"]
    assert line["reason"].startswith(f"to {BASE} from http://evil.example/xxx")
    assert len(line["reason"]) == LONGEST_REASON
    assert not re.search("word|secret", line["reason"])


def test_a_refusal_says_how_to_mend_a_proxy(page: Client) -> None:
    assert "trusted_proxy" in sign_in(page, Origin=HTTPS).text


@pytest.mark.parametrize(
    "forwarded", [{"Host": "inner:8080", "X-Forwarded-Host": "shots.example"}, {"Host": "shots.example"}]
)
def test_behind_a_trusted_proxy_the_page_is_where_the_browser_sees_it(
    settings: Settings, clock: Clock, db: sqlite_utils.Database, hasher: PasswordHasher, forwarded: dict[str, str]
) -> None:
    app = create_app(
        replace(settings, trusted_proxy=(ip_network("10.0.0.1"),)),
        standing_in(StandIn()),
    )
    with TestClient(app) as api:
        page = browser(api, clock, db, hasher)
        headers = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "192.0.2.7",
            "X-Test-Address": "10.0.0.1",
            **forwarded,
        }
        assert sign_in(page, Origin="http://shots.example", **headers).status_code == 403
        answer = sign_in(page, Origin="https://shots.example", **headers)
        assert answer.status_code == 303
        assert answer.headers["set-cookie"].startswith("__Secure-allscreenshots-box=asks_")
        assert "Secure" in answer.headers["set-cookie"].split("; ")
        assert sessions.those(db, now=NOW)[0].address == "192.0.2.7"


PROXIED = {"Host": "shots.example", "X-Test-Address": "10.0.0.1", "X-Forwarded-For": "192.0.2.7"}
NO_PREFIX = ["", "/", "//evil.example", "/a/../b", '/a"onclick="x', "/a b", "a", "/a?b", "/" + "a" * LONGEST, "/ü"]


@pytest.fixture
def proxied(settings: Settings, clock: Clock, db: sqlite_utils.Database, hasher: PasswordHasher) -> Iterator[Client]:
    """Yield the page behind a proxy at http://shots.example that is trusted."""
    app = create_app(replace(settings, trusted_proxy=(ip_network("10.0.0.1"),)), standing_in(StandIn()))
    with TestClient(app) as api:
        page = browser(api, clock, db, hasher)
        page.headers.update(PROXIED)
        yield page


def test_below_a_prefix_all_that_leads_to_the_page_has_it(proxied: Client) -> None:
    there = {"X-Forwarded-Prefix": "/tools/shots/"}
    away = proxied.get("/admin/keys", headers=there)
    assert away.headers["location"] == "/tools/shots/admin/sign-in?next=/admin/keys"
    answer = sign_in(proxied, Origin="http://shots.example", **there)
    assert answer.headers["location"] == "/tools/shots/admin"
    assert "path=/tools/shots/admin" in answer.headers["set-cookie"].lower()
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    for path in ("/admin", "/admin/keys", "/admin/keys/new", "/admin/plans", "/admin/playground", "/admin/activity"):
        shown = proxied.get(path, headers=there | cookie)
        led = re.findall(r'(?:href|src|action)="(/[^"]*)"', shown.text)
        assert [one for one in led if not one.startswith("/tools/shots/admin")] == []
        assert shown.status_code == 200
        assert led != []


@pytest.mark.parametrize("prefix", NO_PREFIX)
def test_what_is_no_path_is_no_prefix(proxied: Client, prefix: str) -> None:
    away = proxied.get("/admin/keys", headers=[(b"X-Forwarded-Prefix", prefix.encode())])
    assert away.headers["location"] == "/admin/sign-in?next=/admin/keys"


def test_a_prefix_is_believed_of_nobody_else(page: Client) -> None:
    away = page.get("/admin/keys", headers={"X-Forwarded-Prefix": "/evil"})
    assert away.headers["location"] == "/admin/sign-in?next=/admin/keys"


def test_the_cookie_is_for_nobody_but_the_page(page: Client) -> None:
    given = sign_in(page).headers["set-cookie"]
    assert {part.lower() for part in given.split("; ")[1:]} == {"httponly", "path=/admin", "samesite=strict"}


def test_under_tls_the_cookie_is_secure(page: Client) -> None:
    page.base_url = HTTPS
    answer = sign_in(page, Origin=HTTPS)
    assert answer.headers["set-cookie"].startswith("__Secure-allscreenshots-box=asks_")
    assert "Secure" in answer.headers["set-cookie"].split("; ")


def test_no_page_of_ours_can_be_framed_or_runs_what_is_written_into_it(page: Client) -> None:
    paths = ["/admin/sign-in", "/admin/keys", "/admin/no-such-thing", "/admin/static/style.css", "/admin/link/x"]
    for answer in [page.get(path) for path in paths] + [sign_in(page)] + [page.get(path) for path in paths]:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


# --- where it leads -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        "", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "http:/evil.example",
        "javascript:alert(1)", "/admin//evil.example", "/admin/../../evil", "/admin/..%2f..", "/admin/%2e%2e/v1",
        "/admin/%5cevil", "/admin\\..\\evil", "/admin/keys\r\nSet-Cookie: x=1", "/admin/\tkeys", " /admin/keys",
        "/adminevil", "/admin.evil.example", "/admin@evil.example", "/v1/usage", "/", "/admin/sign-out",
        "/admin/sign-in", "/admin/link/x", "/admin/k\u00e9ys", "/admin/%0d%0aX:1", "/admin/%00", "/admin/keys#x",
        "/admin/keys?next=//evil.example", "/admin/" + "x" * 500, "%2fadmin", "/admin/keys/", "/admin?x=<b>",
    ],
)  # fmt: skip
def test_after_signing_in_one_is_led_nowhere_but_to_the_page(wanted: str) -> None:
    assert destination(wanted) == "/admin"


def test_whatever_the_form_and_the_address_say(page: Client) -> None:
    for wanted in ("//evil.example", "https://evil.example", "/admin/../../evil"):
        assert sign_in(page, to=wanted).headers["location"] == "/admin"
        assert page.get("/admin/sign-in", params={"next": wanted}).headers["location"] == "/admin"


@pytest.mark.parametrize(
    "wanted",
    ["/admin", "/admin/keys", "/admin/keys?state=all&page=2", "/admin/plans/my%20plan", "/admin/keys/ask_12345678"],
)
def test_signing_in_leads_to_where_one_wanted_to_go(page: Client, wanted: str) -> None:
    asked = page.get(f"{BASE}{wanted}").headers["location"]
    form = page.get(asked).text
    shown = form.partition('name="next" value="')[2].partition('"')[0].replace("&amp;", "&")
    assert shown == wanted
    assert sign_in(page, to=shown).headers["location"] == wanted


# --- brute force --------------------------------------------------------------------------------


def test_wrong_passwords_are_throttled_by_address(page: Client, clock: Clock) -> None:
    assert [sign_in(page, "wrong").status_code for _ in range(BURST)] == [401] * BURST
    refused = sign_in(page, "wrong")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert "Too many wrong passwords from your address" in refused.text
    clock.now += timedelta(seconds=30)
    assert [sign_in(page, "wrong").status_code for _ in range(2)] == [401, 429]


def test_a_right_password_waits_like_a_wrong_one(page: Client, clock: Clock) -> None:
    for _ in range(BURST):
        sign_in(page, "wrong")
    assert sign_in(page).status_code == 429
    clock.now += timedelta(seconds=30)
    assert sign_in(page).status_code == 303


def test_a_flood_from_one_address_leaves_others_free(page: Client) -> None:
    for _ in range(BURST + 1):
        sign_in(page, "wrong")
    assert sign_in(page, **{"X-Test-Address": "192.0.2.8"}).status_code == 303


@pytest.mark.parametrize(
    ("other", "status"), [("2001:db8:0:1:ffff::9", 429), ("2001:db8:0:2::1", 303), ("::ffff:192.0.2.7", 303)]
)
def test_addresses_of_one_ipv6_site_are_one(page: Client, other: str, status: int) -> None:
    for _ in range(BURST):
        sign_in(page, "wrong", **{"X-Test-Address": "2001:db8:0:1::1"})
    assert sign_in(page, **{"X-Test-Address": other}).status_code == status


def test_right_passwords_are_not_counted(page: Client) -> None:
    assert [sign_in(page).status_code for _ in range(BURST + 1)] == [303] * (BURST + 1)


def test_the_old_password_cannot_be_guessed_on_the_account_either(page: Client) -> None:
    sign_in(page)
    sent = {"old": "wrong", **twice()}
    statuses = [page.post("/admin/account/password", data=sent).status_code for _ in range(BURST + 1)]
    assert statuses == [400] * BURST + [429]


class SlowHasher(PasswordHasher):
    """Says no to a wrong password, once the test allows it."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - as it is there
        if password != PASSWORD:
            assert self.may.wait(30)
            raise VerifyMismatchError
        return super().verify(hash, password)


def wrong_from(page: Client, address: str) -> int:
    return sign_in(page, "wrong", **{"X-Test-Address": address}).status_code


@contextmanager
def line_of(page: Client, addresses: list[str]) -> Iterator[None]:
    """Keep a wrong password from each of *addresses* in the line."""
    page.app.state.authentication._hasher._argon2 = hasher = SlowHasher()
    proving = page.app.state.authentication._throttle._proving
    with ThreadPoolExecutor(len(addresses)) as pool:
        running = [pool.submit(wrong_from, page, address) for address in addresses]
        while len(proving) < len(addresses):
            time.sleep(0.01)
        try:
            yield
        finally:
            hasher.may.set()
        assert {one.result() for one in running} == {401}


FAR_APART = [f"198.51.{number}.7" for number in range(MOST_PROOFS)]


def test_proofs_are_bounded_in_all_and_by_address(page: Client) -> None:
    with line_of(page, FAR_APART):
        assert wrong_from(page, FAR_APART[3]) == 429
        refused = sign_in(page)
        assert (refused.status_code, "the page to sign in on names the command" in refused.text) == (503, True)


def test_whoever_signed_in_well_has_a_place_of_his_own(page: Client) -> None:
    sign_in(page)
    page.cookies.clear()
    with line_of(page, FAR_APART):
        assert sign_in(page).status_code == 303


@pytest.mark.parametrize("site", ["2001:db8:1:{:x}::1", "198.51.100.{}"])
def test_a_flood_from_one_network_takes_a_part_of_the_line(page: Client, site: str) -> None:
    with line_of(page, [*(site.format(number) for number in range(MOST_NEAR)), "203.0.113.9"]):
        assert wrong_from(page, site.format(99)) == 429


def test_a_network_of_many_addresses_has_a_bound_of_its_own(page: Client, clock: Clock) -> None:
    statuses = [wrong_from(page, f"2001:db8:1:{number:x}::1") for number in range(OF_NEAR.requests_burst + 1)]
    assert statuses == [401] * OF_NEAR.requests_burst + [429]
    assert sign_in(page, **{"X-Test-Address": "2001:db8:2::1"}).status_code == 303
    clock.now += timedelta(hours=1) / OF_NEAR.requests_per_hour
    assert [wrong_from(page, f"2001:db8:1:{number:x}::1") for number in (60, 61)] == [401, 429]


def drain(page: Client) -> None:
    """Try as many wrong passwords as all strangers have, and one more."""
    statuses = [wrong_from(page, f"198.{number}.1.1") for number in range(OF_ALL.requests_burst + 1)]
    assert statuses == [401] * OF_ALL.requests_burst + [503]


@pytest.mark.parametrize("how", ["signed in before", "is signed in", "link", "changed the password"])
def test_a_flood_from_everywhere_never_locks_out_who_is_known(
    page: Client, db: sqlite_utils.Database, how: str
) -> None:
    password = PASSWORD
    match how:
        case "signed in before":
            sign_in(page)
            page.post("/admin/sign-out")
        case "is signed in":
            passwords.sign_in(db, str(passwords.password_hash(db)), by=OPERATOR, now=NOW)
        case "link":
            page.post(link(db), data=twice())
            page.post("/admin/sign-out")
            password = OTHER
        case _:
            sign_in(page)
            page.post("/admin/account/password", data={"old": PASSWORD, **twice()})
            page.post("/admin/sign-out")
            password = OTHER
    page.cookies.clear()
    drain(page)
    assert sign_in(page, password).status_code == 303
    assert sign_in(page, password, **{"X-Test-Address": "203.0.113.9"}).status_code == 503


def test_one_who_is_refused_is_told_of_the_link(page: Client) -> None:
    drain(page)
    refused = sign_in(page)
    assert "the page to sign in on names the command" in refused.text
    assert refused.headers["retry-after"] == "3"


def test_who_proved_an_old_password_is_not_known_by_it(
    page: Client, db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    sign_in(page)
    passwords.set_password(db, hasher.hash(OTHER), now=NOW)
    drain(page)
    assert sign_in(page, OTHER).status_code == 503


def test_a_refused_try_is_counted_nowhere(page: Client) -> None:
    for _ in range(OF_ALL.requests_burst + 1):
        wrong_from(page, "198.51.100.1")
    assert [wrong_from(page, f"198.51.100.{number}") for number in range(2, 22)] == [401] * 20


def test_known_addresses_are_bounded() -> None:
    guesses = LoginThrottle(TokenBuckets())
    for number in range(MOST_KNOWN + 1):
        guesses.remember(f"192.0.2.{number}", "hash", NOW)
    assert [guesses.knows(f"192.0.2.{number}", "hash", NOW) for number in (0, 1, MOST_KNOWN)] == [False, True, True]
    assert not guesses.knows("192.0.2.1", "hash", NOW + KNOWN_FOR)
    assert not guesses.knows("", "", NOW)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_addresses_near_each_other_are_of_one_network(address: str, network: str) -> None:
    assert near(address) == network


def test_failed_sign_ins_are_told_without_pushing_all_else_out(
    page: Client, db: sqlite_utils.Database, clock: Clock
) -> None:
    for number in range(BURST):
        sign_in(page, "wrong", **{"X-Test-Address": f"198.51.100.{number}"})
    assert acts(db)[1:] == [("fail to sign in", "nobody")]
    clock.now += door_of_page.TOLD_EVERY
    sign_in(page, "wrong")
    assert [(row["act"], row["subject"]) for row in audit.recent(db, number=1)] == [
        ("fail to sign in", f"{BURST} times")
    ]


def test_a_flood_that_lasts_is_told_ever_more_seldom(page: Client, db: sqlite_utils.Database, clock: Clock) -> None:
    authentication = page.app.state.authentication

    async def fail() -> None:
        await authentication._note_failure("198.51.100.1")

    with page.portal() as portal:
        for _ in range(3 * 24 * 60):
            portal.call(fail)
            clock.now += timedelta(minutes=1)
        told = [row["act"] for row in audit.recent(db, number=1000)].count("fail to sign in")
        assert told == 13  # at once, after 1, 3, 7 ... 2047 minutes, and then once a day
        clock.now += door_of_page.QUIET
        portal.call(fail)
        clock.now += door_of_page.TOLD_EVERY
        portal.call(fail)
    assert [row["subject"] for row in audit.recent(db, number=1)] == ["once"]
    assert [row["act"] for row in audit.recent(db, number=1000)].count("fail to sign in") == told + 2


def test_whoever_signs_in_leaves_the_failures_before_in_the_audit(page: Client, db: sqlite_utils.Database) -> None:
    for _ in range(3):
        sign_in(page, "wrong", **{"X-Test-Address": "192.0.2.8"})
    sign_in(page)
    assert [(row["actor"], row["address"], row["subject"]) for row in audit.recent(db, number=3)] == [
        ("operator", "192.0.2.7", "with the password"),
        ("nobody", "192.0.2.8", "2 times"),
        ("nobody", "192.0.2.8", "once"),
    ]


# --- forms, and what fails ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "status", "said"),
    [
        ("application/json", b'{"password": "x"}', 400, "must be sent as application/x-www-form-urlencoded"),
        ("multipart/form-data; boundary=x", b"--x--", 400, "must be sent as application/x-www-form-urlencoded"),
        ("text/plain", b"password=x", 400, "must be sent as application/x-www-form-urlencoded"),
        ("application/x-www-form-urlencoded", b"password=%ff", 400, "must be text in UTF-8"),
        ("application/x-www-form-urlencoded", b"\xff", 400, "must be text in UTF-8"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 101), 400, "at most 100 fields"),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 65_535, 413, "at most 65536 bytes"),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 16_383, 413, "at most 16384 bytes"),
        ("application/x-www-form-urlencoded; charset=utf-8", b"a=" + b"x" * 16_382, 401, "not the password"),
    ],
)
def test_a_form_is_text_and_not_much_of_it(stranger: Client, kind: str, body: bytes, status: int, said: str) -> None:
    answer = stranger.post("/admin/sign-in", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert said in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_what_fails_is_a_page_with_the_id_of_the_request(page: Client) -> None:
    sign_in(page)
    failures = [
        page.get("/admin/no-such-thing"),
        page.delete("/admin/keys"),
        page.get("/admin/keys?key=ask_" + "x" * 44),
        page.post("/admin/account/sign-out", headers={"Origin": "null"}),
    ]
    assert [answer.status_code for answer in failures] == [404, 405, 400, 403]
    for answer in failures:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-request-id"] in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_fault_is_a_page_too(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret from inside")

    sign_in(page)
    monkeypatch.setattr(sessions, "those", broken)
    answer = page.get("/admin/account")
    assert answer.status_code == 500
    assert "a secret from inside" not in answer.text
    assert answer.headers["x-request-id"] in answer.text


def locked(served: sqlite_utils.Database, other: sqlite_utils.Database) -> None:
    served.execute("pragma busy_timeout = 1")
    other.conn.execute("begin immediate")


def full(served: sqlite_utils.Database, other: sqlite_utils.Database) -> None:
    """Let the file grow no further, and fill what there is."""
    served.execute("pragma max_page_count = 1")
    for size in (1000, 100, 10, 0):
        with suppress(sqlite3.OperationalError):
            while True:
                with writing(served):
                    audit.record(served, OPERATOR, "", "x" * size)
    assert other.execute("select count(*) from audit").fetchone()[0]


@pytest.mark.parametrize(
    ("break_it", "said"), [(locked, "Another process is writing to the database"), (full, "is full (database or disk")]
)
def test_a_database_that_cannot_be_written_is_told_with_its_cure(
    page: Client, db: sqlite_utils.Database, break_it: Callable[..., None], said: str
) -> None:
    sign_in(page)
    ticket = page.get("/admin/keys/new").text.partition('name="ticket" value="')[2].partition('"')[0]
    break_it(page.app.state.services.database._db, db)
    sent = [
        page.post("/admin/keys/new", data={"ticket": ticket, "name": "one", "plan": "default"}),
        page.post("/admin/account/sign-out"),
        sign_in(page),
    ]
    for answer in sent:
        assert (answer.status_code, said in unescape(answer.text)) == (503, True)
        assert answer.headers["x-request-id"] in answer.text
    assert sign_in(page, "wrong").status_code == 401


def test_signing_out_takes_the_cookie_whatever_the_database_does(page: Client, db: sqlite_utils.Database) -> None:
    sign_in(page)
    locked(page.app.state.services.database._db, db)
    answer = page.post("/admin/sign-out")
    assert (answer.status_code, "Another process is writing" in answer.text) == (503, True)
    assert "<code>allscreenshots-box admin sign-out</code>" in answer.text
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not is_in(page)


def test_a_wrong_password_holds_up_nobody_while_another_process_writes(db: sqlite_utils.Database) -> None:
    statements: list[str] = []
    db.conn.set_trace_callback(statements.append)
    sessions.note_failures(db, 1, by=OPERATOR)
    before = statements[: statements.index("begin immediate")]
    assert before[-1] == f"pragma busy_timeout = {sessions.NOTE_PATIENCE}"


def test_the_second_guard_stops_what_the_first_let_pass(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def blind(*_: Any) -> None:
        pass

    monkeypatch.setattr(page.app.state.authentication, "admit", blind)
    assert page.get("/admin/keys").status_code == 303


# --- where the page is not ----------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"no_admin": True}, {"admin_listen": "127.0.0.1:9090"}])
def test_a_port_without_the_page_has_no_trace_of_it(settings: Settings, change: dict[str, Any]) -> None:
    with TestClient(create_app(replace(settings, **change), standing_in(StandIn()))) as api:
        api.follow_redirects = False
        unknown = api.get("/no-such-thing").json() | {"requestId": ""}
        for path in ("/admin", "/admin/sign-in", "/admin/static/style.css", "/admin/x"):
            for answer in (api.get(path, headers={"Accept": "text/html"}), api.post(path)):
                assert (answer.status_code, answer.json() | {"requestId": ""}) == (404, unknown)
        assert "page" not in api.get("/").json()
        assert "/admin" not in api.get("/", headers={"Accept": "text/html"}).text


@pytest.mark.parametrize(
    ("side", "found"),
    [
        ("admin", {"/admin": 303, "/admin/sign-in": 200, "/": 404, "/v1/usage": 404, "/ready": 404, "/health": 404}),
        ("ops", {"/admin": 404, "/admin/sign-in": 404}),
    ],
)
def test_a_listener_apart_has_nothing_else(settings: Settings, side: Side, found: dict[str, int]) -> None:
    app = create_app(
        replace(settings, admin_listen="127.0.0.1:9090", ops_listen="127.0.0.1:9091"), standing_in(StandIn())
    )
    with TestClient(app):
        apart: Client = TestClient(beside(app, side))  # type: ignore[arg-type]
        assert {path: apart.get(path, follow_redirects=False).status_code for path in found} == found


def test_the_sign_on_the_door_says_where_the_page_is(api: Client) -> None:
    assert api.get("/").json()["page"] == "/admin"
    assert '<a href="/admin">' in api.get("/", headers={"Accept": "text/html"}).text


@pytest.mark.parametrize(
    ("change", "url"),
    [
        ({}, "http://127.0.0.1:8080/admin"),
        ({"host": "::1", "port": 80}, "http://[::1]:80/admin"),
        ({"tls_cert": Path("x")}, "https://127.0.0.1:8080/admin"),
        ({"tls_cert": Path("x"), "admin_listen": "[::1]:9090"}, "http://[::1]:9090/admin"),
        ({"no_admin": True, "admin_listen": "[::1]:9090"}, None),
    ],
)
def test_the_settings_tell_where_the_page_is(settings: Settings, change: dict[str, Any], url: str | None) -> None:
    assert replace(settings, **change).page_url == url


# --- secrets ------------------------------------------------------------------------------------


def test_neither_log_nor_metrics_nor_database_has_a_password_or_token(
    page: Client, db: sqlite_utils.Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "allscreenshots_box")
    path = link(db)
    token = path.rpartition("/")[2]
    for where in (
        path,
        f"/admin/link//{token}",
        f"/ADMIN/Link/{token}",
        f"/v1/{token}",
        f"/admin/sign-in/{token}",
        f"/admin?x={token}",
    ):
        page.get(where)
    page.post(path, data=twice("short"))
    page.post(path, data=twice(), headers={"Origin": f"http://{token}"})
    page.post(path, data=twice())
    session = page.cookies["allscreenshots-box"]
    sign_in(page, "a wrong password, typed")
    sign_in(page, OTHER)
    page.get("/admin/account", headers={"Referer": BASE + path})
    formatter = logs._JsonLines()
    text = "\n".join(formatter.format(record) for record in caplog.records)
    assert json.loads(text.splitlines()[0])["path"] == "/admin/link/…"
    kept = b"".join(file.read_bytes() for file in settings.data_dir.iterdir() if file.is_file())
    told = page.get("/metrics").content
    for secret in (token, session, PASSWORD, OTHER, "a wrong password, typed", "short"):
        assert secret not in text
        assert secret.encode() not in kept or secret == "short"
        assert secret.encode() not in told or secret == "short"
    assert b'route="/admin/link/{token}"' in told
