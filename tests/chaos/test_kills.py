"""Processes that are killed and stopped at random moments under load: a picture or an honest 503, and soon normal."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.box import Box
from tests.camera import SMALL
from tests.chaos.load import Load
from tests.chaos.processes import hit, named, still_there, wait_until, zombies
from tests.site.server import Site
from tests.test_serve import below

pytestmark = pytest.mark.chaos

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "8"))
CALLERS = 3
NORMAL_WITHIN = 10.0  # seconds, what the box promises
BLOWS = [
    (kind, number)
    for number in (signal.SIGKILL, signal.SIGSTOP)
    for kind in ("browser", "renderer", "gpu", "zygote", "network")
]


def test_every_request_gets_a_picture_or_an_honest_503(data_dir: Path, site: Site) -> None:
    url, worst = site.url("/colors.html"), 0.0
    with Box(data_dir, "--allow", site.addresses) as box:
        secret = box.key("chaos", "--plan", "default")
        with Load(box, secret, url, CALLERS) as load:
            order = random.sample(BLOWS, len(BLOWS))
            for number in range(ROUNDS):
                kind, blow = order[number % len(order)]
                time.sleep(random.uniform(0.2, 1.0))  # a random moment of whatever runs
                assert wait_until(lambda kind=kind, blow=blow: hit(box, kind, blow) > 0, 5) is not None
                took = wait_until(lambda: box.shoot(secret, url, viewport=SMALL).status_code == 200, NORMAL_WITHIN)
                assert took is not None, (kind, blow, box.log.read_text()[-3000:])
                worst = max(worst, took)
        shed = [outcome for outcome in load.outcomes if outcome.status != 200]
        slowest = max(outcome.seconds for outcome in load.outcomes)
        print(  # noqa: T201 - figures of the full form
            f"\n{ROUNDS} rounds, {len(load.outcomes)} requests, {len(shed)} answered 503, "
            f"normal again after {worst:.1f} s at worst, slowest answer {slowest:.1f} s"
        )
        assert load.failures == []
        assert [outcome for outcome in load.outcomes if not outcome.is_honest] == []
        assert slowest < 30
        assert wait_until(lambda: zombies(box) == 0, 5) is not None
        assert wait_until(lambda: len(named(box, "browser")) == 1, 10) is not None
        assert wait_until(lambda: len(list((data_dir / "tmp").iterdir())) == 1, 10) is not None
        everything = below(box.process.pid)
        assert box.stop() == 0
    assert wait_until(lambda: still_there(everything) == [], 5) is not None


@pytest.mark.parametrize("kind", ["browser", "zygote", "gpu"])
def test_a_browser_that_is_stopped_while_nobody_asks_is_replaced(box: Box, kind: str) -> None:
    wait_until(lambda: bool(named(box, kind)), 5)
    before = set(named(box, "browser"))
    hit(box, kind, signal.SIGSTOP)
    assert wait_until(lambda: named(box, "browser") and not before & set(named(box, "browser")), NORMAL_WITHIN)


def test_a_page_is_not_blamed_for_a_network_that_we_lost(box: Box, site: Site) -> None:
    secret = box.key("network")
    with Load(box, secret, site.url("/slow?ms=700"), CALLERS) as load:
        for number in range(1, 4):
            assert wait_until(lambda number=number: len(load.outcomes) >= number * CALLERS, 20) is not None
            hit(box, "network", signal.SIGKILL)
    assert [outcome for outcome in load.outcomes if not outcome.is_honest] == []


def test_a_deadline_that_our_browser_lost_is_no_word_on_the_page(box: Box, site: Site) -> None:
    secret = box.key("deadline")
    for kind in ("network", "gpu", "renderer"):
        assert wait_until(lambda kind=kind: hit(box, kind, signal.SIGSTOP) > 0, 5) is not None
        answer = box.shoot(secret, site.url("/colors.html"), timeout=1000, viewport=SMALL)
        assert answer.status_code in {200, 503}, (kind, answer.text)
        assert wait_until(lambda: box.shoot(secret, site.url("/colors.html")).status_code == 200, NORMAL_WITHIN)


def test_a_box_that_is_killed_under_load_leaves_nothing_and_serves_again_at_once(data_dir: Path, site: Site) -> None:
    url = site.url("/colors.html")
    box = Box(data_dir, "--allow", site.addresses)
    box.start()
    secret = box.key("killed")
    with Load(box, secret, url, CALLERS) as load:
        assert wait_until(lambda: len(load.outcomes) >= CALLERS, 20) is not None
        hit(box, "zygote", signal.SIGSTOP)  # what is stopped does not notice that its browser is gone
        hit(box, "renderer", signal.SIGSTOP)
        left = below(box.process.pid)
        box.process.kill()
        box.process.wait()
        begun = time.monotonic()
        with box:
            assert box.shoot(secret, url, viewport=SMALL).status_code == 200
            print(f"\nserved {time.monotonic() - begun:.1f} s after the start")  # noqa: T201
            assert still_there(left) == []
            assert wait_until(lambda: len(list((data_dir / "tmp").iterdir())) == 1, 5) is not None
