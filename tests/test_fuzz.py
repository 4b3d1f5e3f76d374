"""Whatever comes in, no fault of ours and nothing from inside goes out. The long form is ``python -m tests.fuzz``."""

from collections import Counter

import httpx
import pytest
import schemathesis
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box.config import Settings
from tests import fuzz
from tests.box import Box
from tests.conftest import StandIn

pytestmark = pytest.mark.long

SEED = 4


def test_no_request_made_from_the_description_meets_a_fault(
    api: TestClient[Litestar], secret: str, renderer: StandIn, settings: Settings
) -> None:
    seen: Counter[str] = Counter()
    inside = [str(settings.data_dir), secret[12:]]

    def use(path: str, headers: dict[str, str], body: bytes) -> None:
        body = fuzz.aimed(body, "https://example.com/")
        answer = api.post(path, headers={**headers, "X-API-Key": secret}, content=body)
        seen[fuzz.judge(answer.status_code, answer.headers, answer.content, inside)] += 1

    schema = schemathesis.openapi.from_dict(api.get("/schema/openapi.json").json())
    fuzz.cases(schema, SEED, 80, use)
    assert seen["200"] >= 5
    assert seen["400 invalid_request"] >= 5
    assert len(renderer.shots) == seen["200"]


@pytest.mark.parametrize("raw", fuzz.GARBAGE.values(), ids=fuzz.GARBAGE)
def test_garbage_is_refused_or_closed(box: Box, raw: bytes) -> None:
    assert [status for status in fuzz.statuses(fuzz.answered(box.port, raw)) if status >= 500] == []
    assert box.answers()


def test_random_bytes_are_refused_or_closed(box: Box) -> None:
    found: Counter[int] = Counter()
    for number in range(300):
        found.update(fuzz.statuses(fuzz.answered(box.port, fuzz.garbled(number))))
    assert found[400] > 50
    assert max(found) < 500
    assert box.answers()
    assert '"level": "error"' not in box.log.read_text()


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b'{"error": "internal_error"}'),
        (418, b'{"error": "teapot"}'),
        (400, b'{"error": "invalid_request", "message": "in app.py"}'),
        (400, b'{"error": "invalid_request", "message": "hunter2"}'),
    ],
)
def test_the_judge_sees_what_must_not_be(status: int, content: bytes) -> None:
    with pytest.raises(fuzz.Bad):
        fuzz.judge(status, httpx.Headers(), content, ["hunter2"])
