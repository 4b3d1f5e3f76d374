"""Whether a secret works: as one function says it, as one piece of SQL does, and as all that asks has it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import sqlite_utils

from allscreenshots_box import keys
from allscreenshots_box.admin import key_list, status
from allscreenshots_box.admin.key_list import Question
from allscreenshots_box.config import Settings
from allscreenshots_box.keys.states import STATE, WORKING, WORKS, state_of, works
from allscreenshots_box.timestamps import stamp
from tests.cli.test_completion import completed

PAST, NOW, AHEAD = (f"2026-11-{day}T12:00:00.000Z" for day in (24, 25, 26))
MOMENTS = (None, PAST, NOW, AHEAD)


@pytest.mark.parametrize(
    ("revoked_at", "retires_at", "expires_at", "state"),
    [
        (None, None, None, "active"),
        (None, None, AHEAD, "active"),
        (None, AHEAD, None, "retiring"),
        (None, AHEAD, AHEAD, "retiring"),
        (None, NOW, None, "retired"),
        (None, PAST, AHEAD, "retired"),
        (None, None, NOW, "expired"),
        (None, None, PAST, "expired"),
        (None, AHEAD, PAST, "expired"),
        (None, PAST, PAST, "expired"),
        (PAST, None, None, "revoked"),
        (AHEAD, None, None, "revoked"),  # by a clock that was set back since
        (PAST, AHEAD, AHEAD, "revoked"),
        (PAST, None, PAST, "revoked"),
        (PAST, PAST, None, "retired"),  # by a rotation
        (AHEAD, AHEAD, None, "retired"),
    ],
)
def test_where_a_secret_stands(
    revoked_at: str | None, retires_at: str | None, expires_at: str | None, state: str
) -> None:
    ends = {"revoked_at": revoked_at, "retires_at": retires_at, "expires_at": expires_at}
    assert (state_of(NOW, **ends), works(NOW, **ends)) == (state, state in {"active", "retiring"})


@pytest.mark.parametrize("now", [PAST, NOW, AHEAD])
def test_the_sql_says_what_the_function_does(now: str) -> None:
    db = sqlite_utils.Database(memory=True)
    for moments in product(MOMENTS, repeat=3):
        ends = dict(zip(("revoked_at", "retires_at", "expires_at"), moments, strict=True))
        values = ends | {"now": now}
        (told,) = db.query(
            f"select {STATE} as state, {WORKS} as works"
            " from (select :revoked_at as revoked_at, :retires_at as retires_at, :expires_at as expires_at)",
            values,
        )
        assert told == {"state": state_of(now, **ends), "works": works(now, **ends)}, values
    db.close()


@pytest.fixture
def in_all_states(db: sqlite_utils.Database, settings: Settings) -> datetime:
    """Give every combination of ends to a key of its own; return the moment that they lie around."""
    now = datetime.now(UTC)
    moments = (None, stamp(now - timedelta(days=1)), stamp(now + timedelta(days=1)))
    for id_, (revoked_at, retires_at, expires_at) in enumerate(product(moments, repeat=3), start=1):
        db.execute(
            "insert into keys (id, name, plan, organization, created_at, expires_at)"
            " values (?1, 'key-' || ?1, 'default', 'default', ?2, ?3)",
            [id_, stamp(now), expires_at],
        )
        db.execute(
            "insert into secrets (prefix, key_id, hash, created_at, retires_at, revoked_at)"
            " values (?, ?, 'none', ?, ?, ?)",
            [f"ask_{id_:08}", id_, stamp(now), retires_at, revoked_at],
        )
    db.conn.commit()
    assert settings.database_path.exists()
    return now


def test_all_that_asks_which_keys_work_hears_the_same(
    db: sqlite_utils.Database, settings: Settings, in_all_states: datetime
) -> None:
    found = keys.every(db)
    names = {key.name for key in found if key.is_live(in_all_states)}
    assert 0 < len(names) < len(found)
    assert {key.name for key in keys.live(db)} == names
    listed = key_list.look_up(db, Question(), in_all_states)
    assert {entry.name for entry in listed.entries} == names
    assert key_list.on_plans(db, in_all_states) == {"default": (len(names), len(found))}
    assert status.neglected(db, in_all_states).live == len(names)
    assert set(completed(f"--data-dir {settings.data_dir} keys revoke", "key-")) == names


def test_the_list_shows_each_key_as_its_page_does(db: sqlite_utils.Database, in_all_states: datetime) -> None:
    listed = key_list.look_up(db, Question(everything=True), in_all_states)
    told = {key.name: key.state(in_all_states) for key in keys.every(db)}
    assert {entry.name: entry.state for entry in listed.entries} == told
    assert set(Counter(told.values())) == {*WORKING, "retired", "expired", "revoked"}
