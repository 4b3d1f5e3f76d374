"""The whole program as an operator runs it: start, stop, break."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from allscreenshots_box import keys
from tests.box import Box, command, free_port
from tests.site.server import Site

pytestmark = [pytest.mark.browser, pytest.mark.long]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")


def below(pid: int) -> dict[int, str]:
    """Return the command line of every process below *pid*; those that end meanwhile are left out."""
    found: dict[int, str] = {}
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, listing.read_text().split()):
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                found |= below(child)
    return found


def statuses(pids: Iterable[int]) -> list[dict[str, str]]:
    """Return what /proc says of each process that is still there."""
    found = []
    for pid in pids:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found.append({name: value.strip() for name, _, value in (line.partition(":") for line in lines)})
    return found


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """Wait for what must come, within a generous bound."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def log_lines(box: Box) -> list[dict[str, object]]:
    return [json.loads(line) for line in box.log.read_text().splitlines() if line.startswith("{")]


# --- what runs ----------------------------------------------------------------------------------


def test_start_up_says_what_there_is_to_know(box: Box) -> None:
    said = box.log.read_text()
    for wanted in (box.url, str(box.data_dir), "sandbox  on (renderer", "keys     0 live", "keys create NAME"):
        assert wanted in said
    assert re.search(r"browser  /\S+ \d+\.", said)


@as_root
def test_nothing_that_runs_is_root(box: Box) -> None:
    tree = statuses([box.process.pid, *below(box.process.pid)])
    assert len(tree) >= 5
    assert "0" not in {user for status in tree for user in status["Uid"].split()}


def test_pages_run_in_the_sandbox(box: Box) -> None:
    tree = below(box.process.pid)
    renderers = statuses(pid for pid, line in tree.items() if "--type=renderer" in line)
    assert renderers
    for status in renderers:
        assert status["Seccomp"] == "2"
        assert len(status["NSpid"].split()) > 1
    assert not [line for line in tree.values() if "--no-sandbox" in line]


def test_it_is_one_python_process(box: Box) -> None:
    programs = [Path(line.partition(" ")[0]).name for line in below(box.process.pid).values()]
    assert not [program for program in programs if program.startswith("python")]


def test_the_documented_curl_line_works_to_the_letter(box: Box, site: Site, data_dir: Path) -> None:
    data_dir.mkdir()
    secret = box.key("curl")
    script = f"""curl -X POST "{box.url}/v1/screenshots" \\
    -H "X-API-Key: {secret}" \\
    -H "Content-Type: application/json" \\
    -d '{{"url": "{site.url("/table.html")}"}}' \\
    --output screenshot.png"""
    done = subprocess.run(["sh", "-c", script], cwd=data_dir, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (data_dir / "screenshot.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_ten_megabyte_body_is_413(box: Box) -> None:
    headers = {"X-API-Key": box.key("large")}
    answer = httpx.post(f"{box.url}/v1/screenshots", content=b'{"url": "' + b"x" * 10_000_000, headers=headers)
    assert answer.status_code == 413


# --- keys beside a running server ---------------------------------------------------------------


def test_rotation_and_revocation_bind_at_the_next_request(box: Box, site: Site) -> None:
    url = site.url("/colors.html")
    old = box.key("rotated")
    assert box.shoot(old, url).status_code == 200
    new = box.run("keys", "rotate", "rotated", "--grace", "1h").stdout.strip()
    assert [box.shoot(secret, url).status_code for secret in (old, new)] == [200, 200]
    newest = box.run("keys", "rotate", "rotated").stdout.strip()
    assert [box.shoot(secret, url).status_code for secret in (old, new, newest)] == [401, 401, 200]
    box.run("keys", "revoke", "rotated", "--yes")
    assert box.shoot(newest, url).status_code == 401


def test_under_load_the_first_request_after_each_change_obeys_and_no_good_one_fails(box: Box, site: Site) -> None:
    url = site.url("/colors.html")
    steady, old = box.key("steady"), box.key("changing")
    done = threading.Event()

    def load() -> list[int]:
        seen = []
        while not done.is_set():
            seen.append(box.shoot(steady, url).status_code)
        return seen

    with ThreadPoolExecutor(3) as pool:
        loads = [pool.submit(load) for _ in range(3)]
        try:
            new = box.run("keys", "rotate", "changing", "--grace", "5s").stdout.strip()
            during = [box.shoot(secret, url).status_code for secret in (new, old)]
            box.run("keys", "revoke", old[:12], "--yes")
            after_old = [box.shoot(secret, url).status_code for secret in (old, new)]
            box.run("keys", "revoke", "changing", "--yes")
            after_all = box.shoot(new, url).status_code
        finally:
            done.set()
    assert (during, after_old, after_all) == ([200, 200], [401, 200], 401)
    seen = [status for load_ in loads for status in load_.result()]
    assert len(seen) > 5
    assert set(seen) == {200}


def test_a_grace_ends_by_itself(box: Box, site: Site) -> None:
    url = site.url("/colors.html")
    old = box.key("graceful")
    new = box.run("keys", "rotate", "graceful", "--grace", "2s").stdout.strip()
    assert box.shoot(old, url).status_code == 200
    assert eventually(lambda: box.shoot(old, url).status_code == 401)
    assert box.shoot(new, url).status_code == 200


def test_the_log_has_a_line_for_each_request_and_no_secret(box: Box, site: Site) -> None:
    secret = box.key("logged")
    answer = box.shoot(secret, site.url("/colors.html?token=hunter2"))
    httpx.get(f"{box.url}/v1/x?api_key={secret}")
    request_id = answer.headers["x-request-id"]
    assert eventually(lambda: request_id in box.log.read_text())
    [line] = [line for line in log_lines(box) if line.get("id") == request_id]
    assert (line["event"], line["key"], line["path"], line["status"]) == (
        "request",
        secret[:12],
        "/v1/screenshots",
        200,
    )
    assert line["target"] == site.url("/colors.html?…")
    assert {"time", "ms", "renderMs", "queueMs", "client"} <= set(line)
    written = box.log.read_text()
    assert secret[12:] not in written
    assert "hunter2" not in written


# --- what breaks --------------------------------------------------------------------------------


def test_a_killed_browser_is_replaced_and_no_shot_is_lost(box: Box, site: Site) -> None:
    secret = box.key("killed-browser")
    assert box.shoot(secret, site.url("/colors.html")).status_code == 200
    pids = [pid for pid, line in below(box.process.pid).items() if "--headless" in line and "--type=" not in line]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert [box.shoot(secret, site.url("/colors.html")).status_code for _ in range(3)] == [200, 200, 200]

    def nothing_is_undead() -> bool:
        return not [status for status in statuses(below(box.process.pid)) if status["State"].startswith("Z")]

    assert eventually(nothing_is_undead)


def curl(box: Box, secret: str, **body: object) -> subprocess.Popen[str]:
    """Ask for a picture in the background; what comes out is the status."""
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{box.url}/v1/screenshots"]
    words += ["-H", f"X-API-Key: {secret}", "-d", json.dumps(body)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_a_browser_killed_in_the_middle_of_shots_loses_none(box: Box, site: Site) -> None:
    secret = box.key("in-the-middle")
    site.forget()
    shots = [curl(box, secret, url=site.url("/table.html"), delay=1500) for _ in range(3)]
    assert eventually(lambda: len([request for request in site.requests if request.path == "/table.html"]) == 3)
    for pid in [pid for pid, line in below(box.process.pid).items() if "--headless" in line and "--type=" not in line]:
        os.kill(pid, signal.SIGKILL)
    assert [shot.communicate()[0] for shot in shots] == ["200", "200", "200"], box.log.read_text()[-3000:]


def test_a_browser_is_replaced_after_its_share_of_shots_and_no_shot_fails(data_dir: Path, site: Site) -> None:
    with Box(data_dir, "--allow", f"127.0.0.1:{site.port}", "--recycle-after", "10") as box:
        secret = box.key("svc")
        for _ in range(8):
            shots = [curl(box, secret, url=site.url("/colors.html")) for _ in range(4)]
            assert [shot.communicate()[0] for shot in shots] == ["200"] * 4
        assert eventually(lambda: sum(line["event"] == "browser_recycled" for line in log_lines(box)) >= 2)

        def one_browser_is_left() -> bool:  # Debian starts it by a shell script that stays
            lines = [line for line in below(box.process.pid).values() if not line.startswith("/bin/sh")]
            return len([line for line in lines if "--headless" in line and "--type=" not in line]) == 1

        assert eventually(one_browser_is_left)


def test_a_killed_renderer_costs_a_second_try_and_no_deadline(box: Box, site: Site) -> None:
    secret = box.key("renderer")
    site.forget()
    shot = curl(box, secret, url=site.url("/table.html"), delay=1500, timeout=20_000)
    assert eventually(lambda: any(request.path == "/table.html" for request in site.requests))
    for pid in [pid for pid, line in below(box.process.pid).items() if "--type=renderer" in line]:
        os.kill(pid, signal.SIGKILL)
    assert shot.communicate()[0] == "200"


@pytest.mark.parametrize("mark", ["--type=gpu-process", "network.mojom.NetworkService"])
def test_a_frozen_helper_of_the_browser_is_found_out_and_replaced(box: Box, site: Site, mark: str) -> None:
    secret = box.key(mark.strip("-"))
    for pid in [pid for pid, line in below(box.process.pid).items() if mark in line]:
        os.kill(pid, signal.SIGSTOP)
    first = box.shoot(secret, site.url("/colors.html"), timeout=2000)
    assert first.status_code in {200, 503}
    assert box.shoot(secret, site.url("/colors.html")).status_code == 200


def test_a_picture_beyond_the_memory_for_it_is_told_with_the_setting(data_dir: Path, site: Site) -> None:
    with Box(data_dir, "--allow", f"127.0.0.1:{site.port}", "--picture-memory", "32") as box:
        secret = box.key("svc")  # 32 MiB are 11.1 million pixels, and these are 1920 a row
        fits, too_tall = (
            box.shoot(secret, site.url(f"/pattern?height={height}&scale=1"), fullPage=True) for height in (5_800, 5_900)
        )
        assert fits.status_code == 200
        assert (too_tall.status_code, too_tall.json()["error"]) == (422, "page_too_large")
        for word in ("1920 x 5900", "picture_memory", "maxHeight"):
            assert word in too_tall.json()["message"]


def test_a_half_sent_request_does_not_keep_a_stopping_server(data_dir: Path) -> None:
    with (
        Box(data_dir, "--arrive-within", "2s") as box,
        socket.create_connection(("127.0.0.1", box.port)) as half,
    ):
        head = (
            f"POST /v1/screenshots HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-API-Key: {box.key('svc')}\r\n\r\n{{"
        )
        half.sendall(head.encode())
        assert eventually(box.answers)
        assert box.stop() == 0


def test_sigterm_finishes_what_runs_and_refuses_what_comes(data_dir: Path, site: Site) -> None:
    with Box(data_dir, "--allow", f"127.0.0.1:{site.port}") as box:
        secret = box.key("svc")
        site.forget()
        slow = curl(box, secret, url=site.url("/table.html"), delay=2000)
        assert eventually(lambda: any(request.path == "/table.html" for request in site.requests))
        box.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: box.shoot(secret, site.url("/colors.html")).status_code == 503, 2)
        assert slow.communicate()[0] == "200"
        assert box.process.wait(20) == 0
    assert not list((data_dir / "tmp").glob("*"))


def test_a_second_server_on_the_same_data_is_refused(box: Box) -> None:
    second = command("serve", "--data-dir", str(box.data_dir), "--port", str(free_port()))
    assert second.returncode == 1
    assert "Another server already runs on" in second.stderr


def test_a_port_in_use_is_refused(box: Box, data_dir: Path) -> None:
    second = command("serve", "--data-dir", str(data_dir), "--port", str(box.port))
    assert second.returncode == 1
    assert re.search(r"Cannot listen on 127\.0\.0\.1 port \d+ \(Address already in use\)", second.stderr)


def test_a_browser_that_is_not_there_is_refused(data_dir: Path) -> None:
    failed = command(
        "serve", "--data-dir", str(data_dir), "--port", str(free_port()), "--browser", "/nonexistent/chromium"
    )
    assert failed.returncode == 1
    assert "browser" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_browser_that_does_not_work_is_refused(data_dir: Path) -> None:
    failed = command("serve", "--data-dir", str(data_dir), "--port", str(free_port()), "--browser", "/bin/false")
    assert failed.returncode == 1
    assert "The browser /bin/false does not start" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_server_that_was_killed_leaves_nothing_in_the_way(data_dir: Path, site: Site) -> None:
    box = Box(data_dir, "--allow", f"127.0.0.1:{site.port}")
    box.start()
    secret = box.key("svc")
    orphans = below(box.process.pid)
    box.process.kill()
    box.process.wait()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    with box:
        assert box.shoot(secret, site.url("/colors.html")).status_code == 200
        assert box.stop() == 0


def test_a_kill_loses_no_more_than_the_counts_not_written_yet(data_dir: Path, site: Site) -> None:
    box = Box(data_dir, "--allow", f"127.0.0.1:{site.port}")

    def counted() -> int:
        [told] = json.loads(box.run("usage", "--json").stdout)
        number: int = told["this_month"]["screenshots"]
        return number

    def served() -> int:
        told = httpx.get(f"{box.url}/v1/usage/quota", headers={"X-API-Key": secret}).json()
        number: int = told["screenshots"]["used"]
        return number

    box.start()
    secret = box.key("svc")
    assert box.shoot(secret, site.url("/colors.html")).status_code == 200
    assert eventually(lambda: counted() == 1)
    assert box.shoot(secret, site.url("/colors.html")).status_code == 200
    box.process.kill()
    box.process.wait()
    left = counted()
    assert left in {1, 2}
    with box:
        assert served() == left
        assert box.shoot(secret, site.url("/colors.html")).status_code == 200
        assert served() == left + 1
        assert box.stop() == 0
    assert counted() == left + 1


def test_a_good_key_is_served_beside_a_flood_of_bad_ones(box: Box, site: Site) -> None:
    secret = box.key("good")
    bad = [keys.generate(), "nonsense", secret[:12] + keys.generate()[12:], secret[:-1] + "-"]
    with httpx.Client() as client:
        answers = []
        for number in range(200):
            answers.append(client.post(f"{box.url}/v1/screenshots", headers={"X-API-Key": bad[number % 4]}).status_code)
            if number % 50 == 25:
                assert box.shoot(secret, site.url("/colors.html")).status_code == 200
    assert set(answers) == {401}


def test_a_half_sent_request_keeps_nobody_waiting(box: Box, site: Site) -> None:
    secret = box.key("slow-peer")
    with socket.create_connection(("127.0.0.1", box.port)) as half:
        half.sendall(b"POST /v1/screenshots HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-API-Key: ")
        assert box.shoot(secret, site.url("/colors.html")).status_code == 200
