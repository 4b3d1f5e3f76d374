"""Certificates: authorities of the operator's own, hosts that are not checked, and what a bad one is answered with."""

import json
import os
import shutil
import signal
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from allscreenshots_box import hosts as places
from allscreenshots_box.config import load
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.render.browsers import certificates
from tests.box import Box, command, free_port

pytestmark = pytest.mark.browser

ADDRESS = "127.0.0.1"
SMALL = {"width": 200, "height": 200}
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
TRUST, WAIVE = "ca_dir", "insecure_hosts"


class SelfSigned:
    """A certificate that nobody else vouches for, and that may vouch for nobody."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "appliance")])
        made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW - DAY, NOW + DAY)
        made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(ADDRESS))]), critical=False)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        self.pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        formats = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.key = key.private_bytes(serialization.Encoding.PEM, *formats)

    def configure_cert(self, context: ssl.SSLContext) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.pem + self.key)
            file.flush()
            context.load_cert_chain(file.name)


class Handler(BaseHTTPRequestHandler):
    server: "Host"

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        path, _, url = self.path.partition("?")
        answer = {
            "/to": "",
            "/shows": f"<body><script>history.pushState(0, '', '/elsewhere'); location.hash = 'there'</script>"
            f"<img src='{url}'><iframe src='{url}'></iframe><script src='{url}'></script>",
            "/moves": f"<body><script>location.replace('{url}')</script>",
        }.get(path, "<body>here").encode()
        self.send_response(302 if path == "/to" else 200)
        self.send_header("Location", url)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


class Host(ThreadingHTTPServer):
    """A site under https, unless it has no certificate."""

    daemon_threads = True

    def __init__(self, certificate: Any, *, asks_for_certificates: bool = False) -> None:
        super().__init__((ADDRESS, 0), Handler)
        self.seen: list[str] = []
        self.place = f"{ADDRESS}:{self.server_port}"
        self.url = f"https://{self.place}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            if asks_for_certificates:
                context.verify_mode = ssl.CERT_OPTIONAL
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that do not like the certificate."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


@pytest.fixture(scope="module")
def corporate() -> trustme.CA:
    return trustme.CA(organization_name="the operator's own")


@pytest.fixture(scope="module")
def appliance() -> SelfSigned:
    return SelfSigned()


@pytest.fixture(scope="module")
def hosts(corporate: trustme.CA, appliance: SelfSigned) -> Iterator[dict[str, Host]]:
    stranger = trustme.CA().issue_cert(ADDRESS)
    good = corporate.issue_cert(ADDRESS)
    made = {
        "good": Host(good),
        "asking": Host(good, asks_for_certificates=True),
        "appliance": Host(appliance),
        "expired": Host(corporate.issue_cert(ADDRESS, not_before=NOW - 9 * DAY, not_after=NOW - DAY)),
        "misnamed": Host(corporate.issue_cert("elsewhere.example")),
        "unknown": Host(stranger),
        "self-signed": Host(SelfSigned()),
        "waived": Host(stranger),
        "plain": Host(None),
    }
    with ExitStack() as stack:
        for host in made.values():
            stack.enter_context(host)
        yield made


@contextmanager
def serving(hosts: dict[str, Host], files: dict[str, bytes], *options: str) -> Iterator[Box]:
    """Serve a box that may shoot all the hosts, beside a directory ``ca`` with *files* in it."""
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    (above / "ca").mkdir(mode=0o755)
    for name, content in files.items():
        (above / "ca" / name).write_bytes(content)
    allowed = ",".join(host.place for host in hosts.values())
    told = [option.replace("DIRECTORY", str(above / "ca")) for option in options]
    try:
        with Box(above / "data", "--allow", allowed, *told) as running:
            yield running
    finally:
        shutil.rmtree(above)


@pytest.fixture(scope="module")
def trusting(hosts: dict[str, Host], corporate: trustme.CA, appliance: SelfSigned) -> Iterator[Box]:
    """Return a box that knows the operator's authority, and that one host is not to be checked."""
    files = {"corporate.pem": corporate.cert_pem.bytes(), "appliance.crt": appliance.pem, "README": b"not looked at"}
    with serving(hosts, files, "--ca-dir", "DIRECTORY", "--insecure-hosts", hosts["waived"].place) as running:
        yield running


@pytest.fixture(scope="module")
def plain(hosts: dict[str, Host]) -> Iterator[Box]:
    """Return a box with neither setting."""
    with serving(hosts, {}) as running:
        yield running


@pytest.fixture(scope="module")
def boxes(trusting: Box, plain: Box) -> dict[str, tuple[Box, str]]:
    return {"trusting": (trusting, trusting.key("certificates")), "plain": (plain, plain.key("certificates"))}


def shoot(boxes: dict[str, tuple[Box, str]], box: str, url: str) -> httpx.Response:
    asked, secret = boxes[box]
    return asked.shoot(secret, url, viewport=SMALL, waitUntil="load")


def refused(answer: httpx.Response) -> str:
    """Return what the answer says of a bad certificate."""
    told = answer.json()
    assert (answer.status_code, told["error"]) == (422, "certificate_invalid"), told
    assert "ERR_" not in answer.text
    message: str = told["message"]
    return message


# --- in the browser -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "good",  # its issuer is in ca_dir
        "asking",  # and it would like a certificate of the browser's
        "appliance",  # is itself in ca_dir
        "waived",  # is in insecure_hosts
    ],
)
def test_what_the_operator_trusts_is_shot(boxes: dict[str, tuple[Box, str]], hosts: dict[str, Host], host: str) -> None:
    answer = shoot(boxes, "trusting", f"{hosts[host].url}/")
    assert (answer.status_code, answer.headers.get("x-target-status")) == (200, "200"), answer.text


@pytest.mark.parametrize(
    ("box", "host", "kind", "cure"),
    [
        ("trusting", "expired", "expired", WAIVE),
        ("trusting", "misnamed", "another host name", WAIVE),
        ("trusting", "unknown", "issuer", TRUST),  # with the very certificate of the host that is waived
        ("trusting", "self-signed", "self-signed", TRUST),
        ("plain", "good", "issuer", TRUST),
        ("plain", "appliance", "self-signed", TRUST),
        ("plain", "unknown", "issuer", TRUST),
        ("plain", "waived", "issuer", TRUST),
    ],
)
def test_a_bad_certificate_is_422_that_names_kind_and_cure(
    boxes: dict[str, tuple[Box, str]], hosts: dict[str, Host], box: str, host: str, kind: str, cure: str
) -> None:
    message = refused(shoot(boxes, box, f"{hosts[host].url}/secret"))
    assert kind in message
    assert cure in message
    assert "/secret" not in hosts[host].seen


@pytest.mark.parametrize("way", ["/to?", "/moves?", "/moves?BEGIN/to?"])
@pytest.mark.parametrize("begin", ["good", "waived", "plain"])
def test_a_page_that_leads_to_a_bad_certificate_is_422(
    boxes: dict[str, tuple[Box, str]], hosts: dict[str, Host], begin: str, way: str
) -> None:
    at, box, kind = hosts[begin].url, "trusting", "expired"
    if begin == "plain":
        at, box, kind = f"http://{hosts[begin].place}", "plain", "issuer"  # who knows no issuer looks no further
    message = refused(shoot(boxes, box, at + way.replace("BEGIN", at) + hosts["expired"].url + "/led"))
    assert kind in message
    assert "/led" not in hosts["expired"].seen


@pytest.mark.parametrize(("host", "loaded"), [("unknown", set()), ("waived", {"/part"}), ("appliance", {"/part"})])
def test_parts_of_a_page_come_only_from_hosts_that_are_trusted(
    boxes: dict[str, tuple[Box, str]], hosts: dict[str, Host], host: str, loaded: set[str]
) -> None:
    answer = shoot(boxes, "trusting", f"{hosts['good'].url}/shows?{hosts[host].url}/part")
    assert answer.status_code == 200, answer.text
    assert set(hosts[host].seen) & {"/part"} == loaded


def test_what_is_not_about_certificates_is_told_otherwise(
    boxes: dict[str, tuple[Box, str]], hosts: dict[str, Host]
) -> None:
    answer = shoot(boxes, "trusting", f"{hosts['plain'].url}/")  # it speaks no TLS
    assert (answer.status_code, answer.json()["error"]) == (422, "url_unreachable")


def test_the_browser_that_takes_the_place_of_another_trusts_the_same(
    boxes: dict[str, tuple[Box, str]], hosts: dict[str, Host]
) -> None:
    lines = boxes["trusting"][0].log.read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    os.kill(next(one["pid"] for one in reversed(events) if one["event"] == "browser_started"), signal.SIGKILL)
    answer = shoot(boxes, "trusting", f"{hosts['good'].url}/")
    assert answer.status_code == 200, answer.text


# --- the directory ------------------------------------------------------------------------------


def test_each_browser_has_a_store_of_its_own(tmp_path: Path, corporate: trustme.CA) -> None:
    (tmp_path / "corporate.PEM").write_bytes(corporate.cert_pem.bytes() * 2)
    found = certificates.authorities(tmp_path)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        found.lay(tmp_path / name)
    assert found.count == 1
    assert (tmp_path / "one" / certificates.STORE).read_bytes() == (
        tmp_path / "other" / certificates.STORE
    ).read_bytes()


def test_without_the_setting_there_is_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # nor is certutil looked for
    certificates.authorities(None).lay(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_certutil_the_package_is_named(
    tmp_path: Path, corporate: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_bytes(corporate.cert_pem.bytes())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorError, match="apt-get install libnss3-tools"):
        certificates.authorities(tmp_path)


def test_as_many_certificates_as_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "MOST_CERTIFICATES", 3)
    monkeypatch.setattr(certificates, "MOST_FILES", 2)
    for number, count in enumerate((2, 1)):
        (tmp_path / f"{number}.pem").write_bytes(b"".join(trustme.CA().cert_pem.bytes() for _ in range(count)))
    assert certificates.authorities(tmp_path).count == 3
    (tmp_path / "1.pem").write_bytes(trustme.CA().cert_pem.bytes() + trustme.CA().cert_pem.bytes())
    with pytest.raises(OperatorError, match="4 certificates"):
        certificates.authorities(tmp_path)
    (tmp_path / "2.pem").touch()
    with pytest.raises(OperatorError, match="3 files"):
        certificates.authorities(tmp_path)


def authority() -> bytes:
    return trustme.CA().cert_pem.bytes()


BROKEN: dict[str, Callable[[], bytes]] = {
    "der.crt": lambda: ssl.PEM_cert_to_DER_cert(authority().decode()),
    "empty.pem": bytes,
    "cut.pem": lambda: authority() + authority()[:300],
    "nonsense.pem": lambda: ssl.DER_cert_to_PEM_cert(b"no certificate at all").encode(),
    "alphabet.pem": lambda: authority().replace(b"MII", b"\xff\xfe!"),
    "key.pem": lambda: SelfSigned().key,
    "with-key.pem": lambda: authority() + SelfSigned().key,
    "large.pem": lambda: authority() + b" " * certificates.LARGEST_FILE,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_not_certificates_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "good.pem").write_bytes(authority())
    (tmp_path / name).write_bytes(BROKEN[name]())
    with pytest.raises(OperatorError, match=name.replace(".", "[.]")) as caught:
        certificates.authorities(tmp_path)
    assert ("private key" in str(caught.value)) == ("key" in name)


@pytest.mark.parametrize("kind", ["directory", "pipe", "dangling"])
def test_what_is_no_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd.pem"
    make: dict[str, Callable[[], None]] = {
        "directory": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "dangling": lambda: path.symlink_to("nowhere"),
    }
    make[kind]()
    with pytest.raises(OperatorError, match=r"odd\.pem"):
        certificates.authorities(tmp_path)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda _: None, "cannot be read"),
        (lambda path: path.write_bytes(authority()), "cannot be read"),
        (lambda path: path.mkdir(), "holds no file"),
    ],
)
def test_a_directory_without_certificates_is_refused(tmp_path: Path, make: Any, told: str) -> None:
    make(tmp_path / "ca")
    with pytest.raises(OperatorError, match=f"{tmp_path}/ca .* {told}"):
        certificates.authorities(tmp_path / "ca")


def test_a_server_with_a_broken_directory_ends_with_one_sentence(data_dir: Path) -> None:
    ended = command("serve", "--data-dir", str(data_dir), "--port", str(free_port()), "--ca-dir", str(data_dir / "ca"))
    assert ended.returncode == 1
    assert "ca_dir" in ended.stderr
    assert ended.stderr.count("\n") == 1


# --- the hosts ----------------------------------------------------------------------------------

NAMED = tuple(map(places.read, ["wiki.example", "*.lab.example", "10.0.0.5:8443", "[fd00::5]", "box.example:444"]))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://wiki.example/", True),
        ("https://wiki.example./", True),
        ("wss://wiki.example:9443/live", True),
        ("https://WIKI.example/", True),
        ("https://other.wiki.example/", False),
        ("https://wiki.example.org/", False),
        ("https://wiki.example@evil.example/", False),
        ("https://evil.example/#@wiki.example", False),
        ("https://evil.example/?https://wiki.example/", False),
        ("https://a.lab.example/", True),
        ("https://a.b.lab.example/", True),
        ("https://lab.example/", False),
        ("https://notlab.example/", False),
        ("https://10.0.0.5:8443/", True),
        ("https://10.0.0.5/", False),
        ("https://10.0.0.50:8443/", False),
        ("https://[fd00::5]/", True),
        ("https://[fd00:0::5]:7/", True),
        ("https://[fd00::6]/", False),
        ("https://box.example:444/", True),
        ("https://box.example/", False),
        ("https://box.example:4444/", False),
        ("https://[fd00::5/", False),
        ("", False),
    ],
)
def test_a_host_is_unchecked_only_if_it_is_named(url: str, expected: bool) -> None:  # noqa: FBT001 - a column
    assert certificates.is_insecure(url, NAMED) is expected


@pytest.mark.parametrize("text", ["*", "*.", "0.0.0.0/0", "10.0.0.0/8", "::/0", "https://wiki.example"])
def test_there_is_no_way_to_leave_all_hosts_unchecked(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.toml").touch()
    with pytest.raises(OperatorError, match="insecure_hosts"):
        load({"insecure_hosts": text}, {}, tmp_path / "empty.toml")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("net::ERR_CERT_REVOKED", "revoked"),
        ("ERR_CERT_WEAK_KEY", "key is too weak"),
        ("ERR_CERT_WEAK_SIGNATURE_ALGORITHM", "signature"),
        ("ERR_CERT_NAME_CONSTRAINT_VIOLATION", "vouch"),
        ("ERR_CERT_VALIDITY_TOO_LONG", "longer"),
        ("ERR_CERTIFICATE_TRANSPARENCY_REQUIRED", "do not accept"),
        ("ERR_SSL_PINNED_KEY_NOT_IN_CERT_CHAIN", "do not accept"),
        ("ERR_SSL_VERSION_OR_CIPHER_MISMATCH", None),
        ("ERR_BAD_SSL_CLIENT_AUTH_CERT", None),
        ("ERR_CONNECTION_CLOSED", None),
        ("", None),
    ],
)
def test_the_kind_is_told_in_our_words(code: str, kind: str | None) -> None:
    told = certificates.problem(code)
    assert (told is None) == (kind is None)
    assert told is None or str(kind) in told.message
