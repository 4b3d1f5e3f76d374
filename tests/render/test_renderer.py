"""The renderer in the real browser, asked from outside."""

import io
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.box import Box
from tests.site.server import Site

pytestmark = [pytest.mark.browser, pytest.mark.long]

WHITE, BLACK, RED = (255, 255, 255), (0, 0, 0), (255, 0, 0)


@pytest.fixture(scope="module")
def secret(box: Box) -> str:
    return box.key("render")


class Camera:
    """Takes pictures of the site."""

    def __init__(self, box: Box, site: Site, secret: str) -> None:
        self._box, self._site, self._secret = box, site, secret

    def ask(self, path: str, **body: Any) -> httpx.Response:
        """Return the whole answer."""
        return self._box.shoot(self._secret, self._site.url(path), **body)

    def shoot(self, path: str, **body: Any) -> Image.Image:
        """Return the picture."""
        answer = self.ask(path, **body)
        assert answer.status_code == 200, answer.text
        return picture(answer)


def picture(answer: httpx.Response) -> Image.Image:
    return Image.open(io.BytesIO(answer.content)).convert("RGB")


def colour(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    found = image.getpixel((x, y))
    assert isinstance(found, tuple)
    return found


@pytest.fixture(scope="module")
def camera(box: Box, site: Site, secret: str) -> Camera:
    return Camera(box, site, secret)


def is_near(found: tuple[int, ...], wanted: tuple[int, ...], *, by: int = 6) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


def test_the_default_picture_is_a_full_hd_png(camera: Camera) -> None:
    answer = camera.ask("/table.html")
    assert answer.headers["content-type"] == "image/png"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert struct.unpack(">II", answer.content[16:24]) == (1920, 1080)
    assert answer.headers["x-target-status"] == "200"
    assert int(answer.headers["x-render-time-ms"]) > 0
    assert int(answer.headers["x-queue-time-ms"]) >= 0


@pytest.mark.parametrize(
    ("name", "kind", "media_type"),
    [
        ("png", "PNG", "image/png"),
        ("jpeg", "JPEG", "image/jpeg"),
        ("jpg", "JPEG", "image/jpeg"),
        ("webp", "WEBP", "image/webp"),
    ],
)
def test_formats(camera: Camera, name: str, kind: str, media_type: str) -> None:
    answer = camera.ask("/colors.html", format=name, viewport={"width": 400, "height": 300})
    assert answer.headers["content-type"] == media_type
    assert Image.open(io.BytesIO(answer.content)).format == kind


def test_the_picture_shows_the_page(camera: Camera) -> None:
    lossless = camera.shoot("/colors.html", viewport={"width": 400, "height": 300})
    assert lossless.size == (400, 300)
    quadrants = [colour(lossless, x, y) for x, y in ((100, 75), (300, 75), (100, 225), (300, 225))]
    assert len(set(quadrants)) == 4
    for name in ("jpeg", "webp"):
        lossy = camera.shoot("/colors.html", format=name, quality=90, viewport={"width": 400, "height": 300})
        for found, (x, y) in zip(quadrants, ((100, 75), (300, 75), (100, 225), (300, 225)), strict=True):
            assert is_near(colour(lossy, x, y), found)


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_quality_buys_bytes(camera: Camera, name: str) -> None:
    low, high = (len(camera.ask("/table.html", format=name, quality=quality).content) for quality in (10, 95))
    assert low < high / 2


def test_a_scale_factor_multiplies_pixels(camera: Camera) -> None:
    assert camera.shoot("/colors.html", viewport={"width": 400, "height": 300, "deviceScaleFactor": 2}).size == (
        800,
        600,
    )


def test_the_largest_viewport_is_taken_whole(camera: Camera) -> None:
    assert camera.shoot("/colors.html", viewport={"width": 4096, "height": 4096}).size == (4096, 4096)


def test_a_full_page_shows_every_band(camera: Camera) -> None:
    image = camera.shoot("/tall.html", fullPage=True, viewport={"width": 400, "height": 300})
    assert image.size == (400, 3000)
    assert len({colour(image, 200, y) for y in range(250, 3000, 500)}) == 6


def test_a_full_page_wakes_lazy_pictures(camera: Camera) -> None:
    image = camera.shoot("/lazy.html", fullPage=True, viewport={"width": 1000, "height": 600})
    assert image.height == 12_000
    assert all(colour(image, 500, y) != WHITE for y in range(500, 12_000, 1000))


def test_an_element_below_the_fold_is_cut_out(camera: Camera) -> None:
    image = camera.shoot("/elements.html", selector="#target")
    assert image.size == (200, 100)
    assert image.getcolors() == [(20_000, RED)]


def test_dark_mode(camera: Camera) -> None:
    light, dark = (camera.shoot("/dark.html", darkMode=mode) for mode in (False, True))
    assert (colour(light, 900, 900), colour(dark, 900, 900)) == (WHITE, BLACK)


def test_hidden_selectors_are_gone(camera: Camera) -> None:
    shown, hidden = (camera.shoot("/elements.html", hideSelectors=these) for these in ([], ["#banner"]))
    assert colour(shown, 900, 25) != colour(hidden, 900, 25)


def test_custom_css_works_under_a_strict_policy(camera: Camera) -> None:
    assert colour(camera.shoot("/csp.html", customCss="html { background: #f00 }"), 900, 900) == RED


def test_a_page_that_is_late_is_waited_for(camera: Camera) -> None:
    early = camera.shoot("/late.html", waitUntil="commit", settle=False)
    late = [camera.shoot("/late.html", waitFor="#late"), camera.shoot("/late.html", delay=1000)]
    assert colour(early, 900, 900) not in {colour(image, 900, 900) for image in late}
    assert colour(late[0], 900, 900) == colour(late[1], 900, 900)


@pytest.mark.parametrize("milestone", ["commit", "domcontentloaded", "load", "networkidle"])
def test_milestones(camera: Camera, milestone: str) -> None:
    answer = camera.ask("/table.html", waitUntil=milestone)
    assert answer.status_code == 200
    assert "x-not-awaited" not in answer.headers


@pytest.mark.parametrize(
    ("path", "body", "missed"),
    [
        ("/slow-image.html", {}, "load"),
        ("/slow-image.html", {"waitUntil": "load", "timeout": 2000}, "load"),
        ("/slow-image.html", {"waitUntil": "load", "timeout": 2000, "delay": 1000}, "load"),
        ("/never-idle.html", {"waitUntil": "networkidle", "timeout": 3000}, "networkidle"),
    ],
)
def test_what_does_not_come_in_time_is_told_beside_the_picture(
    camera: Camera, path: str, body: dict[str, Any], missed: str
) -> None:
    answer = camera.ask(path, **body)
    assert answer.status_code == 200
    assert missed in answer.headers["x-not-awaited"].split(", ")


@pytest.mark.parametrize(
    ("path", "status", "end"),
    [
        ("/status/404", "404", "/status/404"),
        ("/status/500", "500", "/status/500"),
        ("/status-empty/404", "404", "/status-empty/404"),
        ("/redirect?to=/table.html", "200", "/table.html"),
        ("/js-redirect?to=/status/404", "404", "/status/404"),
        ("/meta-redirect?to=/table.html", "200", "/table.html"),
    ],
)
def test_status_and_address_of_what_is_in_the_picture_are_told(
    camera: Camera, site: Site, path: str, status: str, end: str
) -> None:
    answer = camera.ask(path, delay=700)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["x-target-status"], answer.headers["x-target-url"]) == (status, site.url(end))


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/download", {}, 422, "not_a_page"),
        ("/document.pdf", {}, 422, "not_a_page"),
        ("/no-content", {}, 422, "not_a_page"),
        ("/hang", {"timeout": 1000}, 422, "timeout"),
        ("/busy.html", {"timeout": 2000}, 422, "timeout"),
        ("/table.html", {"selector": "#absent", "timeout": 2000}, 422, "selector_not_found"),
        ("/table.html", {"waitFor": "#absent", "timeout": 2000}, 422, "selector_not_found"),
        ("/table.html", {"selector": "head"}, 422, "selector_not_found"),
        ("/table.html", {"selector": "!!"}, 400, "invalid_request"),
        ("/table.html", {"hideSelectors": ["a", "b["]}, 400, "invalid_request"),
        ("/redirect?to=http://127.0.0.1:1/", {}, 422, "target_not_allowed"),
        ("/redirect?to=http://169.254.169.254/", {}, 422, "target_not_allowed"),
        ("/redirect?to=file:///etc/passwd", {}, 422, "url_unreachable"),
        ("/js-redirect?to=http://169.254.169.254/", {"delay": 500}, 422, "target_not_allowed"),
        ("/meta-redirect?to=http://[::1]/", {"delay": 500}, 422, "target_not_allowed"),
    ],
)
def test_a_bad_page_is_a_clear_error_and_the_next_shot_is_unharmed(
    camera: Camera, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = camera.ask(path, **body)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    for word in ("playwright", "Traceback", "net::", "Call log"):
        assert word not in answer.text
    assert camera.ask("/colors.html").status_code == 200


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("not-a-valid-url", 400, "invalid_url"),
        ("file:///etc/passwd", 400, "invalid_url"),
        ("javascript:alert(1)", 400, "invalid_url"),
        ("http://no-such-host.invalid/", 422, "url_unreachable"),
        ("http://169.254.169.254/latest/meta-data/", 422, "target_not_allowed"),
        ("http://127.0.0.1:1/", 422, "target_not_allowed"),
        ("http://localhost:22/", 422, "target_not_allowed"),
    ],
)
def test_bad_targets_are_the_callers_fault(box: Box, secret: str, url: str, status: int, code: str) -> None:
    answer = box.shoot(secret, url)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


@pytest.fixture(scope="module")
def canary() -> Iterator[Site]:
    """Return a site on this machine that no setting allows."""
    with Site() as running:
        yield running


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/prefetch.html?to={}", {"delay": 2500}),
        ("/js-redirect?to={}", {"delay": 500}),
        ("/meta-redirect?to={}", {"delay": 500}),
        ("/redirect?to={}", {}),
        ("/redirect?to=/redirect%3Fto%3D{}", {}),
    ],
)
def test_no_way_of_the_main_frame_leads_to_a_picture_of_what_is_not_allowed(
    camera: Camera, canary: Site, path: str, body: dict[str, Any]
) -> None:
    answer = camera.ask(path.format(canary.url("/colors.html")), timeout=8000, **body)
    assert (answer.status_code, answer.json()["error"]) == (422, "target_not_allowed")


def test_a_page_opens_no_other(camera: Camera, canary: Site) -> None:
    canary.forget()
    assert camera.ask(f"/popups.html?to={canary.url('/colors.html')}", delay=1000).status_code == 200
    assert canary.requests == []


@pytest.mark.parametrize("to", ["http://no-such-host.invalid/", "http://127.0.0.1:1/"])
def test_a_page_that_leaves_for_nowhere_is_told_at_once(camera: Camera, to: str) -> None:
    answer = camera.ask(f"/js-redirect?to={to}", delay=1000, timeout=20_000)
    assert answer.status_code == 422
    assert answer.json()["error"] in {"target_not_allowed", "url_unreachable"}
    assert answer.elapsed.total_seconds() < 15  # not the whole deadline


def test_the_box_does_not_shoot_itself(box: Box, secret: str) -> None:
    assert box.shoot(secret, box.url).json()["error"] == "target_not_allowed"


def test_a_url_in_capitals_works(box: Box, site: Site, secret: str) -> None:
    assert box.shoot(secret, site.url("/colors.html").replace("http", "HTTP")).status_code == 200


@pytest.mark.parametrize("path", ["/alert.html", "/close.html"])
def test_pages_that_make_scenes_are_shot_all_the_same(camera: Camera, path: str) -> None:
    assert camera.ask(path, delay=300).status_code == 200


def test_no_cookie_passes_from_one_shot_to_the_next(camera: Camera) -> None:
    first, second = (colour(camera.shoot("/cookie"), 900, 500) for _ in range(2))
    assert first == second


def test_fonts_for_other_scripts_and_emoji_in_colour_are_there(camera: Camera) -> None:
    image = camera.shoot("/fonts.html", viewport={"width": 800, "height": 600})
    colours = image.getcolors(maxcolors=1_000_000)
    assert colours is not None
    bright = [rgb for _, rgb in colours if isinstance(rgb, tuple) and max(rgb) - min(rgb) > 100]
    assert len(bright) > 50  # black glyphs and tofu have none


def test_a_page_cannot_break_what_pictures_are_taken_with(camera: Camera) -> None:
    image = camera.shoot("/hostile.html", selector="#target", customCss="#target { background: #00f !important }")
    assert image.getcolors() == [(5000, (0, 0, 255))]
    assert colour(camera.shoot("/hostile.html", fullPage=True, waitFor="p"), 900, 900) == (0, 170, 0)
