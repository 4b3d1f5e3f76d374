"""The command line: parse, call, print."""

import difflib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
import sqlite_utils

from . import __version__, config, database, identity, keys, ledger, limits, lists
from .config import Loaded, Settings
from .errors import OperatorError

F = TypeVar("F", bound=Callable[..., Any])

USAGE = 2  # exit code


class Commands(click.Group):
    """A group that tells what was probably meant, and puts every OperatorError into one sentence."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command, or say which one is near."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(self.list_commands(ctx))}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, once it is known that the arguments are text at all."""
        if any("\udc80" <= letter <= "\udcff" for word in args for letter in word):
            ctx.fail("An argument is not text in UTF-8.")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except OperatorError as error:
            raise click.ClickException(str(error)) from error


class Duration(click.ParamType[Any]):
    """30s, 5m, 24h, 90d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a duration, or fail as click does."""
        try:
            return value if isinstance(value, timedelta) else config.duration(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Expiry(Duration):
    """A duration, or never."""

    name = "duration|never"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a duration or the word never."""
        return value if value == "never" else super().convert(value, param, ctx)


def settings_options(command: F) -> F:
    """Give *command* one option for each setting, and --config."""
    for row in reversed(fields(Settings)):
        flag = f"--{row.name.replace('_', '-')}"
        if row.name == "dangerously_disable_sandbox":
            command = click.option(flag, is_flag=True, default=None, help=row.metadata["help"])(command)
        else:
            command = click.option(flag, metavar="VALUE", help=row.metadata["help"])(command)
    return click.option("--config", "config_file", type=click.Path(path_type=Path), help="The TOML file to read.")(
        command
    )


def _load(context: click.Context, flags: dict[str, Any], *, insist: bool = False) -> Loaded:
    """Return the settings in force: this command's flags over the program's."""
    above = context.find_root().params
    merged = {name: value for name, value in (above | _given(flags)).items() if name in config.NAMES}
    return config.load(merged, config=flags.get("config_file") or above.get("config_file"), insist=insist)


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


@contextmanager
def opened() -> Iterator[tuple[sqlite_utils.Database, Settings]]:
    """Become who the data belongs to, and open it."""
    settings = _load(click.get_current_context(), {}).settings
    identity.enter(settings)
    db = database.open_database(settings.database_path)
    try:
        with database.explained(settings.database_path):
            yield db, settings
    finally:
        db.close()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="allscreenshots-box")
@click.option("--data-dir", metavar="DIR", help="Where keys and work files are kept.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The TOML file to read.")
def main(**_: Any) -> None:
    """A self-hosted screenshot appliance: curl a URL, get a picture.

    Commands work on the data directory, with a server running or not; a running server obeys at once.
    """


@main.command()
@settings_options
@click.pass_context
def serve(context: click.Context, /, **flags: Any) -> None:
    """Serve the API until stopped."""
    from . import server  # Litestar and Granian take half a second that no other command needs

    loaded = _load(context, flags)
    # Where the data lies was decided as whoever we were then.
    again = flags | {"data_dir": str(loaded.settings.data_dir)}
    server.run(loaded.settings, lambda: _load(context, again, insist=True).settings)


@main.command("config")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def config_command(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """Print the settings in force, and where each one came from."""
    loaded = _load(context, flags)
    rows = [
        {"setting": name, "value": config.spelled(getattr(loaded.settings, name)), "from": loaded.sources[name]}
        for name in config.NAMES
    ]
    _list(rows, ["setting", "value", "from"], as_json=as_json, empty="")


# --- keys ---------------------------------------------------------------------------------------

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ALLOW_HOST = click.option(
    "--allow-host",
    multiple=True,
    metavar="PLACE",
    help="All that its shots may load from: a host, *.DOMAIN, an address or a network, with :PORT or without; "
    "may be given many times.  [default: wherever the box may go]",
)
YES = click.option("--yes", is_flag=True, help="Do not ask.")


@main.group("keys", cls=Commands)
def keys_group() -> None:
    """Make, list, rotate and revoke API keys.

    KEY is the first 12 characters of a key, or the name of a live one.
    """


@keys_group.command("create")
@click.argument("name")
@click.option("--plan", default="default", show_default=True, help="What it may ask for; see `plans list`.")
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
    with opened() as (db, settings):
        key, _ = keys.create(
            db,
            _hasher(settings),
            name,
            plan=plan,
            environment=environment,
            organization=organization,
            allow_hosts=allow_host,
            lifetime=expires,
            deliver=_hand_over,
        )
    click.echo(f"Key {key.prefix} ({key.name}) is made; it {_until(key)}. The secret is not shown again.", err=True)


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
    _list(
        rows,
        [*columns, "state"],
        as_json=as_json,
        empty=f"There are no keys in {settings.data_dir}: `allscreenshots-box keys create NAME` makes one.",
    )


@keys_group.command("show")
@click.argument("key")
@JSON
def show(key: str, *, as_json: bool) -> None:
    """Show all that is known of KEY."""
    with opened() as (db, _):
        found = keys.find(db, key)
    now = datetime.now(UTC)
    shown = keys.describe(found, now) | {"limits": asdict(found.plan)}
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    limits_of_plan = shown.pop("limits")
    for name, value in (shown | {key: value for key, value in limits_of_plan.items() if key != "name"}).items():
        click.echo(f"{name.replace('_', ' '):24}{_shown(value)}")


@keys_group.command("rotate")
@click.argument("key")
@click.option("--grace", type=Duration(), help="How long the old secret still works.  [default: not at all]")
def rotate(key: str, grace: timedelta | None) -> None:
    """Give KEY a new secret and print it, this once; name, plan and limits stay."""
    with opened() as (db, settings):
        new, _ = keys.rotate(db, _hasher(settings), key, grace=grace, deliver=_hand_over)
    ending = f"the old secret works until {_moment(grace)}" if grace else "the old secret has stopped working"
    click.echo(
        f"Key {new.prefix} ({new.name}) has a new secret; {ending}. It {_until(new)}. The secret is not shown again.",
        err=True,
    )


@keys_group.command("revoke")
@click.argument("key")
@YES
def revoke(key: str, *, yes: bool) -> None:
    """Stop KEY now: by its 12 characters that secret, by its name also those in a rotation's grace."""
    with opened() as (db, _):
        found = keys.find(db, key)
        _confirm(f"Revoke {found.prefix} ({found.name})? Whoever uses it gets 401 from now on.", yes=yes)
        stopped = keys.revoke(db, key)
    for one in stopped:
        click.echo(f"Key {one.prefix} ({one.name}) is revoked.", err=True)


@keys_group.command("edit")
@click.argument("key")
@click.option("--name", help="A new name.")
@click.option("--plan", help="Another plan.")
@click.option("--environment", help="Another label; empty for none.")
@ALLOW_HOST
@click.option("--expires", type=Expiry(), help="Work this long from now, or never expire.")
def edit(key: str, **changes: Any) -> None:
    """Change what KEY is called, may do, or how long it works; its secret stays."""
    given = _given(changes)
    hosts = given.pop("allow_host", ())
    if hosts:  # an empty one lifts the restriction
        given["allow_hosts"] = hosts
    if not given:
        raise click.UsageError("Say what to change: --name, --plan, --environment, --allow-host or --expires.")
    if "environment" in given:
        given["environment"] = given["environment"] or None
    if given.get("expires") == "never":
        given["expires"] = None
    with opened() as (db, _):
        edited = keys.edit(db, key, given)
    click.echo(
        f"Key {edited.prefix} is {edited.name!r} on plan {edited.plan.name!r}, "
        f"environment {edited.environment or 'none'}, for {edited.allow_hosts or 'all hosts'}; it {_until(edited)}.",
        err=True,
    )


@keys_group.command("prune")
@click.option("--older-than", type=Duration(), default="0s", help="Keep those that stopped working since.")
@YES
def prune(older_than: timedelta, *, yes: bool) -> None:
    """Forget the keys that no longer work; until then they are kept for the audit."""
    with opened() as (db, _):
        _confirm(
            "Forget all keys that stopped working before then?"
            if older_than
            else "Forget all keys that no longer work?",
            yes=yes,
        )
        gone = keys.prune(db, older_than=older_than)
    for key in gone:
        click.echo(f"Key {key.prefix} ({key.name}) is forgotten.", err=True)
    click.echo(f"{len(gone)} forgotten.", err=True)


# --- plans --------------------------------------------------------------------------------------


@main.group("plans", cls=Commands)
def plans_group() -> None:
    """Say how much keys may ask for."""


@plans_group.command("list")
@JSON
def list_plans(*, as_json: bool) -> None:
    """List the plans."""
    with opened() as (db, _):
        found = limits.plans(db)
    _list([asdict(plan) for plan in found], list(asdict(found[0])), as_json=as_json, empty="")


@plans_group.command("set")
@click.argument("name")
@click.option("--screenshots-per-hour", type=int, metavar="N")
@click.option("--screenshots-burst", type=int, metavar="N", help="How many at once, before the hourly rate counts.")
@click.option("--requests-per-hour", type=int, metavar="N", help="All other requests.")
@click.option("--requests-burst", type=int, metavar="N")
@click.option("--screenshots-per-month", type=int, metavar="N", help="Over it 429 until the first of the next month.")
@click.option("--bandwidth-per-month", type=int, metavar="BYTES", help="The same, for the results' bytes.")
@click.option("--weight", type=int, metavar="N", help="Turns at the waiting line, to one of weight 1.")
def set_plan(name: str, **changes: int | None) -> None:
    """Make the plan NAME or change it; what is left out stays, or is as in the default plan."""
    if not _given(changes):
        raise click.UsageError("Say at least one limit, such as --screenshots-per-hour 500.")
    with opened() as (db, _):
        plan = limits.set_plan(db, name, changes)
    click.echo(
        f"Plan {plan.name!r}: {plan.screenshots_per_hour} screenshots an hour (burst {plan.screenshots_burst}), "
        f"{plan.requests_per_hour} other requests (burst {plan.requests_burst}), "
        f"{_shown(plan.screenshots_per_month, 'unlimited')} screenshots and "
        f"{_shown(plan.bandwidth_per_month, 'unlimited')} bytes a month, weight {plan.weight}.",
        err=True,
    )


@plans_group.command("remove")
@click.argument("name")
@YES
def remove_plan(name: str, *, yes: bool) -> None:
    """Forget the plan NAME, if no key is on it."""
    with opened() as (db, _):
        _confirm(f"Forget the plan {name!r}?", yes=yes)
        limits.remove_plan(db, name)
    click.echo(f"Plan {name!r} is forgotten.", err=True)


# --- usage --------------------------------------------------------------------------------------


@main.command("usage")
@click.option("--key", metavar="KEY", help="Only of this key, and day by day.")
@JSON
def usage_command(key: str | None, *, as_json: bool) -> None:
    """Show what each key has used this month.

    Months and days are those of UTC. A running server is up to two seconds ahead of this.

    KEY is the first 12 characters of a key, or the name of a live one.
    """
    with opened() as (db, _):
        only = None if key is None else keys.find(db, key).id
        found = ledger.report(db, datetime.now(UTC), only)
    if as_json:
        click.echo(json.dumps(found if only is None else found[0], indent=2))
        return
    columns = ["prefix", "name", "organization", "plan", "screenshots", "of", "bytes", "of_bytes"]
    _list(
        [_usage_row(one) for one in found],
        [*columns, "render_seconds", "failures", "in_all"],
        as_json=False,
        empty="There are no keys: `allscreenshots-box keys create NAME` makes one.",
    )
    if only is not None and found[0]["days"]:
        click.echo()
        days = [day | {"failures": _counted(day["failures"])} for day in found[0]["days"]]
        _list(days, ["day", "screenshots", "bytes", "render_seconds", "failures"], as_json=False, empty="")


def _usage_row(one: dict[str, Any]) -> dict[str, Any]:
    quotas = {"of": one["screenshots_per_month"], "of_bytes": one["bandwidth_per_month"]}
    month: dict[str, Any] = one["this_month"]
    return one | quotas | month | {"failures": _counted(month["failures"]), "in_all": one["in_all"]["screenshots"]}


def _counted(failures: dict[str, int]) -> str | None:
    return ", ".join(f"{number} {code}" for code, number in failures.items()) or None


# --- lists --------------------------------------------------------------------------------------


@main.group("lists", cls=Commands)
def lists_group() -> None:
    """Fetch and show the lists that say what is blocked.

    The box has lists of its own and needs none of this; fetched ones are fresher and more.
    """


@lists_group.command("update")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--mirror", metavar="URL", help="Fetch URL/NAME.txt instead, and obey URL/SHA256SUMS if it is there.")
@click.option("--timeout", type=Duration(), default="60s", show_default=True, help="How long one list may take.")
def update_lists(names: tuple[str, ...], mirror: str | None, timeout: timedelta) -> None:
    """Fetch the lists NAME, or all of them; a running server uses them within a minute or two.

    One that cannot be fetched, or is no list, leaves the old one in use.
    """
    outcomes = []
    for outcome in lists.update(_folder_of_lists(), names, mirror=mirror, seconds=timeout.total_seconds()):
        outcomes.append(outcome)
        click.echo(f"{outcome.name}: {outcome.problem or f'{outcome.entries} entries'}", err=True)
    if failed := [f"{outcome.name}: {outcome.problem}" for outcome in outcomes if outcome.problem]:
        raise OperatorError(
            f"{len(failed)} of {len(outcomes)} lists were not updated: the old ones stay in use; try again later, or "
            f"name another place with --mirror ({'; '.join(failed)})."
        )


@lists_group.command("show")
@JSON
def show_lists(*, as_json: bool) -> None:
    """Show where each list in use comes from, and how old it is."""
    rows = lists.show(_folder_of_lists())
    _list(rows, ["name", "for", "from", "entries"], as_json=as_json, empty="")


def _folder_of_lists() -> Path:
    """Become who the data belongs to, and tell where fetched lists are."""
    settings = _load(click.get_current_context(), {}).settings
    identity.enter(settings)
    return settings.data_dir / lists.FOLDER


# --- doctor -------------------------------------------------------------------------------------


@main.command("doctor")
@settings_options
@JSON
@click.pass_context
def doctor_command(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """Check this machine and this box, with a server running or not.

    Each failure names what mends it. The exit code is 1 if there is one.
    """
    from . import doctor  # the renderer takes a while that no other command needs

    def tell(finding: doctor.Finding) -> None:
        if not as_json:
            click.echo("\n".join(doctor.lines(finding)))

    findings = doctor.examine(lambda: _load(context, flags), tell)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    context.exit(int(any(finding.state == "failed" for finding in findings)))


# --- printing -----------------------------------------------------------------------------------


def _hasher(settings: Settings) -> Any:
    return keys.hasher_of(settings.argon2_memory, settings.argon2_passes)


def _hand_over(_: keys.Key, secret: str) -> None:
    """Print the secret, alone on stdout, before the key is final: a secret that nobody got must not stay behind."""
    try:
        sys.stdout.write(f"{secret}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again at its end
        raise OperatorError(f"The secret could not be printed ({error.strerror}); nothing was changed.") from error


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        click.echo("Error: this cannot be undone: say --yes.", err=True)
        raise SystemExit(USAGE)
    click.confirm(question, abort=True, err=True)


def _until(key: keys.Key) -> str:
    return f"works until {key.expires_at}" if key.expires_at else "does not expire"


def _moment(span: timedelta) -> str:
    return (datetime.now(UTC) + span).isoformat(timespec="seconds").replace("+00:00", "Z")


def _list(rows: list[dict[str, Any]], columns: list[str], *, as_json: bool, empty: str) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(empty, err=True)
        return
    heads = [column.removesuffix("_at").replace("_", " ").upper() for column in columns]
    table = [heads, *([_shown(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _shown(value: Any, nothing: str = "-") -> str:
    return nothing if value is None else str(value)
