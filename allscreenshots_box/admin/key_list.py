"""Keys as a list for people: searched, filtered, sorted and paged by SQLite, one row a key."""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlite_utils

from ..keys import SCHEME, usage_store
from ..keys.states import STATE, WORKING
from ..keys.usage_store import Period
from ..timestamps import stamp
from . import formatting

PAGE = 50  # keys
UNUSED_AFTER = timedelta(days=90)  # then somebody should ask whether anybody needs the key
ROTATE_AFTER = timedelta(days=180)  # the age of a secret that was in many hands by then
LONGEST_SEARCH = 100  # characters; no name is longer
LEAST = 4  # characters that a search has to have in common with a key's first ones: all begin alike
SUGGESTIONS = 50  # environments

SORTS = {  # by the name in the address: what is sorted by, and whether that begins with the largest
    "name": ("name collate nocase", False),
    "plan": ("plan collate nocase", False),
    "environment": ("environment is null, environment collate nocase", False),
    "created": ("created_at", True),
    "used": ("last_used_at", True),
    "expires": ("expires_at is null, expires_at", False),
    "usage": ("screenshots", True),
}

# Of the secrets of a key, the row has the one that works best and is newest: SQLite takes bare columns from the row
# that max() is found in.
_HEADS = """
    with heads as (
        select key_id, prefix, created_at as secret_at, retires_at, revoked_at,
            max((revoked_at is null) || (retires_at is null) || created_at) as rank
        from secrets {among} group by key_id
    ), known as (
        select keys.*, heads.prefix, heads.secret_at, heads.retires_at,
            (select max(last_used_at) from secrets where key_id = keys.id) as last_used_at,
            {state} as state
        from keys join heads on heads.key_id = keys.id
    )
"""
_AMONG = "where key_id in (select value from json_each(:ids))"
_KNOWN, _FEW = _HEADS.format(among="", state=STATE), _HEADS.format(among=_AMONG, state=STATE)
_WANTED = f"""
    {_KNOWN}, wanted as (
        select * from known
        where (:everything or state in {WORKING})
            and (:plan = '' or plan = :plan)
            and (:search = '' or has(name, :search) or has(environment, :search) or has(plan, :search)
                or length(:cased) >= {LEAST} and id in (
                    select key_id from secrets where instr(prefix, :cased) in (1, {len(SCHEME) + 1})))
    )
"""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is looked for among the keys, and how the answer is laid out."""

    search: str = ""
    plan: str = ""
    everything: bool = False  # also what no longer works
    sort: str = "created"
    backwards: bool = False
    page: int = 1


@dataclass(frozen=True, kw_only=True)
class KeyRow:
    """One key in the list."""

    id: int
    name: str
    prefix: str
    plan: str
    environment: str | None
    organization: str
    state: str
    created_at: str
    secret_at: str
    last_used_at: str | None
    expires_at: str | None
    retiring: list[tuple[str, str]]  # other secrets inside a rotation's grace: prefix, and when that ends
    screenshots: int  # this month
    days: list[tuple[str, int]]  # of this month, and the screenshots of each

    @property
    def is_live(self) -> bool:
        """Whether requests with it are let in."""
        return self.state in WORKING

    def is_unused(self, now: datetime) -> bool:
        """Say whether it works, and nobody has used it for long."""
        return self.is_live and formatting.read(self.last_used_at or self.created_at) < now - UNUSED_AFTER

    def is_old(self, now: datetime) -> bool:
        """Say whether its secret should be replaced."""
        return self.is_live and formatting.read(self.secret_at) < now - ROTATE_AFTER


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One page of the keys that were looked for."""

    entries: list[KeyRow]
    total: int
    page: int
    pages: int


def look_up(db: sqlite_utils.Database, question: Question, now: datetime) -> Answer:
    """Return the page of keys that *question* asks for, or the last one if there are fewer."""
    db.conn.create_function("has", 2, _has, deterministic=True)
    this = usage_store.period_of(now.date())
    values: dict[str, Any] = {
        "now": stamp(now),
        "everything": question.everything,
        "plan": question.plan,
        "search": question.search[:LONGEST_SEARCH].casefold(),
        "cased": question.search[:LONGEST_SEARCH],
        "month": this.name,
    }
    by, largest_first = SORTS[question.sort]
    order = "desc" if largest_first != question.backwards else "asc"
    select = (  # no more than ids: what else is shown is read for one page of them
        f"{_WANTED} select id, count(*) over () as total"
        " from wanted left join usage_by_month on key_id = wanted.id and month = :month"
        f" order by {by} {order}, wanted.id {order} limit {PAGE} offset :skip"
    )
    page = max(1, question.page)
    rows = list(db.query(select, values | {"skip": (page - 1) * PAGE}))
    if not rows and page > 1:
        (total,) = db.execute(f"{_WANTED} select count(*) from wanted", values).fetchone()
        page = _pages(total)
        rows = list(db.query(select, values | {"skip": (page - 1) * PAGE}))
    total = rows[0]["total"] if rows else 0
    entries = _entries(db, [row["id"] for row in rows], this, values["now"])
    return Answer(entries=entries, total=total, page=page, pages=_pages(total))


def _pages(total: int) -> int:
    return max(1, -(-total // PAGE))


def _has(text: str | None, search: str) -> bool:
    """Say whether *search* is in *text*, whatever the case, in any alphabet: SQLite's own folds ASCII only."""
    return text is not None and search in text.casefold()


def _entries(db: sqlite_utils.Database, ids: list[int], this: Period, moment: str) -> list[KeyRow]:
    values = {"ids": json.dumps(ids), "now": moment, "since": this.name}
    rows = {row["id"]: row for row in db.query(f"{_FEW} select * from known", values)}
    used: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for row in db.query(f"select key_id, day, screenshots from usage {_AMONG} and day >= :since", values):
        used[row["key_id"]][row["day"]] = row["screenshots"]
    retiring: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in db.query(
        f"select key_id, prefix, retires_at from secrets join keys on keys.id = key_id {_AMONG}"
        f" and {STATE} = 'retiring' order by retires_at",
        values,
    ):
        retiring[row["key_id"]].append((row["prefix"], row["retires_at"]))
    days = days_of(this)
    return [
        KeyRow(
            retiring=retiring[row["id"]],
            screenshots=sum(used[row["id"]].values()),
            days=[(day, used[row["id"]].get(day, 0)) for day in days],
            **{name: row[name] for name in KeyRow.__dataclass_fields__ if name in row},
        )
        for row in map(rows.__getitem__, ids)
    ]


def days_of(month: Period) -> list[str]:
    """Return the days of *month*, those to come too: its charts are of one width."""
    return [f"{month.name}-{day:02}" for day in range(1, (month.ends - month.begins).days + 1)]


def environments(db: sqlite_utils.Database) -> list[str]:
    """Return what keys are labelled with, the most used first."""
    rows = db.query(
        "select environment from keys where environment is not null group by 1 order by count(*) desc, 1 limit ?",
        [SUGGESTIONS],
    )
    return [row["environment"] for row in rows]


def on_plans(db: sqlite_utils.Database, now: datetime) -> dict[str, tuple[int, int]]:
    """Return how many keys are on each plan that has any: those that work, and all."""
    rows = db.query(
        f"{_KNOWN} select plan, sum(state in {WORKING}) as live, count(*) as number from known group by 1",
        {"now": stamp(now)},
    )
    return {row["plan"]: (row["live"], row["number"]) for row in rows}
