"""The operator's page in a real browser: API Keys and Plans, with script and without, for everybody's eyes."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from allscreenshots_box.render.browsers.chromium import find_executable
from tests.box import Box
from tests.operator_in import come_in
from tests.site.server import Site

pytestmark = [pytest.mark.browser, pytest.mark.long]

OUTSIDE = "box.example"  # a name for the box that is neither localhost nor TLS, as in most intranets
EXPECTED = (  # of the console's complaints
    "the server responded with a status of 400",  # a form with an error in it
    "the server responded with a status of 404",  # a page that there is not
    "Cross-Origin-Opener-Policy header has been ignored",  # without TLS it means nothing
)
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def opened(site: Site) -> Iterator[Box]:
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    with Box(above / "data", "--allow", f"127.0.0.1:{site.port}") as running:
        yield running
    shutil.rmtree(above)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    switches = [f"--host-resolver-rules=MAP {OUTSIDE} 127.0.0.1"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find_executable(), args=switches)
        yield launched
        launched.close()


@contextmanager
def watched(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """Open a context, and say at its end that no page in it complained or asked anybody but the box."""
    complaints: list[str] = []
    with browser.new_context(**options) as context:
        context.set_default_timeout(15_000)
        context.on("console", lambda message: complaints.append(message.text))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        asked: set[str] = set()
        context.on("request", lambda request: asked.add(request.url))
        yield context
    foreign = [url for url in asked if not re.match(rf"http://(127\.0\.0\.1|{OUTSIDE}):\d+/", url)]
    complaints = [text for text in complaints if not any(known in text for known in EXPECTED)]
    assert (complaints, foreign) == ([], [])


def picture(box: Box, site: Site, secret: str) -> int:
    return box.shoot(secret, site.url("/colors.html"), viewport={"width": 400, "height": 300}).status_code


def shown(page: Page) -> str:
    """Return the secret that the page shows, this once."""
    assert "Copy the key immediately: it won't be shown again." in page.inner_text("main")
    return page.get_by_label("API key").input_value()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_key_from_its_making_to_its_end(opened: Box, browser: Browser, site: Site, *, script: bool) -> None:
    name = f"Invoices {script}"
    with watched(browser, java_script_enabled=script) as context:
        page = context.new_page()
        page.goto(f"{opened.url}/admin")
        assert " admin link" in page.inner_text("main")
        page.close()
        page = come_in(context, opened)
        page.get_by_role("link", name="API Keys").click()
        page.get_by_role("link", name="Create API Key").click()
        page.get_by_label("Name").fill(name)
        page.get_by_label("Environment").fill("production")
        page.get_by_role("button", name="Create API Key").click()
        first = shown(page)
        assert page.get_by_role("button", name="Copy").count() == (3 if script else 0)
        assert take(page.inner_text("#curl"), first, site) == PNG

        page.reload()
        assert "This form was sent before, and nothing was done now." in page.inner_text("main")
        assert first not in page.content()

        page.goto(f"{opened.url}/admin/keys")
        page.get_by_role("link", name=name).click()
        page.get_by_label("The old secret stops").select_option("in 24 hours")
        page.get_by_role("button", name="Rotate").click()
        second = shown(page)
        assert second != first
        assert [picture(opened, site, secret) for secret in (first, second)] == [200, 200]

        page.reload()
        assert "the key has been rotated since this form was shown" in page.inner_text("main")
        page.goto(f"{opened.url}/admin/keys")
        assert f"{first[:12]}… retires in 24 hours" in page.inner_text("main")
        page.get_by_role("link", name=name).click()
        page.get_by_label("Type the name of the key").fill("another")
        page.get_by_role("button", name="Delete this key").click()
        assert "That is not the name of this key." in page.inner_text("main")
        page.get_by_label("Type the name of the key").fill(name)
        page.get_by_role("button", name="Delete this key").click()
        assert "Requests with this key are refused." in page.inner_text("main")
        assert [picture(opened, site, secret) for secret in (first, second)] == [401, 401]
    kept = [opened.log, *opened.data_dir.glob("*.db*")]
    assert [path for path in kept if first[12:].encode() in path.read_bytes()] == []
    assert len(kept) > 1


def take(curl: str, secret: str, site: Site) -> bytes:
    """Run the line that the page shows, but for what it shoots; return how the picture begins."""
    assert "https://example.com" in curl
    with tempfile.TemporaryDirectory() as folder:
        line = curl.replace("https://example.com", site.url("/colors.html"))
        environment = os.environ | {"ALLSCREENSHOTS_API_KEY": secret}
        subprocess.run(["bash", "-c", line], cwd=folder, env=environment, check=True, capture_output=True, timeout=70)
        return (Path(folder) / "screenshot.png").read_bytes()[:4]


@pytest.mark.parametrize("host", ["127.0.0.1", OUTSIDE])
def test_a_key_is_copied_with_and_without_the_clipboard_of_secure_pages(
    opened: Box, browser: Browser, host: str
) -> None:
    with watched(browser) as context:
        if host == "127.0.0.1":
            context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = come_in(context, opened, host)
        page.goto(f"http://{host}:{opened.port}/admin/keys/new")
        assert page.evaluate("isSecureContext") == (host == "127.0.0.1")
        page.get_by_label("Name").fill(f"Copied at {host}")
        page.get_by_role("button", name="Create API Key").click()
        secret = shown(page)
        page.get_by_role("button", name="Copy").first.click()
        page.get_by_role("button", name="Copied").wait_for()
        page.goto(f"http://{host}:{opened.port}/admin/keys/new")
        page.get_by_label("Name").press("Control+V")
        assert page.get_by_label("Name").input_value() == secret


def test_a_button_says_that_it_works_and_a_second_click_sends_nothing(opened: Box, browser: Browser) -> None:
    with watched(browser) as context:
        page = come_in(context, opened)
        page.goto(f"{opened.url}/admin/keys/new")
        page.get_by_label("Name").fill("Clicked twice")
        sent = []
        page.on("request", lambda request: sent.append(request.method))
        page.evaluate(
            "addEventListener('submit', (event) => { window.busy = [event.submitter.textContent,"
            " event.target.getAttribute('aria-busy')]; event.preventDefault(); })"
        )
        button = page.locator("main form button")
        button.click()
        assert page.evaluate("window.busy") == ["Working…", "true"]
        button.click()
        assert page.evaluate("document.querySelector('[aria-busy]') !== null")
        assert sent == []


PAGES = [
    "/",
    "/docs",
    "/admin",
    "/admin/activity",
    "/admin/activity/captures",
    "/admin/playground",
    "/admin/account",
    "/admin/nothing",
    "/admin/keys",
    "/admin/keys?state=all&q=nothing",
    "/admin/keys/new",
    "/admin/keys/1",
    "/admin/keys/1/edit",
    "/admin/keys/2",
    "/admin/plans",
    "/admin/plans/new",
    "/admin/plans/edit?name=small",
]


@pytest.fixture(scope="module")
def furnished(opened: Box) -> Box:
    """Return the box with keys of all kinds; those of the other tests come after these two."""
    wide = "W" * 100
    opened.run("plans", "set", "small", "--screenshots-per-month", "100")
    opened.key(wide, "--environment", wide, "--organization", wide, "--plan", "small", "--allow-host", "*.corp.example")
    opened.key("<b>\U0001f9ff \u05d0\u05d1 \"'", "--expires", "90d")
    opened.run("keys", "rotate", wide, "--grace", "24h")
    opened.key("Gone")
    opened.run("keys", "revoke", "Gone", "--yes")
    return opened


ALL_RULES = None  # of axe
OF_LOOKS = {"runOnly": ["color-contrast", "scrollable-region-focusable", "link-in-text-block"]}  # colours and width


@pytest.mark.parametrize(("scheme", "width", "rules"), [("light", 1280, ALL_RULES), ("dark", 390, OF_LOOKS)])
def test_pages_are_for_everybody(
    furnished: Box, browser: Browser, scheme: str, width: int, rules: dict[str, Any] | None
) -> None:
    viewport = {"width": width, "height": 800}
    with watched(browser, color_scheme=scheme, viewport=viewport, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"{furnished.url}/admin/sign-in")
        assert faults(page, rules) == []
        page.close()
        page = come_in(context, furnished)
        for path in PAGES:
            page.goto(f"{furnished.url}{path}")
            assert faults(page, rules) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.goto(f"{furnished.url}/admin/keys/new")
        page.get_by_label("Name").fill("ask_x")
        page.get_by_role("button", name="Create API Key").click()
        assert page.locator("[aria-invalid]").count() == 1
        assert faults(page, rules) == []
        page.get_by_label("Name").fill(f"Looked at {scheme} {width}")
        page.get_by_role("button", name="Create API Key").click()
        shown(page)
        assert faults(page, rules) == []


def faults(page: Page, rules: dict[str, Any] | None) -> list[str]:
    """Return what axe finds serious on *page*."""
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in {"serious", "critical"}]


def test_the_first_tab_stop_skips_to_the_content(opened: Box, browser: Browser) -> None:
    with watched(browser) as context:
        page = come_in(context, opened)
        page.goto(f"{opened.url}/admin/keys")
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to content")
        assert skip.evaluate("(link) => link === document.activeElement && link.getBoundingClientRect().top >= 0")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
