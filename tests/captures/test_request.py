import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from allscreenshots_box import validation
from allscreenshots_box.captures import browser_session
from allscreenshots_box.captures import request as orders
from allscreenshots_box.captures.request import ScreenshotRequest, shot_of
from allscreenshots_box.errors import InvalidDevice, InvalidRequest
from allscreenshots_box.render import devices
from allscreenshots_box.render.shot import (
    BlockOptions,
    BrowserSession,
    Click,
    Cookie,
    Extract,
    Field,
    Header,
    Hover,
    Html,
    Markdown,
    Output,
    Pdf,
    Picture,
    Press,
    Scroll,
    Select,
    Shot,
    Storage,
    Type,
    Wait,
    Window,
)

URL = "https://example.com"


@pytest.mark.parametrize(
    ("fields", "scale"),
    [
        ({"deviceScaleFactor": 3}, 3),
        ({"deviceScaleFactor": 3, "viewport": {"width": 640}}, 3),
        ({"deviceScaleFactor": 3, "viewport": {"deviceScaleFactor": 1}}, 3),
        ({"deviceScaleFactor": None, "viewport": {"deviceScaleFactor": 2}}, 2),
        ({"deviceScaleFactor": 1, "device": "iPhone 14"}, 3),  # a device is stronger than both
    ],
)
def test_the_scale_may_stand_outside_of_the_viewport(fields: dict[str, Any], scale: int) -> None:
    assert ordered(**fields).window.scale == scale


@pytest.mark.parametrize("fields", [{"stealth": True}, {"stealth": True, "stealthMode": False}, {"stealthMode": True}])
def test_stealth_has_two_names(fields: dict[str, bool]) -> None:
    assert ordered(**fields).stealth


@pytest.mark.parametrize("raw", ['{"url": "https://example.com"}', ' {"url": "https://example.com"}\r\n'])
def test_a_byte_order_mark_before_the_body_is_no_part_of_it(raw: str) -> None:
    assert validation.read(ScreenshotRequest, raw.encode("utf-8-sig"))[0].url == URL


@pytest.mark.parametrize("raw", ["", "[]"])
def test_a_byte_order_mark_alone_is_as_good_as_nothing(raw: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^url is required\.$"):
        validation.read(ScreenshotRequest, raw.encode("utf-8-sig"))


def ordered(**fields: Any) -> Shot:
    request, ignored = validation.read(ScreenshotRequest, json.dumps({"url": URL, **fields}).encode())
    assert ignored == []
    return shot_of(request)


def problems_of(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        shot_of(validation.read(ScreenshotRequest, json.dumps(body).encode())[0])
    return caught.value.problems


# --- every option wrong in every way ------------------------------------------------------------

# Each shape by the path that it has in a body, with what it needs to be good.
ACTIONS: dict[str, dict[str, Any]] = {
    "click": {"selector": "a"},
    "type": {"selector": "a", "text": "t"},
    "press": {"key": "Enter"},
    "hover": {"selector": "a"},
    "select": {"selector": "a", "value": "v"},
    "scroll": {"y": 1},
    "wait": {"ms": 1},
}
OUTPUTS: dict[str, dict[str, Any]] = {
    "screenshot": {},
    "pdf": {},
    "html": {},
    "markdown": {},
    "json": {"schema": {"title": {"selector": "a"}}},
}
SHAPES: dict[str, tuple[type[validation.WireModel], dict[str, Any]]] = {
    "": (ScreenshotRequest, {"url": URL}),
    "viewport": (orders.ViewportConfig, {}),
    "session": (browser_session.BrowserSessionRequest, {}),
    "session.cookies[0]": (browser_session.BrowserCookieRequest, {"name": "n"}),
    "session.headers[0]": (browser_session.BrowserHeaderRequest, {"name": "X-N"}),
    "session.storage[0]": (browser_session.BrowserStorageOriginRequest, {"origin": URL}),
    "outputs[0].schema.title": (orders.JsonFieldSpec, {"selector": "a"}),
    **{
        f"actions[0]:{shape.__struct_config__.tag}": (shape, {"type": tag, **ACTIONS[tag]})
        for shape in orders.PageAction.__subclasses__()
        if (tag := str(shape.__struct_config__.tag))
    },
    **{
        f"outputs[0]:{shape.__struct_config__.tag}": (shape, {"type": tag, **OUTPUTS[tag]})
        for shape in orders.OutputSpec.__subclasses__()
        if (tag := str(shape.__struct_config__.tag))
    },
}
PATHS = sorted(
    (shape, field.encode_name) for shape, (kind, _) in SHAPES.items() for field in msgspec.structs.fields(kind)
)


def body_with(shape: str, field: str, value: Any) -> dict[str, Any]:
    """Return a body that is good but for one field of one shape in it."""
    inner = {**SHAPES[shape][1], field: value}
    match shape.partition(":")[0]:
        case "":
            return inner
        case "viewport" | "session" as name:
            return {"url": URL, name: inner}
        case "outputs[0].schema.title":
            return {"url": URL, "outputs": [{"type": "json", "schema": {"title": inner}}]}
        case "actions[0]" | "outputs[0]" as name:
            return {"url": URL, name[:-3]: [inner]}
        case name:
            return {"url": URL, "session": {name[8:-3]: [inner]}}


NUMBERS = {  # bounds of every number there is
    "delay": (0, 30_000),
    "timeout": (1_000, 60_000),
    "quality": (1, 100),
    "scrollInterval": (50, 1_000),
    "maxSections": (1, 50),
    "maxHeight": (1_000, 30_000),
    "viewport.width": (100, 4_096),
    "viewport.height": (100, 4_096),
    "viewport.deviceScaleFactor": (1, 3),
    "deviceScaleFactor": (1, 3),
    "session.cookies[0].expires": (-1, 253_402_300_799),
    "actions[0]:scroll.y": (-1_000_000, 1_000_000),
    "actions[0]:wait.ms": (0, 30_000),
    "outputs[0]:screenshot.quality": (1, 100),
    **{f"actions[0]:{kind}.timeout": (100, 60_000) for kind in ACTIONS},
}
WORDS = {
    "format": ["png", "jpeg", "jpg", "webp", "pdf"],
    "fullPageMode": ["native", "stitch"],
    "waitUntil": ["load", "domcontentloaded", "networkidle", "commit"],
    "blockLevel": ["none", "light", "normal", "pro", "pro_plus", "ultimate"],
    "responseType": ["BINARY", "BASE64"],
    "session.cookies[0].sameSite": ["strict", "lax", "none", "no_restriction", "unspecified"],
    "outputs[0]:screenshot.format": ["png", "jpeg", "jpg", "webp"],
    "outputs[0]:pdf.format": ["A0", "A1", "A2", "A3", "A4", "A5", "A6", "Letter", "Legal", "Tabloid", "Ledger"],
    "outputs[0].schema.title.type": ["text", "html"],
}
FLAGS = [
    "fullPage",
    "freezeFixed",
    "darkMode",
    "blockAds",
    "blockCookieBanners",
    "blockPopups",
    "stealthMode",
    "stealth",
    "failOnHttpError",
    "shareRendering",
    "settle",
    "session.cookies[0].httpOnly",
    "session.cookies[0].secure",
    "actions[0]:type.clear",
    "actions[0]:scroll.toBottom",
    "actions[0]:wait.networkIdle",
    "outputs[0]:screenshot.fullPage",
    "outputs[0]:pdf.landscape",
    "outputs[0]:pdf.printBackground",
    "outputs[0]:html.clean",
    "outputs[0]:html.mainContentOnly",
    "outputs[0]:markdown.mainContentOnly",
    "outputs[0].schema.title.multiple",
    *(f"actions[0]:{kind}.optional" for kind in ACTIONS),
]
TEXTS = {  # the longest, and whether there must be something
    "selector": (500, False),
    "waitFor": (500, False),
    "customCss": (10_000, False),
    "session.cookies[0].name": (512, True),
    "session.cookies[0].value": (4_096, False),
    "session.cookies[0].domain": (255, False),
    "session.cookies[0].path": (2_048, False),
    "session.headers[0].name": (128, True),
    "session.headers[0].value": (8_192, False),
    "actions[0]:click.selector": (500, True),
    "actions[0]:type.selector": (500, True),
    "actions[0]:type.text": (10_000, False),
    "actions[0]:press.key": (64, True),
    "actions[0]:press.selector": (500, False),
    "actions[0]:hover.selector": (500, True),
    "actions[0]:select.selector": (500, True),
    "actions[0]:select.value": (1_000, False),
    "actions[0]:scroll.selector": (500, False),
    "actions[0]:wait.selector": (500, False),
    "outputs[0]:screenshot.selector": (500, False),
    "outputs[0].schema.title.selector": (500, True),
    "outputs[0].schema.title.attribute": (100, False),
    **{f"outputs[0]:{kind}.id": (64, False) for kind in OUTPUTS},
}
LISTS: dict[str, tuple[int, Any]] = {  # the longest, and what stands in it
    "hideSelectors": (50, "a"),
    "actions": (25, {"type": "click", "selector": "a"}),
    "outputs": (10, {"type": "pdf"}),
    "session.cookies": (200, {"name": "n"}),
    "session.headers": (100, {"name": "X-N"}),
    "session.storage": (5, {"origin": URL}),
}
MAPS: dict[str, tuple[int, int, Any]] = {  # the fewest and the most entries, and one of them
    "outputs[0]:json.schema": (1, 100, {"selector": "a"}),
    "session.storage[0].localStorage": (0, 1_000, "v"),
    "session.storage[0].sessionStorage": (0, 1_000, "v"),
}
OTHERS: dict[str, list[Any]] = {  # wrong in ways of their own
    "url": ["", 3, None],
    "device": [3, "x" * 101, "iPhone 99", {}],
    "viewport": [3, "big", [1]],
    "session": [3, "x", [1]],
    "webhookUrl": [3, "https://example.com/hook"],
    "webhookSecret": [3, "s"],
    "session.headers[0].origin": [3, "example.com", "ftp://example.com", f"{URL}/", "https://u@a.b", "https://a?b"],
    "session.storage[0].origin": [3, "", None, "x" * 256, "https://", "https://a b", "https://a:b", f"{URL}/path"],
}


def each(path: str, *values: Any) -> Iterator[tuple[str, Any]]:
    return ((path, value) for value in values)


def wrong() -> Iterator[tuple[str, Any]]:
    """Yield every option with every kind of value that it must not have."""
    for path, (low, high) in NUMBERS.items():
        yield from each(path, low - 1, high + 1, "1", True, [], {}, 1e300)
        if not path.endswith("expires"):
            yield path, low + 0.5
    for path in WORDS:
        yield from each(path, "gif", "", 3, True, [], {})
    for path in FLAGS:
        yield from each(path, "true", 0, 1, [], {})
    for path, (most, needed) in TEXTS.items():
        yield from each(path, "x" * (most + 1), 3, True, ["x"], {})
        if needed:
            yield from each(path, "", None)
    for path, (longest, item) in LISTS.items():
        yield from each(path, [item] * (longest + 1), "x", 3, {"a": 1})
    for path, (fewest, most, entry) in MAPS.items():
        yield from each(path, {f"k{n}": entry for n in range(most + 1)}, "x", 3, [1])
        if fewest:
            yield from each(path, {}, [], None, {"": entry}, {"x" * 101: entry})
    yield from ((path, value) for path, values in OTHERS.items() for value in values)


def split(path: str) -> tuple[str, str]:
    """Return the shape that a path leads into, and the field of it."""
    shape, _, field = path.rpartition(".")
    return shape, field


def wire_path(path: str) -> str:
    """Return a path as callers know it: the kind of an action is not part of it."""
    shape, field = split(path)
    shape = shape.partition(":")[0]
    return f"{shape}.{field}" if shape else field


@pytest.mark.parametrize(("path", "value"), list(wrong()), ids=lambda part: str(part)[:40])
def test_every_option_that_is_wrong_is_named_by_its_path(path: str, value: Any) -> None:
    assert list(problems_of(body_with(*split(path), value))) == [wire_path(path)]


def test_every_option_is_in_the_table() -> None:
    tables: list[Any] = [NUMBERS, WORDS, FLAGS, TEXTS, LISTS, MAPS, OTHERS]
    assert sorted(split(path) for table in tables for path in table) == PATHS


GOOD: list[tuple[str, Any]] = [
    *((path, value) for path, bounds in NUMBERS.items() for value in (*bounds, float(bounds[0]))),
    *((path, spelled) for path, words in WORDS.items() for word in words for spelled in (word, word.swapcase())),
    *((path, value) for path in FLAGS for value in (True, False)),
    *((path, "x" * most) for path, (most, _) in TEXTS.items()),
    *((path, "") for path, (_, needed) in TEXTS.items() if not needed),
    *((path, [item] * most) for path, (most, item) in LISTS.items()),
    *((path, []) for path in LISTS),
    *((path, {f"k{n}": entry for n in range(most)}) for path, (_, most, entry) in MAPS.items()),
    *each("viewport", [], {}),
    *each("session", [], {}),
    ("device", ""),
    ("webhookUrl", ""),
]
NEEDED = {path for path, (_, needed) in TEXTS.items() if needed} | {
    "url",
    "session.storage[0].origin",
    "outputs[0]:json.schema",
    "actions[0]:type.text",
    "actions[0]:select.value",
    "actions[0]:scroll.y",  # without it, these two have nothing to do
    "actions[0]:wait.ms",
}


@pytest.mark.parametrize(("path", "value"), GOOD, ids=lambda part: str(part)[:40])
def test_an_option_at_its_bound_is_good(path: str, value: Any) -> None:
    assert isinstance(ordered(**body_with(*split(path), value)), Shot)


@pytest.mark.parametrize("path", [f"{shape}.{field}" if shape else field for shape, field in PATHS])
def test_null_leaves_an_option_out(path: str) -> None:
    body = body_with(*split(path), None)
    if path in NEEDED:
        assert len(problems_of(body)) == 1
    else:
        assert isinstance(ordered(**body), Shot)


# --- problems between fields --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        (
            {"actions": [{"type": "zap"}, 3, {}, {"type": 3}, []]},
            {
                "actions[0].type": "must be one of click, type, press, hover, select, scroll, wait",
                "actions[1]": "must be an object",
                "actions[2].type": "must be one of click, type, press, hover, select, scroll, wait",
                "actions[3].type": "must be one of click, type, press, hover, select, scroll, wait",
                "actions[4]": "must be an object",
            },
        ),
        ({"outputs": [{"type": "gif"}]}, {"outputs[0].type": "must be one of screenshot, pdf, html, markdown, json"}),
        ({"actions": [{"type": "wait"}]}, {"actions[0]": "must have one of ms, selector, networkIdle"}),
        (
            {"actions": [{"type": "wait", "selector": "", "networkIdle": False}]},
            {"actions[0]": "must have one of ms, selector, networkIdle"},
        ),
        ({"actions": [{"type": "scroll"}]}, {"actions[0]": "must have one of selector, y, toBottom"}),
        (
            {"actions": [{"type": "click", "selector": "a"}] * 2 + [{"type": "type"}]},
            {"actions[2].selector": "is required", "actions[2].text": "is required"},
        ),
        ({"hideSelectors": ["a", 3]}, {"hideSelectors[1]": "must be text of at most 500 characters"}),
        (
            {"outputs": [{"type": "pdf", "id": "a"}, {"type": "html", "id": "a"}]},
            {"outputs[1].id": "must not be the same as that of outputs[0]"},
        ),
        ({"outputs": [{"type": "pdf", "id": "a/b"}]}, {"outputs[0].id": "must be letters, digits, _ and -"}),
        (
            {"outputs": [{"type": "json", "schema": {"t": {"selector": "a", "type": "attribute"}}}]},
            {"outputs[0].schema.t.attribute": "is required where type is attribute"},
        ),
        (
            {"outputs": [{"type": "json", "schema": {"t": {"selector": "a", "type": "html", "attribute": "b"}}}]},
            {"outputs[0].schema.t.attribute": "goes with type attribute only"},
        ),
        (
            {"session": {"storage": [{"origin": URL, "localStorage": {"k": 3}}]}},
            {"session.storage[0].localStorage.k": "must be text"},
        ),
        (
            {"responseType": "json"},
            {"responseType": "must be BINARY or BASE64 in this version; URL and JSON are not supported yet"},
        ),
        (
            {"webhookUrl": "x", "delay": "1", "session": {"headers": [{"name": "X", "value": "a\nb"}]}},
            {
                "delay": "must be a whole number from 0 to 30000",
                "session.headers[0].value": "must be one line",
            },
        ),
    ],
)
def test_problems_are_told_with_their_paths(fields: dict[str, Any], problems: dict[str, str]) -> None:
    assert problems_of({"url": URL, **fields}) == problems


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Transfer-Encoding", "connection", "Proxy-Authorization", "TE", "Trailer", "Keep-Alive"],
)
def test_headers_of_the_connection_are_refused(name: str) -> None:
    assert list(problems_of({"url": URL, "session": {"headers": [{"name": name}]}})) == ["session.headers[0].name"]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "a\x00b", "a\x7f"])
def test_a_header_is_one_line(value: str) -> None:
    headers = [{"name": "X", "value": value}]
    assert list(problems_of({"url": URL, "session": {"headers": headers}})) == ["session.headers[0].value"]


@pytest.mark.parametrize(
    ("cookie", "field"),
    [
        ({"name": "a=b"}, "name"),
        ({"name": "a;b"}, "name"),
        ({"name": "a", "value": "b;c"}, "value"),
        ({"name": "a", "value": "b\n"}, "value"),
        ({"name": "a", "domain": "b;c"}, "domain"),
        ({"name": "a", "path": "/\x00"}, "path"),
    ],
)
def test_what_no_cookie_can_hold_is_refused(cookie: dict[str, str], field: str) -> None:
    assert list(problems_of({"url": URL, "session": {"cookies": [cookie]}})) == [f"session.cookies[0].{field}"]


def test_an_answer_names_a_bounded_number_of_problems() -> None:
    storage = [{"origin": URL, "localStorage": {f"{'k' * 100}{n}": n for n in range(1000)}} for _ in range(5)]
    cookies = [{"name": ""}] * 200
    problems = problems_of({"url": URL, "session": {"cookies": cookies, "storage": storage}})
    assert len(problems) == validation.MOST_PROBLEMS
    assert max(map(len, problems)) < 120


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "session",
    [
        {"cookies": [{"name": "a", "value": SECRET, "expires": "x"}]},
        {"cookies": [{"name": "a", "value": SECRET + ";"}]},
        {"headers": [{"name": "Host", "value": SECRET}]},
        {"headers": [{"name": "X", "value": SECRET + "\n"}]},
        {"storage": [{"origin": "x", "localStorage": {"k": SECRET}}]},
        {"storage": [{"origin": URL, "localStorage": {"k": [SECRET]}}]},
    ],
)
def test_no_secret_is_repeated(session: dict[str, Any]) -> None:
    assert SECRET not in str(problems_of({"url": URL, "session": session}))


def test_a_body_tells_nothing_of_itself_when_it_is_printed() -> None:
    fields = {"session": {"cookies": [{"name": "a", "value": SECRET}]}, "customCss": SECRET}
    request, _ = validation.read(ScreenshotRequest, json.dumps({"url": URL, **fields}).encode())
    assert SECRET not in repr(request) + repr(request.session)
    assert SECRET not in repr(shot_of(request).session)


def test_unknown_fields_are_ignored_by_their_paths() -> None:
    body = {
        "url": URL,
        "fulPage": True,
        "viewport": {"widht": 3},
        "actions": [{"type": "click", "selector": "a", "force": True}],
        "session": {"cookies": [{"name": "a", "priority": "x"}]},
        "outputs": [{"type": "json", "tpye": 1, "schema": {"t": {"selector": "a", "typ": "text"}}}],
    }
    _, ignored = validation.read(ScreenshotRequest, json.dumps(body).encode())
    assert ignored == [
        "viewport.widht",
        "actions[0].force",
        "session.cookies[0].priority",
        "outputs[0].schema.t.typ",
        "outputs[0].tpye",
        "fulPage",
    ]


# --- what becomes of it -------------------------------------------------------------------------

DEFAULTS: dict[str, Any] = {
    "viewport": {"width": 1920, "height": 1080, "deviceScaleFactor": 1},
    "deviceScaleFactor": None,
    "device": None,
    "format": "png",
    "quality": 80,
    "fullPage": False,
    "fullPageMode": "stitch",
    "scrollInterval": 150,
    "maxSections": 50,
    "maxHeight": None,
    "freezeFixed": True,
    "selector": None,
    "hideSelectors": None,
    "customCss": None,
    "darkMode": False,
    "waitUntil": "domcontentloaded",
    "waitFor": None,
    "delay": 0,
    "timeout": 30000,
    "blockAds": True,
    "blockCookieBanners": True,
    "blockPopups": True,
    "blockLevel": "none",
    "stealthMode": False,
    "stealth": False,
    "actions": None,
    "session": None,
    "outputs": None,
    "responseType": "BINARY",
    "failOnHttpError": False,
    "shareRendering": False,
    "settle": True,
    "webhookUrl": None,
    "webhookSecret": None,
}


def test_every_default_can_be_spelled_out() -> None:
    assert set(DEFAULTS) == {name for shape, name in PATHS if not shape} - {"url"}
    assert ordered(**DEFAULTS) == ordered() == Shot(url=URL)


@pytest.mark.parametrize("empty", ["", [], None])
def test_what_is_empty_is_as_good_as_none(empty: Any) -> None:
    texts = ["device", "selector", "customCss", "waitFor", "webhookUrl", "webhookSecret"]
    objects = ["viewport", "session", "hideSelectors", "actions", "outputs"]
    names = texts * (empty != []) + objects * (empty != "")
    assert ordered(**dict.fromkeys(names, empty)) == Shot(url=URL)


@pytest.mark.parametrize(
    ("field", "value", "attribute", "expected"),
    [
        ("format", "JPG", "outputs", (Picture(format="jpeg"),)),
        ("format", "WebP", "outputs", (Picture(format="webp"),)),
        ("format", "pdf", "outputs", (Pdf(paper="A4"),)),
        ("quality", 5, "outputs", (Picture(quality=5),)),
        ("fullPage", True, "outputs", (Picture(full_page=True),)),
        ("selector", "h1", "outputs", (Picture(selector="h1"),)),
        ("fullPageMode", "NATIVE", "stitch", False),
        ("scrollInterval", 50, "scroll_interval", 0.05),
        ("maxSections", 3, "max_sections", 3),
        ("maxHeight", 5000, "max_height", 5000),
        ("freezeFixed", False, "freeze_fixed", False),
        ("hideSelectors", [".a", "", "#b"], "hide_selectors", (".a", "#b")),
        ("customCss", "p {}", "custom_css", "p {}"),
        ("darkMode", True, "dark_mode", True),
        ("waitUntil", "LOAD", "wait_until", "load"),
        ("waitUntil", "commit", "wait_until", "commit"),
        ("waitFor", "#x", "wait_for", "#x"),
        ("delay", 1500, "delay", 1.5),
        ("timeout", 1000, "timeout", 1.0),
        ("blockAds", False, "blocked", BlockOptions(ads=False)),
        ("blockCookieBanners", False, "blocked", BlockOptions(cookie_banners=False)),
        ("blockPopups", False, "blocked", BlockOptions(popups=False)),
        ("blockLevel", "PRO_PLUS", "blocked", BlockOptions(level="pro_plus")),
        ("stealthMode", True, "stealth", True),
        ("failOnHttpError", True, "fail_on_http_error", True),
        ("shareRendering", True, "share", True),
        ("settle", False, "settle", False),
        ("viewport", {"width": 4096}, "window", Window(width=4096)),
        ("viewport", {"height": 600.0}, "window", Window(height=600)),
        ("viewport", {"deviceScaleFactor": 2}, "window", Window(scale=2)),
        ("device", "ipad_air", "window", devices.find("iPad Air")),
        ("responseType", "base64", "outputs", (Picture(),)),
    ],
)
def test_a_field_becomes_its_part_of_the_shot(field: str, value: Any, attribute: str, expected: Any) -> None:
    shot = ordered(**{field: value})
    assert getattr(shot, attribute) == expected
    assert {name for name in vars(shot) if getattr(shot, name) != getattr(Shot(url=URL), name)} <= {attribute}


def test_a_pdf_can_be_of_an_element() -> None:
    assert ordered(format="pdf", selector="h1").outputs == (Pdf(paper="A4", selector="h1"),)


def test_a_device_is_stronger_than_a_viewport() -> None:
    assert ordered(device="iPhone 14", viewport={"width": 500}).window == devices.find("iPhone 14")


def test_an_unknown_device_has_a_code_and_the_nearest_names() -> None:
    with pytest.raises(InvalidDevice) as caught:
        ordered(device="iPhone 99")
    assert list(caught.value.problems) == ["device"]
    assert all(name in caught.value.message for name in devices.nearest("iPhone 99"))
    assert "99" not in caught.value.message


@pytest.mark.parametrize(
    ("action", "step"),
    [
        ({"type": "click", "selector": "a"}, Click(selector="a")),
        ({"type": "CLICK", "selector": "a", "optional": True}, Click(selector="a", optional=True)),
        ({"type": "click", "selector": "a", "timeout": 1500}, Click(selector="a", timeout=1.5)),
        ({"type": "type", "selector": "a", "text": ""}, Type(selector="a", text="")),
        ({"type": "type", "selector": "a", "text": "t", "clear": False}, Type(selector="a", text="t", clear=False)),
        ({"type": "press", "key": "Enter"}, Press(key="Enter")),
        ({"type": "press", "key": "a", "selector": "b"}, Press(key="a", selector="b")),
        ({"type": "press", "key": "a", "selector": ""}, Press(key="a")),
        ({"type": "hover", "selector": "a"}, Hover(selector="a")),
        ({"type": "select", "selector": "a", "value": ""}, Select(selector="a", value="")),
        ({"type": "scroll", "selector": "a"}, Scroll(selector="a")),
        ({"type": "scroll", "y": 0}, Scroll(y=0)),
        ({"type": "scroll", "y": -5.0}, Scroll(y=-5)),
        ({"type": "scroll", "toBottom": True}, Scroll(to_bottom=True)),
        ({"type": "wait", "ms": 0}, Wait(seconds=0)),
        ({"type": "wait", "ms": 1500}, Wait(seconds=1.5)),
        ({"type": "wait", "selector": "a"}, Wait(selector="a")),
        ({"type": "wait", "networkIdle": True}, Wait(network_idle=True)),
    ],
)
def test_an_action_becomes_a_step(action: dict[str, Any], step: object) -> None:
    assert ordered(actions=[action]).actions == (step,)


def test_actions_keep_their_order() -> None:
    kinds = [{"type": kind, **needs} for kind, needs in ACTIONS.items()]
    assert [type(step).__name__.lower() for step in ordered(actions=kinds).actions] == list(ACTIONS)


@pytest.mark.parametrize(
    ("spec", "output"),
    [
        ({"type": "screenshot"}, Picture()),
        (
            {"type": "screenshot", "format": "jpg", "quality": 5, "fullPage": True, "selector": "a", "id": "x-Y_1"},
            Picture(id="x-Y_1", format="jpeg", quality=5, full_page=True, selector="a"),
        ),
        ({"type": "PDF"}, Pdf()),
        ({"type": "pdf", "format": None}, Pdf(paper="A4")),
        (
            {"type": "pdf", "format": "LETTER", "landscape": True, "printBackground": False},
            Pdf(paper="Letter", landscape=True, background=False),
        ),
        ({"type": "html"}, Html()),
        ({"type": "html", "clean": False, "mainContentOnly": True}, Html(clean=False, main=True)),
        ({"type": "markdown"}, Markdown()),
        ({"type": "markdown", "mainContentOnly": False}, Markdown(main=False)),
        (
            {
                "type": "json",
                "schema": {
                    "a": {"selector": "h1"},
                    "b": {"selector": "p", "type": "HTML", "multiple": True},
                    "c": {"selector": "a", "type": "attribute", "attribute": "href"},
                    "d": {"selector": "a", "attribute": "href"},
                },
            },
            Extract(
                fields=(
                    Field(name="a", selector="h1"),
                    Field(name="b", selector="p", taken="html", multiple=True),
                    Field(name="c", selector="a", taken="attribute", attribute="href"),
                    Field(name="d", selector="a", taken="attribute", attribute="href"),
                )
            ),
        ),
    ],
)
def test_an_output_is_what_it_says(spec: dict[str, Any], output: Output) -> None:
    assert ordered(outputs=[spec]) == Shot(url=URL, outputs=(output,), several=True)


def test_outputs_do_not_heed_the_fields_of_the_single_picture() -> None:
    fields = {"format": "webp", "quality": 5, "fullPage": True, "selector": "h1"}
    assert ordered(outputs=[{"type": "screenshot"}], **fields).outputs == (Picture(),)


@pytest.mark.parametrize(
    ("specs", "ids"),
    [
        (["pdf", "screenshot"], ["pdf", "screenshot"]),
        (["pdf", "pdf", "html", "pdf"], ["pdf", "pdf-2", "html", "pdf-3"]),
        (["pdf", {"type": "html", "id": "pdf"}], ["pdf-2", "pdf"]),
        ([{"type": "pdf", "id": "pdf-2"}, "pdf", "pdf"], ["pdf-2", "pdf", "pdf-3"]),
        ([{"type": "pdf", "id": ""}], ["pdf"]),
        (["pdf"] * 10, ["pdf", *(f"pdf-{number}" for number in range(2, 11))]),
    ],
)
def test_every_output_has_a_name_of_its_own(specs: list[Any], ids: list[str]) -> None:
    outputs = [{"type": spec} if isinstance(spec, str) else spec for spec in specs]
    assert [output.id for output in ordered(outputs=outputs).outputs] == ids


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ({"name": "a"}, Cookie(name="a")),
        ({"name": "a", "value": "b=c", "domain": "", "path": ""}, Cookie(name="a", value="b=c")),
        (
            {"name": "a", "domain": ".b.c", "path": "/d", "expires": 2e9, "httpOnly": True, "secure": True},
            Cookie(name="a", domain=".b.c", path="/d", expires=2e9, http_only=True, secure=True),
        ),
        ({"name": "a", "expires": -1}, Cookie(name="a")),
        ({"name": "a", "expires": 0}, Cookie(name="a", expires=0)),
        ({"name": "a", "sameSite": "strict"}, Cookie(name="a", same_site="Strict")),
        ({"name": "a", "sameSite": "Lax"}, Cookie(name="a", same_site="Lax")),
        ({"name": "a", "sameSite": "none"}, Cookie(name="a", same_site="None")),
        ({"name": "a", "sameSite": "no_restriction"}, Cookie(name="a", same_site="None")),
        ({"name": "a", "sameSite": "unspecified"}, Cookie(name="a")),
        ({"name": "a", "httpOnly": None, "secure": None, "sameSite": None}, Cookie(name="a")),
    ],
)
def test_a_cookie_is_what_it_says(cookie: dict[str, Any], expected: Cookie) -> None:
    assert ordered(session={"cookies": [cookie]}).session == BrowserSession(cookies=(expected,))


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, None),
        ("https://example.com", "https://example.com"),
        ("https://Example.COM:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://127.1", "http://127.0.0.1"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_a_header_goes_to_one_origin(origin: str | None, expected: str | None) -> None:
    header = {"name": "X-Token", "value": "a\tb é", "origin": origin}
    made = BrowserSession(headers=(Header(name="X-Token", value="a\tb é", origin=expected),))
    assert ordered(session={"headers": [header]}).session == made


def test_storage_is_of_one_origin() -> None:
    storage = {"origin": "https://A.b", "localStorage": {"k": "v", "": ""}, "sessionStorage": []}
    made = BrowserSession(storage=(Storage(origin="https://a.b", local={"k": "v", "": ""}),))
    assert ordered(session={"storage": [storage]}).session == made
