"""A shot's turn comes after its request was let in, maybe long after: what was stopped meanwhile is not made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlite_utils
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box import keys
from allscreenshots_box.admin import sessions
from allscreenshots_box.storage.audit import COMMAND_LINE
from tests.box import Box
from tests.conftest import StandIn
from tests.site.server import Site
from tests.test_serve import eventually

pytestmark = pytest.mark.rough

Api = TestClient[Litestar]
Stop = Callable[[sqlite_utils.Database, PasswordHasher], object]

BODY = {"url": "https://example.com"}


def expire(db: sqlite_utils.Database, _: PasswordHasher) -> None:
    with db.conn:
        db.execute("update keys set expires_at = '2020-01-01T00:00:00.000Z'")


def forget(db: sqlite_utils.Database, _: PasswordHasher) -> None:
    keys.revoke(db, "svc")
    keys.prune(db, older_than=timedelta())


@pytest.mark.parametrize(
    "stop",
    [
        lambda db, _: keys.revoke(db, "svc"),
        lambda db, hasher: keys.rotate(db, hasher, "svc"),
        expire,
        forget,
    ],
    ids=["revoked", "rotated", "expired", "forgotten"],
)
def test_a_key_that_stopped_while_its_shot_waited_is_answered_as_every_other_bad_key(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, renderer: StandIn, stop: Stop
) -> None:
    _, secret = keys.create(db, hasher, "svc")
    headers = {"X-API-Key": secret}
    renderer.meanwhile = lambda: stop(db, hasher)
    late = api.post("/v1/screenshots", json=BODY, headers=headers)
    after = api.post("/v1/screenshots", json=BODY, headers=headers)
    known = {"status": late.status_code} | late.json()
    assert known | {"requestId": ""} == {"status": after.status_code} | after.json() | {"requestId": ""}
    assert late.status_code == 401


def test_a_key_inside_its_grace_has_its_waiting_shots_made(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, renderer: StandIn
) -> None:
    _, secret = keys.create(db, hasher, "svc")
    renderer.meanwhile = lambda: keys.rotate(db, hasher, "svc", grace=timedelta(hours=1))
    assert api.post("/v1/screenshots", json=BODY, headers={"X-API-Key": secret}).status_code == 200


def test_an_operator_who_was_signed_out_meanwhile_gets_no_picture(
    signed_in: Api, db: sqlite_utils.Database, renderer: StandIn
) -> None:
    assert signed_in.post("/admin/playground", data=BODY).status_code == 200
    assert len(renderer.shots) == 1
    renderer.meanwhile = lambda: sessions.sign_out_everywhere(
        db, by=COMMAND_LINE, now=signed_in.app.state.authentication.now()
    )
    assert signed_in.post("/admin/playground", data=BODY).status_code == 401


def test_what_is_shared_is_shared_by_those_of_one_secret(
    api: Api, db: sqlite_utils.Database, hasher: PasswordHasher, renderer: StandIn
) -> None:
    old, secret = keys.create(db, hasher, "svc")
    new, fresh = keys.rotate(db, hasher, "svc", grace=timedelta(hours=1))
    for one in (secret, secret, fresh):
        assert api.post("/v1/screenshots", json=BODY, headers={"X-API-Key": one}).status_code == 200
    first, again, other = renderer.stills
    assert first == again != other
    assert old.id == new.id


def test_shots_that_wait_go_by_what_their_keys_may_when_their_turn_comes(data_dir: Path, site: Site) -> None:
    site.forget()
    with Box(data_dir, "--allow", f"127.0.0.1:{site.port}", "--slots", "1") as box:
        holding, stopped, bound = (box.key(name) for name in ("holding", "stopped", "bound"))
        with ThreadPoolExecutor() as callers:
            # What the page is awaited for never comes: the one slot is taken until then.
            held = callers.submit(box.shoot, holding, site.url("/green.html?held"), waitFor="#never", timeout=8000)
            assert eventually(lambda: bool(site.requests))
            waiting = [callers.submit(box.shoot, one, site.url("/green.html?waiting")) for one in (stopped, bound)]
            assert eventually(lambda: "allscreenshots_queue_waiting 2.0" in httpx.get(f"{box.url}/metrics").text)
            assert box.run("keys", "revoke", "stopped", "--yes").returncode == 0
            assert box.run("keys", "edit", "bound", "--allow-host", "elsewhere.example").returncode == 0
            answers = [one.result() for one in (held, *waiting)]
    told = [(answer.status_code, answer.json()["error"]) for answer in answers]
    assert told == [(422, "selector_not_found"), (401, "unauthorized"), (403, "forbidden")]
    assert not any("waiting" in request.path for request in site.requests)
