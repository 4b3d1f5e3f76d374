"""The commands that fetch and show the lists of what is blocked."""

from datetime import timedelta
from pathlib import Path

import click

from ..errors import OperatorError
from ..process import privileges
from ..render.blocking import filter_lists
from .terminal import JSON, Commands, Duration, load, say, table


@click.group("lists", cls=Commands)
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
    for outcome in filter_lists.update(_folder_of_lists(), names, mirror=mirror, seconds=timeout.total_seconds()):
        outcomes.append(outcome)
        say(f"{outcome.name}: {outcome.problem or f'{outcome.entries} entries'}", err=True)
    if failed := [f"{outcome.name}: {outcome.problem}" for outcome in outcomes if outcome.problem]:
        raise OperatorError(
            f"{len(failed)} of {len(outcomes)} lists were not updated: the old ones stay in use; try again later, or "
            f"name another place with --mirror ({'; '.join(failed)})."
        )


@lists_group.command("show")
@JSON
def show_lists(*, as_json: bool) -> None:
    """Show where each list in use comes from, and how old it is."""
    rows = filter_lists.show(_folder_of_lists())
    table(rows, ["name", "for", "from", "entries"], as_json=as_json, empty="")


def _folder_of_lists() -> Path:
    """Become who the data belongs to, and tell where fetched lists are."""
    settings = load(click.get_current_context(), {}).settings
    privileges.enter(settings)
    return settings.data_dir / filter_lists.FOLDER
