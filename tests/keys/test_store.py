import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlite_utils import Database

from allscreenshots_box import keys
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.keys import hashing, plans, secrets

DAY = timedelta(days=1)


def states(db: Database) -> dict[str, str]:
    now = datetime.now(UTC)
    return {key.prefix: key.state(now) for key in keys.every(db)}


def test_a_key_is_48_characters_of_the_published_pattern() -> None:
    made = keys.generate()
    assert len(made) == keys.KEY_LENGTH == 48
    assert re.fullmatch(keys.PATTERN, made)


def test_minted_keys_are_well_formed_and_differ() -> None:
    made = {keys.generate() for _ in range(1000)}
    assert len({key[: keys.PREFIX_LENGTH] for key in made}) == 1000
    assert all(map(keys.is_well_formed, made))


def change(text: str, at: int) -> str:
    return text[:at] + ("a" if text[at] != "a" else "b") + text[at + 1 :]


@pytest.mark.parametrize("position", range(48))
def test_a_key_with_any_one_character_mistyped_is_not_well_formed(position: int) -> None:
    assert not keys.is_well_formed(change(keys.generate(), position))


@pytest.mark.parametrize(
    "text", ["", "ask_", "nonsense", "ask_" + "a" * 44, "ASK_" + "a" * 44, "ask_" + "a" * 10_000, "ask_" + "é" * 44]
)
def test_what_is_no_key_is_not_well_formed(text: str) -> None:
    assert not keys.is_well_formed(text)


def test_another_secret_under_a_known_prefix_is_not_well_formed_even_with_a_right_checksum() -> None:
    prefix, other = keys.generate()[: keys.PREFIX_LENGTH], keys.generate()
    body = prefix + other[keys.PREFIX_LENGTH : -keys.CHECKSUM_LENGTH]
    assert not keys.is_well_formed(body + secrets._checksum(body))


def test_only_the_argon2_hash_is_stored(db: Database, hasher: PasswordHasher) -> None:
    key, secret = keys.create(db, hasher, "svc")
    stored = "".join(map(str, db.execute("select * from keys, secrets").fetchall()))
    assert key.hash in stored
    assert key.hash.startswith("$argon2id$")
    assert secret[keys.PREFIX_LENGTH :] not in stored


def test_what_is_shown_of_a_key_has_no_hash(db: Database, hasher: PasswordHasher) -> None:
    key, _ = keys.create(db, hasher, "svc", environment="staging", lifetime=DAY)
    shown = keys.describe(key, datetime.now(UTC))
    assert "hash" not in shown
    assert key.hash not in repr(key)
    assert {name: shown[name] for name in ("name", "prefix", "plan", "environment", "organization", "state")} == {
        "name": "svc",
        "prefix": key.prefix,
        "plan": "default",
        "environment": "staging",
        "organization": "default",
        "state": "active",
    }


def test_a_live_name_is_taken(db: Database, hasher: PasswordHasher) -> None:
    keys.create(db, hasher, "svc")
    with pytest.raises(OperatorError, match="live key 'svc' already"):
        keys.create(db, hasher, "svc")


def test_a_revoked_name_is_free_again(db: Database, hasher: PasswordHasher) -> None:
    old, _ = keys.create(db, hasher, "svc")
    keys.revoke(db, "svc")
    new, _ = keys.create(db, hasher, "svc")
    assert states(db) == {old.prefix: "revoked", new.prefix: "active"}
    assert new.id != old.id


@pytest.mark.parametrize("name", ["", " x", "x" * 101, "a\nb", "a\u202eb", "a\x85b", "ask_x"])
def test_a_bad_name_is_refused(db: Database, hasher: PasswordHasher, name: str) -> None:
    with pytest.raises(OperatorError, match=r"name"):
        keys.create(db, hasher, name)


def test_an_unknown_plan_is_refused_with_those_there_are(db: Database, hasher: PasswordHasher) -> None:
    with pytest.raises(OperatorError, match="the plans are default"):
        keys.create(db, hasher, "svc", plan="gold")


def test_rotation_without_grace_retires_the_old_secret_now(db: Database, hasher: PasswordHasher) -> None:
    old, _ = keys.create(db, hasher, "svc")
    new, _ = keys.rotate(db, hasher, "svc")
    assert states(db) == {old.prefix: "retired", new.prefix: "active"}


def test_rotation_with_grace_keeps_both_under_one_id(db: Database, hasher: PasswordHasher) -> None:
    old, _ = keys.create(db, hasher, "svc", plan="default", environment="prod")
    new, _ = keys.rotate(db, hasher, "svc", grace=DAY)
    assert states(db) == {old.prefix: "retiring", new.prefix: "active"}
    assert (new.id, new.name, new.plan, new.environment) == (old.id, old.name, old.plan, old.environment)


@pytest.mark.parametrize(
    "stop",
    [
        lambda db, hasher, key: keys.rotate(db, hasher, key.name),
        lambda db, hasher, key: keys.rotate(db, hasher, key.name, grace=timedelta()),
        lambda db, hasher, key: (keys.rotate(db, hasher, key.name, grace=DAY), keys.rotate(db, hasher, key.name)),
        lambda db, _, key: keys.revoke(db, key.name),
        lambda db, _, key: keys.revoke(db, key.prefix),
    ],
    ids=["rotated", "rotated with no grace", "rotated within a grace", "revoked", "revoked by prefix"],
)
def test_what_is_stopped_is_stopped_whatever_the_clock_says(
    db: Database, hasher: PasswordHasher, stop: Callable[[Database, PasswordHasher, keys.KeySecret], object]
) -> None:
    old, _ = keys.create(db, hasher, "svc")
    stop(db, hasher, old)
    found = keys.find(db, old.prefix)
    assert [found.is_live(datetime.now(UTC) - timedelta(days=days)) for days in (0, 1, 10_000)] == [False] * 3


def test_a_grace_that_is_over_is_over_for_good_once_the_key_is_rotated_again(
    db: Database, hasher: PasswordHasher
) -> None:
    old, _ = keys.create(db, hasher, "svc")
    keys.rotate(db, hasher, "svc", grace=timedelta(microseconds=1))
    keys.rotate(db, hasher, "svc", grace=DAY)
    assert not keys.find(db, old.prefix).is_live(datetime.now(UTC) - DAY)


def test_a_life_that_ends_now_is_no_way_to_stop_a_key(db: Database, hasher: PasswordHasher) -> None:
    keys.create(db, hasher, "svc")
    with pytest.raises(OperatorError, match="to stop one now, revoke it"):
        keys.edit(db, "svc", {"expires": timedelta()})


def test_rotating_again_does_not_lengthen_a_grace(db: Database, hasher: PasswordHasher) -> None:
    first, _ = keys.create(db, hasher, "svc")
    keys.rotate(db, hasher, "svc", grace=timedelta(hours=1))
    before = keys.find(db, first.prefix).retires_at
    keys.rotate(db, hasher, "svc", grace=DAY)
    assert keys.find(db, first.prefix).retires_at == before


def test_a_name_means_the_newest_secret(db: Database, hasher: PasswordHasher) -> None:
    keys.create(db, hasher, "svc")
    new, _ = keys.rotate(db, hasher, "svc", grace=DAY)
    assert keys.find(db, "svc").prefix == new.prefix


def test_a_key_is_found_by_its_id_in_any_state(db: Database, hasher: PasswordHasher) -> None:
    old, _ = keys.create(db, hasher, "svc")
    new, _ = keys.rotate(db, hasher, old.id, grace=DAY)
    assert keys.find(db, old.id).prefix == new.prefix
    assert [key.prefix for key in keys.revoke(db, old.id)] == [old.prefix, new.prefix]
    assert keys.find(db, old.id).state(datetime.now(UTC)) == "revoked"
    with pytest.raises(OperatorError, match="no such key"):
        keys.find(db, old.id + 1)


def test_a_secret_can_be_hashed_before_its_key_is_made(db: Database, hasher: PasswordHasher) -> None:
    generated = keys.generated(hasher)
    key, secret = keys.create(db, generated, "svc")
    assert secret == generated.secret
    assert hashing.matches(hasher, key.hash, secret)
    assert secret not in repr(generated)


def test_a_dead_key_cannot_be_rotated(db: Database, hasher: PasswordHasher) -> None:
    key, _ = keys.create(db, hasher, "svc")
    keys.revoke(db, "svc")
    with pytest.raises(OperatorError, match="is revoked"):
        keys.rotate(db, hasher, key.prefix)


def test_revoking_by_name_stops_retiring_secrets_too(db: Database, hasher: PasswordHasher) -> None:
    old, _ = keys.create(db, hasher, "svc")
    new, _ = keys.rotate(db, hasher, "svc", grace=DAY)
    keys.revoke(db, "svc")
    assert states(db) == {old.prefix: "revoked", new.prefix: "revoked"}


def test_revoking_by_prefix_stops_that_secret_alone(db: Database, hasher: PasswordHasher) -> None:
    old, _ = keys.create(db, hasher, "svc")
    new, _ = keys.rotate(db, hasher, "svc", grace=DAY)
    keys.revoke(db, old.prefix)
    assert states(db) == {old.prefix: "revoked", new.prefix: "active"}


def test_a_key_expires(db: Database, hasher: PasswordHasher) -> None:
    key, _ = keys.create(db, hasher, "svc", lifetime=DAY)
    now = datetime.now(UTC)
    assert key.state(now) == "active"
    assert key.state(now + DAY) == "expired"


def test_editing_changes_what_is_given_and_nothing_else(db: Database, hasher: PasswordHasher) -> None:
    plans.set_plan(db, "small", {"screenshots_per_hour": 5})
    key, _ = keys.create(db, hasher, "svc", environment="prod", lifetime=DAY)
    edited = keys.edit(db, "svc", {"plan": "small", "expires": None})
    assert (edited.plan.name, edited.expires_at, edited.environment) == ("small", None, "prod")
    assert edited.prefix == key.prefix


def test_a_key_cannot_take_a_live_name(db: Database, hasher: PasswordHasher) -> None:
    keys.create(db, hasher, "one")
    keys.create(db, hasher, "two")
    with pytest.raises(OperatorError, match="live key 'one' already"):
        keys.edit(db, "two", {"name": "one"})


def test_an_expired_key_cannot_come_back_under_a_name_that_is_taken_since(db: Database, hasher: PasswordHasher) -> None:
    old, _ = keys.create(db, hasher, "svc")
    keys.edit(db, "svc", {"expires": timedelta(microseconds=1)})
    keys.create(db, hasher, "svc")
    with pytest.raises(OperatorError, match="live key 'svc' already"):
        keys.edit(db, old.prefix, {"expires": None})


def test_pruning_forgets_what_is_dead_and_keeps_what_lives(db: Database, hasher: PasswordHasher) -> None:
    keys.create(db, hasher, "dead")
    keys.revoke(db, "dead")
    alive, _ = keys.create(db, hasher, "alive")
    assert [key.name for key in keys.prune(db, older_than=timedelta())] == ["dead"]
    assert states(db) == {alive.prefix: "active"}
    assert db.execute("select count(*) from keys").fetchone() == (1,)


def test_pruning_keeps_what_died_lately(db: Database, hasher: PasswordHasher) -> None:
    keys.create(db, hasher, "svc")
    keys.revoke(db, "svc")
    assert keys.prune(db, older_than=DAY) == []


def test_a_whole_key_is_not_taken_as_an_argument(db: Database, hasher: PasswordHasher) -> None:
    _, secret = keys.create(db, hasher, "svc")
    with pytest.raises(OperatorError, match="first 12 characters") as caught:
        keys.find(db, secret)
    assert secret not in str(caught.value)


def test_the_lowest_cost_is_owasps_minimum() -> None:
    lowest = keys.hasher_of(19, 2)
    assert (lowest.memory_cost, lowest.time_cost, lowest.parallelism) == (19 * 1024, 2, 1)


def test_a_hash_is_outdated_only_when_the_setting_rises(db: Database) -> None:
    key, _ = keys.create(db, keys.hasher_of(20, 3), "svc")
    assert keys.is_outdated(keys.hasher_of(21, 3), key.hash)
    assert keys.is_outdated(keys.hasher_of(20, 4), key.hash)
    assert not keys.is_outdated(keys.hasher_of(20, 3), key.hash)
    assert not keys.is_outdated(keys.hasher_of(19, 2), key.hash)
