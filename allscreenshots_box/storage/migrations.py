"""What the schema of the database was changed by, one change after the other: none is ever edited or removed."""

import sqlite_utils

migrations = sqlite_utils.Migrations("allscreenshots_box")

# The plan that a new box begins with: no honest caller is to notice it, and a loop gone wrong is to be stopped.
SCREENSHOTS_PER_HOUR = 20_000  # 5.6 a second: about half of what two cores take of plain pages
SCREENSHOTS_BURST = 100  # at once: the pages of a site, handed over together; 18 s of the rate
# What is no screenshot is cheap: five times as much, so that who polls is not bounded before who shoots.
REQUESTS_PER_HOUR = 100_000
REQUESTS_BURST = 500  # at once
DEFAULT_PLAN = (SCREENSHOTS_PER_HOUR, SCREENSHOTS_BURST, REQUESTS_PER_HOUR, REQUESTS_BURST)  # as the columns stand


@migrations()
def m001_keys(db: sqlite_utils.Database) -> None:
    """Make plans, keys and their secrets."""
    db.executescript(
        """
        create table plans (
            name text primary key,
            screenshots_per_hour integer not null,
            screenshots_burst integer not null,
            requests_per_hour integer not null,
            requests_burst integer not null,
            screenshots_per_month integer,
            bandwidth_per_month integer
        ) strict;
        insert into plans values ('default', 20000, 100, 100000, 500, null, null);

        -- A key is what keeps its name, limits and usage through every rotation;
        -- its secrets come and go.
        create table keys (
            id integer primary key autoincrement,
            name text not null,
            plan text not null references plans (name),
            environment text,
            organization text not null,
            created_at text not null,
            expires_at text
        ) strict;

        create table secrets (
            prefix text primary key,
            key_id integer not null references keys (id),
            hash text not null,
            created_at text not null,
            last_used_at text,
            retires_at text,
            revoked_at text
        ) strict, without rowid;
        create index secrets_by_key on secrets (key_id);
        """
    )


@migrations()
def m002_allow_hosts(db: sqlite_utils.Database) -> None:
    """Let a key be made for some hosts only."""
    db.execute("alter table keys add column allow_hosts text")


@migrations()
def m003_weight(db: sqlite_utils.Database) -> None:
    """Let some plans have more turns in the queue than others."""
    db.execute("alter table plans add column weight integer not null default 1")


@migrations()
def m004_usage(db: sqlite_utils.Database) -> None:
    """Count what each key uses, by day of UTC."""
    db.executescript(
        """
        create table usage (
            key_id integer not null references keys (id) on delete cascade,
            day text not null,
            screenshots integer not null,
            bytes integer not null,
            render_seconds real not null,
            primary key (key_id, day)
        ) strict, without rowid;

        -- The same once more, so that no question about years has to add up days: written with them or not at all.
        create table usage_by_month (
            key_id integer not null references keys (id) on delete cascade,
            month text not null,
            screenshots integer not null,
            bytes integer not null,
            primary key (key_id, month)
        ) strict, without rowid;

        create table failures (
            key_id integer not null references keys (id) on delete cascade,
            day text not null,
            code text not null,
            number integer not null,
            primary key (key_id, day, code)
        ) strict, without rowid;
        """
    )


@migrations()
def m005_operators(db: sqlite_utils.Database) -> None:
    """Know who may open the page, and who did what to keys and plans."""
    db.executescript(
        """
        create table audit (
            id integer primary key autoincrement,
            moment text not null,
            actor text not null,
            address text,
            act text not null,
            subject text not null
        ) strict;

        -- The operator's password, an argon2id hash: one row at most.
        create table password (
            id integer primary key check (id = 1),
            hash text not null,
            changed_at text not null
        ) strict;

        -- One-time links that open the page; only a digest is kept.
        create table links (
            digest text primary key,
            expires_at text not null
        ) strict, without rowid;

        -- Who is signed in; only a digest of what the browser holds is kept.
        create table sessions (
            digest text primary key,
            address text not null,
            created_at text not null,
            seen_at text not null,
            expires_at text not null
        ) strict, without rowid;
        """
    )


@migrations()
def m006_captures(db: sqlite_utils.Database) -> None:
    """Keep what was captured of late, without query strings."""
    db.executescript(
        """
        create table captures (
            id integer primary key autoincrement,
            moment text not null,
            request text not null,
            caller text not null,
            target text not null,
            status integer not null,
            code text,
            milliseconds integer not null,
            bytes integer not null
        ) strict;
        create index captures_failed on captures (id) where code is not null;
        """
    )


@migrations()
def m007_days(db: sqlite_utils.Database) -> None:
    """Keep what all keys used together on each day: a page that adds up a million rows is a slow page."""
    db.executescript(
        """
        create table usage_by_day (
            day text primary key,
            screenshots integer not null,
            bytes integer not null
        ) strict, without rowid;
        insert into usage_by_day select day, sum(screenshots), sum(bytes) from usage group by day;

        create table failures_by_day (
            day text not null,
            code text not null,
            number integer not null,
            primary key (day, code)
        ) strict, without rowid;
        insert into failures_by_day select day, code, sum(number) from failures group by day, code;
        """
    )


@migrations()
def m008_stopped(db: sqlite_utils.Database) -> None:
    """Stop for good what rotations have ended: until now that was but a moment, and a clock may be set back."""
    db.execute(
        "update secrets set revoked_at = retires_at"
        " where revoked_at is null and retires_at <= strftime('%Y-%m-%dT%H:%M:%fZ')"
    )


@migrations()
def m009_sums(db: sqlite_utils.Database) -> None:
    """Keep what each organization used on each day, and all of what a key used in a month; find keys by what is asked.

    The grouping goes along the primary key of what is summed, key by key: no row need be sorted.
    """
    db.executescript(
        """
        create index keys_by_name on keys (name);
        create index keys_by_organization on keys (organization, id);
        create index keys_by_plan on keys (plan);

        create table usage_by_organization (
            organization text not null,
            day text not null,
            screenshots integer not null,
            bytes integer not null,
            primary key (organization, day)
        ) strict, without rowid;
        insert into usage_by_organization
            select keys.organization, usage.day, usage.screenshots, usage.bytes
            from keys cross join usage on usage.key_id = keys.id where true
            on conflict do update set screenshots = screenshots + excluded.screenshots, bytes = bytes + excluded.bytes;

        alter table usage_by_month add column render_seconds real not null default 0;
        update usage_by_month set render_seconds = coalesce((
            select sum(render_seconds) from usage
            where usage.key_id = usage_by_month.key_id and day >= month and day < month || '~'), 0);

        create table failures_by_month (
            key_id integer not null references keys (id) on delete cascade,
            month text not null,
            code text not null,
            number integer not null,
            primary key (key_id, month, code)
        ) strict, without rowid;
        insert into failures_by_month
            select key_id, substr(day, 1, 7), code, number from failures where true
            on conflict do update set number = number + excluded.number;
        """
    )


@migrations()
def m010_best_secrets(db: sqlite_utils.Database) -> None:
    """Tell which secret of a key works best from the index alone: the rows lie scattered, by what begins a secret."""
    db.executescript(
        """
        drop index secrets_by_key;
        create index secrets_by_key on secrets (key_id, revoked_at, retires_at, created_at);
        """
    )
