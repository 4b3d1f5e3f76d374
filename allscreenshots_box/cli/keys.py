"""The commands that make, list, rotate and revoke keys."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from .. import keys
from ..process import command_hint
from . import completion
from .terminal import (
    JSON,
    YES,
    Commands,
    Duration,
    Expiry,
    confirm,
    given,
    hand_over,
    hasher,
    moment,
    opened,
    say,
    say_json,
    shown,
    table,
    until,
)

ALLOW_HOST = click.option(
    "--allow-host",
    multiple=True,
    metavar="PLACE",
    help="All that its shots may load from: a host, *.DOMAIN, an address or a network, with :PORT or without; "
    "may be given many times.  [default: wherever the box may go]",
)


@click.group("keys", cls=Commands)
def keys_group() -> None:
    """Make, list, rotate and revoke API keys.

    KEY is the first 12 characters of a key, or the name of a live one.
    """


@keys_group.command("create")
@click.argument("name")
@click.option(
    "--plan",
    default="default",
    show_default=True,
    shell_complete=completion.of_plans,
    help="What it may ask for; see `plans list`.",
)
@click.option("--environment", help="A label: production, staging, ...")
@click.option("--organization", default=keys.DEFAULT_ORGANIZATION, show_default=True, help="Who its results belong to.")
@ALLOW_HOST
@click.option("--expires", type=Duration(), help="How long it works: 24h, 90d, ...  [default: for ever]")
def create(  # noqa: PLR0913 - each is one option
    name: str,
    *,
    plan: str,
    environment: str | None,
    organization: str,
    allow_host: tuple[str, ...],
    expires: timedelta | None,
) -> None:
    """Make a key called NAME and print it, this once."""
    with opened(make=True) as (db, settings):
        key, _ = keys.create(
            db,
            hasher(settings),
            name,
            plan=plan,
            environment=environment,
            organization=organization,
            allow_hosts=allow_host,
            lifetime=expires,
            deliver=hand_over,
        )
    say(f"Key {key.prefix} ({key.name}) is made; it {until(key)}. The secret is not shown again.", err=True)


@keys_group.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that no longer work.")
@JSON
def list_keys(*, everything: bool, as_json: bool) -> None:
    """List the keys that work."""
    with opened() as (db, settings):
        found = keys.every(db) if everything else keys.live(db)
    now = datetime.now(UTC)
    columns = ["prefix", "name", "plan", "environment", "organization", "created_at", "last_used_at", "expires_at"]
    rows = [keys.describe(key, now) for key in found]
    table(
        rows,
        [*columns, "state"],
        as_json=as_json,
        empty=f"There are no keys in {settings.data_dir}: "
        f"`{command_hint.typed(settings.data_dir, 'keys create NAME')}` makes one.",
    )


@keys_group.command("show")
@click.argument("key", shell_complete=completion.of_keys)
@JSON
def show(key: str, *, as_json: bool) -> None:
    """Show all that is known of KEY."""
    with opened() as (db, _):
        found = keys.find(db, key)
    now = datetime.now(UTC)
    facts = keys.describe(found, now) | {"limits": asdict(found.plan)}
    if as_json:
        say_json(facts)
        return
    limits_of_plan = facts.pop("limits")
    for name, value in (facts | {key: value for key, value in limits_of_plan.items() if key != "name"}).items():
        say(f"{name.replace('_', ' '):24}{shown(value)}")


@keys_group.command("rotate")
@click.argument("key", shell_complete=completion.of_keys)
@click.option("--grace", type=Duration(), help="How long the old secret still works.  [default: not at all]")
def rotate(key: str, grace: timedelta | None) -> None:
    """Give KEY a new secret and print it, this once; name, plan and limits stay."""
    with opened() as (db, settings):
        new, _ = keys.rotate(db, hasher(settings), key, grace=grace, deliver=hand_over)
    ending = f"the old secret works until {moment(grace)}" if grace else "the old secret has stopped working"
    say(
        f"Key {new.prefix} ({new.name}) has a new secret; {ending}. It {until(new)}. The secret is not shown again.",
        err=True,
    )


@keys_group.command("revoke")
@click.argument("key", shell_complete=completion.of_keys)
@YES
def revoke(key: str, *, yes: bool) -> None:
    """Stop KEY now: by its 12 characters that secret, by its name also those in a rotation's grace."""
    with opened() as (db, _):
        found = keys.find(db, key)
        confirm(f"Revoke {found.prefix} ({found.name})? Whoever uses it gets 401 from now on.", yes=yes)
        stopped = keys.revoke(db, key)
    for one in stopped:
        say(f"Key {one.prefix} ({one.name}) is revoked.", err=True)


@keys_group.command("edit")
@click.argument("key", shell_complete=completion.of_keys)
@click.option("--name", help="A new name.")
@click.option("--plan", shell_complete=completion.of_plans, help="Another plan.")
@click.option("--environment", help="Another label; empty for none.")
@ALLOW_HOST
@click.option("--expires", type=Expiry(), help="Work this long from now, or never expire.")
def edit(key: str, **changes: Any) -> None:
    """Change what KEY is called, may do, or how long it works; its secret stays."""
    changed = given(changes)
    hosts = changed.pop("allow_host", ())
    if hosts:  # an empty one lifts the restriction
        changed["allow_hosts"] = hosts
    if not changed:
        raise click.UsageError("Say what to change: --name, --plan, --environment, --allow-host or --expires.")
    if "environment" in changed:
        changed["environment"] = changed["environment"] or None
    if changed.get("expires") == "never":
        changed["expires"] = None
    with opened() as (db, _):
        edited = keys.edit(db, key, changed)
    say(
        f"Key {edited.prefix} is {edited.name!r} on plan {edited.plan.name!r}, "
        f"environment {edited.environment or 'none'}, for {edited.allow_hosts or 'all hosts'}; it {until(edited)}.",
        err=True,
    )


@keys_group.command("prune")
@click.option("--older-than", type=Duration(), default="0s", help="Keep those that stopped working since.")
@YES
def prune(older_than: timedelta, *, yes: bool) -> None:
    """Forget the keys that no longer work; until then they are kept for the audit."""
    with opened() as (db, _):
        confirm(
            "Forget all keys that stopped working before then?"
            if older_than
            else "Forget all keys that no longer work?",
            yes=yes,
        )
        gone = keys.prune(db, older_than=older_than)
    for key in gone:
        say(f"Key {key.prefix} ({key.name}) is forgotten.", err=True)
    say(f"{len(gone)} forgotten.", err=True)
