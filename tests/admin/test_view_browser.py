"""The operator's page in a real browser, with the real box behind it."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from allscreenshots_box.render.browsers.chromium import find_executable
from tests.box import Box
from tests.camera import colour, picture
from tests.operator_in import come_in
from tests.site.server import Site
from tests.test_serve import eventually, log_lines

pytestmark = pytest.mark.browser

SECTIONS = ["/admin", "/admin/activity", "/admin/activity/captures", "/admin/playground"]
SOON = 20_000  # milliseconds: generous


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_executable())
        yield browser
        browser.close()


class Visitor:
    """An operator at a page, and all that the browser complained of or asked for meanwhile."""

    def __init__(self, page: Page, box: Box) -> None:
        self.page, self.box = page, box
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(SOON)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def go(self, path: str) -> None:
        self.page.goto(f"{self.box.url}{path}")

    def take(self, url: str) -> None:
        self.go("/admin/playground")
        self.page.fill("#url", url)
        self.page.click("text=Take screenshot")


@contextmanager
def visiting(chromium: Browser, box: Box, *, javascript: bool = True) -> Iterator[Visitor]:
    context = chromium.new_context(java_script_enabled=javascript)
    try:
        yield Visitor(come_in(context, box), box)
    finally:
        context.close()


@pytest.fixture
def visitor(chromium: Browser, box: Box) -> Iterator[Visitor]:
    with visiting(chromium, box) as visitor:
        yield visitor


@pytest.mark.parametrize("javascript", [True, False])
def test_the_playground_takes_a_picture(chromium: Browser, box: Box, site: Site, *, javascript: bool) -> None:
    with visiting(chromium, box, javascript=javascript) as visitor:
        visitor.take(site.url("/colors.html"))
        source = visitor.page.get_attribute("#picture", "src") or ""
        kind, _, data = source.partition(";base64,")
        assert kind == "data:image/png"
        image = picture(base64.b64decode(data))
        assert image.size == (1920, 1080)
        assert colour(image, 1900, 1070) == (255, 215, 0)
        assert "--output screenshot.png" in visitor.page.inner_text("#curl")
        assert visitor.page.input_value("#url") == site.url("/colors.html")
        assert visitor.page.is_visible("#download") == javascript
        assert visitor.complaints == []


@pytest.mark.parametrize("javascript", [True, False])
def test_a_wrong_form_comes_back_with_what_was_typed(chromium: Browser, box: Box, *, javascript: bool) -> None:
    with visiting(chromium, box, javascript=javascript) as visitor:
        visitor.take("no address")
        visitor.page.wait_for_selector("[role=alert]")
        assert "URL must be" in visitor.page.inner_text("#url-error")
        assert visitor.page.input_value("#url") == "no address"


def test_cancelling_frees_the_slot(visitor: Visitor, box: Box, site: Site) -> None:
    hanging = site.url("/hang?cancelled")
    visitor.take(hanging)
    assert eventually(lambda: any("/hang?cancelled" in request.path for request in site.requests))
    visitor.page.click("text=Cancel")
    visitor.page.wait_for_function("document.getElementById('told').textContent === 'Cancelled.'")
    gone = ("/admin/playground", "client_gone")
    assert eventually(lambda: gone in {(line.get("path"), line.get("error")) for line in log_lines(box)})
    visitor.go("/admin")
    assert "0 of" in visitor.page.inner_text(".figures")
    visitor.go("/admin/activity/captures?failed=1")
    assert "client_gone" in visitor.page.inner_text("table")


def test_a_picture_is_downloaded(visitor: Visitor, site: Site) -> None:
    visitor.take(site.url("/colors.html"))
    with visitor.page.expect_download() as downloaded:
        visitor.page.click("#download")
    assert downloaded.value.suggested_filename == "screenshot.png"
    assert picture(downloaded.value.path().read_bytes()).size == (1920, 1080)


def test_the_lines_are_copied(chromium: Browser, box: Box, site: Site) -> None:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    visitor = Visitor(come_in(context, box), box)
    visitor.take(site.url("/colors.html"))
    visitor.page.click("[data-copy=curl]")
    visitor.page.wait_for_selector("text=Copied")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == visitor.page.text_content("#curl")
    context.close()


@pytest.mark.parametrize("path", SECTIONS)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_stays_at_home_and_fits(visitor: Visitor, path: str, width: int) -> None:
    visitor.page.set_viewport_size({"width": width, "height": 800})
    visitor.go(path)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == width
    assert {url for url in visitor.asked if not url.startswith(visitor.box.url)} == set()
    assert visitor.complaints == []
