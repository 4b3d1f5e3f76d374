"""Processes that are killed and stopped at random moments under load: a picture or an honest 503, and soon normal."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from allscreenshots_box.render.browsers.chromium import find_executable
from tests.box import Box
from tests.camera import SMALL
from tests.chaos.load import Load, Watch
from tests.chaos.processes import hit, in_full, named, still_there, wait_until, zombies
from tests.site.server import Site
from tests.test_serve import below, log_lines

pytestmark = [pytest.mark.chaos, pytest.mark.browser, pytest.mark.long, pytest.mark.rough]

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "8"))
CALLERS = 3
NORMAL_WITHIN = 10.0  # seconds, what the box promises
LOOKS_WITHIN = 12.0  # a look takes six seconds at most, and what it waits for may be another's
TOLD_WITHIN = 10.0  # two looks that fail, two seconds apart, each after a start that fails
LAUNCHES_A_SECOND = 2  # at most, if none succeeds
BLOWS = [
    (kind, number)
    for number in (signal.SIGKILL, signal.SIGSTOP)
    for kind in ("browser", "renderer", "gpu", "zygote", "network")
]


class Calm(NamedTuple):
    """A time in which nobody hit anything, from the first sign that all is well on."""

    begun: float
    ended: float

    def has(self, begun: float, ended: float) -> bool:
        return self.begun <= begun and ended <= self.ended


def test_every_request_gets_a_picture_or_an_honest_503_and_ready_tells_the_truth(data_dir: Path, site: Site) -> None:
    url, worst, slowest_word, calms = site.url("/colors.html"), 0.0, 0.0, []
    with Box(data_dir, "--allow", site.addresses) as box:
        secret = box.key("chaos", "--plan", "default")
        with Load(box, secret, url, CALLERS) as load, Watch(box) as watch:
            order = random.sample(BLOWS, len(BLOWS))
            well = time.monotonic()
            for number in range(ROUNDS):
                kind, blow = order[number % len(order)]
                time.sleep(random.uniform(0.2, 1.0))  # a random moment of whatever runs
                calms.append(Calm(well, time.monotonic()))
                assert wait_until(lambda kind=kind, blow=blow: hit(box, kind, blow) > 0, 5) is not None
                struck = time.monotonic()
                took = wait_until(lambda: box.shoot(secret, url, viewport=SMALL).status_code == 200, NORMAL_WITHIN)
                assert took is not None, (kind, blow, box.log.read_text()[-3000:])
                worst = max(worst, took)
                left = NORMAL_WITHIN - (time.monotonic() - struck)
                assert wait_until(lambda struck=struck: watch.says_ready_since(struck), left) is not None, watch.words[
                    -1
                ]
                well = time.monotonic()
        shed = [outcome for outcome in load.outcomes if outcome.status != 200]
        not_ready = [word for word in watch.words if word.reasons]
        slowest = max(outcome.seconds for outcome in load.outcomes)
        slowest_word = max(word.told - word.asked for word in watch.words)
        print(  # noqa: T201 - figures of the full form
            f"\n{ROUNDS} rounds, {len(load.outcomes)} requests, {len(shed)} answered 503, "
            f"normal again after {worst:.1f} s at worst, slowest answer {slowest:.1f} s; "
            f"/ready asked {len(watch.words)} times, {len(not_ready)} times not ready, slowest {slowest_word:.1f} s"
        )
        assert load.failures == []
        assert [outcome for outcome in load.outcomes if not outcome.is_honest] == []
        assert slowest < 30
        assert watch.failures == []
        assert [word for word in not_ready if not all(one.startswith("browser: ") for one in word.reasons)] == []
        assert slowest_word < LOOKS_WITHIN
        for calm in calms:  # it is ready, and so it takes pictures; it takes pictures, and so it is ready
            lived = [one for one in load.outcomes if calm.has(one.begun, one.begun + one.seconds)]
            assert {one.status for one in lived} <= {200}
            assert [word for word in not_ready if calm.has(word.asked, word.told)] == []
        assert wait_until(lambda: zombies(box) == 0, 5) is not None
        assert wait_until(lambda: len(named(box, "browser")) == 1, 10) is not None
        assert wait_until(lambda: len(list((data_dir / "tmp").iterdir())) == 1, 10) is not None
        everything = below(box.process.pid)
        assert box.stop() == 0
    assert wait_until(lambda: still_there(everything) == [], 5) is not None


def replaceable(directory: Path) -> Path:
    """Return a command that starts the browser, until it is written anew."""
    command = directory / "browser"
    command.write_text(f'#!/bin/sh\nexec {find_executable()} "$@"\n')
    command.chmod(0o755)
    return command


@in_full
def test_ready_says_in_time_that_no_browser_can_be_had_and_that_there_is_one_again(data_dir: Path, site: Site) -> None:
    command = replaceable(data_dir.parent)
    works = command.read_text()
    with Box(data_dir, "--allow", site.addresses, "--browser", str(command)) as box, Watch(box) as watch:
        secret = box.key("gone")
        command.write_text("#!/bin/sh\nexit 1\n")
        hit(box, "browser", signal.SIGKILL)
        struck = time.monotonic()
        told = wait_until(lambda: watch.words[-1].reasons, TOLD_WITHIN)
        assert told is not None
        assert watch.words[-1].reasons == ("browser: no browser could be started",)
        assert box.shoot(secret, site.url("/colors.html")).status_code == 503
        command.write_text(works)
        mended = time.monotonic()
        assert wait_until(lambda: watch.says_ready_since(mended), NORMAL_WITHIN) is not None
        assert box.shoot(secret, site.url("/colors.html")).status_code == 200
        starts = [line for line in log_lines(box) if line["event"] == "browser_not_started"]
        assert 0 < len(starts) <= 2 * (mended - struck) * LAUNCHES_A_SECOND + 2
        assert watch.failures == []


def kill_young(box: Box, number: int, within: float) -> None:
    """Kill the browser, and each that is started in its place, so many times, a random part of a start later."""
    killed: set[int] = set()
    while len(killed) < number:
        for pid in set(named(box, "browser")) - killed:
            time.sleep(random.uniform(0, within))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.01)


@pytest.mark.parametrize("within", [0.3, 0.02] if "CHAOS_ROUNDS" in os.environ else [0.3])
def test_a_browser_that_is_killed_again_and_again_while_it_starts_comes_back(
    data_dir: Path, site: Site, within: float
) -> None:
    url = site.url("/colors.html")
    with Box(data_dir, "--allow", site.addresses) as box:
        secret = box.key("young")
        with Load(box, secret, url, 1) as load:
            kill_young(box, ROUNDS // 2, within)
            assert wait_until(lambda: box.shoot(secret, url, viewport=SMALL).status_code == 200, NORMAL_WITHIN)
        assert [outcome for outcome in load.outcomes if not outcome.is_honest] == []
        assert wait_until(lambda: len(named(box, "browser")) == 1, 5) is not None
        assert wait_until(lambda: len(list((data_dir / "tmp").iterdir())) == 1, 5) is not None
        assert wait_until(lambda: zombies(box) == 0, 5) is not None


@in_full
def test_a_browser_that_dies_while_its_successor_starts_leaves_one(data_dir: Path, site: Site) -> None:
    url = site.url("/colors.html")
    with Box(data_dir, "--allow", site.addresses, "--recycle-after", "10") as box:
        secret = box.key("recycled")
        for number in range(1, 4):
            [old] = named(box, "browser")

            def is_recycled(number: int = number) -> bool:
                return sum(line["event"] == "browser_recycled" for line in log_lines(box)) >= number

            while not is_recycled():
                assert box.shoot(secret, url, viewport=SMALL).status_code == 200
            with suppress(ProcessLookupError):
                os.kill(old, signal.SIGKILL)
            assert box.shoot(secret, url, viewport=SMALL).status_code == 200
            assert wait_until(lambda old=old: old not in named(box, "browser"), 5) is not None
            assert wait_until(lambda: len(named(box, "browser")) == 1, 5) is not None, named(box, "browser")


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


def crash_under(box: Box, secrets: list[str], url: str, site: Site) -> list[str]:
    """Ask for a slow page with each of *secrets*, and have the browser crash when all are there; return the answers."""
    site.forget()
    with ThreadPoolExecutor(len(secrets)) as pool:
        asked = [pool.submit(box.shoot, secret, url, delay=3000, viewport=SMALL) for secret in secrets]
        assert wait_until(lambda: len([one for one in site.requests if one.path == "/table.html"]) == len(asked), 20)
        assert hit(box, "browser", signal.SIGSEGV) > 0
        answers = [one.result() for one in asked]
    return [
        "200" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['error']}" for answer in answers
    ]


def test_a_page_that_ends_the_browser_is_not_tried_again_and_soon_not_at_all(data_dir: Path, site: Site) -> None:
    url = site.url("/table.html")
    with Box(data_dir, "--allow", site.addresses, "--slots", "2") as box:
        secret, other = box.key("lethal"), box.key("other")
        for _ in range(2):
            assert crash_under(box, [secret], url, site) == ["422 page_crashed"]
        assert not [line for line in log_lines(box) if line["event"] == "shot_tried_again"]
        site.forget()
        refused = box.shoot(secret, url, viewport=SMALL)
        assert (refused.status_code, refused.json()["error"]) == (422, "page_crashed")
        assert [one.path for one in site.requests] == []
        assert box.shoot(other, url, viewport=SMALL).status_code == 200


def test_who_was_inside_when_the_browser_crashed_is_tried_again_apart(data_dir: Path, site: Site) -> None:
    with Box(data_dir, "--allow", site.addresses, "--slots", "2") as box:
        secrets = [box.key("one"), box.key("two")]
        assert crash_under(box, secrets, site.url("/table.html"), site) == ["200", "200"]
        assert [line["reason"] for line in log_lines(box) if line["event"] == "shot_tried_again"] == ["PagesBlamed"] * 2
        started = [line for line in log_lines(box) if line["event"] == "browser_started"]
        assert len(started) == 4  # the first, its successor, and one for each
        assert wait_until(lambda: len(named(box, "browser")) == 1, 10) is not None


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
