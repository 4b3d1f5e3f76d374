"""What one page, key, name or stranger can cost somebody else: no picture, no browser, and little time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.processes import in_full
from tests.neighbour.beside import Beside, try_together
from tests.neighbour.cases import Case
from tests.neighbour.street import Street
from tests.neighbour.table import CASES

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.rough]

BRIEF = [case for case in CASES if case.brief]
FULL_SECONDS = 8.0
TABLE = Path(__file__).parents[2] / "docs" / "security.md"


@pytest.fixture(scope="session")
def street() -> Iterator[Street]:
    if os.geteuid() != 0:
        pytest.skip("the street needs root: it makes network namespaces, and puts the box into one")
    try:
        opened = Street()
    except PermissionError as error:
        if os.environ.get("CI"):  # where nobody reads what was skipped
            raise
        pytest.skip(f"the street needs network namespaces, and the system makes none: {error}")
    with opened:
        yield opened


@pytest.fixture(scope="session")
def together(request: pytest.FixtureRequest, street: Street) -> dict[str, Beside]:
    """Return what was seen beside each case that this run asks for, one after the other."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = [item.callspec.params.get("case") for item in items if "together" in item.fixturenames]
    with street.box() as box:
        return try_together(box, [case for case in asked if isinstance(case, Case)])


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", BRIEF, ids=str)
def test_nobody_loses_a_picture_or_a_browser_by(case: Case, together: dict[str, Beside]) -> None:
    assert together[case.name].faults() == []


@in_full
@pytest.mark.chaos
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_neighbour_hardly_notices(case: Case, street: Street) -> None:
    with street.box() as box:
        beside = try_together(box, [case], FULL_SECONDS)[case.name]
    assert beside.faults() == []
    assert beside.p95 <= beside.bound


def told() -> set[str]:
    """Return the cases that operators are told the cost of."""
    _, _, table = TABLE.read_text().partition("<!-- results: neighbours -->")
    return {line.split(" | ")[0].removeprefix("| ") for line in table.partition("\n\n")[0].splitlines()[3:]}


def test_what_each_case_costs_is_told() -> None:
    assert told() == {case.name for case in CASES}
