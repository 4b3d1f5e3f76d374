import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlite_utils
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import errors, keys
from allscreenshots_box.api import screenshots
from allscreenshots_box.errors import BoxError, Overloaded, SelectorNotFound
from allscreenshots_box.keys import authentication, plans
from allscreenshots_box.render.shot import Click, Product, Rendering, Shot
from tests.conftest import StandIn

pytestmark = pytest.mark.long

Api = TestClient[Litestar]

UNAUTHORIZED = b'{"error":"unauthorized","message":"Invalid or missing API key"}'
SHOT = {"url": "https://example.com"}
GENERATED = {"User-Agent": "OpenAPI-Generator/2.0.0/python"}


def test_the_answer_is_the_picture(api: Api, as_key: dict[str, str]) -> None:
    answer = api.post("/v1/screenshots", json=SHOT, headers=as_key)
    assert answer.status_code == 200
    assert answer.content == b"a picture of https://example.com"
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["x-target-status"] == "200"
    assert {"x-render-time-ms", "x-queue-time-ms", "x-target-url", "x-request-id"} <= set(answer.headers)


@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("pdf", "application/pdf"),
    ],
)
def test_a_file_has_its_content_type(api: Api, as_key: dict[str, str], format: str, kind: str) -> None:  # noqa: A002
    answer = api.post("/v1/screenshots", json={**SHOT, "format": format}, headers=as_key)
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com", "example.com.png"),
        ("http://WWW.Example.com.:8080/a/b.html?c=d#e", "www.example.com.png"),
        ("http://user:secret@example.com/", "example.com.png"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example.png"),
        ("http://a_b.example/", "a-b.example.png"),
        ("http://127.1/", "127.0.0.1.png"),
        ("http://[2001:db8::1]/", "2001-db8-1.png"),
        ("http://[::1]/", "1.png"),
        ("http://--/", "screenshot.png"),
        (f"http://{'a' * 63}.{'b' * 63}.example/", f"{'a' * 63}.png"),
    ],
)
def test_a_file_is_saved_by_the_name_of_its_host(api: Api, as_key: dict[str, str], url: str, name: str) -> None:
    answer = api.post("/v1/screenshots", json={"url": url}, headers=as_key)
    assert answer.headers["content-disposition"] == f'inline; filename="{name}"'


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"format": "jpg"}, 'inline; filename="example.com.jpeg"'),
        ({"format": "webp"}, 'inline; filename="example.com.webp"'),
        ({"format": "pdf"}, 'inline; filename="example.com.pdf"'),
        ({"responseType": "BASE64"}, None),
        ({"outputs": [{"type": "markdown"}]}, None),
    ],
)
def test_only_a_file_has_a_name(api: Api, as_key: dict[str, str], body: dict[str, Any], told: str | None) -> None:
    assert api.post("/v1/screenshots", json=SHOT | body, headers=as_key).headers.get("content-disposition") == told


def test_base64_is_the_picture_in_json(api: Api, as_key: dict[str, str], renderer: StandIn) -> None:
    renderer.rendering = replace(renderer.rendering, render_seconds=1.2345)
    body = {**SHOT, "responseType": "base64", "format": "jpg", "viewport": {"width": 640, "height": 480}}
    answer = api.post("/v1/screenshots", json=body, headers=as_key)
    picture = b"a picture of https://example.com"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "url": "https://example.com",
        "format": "jpeg",
        "contentType": "image/jpeg",
        "width": 640,
        "height": 480,
        "size": len(picture),
        "renderTimeMs": 1234,
        "cached": False,
        "resultUrl": None,
        "storageUrl": None,
        "expiresAt": None,
        "data": base64.b64encode(picture).decode(),
        "encoding": "base64",
    }


def test_the_width_of_a_pdf_is_that_of_the_window(api: Api, as_key: dict[str, str]) -> None:
    body = {**SHOT, "responseType": "BASE64", "format": "pdf", "viewport": {"width": 640}}
    told = api.post("/v1/screenshots", json=body, headers=as_key).json()
    assert (told["width"], told["height"], told["format"]) == (640, None, "pdf")
    assert base64.b64decode(told["data"]).startswith(b"%PDF-")


@pytest.mark.parametrize("response_type", ["BINARY", "BASE64"])
def test_outputs_come_together_as_json(api: Api, as_key: dict[str, str], response_type: str) -> None:
    specs = [
        {"type": "screenshot", "format": "webp", "id": "a"},
        {"type": "pdf"},
        {"type": "html"},
        {"type": "markdown"},
        {"type": "json", "schema": {"b": {"selector": "b"}, "c": {"selector": "c", "multiple": True}}},
    ]
    body = {**SHOT, "outputs": specs, "responseType": response_type}
    answer = api.post("/v1/screenshots", json=body, headers=as_key)
    told = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert (told["url"], told["renderTimeMs"]) == ("https://example.com", 0)
    picture, pdf, html, markdown, extract = told["outputs"].values()
    assert list(told["outputs"]) == ["a", "pdf", "html", "markdown", "json"]
    data = base64.b64encode(b"a picture of https://example.com").decode()
    size = {"width": 1920, "height": 1080}
    assert picture == {"type": "screenshot", "contentType": "image/webp", "size": 32, "encoding": "base64", **size} | {
        "data": data
    }
    assert (pdf["contentType"], pdf["encoding"], pdf["width"]) == ("application/pdf", "base64", None)
    assert (html["contentType"], html["encoding"], html["data"]) == (
        "text/html",
        "utf-8",
        '<p title="\\">caf\u00e9 \U0001f600\n',
    )
    assert (markdown["contentType"], markdown["encoding"], markdown["data"]) == ("text/markdown", "utf-8", "# Title\n")
    assert (extract["contentType"], extract["encoding"], extract["data"]) == (
        "application/json",
        "json",
        {"b": None, "c": []},
    )
    assert html["size"] == len(html["data"].encode())


@pytest.mark.parametrize("size", [0, 1, screenshots.STRETCH - 1, screenshots.STRETCH, screenshots.STRETCH * 2 + 1])
def test_data_is_whole_whatever_its_size(size: int) -> None:
    content = ('\u00e9"\n' * size)[:size].encode()
    pictures = [Product(id="a", type="screenshot", format="png", content=content)]
    products = [*pictures, Product(id="b", type="html", format="html", content=content)]
    rendering = Rendering(products=tuple(products), target_status=200, target_url="")
    one = json.loads(screenshots._one_as_json(Shot(url="x"), rendering))
    both = json.loads(screenshots._several_as_json(Shot(url="x"), rendering))["outputs"]
    assert base64.b64decode(one["data"]) == base64.b64decode(both["a"]["data"]) == both["b"]["data"].encode() == content


@pytest.mark.parametrize("body", [{}, {"responseType": "BASE64"}, {"outputs": [{"type": "pdf"}]}])
def test_every_answer_tells_how_it_went(api: Api, as_key: dict[str, str], renderer: StandIn, body: Any) -> None:
    plain = api.post("/v1/screenshots", json=SHOT | body, headers=as_key).headers
    assert {"x-not-awaited", "x-truncated"} & set(plain) == set()
    renderer.rendering = replace(
        renderer.rendering, target_status=404, not_awaited=("load", "fonts"), truncated=True, render_seconds=1.5
    )
    told = api.post("/v1/screenshots", json=SHOT | body, headers=as_key).headers
    names = ["x-target-status", "x-target-url", "x-not-awaited", "x-truncated", "x-render-time-ms", "x-queue-time-ms"]
    assert [told[name] for name in names] == ["404", "https://example.com", "load, fonts", "true", "1500", "0"]


def test_errors_tell_both_clocks_too(api: Api, as_key: dict[str, str], renderer: StandIn) -> None:
    renderer.rendering = replace(renderer.rendering, queue_seconds=0.25, render_seconds=2)
    renderer.failure = SelectorNotFound("no")
    told = api.post("/v1/screenshots", json=SHOT, headers=as_key).headers
    assert (told["x-queue-time-ms"], told["x-render-time-ms"]) == ("250", "2000")
    refused = api.post("/v1/screenshots", json={}, headers=as_key).headers
    assert not {"x-queue-time-ms", "x-render-time-ms"} & set(refused)  # it never came to the line


def bad_keys(db: sqlite_utils.Database, hasher: PasswordHasher) -> dict[str, str]:
    expired, revoked, retired = (keys.create(db, hasher, name)[1] for name in ("expired", "revoked", "retired"))
    keys.edit(db, "expired", {"expires": timedelta(microseconds=1)})
    keys.revoke(db, "revoked")
    keys.rotate(db, hasher, "retired")
    wrong = keys.create(db, hasher, "wrong")[1][:12] + keys.generate()[12:]
    return {
        "missing": "",
        "malformed": "nonsense",
        "mistyped": expired[:-1] + ("a" if expired[-1] != "a" else "b"),
        "unknown": keys.generate(),
        "wrong secret": wrong,
        "expired": expired,
        "revoked": revoked,
        "retired": retired,
    }


@pytest.mark.parametrize("agent", ["curl/8.0", "OpenAPI-Generator/2.0.0/python", "node", ""])
@pytest.mark.parametrize(
    "kind", ["missing", "malformed", "mistyped", "unknown", "wrong secret", "expired", "revoked", "retired"]
)
def test_every_bad_key_gets_the_documented_401(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, kind: str, agent: str
) -> None:
    secret = bad_keys(db, hasher)[kind]
    headers = {"User-Agent": agent} | ({"X-API-Key": secret} if secret else {})
    answer = api.post("/v1/screenshots", json=SHOT, headers=headers)
    assert (answer.status_code, answer.content) == (401, UNAUTHORIZED)
    assert answer.headers["x-request-id"]
    assert "x-ratelimit-limit" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/screenshots"),
        ("POST", "//v1/screenshots"),
        ("POST", "/v1//screenshots/"),
        ("OPTIONS", "/v1/screenshots"),
        ("HEAD", "/v1/screenshots"),
        ("DELETE", "/%76%31/nothing"),
    ],
)
def test_without_a_key_everything_under_v1_is_401(api: Api, method: str, path: str) -> None:
    answer = api.request(method, f"http://testserver.local{path}")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    if method != "HEAD":
        assert answer.content == UNAUTHORIZED


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("PUT", "/v1/nothing/at/all", 404, "not_found"),
        ("GET", "/v1/screenshots", 405, "method_not_allowed"),
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/health", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there(api: Api, as_key: dict[str, str], method: str, path: str, status: int, code: str) -> None:
    answer = api.request(method, path, headers=as_key)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_two_slashes_are_one(api: Api, as_key: dict[str, str]) -> None:
    assert api.post("http://testserver.local//v1/screenshots", json=SHOT, headers=as_key).status_code == 200


def test_the_bearer_header_is_an_alias(api: Api, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    assert api.post("/v1/screenshots", json=SHOT, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/v1/screenshots", "/v1/nothing", "/health", "/"])
def test_a_key_in_the_query_is_400_whatever_the_headers_say(
    api: Api, as_key: dict[str, str], secret: str, path: str
) -> None:
    for headers in ({}, as_key):
        answer = api.post(f"{path}?api_key={secret}", json=SHOT, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "key_in_query")
        assert secret not in answer.text


def test_no_cors_header_is_ever_sent(api: Api, as_key: dict[str, str]) -> None:
    headers = as_key | {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answers = [api.post("/v1/screenshots", json=SHOT, headers=headers), api.options("/v1/screenshots", headers=headers)]
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]


# --- bodies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"url": "is required"}),
        ([], {"url": "is required"}),
        ({"url": 3}, {"url": "must be text"}),
        ({"url": "not-a-valid-url"}, None),
        ({**SHOT, "format": "gif"}, {"format": "must be one of png, jpeg, jpg, webp, pdf"}),
        ({**SHOT, "format": 3}, {"format": "must be one of png, jpeg, jpg, webp, pdf"}),
        ({**SHOT, "viewport": {"width": 0}}, {"viewport.width": "must be a whole number from 100 to 4096"}),
        ({**SHOT, "viewport": {"width": 1e9}}, {"viewport.width": "must be a whole number from 100 to 4096"}),
        ({**SHOT, "viewport": {"height": "800"}}, {"viewport.height": "must be a whole number from 100 to 4096"}),
        (
            {**SHOT, "viewport": {"deviceScaleFactor": 1.5}},
            {"viewport.deviceScaleFactor": "must be a whole number from 1 to 3"},
        ),
        ({**SHOT, "fullPage": "yes"}, {"fullPage": "must be true or false"}),
        ({**SHOT, "quality": 101}, {"quality": "must be a whole number from 1 to 100"}),
        ({**SHOT, "delay": -1}, {"delay": "must be a whole number from 0 to 30000"}),
        ({**SHOT, "timeout": 999}, {"timeout": "must be a whole number from 1000 to 60000"}),
        ({**SHOT, "waitUntil": "soon"}, {"waitUntil": "must be one of load, domcontentloaded, networkidle, commit"}),
        ({**SHOT, "outputs": [{"type": "json"}]}, {"outputs[0].schema": "is required"}),
        ({**SHOT, "actions": [{"type": "click"}] * 26}, {"actions": "must be a list of at most 25 objects"}),
        ({**SHOT, "hideSelectors": "a"}, {"hideSelectors": "must be a list of at most 50 texts"}),
        ({**SHOT, "hideSelectors": ["a"] * 51}, {"hideSelectors": "must be a list of at most 50 texts"}),
        ({**SHOT, "customCss": "x" * 10_001}, {"customCss": "must be text of at most 10000 characters"}),
        ({**SHOT, "selector": "x" * 501}, {"selector": "must be text of at most 500 characters"}),
        ({**SHOT, "responseType": "XML"}, {"responseType": "must be one of BINARY, BASE64, URL"}),
        (
            {"format": "gif", "delay": "1", "viewport": {"width": 1}},
            {
                "url": "is required",
                "format": "must be one of png, jpeg, jpg, webp, pdf",
                "delay": "must be a whole number from 0 to 30000",
                "viewport.width": "must be a whole number from 100 to 4096",
            },
        ),
    ],
)
def test_a_bad_body_is_400_and_names_every_field(
    api: Api, as_key: dict[str, str], renderer: StandIn, body: Any, problems: dict[str, str] | None
) -> None:
    if problems is None:
        renderer.failure = errors.InvalidUrl("url is wrong.", {"url": "is wrong"})
        problems = {"url": "is wrong"}
    answer = api.post("/v1/screenshots", json=body, headers=as_key)
    assert answer.status_code == 400
    told = answer.json()
    assert told["validationErrors"] == told["errors"] == problems
    assert all(field in told["message"] for field in problems)


@pytest.mark.parametrize("raw", [b"", b"{", b'"text"', b"3", b"null", b"\xff\xfe", b"[" * 10_000, b'{"url": "x",}'])
def test_what_is_not_a_json_object_is_400(api: Api, as_key: dict[str, str], raw: bytes) -> None:
    answer = api.post("/v1/screenshots", content=raw, headers=as_key | {"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_the_content_type_does_not_matter(api: Api, as_key: dict[str, str]) -> None:
    answer = api.post("/v1/screenshots", content=json.dumps(SHOT), headers=as_key | {"Content-Type": "text/plain"})
    assert answer.status_code == 200


def test_a_body_over_one_mebibyte_is_413(api: Api, as_key: dict[str, str]) -> None:
    answer = api.post("/v1/screenshots", json={"url": "x" * 1024 * 1024}, headers=as_key)
    assert (answer.status_code, answer.json()["error"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("webhookUrl", "https://example.com/hook"),
        ("webhookSecret", "x"),
        ("responseType", "URL"),
        ("responseType", "json"),
    ],
)
def test_what_is_not_done_yet_is_refused(api: Api, as_key: dict[str, str], field: str, value: str) -> None:
    answer = api.post("/v1/screenshots", json={**SHOT, field: value}, headers=as_key)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert "this version" in answer.json()["message"]


def test_an_unknown_device_has_a_code_of_its_own(api: Api, as_key: dict[str, str]) -> None:
    answer = api.post("/v1/screenshots", json={**SHOT, "device": "iPhone 99"}, headers=as_key)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_device")
    assert list(answer.json()["errors"]) == ["device"]


def test_what_the_body_says_reaches_the_renderer(api: Api, as_key: dict[str, str], renderer: StandIn) -> None:
    body = {**SHOT, "delay": 1500, "actions": [{"type": "click", "selector": "a"}]}
    assert api.post("/v1/screenshots", json=body, headers=as_key).status_code == 200
    assert renderer.shots == [Shot(url=SHOT["url"], delay=1.5, actions=(Click(selector="a"),))]


def test_unknown_fields_are_ignored_and_named(api: Api, as_key: dict[str, str]) -> None:
    body = {**SHOT, "fulPage": True, "viewport": {"widht": 3}, "x\r\nSet-Cookie: a": 1}
    answer = api.post("/v1/screenshots", json=body, headers=as_key)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-fields"] == "viewport.widht, fulPage, x??Set-Cookie??a"


# --- limits -------------------------------------------------------------------------------------


@pytest.fixture
def small(db: sqlite_utils.Database, hasher: PasswordHasher) -> dict[str, str]:
    rates = {"screenshots_per_hour": 60, "screenshots_burst": 2, "requests_per_hour": 60, "requests_burst": 3}
    plans.set_plan(db, "small", rates)
    return {"X-API-Key": keys.create(db, hasher, "small", plan="small")[1]}


def test_over_the_burst_is_429_with_the_wait(api: Api, small: dict[str, str]) -> None:
    answers = [api.post("/v1/screenshots", json=SHOT, headers=small) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    told = answers[2]
    assert told.json()["error"] == "rate_limited"
    assert 1 <= int(told.headers["retry-after"]) == told.json()["retryAfter"] <= 60
    assert told.headers["x-ratelimit-remaining"] == "0"


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (errors.RateLimited("slow down", 1), "RATE_LIMIT_EXCEEDED"),
        (errors.OverShare("full", 3), "RATE_LIMIT_EXCEEDED"),
        (errors.QuotaExceeded("used up", "2026-12-01T00:00:00Z"), "QUOTA_EXCEEDED"),
    ],
)
def test_a_rate_limit_has_the_code_after_which_clients_try_again(
    api: Api, as_key: dict[str, str], renderer: StandIn, failure: BoxError, said: str
) -> None:
    renderer.failure = failure
    told = api.post("/v1/screenshots", json=SHOT, headers=as_key).json()
    assert (told["error"], told["errorCode"], told["code"]) == (failure.code, said, said)


def test_every_answer_to_a_proven_key_tells_where_its_bucket_stands(api: Api, small: dict[str, str]) -> None:
    shot = api.post("/v1/screenshots", json=SHOT, headers=small).headers
    other = api.get("/v1/nothing", headers=small).headers
    assert (shot["x-ratelimit-type"], shot["x-ratelimit-limit"], shot["x-ratelimit-remaining"]) == (
        "screenshot",
        "2",
        "1",
    )
    assert (other["x-ratelimit-type"], other["x-ratelimit-limit"], other["x-ratelimit-remaining"]) == (
        "general",
        "3",
        "2",
    )
    assert shot["ratelimit"].startswith('"screenshot";r=1;t=')
    assert shot["ratelimit-policy"] == '"screenshot";q=2;w=120'


@pytest.mark.parametrize(
    ("failure", "refused", "loaded"),
    [
        (errors.InvalidUrl("bad"), 0, 1),
        (errors.InvalidRequest("no selector", {"selector": "must be one"}), 0, 1),
        (errors.InternalError("ours"), 0, 1),
        (errors.NotImplementedHere("not yet"), 0, 1),
        (Overloaded("full", 3), 0, 0),
        (errors.ServiceUnavailable("stopping", 5), 0, 0),
        (errors.OverShare("full", 3), 0, 0),
        (errors.TargetNotAllowed("metadata", "allow"), 1, 1),
        (errors.TargetNotForKey("elsewhere"), 1, 1),
        (errors.UrlUnreachable("dead"), 1, 1),
        (errors.DeadlinePassed("slow"), 1, 1),
        (errors.PageCrashed("gone"), 1, 1),
    ],
)
@pytest.mark.parametrize("loads", [False, True])
def test_what_was_refused_before_its_turn_costs_nothing(
    api: Api, small: dict[str, str], renderer: StandIn, failure: BoxError, refused: int, loaded: int, *, loads: bool
) -> None:
    renderer.failure, renderer.loads = failure, loads
    costs = loaded if loads else refused
    answer = api.post("/v1/screenshots", json=SHOT, headers=small)
    assert answer.status_code == failure.status
    assert int(answer.headers["x-ratelimit-remaining"]) == 2 - costs


def test_mistakes_are_free_as_often_as_people_make_them(api: Api, small: dict[str, str]) -> None:
    answers = [
        api.post("/v1/screenshots", json={"url": 1}, headers=small)
        for _ in range(authentication.RETURNED.requests_burst)
    ]
    assert {answer.status_code for answer in answers} == {400}
    flood = [api.post("/v1/screenshots", json={"url": 1}, headers=small).status_code for _ in range(10)]
    assert flood[-1] == 429


def test_what_the_box_is_too_busy_for_is_free_however_often(api: Api, small: dict[str, str], renderer: StandIn) -> None:
    renderer.failure = Overloaded("full", 3)
    asked = 2 * authentication.RETURNED.requests_burst
    assert {api.post("/v1/screenshots", json=SHOT, headers=small).status_code for _ in range(asked)} == {503}


# --- errors -------------------------------------------------------------------------------------

EVERY_ERROR: list[BoxError] = [
    errors.InvalidRequest("bad", {"url": "is bad"}),
    errors.InvalidUrl("bad", {"url": "is bad"}),
    errors.InvalidDevice("bad", {"device": "is bad"}),
    errors.TargetNotAllowed("169.254.169.254 is metadata", "allow"),
    errors.TargetNotForKey("example.com:443 is not what this key is made for"),
    errors.NotFound("gone"),
    errors.NotImplementedHere("not yet"),
    errors.UrlUnreachable("dead"),
    errors.DeadlinePassed("slow"),
    errors.HttpError("404"),
    errors.SelectorNotFound("none"),
    errors.ActionFailed("actions[2] failed"),
    errors.NotAPage("download"),
    errors.PageTooLarge("tall"),
    errors.PageCrashed("crash"),
    errors.ServiceUnavailable("stopping", 5),
    Overloaded("full", 3),
    errors.InternalError("fault"),
]


@pytest.mark.parametrize("failure", EVERY_ERROR, ids=lambda failure: failure.code)
def test_errors_are_flat_for_most_clients(
    api: Api, as_key: dict[str, str], renderer: StandIn, failure: BoxError
) -> None:
    renderer.failure = failure
    answer = api.post("/v1/screenshots", json=SHOT, headers=as_key)
    told = answer.json()
    assert answer.status_code == told["statusCode"] == failure.status
    assert told["error"] == failure.code == told["errorCode"].lower()
    assert told["code"] == told["errorCode"]  # two clients read this one
    assert told["message"] == failure.message
    assert told["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("failure", EVERY_ERROR, ids=lambda failure: failure.code)
def test_errors_are_nested_for_generated_clients(
    api: Api, as_key: dict[str, str], renderer: StandIn, failure: BoxError
) -> None:
    renderer.failure = failure
    answer = api.post("/v1/screenshots", json=SHOT, headers=as_key | GENERATED)
    told = answer.json()
    assert answer.status_code == failure.status
    assert told["error"]["code"] == failure.code.upper()
    assert told["error"]["message"] == told["message"] == failure.message
    assert told["requestId"] == answer.headers["x-request-id"]
    details = told["error"]["details"]
    assert details is None or all(isinstance(value, dict) for value in details.values())


@pytest.mark.parametrize(
    ("failure", "status", "message", "setting"),
    [
        (errors.TargetNotAllowed("10.0.0.5 is here", "allow"), 422, "This address is not allowed.", "allow"),
        (errors.TargetNotForKey("10.0.0.5 is elsewhere"), 403, "This key is made for other hosts.", "allow-host"),
    ],
)
def test_a_refused_target_tells_the_setting_and_not_the_address(
    api: Api, as_key: dict[str, str], renderer: StandIn, failure: BoxError, status: int, message: str, setting: str
) -> None:
    renderer.failure = failure
    answer = api.post("/v1/screenshots", json=SHOT, headers=as_key)
    assert answer.status_code == status  # 403 reads as a bad key in several clients
    assert (answer.json()["message"], answer.json()["setting"]) == (message, setting)
    assert "10.0.0.5" not in answer.text


def test_a_fault_of_ours_tells_nothing_from_inside(api: Api, as_key: dict[str, str], renderer: StandIn) -> None:
    renderer.failure = RuntimeError("secret in /etc/passwd line 3")
    answer = api.post("/v1/screenshots", json=SHOT, headers=as_key)
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    assert "passwd" not in answer.text
    assert "Traceback" not in answer.text


def test_retry_after_is_whole_seconds(api: Api, as_key: dict[str, str], renderer: StandIn) -> None:
    renderer.failure = Overloaded("full", 3)
    assert api.post("/v1/screenshots", json=SHOT, headers=as_key).headers["retry-after"] == "3"


# --- the door -----------------------------------------------------------------------------------


def test_the_door_sign_says_what_this_is(api: Api) -> None:
    told = api.get("/").json()
    assert told["name"] == "allscreenshots-box"
    assert told["version"]
    page = api.get("/", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "/schema/openapi.json" in page.text


def test_health_needs_no_key(api: Api) -> None:
    assert api.get("/health").json()["status"] == "ok"
    assert api.head("/health").status_code == 200


def test_a_secret_in_a_path_is_not_repeated(api: Api, secret: str, as_key: dict[str, str]) -> None:
    assert secret not in api.get(f"/v1/{secret}", headers=as_key).text
