"""A box that lacks something says so, answers honestly, loses nothing, and is well again when it has it."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest

from tests.box import PROGRAM, Box
from tests.camera import SMALL
from tests.chaos.processes import hit, in_full, named, wait_until, zombies
from tests.chaos.scarcity import Crowd, Memory, full, held_connections, read_only, small_disk
from tests.site.server import Site
from tests.test_serve import log_lines

pytestmark = [
    pytest.mark.browser,
    pytest.mark.rough,
    pytest.mark.chaos,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can take from a machine what it has"),
]

TOLD_WITHIN = 10.0  # seconds: two looks that fail, each two seconds after the one before, and what a look takes
WELL_WITHIN = 10.0
HANDLES = 150  # a box with nothing to do has 35 of them open
HELD = 65  # connections; it bears 75


class CheckContext:
    """A box in trouble, and what it answered."""

    def __init__(self, box: Box, site: Site) -> None:
        self.box, self._url = box, site.url("/colors.html")
        self._client = httpx.Client(base_url=box.url, timeout=30)
        self._secret = box.key("patient")
        self.made = 0  # pictures that were handed out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def shoot(self, url: str | None = None, **body: object) -> str:
        """Ask for a picture; return what came, as 200 or as the error's code."""
        answer = self.box.shoot(self._secret, url or self._url, viewport=SMALL, **body)
        self.made += answer.status_code == 200
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
        return "200" if answer.status_code == 200 else str(answer.json()["error"])

    def reasons(self) -> list[str]:
        """Return what /ready says is wrong."""
        answer = self._client.get("/ready")
        told: list[str] = answer.json().get("reasons", [])
        assert (answer.status_code == 503) == bool(told)
        return told

    def says(self, reason: str) -> bool:
        return any(one.startswith(reason) for one in self.reasons())

    def counted(self) -> int:
        """Return how many pictures the server has counted."""
        told = self._client.get("/v1/usage/quota", headers={"X-API-Key": self._secret}).json()
        number: int = told["screenshots"]["used"]
        return number

    def written(self) -> int:
        """Return how many pictures the database has."""
        [told] = json.loads(self.box.run("usage", "--json").stdout)
        number: int = told["this_month"]["screenshots"]
        return number

    def suffer(self, want: AbstractContextManager[object], *reasons: str) -> set[str]:
        """Return what is answered while there is *want*, which must be told as *reasons*, and must pass with it."""
        with want:
            for reason in reasons:
                assert wait_until(lambda reason=reason: self.says(reason), TOLD_WITHIN), (reason, self.reasons())
            answered = {self.shoot() for _ in range(3)}
            assert self._client.get("/health").status_code == 200
        self.recover(*reasons)
        return answered

    def recover(self, *reasons: str) -> None:
        """Be well again without anybody's help, and have said all that the log must have."""
        assert wait_until(lambda: self.reasons() == [], TOLD_WITHIN), self.reasons()
        assert wait_until(lambda: self.shoot() == "200", WELL_WITHIN)
        assert self.counted() == self.made
        assert self.box.process.poll() is None
        told = [line for line in log_lines(self.box) if line["event"] in {"not_ready", "ready_again"}]
        assert not told or told[-1]["event"] == "ready_again"
        for reason in reasons:
            assert any(reason in str(line.get("reasons")) for line in told), told


@contextmanager
def context(
    data_dir: Path, site: Site, *options: str, allow: str = "", program: tuple[str, ...] = (PROGRAM,)
) -> Iterator[CheckContext]:
    """Yield a box that is well, and look in the end whether all is written that it counted."""
    box = Box(data_dir, "--allow", f"{site.addresses},{allow}" if allow else site.addresses, *options)
    box.program = program
    with box:
        with CheckContext(box, site) as one:
            assert one.shoot() == "200"
            assert one.reasons() == []
            yield one
        assert box.stop() == 0
        assert one.written() == one.made


def test_a_box_that_lacks_everything_names_it_all_and_is_well_when_it_has_it(data_dir: Path, site: Site) -> None:
    memory = Memory(data_dir.parent / "meminfo")
    program = ("prlimit", f"--nofile={HANDLES}", *memory.program)
    with small_disk(data_dir), context(data_dir, site, program=program) as one:
        before = named(one.box, "browser")
        with ExitStack() as want:
            want.enter_context(full(data_dir))
            want.enter_context(memory.short())
            want.enter_context(held_connections(one.box, HELD))
            answered = one.suffer(want, "disk space:", "database:", "memory:", "file handles:")
        assert answered == {"service_unavailable"}
        assert named(one.box, "browser") == before


@in_full
def test_a_full_disk_costs_no_picture_and_no_count(data_dir: Path, site: Site) -> None:
    with small_disk(data_dir), context(data_dir, site) as one:
        assert one.suffer(full(data_dir), "disk space: less than 64 MiB", "database: it cannot be written") == {"200"}


@in_full
def test_a_browser_lost_while_the_disk_is_full_is_replaced_at_the_latest_when_there_is_room(
    data_dir: Path, site: Site
) -> None:
    with small_disk(data_dir), context(data_dir, site) as one:
        with full(data_dir) as fill:
            for _ in range(3):
                hit(one.box, "browser", signal.SIGKILL)
                fill()  # what that one gives back
                assert one.shoot() in {"200", "service_unavailable"}
        one.recover()
        assert wait_until(lambda: len(list((data_dir / "tmp").iterdir())) == 1, 5)
        assert wait_until(lambda: zombies(one.box) == 0, 5) is not None


@in_full
def test_a_database_that_cannot_be_written_costs_no_picture_and_no_count(data_dir: Path, site: Site) -> None:
    with context(data_dir, site) as one:
        files = [data_dir / "box.db", data_dir / "box.db-wal"]
        assert one.suffer(read_only(*files), "database: it cannot be written") == {"200"}


@in_full
def test_a_box_without_memory_goes_on_one_by_one(data_dir: Path, site: Site) -> None:
    memory = Memory(data_dir.parent / "meminfo")

    with context(data_dir, site, "--slots", "3", program=memory.program) as one, ThreadPoolExecutor(4) as pool:
        with memory.short():
            assert set(pool.map(lambda _: one.shoot(), range(8))) == {"200"}
        assert one.suffer(memory.short(), "memory: less than 128 MiB are free") == {"200"}
        assert "memory_short" in {line["event"] for line in log_lines(one.box)}


@in_full
def test_a_box_without_file_handles_refuses_shots_until_it_has_some(data_dir: Path, site: Site) -> None:
    limited = ("prlimit", f"--nofile={HANDLES}", PROGRAM)
    with context(data_dir, site, program=limited) as one:
        before = named(one.box, "browser")
        want = held_connections(one.box, HELD)
        assert one.suffer(want, "file handles: fewer than 65 are left") == {"service_unavailable"}
        assert named(one.box, "browser") == before


@in_full
def test_no_page_is_blamed_for_handles_that_others_took(data_dir: Path, site: Site) -> None:
    limited = ("prlimit", f"--nofile={HANDLES}", PROGRAM)
    with Crowd() as crowd, context(data_dir, site, allow=crowd.addresses, program=limited) as one:
        before = named(one.box, "browser")
        with ThreadPoolExecutor(4) as pool:
            crowds = [pool.submit(one.shoot, crowd.url, timeout=5000) for _ in range(3)]
            answered = {one.shoot() for _ in range(4)} | {answer.result() for answer in crowds}
        assert "service_unavailable" in answered
        assert answered <= {"200", "service_unavailable"}
        assert named(one.box, "browser") == before
        one.recover()
