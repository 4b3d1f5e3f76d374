"""The fields of a capture's body itself, each proved by what it does to the picture."""

import base64
import io
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from tests.camera import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    RED,
    SMALL,
    WHITE,
    Camera,
    bands,
    colour,
    good,
    is_all,
    is_near,
    open_camera,
    picture,
)
from tests.site.routes import ADS_HOST
from tests.site.server import Site

pytestmark = [pytest.mark.browser, pytest.mark.long]

QUICK = {"fullPage": True, "scrollInterval": 50}
BANDS = [  # of /tall.html, 500 pixels each
    (230, 25, 75),
    (60, 180, 75),
    (255, 225, 25),
    (0, 130, 200),
    (245, 130, 48),
    (145, 30, 180),
]


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with open_camera(site, "light", "ultimate", rules=f"||{ADS_HOST}^") as opened:
        yield opened


# --- the window ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("viewport", "width", "height", "scale"),
    [
        (None, 1920, 1080, 1),
        ({}, 1920, 1080, 1),
        ({"width": 500}, 500, 1080, 1),
        ({"height": 400}, 1920, 400, 1),
        ({"width": 400, "height": 300, "deviceScaleFactor": 2}, 400, 300, 2),
        ({"width": 400, "height": 300, "deviceScaleFactor": 3}, 400, 300, 3),
    ],
    ids=str,
)
def test_the_viewport_is_what_the_page_has(
    camera: Camera, viewport: dict[str, int] | None, width: int, height: int, scale: int
) -> None:
    ids = ("width", "height", "scale")
    schema = {name: {"selector": f"#{name}"} for name in ids}
    specs: tuple[dict[str, Any], ...] = ({"type": "screenshot"}, {"type": "json", "schema": schema})
    found = camera.outputs("/device.html", *specs, viewport=viewport)
    assert found["json"]["data"] == {"width": str(width), "height": str(height), "scale": str(scale)}
    assert struct.unpack(">II", found["screenshot"]["data"][16:24]) == (width * scale, height * scale)


def test_more_scale_shows_more_and_not_larger_pixels(camera: Camera) -> None:
    image = camera.shoot("/pattern?height=150&scale=2", viewport={"width": 200, "height": 100, "deviceScaleFactor": 2})
    assert len(set(bands(image, 100))) == 200


@pytest.mark.parametrize(
    ("device", "width", "scale", "word"),
    [
        ("iPhone 14", 390, 3, "iPhone"),
        ("iphone_14", 390, 3, "iPhone"),
        ("IPHONE-14 390x844", 390, 3, "iPhone"),
        ("ipad_pro_11", 834, 2, "Mozilla"),
        ("pixel_5", 393, 2.75, "Android"),
    ],
)
def test_a_device_is_touched_has_its_scale_and_says_who_it_is(
    camera: Camera, device: str, width: int, scale: float, word: str
) -> None:
    ids = ("width", "scale", "touch", "agent")
    schema = {name: {"selector": f"#{name}"} for name in ids}
    specs: tuple[dict[str, Any], ...] = ({"type": "screenshot"}, {"type": "json", "schema": schema})
    found = camera.outputs("/device.html", *specs, device=device)
    told = found["json"]["data"]
    assert (told["width"], float(told["scale"]), int(told["touch"]) > 0) == (str(width), scale, True)
    assert word in told["agent"]
    image = picture(found["screenshot"]["data"])
    assert abs(image.width - width * scale) <= 1
    assert colour(image, image.width - 2, image.height - 2) == GREEN


def test_a_desktop_has_a_mouse(camera: Camera) -> None:
    image = camera.shoot("/device.html", device="Desktop HD")
    assert (image.size, colour(image, 1900, 1000)) == ((1920, 1080), BLUE)


def test_a_device_wins_over_a_viewport(camera: Camera) -> None:
    assert camera.shoot("/green.html", device="laptop", viewport=SMALL).size != (400, 300)


def test_an_unknown_device_is_told_with_those_that_are_near(camera: Camera) -> None:
    answer = camera.ask("/green.html", device="iPhone 14 Por")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_device")
    assert "iPhone 14 Pro" in answer.json()["message"]


# --- the picture --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_a_format_is_what_it_says(camera: Camera, name: str, kind: str) -> None:
    answer = good(camera.ask("/green.html", format=name))
    assert Image.open(io.BytesIO(answer.content)).format == kind
    assert is_near(colour(picture(answer.content), 200, 150), GREEN)


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_quality_buys_bytes(camera: Camera, name: str) -> None:
    low, high = (len(camera.ask("/table.html", format=name, quality=quality).content) for quality in (10, 95))
    assert low < high / 2


def test_png_knows_no_quality(camera: Camera) -> None:
    low, high = (picture(camera.ask("/table.html", quality=quality).content).tobytes() for quality in (1, 100))
    assert low == high


@pytest.mark.parametrize("mode", ["stitch", "native"])
def test_a_full_page_is_all_of_it_in_its_order(camera: Camera, mode: str) -> None:
    image = camera.shoot("/tall.html", fullPageMode=mode, **QUICK)
    assert bands(image, 200) == [(band, 500) for band in BANDS]


def test_without_full_page_there_is_the_window(camera: Camera) -> None:
    assert bands(camera.shoot("/tall.html", fullPage=False), 200) == [(BANDS[0], 300)]


def test_stitching_sees_each_section_where_a_native_picture_sees_the_first(camera: Camera) -> None:
    rows = [(row * 4, 255 - row * 4, 100) for row in range(60)]
    stitched, native = (camera.shoot("/virtual.html", fullPageMode=mode, **QUICK) for mode in ("stitch", "native"))
    assert bands(stitched, 200) == [(row, 50) for row in rows]
    assert native.height == 3000
    assert colour(native, 200, 2000) == WHITE


@pytest.mark.parametrize(("interval", "is_seen"), [(50, False), (700, True)])
def test_the_scroll_interval_is_the_time_that_each_section_gets(
    camera: Camera,
    interval: int,
    is_seen: bool,  # noqa: FBT001
) -> None:
    image = camera.shoot("/patience.html", fullPage=True, scrollInterval=interval)
    assert is_all(image, GREEN) == is_seen


@pytest.mark.parametrize(("sections", "height", "truncated"), [(1, 300, True), (4, 1200, True), (10, 3000, False)])
def test_sections_are_counted_in_windows(camera: Camera, sections: int, height: int, truncated: bool) -> None:  # noqa: FBT001
    answer = good(camera.ask("/tall.html", maxSections=sections, **QUICK))
    assert picture(answer.content).height == height
    assert ("x-truncated" in answer.headers) == truncated


@pytest.mark.parametrize("mode", ["stitch", "native"])
@pytest.mark.parametrize(("most", "height", "truncated"), [(1000, 1000, True), (3000, 3000, False)])
def test_a_picture_ends_at_its_greatest_height(
    camera: Camera,
    mode: str,
    most: int,
    height: int,
    truncated: bool,  # noqa: FBT001
) -> None:
    answer = good(camera.ask("/tall.html", maxHeight=most, fullPageMode=mode, **QUICK))
    assert picture(answer.content).height == height
    assert answer.headers.get("x-truncated") == ("true" if truncated else None)


def test_the_greatest_height_is_in_css_pixels(camera: Camera) -> None:
    viewport = SMALL | {"deviceScaleFactor": 2}
    assert camera.shoot("/tall.html", maxHeight=1000, viewport=viewport, **QUICK).size == (800, 2000)


def test_what_is_fixed_is_there_once_unless_it_may_repeat(camera: Camera) -> None:
    frozen, free = (bands(camera.shoot("/fixed.html", freezeFixed=freeze, **QUICK), 300) for freeze in (True, False))
    assert frozen == [(BLUE, 40), (WHITE, 1930), ((255, 0, 255), 30)]
    assert sum(rows for found, rows in free if found == BLUE) > 2 * 40


def test_an_element_is_cut_out_and_nothing_lies_on_it(camera: Camera) -> None:
    image = camera.shoot("/elements.html", selector="#target")
    assert (image.size, is_all(image, RED)) == ((200, 100), True)


def test_an_element_taller_than_the_window_is_whole(camera: Camera) -> None:
    image = camera.shoot("/tall.html", selector="body")
    assert bands(image, 200) == [(band, 500) for band in BANDS]


@pytest.mark.parametrize("selectors", [[], ["#banner"], ["#absent", "#banner"], ["#absent"]], ids=str)
def test_what_is_hidden_is_gone(camera: Camera, selectors: list[str]) -> None:
    image = camera.shoot("/elements.html", hideSelectors=selectors)
    assert colour(image, 200, 25) == (WHITE if "#banner" in selectors else BLUE)


@pytest.mark.parametrize("path", ["/green.html", "/csp.html", "/hostile.html"])
def test_custom_css_counts_on_every_page(camera: Camera, path: str) -> None:
    image = camera.shoot(path, customCss="html { background: #00f !important } body { display: none }")
    assert is_all(image, BLUE)


def test_dark_mode_is_what_the_page_asks_for(camera: Camera) -> None:
    light, dark = (camera.shoot("/dark.html", darkMode=mode) for mode in (False, True))
    assert (is_all(light, WHITE), is_all(dark, BLACK)) == (True, True)


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("milestone", "status"), [("commit", 200), ("domcontentloaded", 422), ("load", 422)])
def test_a_page_that_never_ends_has_committed_and_no_more(camera: Camera, milestone: str, status: int) -> None:
    assert camera.ask("/drip", waitUntil=milestone, timeout=1500).status_code == status


@pytest.mark.parametrize("body", [{}, {"waitUntil": "domcontentloaded"}, {"waitUntil": "load"}], ids=str)
def test_a_page_that_comes_in_drops_is_whole_at_a_later_milestone(camera: Camera, body: dict[str, Any]) -> None:
    assert camera.read("/drip?parts=5", ["last"], **body)["last"] == "The last drop"


def test_load_waits_for_pictures(camera: Camera) -> None:
    assert colour(camera.shoot("/late-image.html", waitUntil="load"), 50, 50) == GREEN


def test_network_idle_waits_for_a_chain_of_requests(camera: Camera) -> None:
    assert is_all(camera.shoot("/steps.html", waitUntil="networkidle"), GREEN)


def test_network_idle_that_never_comes_is_told(camera: Camera) -> None:
    answer = good(camera.ask("/never-idle.html", waitUntil="networkidle", timeout=3000))
    assert "networkidle" in answer.headers["x-not-awaited"].split(", ")
    assert "networkidle" not in good(camera.ask("/never-idle.html")).headers.get("x-not-awaited", "")


def test_an_element_is_waited_for(camera: Camera) -> None:
    late = "/late.html?ms=1200"
    assert is_all(camera.shoot(late), GREY)
    assert is_all(camera.shoot(late, waitFor="#late"), GREEN)


def test_a_delay_comes_after_everything_else(camera: Camera) -> None:
    late = "/late.html?ms=1200"
    assert is_all(camera.shoot(late), GREY)
    assert is_all(camera.shoot(late, delay=1700), GREEN)
    click = [{"type": "click", "selector": "#late-start"}]
    assert colour(camera.shoot("/actions.html", actions=click, delay=600), 325, 275) == GREEN


@pytest.mark.parametrize(("timeout", "status"), [(1000, 422), (8000, 200)])
def test_a_page_that_takes_longer_than_its_timeout_fails(camera: Camera, timeout: int, status: int) -> None:
    answer = camera.ask("/slow?ms=2000", timeout=timeout)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["error"] == "timeout"


@pytest.mark.parametrize("path", ["/status/404", "/status/500", "/redirect?to=/status/404"])
def test_an_error_page_is_a_picture_unless_that_is_refused(camera: Camera, path: str) -> None:
    assert good(camera.ask(path)).headers["x-target-status"] == path[-3:]
    assert good(camera.ask(path, failOnHttpError=False)).headers["x-target-status"] == path[-3:]
    answer = camera.ask(path, failOnHttpError=True)
    assert (answer.status_code, answer.json()["error"]) == (422, "http_error")
    assert path[-3:] in answer.json()["message"]


@pytest.mark.parametrize(("share", "loads"), [({"shareRendering": True}, 1), ({"shareRendering": False}, 3), ({}, 3)])
def test_equal_requests_share_one_load_if_they_ask_for_that(
    camera: Camera, site: Site, share: dict[str, bool], loads: int
) -> None:
    site.forget()
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(camera.ask, "/colors.html", delay=1500, **share) for _ in range(3)]
        pictures = {good(one.result()).content for one in asked}
    assert len(pictures) == 1
    assert sum(request.path == "/colors.html" for request in site.requests) == loads


# --- what is kept out ---------------------------------------------------------------------------


def asked_ads(site: Site) -> int:
    """Return how often the advertisers were asked for something."""
    return sum(request.headers.get("host") == site.ads for request in site.requests)


def test_a_way_that_leads_through_what_is_blocked_arrives(camera: Camera, site: Site) -> None:
    counter = f"http://{site.ads}/redirect?to={site.url('/colors.html')}"
    assert camera.ask(f"/redirect?to={counter}").headers["x-target-url"] == site.url("/colors.html")


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({}, 0),
        ({"blockAds": True}, 0),
        ({"blockAds": False, "blockPopups": False, "blockCookieBanners": False}, 60),
        ({"blockAds": False, "blockPopups": False, "blockCookieBanners": False, "blockLevel": "none"}, 60),
        ({"blockAds": False, "blockPopups": False, "blockCookieBanners": False, "blockLevel": "light"}, 0),
        ({"blockAds": False, "blockPopups": False, "blockCookieBanners": False, "blockLevel": "ultimate"}, 0),
    ],
    ids=str,
)
def test_ads_and_trackers_are_not_asked_for(camera: Camera, site: Site, body: dict[str, Any], asked: int) -> None:
    site.forget()
    image = camera.shoot("/ads.html", waitUntil="load", **body)
    assert asked_ads(site) == asked
    assert is_all(image, GREEN) == (asked == 0)


@pytest.mark.parametrize("vendor", ["onetrust", "cookiebot", "cookieyes", "plain"])
def test_cookie_banners_are_not_in_the_picture_unless_they_are_wanted(camera: Camera, vendor: str) -> None:
    path = f"/banner-{vendor}.html"
    assert colour(camera.shoot(path, delay=400), 200, 200) == GREEN
    assert colour(camera.shoot(path, delay=400, blockCookieBanners=True), 200, 200) == GREEN
    assert colour(camera.shoot(path, delay=400, blockCookieBanners=False), 200, 200) == RED


@pytest.mark.parametrize(("path", "x", "y"), [("/newsletter.html", 390, 150), ("/chat.html", 370, 230)])
def test_popups_and_chats_are_not_in_the_picture_unless_they_are_wanted(
    camera: Camera, path: str, x: int, y: int
) -> None:
    assert colour(camera.shoot(path), x, y) == GREEN
    assert colour(camera.shoot(path, blockPopups=True), x, y) == GREEN
    assert colour(camera.shoot(path, blockPopups=False), x, y) == RED


def test_stealth_gives_nothing_away(camera: Camera) -> None:
    facts = ("webdriver", "agent", "languages", "plugins", "chrome")
    plain, stealthy = (camera.read("/device.html", facts, stealthMode=mode) for mode in (False, True))
    assert plain != stealthy
    assert stealthy["webdriver"] != "true"
    assert "Headless" not in stealthy["agent"]
    assert (int(stealthy["plugins"]) > 0, stealthy["chrome"]) == (True, "object")


# --- the answer ---------------------------------------------------------------------------------


def test_base64_is_the_same_picture_with_its_facts(camera: Camera, site: Site) -> None:
    binary = good(camera.ask("/colors.html", responseType="BINARY"))
    answer = good(camera.ask("/colors.html", responseType="BASE64"))
    assert binary.headers["content-type"] == "image/png"
    assert answer.headers["content-type"].startswith("application/json")
    facts = answer.json()
    content = base64.b64decode(facts["data"])
    assert picture(content).tobytes() == picture(binary.content).tobytes()
    assert (facts["encoding"], facts["url"], facts["format"]) == ("base64", site.url("/colors.html"), "png")
    assert (facts["contentType"], facts["width"], facts["height"]) == ("image/png", 400, 300)
    assert (facts["size"], facts["cached"], isinstance(facts["renderTimeMs"], int)) == (len(content), False, True)


def test_url_is_told_to_be_for_later(camera: Camera) -> None:
    answer = camera.ask("/colors.html", responseType="URL")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "responseType" in answer.json()["message"]
