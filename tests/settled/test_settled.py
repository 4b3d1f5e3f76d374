"""Pages that go on after their load event: what a person would see in the end is in the picture."""

from collections.abc import Iterator

import pytest

from tests.camera import SMALL, open_camera
from tests.settled.cases import Take
from tests.settled.table import CASES, PAGES, TAKES
from tests.settled.taking import Taken, take_all
from tests.site.pictures import solid_png
from tests.site.server import Site


@pytest.fixture(scope="session")
def taken(request: pytest.FixtureRequest) -> Iterator[dict[str, Taken]]:
    """Yield what the box gave for each take that this run asks for."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    params = [item.callspec.params.get("take") for item in items if "taken" in item.fixturenames]
    asked = [param for param in params if isinstance(param, Take)]
    with Site(routes=PAGES) as site, open_camera(site) as camera:
        yield {found.take.name: found for found in take_all(camera, asked)}


@pytest.mark.browser
@pytest.mark.long
@pytest.mark.parametrize("take", TAKES, ids=str)
def test_the_result_is_what_a_person_sees_in_the_end(take: Take, taken: dict[str, Taken]) -> None:
    assert taken[take.name].faults() == []


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.path for case in CASES}) == len(CASES)


@pytest.mark.parametrize("take", TAKES, ids=str)
def test_no_check_takes_an_empty_window(take: Take) -> None:
    assert take.check(solid_png((255, 255, 255), SMALL["width"], SMALL["height"]))
