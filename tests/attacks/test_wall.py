"""Every attack on the box as it is: not one packet goes where it may not."""

import socket
from contextlib import ExitStack

import pytest

from allscreenshots_box.render.pipeline.navigation import AGAIN_SECONDS
from tests.attacks.cases import Case
from tests.attacks.names import INTRANET, PUBLIC
from tests.attacks.network import SEEN_SECONDS, Packet, ip
from tests.attacks.siege import Attacked, Outcome, Siege
from tests.attacks.table import CASES, PAGES
from tests.attacks.world import SECRET
from tests.test_serve import eventually, log_lines

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_there_are_enough_attacks() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 60


def test_no_packet_of_all_these_went_astray(strayed: set[Packet]) -> None:
    assert strayed == set()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_forbidden_is_reached_by(case: Case, outcomes: dict[str, Outcome]) -> None:
    assert not outcomes[case.name].reached


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_caller_hears_what_is_due_of(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    assert case.hears & {outcome.status, outcome.code}, outcome.text
    assert SECRET not in outcome.text


@pytest.mark.parametrize("case", [case for case in PAGES if case.runs], ids=str)
def test_the_page_really_ran_of(case: Case, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[case.name].ran


def test_a_private_page_may_be_asked_for_by_name(siege: Siege, attacked: Attacked) -> None:
    asked = len(siege.world.requests)
    assert attacked.shoot("http://wiki.intranet.example/").status_code == 200
    assert {request.address for request in siege.world.requests[asked:]} == {INTRANET}


def test_names_that_are_never_answered_hold_up_nobody_else(siege: Siege, attacked: Attacked) -> None:
    hushed = "".join(f'<img src="http://hush-{number}.c1.attack.example/">' for number in range(20))
    page = siege.stage.put(f"<!doctype html>{hushed}")
    with siege.network.box.threads(2) as threads:
        slow = threads.submit(attacked.box.shoot, attacked.secret, page, waitUntil="load", timeout=8000)
        assert eventually(lambda: siege.world.names.hushed >= 4)
        quick = threads.submit(attacked.box.shoot, attacked.secret, "http://wiki.intranet.example/").result()
        assert quick.status_code == 200, quick.text
        assert not slow.done()
        assert slow.result().status_code == 200


def test_a_machine_whose_addresses_change_tries_again_and_does_not_blame_the_page(
    siege: Siege, attacked: Attacked
) -> None:
    inside = siege.network.box
    with ExitStack() as stack, inside.threads(1) as threads:
        silent = stack.enter_context(siege.network.world.run(socket.create_server, (PUBLIC[0], 8443)))
        silent.settimeout(SEEN_SECONDS)
        shot = threads.submit(attacked.box.shoot, attacked.secret, f"https://{PUBLIC[0]}:8443/", timeout=30_000)
        for _ in range(1 + len(AGAIN_SECONDS)):
            peer = stack.enter_context(silent.accept()[0])
            peer.settimeout(SEEN_SECONDS)
            assert peer.recv(1)  # the browser waits for the other side to encrypt
            inside.run(ip, "addr add 192.168.77.3/32 dev lo\naddr del 192.168.77.3/32 dev lo\n")
        answer = shot.result()
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable"), answer.text
    assert answer.headers["retry-after"]
    hindered = [line for line in log_lines(attacked.box) if line["event"] == "page_hindered"]
    assert [line["code"] for line in hindered] == ["ERR_NETWORK_CHANGED"]
