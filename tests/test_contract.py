"""What the box serves, held against the contract that clients were made from."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from litestar import Litestar
from litestar.testing import TestClient

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "contract/openapi.yaml").read_text())

# Where this box is more generous than the contract, or says more; and what it does not do yet. Patterns of fnmatch.
DEVIATIONS = {
    "ScreenshotRequest properties: failOnHttpError, shareRendering": "our own",
    "ScreenshotRequest.url.pattern": "a bad URL has an error code of its own, invalid_url",
    "ScreenshotRequest.waitUntil.pattern": "older clients also send commit",
    "ScreenshotRequest.responseType.enum": "a pattern here: any case, and JSON for URL",
    "ScreenshotRequest.responseType.pattern": "see above",
    "ScreenshotRequest.webhook*": "not supported yet: refused whatever it is",
    "ViewportConfig.*.maximum": "older clients' documentation allows 4096",
    # What the contract leaves without bounds is bounded.
    "ScreenshotRequest.device.maxLength": "as long as a name",
    "ScreenshotRequest.outputs.maxItems": "each is work for the browser",
    "ScreenshotRequest.waitFor.maxLength": "as selector is",
    "*.selector.maxLength": "as ScreenshotRequest.selector is",
    "*.selector.minLength": "where it is required",
    "*Action.timeout.m*imum": "within what a capture may take",
    "PressAction.key.m*Length": "the name of a key",
    "TypeAction.text.maxLength": "what a form takes",
    "SelectAction.value.maxLength": "what a form takes",
    "ScrollAction.y.m*imum": "beyond any page",
    "WaitAction.ms.m*imum": "as delay is",
    "*OutputSpec.id.maxLength": "it is part of addresses later",
    "*OutputSpec.id.pattern": "it is part of addresses later",
    "ScreenshotOutputSpec.quality.m*imum": "as ScreenshotRequest.quality is",
    "ScreenshotOutputSpec.format.pattern": "as ScreenshotRequest.format is, without pdf",
    "PdfOutputSpec.format.pattern": "the papers that there are",
    "PdfOutputSpec.format.default": "A4, where the contract says nothing",
    "JsonFieldSpec.type.pattern": "the three that there are",
    "JsonFieldSpec.attribute.maxLength": "as long as a name",
    "BrowserCookieRequest.name.minLength": "a cookie without a name is none",
    "BrowserCookieRequest.expires.m*imum": "up to the year 9999",
    "BrowserCookieRequest.*.default": "false, where the contract has null for it",
    "POST /v1/screenshots parameters": "Idempotency-Key: not supported yet",
    "POST /v1/screenshots statuses": "413 and 503 are added",
}
OURS = {"OutputResponse": "what the contract leaves a free-form object"}
CONSTRAINTS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "enum", "default")


@pytest.fixture
def served(api: TestClient[Litestar]) -> dict[str, Any]:
    spec: dict[str, Any] = api.get("/schema/openapi.json").json()
    return spec


def own_constraints(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the constraints of *schema*, or of the part of it that is not null; a minimum length of 0 is none."""
    parts = [schema, *schema.get("oneOf", []), *schema.get("anyOf", [])]
    found = {name: part[name] for part in parts for name in CONSTRAINTS if part.get(name) is not None}
    if "const" in schema:
        found["enum"] = [schema["const"]]
    return {name: value for name, value in found.items() if not (name in {"minLength", "minItems"} and value == 0)}


def differences(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> set[str]:
    found = set()
    if sorted(ours.get("required", [])) != sorted(theirs.get("required", [])):
        found.add(f"{name} required")
    if others := set(ours["properties"]) ^ set(theirs["properties"]):
        found.add(f"{name} properties: {', '.join(sorted(others))}")
    for field in set(ours["properties"]) & set(theirs["properties"]):
        mine, contract = own_constraints(ours["properties"][field]), own_constraints(theirs["properties"][field])
        found |= {
            f"{name}.{field}.{constraint}"
            for constraint in set(mine) | set(contract)
            if mine.get(constraint) != contract.get(constraint)
        }
    return found


def test_what_we_serve_differs_from_the_contract_only_where_we_say_so(served: dict[str, Any]) -> None:
    found = set()
    for path, operations in served["paths"].items():
        for method, ours in operations.items():
            theirs, name = CONTRACT["paths"][path][method], f"{method.upper()} {path}"
            assert ours["operationId"] == theirs["operationId"]
            if {part["name"] for part in ours.get("parameters", [])} != {
                part["name"] for part in theirs.get("parameters", [])
            }:
                found.add(f"{name} parameters")
            if set(ours["responses"]) != set(theirs["responses"]):
                assert set(theirs["responses"]) < set(ours["responses"])
                found.add(f"{name} statuses")
            assert ours["responses"]["200"]["content"] == theirs["responses"]["200"]["content"]
    for name, schema in served["components"]["schemas"].items():
        if name not in OURS:
            found |= differences(name, schema, CONTRACT["components"]["schemas"][name])
    said = {one: [pattern for pattern in DEVIATIONS if fnmatchcase(one, pattern)] for one in found}
    assert {one for one, patterns in said.items() if not patterns} == set()
    assert set(DEVIATIONS) - {pattern for patterns in said.values() for pattern in patterns} == set()


@pytest.mark.parametrize(("field", "union"), [("actions", "PageAction"), ("outputs", "OutputSpec")])
def test_a_list_takes_every_kind_that_the_contract_has(served: dict[str, Any], field: str, union: str) -> None:
    given = served["components"]["schemas"]["ScreenshotRequest"]["properties"][field]["oneOf"][0]["items"]
    assert given["oneOf"] == CONTRACT["components"]["schemas"][union]["oneOf"]


@pytest.mark.parametrize("name", ["BrowserSessionRequest", "ScreenshotJsonResponse", "MultiOutputResponse"])
def test_what_a_capture_is_made_of_is_described(served: dict[str, Any], name: str) -> None:
    assert name in served["components"]["schemas"]


def test_only_paths_of_the_contract_are_described(served: dict[str, Any]) -> None:
    assert set(served["paths"]) == {"/v1/screenshots"}
    assert set(served["paths"]) <= set(CONTRACT["paths"])


def test_the_key_is_declared_as_the_contract_has_it(served: dict[str, Any]) -> None:
    ours, theirs = (
        served["components"]["securitySchemes"]["ApiKey"],
        CONTRACT["components"]["securitySchemes"]["ApiKey"],
    )
    assert {name: ours[name] for name in theirs} == theirs
    assert served["security"] == CONTRACT["security"]
