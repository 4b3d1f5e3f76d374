import asyncio
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allscreenshots_box import doctor, hosts, resources
from allscreenshots_box.config import Loaded, Settings
from allscreenshots_box.doctor import browser, machine, service
from allscreenshots_box.doctor.context import CheckContext
from allscreenshots_box.doctor.probe import Site as Pages
from allscreenshots_box.doctor.result import CheckResult
from allscreenshots_box.egress import policy
from allscreenshots_box.render.renderer import Equipment, running
from allscreenshots_box.resources import Memory
from tests.box import PROGRAM, Box, command, environment, free_port

pytestmark = [pytest.mark.browser, pytest.mark.long]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, or choose who it is")

NO_BROWSER = {"browser", "sandbox"}  # what fails where the browser plays no part, and is left out to save time
WITHOUT_BROWSER = ("--browser", "/nonexistent")


def examined(*words: str, **extra: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return doctor's exit code and its findings by their names."""
    done = command("doctor", "--json", *words, **extra)
    assert done.stderr == ""
    return done.returncode, {finding["name"]: finding for finding in json.loads(done.stdout)}


def failed(findings: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, finding in findings.items() if finding["state"] == "failed"}


@pytest.fixture
def used(data_dir: Path) -> Path:
    """Return a data directory that has been used: with a database that holds a key."""
    assert command("--data-dir", str(data_dir), "keys", "create", "tests").returncode == 0
    return data_dir


@pytest.fixture
def options(used: Path) -> tuple[str, ...]:
    return ("--data-dir", str(used), "--port", str(free_port()))


# --- what is asked for --------------------------------------------------------------------------


def test_checks_that_are_named_are_made_alone(options: tuple[str, ...]) -> None:
    code, findings = examined("browser", "disk", *options)
    assert (code, list(findings)) == (0, ["disk", "browser"])


def test_a_check_that_is_named_fails_the_command(options: tuple[str, ...]) -> None:
    code, findings = examined("sandbox", *options, *WITHOUT_BROWSER)
    assert (code, list(findings)) == (1, ["sandbox"])


def test_settings_that_cannot_be_read_fail_whatever_is_named(options: tuple[str, ...]) -> None:
    code, findings = examined("disk", *options, ALLSCREENSHOTS_BOX_SLOTS="none")
    assert (code, list(findings)) == (1, ["settings"])


def test_a_check_that_there_is_not_is_refused_with_those_there_are() -> None:
    done = command("doctor", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'nonsense'. There are: settings, port," in done.stderr


# --- healthy ------------------------------------------------------------------------------------


def test_a_healthy_box_passes_every_check(options: tuple[str, ...], used: Path) -> None:
    before = sorted(used.iterdir())
    done = command("doctor", *options)
    assert done.returncode == 0, done.stdout
    told = re.findall(r"^ ?(\d+)\. ([a-z ]+?) \.+ (\w+) +\S", done.stdout, re.MULTILINE)
    assert [int(number) for number, _, _ in told] == list(range(1, 2 + len(doctor.CHECKS)))
    assert [name for _, name, _ in told] == ["settings", *(check.name for check in doctor.CHECKS)]
    states = {name: state for _, name, state in told}
    assert {name for name, state in states.items() if state == "skipped"} <= {"tls", "unit"}
    # What is the test machine's and not the box's may be worth a warning.
    warned = {name for name, state in states.items() if state == "warning"}
    assert warned <= {"clock", "disk", "memory", "shared memory", "core dumps", "open files", "unit"}
    assert sorted(used.iterdir()) == before  # nothing is left behind


def test_a_box_is_examined_while_it_serves(box: Box) -> None:
    code, findings = examined("--data-dir", str(box.data_dir), "--port", str(box.port))
    assert (code, failed(findings)) == (0, set())
    assert f"serving, version 0.1.0, process {box.process.pid}" in findings["port"]["fact"]
    assert f"the running server (process {box.process.pid})" in findings["open files"]["fact"]
    assert box.answers()


def test_a_finding_has_the_same_fields_whatever_it_says(options: tuple[str, ...]) -> None:
    done = command("doctor", "--json", *options, *WITHOUT_BROWSER)
    for number, finding in enumerate(json.loads(done.stdout), start=1):
        assert list(finding) == ["number", "name", "state", "fact", "cure"]
        assert finding["number"] == number
        assert finding["state"] in {"ok", "warning", "failed", "skipped"}
        assert finding["fact"]
        assert bool(finding["cure"]) == (finding["state"] in {"warning", "failed"})


@pytest.mark.parametrize("name", ["settings", *(check.name for check in doctor.CHECKS)])
def test_every_check_is_documented(name: str) -> None:
    page = (Path(__file__).parent.parent.parent / "docs/doctor.md").read_text()
    assert re.search(rf"^\| {re.escape(name)} \|", page, re.MULTILINE)


# --- broken -------------------------------------------------------------------------------------


def open_directory(data_dir: Path) -> None:
    data_dir.chmod(0o755)


def open_database(data_dir: Path) -> None:
    (data_dir / "box.db").chmod(0o644)


def open_file(data_dir: Path) -> None:
    (data_dir / "copy of box.db").write_bytes((data_dir / "box.db").read_bytes())
    shutil.chown(data_dir / "copy of box.db", data_dir.owner(), data_dir.group())
    (data_dir / "copy of box.db").chmod(0o640)


def damage(data_dir: Path) -> None:
    with sqlite3.connect(data_dir / "box.db") as db:
        ((root,),) = db.execute("select rootpage from sqlite_master where name = 'secrets_by_key'")
        ((size,),) = db.execute("pragma page_size")
    db.close()
    with (data_dir / "box.db").open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xde\xad" * (size // 2))
    for path in data_dir.iterdir():
        shutil.chown(path, data_dir.owner(), data_dir.group())


def overwrite(data_dir: Path) -> None:
    (data_dir / "box.db").write_bytes(b"no database at all, and long enough to be one" * 200)


def make_newer(data_dir: Path) -> None:
    with sqlite3.connect(data_dir / "box.db") as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at)"
            " values ('allscreenshots_box', 'm999_future', '2030-01-01')"
        )
    db.close()
    for path in data_dir.iterdir():
        shutil.chown(path, data_dir.owner(), data_dir.group())


def give_away(data_dir: Path) -> None:
    shutil.chown(data_dir / "box.db", "root", "root")


BROKEN_DATA: list[tuple[Callable[[Path], None], str, str, str]] = [
    (open_directory, "data directory", "data is 0755", "chmod -R u=rwX,go= "),
    (open_database, "data directory", "box.db is 0644", "chmod -R u=rwX,go= "),
    (open_file, "data directory", "copy of box.db is 0640", "chmod -R u=rwX,go= "),
    (damage, "database", "is damaged", " restore BACKUP; "),
    (overwrite, "database", "file is not a database", " restore BACKUP; "),
    (make_newer, "database", "m999_future", "install that version again"),
]


@pytest.mark.parametrize(("harm", "name", "fact", "cure"), BROKEN_DATA, ids=[case[0].__name__ for case in BROKEN_DATA])
def test_broken_data_is_found_with_its_cure(
    options: tuple[str, ...], used: Path, harm: Callable[[Path], None], name: str, fact: str, cure: str
) -> None:
    harm(used)
    code, findings = examined(*options, *WITHOUT_BROWSER)
    assert (code, failed(findings)) == (1, {name} | NO_BROWSER)
    assert fact in findings[name]["fact"]
    assert cure in findings[name]["cure"]
    assert str(used) in findings[name]["cure"]


@needs_root
@pytest.mark.parametrize("harm", [open_directory, open_database, open_file, give_away])
def test_the_cure_of_wrong_rights_mends_them(
    options: tuple[str, ...], used: Path, harm: Callable[[Path], None]
) -> None:
    harm(used)
    _, broken = examined(*options, *WITHOUT_BROWSER)
    assert broken["data directory"]["state"] == "failed"
    subprocess.run(["sh", "-c", broken["data directory"]["cure"]], check=True)
    _, mended = examined(*options, *WITHOUT_BROWSER)
    assert (mended["data directory"]["state"], mended["database"]["state"]) == ("ok", "ok")


def script(folder: Path, text: str) -> str:
    path = folder / "some-browser"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


BROWSERS = [
    ("exit 1", "failed", "is no Chromium", "setting browser"),
    ("echo Mozilla Firefox 128.0", "failed", "is no Chromium", "setting browser"),
    ("echo Chromium 119.0.6045.199", "failed", "is too old", "apt-get install --only-upgrade"),
    ("echo Chromium 142.0.7444.174", "warning", "CVE-2025-13223", "apt-get install --only-upgrade"),
    ("echo Chromium 142.0.7444.175", "ok", "142.0.7444.175", ""),
]


@pytest.mark.parametrize(("text", "state", "fact", "cure"), BROWSERS, ids=[case[0] for case in BROWSERS])
def test_a_browser_that_will_not_do_is_found_with_its_cure(
    options: tuple[str, ...], used: Path, text: str, state: str, fact: str, cure: str
) -> None:
    code, findings = examined(*options, "--browser", script(used.parent, text))
    assert (code, findings["browser"]["state"], findings["sandbox"]["state"]) == (1, state, "failed")
    assert fact in findings["browser"]["fact"]
    assert cure in (findings["browser"]["cure"] or "")
    assert findings["sandbox"]["cure"].startswith("apt-get install --reinstall chromium-headless-shell (on Debian;")
    assert {findings[name]["state"] for name in ("shot", "fonts", "wall")} == {"skipped"}


def test_a_missing_browser_is_found_with_its_cure(options: tuple[str, ...]) -> None:
    code, findings = examined(*options, *WITHOUT_BROWSER)
    assert (code, failed(findings)) == (1, NO_BROWSER)
    assert "/nonexistent cannot be run" in findings["browser"]["fact"]
    assert "command -v chromium-headless-shell" in findings["browser"]["cure"]


def test_without_any_browser_the_cure_is_to_install_one(options: tuple[str, ...]) -> None:
    code, findings = examined(*options, PATH="/nonexistent")
    assert code == 1
    assert findings["browser"]["cure"].startswith("apt-get install chromium-headless-shell (on Debian; elsewhere:")


@contextmanager
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        yield other.getsockname()[1]


def test_a_port_that_another_program_has_is_found_with_its_cure(used: Path) -> None:
    with taken() as port:
        code, findings = examined("--data-dir", str(used), "--port", str(port), *WITHOUT_BROWSER)
    assert (code, failed(findings)) == (1, {"port"} | NO_BROWSER)
    assert "taken by another program" in findings["port"]["fact"]
    assert f"ss -ltnp 'sport = :{port}'" in findings["port"]["cure"]


def test_a_port_that_another_box_has_is_found_with_its_cure(used: Path, box: Box) -> None:
    code, findings = examined("--data-dir", str(used), "--port", str(box.port), *WITHOUT_BROWSER)
    assert (code, failed(findings)) == (1, {"port"} | NO_BROWSER)
    assert "with another data directory" in findings["port"]["fact"]


def test_other_settings_than_the_servers_are_worth_a_warning(box: Box) -> None:
    port = str(free_port())
    _, findings = examined("--data-dir", str(box.data_dir), "--port", port, *WITHOUT_BROWSER)
    assert findings["port"]["state"] == "warning"
    assert f"-p {box.process.pid}" in findings["port"]["cure"]


def test_an_address_of_another_machine_is_found_with_its_cure(used: Path) -> None:
    code, findings = examined("--data-dir", str(used), "--host", "192.0.2.1", *WITHOUT_BROWSER)
    assert (code, failed(findings)) == (1, {"port"} | NO_BROWSER)
    assert "ip -brief address" in findings["port"]["cure"]


FILE_LIMITS = [(300, "failed"), (2000, "warning"), (8000, "ok")]


@pytest.mark.parametrize(("limit", "state"), FILE_LIMITS)
def test_too_few_open_files_are_found_with_their_cure(options: tuple[str, ...], limit: int, state: str) -> None:
    limited = ["prlimit", f"--nofile={limit}:{limit}", PROGRAM, "doctor", "--json", "--slots", "2"]
    done = subprocess.run(
        [*limited, *options, *WITHOUT_BROWSER], capture_output=True, text=True, check=False, env=environment()
    )
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["open files"]["state"] == state
    assert failed(findings) == ({"open files"} if state == "failed" else set()) | NO_BROWSER
    if state != "ok" and "service" not in findings["open files"]["fact"]:
        assert "ulimit -Hn 65536" in findings["open files"]["cure"]


@needs_root
@pytest.mark.parametrize(("size", "state"), [("60m", "failed"), ("400m", "warning")])
def test_a_full_disk_is_found_with_its_cure(data_dir: Path, size: str, state: str) -> None:
    data_dir.mkdir()
    words = [PROGRAM, "doctor", "--json", "--data-dir", str(data_dir), "--port", str(free_port()), *WITHOUT_BROWSER]
    mounted = f'mount -t tmpfs -o size={size} tmpfs {data_dir} || exit 77; exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted, "sh", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    if done.returncode == 77:
        pytest.skip("nothing can be mounted here")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["disk"]["state"] == state
    assert f"df -h {data_dir}" in findings["disk"]["cure"]


MEMORY = [
    (3, 1216, 1216, False, "ok", ""),
    (3, 1215, 1000, False, "failed", "set slots = 2 ("),
    (1, 703, 400, False, "failed", "704 MiB"),
    (3, 4000, 1215, False, "warning", "ps -eo rss"),
    (3, 4000, 1215, True, "ok", ""),
]


@pytest.mark.parametrize(("slots", "bound", "available", "serving", "state", "cure"), MEMORY)
def test_memory_is_compared_with_what_the_slots_take(
    *, slots: int, bound: int, available: int, serving: bool, state: str, cure: str
) -> None:
    result = machine.enough(slots, Memory(bound << 20, available << 20), "elsewhere", serving=serving)
    assert result.state == state
    assert cure in (result.cure or "")


NARROW = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(flush=True); input()"


@pytest.mark.parametrize(("source", "slots"), [("default", resources.slots(process=None)), ("the flag", 7)])
def test_slots_are_those_of_the_server_and_not_what_this_shell_could_have(source: str, slots: int) -> None:
    context = CheckContext(Loaded(Settings(slots=slots), {"slots": source}))
    words = [sys.executable, "-c", NARROW]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdin
        server.stdout.readline()
        context.__dict__["server"] = server.pid
        assert context.slots == (min(slots, 2) if source == "default" else slots)
        server.stdin.write("\n")


SETTINGS = [
    ("prot = 9000", "did you mean 'port'?"),
    ("port = 70000", "70000 is not between 1 and 65535"),
    ("port = ", "cannot be read"),
]


@pytest.mark.parametrize(("line", "fact"), SETTINGS)
def test_a_broken_settings_file_is_named_with_its_cure(data_dir: Path, line: str, fact: str) -> None:
    file = data_dir.parent / "config.toml"
    file.write_text(f"{line}\n")
    code, findings = examined("--config", str(file))
    assert (code, list(findings)) == (1, ["settings"])
    assert fact in findings["settings"]["fact"]
    assert str(file) in findings["settings"]["fact"]
    assert f"`{PROGRAM} config`" in findings["settings"]["cure"]


@needs_root
def test_a_data_directory_of_roots_is_found_with_its_cure(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "something").touch()
    code, findings = examined("--data-dir", str(data_dir), "--port", str(free_port()))
    assert (code, failed(findings)) == (1, {"data directory"})
    assert f"chown -R allscreenshots: {data_dir}" in findings["data directory"]["cure"]
    # Nothing of it is touched as root, and no browser is started.
    assert {findings[name]["state"] for name in ("database", "browser", "sandbox", "wall")} == {"skipped"}


@needs_root
def test_what_takes_root_is_told_to_who_is_not(used: Path) -> None:
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    words = [PROGRAM, "doctor", "--json", "--data-dir", str(used), "--port", "81", *WITHOUT_BROWSER]
    done = subprocess.run([*nobody, *words], capture_output=True, text=True, check=False, env=environment())
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert (done.returncode, failed(findings)) == (1, {"port", "data directory"} | NO_BROWSER)
    assert "needs root" in findings["port"]["fact"]
    assert "--port 8080" in findings["port"]["cure"]
    assert findings["data directory"]["cure"].startswith(f"sudo {PROGRAM} --data-dir {used} doctor, or name ")


def test_a_sandbox_that_is_turned_off_is_found_with_its_cure(options: tuple[str, ...]) -> None:
    code, findings = examined(*options, "--dangerously-disable-sandbox")
    assert (code, failed(findings)) == (1, {"sandbox"})
    assert "take dangerously_disable_sandbox out" in findings["sandbox"]["cure"]


FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>{folders}<cachedir prefix="relative">cache</cachedir></fontconfig>"""


def test_missing_fonts_are_found_with_their_cure(options: tuple[str, ...], used: Path) -> None:
    latin = Path("/usr/share/fonts/truetype/liberation")
    if not latin.is_dir():
        pytest.skip("fonts-liberation is not installed")
    file = used.parent / "fonts.conf"
    file.write_text(FONTS.format(folders=f"<dir>{latin}</dir>"))
    code, findings = examined(*options, FONTCONFIG_FILE=str(file))
    assert (code, failed(findings)) == (1, {"fonts"})
    assert "no font for Han, Kana, Hangul, Arabic, Devanagari, emoji:" in findings["fonts"]["fact"]
    for package in ("fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"):
        assert package in findings["fonts"]["cure"]


@pytest.mark.anyio
async def test_a_wall_with_a_hole_is_found() -> None:
    settings = Settings()
    async with Pages() as site, Pages() as canary:
        holed = replace(policy.policy_of(settings), allow=(hosts.read(site.place), hosts.read(canary.place)), deny=())
        async with running(Equipment(slots=1, sandbox=os.geteuid() != 0), holed) as renderer:
            result = await browser.besieged(renderer, site, canary)
    assert canary.connections
    assert (result.state, result.cure) == ("failed", browser.STOP)


def break_down(_: CheckContext) -> CheckResult:
    raise ZeroDivisionError("by nothing")


def hang(_: CheckContext) -> CheckResult:
    threading.Event().wait()
    raise AssertionError


async def hang_in_the_loop(_: CheckContext) -> CheckResult:
    await asyncio.Event().wait()
    raise AssertionError


TROUBLE = [
    (break_down, "the check broke: ZeroDivisionError: by nothing"),
    (hang, "no answer within 0.05 s"),
    (hang_in_the_loop, "no answer within 0.05 s"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("make", "fact"), TROUBLE)
async def test_a_check_in_trouble_is_a_finding(make: Callable[[CheckContext], Any], fact: str) -> None:
    result = await doctor._made(doctor.Check("trouble", make, 0.05), CheckContext(Loaded(Settings(), {})))
    assert (result.state, result.fact) == ("failed", fact)
    assert result.cure


GOOD = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "FragmentPath": str(service.PACKAGED),
}
UNITS = [
    ({}, "ok", None),
    ({"ActiveState": "failed"}, "failed", "journalctl -u allscreenshots-box -n 50"),
    ({"ActiveState": "inactive"}, "warning", "systemctl enable --now allscreenshots-box"),
    ({"UnitFileState": "disabled"}, "warning", "systemctl enable --now allscreenshots-box"),
    ({"NeedDaemonReload": "yes"}, "warning", "systemctl daemon-reload"),
    ({"FragmentPath": __file__}, "warning", "sudo ./install.sh"),
]


@pytest.mark.parametrize(("changed", "state", "cure"), UNITS)
def test_what_systemd_says_is_judged(changed: dict[str, str], state: str, cure: str | None) -> None:
    result = service.judge(GOOD | changed)
    assert result.state == state
    assert (cure is None and result.cure is None) or (cure is not None and cure in (result.cure or ""))
