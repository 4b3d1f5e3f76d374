"""What the box serves, held against the contract that clients were made from."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import sqlite_utils
import yaml
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box.keys import plans, usage_store
from allscreenshots_box.keys.usage_store import Counts

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parent.parent / "contract/openapi.yaml").read_text())

# Where this box is more generous than the contract, or says more; and what it does not do yet. Patterns of fnmatch.
DEVIATIONS = {
    "ScreenshotRequest properties: deviceScaleFactor, failOnHttpError, settle, shareRendering, stealth": "our own",
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
    "* statuses": "413 and 503 are added, and 408 where there is a body",
    "QuotaResponse properties: *": "the limits, under the names that older clients insist on",
    "QuotaResponse required": "and these are always there",
    "QuotaStatusResponse required": "periodEnds is always there: an older client insists",
    "CreditBalanceResponse required": "resetsAt is always there",
    "ApiKeyUsageDetail required": "every key has an id and a prefix",
}
OURS = {
    "OutputResponse": "what the contract leaves a free-form object",
    "FlatErrorResponse": "the body of errors that most clients read",
    "UnauthorizedResponse": "a 401 is documented to the letter, apart from the contract",
}
BOUNDS = {"int32": 2**31, "int64": 2**63}
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
    ours = {"/v1/screenshots", "/v1/usage", "/v1/usage/quota", "/v1/usage/keys", "/v1/usage/activity"}
    assert set(served["paths"]) == ours
    assert ours <= set(CONTRACT["paths"])


def test_what_the_contract_has_and_the_box_has_not_is_no_unknown_job(
    api: TestClient[Litestar], served: dict[str, Any], as_key: dict[str, str]
) -> None:
    lacking = [
        (method, re.sub(r"\{\w+\}", "h7Ks92mQpX", path) + end)
        for path, operations in CONTRACT["paths"].items()
        if path not in served["paths"]
        for method in operations
        for end in ("", "/")
    ]
    lacking += [("POST", "/v1/webhooks"), ("DELETE", "/v1/webhooks/1")]  # one client's, and in no contract
    answers = {one: api.request(*one, headers=as_key) for one in lacking}
    heard = {one: (answer.status_code, answer.json()["code"]) for one, answer in answers.items()}
    assert heard == dict.fromkeys(lacking, (501, "NOT_IMPLEMENTED"))


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/screenshots/jobsworth", "/v1/crawl", "/v1/x/crawls"])
def test_what_no_contract_has_is_not_found(api: TestClient[Litestar], as_key: dict[str, str], path: str) -> None:
    assert api.get(path, headers=as_key).status_code == 404


def test_nobody_hears_without_a_key_what_the_box_has_not(api: TestClient[Litestar]) -> None:
    assert api.get("/v1/screenshots/jobs").status_code == 401


def test_the_key_is_declared_as_the_contract_has_it(served: dict[str, Any]) -> None:
    ours, theirs = (
        served["components"]["securitySchemes"]["ApiKey"],
        CONTRACT["components"]["securitySchemes"]["ApiKey"],
    )
    assert {name: ours[name] for name in theirs} == theirs
    assert served["security"] == CONTRACT["security"]


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("quotas", [{}, {"screenshots_per_month": 1, "bandwidth_per_month": 2**62}])
@pytest.mark.parametrize("path", ["/v1/usage", "/v1/usage/quota", "/v1/usage/keys", "/v1/usage/activity"])
def test_answers_about_usage_are_as_the_contract_has_them(
    api: TestClient[Litestar],
    db: sqlite_utils.Database,
    as_key: dict[str, str],
    path: str,
    quotas: dict[str, Any],
    shots: int,
) -> None:
    plans.set_plan(db, "default", quotas)
    [holder] = usage_store.holders(db)
    usage_store.add(db, {(holder.id, "2020-01-31"): Counts(2**40, 2**50)}, patience=1000)
    for _ in range(shots):
        api.post("/v1/screenshots", json={"url": "https://example.com"}, headers=as_key)
    answer = api.get(path, headers=as_key)
    assert answer.status_code == 200
    validator_of(CONTRACT["paths"][path]["get"]["responses"]["200"]).validate(answer.json())


@pytest.mark.parametrize("wrong", [{"limit": 2**31}, {"limit": 1.5}, {"limit": None}, {"limit": "1"}])
def test_the_validator_sees_what_is_not_as_the_contract_has_it(wrong: dict[str, Any]) -> None:
    response = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/QuotaDetailResponse"}}}}
    good = {"limit": 2**31 - 1, "used": 0, "remaining": 1, "percentUsed": 0}
    assert validator_of(response).is_valid(good)
    assert not validator_of(response).is_valid(good | wrong)


def validator_of(response: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return what validates the JSON of a response, whole numbers within their format too."""
    schema = response["content"]["application/json"]["schema"] | {"components": CONTRACT["components"]}
    return jsonschema_rs.Draft202012Validator(bounded(schema))


def bounded(part: Any) -> Any:
    """Return *part* of a schema with the formats of whole numbers as bounds, which a validator looks at."""
    if isinstance(part, list):
        return [bounded(one) for one in part]
    if not isinstance(part, dict):
        return part
    most = BOUNDS.get(str(part.get("format")))
    return {name: bounded(one) for name, one in part.items()} | (
        {"minimum": -most, "maximum": most - 1} if most else {}
    )
