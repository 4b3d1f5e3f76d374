"""Pages that go on after their load event: what a person would see in the end is in the picture."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import async_playwright

from tests.camera import SMALL, open_camera
from tests.settled import plain
from tests.settled.cases import Take
from tests.settled.screens import WIDTHS
from tests.settled.table import CASES, PAGES, TAKES
from tests.settled.taking import AT_ONCE, Taken, take_all, take_one
from tests.site.pictures import solid_png
from tests.site.server import Site

# Of the results of a box that takes five at a time on a machine that tests other things too. Those that are not are
# taken again, alone: a page's own timers run late there, and nobody can tell those that are to come.
RIGHT_AT_ONCE = 0.95


@pytest.fixture(scope="session")
def taken(request: pytest.FixtureRequest) -> Iterator[dict[str, Taken]]:
    """Yield what the box gave for each take that this run asks for."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    params = [item.callspec.params.get("take") for item in items if "taken" in item.fixturenames]
    asked = [param for param in params if isinstance(param, Take)]
    with Site(routes=PAGES) as site, open_camera(site, slots=AT_ONCE) as camera:
        found = take_all(camera, asked)
        wrong = [one for one in found if one.faults()]
        assert len(wrong) <= max(1, len(found) * (1 - RIGHT_AT_ONCE)), {one.take.name: one.faults() for one in wrong}
        again = {one.take.name: take_one(camera, one.take) for one in wrong}
        yield {one.take.name: one for one in found} | again


@pytest.mark.browser
@pytest.mark.long
@pytest.mark.parametrize("take", [take for take in TAKES if not take.case.unseen], ids=str)
def test_the_result_is_what_a_person_sees_in_the_end(take: Take, taken: dict[str, Taken]) -> None:
    assert taken[take.name].faults() == []


@pytest.mark.browser
def test_generic_families_are_as_wide_as_in_playwright() -> None:
    with Site(routes=PAGES) as site, open_camera(site) as camera:
        widths = camera.read(WIDTHS.path, ["part"])["part"]
        assert widths.split() == asyncio.run(_widths(site.url(WIDTHS.path)))


async def _widths(url: str) -> list[str]:
    async with async_playwright() as playwright:
        browser = await plain.launch(playwright, plain.HEADLESS_SHELL)
        page = await browser.new_page()
        await page.goto(url)
        return (await page.inner_text("#part")).split()


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.path for case in CASES}) == len(CASES)


@pytest.mark.parametrize("take", TAKES, ids=str)
def test_no_check_takes_an_empty_window(take: Take) -> None:
    assert take.check(solid_png((255, 255, 255), SMALL["width"], SMALL["height"]))
