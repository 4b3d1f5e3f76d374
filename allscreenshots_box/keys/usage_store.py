"""What each key has used, as SQLite keeps it: added to and read by day of UTC."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlite_utils

from ..storage.database import writing

DAY, MONTH = len("2026-11-25"), len("2026-11")  # letters of a day that tell it, or its month


@dataclass
class Counts:
    """What was used: screenshots, bytes of results, seconds of rendering; and failures by error code."""

    screenshots: int = 0
    bytes: int = 0
    render_seconds: float = 0
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        """Count what *other* has, too."""
        self.screenshots += other.screenshots
        self.bytes += other.bytes
        self.render_seconds += other.render_seconds
        self.failures.update(other.failures)


Tally = dict[tuple[int, str], Counts]  # by key id and span of time: a day, or a month


@dataclass(frozen=True)
class Period:
    """One month of UTC: quotas begin anew with each."""

    begins: date
    ends: date  # the first day after it

    @property
    def name(self) -> str:
        """How its days begin, as they are stored."""
        return f"{self.begins:%Y-%m}"


def period_of(day: date) -> Period:
    """Return the month that *day* lies in."""
    first = date(day.year, day.month, 1)
    return Period(first, date(day.year + day.month // 12, day.month % 12 + 1, 1))


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A key, whatever its secrets are, with the first characters of the newest one that works best."""

    id: int
    name: str
    prefix: str
    organization: str
    plan: str
    screenshots_per_month: int | None
    bandwidth_per_month: int | None


def moment(day: date) -> str:
    """Return when *day* begins, as a date-time in UTC."""
    return f"{day.isoformat()}T00:00:00Z"


def merged(into: Tally, other: Tally) -> Tally:
    """Count in *into* what *other* has, too, and return it."""
    for name, counts in other.items():
        into.setdefault(name, Counts()).add(counts)
    return into


def add(db: sqlite_utils.Database, used: Tally, *, patience: int) -> None:
    """Add what was *used* by day, all or nothing; what a key used that was pruned meanwhile goes with it."""
    exists = "where exists (select 1 from keys where id = ?1)"
    with writing(db, patience=patience):
        for (key_id, day), counts in used.items():
            db.execute(
                "insert into usage (key_id, day, screenshots, bytes, render_seconds)"
                f" select ?1, ?2, ?3, ?4, ?5 {exists}"
                " on conflict do update set screenshots = screenshots + excluded.screenshots,"
                " bytes = bytes + excluded.bytes, render_seconds = render_seconds + excluded.render_seconds",
                [key_id, day, counts.screenshots, counts.bytes, counts.render_seconds],
            )
            db.execute(
                "insert into usage_by_month (key_id, month, screenshots, bytes, render_seconds)"
                f" select ?1, ?2, ?3, ?4, ?5 {exists}"
                " on conflict do update set screenshots = screenshots + excluded.screenshots,"
                " bytes = bytes + excluded.bytes, render_seconds = render_seconds + excluded.render_seconds",
                [key_id, day[:MONTH], counts.screenshots, counts.bytes, counts.render_seconds],
            )
            db.execute(
                "insert into usage_by_organization (organization, day, screenshots, bytes)"
                " select organization, ?2, ?3, ?4 from keys where id = ?1"
                " on conflict do update set screenshots = screenshots + excluded.screenshots,"
                " bytes = bytes + excluded.bytes",
                [key_id, day, counts.screenshots, counts.bytes],
            )
            for code, number in counts.failures.items():
                db.execute(
                    f"insert into failures (key_id, day, code, number) select ?1, ?2, ?3, ?4 {exists}"
                    " on conflict do update set number = number + excluded.number",
                    [key_id, day, code, number],
                )
                db.execute(
                    f"insert into failures_by_month (key_id, month, code, number) select ?1, ?2, ?3, ?4 {exists}"
                    " on conflict do update set number = number + excluded.number",
                    [key_id, day[:MONTH], code, number],
                )
        _add_to_days(db, used)


def _add_to_days(db: sqlite_utils.Database, used: Tally) -> None:
    """Add up over all keys: what the box did stays what it did when a key is forgotten."""
    by_day: dict[str, Counts] = {}
    for (_, day), counts in used.items():
        by_day.setdefault(day, Counts()).add(counts)
    for day, counts in by_day.items():
        db.execute(
            "insert into usage_by_day (day, screenshots, bytes) values (?, ?, ?) on conflict do update set"
            " screenshots = screenshots + excluded.screenshots, bytes = bytes + excluded.bytes",
            [day, counts.screenshots, counts.bytes],
        )
        for code, number in counts.failures.items():
            db.execute(
                "insert into failures_by_day (day, code, number) values (?, ?, ?)"
                " on conflict do update set number = number + excluded.number",
                [day, code, number],
            )


def all_days(db: sqlite_utils.Database, since: str) -> dict[str, Counts]:
    """Return the screenshots, bytes and failures of all keys together, on each day from *since* on."""
    rows = db.query("select day, screenshots, bytes from usage_by_day where day >= ?", [since])
    found = {row["day"]: Counts(row["screenshots"], row["bytes"]) for row in rows}
    for row in db.query("select day, code, number from failures_by_day where day >= ?", [since]):
        found.setdefault(row["day"], Counts()).failures[row["code"]] = row["number"]
    return found


def tally(db: sqlite_utils.Database, only: int | None = None, *, span: int = DAY, since: str = "") -> Tally:
    """Return all that every key used, or the *only* one, from a day on, by *span*. Adds up days: for people to wait."""
    # Said only where it holds: with "or" SQLite would read a million rows for one key.
    where = f"where day >= :since{'' if only is None else ' and key_id = :only'} group by 1, 2"
    values = {"span": span, "since": since, "only": only}
    found: Tally = {}
    for row in db.query(
        "select key_id, substr(day, 1, :span) as span, sum(screenshots) as screenshots, sum(bytes) as bytes,"
        f" sum(render_seconds) as render_seconds from usage {where} order by 1, 2",
        values,
    ):
        name = row.pop("key_id"), row.pop("span")
        found[name] = Counts(**row)
    for row in db.query(
        "select key_id, substr(day, 1, :span) as span, code, sum(number) as number"
        f" from failures {where}, 3 order by 4 desc, 3",
        values,
    ):
        found[row["key_id"], row["span"]].failures[row["code"]] = row["number"]
    return found


def month(db: sqlite_utils.Database, key_id: int, name: str) -> Counts:
    """Return the screenshots and bytes of one key in a month."""
    row = db.execute(
        "select screenshots, bytes from usage_by_month where key_id = ? and month = ?", [key_id, name]
    ).fetchone()
    return Counts(*row) if row else Counts()


def months(db: sqlite_utils.Database, key_ids: Sequence[int]) -> Tally:
    """Return the screenshots and bytes of these keys, by month."""
    rows = db.query(
        "select key_id, month, screenshots, bytes from usage_by_month where key_id in (select value from json_each(?))",
        [json.dumps(key_ids)],
    )
    return {(row["key_id"], row["month"]): Counts(row["screenshots"], row["bytes"]) for row in rows}


def days(db: sqlite_utils.Database, key_ids: Sequence[int], since: str) -> Counter[str]:
    """Return how many screenshots these keys took together on each day from *since* on."""
    rows = db.query(
        "select day, sum(screenshots) as screenshots from usage"
        " where key_id in (select value from json_each(?)) and day >= ? group by day",
        [json.dumps(key_ids), since],
    )
    return Counter({row["day"]: row["screenshots"] for row in rows})


def of_organization(
    db: sqlite_utils.Database, organization: str, among: Sequence[int], *, span: int = DAY, since: str = ""
) -> tuple[dict[str, Counts], set[int]]:
    """Return the screenshots and bytes of all of an organization from a day on, by *span*, and its keys *among* some.

    Those of keys that are forgotten count as ever.
    """
    rows = db.query(
        "select substr(day, 1, ?) as span, sum(screenshots) as screenshots, sum(bytes) as bytes"
        " from usage_by_organization where organization = ? and day >= ? group by 1",
        [span, organization, since],
    )
    found = {row["span"]: Counts(row["screenshots"], row["bytes"]) for row in rows}
    return found, members(db, organization, among)


def members(db: sqlite_utils.Database, organization: str, among: Sequence[int]) -> set[int]:
    """Return those of these keys that an organization has."""
    rows = db.query(
        "select id from keys where id in (select value from json_each(?)) and organization = ?",
        [json.dumps(among), organization],
    )
    return {row["id"] for row in rows}


def stretch(
    db: sqlite_utils.Database, organization: str, after: int, number: int, month: str
) -> list[tuple[Holder, Counts, Counts]]:
    """Return so many keys of an organization *after* one, and what each used in *month* and in all."""
    found = holders(db, organization, after=after, number=number)
    rows = db.query(
        """
        select key_id, sum(screenshots) as screenshots, sum(bytes) as bytes,
            sum(iif(month = :month, screenshots, 0)) as lately, sum(iif(month = :month, bytes, 0)) as bytes_lately
        from usage_by_month where key_id in (select value from json_each(:ids)) group by key_id
        """,
        {"month": month, "ids": json.dumps([holder.id for holder in found])},
    )
    used = {row["key_id"]: row for row in rows}
    return [
        (holder, Counts(row["lately"], row["bytes_lately"]), Counts(row["screenshots"], row["bytes"]))
        for holder in found
        for row in [used.get(holder.id, _NOTHING)]
    ]


_NOTHING = {"screenshots": 0, "bytes": 0, "lately": 0, "bytes_lately": 0}


def holders(
    db: sqlite_utils.Database, organization: str | None = None, *, after: int = 0, number: int = -1
) -> list[Holder]:
    """Return every key, or those of an organization, oldest first; those that no longer work, too.

    Those *after* one, and no more than a *number*, if that is said.
    """
    # Said only where it holds: with "or" SQLite would read all keys for those of one organization.
    where = "" if organization is None else "keys.organization = :organization and "
    rows = db.query(
        f"""
        select keys.id, keys.name, keys.organization, keys.plan, plans.screenshots_per_month, plans.bandwidth_per_month,
            (select prefix from secrets where key_id = keys.id
                order by revoked_at is not null, retires_at is not null, created_at desc limit 1) as prefix
        from keys join plans on plans.name = keys.plan
        where {where}keys.id > :after order by keys.id limit :number
        """,
        {"organization": organization, "after": after, "number": number},
    )
    return [Holder(**row) for row in rows]


def report(
    db: sqlite_utils.Database, now: datetime, only: int | None = None, *, details: bool = True
) -> list[dict[str, Any]]:
    """Return what every key, or the *only* one, has used this month, in all, and of the month day by day.

    Without *details* neither the days nor the failures of earlier months: a list for people shows none.
    """
    this = period_of(now.date()).name
    lately = _added_up(db, only, month=this)
    in_all = _added_up(db, only, failures=details)
    days: dict[int, list[dict[str, Any]]] = {}
    for (key_id, day), counts in (tally(db, only, since=this) if details else {}).items():
        days.setdefault(key_id, []).append({"day": day} | shown(counts))
    nothing = shown(Counts())
    return [
        vars(holder)
        | {"month": this, "this_month": lately.get(holder.id, nothing)}
        | {"in_all": in_all.get(holder.id, nothing), "days": days.get(holder.id, [])}
        for holder in holders(db)
        if only is None or holder.id == only
    ]


def _added_up(
    db: sqlite_utils.Database, only: int | None, *, month: str = "", failures: bool = True
) -> dict[int, dict[str, Any]]:
    """Return what every key, or the *only* one, used in a *month* or in all, as it is printed."""
    told = [*["key_id = :only"] * (only is not None), *["month = :month"] * bool(month)]
    where, values = f"where {' and '.join(told)}" if told else "", {"only": only, "month": month}
    found: dict[int, dict[str, Any]] = {
        key_id: {"screenshots": screenshots, "bytes": size, "render_seconds": round(seconds, 3), "failures": {}}
        for key_id, screenshots, size, seconds in db.execute(
            "select key_id, sum(screenshots), sum(bytes), sum(render_seconds)"
            f" from usage_by_month {where} group by key_id",
            values,
        )
    }
    rows = db.execute(
        f"select key_id, code, sum(number) from failures_by_month {where} group by 1, 2 order by 3 desc, 2", values
    )
    for key_id, code, number in rows if failures else ():
        found[key_id]["failures"][code] = number
    return found


def shown(counts: Counts) -> dict[str, Any]:
    """Return *counts* as they are printed."""
    return vars(counts) | {"render_seconds": round(counts.render_seconds, 3), "failures": dict(counts.failures)}
