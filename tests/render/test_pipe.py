"""Pages that say too much, or nonsense, over the pipe that all pages share: they pay for it alone."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.camera import GREEN, Camera, good, is_all, open_camera
from tests.camera import picture as decoded
from tests.chaos.load import Load
from tests.site.server import Site

pytestmark = pytest.mark.browser

OVERLAY = "<div style='position: fixed; inset: 0; background: green'></div>"
IDLE = {"waitUntil": "networkidle", "timeout": 15_000}
SOCKET = (
    "<script>for (let n = 0; n < %d; n++) new WebSocket(`ws://${location.host}/websocket?size=%d&count=%d`)</script>"
)
LIST = OVERLAY + "<script>Array.prototype.flatMap = Array.prototype.some = %s</script>"
MANY = """<script>
for (let n = 0; n < %d; n++) document.body.append(Object.assign(document.createElement('%s'), %s));
</script>"""
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {  # of pages that are green all over
    "a class name that ends in half an emoji": (r"<script>document.body.className = 'a\ud83d'</script>", {}),
    "class names of a megabyte": (MANY % (100, "i", "{className: 'c'.repeat(1e6) + n}"), {}),
    "ids of fifty megabytes": (MANY % (3, "i", "{id: 'i'.repeat(5e7) + n}"), {}),
    "many names": (MANY % (5000, "i", r"{className: '\u4e2d'.repeat(90) + n, id: '\u6587'.repeat(90) + n}"), {}),
    "the name of a window": ("<script>name = 'n'.repeat(5e6); if (!location.hash) location.hash = '#x'</script>", {}),
    "a title of megabytes": ("<script>document.title = 't'.repeat(5e6)</script>", {}),
    "dialogs of megabytes": ("<script>alert('x'.repeat(5e7)); prompt('', 'y'.repeat(5e6))</script>", {}),
    "names of frames": (MANY % (5, "iframe", "{hidden: true, name: n + 'n'.repeat(1e6)}"), {}),
    "sockets that hear twenty megabytes": (SOCKET % (1, 20 << 20, 2), IDLE),
    "a form that answers for itself": (
        "<form class=a id=b><input name=id hidden><input name=classList hidden><input name=getAttribute hidden></form>",
        {},
    ),
    "a list of millions": (LIST % "() => Array.from({length: 2e6}, (_, n) => n % 5)", {}),
    "a list of nonsense": (LIST % "() => ['a', {}, null, -1, 1e300, .5, [1]]", {}),
    "a list that is too deep": (LIST % "() => { let o = {}; for (let n = 0; n < 900; n++) o = {o}; return o }", {}),
    "an error of fifty megabytes": (LIST % "() => { throw 'x'.repeat(5e7) }", {}),
}


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with open_camera(site) as opened:
        yield opened


@pytest.fixture(scope="module")
def other(camera: Camera) -> str:
    """Return the key of somebody else."""
    return camera.box.key("other")


def restarts(camera: Camera) -> float:
    """Return how many browsers were replaced."""
    told = httpx.get(f"{camera.box.url}/metrics").text
    return sum(map(float, re.findall(r"^allscreenshots_browser_restarts_total\{.*\} (\S+)", told, re.MULTILINE)))


def ask_beside(camera: Camera, other: str, body: str, **options: Any) -> httpx.Response:
    """Ask for a page, while another key has a plain one shot again and again, which must go well."""
    with Load(camera.box, other, camera.site.url("/green.html"), 1) as load:
        answer = camera.ask(f"/say?{urlencode({'body': body})}", **options)
    assert load.failures == []
    assert [outcome for outcome in load.outcomes if outcome.status != 200] == []
    assert restarts(camera) == 0
    return answer


@pytest.mark.parametrize(("body", "options"), PICTURES.values(), ids=PICTURES)
def test_a_page_that_says_too_much_has_its_picture_and_harms_no_other(
    camera: Camera, other: str, body: str, options: dict[str, Any]
) -> None:
    assert is_all(decoded(good(ask_beside(camera, other, body, **options)).content), GREEN)


def test_half_a_character_is_a_replacement_character_in_every_text(camera: Camera, other: str) -> None:
    body = "<p id=p>x</p><script>p.textContent = 'cut \\ud83d and whole \\ud83d\\ude00'</script>"
    schema = {"type": "json", "schema": {"p": {"selector": "#p"}}}
    made = ask_beside(camera, other, body, outputs=[{"type": "markdown"}, {"type": "html"}, schema])
    outputs = good(made).json()["outputs"]
    assert outputs["json"]["data"] == {"p": "cut \ufffd and whole \U0001f600"}
    for kind in ("markdown", "html"):
        assert "cut \ufffd and whole \U0001f600" in outputs[kind]["data"]


def test_a_text_of_many_parts_comes_whole(camera: Camera, other: str) -> None:
    body = "<p id=p></p><script>p.textContent = 'a' + '\\ud83d\\ude00'.repeat(300_000) + 'z'</script>"
    outputs = good(ask_beside(camera, other, body, outputs=[{"type": "html"}, {"type": "markdown"}])).json()["outputs"]
    for output in outputs.values():
        assert "a" + "\U0001f600" * 300_000 + "z" in output["data"]


def test_an_element_that_is_nowhere_is_the_pages_fault(camera: Camera, other: str) -> None:
    body = "<i id=p style='display: block; width: 9px; height: 9px; transform: translate(1e30px)'>x</i>"
    answer = ask_beside(camera, other, body, selector="#p")
    assert answer.status_code in {200, 422}, answer.text
