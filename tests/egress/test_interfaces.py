"""This machine's own addresses: asked for once, and again the moment that they change."""

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator

import pytest

from allscreenshots_box.egress import interfaces
from allscreenshots_box.egress.interfaces import Interfaces
from allscreenshots_box.hosts import Address
from tests.attacks.network import Space, ip

OURS, OTHERS = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("203.0.113.1")
COMES = {  # what is done to a machine, and the address that is its own from then on
    "an address": ("addr add 192.0.2.7/32 dev lo", "192.0.2.7"),
    "an IPv6 address": ("addr add fd00::7/128 dev lo nodad", "fd00::7"),
    "a network": ("route add local 192.0.2.0/24 dev lo", "192.0.2.9"),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the addresses that the kernel was asked for."""
    asked = list[str]()
    really = interfaces._can_be_bound

    def count(address: Address) -> bool | None:
        asked.append(str(address))
        return really(address)

    monkeypatch.setattr(interfaces, "_can_be_bound", count)
    return asked


@pytest.fixture
def space() -> Iterator[Space]:
    if os.geteuid() != 0:
        pytest.skip("it takes root to make a network namespace")
    made = Space()
    made.run(ip, "link set lo up")
    yield made
    made.close()


def test_this_machines_addresses_are_its_own() -> None:
    here = Interfaces()
    assert here.has(OURS)
    assert not here.has(OTHERS)


def test_the_kernel_is_asked_once_for_each(asked: list[str], space: Space) -> None:
    here = Interfaces()
    editions = {(space.run(here.has, OURS), space.run(here.has, OTHERS), space.run(here.edition)) for _ in range(3)}
    assert len(editions) == 1
    assert asked == [str(OURS), str(OTHERS)]


@pytest.mark.parametrize("case", COMES)
def test_what_comes_is_our_own_at_once(case: str, space: Space) -> None:
    command, text = COMES[case]
    here, address = Interfaces(), ipaddress.ip_address(text)
    before = space.run(here.edition)
    assert not space.run(here.has, address)
    space.run(ip, command)
    assert space.run(here.has, address)
    assert space.run(here.edition) != before
    space.run(ip, command.replace(" add ", " del ").replace(" nodad", ""))
    assert not space.run(here.has, address)


def test_more_changes_than_the_kernel_keeps_are_changes(space: Space) -> None:
    here, address = Interfaces(), ipaddress.ip_address("192.0.2.200")
    assert not space.run(here.has, address)
    space.run(ip, "\n".join(f"addr add 192.0.2.{at}/32 dev lo" for at in range(1, 201)))
    assert space.run(here.has, address)
    edition = space.run(here.edition)
    assert space.run(here.edition) == edition


def test_nothing_is_kept_where_nobody_tells_of_changes(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "_subscribed", lambda: None)
    here = Interfaces()
    assert here.edition() != here.edition()
    assert [here.has(OURS), here.has(OURS)] == [True, True]
    assert len(asked) == 2


def test_an_address_counts_as_ours_while_nobody_can_tell_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    here = Interfaces()
    here.edition()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", exhausted)
        assert here.has(OTHERS)
    assert not here.has(OTHERS)


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "REMEMBERED", 3)
    here = Interfaces()
    for at in range(9):
        assert not here.has(OTHERS + at)
    assert len(here._known) <= 3
