"""Where each field of a capture's body is proved, and that its default is what a client gets who leaves it out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import test_option_outputs as made
from tests import test_option_request as asked
from tests import test_option_steps as done
from tests.camera import Camera, good, open_camera
from tests.site.server import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with open_camera(site) as opened:
        yield opened


# --- defaults -----------------------------------------------------------------------------------

SCHEMAS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "contract" / "openapi.yaml").read_text())[
    "components"
]["schemas"]


def defaults(shape: str) -> dict[str, Any]:
    """Return all of a shape's defaults as the contract declares them."""
    fields = SCHEMAS[shape]["properties"].items()
    return {name: field["default"] for name, field in fields if "default" in field}


@pytest.mark.parametrize("path", ["/colors.html", "/fixed.html", "/dark.html", "/banner-onetrust.html", "/tall.html"])
def test_spelled_out_defaults_change_nothing(camera: Camera, path: str) -> None:
    spelled = defaults("ScreenshotRequest") | {"viewport": defaults("ViewportConfig")}
    nulls = dict.fromkeys(
        ("actions", "customCss", "device", "hideSelectors", "maxHeight", "outputs", "selector", "session", "waitFor")
    )
    bare = good(camera.ask(path, viewport=None))
    for body in (spelled, spelled | nulls):
        assert good(camera.ask(path, **body)).content == bare.content


@pytest.mark.parametrize("kind", ["Screenshot", "Html", "Markdown", "Json"])
def test_spelled_out_defaults_of_an_output_change_nothing(camera: Camera, kind: str) -> None:
    short: dict[str, Any] = {"type": kind.lower()}
    long = short | defaults(f"{kind}OutputSpec")
    if kind == "Json":
        short["schema"] = {"title": {"selector": "h2"}}
        long["schema"] = {"title": {"selector": "h2"} | defaults("JsonFieldSpec")}
    assert made.made(camera, "/article.html", short) == made.made(camera, "/article.html", long)


def test_spelled_out_defaults_of_a_pdf_change_nothing(camera: Camera) -> None:
    short: dict[str, Any] = {"type": "pdf"}
    for spec in (short | defaults("PdfOutputSpec"), short | defaults("PdfOutputSpec") | {"format": None}):
        one, other = (made.pages(made.made(camera, "/print.html", it)) for it in (short, spec))
        assert [made.size(page) for page in one] == [made.size(page) for page in other]
        assert [page.get_contents() for page in one] == [page.get_contents() for page in other]


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("Click", {"type": "click", "selector": "#click"}),
        ("Type", {"type": "type", "selector": "#type", "text": "new"}),
        ("Press", {"type": "press", "selector": "#press", "key": "a"}),
        ("Hover", {"type": "hover", "selector": "#hovered"}),
        ("Select", {"type": "select", "selector": "#select", "value": "b"}),
        ("Scroll", {"type": "scroll", "y": 100}),
        ("Wait", {"type": "wait", "ms": 10}),
    ],
)
def test_spelled_out_defaults_of_an_action_change_nothing(camera: Camera, kind: str, action: dict[str, Any]) -> None:
    spelled = action | defaults(f"{kind}Action") | {"timeout": None}
    assert done.traces_and_texts(camera, action) == done.traces_and_texts(camera, spelled)


def test_spelled_out_defaults_of_a_session_change_nothing(camera: Camera) -> None:
    short, long = {"name": "who"}, {"name": "who"} | defaults("BrowserCookieRequest")
    nulls = dict.fromkeys(("domain", "expires", "httpOnly", "sameSite", "secure"))
    assert done.brought(camera, short) == done.brought(camera, long) == done.brought(camera, long | nulls)


# --- the table ----------------------------------------------------------------------------------

Proof = Callable[..., None]

REQUEST: dict[str, Proof] = {
    "actions": done.test_an_action_leaves_its_trace,
    "blockAds": asked.test_ads_and_trackers_are_not_asked_for,
    "blockCookieBanners": asked.test_cookie_banners_are_not_in_the_picture_unless_they_are_wanted,
    "blockLevel": asked.test_ads_and_trackers_are_not_asked_for,
    "blockPopups": asked.test_popups_and_chats_are_not_in_the_picture_unless_they_are_wanted,
    "customCss": asked.test_custom_css_counts_on_every_page,
    "darkMode": asked.test_dark_mode_is_what_the_page_asks_for,
    "delay": asked.test_a_delay_comes_after_everything_else,
    "device": asked.test_a_device_is_touched_has_its_scale_and_says_who_it_is,
    "format": asked.test_a_format_is_what_it_says,
    "freezeFixed": asked.test_what_is_fixed_is_there_once_unless_it_may_repeat,
    "fullPage": asked.test_a_full_page_is_all_of_it_in_its_order,
    "fullPageMode": asked.test_stitching_sees_each_section_where_a_native_picture_sees_the_first,
    "hideSelectors": asked.test_what_is_hidden_is_gone,
    "maxHeight": asked.test_a_picture_ends_at_its_greatest_height,
    "maxSections": asked.test_sections_are_counted_in_windows,
    "outputs": made.test_all_outputs_come_from_one_load,
    "quality": asked.test_quality_buys_bytes,
    "responseType": asked.test_base64_is_the_same_picture_with_its_facts,
    "scrollInterval": asked.test_the_scroll_interval_is_the_time_that_each_section_gets,
    "selector": asked.test_an_element_is_cut_out_and_nothing_lies_on_it,
    "session": done.test_a_page_with_all_that_it_wants_is_green,
    "stealthMode": asked.test_stealth_gives_nothing_away,
    "timeout": asked.test_a_page_that_takes_longer_than_its_timeout_fails,
    "viewport": asked.test_the_viewport_is_what_the_page_has,
    "waitFor": asked.test_an_element_is_waited_for,
    "waitUntil": asked.test_a_page_that_never_ends_has_committed_and_no_more,
}

VIEWPORT: dict[str, Proof] = dict.fromkeys(
    ("width", "height", "deviceScaleFactor"), asked.test_the_viewport_is_what_the_page_has
)

OF_EVERY_ACTION: dict[str, Proof] = {
    "type": done.test_an_action_leaves_its_trace,
    "optional": done.test_an_optional_action_that_fails_is_passed_over,
    "timeout": done.test_an_action_has_a_budget_of_its_own,
}
ACTIONS: dict[str, dict[str, Proof]] = {
    "ClickAction": {"selector": done.test_an_action_leaves_its_trace},
    "TypeAction": dict.fromkeys(("selector", "text", "clear"), done.test_an_action_leaves_its_trace),
    "PressAction": dict.fromkeys(("selector", "key"), done.test_an_action_leaves_its_trace),
    "HoverAction": {"selector": done.test_an_action_leaves_its_trace},
    "SelectAction": dict.fromkeys(("selector", "value"), done.test_an_action_leaves_its_trace),
    "ScrollAction": {
        "selector": done.test_scrolling_to_an_element_brings_it_into_view,
        "y": done.test_an_action_leaves_its_trace,
        "toBottom": done.test_an_action_leaves_its_trace,
    },
    "WaitAction": dict.fromkeys(("selector", "ms", "networkIdle"), done.test_waiting_sees_what_comes_later),
}

OF_EVERY_OUTPUT: dict[str, Proof] = dict.fromkeys(
    ("id", "type"), made.test_outputs_are_called_by_their_ids_or_their_types
)
OUTPUTS: dict[str, dict[str, Proof]] = {
    "ScreenshotOutputSpec": {
        "format": made.test_a_picture_has_its_format,
        "quality": made.test_a_pictures_quality_buys_bytes,
        "fullPage": made.test_a_picture_may_be_of_the_full_page,
        "selector": made.test_a_picture_may_be_of_one_element,
    },
    "PdfOutputSpec": {
        "format": made.test_a_pdf_is_on_its_paper,
        "landscape": made.test_a_pdf_is_on_its_paper,
        "printBackground": made.test_a_pdf_has_backgrounds_if_they_are_wanted,
    },
    "HtmlOutputSpec": {
        "clean": made.test_clean_html_has_the_words_and_not_the_machinery,
        "mainContentOnly": made.test_the_main_content_is_told_from_the_rest,
    },
    "MarkdownOutputSpec": {"mainContentOnly": made.test_the_main_content_is_told_from_the_rest},
    "JsonOutputSpec": {"schema": made.test_values_are_taken_out_of_a_page},
}
JSON_FIELD: dict[str, Proof] = dict.fromkeys(
    ("selector", "type", "attribute", "multiple"), made.test_values_are_taken_out_of_a_page
)

SESSION: dict[str, dict[str, Proof]] = {
    "BrowserSessionRequest": {
        "cookies": done.test_a_cookie_is_there_for_the_first_request_and_the_first_script,
        "headers": done.test_a_header_goes_to_the_pages_own_origin_only,
        "storage": done.test_storage_is_there_before_the_first_script_of_its_own_origin,
    },
    "BrowserCookieRequest": {
        "name": done.test_a_cookie_is_there_for_the_first_request_and_the_first_script,
        "value": done.test_a_cookie_is_there_for_the_first_request_and_the_first_script,
        "domain": done.test_a_cookie_belongs_to_its_domain,
        "path": done.test_a_cookie_belongs_to_its_path,
        "expires": done.test_a_cookie_lasts_until_it_expires,
        "httpOnly": done.test_a_cookie_that_is_http_only_is_sent_and_not_shown_to_scripts,
        "secure": done.test_a_cookie_is_as_safe_as_it_says,
        "sameSite": done.test_a_cookie_goes_into_a_foreign_frame_only_if_it_may,
    },
    "BrowserHeaderRequest": {
        "name": done.test_a_header_goes_to_the_pages_own_origin_only,
        "value": done.test_a_header_goes_to_the_pages_own_origin_only,
        "origin": done.test_a_header_for_an_origin_goes_there_only,
    },
    "BrowserStorageOriginRequest": dict.fromkeys(
        ("origin", "localStorage", "sessionStorage"),
        done.test_storage_is_there_before_the_first_script_of_its_own_origin,
    ),
}

TABLE: dict[str, dict[str, Proof]] = {
    "ScreenshotRequest": REQUEST,
    "ViewportConfig": VIEWPORT,
    **{shape: OF_EVERY_ACTION | proofs for shape, proofs in ACTIONS.items()},
    **{shape: OF_EVERY_OUTPUT | proofs for shape, proofs in OUTPUTS.items()},
    "JsonFieldSpec": JSON_FIELD,
    **SESSION,
}
WITHOUT_PROOF = {
    "ScreenshotRequest.url": "is in every test",
    "ScreenshotRequest.webhookUrl": "comes with stored results",
    "ScreenshotRequest.webhookSecret": "comes with stored results",
}


def shapes(start: str) -> Iterator[str]:
    """Yield the names of all shapes with fields that a body of shape *start* can have in it."""
    waiting, seen = [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += references(SCHEMAS[name])
            if "properties" in SCHEMAS[name]:
                yield name


def references(schema: Any) -> Iterator[str]:
    """Yield the names of the schemas that one refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def test_every_field_of_a_capture_has_its_proof() -> None:
    fields = {f"{shape}.{field}" for shape in shapes("ScreenshotRequest") for field in SCHEMAS[shape]["properties"]}
    proved = {f"{shape}.{field}" for shape, proofs in TABLE.items() for field in proofs}
    assert fields == proved | set(WITHOUT_PROOF)
    assert not proved & set(WITHOUT_PROOF)


def test_every_proof_is_a_test() -> None:
    for proofs in TABLE.values():
        assert all(proof.__name__.startswith("test_") for proof in proofs.values())
