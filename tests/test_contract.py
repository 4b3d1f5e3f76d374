"""What the box serves, held against the contract that clients were made from."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from litestar import Litestar
from litestar.testing import TestClient

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "contract/openapi.yaml").read_text())

# Where this box is more generous than the contract, or says more; and what it does not do yet.
DEVIATIONS: dict[str, Any] = {
    "ViewportConfig.height.maximum": "older clients' documentation allows 4096",
    "ViewportConfig.width.maximum": "older clients' documentation allows 4096",
    "ScreenshotRequest.waitUntil.pattern": "older clients also send commit",
    "ScreenshotRequest.responseType.enum": "a pattern here: any case, and JSON for URL",
    "ScreenshotRequest.responseType.pattern": "see above",
    "ScreenshotRequest.waitFor.maxLength": "bounded, as selector is",
    "ScreenshotRequest.url.pattern": "a bad URL has an error code of its own, invalid_url",
    "ScreenshotRequest.webhookUrl.pattern": "not supported yet: refused whatever it is",
    "ScreenshotRequest.webhookSecret.maxLength": "not supported yet",
    "ScreenshotRequest.webhookSecret.minLength": "not supported yet",
    "ScreenshotRequest.actions.maxItems": "not supported yet",
    "ScreenshotRequest.customCss.minLength": "0 goes without saying",
    "ScreenshotRequest.selector.minLength": "0 goes without saying",
    "ScreenshotRequest.hideSelectors.minItems": "0 goes without saying",
    "ScreenshotRequest.actions.minItems": "0 goes without saying",
    "POST /v1/screenshots parameters": "Idempotency-Key: not supported yet",
    "POST /v1/screenshots 200 content": "application/pdf and application/json: not supported yet",
    "POST /v1/screenshots statuses": "413 and 503 are added",
}
CONSTRAINTS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "enum", "default")


@pytest.fixture
def served(api: TestClient[Litestar]) -> dict[str, Any]:
    spec: dict[str, Any] = api.get("/schema/openapi.json").json()
    return spec


def own_constraints(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the constraints of *schema*, or of the part of it that is not null."""
    parts = [schema, *schema.get("oneOf", []), *schema.get("anyOf", [])]
    return {name: part[name] for part in parts for name in CONSTRAINTS if part.get(name) is not None}


def differences(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> set[str]:
    found = set()
    if sorted(ours.get("required", [])) != sorted(theirs.get("required", [])):
        found.add(f"{name} required")
    if set(ours["properties"]) != set(theirs["properties"]):
        found.add(f"{name} properties: {set(ours['properties']) ^ set(theirs['properties'])}")
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
            if set(ours["responses"]["200"]["content"]) != set(theirs["responses"]["200"]["content"]):
                found.add(f"{name} 200 content")
    for name in ("ScreenshotRequest", "ViewportConfig", "ErrorResponse", "ErrorDetail"):
        found |= differences(name, served["components"]["schemas"][name], CONTRACT["components"]["schemas"][name])
    assert found == set(DEVIATIONS)


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
