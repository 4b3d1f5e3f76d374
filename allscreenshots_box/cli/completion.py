"""Completion on the shell's command line: the script for it, and the names that it offers."""

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from .. import timestamps
from ..escapes import escaped
from ..keys.states import WORKS
from ..process.command_hint import PROGRAM
from .terminal import load

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_ALLSCREENSHOTS_BOX_COMPLETE"
MOST = 200  # names offered
BUSY_MILLISECONDS = 50  # somebody waits with a finger on the key

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_WORD = re.compile(r"[\w.@:+-]+")  # what a shell takes for one word as it is
_LIVE = f"select secrets.prefix, keys.name from secrets join keys on keys.id = secrets.key_id where {WORKS}"


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print what makes SHELL complete this command, its options, and names of keys, plans and devices.

    Names are offered to whoever may read the database; nothing is ever written.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click brings these three
    click.echo(kind(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE).source())


def of_keys(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the live keys: by name, and by prefix once that has begun or where the name is no plain word."""
    found = []
    for prefix, name in _asked(context, _LIVE):
        if not (isinstance(name, str) and _WORD.fullmatch(str(prefix))):
            continue  # no version wrote that
        by_name = name.startswith(begun) and _WORD.fullmatch(name)
        if by_name or prefix.startswith(begun):
            offered, told = (name, prefix) if by_name else (prefix, escaped(name))
            found.append(CompletionItem(offered, help=told))
    return found


def of_plans(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the plans whose names are plain words."""
    found = _asked(context, "select name from plans order by name")
    return [CompletionItem(name) for (name,) in found if name.startswith(begun) and _WORD.fullmatch(name)]


def of_devices(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the devices, written as one word each, however they are begun: "iPhone 1 goes on as iPhone-15."""
    from ..render import devices  # which no other command needs

    return one_of([_word(name) for name in devices.NAMES])(_, __, _word(begun))


def _word(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name)


def one_of(words: Sequence[str]) -> Complete:
    """Return what offers *words*, in whatever case they are begun."""

    def offer(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in words if word.lower().startswith(begun.lower())]

    return offer


def _asked(context: click.Context, query: str) -> list[Any]:
    """Return rows of the database; none if it cannot be read at once, as who we are, and without a trace."""
    with suppress(Exception):  # whatever it is, nobody at a prompt wants to read it
        path = load(context, {}).settings.database_path
        with closing(sqlite3.connect(_without_a_trace(path), uri=True)) as connection:
            connection.execute(f"pragma busy_timeout = {BUSY_MILLISECONDS}")
            return connection.execute(f"{query} limit {MOST}", {"now": timestamps.now()}).fetchall()
    return []


def _without_a_trace(path: Path) -> str:
    """Return the address to read *path* by: with the files beside it if it is open somewhere, else without any."""
    beside = all(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-shm"))
    return f"{path.absolute().as_uri()}?mode=ro{'' if beside else '&immutable=1'}"
