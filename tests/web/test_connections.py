"""What stands between a stranger and the app: TLS, the clocks and bounds of connections, and what nobody may read."""

import asyncio
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from allscreenshots_box.errors import BoxError
from allscreenshots_box.process import hardening
from allscreenshots_box.web import anonymous_limits, listener, timeouts
from tests.box import PROGRAM, Box, command, free_port
from tests.fuzz import statuses
from tests.site.server import Site
from tests.test_serve import as_root, below, eventually, log_lines
from tests.test_serve import statuses as processes

pytestmark = pytest.mark.long

SOON = 15  # seconds: generous for what is bounded by one


@contextmanager
def place() -> Iterator[Path]:
    """Yield a folder that whoever the server becomes can pass."""
    with tempfile.TemporaryDirectory(prefix="box-test-", dir="/tmp") as above:
        Path(above).chmod(0o755)
        yield Path(above)


# --- TLS ----------------------------------------------------------------------------------------


class Authority:
    """Makes certificates, and lays them down as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()

    def trusting(self) -> ssl.SSLContext:
        """Return what a client of ours has."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context

    def lay(self, name: str, *, days: tuple[int, int] = (-1, 30)) -> tuple[Path, Path]:
        """Return the files of a certificate that is valid between the two days from now, and of its key."""
        begin, end = (datetime.now(UTC) + timedelta(days=day) for day in days)
        made = self._ca.issue_cert("localhost", "127.0.0.1", not_before=begin, not_after=end)
        chain, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        key.touch(mode=0o600)
        key.write_bytes(made.private_key_pem.bytes())
        return chain, key


class SecureBox(Box):
    """A box that speaks TLS."""

    def __init__(self, data_dir: Path, authority: Authority, *options: str) -> None:
        self.chain, self.key_file = authority.lay("box")
        super().__init__(data_dir, "--tls-cert", str(self.chain), "--tls-key", str(self.key_file), *options)
        self.url = f"https://127.0.0.1:{self.port}"
        self.trusting = authority.trusting()

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", verify=self.trusting, timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(authority: Authority, site: Site) -> Iterator[SecureBox]:
    options = ["--allow", f"127.0.0.1:{site.port}", "--arrive-within", "1s"]
    with place() as above, SecureBox(above / "data", authority, *options) as box:
        yield box


def test_a_picture_comes_over_tls(secure: SecureBox, site: Site) -> None:
    headers = {"X-API-Key": secure.key("tls")}
    asked = {"url": site.url("/colors.html")}
    answer = httpx.post(f"{secure.url}/v1/screenshots", json=asked, headers=headers, verify=secure.trusting, timeout=70)
    assert answer.content.startswith(b"\x89PNG")
    assert f" on {secure.url}\n" in secure.log.read_text()


def greeted(box: SecureBox, protocols: list[str], version: ssl.TLSVersion) -> tuple[str | None, str | None]:
    context = box.trusting
    context.set_alpn_protocols(protocols)
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", box.port), timeout=SOON) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as peer,
    ):
        return peer.version(), peer.selected_alpn_protocol()


@pytest.mark.parametrize(
    ("protocols", "version", "agreed"),
    [
        (["h2", "http/1.1"], ssl.TLSVersion.TLSv1_3, ("TLSv1.3", "h2")),
        (["h2", "http/1.1"], ssl.TLSVersion.TLSv1_2, ("TLSv1.2", "h2")),
        (["http/1.1"], ssl.TLSVersion.TLSv1_3, ("TLSv1.3", "http/1.1")),
        ([], ssl.TLSVersion.TLSv1_2, ("TLSv1.2", None)),
    ],
)
def test_the_newest_common_protocol_is_spoken(
    secure: SecureBox, authority: Authority, protocols: list[str], version: ssl.TLSVersion, agreed: tuple[str, str]
) -> None:
    secure.trusting = authority.trusting()
    assert greeted(secure, protocols, version) == agreed


def test_tls_1_1_is_refused(secure: SecureBox) -> None:
    hello = bytes.fromhex(  # a greeting as OpenSSL writes it: TLS 1.1, AES128-SHA and its like
        "160301003b010000370302" + "00" * 32 + "000010c013c01400330039002f0035000a00ff0100"
    )
    with socket.create_connection(("127.0.0.1", secure.port), timeout=SOON) as peer:
        peer.sendall(hello)
        assert peer.recv(100)[:1] in {b"\x15", b""}  # an alert, no greeting
    assert secure.answers()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"], ids=repr)
def test_a_greeting_that_is_none_ends_soon_and_stops_nobody(secure: SecureBox, sent: bytes) -> None:
    secure.trusting = ssl.create_default_context(cafile=str(secure.chain))
    with socket.create_connection(("127.0.0.1", secure.port), timeout=SOON) as peer:
        peer.sendall(sent)
        assert httpx.get(f"{secure.url}/health", verify=False).status_code == 200  # who answers is not the question
        while peer.recv(1000):
            pass


@as_root
def test_a_key_that_only_root_may_read_serves_a_server_that_is_not_root(secure: SecureBox) -> None:
    status = secure.key_file.stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)
    [running] = processes([secure.process.pid])
    assert "0" not in running["Uid"].split()


def broken(authority: Authority) -> dict[str, tuple[list[Path | None], str]]:
    good, key = authority.lay("good")
    other = authority.lay("other")[1]
    junk = authority.folder / "junk"
    junk.write_text("junk")
    locked, strange = authority.folder / "locked.key", authority.folder / "strange.key"
    openssl = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(openssl, check=True, capture_output=True)
    make = f"openssl req -x509 -newkey ed448 -nodes -subj /CN=x -days 2 -keyout {strange} -out {strange}.pem"
    subprocess.run(make.split(), check=True, capture_output=True)
    return {
        "no key": ([good, None], "The setting tls_cert needs tls_key beside it"),
        "no certificate": ([None, key], "The setting tls_key needs tls_cert beside it"),
        "missing": ([good, authority.folder / "nowhere"], "cannot be read by user .* \\(No such file"),
        "a certificate of junk": ([junk, key], "are not a certificate chain and its key in PEM"),
        "a key of junk": ([good, junk], "are not a certificate chain and its key in PEM"),
        "strangers": ([good, other], "is not that of the certificate"),
        "expired": ([*authority.lay("old", days=(-30, -1))], r"\(setting tls_cert\) has expired: get a new one"),
        "too early": ([*authority.lay("new", days=(10, 30))], "is not valid yet"),
        "a passphrase": ([good, locked], "has a passphrase"),
        "a strange kind": ([Path(f"{strange}.pem"), strange], "take RSA of 2048 to 4096 bits, EC P-256 or P-384"),
    }


def test_each_broken_certificate_is_one_sentence_without_the_key(authority: Authority, data_dir: Path) -> None:
    for name, (files, said) in broken(authority).items():
        options = [
            word
            for flag, file in zip(("--tls-cert", "--tls-key"), files, strict=True)
            if file
            for word in (flag, str(file))
        ]
        done = command("serve", "--data-dir", str(data_dir), "--port", str(free_port()), *options)
        assert done.returncode == 1, name
        assert re.search(said, done.stderr), (name, done.stderr)
        assert done.stderr.count("\n") == 1, done.stderr
        assert not re.search("PRIVATE|Traceback", done.stderr), name


# --- bounds -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(site: Site) -> Iterator[Box]:
    """Return a box with short clocks and few places."""
    options = ["--arrive-within", "1s", "--connections", "20", "--allow", f"127.0.0.1:{site.port}"]
    with place() as above, Box(above / "data", *options) as box:
        yield box


@pytest.fixture(scope="module")
def strict_key(strict: Box) -> str:
    return strict.key("front")


def until_closed(
    port: int, first: bytes, drip: Callable[[], bytes] | None = None, enough: bytes | None = None
) -> bytes:
    """Send *first*, then *drip* several times a second; return what came until the server closed. No end: an error.

    Or until what came has *enough* in it.
    """
    said, end = b"", time.monotonic() + SOON
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as peer:
        peer.sendall(first)
        while time.monotonic() < end:
            try:
                more = peer.recv(65536)
                if not more:
                    return said
                said += more
                if enough is not None and enough in said:
                    return said
            except TimeoutError:
                if drip:
                    peer.sendall(drip())
            except ConnectionError:
                return said
    raise AssertionError(f"still open, after {said!r}")


GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
PING = bytes.fromhex("000008060000000000") + b"12345678"


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", None),
        (b"P", None),
        (b"PRI * HTTP/2.0\r\n", None),
        (b"GET /hea", None),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", lambda: b"a"),
        (GREETING, None),
        (GREETING + b"\x00\x00", None),
        (GREETING, lambda: PING),
    ],
    ids=["silence", "one byte", "half a greeting", "half a line", "drops", "HTTP/2", "half a frame", "pings"],
)
def test_a_connection_without_a_request_is_closed(strict: Box, first: bytes, drip: Callable[[], bytes] | None) -> None:
    assert statuses(until_closed(strict.port, first, drip)) == []


def test_a_connection_is_closed_some_time_after_its_last_request(strict: Box) -> None:
    said = until_closed(strict.port, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(said) == [200]


@pytest.mark.parametrize(
    ("framing", "drip"),
    [
        (b"Content-Length: 1000\r\n\r\n", None),
        (b"Content-Length: 1000\r\n\r\n", lambda: b" "),
        (b"Transfer-Encoding: chunked\r\n\r\n", lambda: b"1\r\n \r\n"),
    ],
    ids=["stalled", "drops", "endless chunks"],
)
def test_a_body_that_takes_too_long_is_408(
    strict: Box, strict_key: str, framing: bytes, drip: Callable[[], bytes] | None
) -> None:
    head = f"POST /v1/screenshots HTTP/1.1\r\nHost: x\r\nX-API-Key: {strict_key}\r\n".encode()
    said = until_closed(strict.port, head + framing, drip)
    assert statuses(said) == [408]
    assert b'"request_timeout"' in said


def test_without_a_key_no_body_is_waited_for(strict: Box) -> None:
    said = until_closed(strict.port, b"POST /v1/screenshots HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert statuses(said) == [401]


def test_a_long_shot_is_not_taken_for_an_idle_connection(strict: Box, strict_key: str, site: Site) -> None:
    assert strict.shoot(strict_key, site.url("/colors.html"), delay=4000).status_code == 200


def test_a_slow_reader_gets_its_picture_whole(strict: Box, strict_key: str, site: Site) -> None:
    url = site.url("/pattern?height=40000&scale=1")
    body = f'{{"url": "{url}", "fullPage": true}}'
    ask = f"POST /v1/screenshots HTTP/1.1\r\nHost: x\r\nX-API-Key: {strict_key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(60)
        peer.connect(("127.0.0.1", strict.port))
        peer.sendall((ask + body).encode())
        said = peer.recv(4096)
        assert eventually(lambda: any(line.get("path") == "/v1/screenshots" for line in log_lines(strict)[-3:]))
        until_closed(strict.port, b"")  # one that came later, and was idle
        while b"\r\n\r\n" not in said:
            said += peer.recv(4096)
        head, _, picture = said.partition(b"\r\n\r\n")
        length = int(re.findall(rb"content-length: (\d+)", head)[0])
        assert length > 1_000_000  # more than the kernel keeps for us
        while len(picture) < length:
            more = peer.recv(65536)
            assert more
            picture += more
    assert picture.startswith(b"\x89PNG")


async def never(*_: object) -> None:
    raise AssertionError


@contextmanager
def connected(number: int) -> Iterator[tuple[int, list[socket.socket]]]:
    """Yield a port of this process, and our ends of some connections that came to it."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        ours = []
        for _ in range(number):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            ours.append(stack.enter_context(listener.accept()[0]))
        yield listener.getsockname()[1], ours


def is_closed(connection: socket.socket) -> bool:
    try:
        connection.send(b"x", socket.MSG_DONTWAIT)
    except BrokenPipeError:
        return True
    except BlockingIOError:
        pass
    return False


def swept(times: timeouts.Timeouts, port: int, seconds: float) -> None:
    """Let the clocks look, and look again after a while."""
    times._sweep(list(timeouts._connections(port)))
    time.sleep(seconds)
    times._sweep(list(timeouts._connections(port)))


def test_a_connection_that_still_takes_its_answer_is_not_idle() -> None:
    with connected(2) as (port, ours):
        with suppress(BlockingIOError):
            while True:
                ours[0].send(bytes(1_000_000), socket.MSG_DONTWAIT)
        swept(timeouts.Timeouts(never, port, 0.1, 100), port, 0.2)
        assert [is_closed(one) for one in ours] == [False, True]


def test_near_the_bound_the_longest_idle_go_first() -> None:
    with connected(8) as (port, ours):
        times = timeouts.Timeouts(never, port, 100, 8)
        last_first = list(timeouts._connections(port))[::-1]
        for count in range(1, 9):
            times._sweep(last_first[:count])  # so the last has been idle for longest
        for known in times._known.values():
            known.trust = timeouts.Trust.ASKED
        swept(times, port, timeouts.FRESH_SECONDS + 0.1)
        assert [is_closed(one) for one in ours] == [False] * 6 + [True] * 2


def test_near_the_bound_what_proved_nothing_goes_first() -> None:
    with connected(8) as (port, ours):
        times = timeouts.Timeouts(never, port, 100, 8)
        by_age = list(timeouts._connections(port))
        for count in range(1, 9):
            times._sweep(by_age[:count])  # so the first has been idle for longest
        trust = [timeouts.Trust.PROVED] * 2 + [timeouts.Trust.ASKED] * 3 + [timeouts.Trust.NEW] * 3
        for one, owed in zip(by_age, trust, strict=True):
            times._known[one.peer].trust = owed
        swept(times, port, timeouts.FRESH_SECONDS + 0.1)
        assert [is_closed(one) for one in ours] == [False] * 5 + [True] * 3


def test_what_a_client_never_reads_is_dropped_by_the_kernel() -> None:
    bound = listener.bind("127.0.0.1", free_port())
    with bound, socket.create_connection(bound.getsockname()), bound.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == listener.STALLED_MILLISECONDS


HALF = b"Host: x\r\nOrigin: http://x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 999\r\n\r\np"
CROWDS = {
    "the sign-in": b"POST /admin/sign-in HTTP/1.1\r\n" + HALF,
    "a link": b"POST /admin/link/askl_0 HTTP/1.1\r\n" + HALF,
    "chunks": b"POST /admin/sign-in HTTP/1.1\r\n" + HALF.replace(b"Content-Length: 999", b"Transfer-Encoding: chunked"),
    "a bad key": b"POST /v1/screenshots HTTP/1.1\r\nX-API-Key: x\r\n" + HALF,
    "nothing there": b"POST /nowhere HTTP/1.1\r\n" + HALF,
    "half a head": b"POST /admin/sign-in HTTP/1.1\r\nHost: x\r\nX-A: ",
    "HTTP/2": b"",
}
CROWDS["HTTP/2"] = GREETING + bytes.fromhex("000000040100000000")


@pytest.fixture(scope="module", params=["main", "admin_listen"])
def crowded(request: pytest.FixtureRequest) -> Iterator[tuple[Box, int]]:
    """Return a box with few places and the usual clocks, and the port that its page is at."""
    port = free_port() if request.param == "admin_listen" else None
    options = ["--admin-listen", f"127.0.0.1:{port}"] if port else []
    with place() as above, Box(above / "data", "--connections", "60", *options) as box:
        yield box, port or box.port


def try_to_sign_in(port: int, password: str) -> int:
    page = f"http://127.0.0.1:{port}"
    form, headers = {"password": password}, {"Origin": page}
    return httpx.post(f"{page}/admin/sign-in", data=form, headers=headers, timeout=10).status_code


@pytest.mark.parametrize("crowd", CROWDS)
def test_a_crowd_without_a_key_keeps_nobody_out(crowded: tuple[Box, int], crowd: str) -> None:
    box, port = crowded
    key = {"X-API-Key": box.key(f"crowd {crowd}")}
    with ExitStack() as held:
        for _ in range(100):
            peer = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            with suppress(OSError):
                peer.sendall(CROWDS[crowd])
        assert try_to_sign_in(port, "wrong") in {401, 429}
        assert httpx.get(f"{box.url}/v1/usage", headers=key, timeout=10).status_code == 200


def test_a_stranger_has_few_seconds_for_a_body(crowded: tuple[Box, int]) -> None:
    begun = time.monotonic()
    said = until_closed(crowded[1], CROWDS["the sign-in"], lambda: b"a", enough=b"408")
    assert statuses(said) == [408]
    assert time.monotonic() - begun > anonymous_limits.SECONDS - 1


def test_a_stranger_has_few_bytes_for_a_body(crowded: tuple[Box, int]) -> None:
    assert try_to_sign_in(crowded[1], "x" * anonymous_limits.LARGEST) == 413


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_oldest_body_of_the_network_with_the_most_gives_way() -> None:
    bodies, most = anonymous_limits.AnonymousLimits(), anonymous_limits.MOST_AT_ONCE

    async def ask(network: str) -> str:
        async def forever() -> Any:
            await asyncio.sleep(60)

        with bodies.bounded(forever, network) as receive:
            try:
                await receive()
            except BoxError as error:
                return error.code
        return "arrived"

    asking = [asyncio.create_task(ask(network)) for network in ("alone", *["crowd"] * (most - 1))]
    await asyncio.sleep(0)
    asking += [asyncio.create_task(ask(network)) for network in ("new", "crowd")]
    done, held = await asyncio.wait(asking, timeout=anonymous_limits.SECONDS / 2)
    assert {asking.index(one) for one in done} == {1, 2}
    assert {one.result() for one in done} == {"service_unavailable"}
    for one in held:
        one.cancel()


def test_a_flood_of_idle_connections_keeps_nobody_out(strict: Box) -> None:
    flood = [socket.create_connection(("127.0.0.1", strict.port)) for _ in range(60)]
    try:
        assert eventually(strict.answers)
    finally:
        for one in flood:
            one.close()


@as_root
def test_more_connections_than_descriptors_do_not_stop_the_box(data_dir: Path) -> None:
    port = free_port()
    words = [PROGRAM, "serve", "--data-dir", str(data_dir), "--port", str(port), "--arrive-within", "1s"]
    with subprocess.Popen(["sh", "-c", 'ulimit -n 300; exec "$@"', "sh", *words], stdout=subprocess.PIPE) as running:
        url = f"http://127.0.0.1:{port}/health"

        def answers() -> bool:
            try:
                return httpx.get(url, timeout=5).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        try:
            assert eventually(answers)
            flood = [socket.create_connection(("127.0.0.1", port)) for _ in range(500)]
            assert len(list(Path(f"/proc/{running.pid}/fd").iterdir())) < 300
            assert eventually(answers)
            for one in flood:
                one.close()
        finally:
            running.terminate()


@pytest.mark.parametrize(
    ("target", "header", "status"), [(65_000, 0, 200), (66_000, 0, 431), (0, 65_000, 200), (0, 66_000, 431)]
)
def test_the_head_of_a_request_is_bounded(strict: Box, target: int, header: int, status: int) -> None:
    head = f"GET /health?{'q' * target} HTTP/1.1\r\nHost: x\r\nX-A: {'a' * header}\r\nConnection: close\r\n\r\n"
    assert statuses(until_closed(strict.port, head.encode())) == [status]


@pytest.mark.parametrize(("number", "status"), [(90, 200), (10_000, 431)])
def test_the_number_of_headers_is_bounded(strict: Box, number: int, status: int) -> None:
    many = "".join(f"X-{count}: a\r\n" for count in range(number))
    head = f"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{many}\r\n"
    assert statuses(until_closed(strict.port, head.encode())) == [status]


def test_a_request_behind_a_smuggling_one_is_not_answered(strict: Box, strict_key: str) -> None:
    raw = (
        f"POST /v1/screenshots HTTP/1.1\r\nHost: x\r\nX-API-Key: {strict_key}\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert statuses(until_closed(strict.port, raw.encode())) == [400]


# --- what nobody may read -----------------------------------------------------------------------


def test_no_process_of_the_box_leaves_a_core(box: Box) -> None:
    for pid in (box.process.pid, *below(box.process.pid)):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)


def test_memory_is_hidden_from_other_processes_of_the_same_user() -> None:
    program = (
        "import ctypes, resource; from allscreenshots_box.process import hardening; hardening.hide_memory(); "
        "print(ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE))"  # PR_GET_DUMPABLE
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0 (0, 0)\n"


def modes(data_dir: Path) -> dict[str, int]:
    found = {".": stat.S_IMODE(data_dir.stat().st_mode)}
    return found | {one.name: stat.S_IMODE(one.lstat().st_mode) for one in data_dir.iterdir()}


def open_to_all(found: dict[str, int]) -> list[str]:
    return [f"{name} {mode:o}" for name, mode in found.items() if mode & 0o077]


def test_a_new_data_directory_is_its_owner_s_alone(box: Box) -> None:
    box.key("modes")
    found = modes(box.data_dir)
    assert {".", "box.db", "box.db-wal", "box.db-shm", "serve.lock", "tmp"} <= set(found)
    assert open_to_all(found) == []


def test_a_data_directory_that_was_open_is_closed_at_the_start(data_dir: Path) -> None:
    with Box(data_dir) as box:
        box.key("before")
    (data_dir / "lists").mkdir()
    for one in (data_dir, *data_dir.iterdir()):
        one.chmod(0o777 if one.is_dir() else 0o666)
        os.chown(one, data_dir.stat().st_uid, -1)
    with Box(data_dir) as box:
        assert box.run("keys", "list").returncode == 0
        assert open_to_all(modes(data_dir)) == []


def test_closing_a_directory_leaves_what_a_link_leads_to(tmp_path: Path) -> None:
    inside, outside = tmp_path / "data", tmp_path / "outside"
    inside.mkdir(mode=0o755)
    outside.write_text("")
    outside.chmod(0o644)
    (inside / "link").symlink_to(outside)
    hardening.close_directory(inside)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert stat.S_IMODE(inside.stat().st_mode) == 0o700


@as_root
def test_no_process_shows_a_key_while_it_is_used(box: Box, site: Site) -> None:
    secret = box.key("processes")
    site.forget()
    with ThreadPoolExecutor(1) as pool:
        shot = pool.submit(box.shoot, secret, site.url("/table.html"), delay=1500)
        assert eventually(lambda: any(request.path == "/table.html" for request in site.requests))
        tree = [box.process.pid, *below(box.process.pid)]
        shown = b"".join(Path(f"/proc/{pid}/{file}").read_bytes() for pid in tree for file in ("cmdline", "environ"))
        assert shot.result().status_code == 200
    assert b"--headless" in shown
    assert secret[12:].encode() not in shown


def test_a_key_is_in_no_log_and_no_answer_wherever_it_was_put(box: Box, site: Site) -> None:
    secret, page = box.key("everywhere"), site.url("/colors.html")
    good, post = {"X-API-Key": secret}, f"{box.url}/v1/screenshots"
    key_is = {"headers": {"Authorization": f"Bearer {secret}"}}
    answers = [
        httpx.get(f"{box.url}/v1/{secret}", headers=good),
        httpx.get(f"{box.url}/{secret}"),
        httpx.get(f"{box.url}/health?x={secret}"),
        httpx.get(f"{post}?{secret}={secret}", headers=good),
        httpx.post(post, json={"url": page}, headers={"Authorization": f"Basic {secret}"}),
        httpx.post(
            post, json={"url": page}, headers={"Cookie": f"k={secret}", "User-Agent": secret, "Referer": secret}
        ),
        httpx.post(post, json={"url": page}, headers={"X-Forwarded-For": secret, "X-Request-Id": secret}),
        httpx.post(post, content=secret, headers=good),
        httpx.post(post, json={"url": f"{page}?k={secret}#{secret}"}, headers=good, timeout=60),
        httpx.post(post, json={"url": f"http://{secret}.invalid/"}, headers=good, timeout=60),
        httpx.post(post, json={"url": f"http://u:{secret}@127.0.0.1:1/"}, headers=good, timeout=60),
        httpx.post(post, json={"url": page, "device": secret, secret: secret}, headers=good),
        httpx.post(post, json={"url": page, "session": key_is}, headers=good, timeout=60),
        httpx.post(post, json={"url": page}, headers={"X-API-Key": secret + "x"}),
        httpx.request(secret, f"{box.url}/v1/", headers=good),
    ]
    assert len({answer.status_code for answer in answers}) >= 4
    assert eventually(lambda: sum(line["event"] == "request" for line in log_lines(box)) >= len(answers))
    assert secret[12:] not in box.log.read_text()
