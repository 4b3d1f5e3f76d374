"""What the operator's rules refuse of one page: by host at its door, by path and kind in the browser."""

import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from allscreenshots_box.render.pipeline.request_filter import MOST_ASKED
from tests.box import Box
from tests.camera import SMALL, WHITE, good, is_all, picture

pytestmark = pytest.mark.browser

PAGE_HOST, OTHER_HOST, BLOCKED_HOST = "127.0.0.1", "127.0.0.2", "127.0.0.3"
RULES = f"""/banner/
/pictures/$image
||{BLOCKED_HOST}^
"""
KINDS = {  # how a page loads a path from elsewhere
    "script": "<script src='{}'></script>",
    "image": "<img alt='' src='{}'>",
    "style": "<link rel=stylesheet href='{}'>",
    "font": "<script>all.push(new FontFace('f', 'url({})').load().catch(() => 0))</script>",
    "media": "<video preload=auto src='{}'></video>",
    "frame": "<iframe src='{}' style='border: 0'></iframe>",
    "fetch": "<script>all.push(fetch('{}').catch(() => 0))</script>",
    "worker": "<script>all.push(asked_by_worker('{}'))</script>",
}
BEFORE = """<!doctype html><script>
const all = [new Promise(done => addEventListener('load', done))];
const asked_by_worker = url => new Promise(done => {
  const code = `fetch('${url}').catch(() => 0).then(() => postMessage(0))`;
  new Worker(URL.createObjectURL(new Blob([code]))).onmessage = done;
});
</script><body>"""
AFTER = "<script>Promise.all(all).then(() => document.body.id = 'done')</script>"
EVERYTHING = {"blockAds": False, "blockCookieBanners": False, "blockPopups": False}

Ask = partial[httpx.Response]


class Handler(BaseHTTPRequestHandler):
    server: "Host"

    def do_GET(self) -> None:
        """Answer the page with what it is to load, or with where it is, and all else with nothing of use."""
        self.server.seen.append(self.path)
        body = self.server.pages.get(self.path, "")
        self.send_response(302 if body.startswith("http") else 200)
        self.send_header("Location", body)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


class Host(ThreadingHTTPServer):
    """One host, which notes what it is asked for."""

    daemon_threads = True

    def __init__(self, host: str, authority: trustme.CA | None) -> None:
        super().__init__((host, 0), Handler)
        self.seen: list[str] = []
        self.pages: dict[str, str] = {}
        self.place = f"{host}:{self.server_port}"
        self.origin = f"{'https' if authority else 'http'}://{self.place}"
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(host).configure_cert(context)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away."""


@contextmanager
def serving(host: str, authority: trustme.CA | None) -> Iterator[Host]:
    with Host(host, authority) as opened:
        threading.Thread(target=opened.serve_forever, args=(0.05,), daemon=True).start()
        yield opened
        opened.shutdown()


class World:
    """A page and two other hosts, and a box that may shoot them."""

    def __init__(self, stack: ExitStack, authority: trustme.CA | None) -> None:
        names = (PAGE_HOST, OTHER_HOST, BLOCKED_HOST)
        self.page, self.other, self.blocked = (stack.enter_context(serving(name, authority)) for name in names)
        above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
        stack.callback(shutil.rmtree, above)
        above.chmod(0o755)
        (above / "rules").write_text(RULES)
        places = ",".join(host.place for host in (self.page, self.other, self.blocked))
        options = ("--allow", places, "--insecure-hosts", places, "--block-rules", str(above / "rules"))
        box = stack.enter_context(Box(above / "data", *options))
        self.shoot = partial(box.shoot, box.key("sieve"), viewport=SMALL, timeout=50_000)

    def seen(self, body: str, **options: Any) -> tuple[list[str], httpx.Response]:
        """Shoot a page of that body; return what the others were asked for."""
        self.page.pages["/"] = BEFORE + body + AFTER
        self.other.seen.clear()
        self.blocked.seen.clear()
        answer = good(self.shoot(self.page.origin + "/", waitFor="#done", **options))
        return [*self.other.seen, *self.blocked.seen], answer


@pytest.fixture(scope="module", params=["http", "https"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, trustme.CA() if request.param == "https" else None)


def test_rules_for_paths_and_kinds_hold(world: World) -> None:
    kinds = ("script", "image", "style", "font", "media")
    paths = [f"/{place}/{kind}" for place in ("banner", "pictures", "fine") for kind in kinds]
    body = "".join(KINDS[path.rpartition("/")[2]].format(world.other.origin + path) for path in paths)
    refused = {f"/banner/{kind}" for kind in kinds} | {"/pictures/image"}
    assert set(world.seen(body)[0]) == set(paths) - refused
    assert set(world.seen(body, **EVERYTHING)[0]) == set(paths)


def test_rules_for_hosts_hold_whatever_asks(world: World) -> None:
    body = "".join(markup.format(f"{world.blocked.origin}/{kind}") for kind, markup in KINDS.items())
    assert world.seen(body)[0] == []
    assert {path.strip("/") for path in world.seen(body, **EVERYTHING)[0]} == set(KINDS)


def test_what_may_have_a_body_is_refused_by_host_alone(world: World) -> None:
    asked = [f"/banner/{kind}" for kind in ("frame", "fetch", "worker")]
    body = "".join(KINDS[path.rpartition("/")[2]].format(world.other.origin + path) for path in asked)
    assert set(world.seen(body)[0]) == set(asked)


def test_a_refused_frame_stays_blank(world: World) -> None:
    if world.page.origin.startswith("https"):
        pytest.skip("there the browser shows that it could not connect")
    _, answer = world.seen(KINDS["frame"].format(f"{world.blocked.origin}/"))
    assert is_all(picture(answer.content), WHITE)


def test_the_page_itself_is_never_refused(world: World) -> None:
    world.page.pages["/banner/pictures/"] = "<!doctype html><p>here"
    assert good(world.shoot(f"{world.page.origin}/banner/pictures/")).headers["x-target-status"] == "200"


def test_a_way_that_leads_through_what_is_refused_arrives(world: World) -> None:
    world.page.pages["/way"] = f"{world.blocked.origin}/counter"
    world.blocked.pages["/counter"] = f"{world.page.origin}/there"
    assert good(world.shoot(f"{world.page.origin}/way")).headers["x-target-url"] == f"{world.page.origin}/there"


def test_a_flood_of_requests_is_not_asked_about_for_ever(world: World) -> None:
    if world.page.origin.startswith("https"):
        pytest.skip("it is the same there, and takes as long")
    flood = (
        f"let left = {MOST_ASKED + 60};"
        "all.push(new Promise(done => {"
        "  for (let number = left; number; number--) {"
        f"    const it = Object.assign(new Image(), {{src: '{world.other.origin}/banner/' + number}});"
        "    it.onload = it.onerror = () => --left || done();"
        "  }"
        "}));"
    )
    seen, _ = world.seen(f"<script>{flood}</script>")
    assert 30 <= len(seen) <= 90
