"""Names that are not answered, or answered with too much, cost the key that asked for them and nobody else."""

from collections import Counter

import httpx
import pytest

from allscreenshots_box.egress.resolver import MOST_ADDRESSES, SHARE, THREADS
from tests.attacks.names import INTRANET
from tests.attacks.siege import Attacked, Siege
from tests.test_serve import eventually, log_lines

pytestmark = pytest.mark.browser

CROWD = THREADS + 16  # more dead names than there are threads
AT_ONCE = 8  # look-ups of one page
SMALL = {"format": "jpeg", "viewport": {"width": 400, "height": 300}, "blockAds": False}


@pytest.fixture(scope="module")
def neighbour(attacked: Attacked) -> str:
    """Return the secret of a key that does nobody any harm."""
    return attacked.box.key("neighbour")


def shoot(siege: Siege, attacked: Attacked, secret: str, url: str) -> httpx.Response:
    return siege.network.box.run(attacked.box.shoot, secret, url, **SMALL)


def hushed(siege: Siege, prefix: str) -> int:
    """Return how many names were asked for that are never answered."""
    return sum(name.startswith(f"hush-{prefix}") for name in siege.world.names.asked)


def images(*hosts: str) -> str:
    return "<!doctype html>" + "".join(f'<img src="http://{host}.c1.attack.example/there.svg">' for host in hosts)


def test_dead_names_of_one_key_cost_another_nothing(siege: Siege, attacked: Attacked, neighbour: str) -> None:
    client = httpx.Client(base_url=attacked.box.url, timeout=70, limits=httpx.Limits())  # one for all: they are slow

    def ask(at: int) -> httpx.Response:
        body = {"url": f"http://hush-many-{at}.c1.attack.example/"}
        return client.post("/v1/screenshots", json=body, headers={"X-API-Key": attacked.secret})

    with siege.network.box.threads(CROWD) as threads, client:
        answers = [threads.submit(ask, at) for at in range(CROWD)]
        assert eventually(lambda: hushed(siege, "many-") >= THREADS // (SHARE + 1))
        for at in range(5):
            well = shoot(siege, attacked, neighbour, f"http://well-{at}.c1.attack.example/")
            assert well.status_code == 200, well.text
        heard = Counter(answer.result().status_code for answer in answers)
    assert set(heard) == {422, 429}, heard
    told = next(answer.result() for answer in answers if answer.result().status_code == 422).json()
    assert (told["error"], "did not answer" in told["message"]) == ("url_unreachable", True)
    assert any(line["event"] == "names_unanswered" for line in log_lines(attacked.box))


def test_a_page_of_dead_names_is_shot_without_them(siege: Siege, attacked: Attacked, neighbour: str) -> None:
    pages = [siege.stage.put(images(*(f"hush-page-{page}-{at}" for at in range(100)))) for page in range(3)]
    options = SMALL | {"waitUntil": "load", "timeout": 25_000}
    with siege.network.box.threads(len(pages)) as threads:
        secret = attacked.box.key("of dead names")  # whose share of look-ups is whole
        slow = [threads.submit(attacked.box.shoot, secret, page, **options) for page in pages]
        assert eventually(lambda: hushed(siege, "page-") >= AT_ONCE)
        well = shoot(siege, attacked, neighbour, "http://well.c1.attack.example/")
        assert well.status_code == 200, well.text
        for one in slow:
            answer = one.result()
            assert (answer.status_code, answer.headers.get("x-not-awaited")) == (200, None), answer.text
    assert hushed(siege, "page-") <= 2 * AT_ONCE * len(pages)


def test_a_name_with_thousands_of_addresses_is_refused_and_says_so(siege: Siege, attacked: Attacked) -> None:
    secret = attacked.box.key("of many addresses")  # whose share of look-ups is whole
    answer = shoot(siege, attacked, secret, "http://many-4000-1.c1.attack.example/")
    assert (answer.status_code, answer.json()["error"]) == (422, "url_unreachable")
    assert f"more than {MOST_ADDRESSES} addresses" in answer.json()["message"]


def test_no_page_reaches_a_name_with_thousands_of_addresses(siege: Siege, attacked: Attacked) -> None:
    page = siege.stage.put(images("many-4000-2", f"many-{MOST_ADDRESSES}-2", f"many-{MOST_ADDRESSES + 1}-2"))
    assert attacked.shoot(page, **SMALL | {"waitUntil": "load"}).status_code == 200
    reached = {request.host.partition(".")[0] for request in siege.world.requests if request.host.startswith("many-")}
    assert reached == {f"many-{MOST_ADDRESSES}-2"}


def test_names_of_this_machine_need_no_name_server(siege: Siege, attacked: Attacked) -> None:
    before = len(siege.world.requests)
    assert attacked.shoot("http://printer/", **SMALL).status_code == 200
    assert {request.address for request in siege.world.requests[before:]} == {INTRANET}
    assert not [name for name in siege.world.names.asked if "printer" in name]


def test_short_names_are_completed_as_the_system_does(siege: Siege, attacked: Attacked) -> None:
    before = len(siege.world.requests)
    assert attacked.shoot("http://wiki/", **SMALL).status_code == 200
    assert {request.address for request in siege.world.requests[before:]} == {INTRANET}


def test_a_name_that_failed_is_asked_for_again_after_some_seconds(siege: Siege, attacked: Attacked) -> None:
    name = "new.nowhere.example"
    assert [attacked.shoot(f"http://{name}/").status_code for _ in range(3)] == [422] * 3
    assert siege.world.names.asked[name] == 1
    with (attacked.box.data_dir.parent / "hosts").open("a") as hosts:
        hosts.write(f"{INTRANET} {name}\n")
    assert eventually(lambda: attacked.shoot(f"http://{name}/", **SMALL).status_code == 200)
