"""Clients that go away at random moments: no slot is lost, no page left, and the log says 499."""

import json
import os
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.box import Box
from tests.camera import SMALL
from tests.chaos.processes import named, wait_until
from tests.site.server import Site
from tests.test_serve import log_lines

pytestmark = [pytest.mark.chaos, pytest.mark.browser, pytest.mark.rough]

CLIENTS = 200 if "CHAOS_ROUNDS" in os.environ else 60
AT_A_TIME = 20


def ask(box: Box, secret: str, url: str, **body: object) -> socket.socket:
    """Send a whole request; the answer is nobody's yet."""
    content = json.dumps({"url": url, "viewport": SMALL, **body})
    head = (
        f"POST /v1/screenshots HTTP/1.1\r\nHost: box\r\nX-API-Key: {secret}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    client = socket.create_connection(("127.0.0.1", box.port))
    client.sendall((head + content).encode())
    return client


def hang_up_after(box: Box, secret: str, url: str, seconds: float) -> None:
    with suppress(OSError), ask(box, secret, url):
        time.sleep(seconds)


def gone(box: Box) -> list[dict[str, object]]:
    return [line for line in log_lines(box) if line.get("status") == 499]


def test_whoever_hangs_up_in_mid_step_frees_the_slot_for_the_next(data_dir: Path, site: Site) -> None:
    with Box(data_dir, "--allow", site.addresses, "--slots", "1") as box:
        secret = box.key("svc")
        site.forget()
        with ask(box, secret, site.url("/table.html"), delay=30_000):
            assert wait_until(lambda: any(one.path == "/table.html" for one in site.requests), 10) is not None
            with ask(box, secret, site.url("/hang")):  # the other one rests by now, and holds no slot
                assert wait_until(lambda: any(one.path == "/hang" for one in site.requests), 10) is not None
        answer = box.shoot(secret, site.url("/colors.html"), viewport=SMALL)
        assert answer.status_code == 200
        assert answer.elapsed.total_seconds() < 10  # and not the thirty that the other had asked for
        assert wait_until(lambda: len(gone(box)) == 2, 5) is not None
        first, second = sorted(gone(box), key=lambda line: str(line["target"]))
        assert (first["error"], second["error"]) == ("client_gone", "client_gone")
        assert (first["renderMs"], second["queueMs"]) != (None, None)


def test_clients_that_hang_up_at_random_cost_no_slot_and_leave_no_page(data_dir: Path, site: Site) -> None:
    url = site.url("/table.html")
    with Box(data_dir, "--allow", site.addresses) as box:
        secret = box.key("svc")
        assert box.shoot(secret, url, viewport=SMALL).status_code == 200
        assert wait_until(lambda: len(named(box, "renderer")) >= 1, 5) is not None
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for _ in range(CLIENTS):
                pool.submit(hang_up_after, box, secret, url, random.uniform(0, 1.5))
        answers = [box.shoot(secret, url, viewport=SMALL) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert all(int(answer.headers["x-queue-time-ms"]) < 1000 for answer in answers)
        assert not [line for line in log_lines(box) if line["event"] in {"browser_lost", "capture_failed"}]
        slots = os.cpu_count() or 1
        # A tab for each slot is kept ready, and that is all.
        assert wait_until(lambda: len(named(box, "renderer")) <= slots + 2, 10) is not None
