"""The same attacks on a box that lacks a guard: they get through, so it is the guard that holds them off."""

import pytest

from tests.attacks import unguarded
from tests.attacks.siege import Siege
from tests.attacks.table import CASES
from tests.chaos.processes import in_full

pytestmark = [pytest.mark.browser, pytest.mark.long]

GETS_THROUGH = {
    "judgement": ["an image", "a WebSocket", "a 302 to a private address", "the metadata service", "loopback, decimal"],
    "spaces": ["fetch", "an image by a name for a public and a private address"],
    "embedding": ["link-local, mapped", "link-local, NAT64", "link-local, 6to4"],
    "ports": ["an image at a port that is not the web's"],
    "denial": ["an image at a host that the operator denies"],
    "pinning": ["requests by a name that turns private", "a page whose own name turns private"],
    "webrtc": ["WebRTC that asks a public STUN server"],
    "loopback_by_proxy": ["a WebSocket", "an image"],
    "proxy": ["fetch", "an image"],
}
# Each takes a box of its own; the others are tried with `make chaos`.
BRIEF = {"judgement", "ports", "pinning", "proxy"}


def test_every_guard_is_missed_by_some_attack() -> None:
    assert set(GETS_THROUGH) == set(unguarded.GUARDS)
    assert {name for names in GETS_THROUGH.values() for name in names} <= {case.name for case in CASES}


@pytest.mark.parametrize(
    "guard", [guard if guard in BRIEF else pytest.param(guard, marks=in_full) for guard in GETS_THROUGH]
)
def test_attacks_get_through_without(guard: str, siege: Siege) -> None:
    with siege.box(without=guard) as box:
        outcomes = box.attack(siege.stage.staged[name] for name in GETS_THROUGH[guard])
    assert [name for name, outcome in outcomes.items() if not outcome.reached] == []
