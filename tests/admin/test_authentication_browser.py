"""The door of the page in a real browser, by plain HTTP under a name that is not localhost, as on an intranet."""

import http.client
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from allscreenshots_box.render.browsers.chromium import find_executable
from tests.box import Box, environment

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery staple"
NAMES = "MAP box.test 127.0.0.1, MAP evil.test 127.0.0.1"


class Evil(BaseHTTPRequestHandler):
    """Another site: what it serves is its path's query, as HTML."""

    def do_GET(self) -> None:
        body = Evil.pages[urlsplit(self.path).path].encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    pages: ClassVar[dict[str, str]] = {}


@pytest.fixture(scope="module")
def evil() -> Iterator[str]:
    """Return the address of another site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://evil.test:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_executable(), args=["--no-sandbox", f"--host-resolver-rules={NAMES}"]
        )
        yield browser
        browser.close()


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def context(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    with chromium.new_context(java_script_enabled=request.param) as opened:
        opened.set_default_timeout(10_000)
        yield opened


@pytest.fixture
def scripted(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context() as opened:
        opened.set_default_timeout(10_000)
        yield opened


def base(box: Box) -> str:
    return f"http://box.test:{box.port}"


def come_in(box: Box, context: BrowserContext) -> Page:
    """Open a one-time link as an operator does, and set the password."""
    page = context.new_page()
    page.goto(box.run("admin", "link", "--url", base(box)).stdout.strip())
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password and sign in").click()
    expect(page).to_have_url(f"{base(box)}/admin")
    return page


def is_in(box: Box, context: BrowserContext) -> bool:
    page = context.new_page()
    page.goto(f"{base(box)}/admin/account")
    found = page.url == f"{base(box)}/admin/account"
    page.close()
    return found


def test_an_operator_comes_in_and_goes_out_again(box: Box, context: BrowserContext) -> None:
    page = come_in(box, context)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{base(box)}/admin/sign-in")
    page.goto(f"{base(box)}/admin/keys")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{base(box)}/admin/keys")


def test_the_password_is_changed_and_the_other_browser_is_out(
    box: Box, chromium: Browser, context: BrowserContext
) -> None:
    come_in(box, context)
    with chromium.new_context() as other:
        page = other.new_page()
        page.goto(f"{base(box)}/admin/account")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Old password").fill(PASSWORD)
        page.get_by_label("New password").fill(PASSWORD + "!")
        page.get_by_label("The new one again").fill(PASSWORD + "!")
        page.get_by_role("button", name="Change the password").click()
        expect(page.locator(".notice[role=status]")).to_contain_text("The password is changed.")
        assert is_in(box, other)
    assert not is_in(box, context)


def test_another_site_cannot_act_as_the_operator(box: Box, evil: str, scripted: BrowserContext) -> None:
    come_in(box, scripted)
    target = f"{base(box)}/admin/account/sign-out"
    Evil.pages["/form"] = f'<form method="post" action="{target}"><button>Win</button></form>'
    Evil.pages["/fetch"] = (
        f"<script>fetch('{target}', {{method: 'POST', mode: 'no-cors', credentials: 'include'}})"
        ".finally(() => document.title = 'done')</script>"
    )
    page = scripted.new_page()
    page.goto(f"{evil}/form")
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_role("heading")).to_have_text("Forbidden")
    page.goto(f"{evil}/fetch")
    expect(page).to_have_title("done")
    assert is_in(box, scripted)


def test_another_site_cannot_plant_a_sign_in(box: Box, evil: str, scripted: BrowserContext) -> None:
    come_in(box, scripted).get_by_role("button", name="Sign out").click()
    Evil.pages["/plant"] = (
        f'<form method="post" action="{base(box)}/admin/sign-in">'
        f'<input name="password" value="{PASSWORD}"><button>Win</button></form>'
    )
    page = scripted.new_page()
    page.goto(f"{evil}/plant")
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_role("heading")).to_have_text("Forbidden")
    assert scripted.cookies() == []


def test_another_site_cannot_frame_the_page(box: Box, evil: str, scripted: BrowserContext) -> None:
    come_in(box, scripted)
    Evil.pages["/frame"] = f'<iframe src="{base(box)}/admin/account"></iframe>'
    page = scripted.new_page()
    with page.expect_event("requestfailed", lambda request: request.url.startswith(base(box))):
        page.goto(f"{evil}/frame")
    assert "Account" not in [frame.title() for frame in page.frames]


def test_the_page_tells_no_other_site_where_it_is(box: Box, evil: str, scripted: BrowserContext) -> None:
    page = scripted.new_page()
    Evil.pages["/seen"] = "<title>seen</title>"
    page.goto(box.run("admin", "link", "--url", base(box)).stdout.strip())
    with page.expect_request(f"{evil}/seen") as asked:
        page.evaluate(f"location.href = '{evil}/seen'")
    assert "referer" not in asked.value.headers


def test_nothing_on_these_pages_is_against_their_own_policy(box: Box, scripted: BrowserContext) -> None:
    said: list[str] = []
    scripted.on("console", lambda message: said.append(message.text))
    page = come_in(box, scripted)
    foreign = []
    page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(base(box)) else None)
    for path in ("/admin/account", "/admin/sign-in", "/admin/link/x", "/admin/no-such-thing"):
        page.goto(base(box) + path)
    known = ("404", "Cross-Origin-Opener-Policy")  # what is asked for here, and what is for TLS only
    assert [text for text in said if not any(word in text for word in known)] == []
    assert foreign == []


def test_the_start_says_where_the_page_is_and_what_to_run(box: Box) -> None:
    said = box.log.read_text()
    assert f"\n  page     {box.url}/admin\n" in said
    (line,) = re.findall(r"No password for the page yet: `(.+)` makes", said)
    link = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, env=environment()).stdout
    assert link.startswith(f"{box.url}/admin/link/")


def test_the_page_tells_paths_of_the_machine_only_on_it(box: Box) -> None:
    for path in ("/admin/sign-in", "/admin/link/x"):
        near = httpx.get(f"{box.url}{path}").text
        far = httpx.get(f"{box.url}{path}", headers={"Host": "box.test"}).text
        assert f" --data-dir {box.data_dir} admin link</code>" in near
        assert str(box.data_dir) not in far
        assert "<code>allscreenshots-box admin link</code>" in far


def test_nothing_that_the_box_writes_has_a_password_or_token(box: Box, scripted: BrowserContext) -> None:
    token = box.run("admin", "link", "--url", base(box)).stdout.strip()
    come_in(box, scripted)
    page = scripted.new_page()
    page.goto(token)
    secrets = [PASSWORD, token.rpartition("/")[2], *(cookie["value"] for cookie in scripted.cookies())]
    assert len(secrets) == 3
    written = box.log.read_bytes() + b"".join(file.read_bytes() for file in box.data_dir.iterdir() if file.is_file())
    assert b"/admin/link/\xe2\x80\xa6" in written
    assert [secret for secret in secrets if secret.encode() in written] == []


TRICKS = [
    "//admin/keys", "///admin//keys", "/admin/../admin/keys", "/admin/./keys", "/admin/%2e%2e/admin/keys",
    "/admin/static/../keys", "/admin/static/%2e%2e/keys", "/admin/static/..%2fkeys", "/admin/sign-in/../keys",
    "/admin/sign-in/keys", "/admin/sign-in;/../keys", "/admin;/keys", "/admin;x=1/keys", "/admin%2fkeys",
    "/admin%2Fkeys", "/%61dmin/keys", "/ADMIN/keys", "/Admin", "/admin/keys/", "/admin/keys%00", "/admin/keys%20",
    "/admin/link/../keys", "/admin/link/x/../../keys", "/v1/../admin/keys", "/static/../admin/keys", "/admin\\keys",
    "/admin/keys?next=/admin/sign-in", "/admin/keys#/admin/sign-in", "/./admin/keys", "/admin/%252e%252e/keys",
    "http://box.test/admin/keys", "/admin/static/%2fkeys", "/admin/sign-in%2fx",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
def test_no_spelling_of_a_path_leads_past_the_door(box: Box, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=10)
    connection._validate_path = lambda _: None  # type: ignore[attr-defined]  # it is ours that is tried
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status in {303, 400, 401, 404}
    assert 'class="sidebar"' not in text
