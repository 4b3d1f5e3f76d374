"""The cell that pages live in: sandboxed, bounded, and with nothing to hold on to."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest

from tests.box import Box, command, free_port
from tests.camera import GREEN, SMALL, WHITE, Camera, is_all, open_camera, picture
from tests.chaos.processes import in_full
from tests.site.server import Server, Site
from tests.test_serve import below, eventually, log_lines, statuses

pytestmark = [pytest.mark.long, pytest.mark.rough]

HEADLESS_SHELL = Path("/usr/lib/chromium/chromium-headless-shell")
LISTENING = "0A"  # /proc/net/tcp's word for it
ACCEPTS = 0x10000  # /proc/net/unix's flag for the same
CROWD = 40  # sites in one page; 32 processes are its share

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into all processes")
with_headless_shell = pytest.mark.skipif(not HEADLESS_SHELL.exists(), reason="needs Debian's headless shell")


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with open_camera(site) as opened:
        yield opened


def browsers(box: Box) -> list[int]:
    return [pid for pid, line in below(box.process.pid).items() if "--headless" in line and "--type=" not in line]


def pages(box: Box) -> list[int]:
    return [pid for pid, line in below(box.process.pid).items() if "--type=renderer" in line]


def text_of(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def browser_with(data_dir: Path, switch: str) -> str:
    """Return the path of a browser that is always started with *switch*."""
    script = data_dir.parent / "browser"
    script.write_text(f'#!/bin/sh\nexec {HEADLESS_SHELL} {switch} "$@"\n')
    script.chmod(0o755)
    return str(script)


# --- the sandbox --------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("name", ["user", "pid", "net"])
def test_every_page_has_namespaces_of_its_own(camera: Camera, name: str) -> None:
    def namespace(pid: int) -> str:
        return str(Path(f"/proc/{pid}/ns/{name}").readlink())

    found = pages(camera.box)
    assert found
    assert namespace(camera.box.process.pid) not in {namespace(pid) for pid in found}


def test_every_page_is_under_a_filter_and_without_capabilities(camera: Camera) -> None:
    found = statuses(pages(camera.box))
    assert found
    for status in found:
        assert (status["Seccomp"], status["NoNewPrivs"], int(status["CapEff"], 16)) == ("2", "1", 0)


@with_headless_shell
def test_a_browser_whose_pages_are_not_in_a_sandbox_is_refused(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o777)
    data_dir.chmod(0o777)
    where = ["--data-dir", str(data_dir), "--port", str(free_port())]
    refused = command("serve", *where, "--browser", browser_with(data_dir, "--no-sandbox"))
    assert refused.returncode == 1
    for word in ("pages lack", "a user namespace", "a system call filter", "docs/install.md"):
        assert word in refused.stderr


# --- what it leaves and what it holds open ------------------------------------------------------


def test_no_process_of_the_browser_can_leave_a_core(camera: Camera) -> None:
    for pid in below(camera.box.process.pid):
        [line] = [line for line in text_of(pid, "limits").splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"]


def test_when_memory_ends_the_kernel_takes_pages_first_and_the_server_last(camera: Camera) -> None:
    def score(pid: int) -> int:
        return int(text_of(pid, "oom_score_adj"))

    assert min(map(score, pages(camera.box))) > max(map(score, browsers(camera.box)))
    assert min(map(score, browsers(camera.box))) > score(camera.box.process.pid)


@as_root
def test_no_process_of_the_browser_listens_on_anything(camera: Camera) -> None:
    tree = below(camera.box.process.pid)
    held = set()
    for pid in tree:
        with suppress(OSError):
            held |= {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    server = camera.box.process.pid
    for name in ("tcp", "tcp6"):
        rows = [line.split() for line in text_of(server, f"net/{name}").splitlines()[1:]]
        assert not [row for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in held]
    rows = [line.split() for line in text_of(server, "net/unix").splitlines()[1:]]
    assert not [row for row in rows if int(row[3], 16) & ACCEPTS and f"socket:[{row[6]}]" in held]
    assert any(link.startswith("socket:") for link in held)


def test_the_work_directory_is_emptied_at_start_and_of_every_browser_that_has_ended(site: Site) -> None:
    with open_camera(site) as camera:
        work = camera.box.data_dir / "tmp"
        assert camera.ask("/colors.html").status_code == 200
        for pid in browsers(camera.box):
            os.kill(pid, signal.SIGKILL)
        assert camera.ask("/colors.html").status_code == 200
        assert eventually(lambda: len(list(work.iterdir())) == 1)
        camera.box.process.kill()
        camera.box.process.wait()
        (work / "left-over").mkdir()
        camera.box.start()
        assert len(list(work.iterdir())) == 1
        assert not (work / "left-over").exists()


def test_no_file_is_saved(camera: Camera, site: Site) -> None:
    site.forget()
    assert is_all(camera.shoot("/save.html", delay=1000), GREEN)
    assert {"/download", "/download?saved-by-frame"} <= {request.path for request in site.requests}
    kept = [file.name for file in camera.box.data_dir.rglob("*") if "saved" in file.name or "file.bin" in file.name]
    assert kept == []


# --- what a page may not have -------------------------------------------------------------------


def test_a_page_is_granted_nothing(camera: Camera) -> None:
    told = camera.read("/rights.html", ("granted", "asked"), waitFor="#told")
    assert told["granted"] == "nothing"
    assert int(told["asked"]) > 60


SCHEMES = [
    "chrome://version",
    "chrome://gpu",
    "devtools://devtools/bundled/inspector.html",
    "view-source:@SITE@/colors.html",
    "filesystem:@SITE@/temporary/file",
    "ftp://127.0.0.1/",
    "intent://shot#Intent;end",
    "mailto:shot@example.org",
    "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai/index.html",
    "chrome-error://chromewebdata/",
]


def scheme_outputs(camera: Camera, to: str) -> tuple[bytes, str]:
    path = f"/schemes.html?{httpx.QueryParams({'to': to})}"
    outputs = ({"type": "screenshot"}, {"type": "json", "schema": {"read": {"selector": "#read"}}})
    found = camera.outputs(path, *outputs, waitFor="#tried", delay=500)
    return found["screenshot"]["data"], found["json"]["data"]["read"]


@pytest.mark.parametrize("to", SCHEMES)
def test_nothing_of_another_scheme_is_shown_or_read(camera: Camera, site: Site, to: str) -> None:
    image, read = scheme_outputs(camera, to.replace("@SITE@", site.url("")))
    assert is_all(picture(image), GREEN)
    assert read == "nothing"


def test_no_file_of_the_machine_is_shown_or_read(camera: Camera, data_dir: Path) -> None:
    file = data_dir.parent / "red.html"
    file.write_text("<html style='background: red'>a file")
    file.chmod(0o644)
    image, read = scheme_outputs(camera, file.as_uri())
    assert is_all(picture(image), GREEN)
    assert read == "nothing"


def test_what_pages_may_put_into_themselves_is_shown(camera: Camera) -> None:
    image, read = scheme_outputs(camera, "data:text/html,<html style='background: red'>")
    assert not is_all(picture(image), GREEN)  # else the tests above show nothing
    assert read == "a script"


@pytest.mark.parametrize("to", ["about:version", "chrome-untrusted://print/"])
def test_a_page_that_goes_to_the_browsers_own_pages_is_blank(camera: Camera, to: str) -> None:
    assert is_all(camera.shoot(f"/schemes.html?to={to}", delay=1000), WHITE)


# --- bounds -------------------------------------------------------------------------------------


def bounds_broken(box: Box) -> set[object]:
    return {line["bound"] for line in log_lines(box) if line["event"] == "page_killed"}


def test_a_page_that_takes_too_much_memory_is_ended_and_no_other(data_dir: Path, site: Site) -> None:
    with Box(data_dir, "--allow", site.addresses, "--page-memory", "512") as box:
        secret = box.key("svc")
        statuses_beside: list[int] = []

        def beside() -> None:
            answer = box.shoot(secret, site.url("/colors.html"), delay=3000, viewport=SMALL)
            statuses_beside.append(answer.status_code)

        other = threading.Thread(target=beside)
        other.start()
        answer = box.shoot(secret, site.url("/hog.html"), delay=20_000, viewport=SMALL)
        other.join()
        assert (answer.status_code, answer.json()["error"]) == (422, "page_crashed")
        assert statuses_beside == [200]
        assert bounds_broken(box) == {"page_memory"}


@contextmanager
def starved() -> Iterator[None]:
    """Have two others take all of the machine that they can get, for a minute at most."""
    loop = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    others = [subprocess.Popen([sys.executable, "-ISc", loop]) for _ in range(2)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


class Neighbour:
    """Another key, who asks for a plain picture again and again while the block runs."""

    def __init__(self, box: Box, site: Site) -> None:
        self._box, self._url, self._secret = box, site.url("/colors.html"), box.key("neighbour")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answers: list[str] = []

    def _ask(self) -> None:
        while not self._over.wait(0.2):
            answer = self._box.shoot(self._secret, self._url, viewport=SMALL)
            self.answers.append("200" if answer.status_code == 200 else answer.text)

    def __enter__(self) -> Self:
        self._box.shoot(self._secret, self._url, viewport=SMALL)  # the proof of a key takes a core, and once will do
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def has_lost_nothing(self) -> bool:
        return bool(self.answers) and set(self.answers) == {"200"}


def lost(box: Box) -> list[object]:
    return [line["reason"] for line in log_lines(box) if line["event"] == "browser_lost"]


@with_headless_shell
def test_a_page_with_frames_of_many_sites_gets_its_share_of_processes_and_lives(data_dir: Path, site: Site) -> None:
    data_dir.mkdir(mode=0o777)
    data_dir.chmod(0o777)
    with ExitStack() as stack:
        crowd = [Server(f"127.0.1.{number}", 0, site) for number in range(1, CROWD + 1)]
        for server in crowd:
            server.begin()
            stack.callback(server.end)
        hosts = ",".join(server.address for server in crowd)
        options = ["--allow", f"{site.addresses},{hosts}", "--slots", "1", "--queue-timeout", "50s"]
        box = stack.enter_context(Box(data_dir, *options, "--browser", browser_with(data_dir, "--site-per-process")))
        secret = box.key("svc")
        with Neighbour(box, site) as neighbour, starved():
            answer = box.shoot(
                secret, site.url(f"/crowd.html?hosts={hosts}"), delay=6000, timeout=45_000, viewport=SMALL
            )
        assert answer.status_code == 200, answer.text
        assert picture(answer.content).getpixel((399, 299)) == GREEN
        assert bounds_broken(box) == {"processes"}
        assert neighbour.has_lost_nothing(), neighbour.answers
        assert lost(box) == []


@in_full
@pytest.mark.chaos
def test_a_page_with_sixty_busy_threads_costs_nobody_else_a_picture(data_dir: Path, site: Site) -> None:
    with Box(data_dir, "--allow", site.addresses, "--slots", "2") as box:
        secret = box.key("svc")
        with Neighbour(box, site) as neighbour:
            answer = box.shoot(secret, site.url("/spin.html?threads=60"), delay=5000, viewport=SMALL)
        assert answer.status_code in {200, 422}, answer.text
        assert neighbour.has_lost_nothing(), neighbour.answers
        assert lost(box) == []


def test_a_page_that_takes_the_memory_of_the_graphics_process_hears_of_it_and_nobody_else(
    data_dir: Path, site: Site
) -> None:
    with Box(data_dir, "--allow", site.addresses, "--page-memory", "768", "--slots", "2") as box:
        secret = box.key("svc")
        with Neighbour(box, site) as neighbour:
            answer = box.shoot(secret, site.url("/textures.html"), delay=15_000, viewport=SMALL)
        assert (answer.status_code, answer.json()["error"]) == (422, "page_crashed")
        assert bounds_broken(box) == {"graphics_memory"}
        assert neighbour.has_lost_nothing(), neighbour.answers
        assert lost(box) == []


@in_full
def test_the_largest_noise_is_shown_and_no_browser_taken_for_lost(data_dir: Path, site: Site) -> None:
    window = {"width": 2048, "height": 2048, "deviceScaleFactor": 2}
    with Box(data_dir, "--allow", site.addresses, "--slots", "2") as box:
        secret = box.key("svc")
        with Neighbour(box, site) as neighbour:
            answer = box.shoot(secret, site.url("/noise.html"), viewport=window)
        assert answer.status_code == 200, answer.text
        assert picture(answer.content).size == (4096, 4096)
        assert neighbour.has_lost_nothing(), neighbour.answers
        assert lost(box) == []
