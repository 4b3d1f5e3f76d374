"""What tests share: a store, an app with a stand-in renderer, a test site, and the real box."""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import httpx._transports.default
import pytest
import sqlite_utils
from argon2 import PasswordHasher, profiles
from litestar import Litestar
from litestar.testing import TestClient
from xdist.scheduler.loadfile import LoadFileScheduling  # type: ignore[import-untyped]

from allscreenshots_box import keys
from allscreenshots_box.app import Rendering as Rendered
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.process.health_cache import Health
from allscreenshots_box.render.queue import QueueTimes
from allscreenshots_box.render.renderer import Renderer, Still
from allscreenshots_box.render.shot import Extract, Html, Markdown, Output, Pdf, Picture, Product, Rendering, Shot
from allscreenshots_box.storage.database import open_database
from tests.box import Box
from tests.operator_in import sign_in
from tests.site.server import Site
from tests.wire import Wire, wired

# Asked without a client of one's own, httpx reads all authorities anew: ten times the work of the request.
httpx._transports.default.create_ssl_context = lru_cache(httpx.create_ssl_context)  # type: ignore[attr-defined] # its own

# What kills, starves or floods goes to one worker, one after the other: two at once would be a third thing to try.
ROOT = Path(__file__).parents[1]
_ROUGH = re.compile(r"^ *(?:pytestmark = .*)?pytest\.mark\.rough\b", re.MULTILINE)


class Scheduling(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """A file goes to one worker, and all that are rough to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "rough" if _is_rough(file) else file


@cache
def _is_rough(file: str) -> bool:
    """Say whether a file is marked so: who shares the files out knows their names alone."""
    return bool(_ROUGH.search((ROOT / file).read_text()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Let workers share the files so."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let what is rough or long begin first where workers share it; alone, the quick half answers first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in ("rough", "long")])
    else:
        items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on the loop that the box runs on."""
    return "asyncio"


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """Yield the browser's end of a pipe."""
    async with wired() as opened:
        yield opened


class StandIn(Renderer):
    """The one stand-in there is: a renderer for tests that are not about rendering."""

    def __init__(self) -> None:
        self.shots: list[Shot] = []
        self.asked: list[dict[str, Any]] = []  # for whom, and with what weight
        self.failure: Exception | None = None
        self.loads = True  # before it fails
        self.meanwhile: Callable[[], object] = lambda: None  # while a shot waits for its turn
        self.stills: list[Still | None] = []  # what is asked when a turn comes
        self.rendering = Rendering(products=(), target_status=200, target_url="")
        self.wellbeing = Health(ok=True)

    @property
    def standing(self) -> tuple[int, int, int]:
        """Say that one of three slots is taken, and two wait."""
        return 3, 1, 2

    @property
    def restarts(self) -> dict[str, int]:
        """Say that one browser ended."""
        return {"it_ended": 1}

    @property
    def description(self) -> dict[str, str]:
        """Say that a browser runs in its sandbox."""
        return {"browser": "/usr/bin/stand-in", "version": "HeadlessChrome/156.0.1.2", "sandbox": "on (all of it)"}

    @property
    def browser_age(self) -> float | None:
        """Say that the browser was started an hour and a half ago."""
        return 5400.0

    async def health(self) -> Health:
        """Say what the test wants it to."""
        return self.wellbeing

    async def render(
        self, shot: Shot, *, times: QueueTimes | None = None, still: Still | None = None, **asked: Any
    ) -> Rendering:
        """Answer at once, or fail as told."""
        self.shots.append(shot)
        self.asked.append(asked)
        await asyncio.to_thread(self.meanwhile)
        self.stills.append(still)
        if still is not None:
            await still()
        if times is not None and self.loads:
            waited = self.rendering.queue_seconds
            times.arrived, times.begun, times.ended = 0.0, waited, waited + self.rendering.render_seconds
        if self.failure is not None:
            raise self.failure
        return replace(
            self.rendering, products=tuple(made(output, shot) for output in shot.outputs), target_url=shot.url
        )


def made(output: Output, shot: Shot) -> Product:
    """Return something that could have been made of a page."""
    match output:
        case Picture():
            return Product(
                id=output.id,
                type="screenshot",
                format=output.format,
                content=b"a picture of " + shot.url.encode(),
                width=shot.window.width,
                height=shot.window.height,
            )
        case Pdf():
            return Product(id=output.id, type="pdf", format="pdf", content=b"%PDF-" + bytes(range(256)))
        case Html():
            content = '<p title="\\">caf\u00e9 \U0001f600\n'.encode()
            return Product(id=output.id, type="html", format="html", content=content)
        case Markdown():
            return Product(id=output.id, type="markdown", format="markdown", content=b"# Title\n")
        case Extract():
            value: dict[str, Any] = {field.name: [] if field.multiple else None for field in output.fields}
            content = json.dumps(value).encode()
            return Product(id=output.id, type="json", format="json", content=content, value=value)


def standing_in(renderer: StandIn) -> Rendered:
    """Return what opens *renderer* in the place of a browser."""

    @asynccontextmanager
    async def rendering() -> AsyncIterator[Renderer]:
        yield renderer

    return rendering


@pytest.fixture
def renderer() -> StandIn:
    """Return the renderer behind `api`."""
    return StandIn()


@pytest.fixture
def hasher() -> PasswordHasher:
    """Return a hasher that costs nothing."""
    return PasswordHasher.from_parameters(profiles.CHEAPEST)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings for a data directory of the test's own."""
    return Settings(data_dir=tmp_path)


@pytest.fixture
def db(settings: Settings) -> Iterator[sqlite_utils.Database]:
    """Return the store, as the command line opens it beside the server."""
    opened = open_database(settings.database_path)
    yield opened
    opened.close()


@pytest.fixture
def api(settings: Settings, renderer: StandIn) -> Iterator[TestClient[Litestar]]:
    """Return a client of the whole app but for the browser."""

    with TestClient(create_app(settings, standing_in(renderer))) as client:
        yield client


@pytest.fixture
def signed_in(api: TestClient[Litestar], db: sqlite_utils.Database, hasher: PasswordHasher) -> TestClient[Litestar]:
    """Return a client of the whole app but for the browser, whose operator is signed in to the page."""
    return sign_in(api, db, hasher)


@pytest.fixture
def secret(db: sqlite_utils.Database, hasher: PasswordHasher) -> str:
    """Return the secret of a live key called tests."""
    return keys.create(db, hasher, "tests")[1]


@pytest.fixture
def as_key(secret: str) -> dict[str, str]:
    """Return the header that the live key travels in."""
    return {"X-API-Key": secret}


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Return the site that is shot."""
    with Site() as running:
        yield running


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a path for a data directory that whoever the program becomes can reach."""
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    yield above / "data"
    shutil.rmtree(above)


@pytest.fixture(scope="session")
def box(site: Site) -> Iterator[Box]:
    """Return the real box, installed and serving, allowed to shoot the site."""
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    with Box(above / "data", "--allow", f"127.0.0.1:{site.port}") as running:
        yield running
    shutil.rmtree(above)
