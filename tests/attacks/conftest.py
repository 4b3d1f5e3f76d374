"""One siege for all attacks, and one box that holds."""

import os
from collections.abc import Iterator

import pytest

from tests.attacks.cases import Case, Stage
from tests.attacks.network import Packet
from tests.attacks.siege import Attacked, Outcome, Siege, strays
from tests.attacks.table import CASES


@pytest.fixture(scope="session")
def siege() -> Iterator[Siege]:
    """Return the network with all its servers."""
    if os.geteuid() != 0:
        pytest.skip("the attacks need root: they make network namespaces, and put the box into one")
    try:
        opened = Siege(Stage(CASES))
    except PermissionError as error:
        if os.environ.get("CI"):  # where nobody reads what was skipped, the wall must not go untried
            raise
        pytest.skip(f"the attacks need network namespaces, and the system makes none: {error}")
    with opened:
        yield opened


@pytest.fixture(scope="session")
def attacked(siege: Siege) -> Iterator[Attacked]:
    """Return the box with all its guards."""
    with siege.box() as box:
        yield box


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, siege: Siege, attacked: Attacked) -> dict[str, Outcome]:
    """Return what became of each case that this run asks for, at the box with all its guards: all tried together."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = [_parameters(item).get("case") for item in items if "outcomes" in item.fixturenames]
    names = [case.name for case in asked if isinstance(case, Case)]
    return attacked.attack(siege.stage.staged[name] for name in dict.fromkeys(names))  # each once: name servers count


@pytest.fixture(scope="session")
def strayed(request: pytest.FixtureRequest, siege: Siege) -> set[Packet]:
    """Return which packets of all these attacks went where a box never sends any."""
    before = strays(siege.network)
    request.getfixturevalue("outcomes")
    return strays(siege.network) - before


def _parameters(item: pytest.Function) -> dict[str, object]:
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}
