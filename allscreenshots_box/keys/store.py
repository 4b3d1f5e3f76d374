"""API keys: made once, shown once, and stored only as an argon2 hash.

A *key* is a name with its plan and limits; its *secrets* come and go with every rotation. Every function
is synchronous and takes the open database first: the command line calls it directly, the server through
`Database.run`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlite_utils
from argon2 import PasswordHasher

from .. import hosts as places
from ..errors import OperatorError
from ..hosts import HostPattern
from ..storage.audit import COMMAND_LINE, Actor, record
from ..storage.database import acting, typed, writing
from ..timestamps import stamp
from .hashing import GeneratedKey, generated
from .plans import Plan, no_plan, plans
from .secrets import PREFIX_LENGTH, SCHEME, is_prefix
from .states import WORKING, State, state_of

DEFAULT_ORGANIZATION = "default"
NAME_LENGTH = 100
MOST_HOSTS = 100
TOUCH_PATIENCE = 50  # milliseconds

Deliver = Callable[["KeySecret", str], None]


@dataclass(frozen=True, kw_only=True)
class KeySecret:
    """One secret with the key it belongs to and the plan in force. Times are ISO 8601 in UTC."""

    id: int
    name: str
    prefix: str
    hash: str
    plan: Plan
    environment: str | None
    organization: str
    allow_hosts: str | None  # places, comma-separated; None for wherever the box goes
    created_at: str
    last_used_at: str | None
    expires_at: str | None
    retires_at: str | None
    revoked_at: str | None

    @property
    def hosts(self) -> tuple[HostPattern, ...]:
        """Where this key's shots may go; nothing named means wherever the box goes."""
        return _read_hosts(self.allow_hosts or "")

    def state(self, now: datetime) -> State:
        """Return where in its life this secret stands."""
        ends = {"revoked_at": self.revoked_at, "retires_at": self.retires_at, "expires_at": self.expires_at}
        return state_of(stamp(now), **ends)

    def is_live(self, now: datetime) -> bool:
        """Say whether requests with this secret are let in."""
        return self.state(now) in WORKING

    def __repr__(self) -> str:
        return f"KeySecret({self.prefix!r}, {self.name!r})"  # never the hash


def describe(key: KeySecret, now: datetime) -> dict[str, Any]:
    """Return what may be shown of *key*: everything but its hash."""
    shown = vars(key) | {"plan": key.plan.name, "state": key.state(now)}
    del shown["hash"]
    return shown


# --- reading ------------------------------------------------------------------------------------

_OF_KEY = """
    keys.id, keys.name, secrets.prefix, secrets.hash, keys.plan, keys.environment, keys.organization, keys.allow_hosts,
    secrets.created_at, secrets.last_used_at, keys.expires_at, secrets.retires_at, secrets.revoked_at
"""
_SELECT = f"""
    select {_OF_KEY}, plans.screenshots_per_hour, plans.screenshots_burst, plans.requests_per_hour,
        plans.requests_burst, plans.screenshots_per_month, plans.bandwidth_per_month, plans.weight
    from secrets join keys on keys.id = secrets.key_id join plans on plans.name = keys.plan
"""


def by_prefix(db: sqlite_utils.Database, prefix: str) -> KeySecret | None:
    """Return the key whose secret begins with *prefix*, in whatever state."""
    return next((_key(row) for row in db.query(f"{_SELECT} where secrets.prefix = ?", [prefix])), None)


def every(db: sqlite_utils.Database) -> list[KeySecret]:
    """Return every secret there is, oldest first."""
    by_name = {plan.name: plan for plan in plans(db)}  # read once, and not for each of many keys
    rows = db.query(f"select {_OF_KEY} from secrets join keys on keys.id = secrets.key_id")
    found = [KeySecret(**{**row, "plan": by_name[row["plan"]]}) for row in rows]
    return sorted(found, key=lambda key: (key.created_at, key.prefix))


def live(db: sqlite_utils.Database) -> list[KeySecret]:
    """Return the secrets that work now."""
    now = datetime.now(UTC)
    return [key for key in every(db) if key.is_live(now)]


def secrets_of(db: sqlite_utils.Database, key_id: int) -> list[KeySecret]:
    """Return every secret that a key has had and that was not pruned: what works first, the newest first."""
    now = datetime.now(UTC)
    found = [_key(row) for row in db.query(f"{_SELECT} where keys.id = ? order by secrets.created_at desc", [key_id])]
    return sorted(found, key=lambda key: (not key.is_live(now), key.retires_at is not None))


def find(db: sqlite_utils.Database, wanted: str | int) -> KeySecret:
    """Return the key that *wanted* names: its id or 12 characters in any state, or the name of a live one.

    Of a key inside a rotation's grace, the new secret. Raises OperatorError.
    """
    if isinstance(wanted, int):
        found = secrets_of(db, wanted)
        if not found:
            raise OperatorError("There is no such key.")
        return found[0]
    if wanted.startswith(SCHEME) and len(wanted) > PREFIX_LENGTH:
        raise OperatorError(
            f"That is more of a key than anyone may see, and the shell's history now has it: "
            f"name a key by its first {PREFIX_LENGTH} characters, and rotate this one."
        )
    if is_prefix(wanted) and (key := by_prefix(db, wanted)):
        return key
    named = _live_named(db, wanted)
    if not named:
        raise OperatorError(
            f"There is no live key {wanted!r}: `{typed(db, 'keys list --all')}` shows every key there is."
        )
    return min(named, key=lambda key: key.retires_at is not None)


def _live_named(db: sqlite_utils.Database, name: str) -> list[KeySecret]:
    now = datetime.now(UTC)
    rows = db.query(f"{_SELECT} where keys.name = ?", [name])
    return [key for key in map(_key, rows) if key.is_live(now)]


def _key(row: dict[str, Any]) -> KeySecret:
    plan = {name: row.pop(name) for name in Plan.__dataclass_fields__ if name != "name"}
    return KeySecret(**row | {"plan": Plan(name=row["plan"], **plan)})


# --- changing -----------------------------------------------------------------------------------


def create(  # noqa: PLR0913 - each is one option of the command
    db: sqlite_utils.Database,
    hasher: PasswordHasher | GeneratedKey,
    name: str,
    *,
    plan: str = "default",
    environment: str | None = None,
    organization: str = DEFAULT_ORGANIZATION,
    allow_hosts: Sequence[str] = (),
    lifetime: timedelta | None = None,
    deliver: Deliver = lambda _key, _secret: None,
    by: Actor = COMMAND_LINE,
) -> tuple[KeySecret, str]:
    """Make a key called *name*; return it with its secret, which is never seen again.

    *deliver* is given both once they are stored for good: what it raises undoes all.
    Raises OperatorError if the name is taken by a live key, or there is no such plan.
    """
    _require_life(lifetime)
    _require_label("name", name)
    _require_label("organization", organization)
    if environment is not None:
        _require_label("environment", environment)
    now = datetime.now(UTC)
    hosts = _checked_hosts(allow_hosts)
    fresh = generated(hasher)  # slow, and so before the write lock
    with acting(db):
        _require_free_name(db, name)
        _require_plan(db, plan)
        row = {"name": name, "plan": plan, "environment": environment, "organization": organization}
        row |= {"allow_hosts": hosts, "created_at": stamp(now), "expires_at": _later(now, lifetime)}
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        cursor = db.execute(f"insert into keys ({columns}) values ({marks})", list(row.values()))
        new = _add_secret(db, fresh, cursor.lastrowid)
        act = record(db, by, "create key", _named(new[0]))
    with _undone(db, act, new[0]):
        deliver(*new)
    return new


def rotate(  # noqa: PLR0913 - each is one option of the command
    db: sqlite_utils.Database,
    hasher: PasswordHasher | GeneratedKey,
    wanted: str | int,
    *,
    grace: timedelta | None = None,
    deliver: Deliver = lambda _key, _secret: None,
    by: Actor = COMMAND_LINE,
) -> tuple[KeySecret, str]:
    """Give a live key a new secret; its old ones work until *grace* has passed, or not at all.

    *deliver* is as for `create`.
    """
    now = datetime.now(UTC)
    fresh = generated(hasher)
    with acting(db):
        old = find(db, wanted)
        if not old.is_live(now):
            raise OperatorError(f"Key {old.prefix} is {old.state(now)}: make a new one.")
        before = [(key.retires_at, key.revoked_at, key.prefix) for key in secrets_of(db, old.id)]
        retires_at = _later(now, grace or timedelta())
        db.execute(
            "update secrets set retires_at = min(coalesce(retires_at, ?1), ?1)"
            " where key_id = ?2 and revoked_at is null",
            [retires_at, old.id],
        )
        stop_retired(db, now)
        new = _add_secret(db, fresh, old.id)
        act = record(db, by, "rotate key", f"{_named(old)} to {new[0].prefix}")
    with _undone(db, act, new[0], before):
        deliver(*new)
    return new


@contextmanager
def _undone(
    db: sqlite_utils.Database, act: int, new: KeySecret, before: Sequence[tuple[str | None, str | None, str]] = ()
) -> Iterator[None]:
    """Undo what an *act* stored, if the block fails: a secret that nobody got must not stay behind."""
    try:
        yield
    except BaseException:
        with acting(db):
            db.execute("delete from secrets where prefix = ?", [new.prefix])
            db.execute(
                "delete from keys where id = ?1 and not exists (select 1 from secrets where key_id = ?1)", [new.id]
            )
            db.conn.executemany("update secrets set retires_at = ?, revoked_at = ? where prefix = ?", before)
            db.execute("delete from audit where id = ?", [act])
        raise


def revoke(db: sqlite_utils.Database, wanted: str | int, *, by: Actor = COMMAND_LINE) -> list[KeySecret]:
    """Stop a secret by its 12 characters, or all of a key's by its name or id; return what was stopped."""
    now = datetime.now(UTC)
    with acting(db):
        found = find(db, wanted)
        of_key = [key for key in reversed(secrets_of(db, found.id)) if key.is_live(now)]
        doomed = [found] if found.prefix == wanted else of_key
        for key in doomed:
            db.execute(
                "update secrets set revoked_at = ? where prefix = ? and revoked_at is null", [stamp(now), key.prefix]
            )
            record(db, by, "revoke key", _named(key))
    return doomed


def edit(
    db: sqlite_utils.Database,
    wanted: str | int,
    changes: dict[str, Any],
    *,
    by: Actor = COMMAND_LINE,
    require: Callable[[KeySecret], None] = lambda _key: None,
) -> KeySecret:
    """Change *name*, *plan*, *environment*, *allow_hosts* or *expires* (from now, or None for never) of a key.

    *require* is given the key as it is until then: what it raises leaves that so.
    """
    now = datetime.now(UTC)
    with acting(db):
        key = find(db, wanted)
        require(key)
        name = changes.get("name", key.name)
        if name != key.name:
            _require_label("name", name)
        if name != key.name or not key.is_live(now):  # a longer life may bring an expired key back
            _require_free_name(db, name)
        if "plan" in changes:
            _require_plan(db, changes["plan"])
        if changes.get("environment"):
            _require_label("environment", changes["environment"])
        row: dict[str, Any] = {name: changes[name] for name in ("name", "plan", "environment") if name in changes}
        if "allow_hosts" in changes:
            row["allow_hosts"] = _checked_hosts(changes["allow_hosts"])
        if "expires" in changes:
            _require_life(changes["expires"])
            row["expires_at"] = _later(now, changes["expires"])
        assignments = ", ".join(f"{column} = ?" for column in row)
        db.execute(f"update keys set {assignments} where id = ?", [*row.values(), key.id])
        told = ", ".join(f"{column.removesuffix('_at')} {value or 'none'}" for column, value in row.items())
        record(db, by, "edit key", f"{_named(key)}: {told}")
    return find(db, key.prefix)


def stop_retired(db: sqlite_utils.Database, now: datetime) -> None:
    """Stop for good what a rotation ended until *now*: a clock that is set back must not bring it back."""
    db.execute("update secrets set revoked_at = retires_at where revoked_at is null and retires_at <= ?", [stamp(now)])


def prune(db: sqlite_utils.Database, *, older_than: timedelta, by: Actor = COMMAND_LINE) -> list[KeySecret]:
    """Forget the secrets that stopped working at least *older_than* ago; return them."""
    now = datetime.now(UTC)
    try:
        edge = stamp(now - older_than)
    except OverflowError:
        raise OperatorError("--older-than is longer ago than the calendar goes.") from None
    with acting(db):
        dead = [key for key in every(db) if not key.is_live(now) and _ended(key, now) <= edge]
        for key in dead:
            db.execute("delete from secrets where prefix = ?", [key.prefix])
            record(db, by, "forget key", _named(key))
        db.execute("delete from keys where id not in (select key_id from secrets)")
    return dead


def rehash(db: sqlite_utils.Database, key: KeySecret, new_hash: str) -> None:
    """Replace the stored hash, unless it has changed since *key* was read."""
    with writing(db):
        db.execute("update secrets set hash = ? where prefix = ? and hash = ?", [new_hash, key.prefix, key.hash])


def touch(db: sqlite_utils.Database, prefix: str, moment: datetime) -> None:
    """Record when a secret was last used, if nobody else is writing just now: requests wait behind this."""
    with writing(db, patience=TOUCH_PATIENCE):
        db.execute("update secrets set last_used_at = ? where prefix = ?", [stamp(moment), prefix])


def _add_secret(db: sqlite_utils.Database, fresh: GeneratedKey, key_id: int | None) -> tuple[KeySecret, str]:
    prefix = fresh.secret[:PREFIX_LENGTH]
    # The column is unique. Two keys of one prefix come about once in 62^8: then this fails, and is run again.
    db.execute(
        "insert into secrets (prefix, key_id, hash, created_at) values (?, ?, ?, ?)",
        [prefix, key_id, fresh.hash, stamp(datetime.now(UTC))],
    )
    key = by_prefix(db, prefix)
    assert key is not None  # noqa: S101 - inserted in this transaction
    return key, fresh.secret


def _named(key: KeySecret) -> str:
    return f"{key.prefix} ({key.name})"


def _require_life(span: timedelta | None) -> None:
    if span is not None and span <= timedelta():
        raise OperatorError("A key must live for at least 1s; to stop one now, revoke it.", field="expires")


def is_label(text: str) -> bool:
    """Say whether *text* may name something."""
    return 0 < len(text) <= NAME_LENGTH and text.isprintable() and text == text.strip()


def _require_label(label: str, text: str) -> None:
    if not is_label(text):
        raise OperatorError(
            f"The {label} must be 1 to {NAME_LENGTH} printable characters without spaces around them.", field=label
        )
    if label == "name" and text.startswith(SCHEME):
        raise OperatorError(f"A name cannot begin with {SCHEME}: it would be taken for a key.", field=label)


def _checked_hosts(words: Sequence[str]) -> str | None:
    """Return places as they are stored; None for no restriction."""
    try:
        found = [str(places.read(word)) for word in words if word.strip()]
    except ValueError as error:
        raise OperatorError(f"Allowed host {error}.", field="allow_hosts") from None
    if len(found) > MOST_HOSTS:
        raise OperatorError(
            f"A key can be made for at most {MOST_HOSTS} hosts: name a *.DOMAIN or a network instead.",
            field="allow_hosts",
        )
    return ",".join(dict.fromkeys(found)) or None


@lru_cache(maxsize=1024)
def _read_hosts(text: str) -> tuple[HostPattern, ...]:
    return tuple(places.read(word) for word in text.split(",") if word)


def _require_free_name(db: sqlite_utils.Database, name: str) -> None:
    if taken := _live_named(db, name):
        raise OperatorError(
            f"There is a live key {name!r} already ({taken[0].prefix}): rotate that one, or choose another name.",
            field="name",
        )


def _require_plan(db: sqlite_utils.Database, plan: str) -> None:
    names = [row["name"] for row in db.query("select name from plans order by name")]
    if plan not in names:
        raise OperatorError(no_plan(plan, names), field="plan")


def _ended(key: KeySecret, now: datetime) -> str:
    ends = [moment for moment in (key.revoked_at, key.retires_at, key.expires_at) if moment]
    return min(ends) if ends else stamp(now)


def _later(now: datetime, span: timedelta | None) -> str | None:
    if span is None:
        return None
    try:
        return stamp(now + span)
    except OverflowError:
        raise OperatorError("That is further than the calendar goes: say less.", field="expires") from None
