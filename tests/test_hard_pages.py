"""Pages that defeat screenshot services, each with what a picture of it must be like."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.camera import BLACK, BLUE, GREEN, RED, SMALL, WHITE, Camera, bands, colour, column, good, is_all, open_camera
from tests.camera import picture as decoded
from tests.site.pictures import row_colour
from tests.site.server import PAGES, Site

pytestmark = [pytest.mark.browser, pytest.mark.long]

QUICK = {"fullPage": True, "scrollInterval": 50}
MODES = ("stitch", "native")
MAGENTA, ORANGE, NAVY = (255, 0, 255), (255, 165, 0), (0, 0, 128)
WORDS = {
    *("load", "networkidle", "images", "fonts", "frames", "blank", "consent"),
    *("requests", "sockets", "animations", "changes", "loading"),
}  # of X-Not-Awaited


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with open_camera(site) as opened:
        yield opened


def not_awaited(answer: httpx.Response) -> set[str]:
    """Return what an answer says was not awaited."""
    words = set(filter(None, answer.headers.get("x-not-awaited", "").split(", ")))
    assert words <= WORDS
    return words


def test_every_page_says_what_it_is_for() -> None:
    quirks = [file for file in PAGES.glob("*.html") if not file.name.startswith("bench-")]  # those are plain
    for file in quirks:
        assert re.match(r"<!doctype html>\n<!-- [^\n]{20,} -->\n", file.read_text()), file.name


# --- what does not come -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "milestone", "missed"),
    [
        ("/slow-image.html", "domcontentloaded", {"load", "images"}),
        ("/slow-image.html", "load", {"load"}),
        ("/frame-hang.html", "domcontentloaded", {"load", "frames"}),
        ("/analytics.html", "domcontentloaded", {"load", "images"}),
    ],
)
def test_what_hangs_costs_its_budget_and_is_told(camera: Camera, path: str, milestone: str, missed: set[str]) -> None:
    answer = good(camera.ask(path, waitUntil=milestone, timeout=4500))
    assert not_awaited(answer) & missed
    assert colour(decoded(answer.content), 390, 290) == GREEN


def test_text_in_a_font_that_never_comes_is_there_and_the_font_is_told(camera: Camera) -> None:
    answer = good(camera.ask("/font-hang.html", timeout=6000))
    assert not_awaited(answer) & {"load", "fonts"}
    assert WHITE in {rgb for _, rgb in decoded(answer.content).getcolors(1 << 16) or []}


def test_a_page_written_anew_without_an_end_is_shot_as_it_is(camera: Camera) -> None:
    answer = good(camera.ask("/rewritten.html", waitFor="body[style]", timeout=10_000))
    assert not_awaited(answer) == {"load"}
    assert is_all(decoded(answer.content), GREEN)


@pytest.mark.parametrize("milestone", ["domcontentloaded", "load", "networkidle"])
def test_a_websocket_that_never_rests_holds_nothing_up(camera: Camera, milestone: str) -> None:
    answer = good(camera.ask("/socket.html", waitUntil=milestone, delay=300, timeout=6000))
    assert is_all(decoded(answer.content), GREEN)
    assert not_awaited(answer) <= {"networkidle", "sockets", "changes"}


def test_media_that_never_come_show_their_poster(camera: Camera) -> None:
    image = camera.shoot("/media.html", timeout=6000)
    assert (colour(image, 100, 100), colour(image, 300, 250)) == (GREEN, NAVY)


def test_frames_from_here_and_elsewhere_are_in_the_picture(camera: Camera) -> None:
    image = camera.shoot("/frames.html")
    assert (colour(image, 100, 100), colour(image, 300, 100)) == (GREEN, GREEN)


# --- first frames and motion --------------------------------------------------------------------


def test_a_first_frame_that_is_blank_is_waited_for(camera: Camera) -> None:
    answer = good(camera.ask("/blank.html"))
    assert is_all(decoded(answer.content), GREEN)
    assert not_awaited(answer) == set()


def test_a_page_that_stays_blank_is_a_blank_picture(camera: Camera) -> None:
    answer = good(camera.ask("/void.html"))
    assert is_all(decoded(answer.content), WHITE)
    assert not_awaited(answer) <= {"blank"}


def test_what_moves_has_arrived_or_goes_on(camera: Camera) -> None:
    image = camera.shoot("/motion.html")
    assert (colour(image, 60, 60), colour(image, 160, 60), colour(image, 160, 240)) == (GREEN, WHITE, BLUE)
    assert {ORANGE, BLACK} <= {rgb for _, rgb in image.crop((270, 10, 370, 110)).getcolors(1 << 16) or []}


@pytest.mark.parametrize("delay", [0, 300, 600])
def test_the_caret_is_in_no_picture(camera: Camera, delay: int) -> None:
    actions = [{"type": "click", "selector": "input"}]
    assert is_all(camera.shoot("/caret.html", delay=delay, actions=actions), WHITE)


# --- length -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_full_page_wakes_lazy_pictures(camera: Camera, mode: str) -> None:
    image = camera.shoot("/lazy.html", fullPageMode=mode, viewport={"width": 400, "height": 600}, **QUICK)
    found = bands(image, 200)
    assert [rows for _, rows in found] == [1000] * 12
    assert WHITE not in {rgb for rgb, _ in found}


@pytest.mark.parametrize("mode", MODES)
def test_a_full_page_has_what_is_revealed_when_it_is_seen(camera: Camera, mode: str) -> None:
    image = camera.shoot("/reveal.html", fullPageMode=mode, fullPage=True, scrollInterval=100)
    assert bands(image, 200) == [((20 * number, 100, 200 - 20 * number), 300) for number in range(10)]


@pytest.mark.parametrize("mode", MODES)
def test_screens_stay_as_high_as_the_window(camera: Camera, mode: str) -> None:
    found = bands(camera.shoot("/vh.html", fullPageMode=mode, **QUICK), 200)
    assert [rows for _, rows in found] == [300, 300, 300, 500]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_fixed_or_sticky_is_there_once(camera: Camera, mode: str) -> None:
    image = camera.shoot("/fixed.html", fullPageMode=mode, **QUICK)
    found = bands(image, 40)
    assert [rows for rgb, rows in found if rgb == BLUE] == [40]
    assert [rows for rgb, rows in found if rgb == ORANGE] == [150]
    assert [rows for rgb, rows in found if rgb == MAGENTA] == [30]
    assert (found[0], found[2]) == ((BLUE, 40), (ORANGE, 150))
    assert image.height == 2000


def test_a_bar_at_the_bottom_ends_a_stitched_page(camera: Camera) -> None:
    assert bands(camera.shoot("/fixed.html", **QUICK), 300)[-1] == (MAGENTA, 30)


@pytest.mark.parametrize("mode", MODES)
def test_the_sticky_head_of_a_table_is_on_top_of_it(camera: Camera, mode: str) -> None:
    found = bands(camera.shoot("/sticky-table.html", fullPageMode=mode, **QUICK), 200)
    assert found == [(BLUE, 40), ((220, 220, 220), 1960)]


@pytest.mark.parametrize(
    "body", [{"maxSections": 6}, {"maxHeight": 2000}, {"maxHeight": 2000, "fullPageMode": "native"}], ids=str
)
def test_a_page_without_an_end_ends(camera: Camera, body: dict[str, Any]) -> None:
    answer = good(camera.ask("/infinite.html", **QUICK, **body))
    assert 300 < decoded(answer.content).height <= 2000
    assert answer.headers["x-truncated"] == "true"


def test_a_list_of_which_only_a_window_exists_is_whole(camera: Camera) -> None:
    image = camera.shoot("/virtual.html", viewport={"width": 400, "height": 310}, **QUICK)
    assert bands(image, 200) == [((row * 4, 255 - row * 4, 100), 50) for row in range(60)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("height", "scale"), [(40_000, 1), (20_000, 2), (1_001, 3)])
def test_no_row_of_a_long_page_is_repeated_missing_or_blurred(
    camera: Camera, mode: str, height: int, scale: int
) -> None:
    viewport = {"width": 200, "height": 1000, "deviceScaleFactor": scale}
    answer = good(camera.ask(f"/pattern?height={height}&scale={scale}", fullPageMode=mode, viewport=viewport, **QUICK))
    assert "x-truncated" not in answer.headers
    image = decoded(answer.content)
    assert image.size == (200 * scale, height * scale)
    wanted = [row_colour(number) for number in range(height * scale)]
    for x in (0, image.width // 2, image.width - 1):
        assert column(image, x) == wanted


def test_a_page_wider_than_the_window_is_shot_as_wide_as_the_window(camera: Camera) -> None:
    image = camera.shoot("/wide.html")
    assert (image.size, is_all(image, GREEN)) == ((400, 300), True)


def test_a_full_page_in_a_format_that_ends_earlier_is_told(camera: Camera) -> None:
    body: dict[str, Any] = {"viewport": {"width": 200, "height": 1000}} | QUICK
    answer = camera.ask("/pattern?height=17000", format="webp", **body)
    assert (answer.status_code, answer.json()["error"]) == (422, "page_too_large")
    assert "16383" in answer.json()["message"].replace(",", "")
    assert good(camera.ask("/pattern?height=17000", format="webp", maxHeight=16_000, **body))


# --- content ------------------------------------------------------------------------------------


def test_every_letter_has_a_shape(camera: Camera) -> None:
    image = camera.shoot("/letters.html")
    assert [colour(image, 10, y) for y in range(18, 296, 37)] == [GREEN] * 8


def test_emoji_are_in_colour(camera: Camera) -> None:
    css = "p { background: #fff !important } p:not(:last-of-type) { display: none }"
    found = camera.shoot("/letters.html", customCss=css).getcolors(1 << 18) or []
    assert sum(isinstance(rgb, tuple) and max(rgb) - min(rgb) > 100 for _, rgb in found) > 50


def test_what_scripts_draw_is_in_the_picture(camera: Camera) -> None:
    image = camera.shoot("/canvas.html")
    assert colour(image, 100, 100) == GREEN
    assert colour(image, 300, 100) in {BLUE, ORANGE}


@pytest.mark.parametrize("path", ["/shadow.html", "/permission.html", "/worker.html", "/wide.html"])
def test_a_page_is_green_as_it_should_be(camera: Camera, path: str) -> None:
    assert colour(camera.shoot(path), 390, 290) == GREEN


def test_no_service_worker_answers_a_later_shot(camera: Camera) -> None:
    for _ in range(2):
        assert is_all(camera.shoot("/worker.html", delay=300), GREEN)
    assert is_all(camera.shoot("/green.html"), GREEN)


# --- scenes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dialogs.html", "/alert.html", "/windows.html"])
def test_a_page_that_makes_scenes_is_shot_all_the_same(camera: Camera, path: str) -> None:
    assert is_all(camera.shoot(path, delay=200), GREEN)


def test_a_page_that_closes_itself_is_answered(camera: Camera) -> None:
    assert camera.ask("/close.html").status_code in {200, 422}


def test_a_page_that_asks_to_stay_is_left(camera: Camera) -> None:
    image = camera.shoot("/leave.html", actions=[{"type": "click", "selector": "#leave"}], delay=300)
    assert is_all(image, GREEN)


@pytest.mark.parametrize("link", ["blank", "download", "save"])
def test_a_link_that_leads_out_of_the_picture_leaves_it_as_it_is(camera: Camera, link: str) -> None:
    actions = [{"type": "click", "selector": f"#{link}"}]
    assert colour(camera.shoot("/links.html", actions=actions, delay=200), 390, 290) == GREEN


@pytest.mark.parametrize("path", ["/download", "/document.pdf", "/no-content", "/flood?type=application/octet-stream"])
def test_what_is_no_page_is_told(camera: Camera, path: str) -> None:
    answer = camera.ask(path, timeout=5000)
    assert (answer.status_code, answer.json()["error"]) == (422, "not_a_page")


def test_redirects_without_an_end_are_told(camera: Camera) -> None:
    answer = camera.ask("/redirect-loop", timeout=10_000)
    assert (answer.status_code, answer.json()["error"]) == (422, "url_unreachable")


# --- pages that fight ---------------------------------------------------------------------------

DEADLINE = 2.5  # seconds
SLACK = 8.0  # more of them: closing a page that fights back takes some
REFUSED = {"timeout", "page_crashed", "page_too_large", "url_unreachable", "not_a_page"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/huge.html", QUICK),
        ("/huge.html", {"fullPage": True, "fullPageMode": "native"}),
        ("/huge.html", {"fullPage": True, "fullPageMode": "native", "viewport": {"width": 1920, "height": 1080}}),
        ("/hog.html", {}),
        ("/flood", {}),
        ("/flood-image.html", {}),
        ("/drip", {}),
        ("/meta-loop", {}),
        ("/redirect-loop", {}),
        ("/alert-loop.html", {}),
        ("/busy.html", {}),
        ("/windows.html", {}),
        ("/close.html", {"delay": 300}),
        ("/infinite.html", QUICK | {"maxSections": 3}),
    ],
    ids=str,
)
def test_a_page_that_fights_gets_an_answer_in_time_and_harms_no_other(
    camera: Camera, path: str, body: dict[str, Any]
) -> None:
    began = time.monotonic()
    answer = camera.ask(path, **body, timeout=round(DEADLINE * 1000))
    assert time.monotonic() - began < DEADLINE + SLACK
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["error"] in REFUSED) == (422, True), answer.text
    assert is_all(camera.shoot("/green.html", viewport=SMALL), GREEN)


def test_a_part_of_a_page_that_is_too_tall_is_told_to_be_one(camera: Camera) -> None:
    answer = good(camera.ask("/huge.html", maxHeight=1000, **QUICK))
    assert (decoded(answer.content).height, answer.headers["x-truncated"]) == (1000, "true")


def test_an_eight_gigabyte_answer_to_a_script_holds_nothing_up(camera: Camera) -> None:
    assert colour(camera.shoot("/flood-fetch.html", timeout=6000), 390, 290) == GREEN


def test_a_page_that_is_red_is_red(camera: Camera) -> None:
    """A suite that mostly looks for green must be able to see something else."""
    assert is_all(camera.shoot("/leave.html", hideSelectors=["button"]), RED)
