"""What a database may hold that is to be restored: the tables that we make, and values such as we write."""

import re
import sqlite3
from contextlib import closing

import sqlite_utils

from .. import hosts, keys
from ..errors import OperatorError
from ..keys import plans
from ..storage.migrations import migrations

LONGEST = 1000  # characters of what is only shown: acts, subjects, targets
LARGEST_ID = 2**53  # rows that come later have larger ones: there must be some

_DIGIT = "[0-9]"
_DAY = f"{_DIGIT * 4}-{_DIGIT * 2}-{_DIGIT * 2}"
_IS_DAY = f"{{}} glob '{_DAY}'"
_IS_MOMENT = f"{{}} glob '{_DAY}T{_DIGIT * 2}:{_DIGIT * 2}:{_DIGIT * 2}.{_DIGIT * 3}Z'"
_IS_MONTH = f"{{}} || '-01' glob '{_DAY}'"
_IS_CODE = "length({0}) between 1 and 50 and {0} not glob '*[^a-z_]*'"
_IS_SHORT = f"length({{}}) <= {LONGEST}"
_IS_ID = f"{{}} between 1 and {LARGEST_ID}"
_COUNTS = "{} >= 0"

# What each value must be, as SQL; whether it may be null, and what type it has, is the table's own affair.
_RULES = {
    "plans": {"name": "is_label({})"},
    "keys": {
        "id": _IS_ID,
        **dict.fromkeys(("name", "plan", "environment", "organization"), "is_label({})"),
        **dict.fromkeys(("created_at", "expires_at"), _IS_MOMENT),
        "allow_hosts": "are_hosts({})",
    },
    "secrets": {
        "prefix": "is_prefix({})",
        "hash": "is_hash({})",
        **dict.fromkeys(("created_at", "last_used_at", "retires_at", "revoked_at"), _IS_MOMENT),
    },
    "password": {"hash": "is_hash({})", "changed_at": _IS_MOMENT},
    "usage": {"day": _IS_DAY, **dict.fromkeys(("screenshots", "bytes", "render_seconds"), _COUNTS)},
    "usage_by_day": {"day": _IS_DAY, "screenshots": _COUNTS, "bytes": _COUNTS},
    "usage_by_month": {"month": _IS_MONTH, **dict.fromkeys(("screenshots", "bytes", "render_seconds"), _COUNTS)},
    "usage_by_organization": {"organization": "is_label({})", "day": _IS_DAY, "screenshots": _COUNTS, "bytes": _COUNTS},
    "failures": {"day": _IS_DAY, "code": _IS_CODE, "number": _COUNTS},
    "failures_by_day": {"day": _IS_DAY, "code": _IS_CODE, "number": _COUNTS},
    "failures_by_month": {"month": _IS_MONTH, "code": _IS_CODE, "number": _COUNTS},
    "audit": {
        "id": _IS_ID,
        "moment": _IS_MOMENT,
        **dict.fromkeys(("actor", "address", "act", "subject"), _IS_SHORT),
    },
    "captures": {
        "id": _IS_ID,
        "moment": _IS_MOMENT,
        **dict.fromkeys(("request", "caller", "target", "code"), _IS_SHORT),
    },
    "sqlite_sequence": {"seq": f"{{}} between 0 and {LARGEST_ID}"},
}
_HASH = re.compile(r"\$argon2id\$[\w$+/=,]{1,200}", re.ASCII)


def require_ours(db: sqlite_utils.Database) -> None:
    """Raise OperatorError unless *db*, brought up to date, has our tables, no others, and values such as we write."""
    for name in ("sqlite_stat1", "sqlite_stat4"):  # how rows were spread: nothing of ours, and what it says is believed
        db.execute(f"drop table if exists {name}")
    with closing(sqlite_utils.Database(memory=True)) as fresh:
        migrations.apply(fresh)
        ours, theirs = _made(fresh.conn), _made(db.conn)
    for name in sorted(ours.keys() ^ theirs.keys() | {name for name in ours if ours[name] != theirs.get(name)}):
        raise OperatorError(_SENTENCE.format(what=f"{name!r} is not as any version makes it"))
    _define(db.conn)
    for table, rules in _RULES.items():
        for column, rule in rules.items():
            if db.execute(f"select 1 from {table} where not ({rule.format(column)}) limit 1").fetchone():
                raise OperatorError(_SENTENCE.format(what=f"{table}.{column} has a value that no version writes"))
    for plan in plans.plans(db):
        try:
            plans.require_sane(plan)
        except OperatorError as error:
            raise OperatorError(_SENTENCE.format(what=f"a plan: {error}")) from None


_SENTENCE = "The backup is not as allscreenshots-box makes one ({what}), and nothing was changed: use another one."


def _made(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what makes each table and index; how the table of migrations is made is the library's affair."""
    found = connection.execute("select name, sql from sqlite_master where name not like 'sqlite\\_%' escape '\\'")
    return {name: "" if name == "_sqlite_migrations" else " ".join((sql or "").split()) for name, sql in found}


def _define(connection: sqlite3.Connection) -> None:
    def define(name: str, holds: object) -> None:
        connection.create_function(name, 1, holds, deterministic=True)  # type: ignore[arg-type]

    define("is_label", lambda text: text is None or keys.is_label(text))
    define("is_prefix", lambda text: text is None or keys.is_prefix(text))
    define("is_hash", lambda text: text is None or _HASH.fullmatch(text) is not None)
    define("are_hosts", lambda text: text is None or _are_hosts(text))


def _are_hosts(text: str) -> bool:
    try:
        return bool([hosts.read(word) for word in text.split(",")])
    except ValueError:
        return False
