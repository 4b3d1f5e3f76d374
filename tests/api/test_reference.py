"""The reference for people and the description for machines: whole, and by themselves."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import validation
from allscreenshots_box.api import field_descriptions, openapi, reference
from allscreenshots_box.app import create_app
from allscreenshots_box.captures.request import ScreenshotRequest, shot_of
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import InternalError, by_code
from allscreenshots_box.render import devices


class Page(HTMLParser):
    """What stands in a page: its tags, its words, the places in it and the links to them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= set(given)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.loaded += [given[name] for name in ("src", "href") if name in given and tag != "a"]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """Return a box that is never opened: what it says of itself needs nothing."""
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def page(app: Litestar) -> Page:
    return Page(reference.page_of(app))


@pytest.fixture(scope="module")
def served(app: Litestar) -> dict[str, Any]:
    return openapi.description_of(app)


# --- the page -----------------------------------------------------------------------------------


def test_the_page_is_there_without_a_key(api: TestClient[Litestar]) -> None:
    answer = api.get("/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_page_is_for_reading(api: TestClient[Litestar]) -> None:
    assert api.head("/docs").status_code == 200
    assert api.post("/docs").status_code == 405


def test_a_key_in_the_address_of_the_page_is_refused(api: TestClient[Litestar], secret: str) -> None:
    assert api.get(f"/docs?key={secret}").json()["error"] == "key_in_query"


def test_what_is_served_is_what_is_described(api: TestClient[Litestar], served: dict[str, Any]) -> None:
    assert api.get("/schema/openapi.json").json() == served


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_may_use_its_own_style_and_nothing_else(api: TestClient[Litestar], path: str) -> None:
    answer = api.get(path, headers={"Accept": "text/html"})
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    named = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{named}'; img-src data:;")
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_has_no_script_and_loads_nothing(api: TestClient[Litestar], path: str) -> None:
    page = Page(api.get(path, headers={"Accept": "text/html"}).text)
    assert "script" not in page.tags
    assert {name for name in page.attributes if name.startswith("on") or name == "style"} == set()
    assert page.loaded == ["data:,"]


def test_the_door_sign_leads_to_the_reference(api: TestClient[Litestar]) -> None:
    assert "/docs" in Page(api.get("/", headers={"Accept": "text/html"}).text).links
    assert api.get("/").json()["reference"] == "/docs"


def test_every_link_of_the_page_leads_somewhere(api: TestClient[Litestar], page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {link for link in page.links if link.startswith("#") and link[1:] not in page.ids} == set()
    for link in {link for link in page.links if not link.startswith("#")}:
        assert api.get(link).status_code == 200, link


@pytest.mark.parametrize("code", by_code())
def test_the_page_has_every_error_with_its_cure(page: Page, code: str) -> None:
    told = (by_code()[code].when, by_code()[code].cure)
    assert f"error-{code}" in page.ids
    assert all(text.replace("`", "") in page.words for text in told)


@pytest.mark.parametrize("shape", field_descriptions.FIELDS)
def test_the_page_has_every_field_with_its_meaning(page: Page, shape: str) -> None:
    assert shape in page.ids
    assert [said for said in field_descriptions.FIELDS[shape].values() if said.replace("`", "") not in page.words] == []


def test_the_page_has_every_operation(page: Page, served: dict[str, Any]) -> None:
    ids = {operation["operationId"] for operations in served["paths"].values() for operation in operations.values()}
    assert ids <= set(page.ids)


def test_the_page_has_every_device(page: Page) -> None:
    assert [name for name in devices.NAMES if name not in page.words] == []


@pytest.mark.parametrize("bound", ["100 to 4096", "50 to 1000", "up to 10,000 characters", "png, jpeg, jpg, webp, pdf"])
def test_the_page_has_the_bounds_of_fields(page: Page, bound: str) -> None:
    assert bound in page.words


def test_what_is_shown_is_text() -> None:
    assert reference.marked("`<b>` & <script>") == "<code>&lt;b&gt;</code> &amp; &lt;script&gt;"


# --- the description ----------------------------------------------------------------------------


def test_every_field_is_described_and_no_other(served: dict[str, Any]) -> None:
    shapes = served["components"]["schemas"]
    assert {name: set(schema["properties"]) for name, schema in shapes.items()} == {
        name: set(fields) for name, fields in field_descriptions.FIELDS.items()
    }
    assert all(schema["description"] for schema in shapes.values())


@pytest.mark.parametrize("code", sorted(by_code().keys() - {InternalError.code}))  # whose words all have by birth
def test_every_error_says_itself_when_it_comes_and_what_helps(code: str) -> None:
    assert {"when", "cure", "operator_cure"} <= vars(by_code()[code]).keys()


@pytest.mark.parametrize(("code", "status"), [(code, error.status) for code, error in by_code().items()])
def test_every_error_that_a_capture_may_meet_is_declared(served: dict[str, Any], code: str, status: int) -> None:
    responses = served["paths"]["/v1/screenshots"]["post"]["responses"]
    never = {
        "not_found",
        "not_implemented",
        "method_not_allowed",
        "client_gone",
        "not_signed_in",
        "cross_site",
    }  # of other paths, or nobody's
    assert (code in responses.get(str(status), {}).get("description", "")) == (code not in never)


@pytest.mark.parametrize("name", openapi.EXAMPLES)
def test_every_example_of_a_body_is_a_good_one(name: str) -> None:
    request, ignored = validation.read(ScreenshotRequest, json.dumps(openapi.EXAMPLES[name]).encode())
    assert shot_of(request)
    assert not ignored


def test_every_example_of_an_error_fits_its_schema(served: dict[str, Any]) -> None:
    tried = 0
    for operations in served["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                content = response["content"]["application/json"]
                schema = content["schema"] | {"components": served["components"]}
                for example in content.get("examples", {}).values() if status != "200" else ():
                    jsonschema_rs.validate(schema, example["value"])
                    tried += 1
    assert tried


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"url": "https://example.com", "delay": -1}, 400),
        ({"User-Agent": "OpenAPI-Generator/2.0.0/python"}, {"url": "https://example.com", "delay": -1}, 400),
        ({"X-API-Key": "ask_nobody"}, {}, 401),
    ],
)
def test_errors_are_answered_as_they_are_described(
    api: TestClient[Litestar],
    as_key: dict[str, str],
    served: dict[str, Any],
    headers: dict[str, str],
    body: dict[str, Any],
    status: int,
) -> None:
    answer = api.post("/v1/screenshots", json=body, headers=as_key | headers)
    assert answer.status_code == status
    response = served["paths"]["/v1/screenshots"]["post"]["responses"][str(status)]
    schema = response["content"]["application/json"]["schema"] | {"components": served["components"]}
    jsonschema_rs.validate(schema, answer.json())
    assert {name.lower() for name in response["headers"]} <= set(answer.headers)


@pytest.mark.parametrize(
    ("path", "bound"),
    [
        ("ScreenshotRequest hideSelectors oneOf 0 items maxLength", 500),
        ("JsonOutputSpec schema maxProperties", 100),
        ("JsonOutputSpec schema propertyNames maxLength", 100),
        ("BrowserStorageOriginRequest localStorage oneOf 0 maxProperties", 1000),
    ],
)
def test_what_stands_in_lists_and_maps_has_its_bounds(served: dict[str, Any], path: str, bound: int) -> None:
    shape, field, *rest = path.split()
    found: Any = served["components"]["schemas"][shape]["properties"][field]
    for step in rest:
        found = found[int(step) if re.fullmatch(r"\d+", step) else step]
    assert found == bound
