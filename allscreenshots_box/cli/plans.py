"""The commands that say how much keys may ask for, and what they used."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from .. import keys
from ..keys import plans, usage_store
from ..process import command_hint
from . import completion
from .terminal import JSON, YES, Commands, confirm, given, opened, say, say_json, shown, table


class Quota(click.ParamType[Any]):
    """A number, or unlimited."""

    name = "quota"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number or the word unlimited."""
        if value == plans.UNLIMITED:
            return value
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a whole number nor {plans.UNLIMITED!r}.", param, ctx)


@click.group("plans", cls=Commands)
def plans_group() -> None:
    """Say how much keys may ask for."""


@plans_group.command("list")
@JSON
def list_plans(*, as_json: bool) -> None:
    """List the plans."""
    with opened() as (db, _):
        found = plans.plans(db)
    table([asdict(plan) for plan in found], list(asdict(found[0])), as_json=as_json, empty="")


@plans_group.command("set")
@click.argument("name", shell_complete=completion.of_plans)
@click.option("--screenshots-per-hour", type=int, metavar="N")
@click.option("--screenshots-burst", type=int, metavar="N", help="How many at once, before the hourly rate counts.")
@click.option("--requests-per-hour", type=int, metavar="N", help="All other requests.")
@click.option("--requests-burst", type=int, metavar="N")
@click.option(
    "--screenshots-per-month",
    type=Quota(),
    metavar="N|unlimited",
    help="Over it 429 until the first of the next month.",
)
@click.option(
    "--bandwidth-per-month", type=Quota(), metavar="BYTES|unlimited", help="The same, for the results' bytes."
)
@click.option("--weight", type=int, metavar="N", help="Turns in the queue, to one of weight 1.")
def set_plan(name: str, **changes: Any) -> None:
    """Make the plan NAME or change it; what is left out stays, or is as in the default plan."""
    if not given(changes):
        raise click.UsageError("Say at least one limit, such as --screenshots-per-hour 500.")
    with opened(make=True) as (db, _):
        plan = plans.set_plan(db, name, changes)
    say(
        f"Plan {plan.name!r}: {plan.screenshots_per_hour} screenshots an hour (burst {plan.screenshots_burst}), "
        f"{plan.requests_per_hour} other requests (burst {plan.requests_burst}), "
        f"{shown(plan.screenshots_per_month, 'unlimited')} screenshots and "
        f"{shown(plan.bandwidth_per_month, 'unlimited')} bytes a month, weight {plan.weight}.",
        err=True,
    )


@plans_group.command("remove")
@click.argument("name", shell_complete=completion.of_plans)
@YES
def remove_plan(name: str, *, yes: bool) -> None:
    """Forget the plan NAME, if no key is on it."""
    with opened() as (db, _):
        confirm(f"Forget the plan {name!r}?", yes=yes)
        plans.remove_plan(db, name)
    say(f"Plan {name!r} is forgotten.", err=True)


@click.command("usage")
@click.option("--key", metavar="KEY", shell_complete=completion.of_keys, help="Only of this key, and day by day.")
@JSON
def usage_command(key: str | None, *, as_json: bool) -> None:
    """Show what each key has used this month.

    Months and days are those of UTC. A running server is up to two seconds ahead of this.

    KEY is the first 12 characters of a key, or the name of a live one.
    """
    with opened() as (db, settings):
        only = None if key is None else keys.find(db, key).id
        found = usage_store.report(db, datetime.now(UTC), only, details=as_json or only is not None)
    if as_json:
        say_json(found if only is None else found[0])
        return
    columns = ["prefix", "name", "organization", "plan", "screenshots", "of", "bytes", "of_bytes"]
    table(
        [_usage_row(one) for one in found],
        [*columns, "render_seconds", "failures", "in_all"],
        as_json=False,
        empty=f"There are no keys: `{command_hint.typed(settings.data_dir, 'keys create NAME')}` makes one.",
    )
    if only is not None and found[0]["days"]:
        say()
        days = [day | {"failures": _counted(day["failures"])} for day in found[0]["days"]]
        table(days, ["day", "screenshots", "bytes", "render_seconds", "failures"], as_json=False, empty="")


def _usage_row(one: dict[str, Any]) -> dict[str, Any]:
    quotas = {"of": one["screenshots_per_month"], "of_bytes": one["bandwidth_per_month"]}
    month: dict[str, Any] = one["this_month"]
    return one | quotas | month | {"failures": _counted(month["failures"]), "in_all": one["in_all"]["screenshots"]}


def _counted(failures: dict[str, int]) -> str | None:
    return ", ".join(f"{number} {code}" for code, number in failures.items()) or None
