"""The pages for people in a real browser: nothing leaves the box, nothing is complained of."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from allscreenshots_box.render.browsers import chromium
from tests.box import Box

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium.find_executable())
        yield opened
        opened.close()


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_asks_for_itself_alone_and_fits(
    browser: Browser, box: Box, path: str, width: int, *, scripts: bool
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(box.url + path)
    colour, fits = page.evaluate(
        "[getComputedStyle(document.body).fontFamily, document.documentElement.scrollWidth <= innerWidth]"
    )
    context.close()
    assert asked == [box.url + path]
    assert said == []
    assert "system-ui" in colour  # the style was taken
    assert fits


def test_a_script_that_gets_into_the_page_does_not_run(browser: Browser, box: Box) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{box.url}/docs")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = true'}))")
    ran = page.evaluate("window.ran")
    page.close()
    assert ran is None
    assert any("Content Security Policy" in one for one in said)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_reference_is_light_or_dark_as_its_reader_prefers(
    browser: Browser, box: Box, scheme: str, *, dark: bool
) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]  # one of the words
    page = context.new_page()
    page.goto(f"{box.url}/docs")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    context.close()
    assert (sum(ground) < 200) == dark


def test_the_first_tab_leads_past_the_sections(browser: Browser, box: Box) -> None:
    page = browser.new_page()
    page.goto(f"{box.url}/docs")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    focused = page.evaluate("document.activeElement.id")
    page.close()
    assert focused == "content"
