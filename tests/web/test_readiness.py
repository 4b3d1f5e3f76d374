"""/ready tells the truth: from a real look at the browser, the database and the disk, with two strikes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
import sqlite_utils
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import resources
from allscreenshots_box.config import Settings
from allscreenshots_box.process import health_cache
from allscreenshots_box.process.health_cache import Health, HealthCache
from allscreenshots_box.resources import Memory
from allscreenshots_box.storage.database import open_database
from allscreenshots_box.web import readiness
from allscreenshots_box.web.readiness import look_at_means, look_at_store
from tests.conftest import StandIn

pytestmark = pytest.mark.anyio


# --- the pulse ----------------------------------------------------------------------------------


async def felt(*found: str | Exception, looks: int) -> list[Health]:
    """Return what a pulse says, asked *looks* times, whose looks find these, and the last of them for ever."""
    left = list(found)

    async def look() -> str:
        await asyncio.sleep(0)
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one

    beating = HealthCache(look, 1)
    return [await beating.health() for _ in range(looks)]


@pytest.mark.parametrize(
    ("found", "oks"),
    [
        (["", "", ""], [True, True, True]),
        (["late", "", "late", ""], [True, True, True, True]),
        (["late", "late", ""], [True, False, True]),
        (["late", ValueError(), "late"], [True, False, False]),
    ],
)
async def test_only_the_second_failure_in_a_row_counts(
    monkeypatch: pytest.MonkeyPatch, found: list[str | Exception], oks: list[bool]
) -> None:
    monkeypatch.setattr(health_cache, "FRESH_SECONDS", 0)
    assert [health.ok for health in await felt(*found, looks=len(found))] == oks


async def test_a_failure_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_cache, "FRESH_SECONDS", 0)
    told = await felt("", "torn", ValueError(), looks=3)
    assert [health.reason for health in told] == ["", "torn", "the look failed (ValueError)"]


async def test_however_many_ask_there_is_one_look() -> None:
    looks = 0

    async def look() -> str:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return ""

    beating = HealthCache(look, 1)
    await asyncio.gather(*(beating.health() for _ in range(50)))
    await beating.health()
    assert looks == 1


async def test_a_look_that_hangs_is_told_and_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_cache, "FRESH_SECONDS", 0)
    begun, ends = 0, asyncio.Event()

    async def look() -> str:
        nonlocal begun
        begun += 1
        await ends.wait()
        return ""

    hanging = HealthCache(look, 0.01)
    told = [await hanging.health() for _ in range(3)]
    assert ([health.ok for health in told], told[0].reason, begun) == (
        [True, False, False],
        "no answer within 0.01 s",
        1,
    )
    ends.set()
    assert await hanging.health() == Health(ok=True)


# --- the database and the disk ------------------------------------------------------------------


def test_a_store_that_can_be_written_is_fine(db: sqlite_utils.Database, tmp_path: Path) -> None:
    assert [look_at_store(db, tmp_path) for _ in range(3)] == ["", "", ""]


@contextmanager
def readonly(db: sqlite_utils.Database, path: Path) -> Iterator[None]:  # noqa: ARG001 - as its neighbours
    db.execute("pragma query_only = 1")
    yield


@contextmanager
def locked(db: sqlite_utils.Database, path: Path) -> Iterator[None]:  # noqa: ARG001 - as its neighbours
    with closing(open_database(path / "box.db")) as other:
        other.conn.execute("begin immediate")
        yield


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (readonly, "database: it cannot be written (attempt to write a readonly database)"),
        (locked, "database: it cannot be written (database is locked)"),
    ],
)
def test_a_store_that_cannot_be_written_says_why(
    db: sqlite_utils.Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[sqlite_utils.Database, Path], AbstractContextManager[None]],
    reason: str,
) -> None:
    monkeypatch.setattr(readiness, "LOCK_MILLISECONDS", 10)
    with break_it(db, tmp_path):
        assert look_at_store(db, tmp_path) == reason


# A file that may not grow fails as on a full disk, in SQLite's own words.
FULL = """
import resource, signal, sys
from pathlib import Path
from allscreenshots_box.storage.database import open_database
from allscreenshots_box.web.readiness import look_at_means, look_at_store
db = open_database(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
print(look_at_store(db, Path(sys.argv[1]).parent))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("after:", look_at_store(db, Path(sys.argv[1]).parent))
"""


def test_a_disk_that_takes_no_more_is_told_until_it_does(tmp_path: Path) -> None:
    words = [sys.executable, "-c", FULL, str(tmp_path / "box.db")]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert told[0].startswith("database: it cannot be written (")
    assert told[1:] == ["after: "]


@pytest.mark.parametrize("bound", ["LEAST_FREE", "LEAST_FILES"])
def test_a_disk_with_too_little_room_is_told(
    db: sqlite_utils.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(readiness, bound, 2**63)
    assert look_at_store(db, tmp_path).startswith("disk space: ")


def test_a_data_directory_that_is_gone_is_told(db: sqlite_utils.Database, tmp_path: Path) -> None:
    assert "disk space: the data directory cannot be looked at" in look_at_store(db, tmp_path / "gone")


# --- memory and file handles --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handles", "memory", "told"),
    [
        (65, 128 << 20, ""),
        (64, 128 << 20, "file handles: fewer than 65 are left, which a page may take"),
        (65, (128 << 20) - 1, "memory: less than 128 MiB are free"),
        (0, None, "file handles: fewer than 65 are left, which a page may take"),
    ],
)
async def test_what_a_shot_takes_must_be_there(
    monkeypatch: pytest.MonkeyPatch, handles: int, memory: int | None, told: str
) -> None:
    def look() -> Memory:
        if memory is None:
            raise OSError
        return Memory(1 << 40, memory)

    monkeypatch.setattr(resources, "handles", lambda: handles)
    monkeypatch.setattr(resources, "memory", look)
    assert await look_at_means() == told


# --- what is answered ---------------------------------------------------------------------------


def test_a_box_that_can_work_is_ready(api: TestClient[Litestar]) -> None:
    answer = api.get("/ready")
    assert (answer.status_code, answer.json(), answer.headers["cache-control"]) == (
        200,
        {"status": "ready"},
        "no-store",
    )


def test_a_box_without_a_browser_says_so(
    api: TestClient[Litestar], renderer: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="allscreenshots_box")
    renderer.wellbeing = Health(ok=False, reason="no answer")
    answers = [api.get("/ready") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].json() == {"status": "not ready", "reasons": ["browser: no answer"]}
    renderer.wellbeing = Health(ok=True)
    assert api.get("/ready").status_code == 200
    told = [record.getMessage() for record in caplog.records if record.getMessage() != "request"]
    assert told == ["not_ready", "ready_again"]


def test_a_box_whose_disk_is_full_says_so(
    api: TestClient[Litestar], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(health_cache, "FRESH_SECONDS", 0)
    monkeypatch.setattr(readiness, "LEAST_FREE", 2**63)
    assert settings.data_dir.is_dir()
    assert [api.get("/ready").status_code for _ in range(2)] == [200, 503]
    assert api.get("/ready").json()["reasons"][0].startswith("disk space: ")


def test_a_box_that_stops_is_not_ready(api: TestClient[Litestar]) -> None:
    api.app.state.services.readiness.drain()
    answer = api.get("/ready")
    assert (answer.status_code, json.loads(answer.content)["reasons"]) == (503, ["draining: the box is stopping"])


def test_health_is_of_the_process_alone(api: TestClient[Litestar], renderer: StandIn) -> None:
    renderer.wellbeing = Health(ok=False, reason="no answer")
    assert api.get("/health").status_code == 200
