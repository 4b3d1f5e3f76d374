"""The database that a restore replaces: what it knows of the keys in a backup."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlite_utils

from .. import timestamps
from ..storage import backup as snapshot
from ..storage.migrations import migrations

REVOKE_PRUNED, REVIVE = "revoke pruned key", "revive key"  # what a restore does, as the audit has it
PRUNED = frozenset({"forget key", REVOKE_PRUNED})
CHOSE = "set password"  # what a new password of the page is in the audit
STOPPED = frozenset({"revoke key", "rotate key"})

_PREFIX_LENGTH = 12  # subjects in the audit begin with it
_EXPIRY = re.compile(r"expires (\d{4}-\S+Z)$")  # how the audit tells of an edited one
_FACTS = {"name": "name", "plan": "plan", "environment": "environment", "allow_hosts": "hosts", "expires_at": "expiry"}
_SECRETS = """
    select secrets.prefix, secrets.key_id, secrets.revoked_at, secrets.retires_at, keys.*
    from secrets join keys on keys.id = secrets.key_id order by secrets.created_at
"""

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Predecessor:
    """What is known of the database that is replaced."""

    secrets: dict[str, Row]  # by prefix: its ends, and what its key is
    plans: dict[str, Row]
    born: str | None  # when it was made; a backup of it was born at the same moment
    audit: list[Row] = field(default_factory=list)
    audited_since: str | None = None  # from this moment on, nothing was done to keys that its audit does not have
    password: Row | None = None

    def acts_since(self, backup: sqlite_utils.Database) -> dict[str, list[Row]]:
        """Return by prefix what was done to keys and is not in the *backup*, the oldest first."""
        known = {_identity(entry) for entry in backup.query("select * from audit")}
        found: dict[str, list[Row]] = {}
        for entry in self.audit:
            if _identity(entry) not in known:
                found.setdefault(entry["subject"][:_PREFIX_LENGTH], []).append(entry)
        return found

    def chose_password_since(self, backup: sqlite_utils.Database) -> bool:
        """Say whether a password was set that the *backup*, made of the same database, knows nothing of."""
        known = {_identity(entry) for entry in backup.query("select * from audit")}
        acts = (entry for entry in self.audit if entry["act"] == CHOSE)
        return self.born == born(backup) and any(_identity(entry) not in known for entry in acts)

    def saw_all_since(self, backup: sqlite_utils.Database) -> bool:
        """Say whether the audit has all that was done to keys since the *backup* was made."""
        (made,) = backup.execute(
            "select max(at) from (select max(moment) as at from audit union all select max(created_at) from secrets)"
        ).fetchone()
        return None not in {self.audited_since, made} and str(self.audited_since) <= made

    def changed(self, backup: sqlite_utils.Database) -> tuple[list[str], list[str]]:
        """Return what the *backup* has otherwise: keys as NAME: WHAT, and names of plans."""
        theirs = _secrets(backup)
        differing = {
            row["key_id"]: f"{theirs[prefix]['name']}: {', '.join(differences)}"
            for prefix, row in self.secrets.items()
            if prefix in theirs and (differences := list(_differences(row, theirs[prefix])))
        }
        plans = _plans(backup)
        return list(differing.values()), [
            name for name in sorted(plans | self.plans) if _differ(plans.get(name), self.plans.get(name))
        ]


def last_end(acts: list[Row]) -> str | None:
    """Return the act that decides whether a key works, if there is one among *acts*."""
    ends = PRUNED | STOPPED | {REVIVE}
    return next((entry["act"] for entry in reversed(acts) if entry["act"] in ends), None)


def expiries(acts: list[Row]) -> list[str]:
    """Return the moments that a key's life was made to end at."""
    found = (_EXPIRY.search(entry["subject"]) for entry in acts if entry["act"] == "edit key")
    return [match[1] for match in found if match]


def read(path: Path) -> Predecessor | None:
    """Read what is to be carried over, also from a newer version's database; None if it cannot be read."""
    if not path.exists():
        return None
    try:
        with snapshot.connected(path) as connection:
            connection.execute("pragma query_only = on")
            db = sqlite_utils.Database(connection)
            return _read(db) if db.table("secrets").exists() else None
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}:
            return None
        raise


def born(db: sqlite_utils.Database) -> str | None:
    """Return when a database was made."""
    return _applied(db).get("m001_keys")


def _read(db: sqlite_utils.Database) -> Predecessor:
    there = set(db.table_names())
    audit = list(db.query("select * from audit order by id")) if "audit" in there else []
    return Predecessor(
        secrets=_secrets(db),
        plans=_plans(db),
        born=born(db),
        audit=audit,
        audited_since=_audited_since(db, audit),
        password=next(db.query("select * from password"), None) if "password" in there else None,
    )


def _audited_since(db: sqlite_utils.Database, audit: list[Row]) -> str | None:
    """Return from when on the audit is whole: from its first entry on, or from the making of its table."""
    moments = [entry["moment"] for entry in audit[:1]]
    made = _applied(db).get("m005_operators")
    if made and (not audit or audit[0]["id"] == 1):  # else the oldest entries are gone
        moments.append(timestamps.stamp(datetime.fromisoformat(made)))
    return min(moments, default=None)


def _applied(db: sqlite_utils.Database) -> dict[str, str]:
    return {one.name: one.applied_at for one in migrations.applied(db)}


def _secrets(db: sqlite_utils.Database) -> dict[str, Row]:
    return {row["prefix"]: row for row in db.query(_SECRETS)}


def _plans(db: sqlite_utils.Database) -> dict[str, Row]:
    return {row["name"]: row for row in db.query("select * from plans")}


def _identity(entry: Row) -> tuple[Any, ...]:
    return entry["id"], entry["moment"], entry["act"], entry["subject"]


def _differences(one: Row, other: Row) -> Iterator[str]:
    return (word for column, word in _FACTS.items() if one.get(column) != other.get(column))


def _differ(one: Row | None, other: Row | None) -> bool:
    """Say whether two plans differ in what both versions know of them."""
    if one is None or other is None:
        return True
    return any(one[column] != other[column] for column in one.keys() & other.keys())
