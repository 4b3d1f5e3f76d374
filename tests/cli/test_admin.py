"""Who may open the page, said on the command line: with a terminal, a pipe, and neither."""

import os
import pty
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from allscreenshots_box import config
from allscreenshots_box.admin import password as passwords
from allscreenshots_box.admin import sessions
from allscreenshots_box.cli import main
from allscreenshots_box.keys import hashing
from allscreenshots_box.storage import audit
from allscreenshots_box.storage.database import open_database
from tests.box import PROGRAM, environment, found

PASSWORD = "correct horse battery staple"
LINK = re.compile(r"(.+)/admin/link/(askl_[0-9a-f]{64})\n")


def run(data_dir: Path, *words: str, said: bytes | None = None, **settings: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PROGRAM, "--data-dir", str(data_dir), "admin", *words],
        stdin=subprocess.DEVNULL if said is None else None,
        input=said,
        capture_output=True,
        timeout=60,
        check=False,
        env=environment(**settings),
    )


def link(data_dir: Path, *words: str, **settings: str) -> Result:
    """Make a link in this process, which is quicker."""
    variables = {f"{config.ENVIRONMENT_PREFIX}{name.upper()}": value for name, value in settings.items()}
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), "admin", "link", *words], env=variables)


@pytest.fixture
def data_dir(data_dir: Path) -> Path:
    """Return the data directory of a box that is there."""
    return found(data_dir)


@pytest.fixture
def own(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data directory that this very process works on, whoever it is."""
    monkeypatch.setattr("allscreenshots_box.process.privileges.enter", lambda _: data_dir.mkdir(exist_ok=True))
    return data_dir


def is_password(data_dir: Path, text: str) -> bool:
    db = open_database(data_dir / "box.db")
    hashed = passwords.password_hash(db)
    db.close()
    return hashed is not None and hashing.matches(PasswordHasher(), hashed, text)


@pytest.mark.parametrize(
    ("words", "said"),
    [((), f"{PASSWORD}\n"), (("--stdin",), f"{PASSWORD}\r\n"), ((), PASSWORD), ((), f"{PASSWORD}\nlogin: me\n")],
)
def test_a_password_is_read_from_the_first_line_of_a_pipe(data_dir: Path, words: tuple[str, ...], said: str) -> None:
    done = run(data_dir, "password", *words, said=said.encode())
    assert done.returncode == 0, done.stderr
    assert PASSWORD.encode() not in done.stdout + done.stderr
    assert is_password(data_dir, PASSWORD)


def test_a_password_is_asked_for_twice_on_a_terminal(data_dir: Path) -> None:
    above, below = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "--data-dir", str(data_dir), "admin", "password"],
        stdin=below,
        stdout=below,
        stderr=below,
        start_new_session=True,
        env=environment(),
    ) as asking:
        os.close(below)
        seen = b""
        for question, answer in (
            (b"New password: ", PASSWORD),
            (b"The same again: ", "another one, as typed by mistake"),
            (b"The two passwords differ: type both again.\r\nNew password: ", PASSWORD),
            (b"\r\nThe same again: ", PASSWORD),
        ):
            while not seen.endswith(question):
                seen += os.read(above, 1000)
            os.write(above, answer.encode() + b"\n")
        while b"is set" not in seen:
            seen += os.read(above, 1000)
        assert asking.wait(30) == 0
    os.close(above)
    assert PASSWORD.encode() not in seen
    assert is_password(data_dir, PASSWORD)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (None, b"No password was given: run this on a terminal"),
        (b"\n" + PASSWORD.encode(), b"No password was given"),
        (b"short\n", b"must have at least 12 characters"),
        (b"x" * 2_000_000, b"at most 1024 bytes"),
        (b"caf\xe9 caf\xe9 caf\xe9\n", b"is not text in UTF-8"),
    ],
)
def test_what_is_no_password_is_one_sentence_and_an_exit_code(
    data_dir: Path, said: bytes | None, sentence: bytes
) -> None:
    done = run(data_dir, "password", said=said)
    assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (1, 1, b"")
    assert sentence in done.stderr


def test_a_link_stands_alone_on_stdout(data_dir: Path) -> None:
    done = run(data_dir, "link")
    made = LINK.fullmatch(done.stdout.decode())
    assert made
    assert made[2].encode() not in done.stderr
    db = open_database(data_dir / "box.db")
    assert passwords.link_works(db, made[2], now=datetime.now(UTC))
    assert made[2].encode() not in b"".join(file.read_bytes() for file in data_dir.iterdir())
    assert [row["act"] for row in audit.recent(db)] == ["make link"]
    db.close()


def test_a_link_that_cannot_be_printed_is_not_made(data_dir: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "--data-dir", str(data_dir), "admin", "link"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            env=environment(),
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    db = open_database(data_dir / "box.db")
    assert list(db.query("select * from links")) == []
    db.close()


@pytest.mark.parametrize(
    ("settings", "words", "base"),
    [
        ({}, (), "http://127.0.0.1:8080"),
        ({"host": "::1", "port": "9000"}, (), "http://[::1]:9000"),
        ({"admin_listen": "10.0.0.1:9090"}, (), "http://10.0.0.1:9090"),
        ({"tls_cert": "/x"}, (), "https://127.0.0.1:8080"),
        ({"host": "0.0.0.0"}, (), f"http://{os.uname().nodename}:8080"),
        ({"host": "::"}, (), f"http://{os.uname().nodename}:8080"),
        ({}, ("--url", "https://shots.example/"), "https://shots.example"),
        ({}, ("--url", "http://[2001:db8::1]:81"), "http://[2001:db8::1]:81"),
    ],
)
def test_a_link_leads_to_where_the_page_is(
    own: Path, settings: dict[str, str], words: tuple[str, ...], base: str
) -> None:
    made = LINK.fullmatch(link(own, *words, **settings).stdout)
    assert made
    assert made[1] == base


def test_a_link_leads_to_the_server_that_runs_whatever_its_flags_were(own: Path) -> None:
    link(own)
    (own / "serve.lock").write_text("https://127.0.0.1:18080/admin")
    assert link(own).stdout.startswith("https://127.0.0.1:18080/admin/link/")


@pytest.mark.parametrize(
    "url",
    [
        "shots.example", "ftp://shots.example", "https://", "https://x:99999", "https://x:y", "https://u:p@x", "//x",
        "https://x/path", "https://x?q", "https://x#f", "https://x y", "https://x\n", "https://[x", "",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_box_is_refused(own: Path, url: str) -> None:
    done = link(own, "--url", url)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "must be a scheme and a host" in done.stderr


def test_without_a_page_there_is_no_link_to_it(own: Path) -> None:
    done = link(own, no_admin="true")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the setting no_admin took it away" in done.stderr


def test_everybody_is_signed_out_by_command(data_dir: Path) -> None:
    run(data_dir, "link")
    db = open_database(data_dir / "box.db")
    now = datetime.now(UTC)
    passwords.set_password(db, "hash", now=now)
    token = passwords.sign_in(db, "hash", by=audit.Actor("operator", "192.0.2.7"), now=now)
    assert token is not None
    assert run(data_dir, "sign-out").stderr == b"1 signed out.\n"
    assert sessions.recognize(db, token, now=now) is None
    db.close()
