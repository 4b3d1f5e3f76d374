"""A capture as lines to paste: with curl, and with the client libraries of the AllScreenshots API."""

import json
import shlex
from typing import Any, NamedTuple

KEY_VARIABLE = "ALLSCREENSHOTS_API_KEY"


class Snippet(NamedTuple):
    """One way to ask for the same."""

    id: str
    title: str
    text: str


def snippets(base: str, body: dict[str, Any]) -> list[Snippet]:
    """Return how to ask the box at *base* for what *body* says, each with the very same JSON."""
    file = f"screenshot.{body.get('format', 'png')}"
    return [
        Snippet("curl", "curl", _curl(base, body, file)),
        Snippet("python", "Python (allscreenshots-sdk 2)", _python(base, body, file)),
        Snippet("javascript", "JavaScript (@allscreenshots/sdk)", _javascript(base, body, file)),
        Snippet("go", "Go (allscreenshots-sdk-go/v2)", _go(base, body, file)),
    ]


def _curl(base: str, body: dict[str, Any], file: str) -> str:
    return (
        f"curl -X POST {shlex.quote(f'{base}/v1/screenshots')} \\\n"
        f'    -H "X-API-Key: ${KEY_VARIABLE}" \\\n'
        '    -H "Content-Type: application/json" \\\n'
        f"    -d {shlex.quote(_json(body))} \\\n"
        f"    --fail-with-body --output {file}"
    )


def _python(base: str, body: dict[str, Any], file: str) -> str:
    return f"""import os
from pathlib import Path

import allscreenshots_sdk

box = allscreenshots_sdk.Configuration(host={base!r})
box.api_key["ApiKey"] = os.environ["{KEY_VARIABLE}"]
wanted = allscreenshots_sdk.ScreenshotRequest.from_dict({body!r})
with allscreenshots_sdk.ApiClient(box) as client:
    picture = allscreenshots_sdk.ScreenshotApi(client).capture_sync(wanted)
Path("{file}").write_bytes(picture)"""


def _javascript(base: str, body: dict[str, Any], file: str) -> str:
    return f"""import {{ writeFile }} from "node:fs/promises";
import {{ AllscreenshotsClient }} from "@allscreenshots/sdk";

// The key is read from {KEY_VARIABLE}.
const client = new AllscreenshotsClient({{ baseUrl: {_json(base)} }});
const picture = await client.screenshot({_json(body)});
await writeFile("{file}", picture);"""


def _go(base: str, body: dict[str, Any], file: str) -> str:
    return f"""package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	allscreenshots "github.com/allscreenshots/allscreenshots-sdk-go/v2"
)

func main() {{
	var wanted allscreenshots.ScreenshotRequest
	if err := json.Unmarshal([]byte({_go_text(_json(body))}), &wanted); err != nil {{
		log.Fatal(err)
	}}
	box := allscreenshots.NewConfiguration()
	box.Servers = allscreenshots.ServerConfigurations{{{{URL: {_json(base)}}}}}
	ctx := context.WithValue(context.Background(), allscreenshots.ContextAPIKeys,
		map[string]allscreenshots.APIKey{{"ApiKey": {{Key: os.Getenv("{KEY_VARIABLE}")}}}})
	api := allscreenshots.NewAPIClient(box).ScreenshotAPI
	picture, _, err := api.CaptureSync(ctx).ScreenshotRequest(wanted).Execute()
	if err != nil {{
		log.Fatal(err)
	}}
	defer os.Remove(picture.Name())
	content, err := os.ReadFile(picture.Name())
	if err == nil {{
		err = os.WriteFile("{file}", content, 0o600)
	}}
	if err != nil {{
		log.Fatal(err)
	}}
}}"""


def _json(value: Any) -> str:
    """Return JSON that is also JavaScript, and for a text also Go: no halves of characters, as ASCII would have."""
    return json.dumps(value, ensure_ascii=False)


def _go_text(text: str) -> str:
    return _json(text) if "`" in text else f"`{text}`"
