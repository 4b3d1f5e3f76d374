"""Whatever a server answers, the box shows what the browser shows without a proxy, and no later."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.box import Box
from tests.camera import SMALL, good
from tests.odd_answers import ANSWERS, FLOOD_BYTES, FLOODS, HEADS, flooded_by, path_of, serving

pytestmark = pytest.mark.browser

BODY = [{"type": "json", "schema": {"body": {"selector": "body"}}}]
AT_ONCE = 4
RESET = "the connection was reset"
MEANS = {
    "ERR_INVALID_HTTP_RESPONSE": "the answer is not HTTP",
    "ERR_EMPTY_RESPONSE": RESET,
    "ERR_CONNECTION_RESET": RESET,
    "ERR_RESPONSE_HEADERS_TOO_BIG": "the head of its answer is larger than browsers read",
    "ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH": "its answer has two lengths",
    "ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION": "it redirects to two addresses at once",
    "ERR_UNEXPECTED_PROXY_AUTH": "its answer is one of a proxy",
    "ERR_ABORTED": "The URL is a download, a PDF or has no content",
}


class Asker:
    """Asks a box for what a server has."""

    def __init__(self, box: Box, port: int) -> None:
        self._box, self._secret, self._origin = box, box.key("odd"), f"http://127.0.0.1:{port}"

    def __call__(self, path: str, **body: object) -> httpx.Response:
        """Ask for the text of a page."""
        return self._box.shoot(self._secret, self._origin + path, viewport=SMALL, outputs=BODY, **body)

    def cpu_seconds(self) -> float:
        """Return what the box's own process has taken of the processors."""
        told = Path(f"/proc/{self._box.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def ask() -> Iterator[Asker]:
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    with serving() as port, Box(above / "data", "--allow", f"127.0.0.1:{port}", "--slots", str(AT_ONCE)) as box:
        yield Asker(box, port)
    shutil.rmtree(above)


@pytest.fixture(scope="module")
def heard(ask: Asker) -> dict[str, httpx.Response]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(ANSWERS, threads.map(ask, map(path_of, ANSWERS)), strict=True))


@pytest.mark.parametrize("name", [name for name, odd in ANSWERS.items() if not odd.error])
def test_is_shown_as_without_a_proxy(name: str, heard: dict[str, httpx.Response]) -> None:
    odd, answer = ANSWERS[name], good(heard[name])
    (shown,) = answer.json()["outputs"].values()
    assert (shown["data"]["body"] or "") == odd.shows
    assert answer.headers["x-target-status"] == str(odd.status)
    assert ("load" in answer.headers.get("x-not-awaited", "")) is odd.breaks


@pytest.mark.parametrize("name", [name for name, odd in ANSWERS.items() if odd.error])
def test_fails_as_without_a_proxy(name: str, heard: dict[str, httpx.Response]) -> None:
    assert heard[name].status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert MEANS[ANSWERS[name].error] in heard[name].json()["message"]


def test_headers_of_a_session_arrive_up_to_their_bounds(ask: Asker) -> None:
    headers = [{"name": f"X-Long-{number}", "value": "x" * 8000} for number in range(100)]
    (shown,) = good(ask(HEADS, session={"headers": headers})).json()["outputs"].values()
    assert int(shown["data"]["body"]) > 800_000


def test_small_pieces_cost_the_box_no_more_than_large_ones(ask: Asker) -> None:
    good(ask(flooded_by("at once"), waitFor="#done"))
    took = {}
    for name in FLOODS:
        before = ask.cpu_seconds()
        answer = good(ask(flooded_by(name), waitFor="#done"))
        took[name] = ask.cpu_seconds() - before
        assert int(answer.headers["x-fetched-bytes"]) > FLOOD_BYTES * 0.9
    # A reader of HTTP took two seconds; here are the shot itself, and some leeway.
    assert max(took.values()) - took["at once"] < 0.5, took
