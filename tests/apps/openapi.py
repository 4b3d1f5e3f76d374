"""A description of an API of nobody's, for the pages that show such descriptions."""

from typing import Any

_ORDER = {"$ref": "#/components/schemas/Order"}
_PATHS = ("/orders", "/orders/{id}", "/customers", "/customers/{id}", "/invoices", "/invoices/{id}")
_VERBS = {"get": "Read", "post": "Make", "delete": "Remove"}


def openapi() -> dict[str, Any]:
    """Return eighteen operations on three things."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "Orders", "version": "1.4.0", "description": "All that our shop knows, for **programs**."},
        "servers": [{"url": "/api"}],
        "paths": {path: {verb: _operation(verb, path) for verb in _VERBS} for path in _PATHS},
        "components": {
            "schemas": {
                "Order": {
                    "type": "object",
                    "required": ["id"],
                    "properties": {
                        "id": {"type": "integer"},
                        "name": {"type": "string"},
                        "paid": {"type": "boolean"},
                    },
                }
            }
        },
    }


def _operation(verb: str, path: str) -> dict[str, Any]:
    thing = path.split("/")[1]
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}] if "{" in path else []
    answer = {"description": "As asked", "content": {"application/json": {"schema": _ORDER}}}
    return {
        "tags": [thing],
        "summary": f"{_VERBS[verb]} {thing}",
        "operationId": f"{verb}{path}",
        "parameters": parameters,
        "responses": {"200": answer, "404": {"description": "There is none"}},
    }
