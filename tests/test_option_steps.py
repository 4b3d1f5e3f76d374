"""What is done on a page, and what a visitor brings to it, each seen in the page itself."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.camera import GREEN, GREY, SMALL, WHITE, Camera, colour, good, is_all, open_camera, picture
from tests.site.routes import OTHER_HOST
from tests.site.server import Site

pytestmark = pytest.mark.browser

TRACES = ("click", "type", "press", "hover", "select", "scroll", "late", "load")  # 50 px each, at the bottom
TEXTS = ("clicks", "typed", "keys", "chosen", "scrolled")


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with open_camera(site) as opened:
        yield opened


def traces_and_texts(camera: Camera, *actions: dict[str, Any]) -> tuple[set[str], dict[str, str]]:
    """Return which boxes of the page turned green, and what it wrote."""
    schema = {name: {"selector": f"#{name}"} for name in TEXTS}
    specs: tuple[dict[str, Any], ...] = ({"type": "screenshot"}, {"type": "json", "schema": schema})
    found = camera.outputs("/actions.html", *specs, actions=list(actions))
    image = picture(found["screenshot"]["data"])
    seen = {trace: colour(image, 50 * number + 25, 275) for number, trace in enumerate(TRACES)}
    assert set(seen.values()) <= {GREEN, GREY}
    return {trace for trace, found in seen.items() if found == GREEN}, found["json"]["data"]


# --- actions ------------------------------------------------------------------------------------

ABSENT = [  # every kind of action, on something that is not there
    {"type": "click", "selector": "#absent"},
    {"type": "type", "selector": "#absent", "text": "x"},
    {"type": "press", "selector": "#absent", "key": "Enter"},
    {"type": "hover", "selector": "#absent"},
    {"type": "select", "selector": "#absent", "value": "a"},
    {"type": "scroll", "selector": "#absent"},
    {"type": "wait", "selector": "#absent"},
]
KINDS = [str(action["type"]) for action in ABSENT]


@pytest.mark.parametrize(
    ("action", "trace", "text", "value"),
    [
        ({"type": "click", "selector": "#click"}, "click", "clicks", "1"),
        ({"type": "type", "selector": "#type", "text": "Grüße 👋"}, "type", "typed", "Grüße 👋"),
        ({"type": "type", "selector": "#type", "text": "new", "clear": False}, "type", "typed", "oldnew"),
        ({"type": "press", "selector": "#press", "key": "Enter"}, "press", "keys", "Enter@press"),
        ({"type": "press", "selector": "#press", "key": "a"}, "press", "keys", "a@press"),
        ({"type": "press", "key": "Escape"}, "press", "keys", "Escape@body"),
        ({"type": "hover", "selector": "#hovered"}, "hover", "clicks", "0"),
        ({"type": "select", "selector": "#select", "value": "b"}, "select", "chosen", "b"),
        ({"type": "select", "selector": "#select", "value": "First choice"}, "select", "chosen", "a"),
        ({"type": "scroll", "y": 200}, "scroll", "scrolled", "200"),
        ({"type": "scroll", "toBottom": True}, "scroll", "scrolled", "1700"),
    ],
    ids=str,
)
def test_an_action_leaves_its_trace(camera: Camera, action: dict[str, Any], trace: str, text: str, value: str) -> None:
    traces, texts = traces_and_texts(camera, action)
    assert traces == {trace}
    assert texts[text] == value


def test_no_action_leaves_no_trace(camera: Camera) -> None:
    traces, texts = traces_and_texts(camera)
    assert (traces, texts["typed"]) == (set(), "old")


def test_scrolling_to_an_element_brings_it_into_view(camera: Camera) -> None:
    texts = traces_and_texts(camera, {"type": "scroll", "selector": "#below"})[1]
    assert 1500 - 300 < int(texts["scrolled"]) <= 1500


def test_a_combination_of_keys_is_pressed_together(camera: Camera) -> None:
    texts = traces_and_texts(camera, {"type": "press", "selector": "#press", "key": "Control+A"})[1]
    assert texts["keys"].lower().endswith("control+a@press")


@pytest.mark.parametrize(
    ("start", "wait", "trace"),
    [
        ("#late-start", {"type": "wait", "selector": "#late"}, "late"),
        ("#late-start", {"type": "wait", "ms": 600}, "late"),
        ("#load-start", {"type": "wait", "networkIdle": True}, "load"),
    ],
    ids=str,
)
def test_waiting_sees_what_comes_later(camera: Camera, start: str, wait: dict[str, Any], trace: str) -> None:
    traces, _ = traces_and_texts(camera, {"type": "click", "selector": start}, wait)
    assert traces == {trace}


def test_actions_happen_in_their_order(camera: Camera) -> None:
    keys = [{"type": "press", "selector": "#press", "key": key} for key in "abc"]
    assert traces_and_texts(camera, *keys)[1]["keys"] == "a@press b@press c@press"


def test_twenty_five_actions_happen(camera: Camera) -> None:
    click = {"type": "click", "selector": "#click"}
    assert traces_and_texts(camera, *[click] * 25)[1]["clicks"] == "25"


@pytest.mark.parametrize("action", ABSENT, ids=KINDS)
def test_an_action_that_fails_fails_the_shot_and_is_named(camera: Camera, action: dict[str, Any]) -> None:
    harmless = {"type": "wait", "ms": 0}
    answer = camera.ask("/actions.html", actions=[harmless, action | {"timeout": 200}])
    assert (answer.status_code, answer.json()["error"]) == (422, "action_failed")
    assert "actions[1]" in answer.json()["message"]


@pytest.mark.parametrize("action", ABSENT, ids=KINDS)
def test_an_optional_action_that_fails_is_passed_over(camera: Camera, action: dict[str, Any]) -> None:
    click = {"type": "click", "selector": "#click"}
    assert traces_and_texts(camera, action | {"optional": True, "timeout": 200}, click)[0] == {"click"}


@pytest.mark.parametrize("action", ABSENT, ids=KINDS)
def test_an_action_has_a_budget_of_its_own(camera: Camera, action: dict[str, Any]) -> None:
    began = time.monotonic()
    answer = camera.ask("/actions.html", actions=[action | {"timeout": 200}], timeout=60_000)
    assert answer.status_code == 422
    assert time.monotonic() - began < 10  # not the minute of the shot


def test_a_budget_that_is_long_enough_is_waited_out(camera: Camera) -> None:
    image = camera.shoot("/chase.html", actions=[{"type": "click", "selector": "#late", "timeout": 5000}])
    assert colour(image, 50, 140) == GREEN


@pytest.mark.parametrize(("selector", "y"), [("#moving", 20), ("#covered", 80), ("#late", 140)])
def test_a_button_that_is_hard_to_hit_is_hit(camera: Camera, selector: str, y: int) -> None:
    image = camera.shoot("/chase.html", actions=[{"type": "click", "selector": selector}])
    assert colour(image, 50, y) == GREEN


def test_a_button_that_stays_covered_is_not_clicked_through(camera: Camera) -> None:
    answer = camera.ask("/chase.html", actions=[{"type": "click", "selector": "#buried", "timeout": 500}])
    assert (answer.status_code, answer.json()["error"]) == (422, "action_failed")


def test_an_action_may_lead_to_another_page(camera: Camera, site: Site) -> None:
    answer = good(camera.ask("/leave.html", actions=[{"type": "click", "selector": "#leave"}], delay=300))
    assert is_all(picture(answer.content), GREEN)
    assert answer.headers["x-target-url"] == site.url("/green.html")


# --- session ------------------------------------------------------------------------------------

READ = ("cookies", "local", "session", "jar")
PATIENT = {"waitFor": "#jar:not(:empty)"}  # the cookie store answers a little later
FUTURE, PAST = 4_000_000_000, 1_000_000_000  # Unix seconds


def brought(camera: Camera, cookie: dict[str, Any]) -> dict[str, str]:
    """Return what a page sees of a visitor with one cookie."""
    return camera.read("/session.html", READ, session={"cookies": [cookie]}, **PATIENT)


def sent(site: Site, path: str, header: str = "cookie") -> list[str]:
    """Return what the site got in one header with the requests for *path*."""
    return [request.headers.get(header, "") for request in site.requests if request.path == path]


def test_a_cookie_is_there_for_the_first_request_and_the_first_script(camera: Camera, site: Site) -> None:
    site.forget()
    assert brought(camera, {"name": "who", "value": "me"})["cookies"] == "who=me"
    assert sent(site, "/session.html") == ["who=me"]


def test_a_cookie_that_is_http_only_is_sent_and_not_shown_to_scripts(camera: Camera, site: Site) -> None:
    site.forget()
    assert brought(camera, {"name": "who", "value": "me", "httpOnly": True})["cookies"] == ""
    assert sent(site, "/session.html") == ["who=me"]


@pytest.mark.parametrize(("path", "cookie"), [("/", "who=me"), ("/session.html", "who=me"), ("/elsewhere", "")])
def test_a_cookie_belongs_to_its_path(camera: Camera, path: str, cookie: str) -> None:
    assert brought(camera, {"name": "who", "value": "me", "path": path})["cookies"] == cookie


@pytest.mark.parametrize(("expires", "cookie"), [(FUTURE, "who=me"), (PAST, ""), (None, "who=me")])
def test_a_cookie_lasts_until_it_expires(camera: Camera, expires: int | None, cookie: str) -> None:
    assert brought(camera, {"name": "who", "value": "me", "expires": expires})["cookies"] == cookie


def test_a_cookie_that_the_browser_refuses_is_named(camera: Camera) -> None:
    cookies = [{"name": "who", "value": "me"}, {"name": "__Host-who", "value": "me", "secure": True, "path": "/deep"}]
    answer = camera.ask("/session.html", session={"cookies": cookies})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["session.cookies[1]"]


@pytest.mark.parametrize(("domain", "cookie"), [(None, "who=me"), ("127.0.0.1", "who=me"), (OTHER_HOST, "")])
def test_a_cookie_belongs_to_its_domain(camera: Camera, domain: str | None, cookie: str) -> None:
    assert brought(camera, {"name": "who", "value": "me", "domain": domain})["cookies"] == cookie


@pytest.mark.parametrize(
    ("cookie", "jar"),
    [
        ({}, "who:plain:lax"),
        ({"secure": False}, "who:plain:lax"),
        ({"secure": True}, "who:secure:lax"),
        ({"sameSite": "strict"}, "who:plain:strict"),
        ({"sameSite": "lax"}, "who:plain:lax"),
        ({"sameSite": "unspecified"}, "who:plain:lax"),
        ({"sameSite": "none", "secure": True}, "who:secure:none"),
        ({"sameSite": "no_restriction", "secure": True}, "who:secure:none"),
    ],
    ids=str,
)
def test_a_cookie_is_as_safe_as_it_says(camera: Camera, cookie: dict[str, Any], jar: str) -> None:
    assert brought(camera, {"name": "who", "value": "me"} | cookie)["jar"] == jar


@pytest.mark.parametrize(("same_site", "cookie"), [("none", "who=me"), ("lax", ""), ("strict", "")])
def test_a_cookie_goes_into_a_foreign_frame_only_if_it_may(
    camera: Camera, site: Site, same_site: str, cookie: str
) -> None:
    site.forget()
    brought(camera, {"name": "who", "value": "me", "domain": OTHER_HOST, "sameSite": same_site, "secure": True})
    assert sent(site, "/visitor.html") == [cookie]


def test_a_header_goes_to_the_pages_own_origin_only(camera: Camera, site: Site) -> None:
    site.forget()
    good(camera.ask("/session.html", session={"headers": [{"name": "X-Who", "value": "me"}]}))
    assert (sent(site, "/session.html", "x-who"), sent(site, "/visitor.html", "x-who")) == (["me"], [""])


def test_a_header_for_an_origin_goes_there_only(camera: Camera, site: Site) -> None:
    site.forget()
    header = {"name": "X-Who", "value": "me", "origin": f"http://{site.other}"}
    good(camera.ask("/session.html", session={"headers": [header]}))
    assert (sent(site, "/session.html", "x-who"), sent(site, "/visitor.html", "x-who")) == ([""], ["me"])


def test_a_header_goes_with_what_the_page_loads(camera: Camera, site: Site) -> None:
    site.forget()
    good(camera.ask("/steps.html", session={"headers": [{"name": "Authorization", "value": "Basic eA=="}]}))
    assert set(sent(site, "/slow?ms=200", "authorization")) == {"Basic eA=="}


def test_storage_is_there_before_the_first_script_of_its_own_origin(camera: Camera, site: Site) -> None:
    storage = [
        {"origin": f"http://{site.address}", "localStorage": {"box": "here"}, "sessionStorage": {"box": "now"}},
        {"origin": f"http://{site.other}", "localStorage": {"box": "there"}},
    ]
    found = camera.read("/session.html", READ, session={"storage": storage}, **PATIENT)
    assert (found["local"], found["session"]) == ("here", "now")
    nothing = camera.read("/session.html", READ, session={"storage": storage[1:]}, **PATIENT)
    assert (nothing["local"], nothing["session"]) == ("", "")


def test_storage_of_another_origin_is_there_in_its_frame(camera: Camera, site: Site) -> None:
    storage = [{"origin": f"http://{site.other}", "localStorage": {"box": "there"}}]
    css = "p { display: none } body { margin: 0 } iframe { display: block; border: 0 }"
    before, after = (
        camera.shoot("/session.html", session={"storage": seed}, customCss=css, waitUntil="load")
        for seed in ([], storage)
    )
    assert (colour(before, 50, 25), colour(after, 50, 25)) == (WHITE, GREEN)


def test_a_page_with_all_that_it_wants_is_green(camera: Camera, site: Site) -> None:
    seed = {"origin": f"http://{site.address}", "localStorage": {"box": "1"}, "sessionStorage": {"box": "1"}}
    session = {"cookies": [{"name": "who", "value": "me"}], "storage": [seed]}
    assert colour(camera.shoot("/session.html", session=session), 390, 290) == GREEN


def test_nothing_of_a_session_stays_behind(camera: Camera, site: Site) -> None:
    test_a_page_with_all_that_it_wants_is_green(camera, site)
    found = camera.read("/session.html", READ, **PATIENT)
    assert (found["cookies"], found["local"], found["session"]) == ("", "", "")


def test_nothing_of_a_session_is_logged_or_echoed(camera: Camera, site: Site) -> None:
    secret = "kept-to-itself"
    seed = {"origin": f"http://{site.address}", "localStorage": {"box": secret}, "sessionStorage": {"box": secret}}
    cookie, header = {"name": "who", "value": secret}, {"name": "X-Who", "value": secret}
    session = {"cookies": [cookie], "headers": [header], "storage": [seed]}
    for path, status in (("/colors.html", 200), ("/status/500", 422), ("/download", 422)):
        answer = camera.ask(path, session=session, viewport=SMALL, responseType="BASE64", failOnHttpError=True)
        assert answer.status_code == status
        assert secret not in answer.text + str(answer.headers)
    assert secret not in camera.box.log.read_text()
