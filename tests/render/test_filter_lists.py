import hashlib
import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from allscreenshots_box.errors import OperatorError
from allscreenshots_box.render.blocking import filter_lists
from tests.box import command

RULES = "! Title: EasyList\n! Last modified: today\n" + "".join(f"||host{number}.test^\n" for number in range(20_001))
DOMAINS = "# Title: HaGeZi\n" + "".join(f"host{number}.test\n" for number in range(10_001))


class Mirror:
    """A server of lists, on loopback: path to (status, headers, body, seconds between bytes)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes, float]] = {}
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body, pause = mirror.answers.get(self.path, (404, {}, b"Not found", 0))
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    if not pause:
                        self.wfile.write(body)
                    for byte in body if pause else b"":
                        self.wfile.write(bytes([byte]))
                        time.sleep(pause)
                except OSError:
                    pass  # the reader has had enough

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def serve(self, name: str, body: str | bytes, *, status: int = 200, pause: float = 0, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.answers[f"/{name}"] = (status, headers, content, pause)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()
    mirror.thread.join()


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "domain"),
    [
        ("ads.test", "ads.test"),
        ("ADS.Test", "ads.test"),
        ("*.ads.test", "ads.test"),
        ("||ads.test^", "ads.test"),
        ("0.0.0.0 ads.test", "ads.test"),
        ("127.0.0.1\tads.test # why", "ads.test"),
        ("::1 ads.test", "ads.test"),
        ("ads.test.", "ads.test"),
        ("_dmarc.ads.test", "_dmarc.ads.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("# ads.test", None),
        ("", None),
        ("127.0.0.1 localhost", None),
        ("<html>", None),
        ("ads..test", None),
        ("-ads.test", None),
        ("||ads.test^$script", None),
        (f"{'a' * 64}.test", None),
    ],
)
def test_domains_are_read_from_every_kind_of_list(line: str, domain: str | None) -> None:
    assert filter_lists.domain_of(line) == domain


@pytest.mark.parametrize(
    ("line", "used"),
    [
        ("||ads.test^", True),
        ("||ads.test^$third-party", True),
        ("||ads.test/x.js$script,domain=a.test", True),
        ("@@||ads.test^$script", True),
        ("##.ad", True),
        ("a.test###ad", True),
        ("a.test#@#.ad", True),
        ("||ads.test^$badfilter", True),
        ("! a comment", False),
        ("[Adblock Plus 2.0]", False),
        ("# a comment", False),
        ("", False),
        ("a.test#%#//scriptlet('x')", False),
        ("a.test##+js(x)", False),
        ("a.test#$#body { color: red }", False),
        ("a.test#?#.ad:has-text(ad)", False),
        ("a.test##.ad:has-text(ad)", False),
        ("||ads.test^$popup", False),
        ("||ads.test^$document", False),
        ("||ads.test^$third-party,removeparam=x", False),
    ],
)
def test_only_rules_that_can_be_acted_on_are_kept(line: str, *, used: bool) -> None:
    assert (filter_lists.rule_of(line) is not None) is used


@pytest.mark.parametrize(
    ("name", "least"),
    [
        *((group, 500) for group in filter_lists.GROUPS),
        ("vendors-ads", 5),
        ("vendors-cookies", 5),
        ("vendors-popups", 5),
    ],
)
def test_the_lists_of_the_box_hold_nothing_but_rules(name: str, least: int) -> None:
    found = list(filter_lists.shipped(name))
    assert len(found) > least
    assert found == list(filter_lists.entries("rules", found))


# --- fetching -----------------------------------------------------------------------------------


def test_a_good_list_is_put_in_place(mirror: Mirror, tmp_path: Path) -> None:
    mirror.serve("easylist.txt", RULES)
    mirror.serve("light.txt", DOMAINS)
    outcomes = list(filter_lists.update(tmp_path / "lists", ["light", "easylist"], mirror=f"{mirror.url}/"))
    assert outcomes == [filter_lists.Outcome("easylist", 20_001), filter_lists.Outcome("light", 10_001)]
    text = (tmp_path / "lists" / "easylist.txt").read_text()
    assert text.startswith("! Title: EasyList\n")
    assert "||host7.test^\n" in text


@pytest.mark.parametrize(
    ("body", "served", "problem"),
    [
        (RULES, {"status": 404}, "the server answered 404"),
        (RULES, {"status": 500}, "the server answered 500"),
        ("<!DOCTYPE html><title>Sign in</title>" + RULES, {}, "a web page"),
        (RULES[:1000], {}, "it has 65 usable entries, and never fewer than 20000"),
        ("", {}, "it has 0 usable entries"),
        (RULES.encode("utf-16"), {}, "not text in UTF-8"),
        (RULES, {"Content-Length": str(len(RULES) + 10)}, "came only in part"),
        (RULES + "x" * 700_000, {}, "too large"),
        (RULES, {"pause": 0.02}, "did not come within 0.3 s"),
        (RULES, {"status": 302, "Location": "ftp://127.0.0.1/easylist.txt"}, "unknown url type"),
    ],
    ids=["404", "500", "html", "short", "empty", "utf-16", "truncated", "too large", "slow", "redirect to ftp"],
)
def test_a_bad_list_leaves_the_old_one(
    mirror: Mirror, tmp_path: Path, body: str | bytes, served: dict[str, object], problem: str
) -> None:
    (tmp_path / "easylist.txt").write_text("the old one")
    mirror.serve("easylist.txt", body, **served)  # type: ignore[arg-type] # the columns of the table
    [outcome] = filter_lists.update(tmp_path, ["easylist"], mirror=mirror.url, seconds=0.3, largest=1_000_000)
    assert problem in (outcome.problem or "")
    assert (tmp_path / "easylist.txt").read_text() == "the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["easylist.txt"]


def test_a_server_that_is_not_there_is_a_problem_of_the_list(tmp_path: Path) -> None:
    [outcome] = filter_lists.update(tmp_path, ["easylist"], mirror="http://127.0.0.1:9/x")
    assert outcome.problem == "the server cannot be reached (Connection refused)"


@pytest.mark.parametrize(("right", "problem"), [(True, None), (False, "its checksum is not the one in SHA256SUMS")])
def test_a_checksum_at_the_mirror_is_obeyed(
    mirror: Mirror, tmp_path: Path, problem: str | None, *, right: bool
) -> None:
    mirror.serve("light.txt", DOMAINS)
    said = hashlib.sha256(DOMAINS.encode() if right else b"other").hexdigest()
    mirror.serve("SHA256SUMS", f"{said}  light.txt\n{'0' * 64} *other.txt\n")
    [outcome] = filter_lists.update(tmp_path, ["light"], mirror=mirror.url)
    assert outcome.problem == problem
    assert (tmp_path / "light.txt").exists() is right


def test_one_bad_list_does_not_keep_back_the_others(mirror: Mirror, tmp_path: Path) -> None:
    for name in ("light", "pro"):
        mirror.serve(f"{name}.txt", DOMAINS)
    outcomes = list(filter_lists.update(tmp_path, ["light", "normal", "pro"], mirror=mirror.url))
    assert [outcome.problem is None for outcome in outcomes] == [True, False, True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["light.txt", "pro.txt"]


def test_whoever_reads_while_a_list_is_replaced_finds_a_whole_one(mirror: Mirror, tmp_path: Path) -> None:
    mirror.serve("light.txt", DOMAINS)
    fetch = partial(filter_lists.update, tmp_path, ["light"], mirror=mirror.url)
    list(fetch())
    whole = (tmp_path / "light.txt").read_text()
    writer = threading.Thread(target=lambda: [list(fetch()) for _ in range(3)])
    writer.start()
    while writer.is_alive():
        assert (tmp_path / "light.txt").read_text() == whole
    writer.join()


@pytest.mark.parametrize("mirror", ["ftp://lists.test", "lists.test", "https://", "https://lists.test/?a=b", "/tmp"])
def test_a_mirror_that_is_no_address_is_a_sentence(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(OperatorError, match="is not an address: write it as"):
        list(filter_lists.update(tmp_path, mirror=mirror))


def test_a_folder_that_cannot_be_written_is_a_sentence(mirror: Mirror, tmp_path: Path) -> None:
    mirror.serve("light.txt", DOMAINS)
    (tmp_path / "lists").write_text("in the way")
    with pytest.raises(OperatorError, match="cannot be written"):
        list(filter_lists.update(tmp_path / "lists", ["light"], mirror=mirror.url))


def test_every_list_has_an_official_address() -> None:
    assert all(source.url.startswith("https://") and source.url.endswith(".txt") for source in filter_lists.SOURCES)
    assert {source.group for source in filter_lists.SOURCES} == {*filter_lists.GROUPS, "level"}


# --- the command --------------------------------------------------------------------------------


def test_the_command_fetches_and_shows(mirror: Mirror, data_dir: Path) -> None:
    mirror.serve("light.txt", DOMAINS)
    updated = command("--data-dir", str(data_dir), "lists", "update", "light", "--mirror", mirror.url)
    assert (updated.returncode, updated.stdout, updated.stderr) == (0, "", "light: 10001 entries\n")
    shown = json.loads(command("--data-dir", str(data_dir), "lists", "show", "--json").stdout)
    by_name = {row["name"]: row for row in shown}
    assert set(by_name) == set(filter_lists.NAMES)
    assert by_name["light"]["entries"] == 10_001
    assert by_name["light"]["from"].startswith("fetched 2")
    assert by_name["easylist"]["from"] == "with the box, as ads"
    assert by_name["pro"]["from"] is None


def test_the_command_says_which_lists_it_could_not_get(mirror: Mirror, data_dir: Path) -> None:
    mirror.serve("light.txt", DOMAINS)
    updated = command("--data-dir", str(data_dir), "lists", "update", "light", "pro", "--mirror", mirror.url)
    assert updated.returncode == 1
    assert "light: 10001 entries\npro: the server answered 404\n" in updated.stderr
    assert "Error: 1 of 2 lists were not updated: the old ones stay in use" in updated.stderr
    assert (data_dir / "lists" / "light.txt").exists()


def test_a_list_that_there_is_not_is_a_sentence(data_dir: Path) -> None:
    updated = command("--data-dir", str(data_dir), "lists", "update", "hard")
    assert updated.returncode == 1
    assert "There is no list 'hard': there are easylist," in updated.stderr
