"""Who did what to keys and plans is written down, by whatever way it was done."""

from datetime import timedelta

import pytest
import sqlite_utils
from argon2 import PasswordHasher

from allscreenshots_box import keys
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.keys import plans
from allscreenshots_box.storage import audit
from allscreenshots_box.storage.audit import Actor

OPERATOR = Actor("operator", "192.0.2.7")


def told(db: sqlite_utils.Database) -> list[tuple[str, str | None, str, str]]:
    return [(row["actor"], row["address"], row["act"], row["subject"]) for row in audit.recent(db)]


def test_every_act_on_a_key_is_told_newest_first(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    first, _ = keys.create(db, hasher, "billing", by=OPERATOR)
    second, _ = keys.rotate(db, hasher, "billing", grace=timedelta(hours=1), by=OPERATOR)
    keys.edit(db, "billing", {"name": "invoices", "expires": None})
    in_order = [key.prefix for key in keys.revoke(db, "invoices", by=OPERATOR)]  # made in one moment, in either
    keys.prune(db, older_than=timedelta())
    assert sorted(in_order) == sorted([first.prefix, second.prefix])
    assert {row[:3] for row in told(db)[:2]} == {("command line", None, "forget key")}
    assert [row[2:] for row in reversed(told(db)[2:])] == [
        ("create key", f"{first.prefix} (billing)"),
        ("rotate key", f"{first.prefix} (billing) to {second.prefix}"),
        ("edit key", f"{second.prefix} (billing): name invoices, expires none"),
        *[("revoke key", f"{prefix} (invoices)") for prefix in in_order],
    ]
    assert told(db)[-1][:2] == ("operator", "192.0.2.7")


def test_every_act_on_a_plan_is_told(db: sqlite_utils.Database) -> None:
    plans.set_plan(db, "small", {"screenshots_per_hour": 10, "weight": None}, by=OPERATOR)
    plans.remove_plan(db, "small")
    assert [row[2:] for row in told(db)] == [("remove plan", "small"), ("set plan", "small: screenshots per hour 10")]


def test_what_fails_is_not_told(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    def broken_pipe(_key: keys.KeySecret, _secret: str) -> None:
        raise OperatorError("The secret could not be printed.")

    with pytest.raises(OperatorError):
        keys.create(db, hasher, "billing", deliver=broken_pipe)
    assert told(db) == []


def test_the_oldest_are_forgotten(db: sqlite_utils.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT", 3)
    for number in range(1, 6):
        plans.set_plan(db, "default", {"weight": number})
    assert [row[3] for row in told(db)] == [f"default: weight {number}" for number in (5, 4, 3)]


def test_entries_are_paged_by_the_last_one_seen(db: sqlite_utils.Database) -> None:
    for number in range(1, 6):
        plans.set_plan(db, "default", {"weight": number})
    first = audit.recent(db, number=2)
    assert [row["subject"] for row in audit.recent(db, before=first[-1]["id"], number=2)] == [
        "default: weight 3",
        "default: weight 2",
    ]
