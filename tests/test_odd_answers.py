"""Whatever a server answers, the box shows what the browser shows without a proxy, and no later."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.box import Box
from tests.camera import SMALL, good
from tests.odd_answers import ANSWERS, HEADS, path_of, serving

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

Ask = partial[httpx.Response]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    above.chmod(0o755)
    with serving() as port, Box(above / "data", "--allow", f"127.0.0.1:{port}", "--slots", str(AT_ONCE)) as box:
        yield partial(_ask, box, box.key("odd"), f"http://127.0.0.1:{port}")
    shutil.rmtree(above)


def _ask(box: Box, secret: str, origin: str, path: str, **body: object) -> httpx.Response:
    return box.shoot(secret, origin + path, viewport=SMALL, outputs=BODY, **body)


@pytest.fixture(scope="module")
def heard(ask: Ask) -> dict[str, httpx.Response]:
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


def test_headers_of_a_session_arrive_up_to_their_bounds(ask: Ask) -> None:
    headers = [{"name": f"X-Long-{number}", "value": "x" * 8000} for number in range(100)]
    (shown,) = good(ask(HEADS, session={"headers": headers})).json()["outputs"].values()
    assert int(shown["data"]["body"]) > 800_000
