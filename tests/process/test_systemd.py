"""Starting, reading settings again, and stopping: what systemd, load balancers and clients are told of it."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import Queue
from threading import Thread

import httpx
import pytest
import trustme

from allscreenshots_box import changes, config, regular_files, server
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.process.health_cache import Health
from allscreenshots_box.process.systemd import Notifier
from allscreenshots_box.render.browsers.chromium import find_executable
from tests.box import Box, free_port
from tests.conftest import StandIn, standing_in
from tests.site.server import Site
from tests.test_serve import below, curl, eventually, log_lines

pytestmark = [pytest.mark.browser, pytest.mark.long]


OWN = {"WATCHDOG_PID": str(os.getpid())}


@contextmanager
def systemd(address: str) -> Iterator[socket.socket]:
    """Listen where systemd would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("\0" + address[1:] if address.startswith("@") else address)
        ear.settimeout(20)
        if not address.startswith("@"):
            Path(address).chmod(0o666)
        yield ear


def heard(ear: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in ear.recv(4096).decode().splitlines())


@contextmanager
def listening(address: str) -> Iterator["Queue[dict[str, str]]"]:
    """Hear all that is said, as systemd does: a socket holds ten words, and drops those that nobody fetches."""
    words: Queue[dict[str, str]] = Queue()
    ended = {"ENDED": "1"}
    with systemd(address) as ear:

        def listen() -> None:
            while (told := heard(ear)) != ended:
                words.put(told)

        ear.settimeout(None)
        listener = Thread(target=listen)
        listener.start()
        try:
            yield words
        finally:
            Notifier(address)._tell("ENDED=1")
            listener.join()


# --- the words ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["path", "abstract"])
@pytest.mark.parametrize(
    ("say", "words"),
    [
        (Notifier.ready, {"READY": "1"}),
        (lambda one: one.stopping("60s"), {"STOPPING": "1", "STATUS": "stopping: shots that run have 60s"}),
        (Notifier.alive, {"WATCHDOG": "1"}),
        (lambda one: one.status([]), {"STATUS": "ready"}),
        (lambda one: one.status(["two\nlines", "of it"]), {"STATUS": "not ready: two lines; of it"}),
    ],
)
def test_systemd_hears_each_word(
    tmp_path: Path, kind: str, say: Callable[[Notifier], None], words: dict[str, str]
) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@box-test-{os.getpid()}"
    with systemd(address) as ear:
        say(Notifier(address, watchdog=60))
        assert heard(ear) == words


def test_reloading_comes_with_its_moment(tmp_path: Path) -> None:
    with systemd(str(tmp_path / "notify")) as ear:
        before = time.monotonic_ns() // 1000
        Notifier(str(tmp_path / "notify")).reloading()
        told = heard(ear)
        assert told["RELOADING"] == "1"
        assert before <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, 20),
        ({"WATCHDOG_USEC": "3000000"} | OWN, 1),
        ({"WATCHDOG_USEC": "3000000"}, 1),
        ({"WATCHDOG_USEC": "600000000"} | OWN, 20),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 20),
        ({"WATCHDOG_USEC": "0"} | OWN, 20),
        ({"WATCHDOG_USEC": "soon"} | OWN, 20),
    ],
)
def test_a_third_of_the_watchdogs_patience_lies_between_two_looks(environment: dict[str, str], interval: float) -> None:
    assert Notifier.of(environment).interval == interval


def test_the_browser_does_not_inherit_the_way_to_systemd() -> None:
    environment = {"NOTIFY_SOCKET": "@nowhere", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier.of(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("address", ["", "/nonexistent/notify", "@nobody-listens-here"])
def test_a_systemd_that_does_not_listen_is_no_failure(address: str) -> None:
    Notifier(address, watchdog=1).alive()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("health", "fed", "status"),
    [
        (Health(ok=True), True, "ready"),
        (Health(ok=True, reason="one look failed"), False, "ready"),
        (Health(ok=False, reason="gone"), False, "not ready: browser: gone"),
    ],
)
async def test_the_watchdog_is_fed_by_a_good_look_only(
    settings: Settings, renderer: StandIn, tmp_path: Path, health: Health, *, fed: bool, status: str
) -> None:
    renderer.wellbeing = health
    app = create_app(settings, standing_in(renderer))
    with systemd(str(tmp_path / "notify")) as ear:
        async with app.lifespan():
            service = server._Service(app, settings, lambda: settings, [], Notifier(str(tmp_path / "notify"), 60))
            watching = asyncio.create_task(service._watch())
            told = await asyncio.to_thread(heard, ear)
            if fed:
                assert told == {"WATCHDOG": "1"}
                told = await asyncio.to_thread(heard, ear)
            watching.cancel()
    assert told == {"STATUS": status}


# --- what changed -------------------------------------------------------------------------------

CERTIFICATE = {"tls_cert": Path("a"), "tls_key": Path("b")}


@pytest.mark.parametrize(
    ("old", "new", "taken", "waiting"),
    [
        ({}, {}, (), ()),
        ({}, {"log_queries": True, "drain": 5.0}, ("drain", "log_queries"), ()),
        ({}, {"port": 1, "slots": 63, "log_queries": True}, ("log_queries",), ("port", "slots")),
        ({}, CERTIFICATE, (), ("tls_cert", "tls_key")),
        (CERTIFICATE, {}, (), ("tls_cert", "tls_key")),
        (CERTIFICATE, CERTIFICATE | {"tls_key": Path("c")}, ("tls_key",), ()),
    ],
)
def test_what_a_running_server_takes_is_told_from_what_waits(
    settings: Settings, old: dict[str, object], new: dict[str, object], taken: tuple[str, ...], waiting: tuple[str, ...]
) -> None:
    now = replace(settings, **old)  # type: ignore[arg-type]
    found = changes.between(now, replace(settings, **new))  # type: ignore[arg-type]
    assert (sorted(found.taken), sorted(found.waiting)) == (sorted(taken), sorted(waiting))
    assert all(getattr(found.settings, name) == new[name] for name in taken)
    assert all(getattr(found.settings, name) == getattr(now, name) for name in waiting)


def test_the_docs_name_what_a_running_server_takes() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/service.md").read_text()
    table = page.partition("\n## Changed settings\n")[2].partition("\nAll others")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == changes.RELOADABLE


def test_a_server_that_may_no_longer_read_its_file_does_not_go_back_to_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, read = tmp_path / "config.toml", regular_files.content

    def refuse(path: Path) -> bytes:
        if path == file:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(config, "SERVICE_CONFIG", file)
    monkeypatch.setattr(regular_files, "content", refuse)
    assert config.load({}, {}).settings.log_queries is False
    with pytest.raises(OperatorError, match=r"config\.toml cannot be read: Permission denied"):
        config.load({}, {}, insist=True)


# --- the whole program --------------------------------------------------------------------------


class Supervised:
    """A box as systemd runs it: with a socket to speak to, and a file of settings."""

    def __init__(self, above: Path, site: Site, words: "Queue[dict[str, str]]") -> None:
        self.above, self.words = above, words
        self.file = above / "config.toml"
        self.authority = trustme.CA()
        self.port = free_port()
        self.settings = {
            "allow": f"127.0.0.1:{site.port}",
            "ops_listen": f"127.0.0.1:{self.port}",
            "block_rules": "~/rules.txt",  # at the home of whoever started the box, also when it is read again
        }
        (above / "rules.txt").write_text("||nowhere.invalid^\n")
        (above / "rules.txt").chmod(0o644)
        self.box = Box(above / "data", "--config", str(self.file))

    def write(self, **changed: object) -> None:
        """Write the file of settings; None takes one out."""
        kept = {name: value for name, value in (self.settings | changed).items() if value is not None}
        self.file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in kept.items()))
        self.file.chmod(0o644)

    def reload(self) -> dict[str, object]:
        """Send SIGHUP, wait for systemd's word that it is over, and return the line about it."""
        os.kill(self.box.process.pid, signal.SIGHUP)
        self.until("RELOADING")
        self.until("READY")
        return [line for line in log_lines(self.box) if str(line["event"]).startswith("reload")][-1]

    def until(self, word: str) -> str:
        """Wait until systemd has heard *word*."""
        while word not in (told := self.words.get(timeout=30)):
            pass
        return told[word]

    def ready(self) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/ready", timeout=20)


@pytest.fixture(scope="module")
def supervised(site: Site) -> Iterator[Supervised]:
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    with listening(f"@box-supervised-{os.getpid()}") as words, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTIFY_SOCKET", f"@box-supervised-{os.getpid()}")
        patch.setenv("WATCHDOG_USEC", "1500000")
        patch.setenv("HOME", str(above))
        one = Supervised(above, site, words)
        one.write()
        with one.box:
            one.until("READY")
            yield one
    shutil.rmtree(above)


def test_the_watchdog_is_fed_after_a_look_at_the_browser(supervised: Supervised) -> None:
    supervised.until("WATCHDOG")
    assert supervised.until("STATUS") == "ready"


def test_settings_that_can_change_do_so_and_others_are_named(supervised: Supervised) -> None:
    secret = supervised.box.key("reloads")
    url = f"http://{supervised.settings['allow']}/colors.html"
    assert supervised.box.shoot(secret, url).status_code == 200
    supervised.write(allow=None, slots=7)
    told = supervised.reload()
    assert (told["event"], told["changed"], told["restart"]) == ("reloaded", ["allow"], ["slots"])
    assert supervised.box.shoot(secret, url).json()["error"] == "target_not_allowed"
    supervised.write()
    assert supervised.reload()["changed"] == ["allow"]
    assert supervised.box.shoot(secret, url).status_code == 200


def test_a_page_is_refused_what_was_denied_while_it_ran(supervised: Supervised, site: Site) -> None:
    secret = supervised.box.key("denied")
    supervised.write(deny=["127.0.0.1"])
    supervised.reload()
    assert supervised.box.shoot(secret, site.url("/colors.html")).json()["error"] == "target_not_allowed"
    supervised.write()
    supervised.reload()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no TOML", "cannot be read"),
        ('allow = "127.0.0.1"\n', "Setting 'allow'"),
        ("made_up = 1\n", "Unknown setting 'made_up'"),
        ('block_rules = "/nonexistent"\n', "The file of your rules /nonexistent cannot be read"),
        ('block_rules = "/dev/zero"\n', "The file of your rules /dev/zero cannot be read (it is not a file)"),
    ],
)
def test_a_broken_file_changes_nothing_and_is_told(supervised: Supervised, text: str, reason: str) -> None:
    supervised.file.write_text(text)
    told = supervised.reload()
    assert (told["event"], told["level"]) == ("reload_failed", "warning")
    assert reason in str(told["reason"])
    secret = supervised.box.key(f"after-{reason.rsplit(maxsplit=1)[-1].strip(chr(39))}-{len(text)}")
    url = f"http://{supervised.settings['allow']}/colors.html"
    assert supervised.box.shoot(secret, url).status_code == 200
    supervised.write()
    assert supervised.reload()["event"] == "reloaded"


def test_what_a_page_says_is_logged_under_the_requests_id_if_the_operator_wants_it(
    supervised: Supervised, site: Site
) -> None:
    secret = supervised.box.key("talks")

    def said() -> list[dict[str, object]]:
        cookies = [{"name": "pass", "value": "s3cret-of-a-caller"}]
        answer = supervised.box.shoot(secret, site.url("/console.html"), delay=300, session={"cookies": cookies})
        assert answer.status_code == 200
        name = answer.headers["x-request-id"]
        assert eventually(lambda: any(line.get("id") == name for line in log_lines(supervised.box)))
        return [line for line in log_lines(supervised.box) if (line["event"], line.get("id")) == ("console", name)]

    assert said() == []
    supervised.write(log_levels="browser=debug")
    supervised.reload()
    told = said()
    supervised.write()
    supervised.reload()
    assert [(line["kind"], line["level"], line["text"]) for line in told[:3]] == [
        ("log", "debug", "cookie pass=… Object"),
        ("error", "warning", "see https://example.com/x?… for more"),
        ("exception", "warning", "Error: thrown later"),
    ]
    assert told[0]["source"] == site.url("/console.html")
    assert (len(told), told[-1].get("last")) == (20, True)
    assert max(len(str(line["text"])) for line in told) == 300
    assert said() == []


def test_a_hanging_browser_is_found_and_replaced_before_anybody_asks_for_a_shot(supervised: Supervised) -> None:
    pids = [pid for pid, line in below(supervised.box.process.pid).items() if "--type=gpu-process" in line]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: bool([1 for line in log_lines(supervised.box) if line["event"] == "browser_lost"]), 30)
    assert eventually(lambda: supervised.ready().status_code == 200, 30)  # another one has taken its place
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_sigterm_is_told_before_what_runs_has_ended(supervised: Supervised, site: Site) -> None:
    box = supervised.box
    secret = box.key("stopping")
    site.forget()
    slow = curl(box, secret, url=site.url("/table.html"), delay=3000)
    assert eventually(lambda: any(request.path == "/table.html" for request in site.requests))
    box.process.send_signal(signal.SIGTERM)
    assert eventually(lambda: supervised.ready().status_code == 503)
    assert supervised.ready().json()["reasons"] == ["draining: the box is stopping"]
    refused = box.shoot(secret, site.url("/colors.html"))
    assert (refused.status_code, refused.headers["connection"]) == (503, "close")
    supervised.until("STOPPING")
    assert slow.communicate()[0] == "200"
    assert box.process.wait(20) == 0


# --- a browser that cannot be started ----------------------------------------------------------


def test_a_box_that_has_lost_its_browser_says_so_until_there_is_one(data_dir: Path, site: Site) -> None:
    program = data_dir.parent / "browser"
    works = f'#!/bin/sh\nexec {find_executable()} "$@"\n'
    program.write_text(works)
    program.chmod(0o755)
    with Box(data_dir, "--browser", str(program), "--allow", f"127.0.0.1:{site.port}") as box:
        secret = box.key("svc")

        def ready() -> tuple[int, list[str]]:
            answer = httpx.get(f"{box.url}/ready", timeout=20)
            return answer.status_code, answer.json().get("reasons", [])

        assert ready() == (200, [])
        program.write_text("#!/bin/sh\nexit 1\n")
        for pid in below(box.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reason = "browser: no browser could be started"
        assert eventually(lambda: ready() == (503, [reason]))
        assert httpx.get(f"{box.url}/health").status_code == 200
        assert box.shoot(secret, site.url("/colors.html")).status_code == 503
        program.write_text(works)
        assert eventually(lambda: ready() == (200, []))
        assert box.shoot(secret, site.url("/colors.html")).status_code == 200
        changes_of_mind = [line["event"] for line in log_lines(box) if "ready" in str(line["event"])]
        assert changes_of_mind == ["not_ready", "ready_again"]


# --- TLS ----------------------------------------------------------------------------------------


def shown(port: int, authority: trustme.CA) -> str:
    """Return the name in the certificate that is shown."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(raw) as wrapped:
        wrapped.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert wrapped.recv(100).startswith(b"HTTP/1.1 200")
        names = (wrapped.getpeercert() or {})["subjectAltName"]
        return str(names[0][1])


def test_a_renewed_certificate_is_shown_without_a_lost_connection(data_dir: Path) -> None:
    authority, folder = trustme.CA(), data_dir.parent

    def renew(name: str) -> None:
        issued = authority.issue_cert(name)
        (folder / "cert.pem").write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
        (folder / "key.pem").write_bytes(issued.private_key_pem.bytes())
        for one in ("cert.pem", "key.pem"):
            (folder / one).chmod(0o644)

    class Secure(Box):
        def answers(self) -> bool:
            with suppress(OSError):
                return bool(shown(self.port, authority))
            return False

    renew("old.example")
    with Secure(data_dir, "--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")) as box:
        assert shown(box.port, authority) == "old.example"
        renew("new.example")
        box.process.send_signal(signal.SIGHUP)
        names = []
        assert eventually(lambda: names.append(shown(box.port, authority)) or names[-1] == "new.example")  # type: ignore[func-returns-value]
        (folder / "key.pem").write_text("torn")
        box.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: "certificate_kept" in box.log.read_text())
        assert shown(box.port, authority) == "new.example"
        assert box.stop() == 0
