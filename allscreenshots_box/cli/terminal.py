"""What all commands share: how they are parsed, how they open the store, and how they print."""

import difflib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
import sqlite_utils

from .. import config, keys
from ..config import Loaded, Settings
from ..errors import OperatorError
from ..escapes import escaped, escaped_lines
from ..process import command_hint, locks, privileges
from ..storage import database, reserve

F = TypeVar("F", bound=Callable[..., Any])

USAGE = 2  # exit code

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")


class Commands(click.Group):
    """A group that tells what was probably meant, and puts every OperatorError into one sentence."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, which may have behind it what else stands before it."""
        has = {parameter.name for parameter in cmd.params}
        cmd.params += [option for option in _everywhere() if option.name not in has]
        super().add_command(cmd, name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command, or say which one is near."""
        if (
            args
            and self.get_command(ctx, args[0]) is None
            and not args[0].startswith("-")
            and not ctx.resilient_parsing
        ):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(self.list_commands(ctx))}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, once it is known that the arguments are text at all."""
        if any("\udc80" <= letter <= "\udcff" for word in args for letter in word) and not ctx.resilient_parsing:
            ctx.fail("An argument is not text in UTF-8.")
        return super().parse_args(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Begin, with what is wrong about the words told in letters that can be seen."""
        with _visible():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _visible():
            try:
                return super().invoke(ctx)
            except OperatorError as error:
                raise click.ClickException(escaped(str(error))) from error


@contextmanager
def _visible() -> Iterator[None]:
    """Escape what an error says: it may repeat what stands in the database, or what somebody pasted."""
    try:
        yield
    except click.ClickException as error:
        error.message = escaped_lines(error.message)  # type: ignore[misc]  # click lists choices line by line
        raise


def _everywhere() -> list[click.Option]:
    """Return the program's own options, as they may stand behind any command; the last one wins."""

    def take(context: click.Context, option: click.Parameter, value: Any) -> None:
        if value is not None:
            context.find_root().params[str(option.name)] = value

    shared: dict[str, Any] = {"hidden": True, "expose_value": False, "callback": take}
    return [
        click.Option(["--data-dir"], metavar="DIR", **shared),
        click.Option(["--config", "config_file"], type=click.Path(path_type=Path), **shared),
    ]


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


def settings_options(*names: str) -> Callable[[F], F]:
    """Give a command one option for each of the settings *names*, all of them if none is named, and --config."""

    def give(command: F) -> F:
        for row in reversed([row for row in fields(Settings) if row.name in (names or config.NAMES)]):
            flag = f"--{row.name.replace('_', '-')}"
            if row.name in {"dangerously_disable_sandbox", "no_admin"}:
                command = click.option(flag, is_flag=True, default=None, help=row.metadata["help"])(command)
            else:
                command = click.option(flag, metavar="VALUE", help=row.metadata["help"])(command)
        for name, today in config.FORMER.items():
            if today in (names or config.NAMES):
                command = _former(name, today)(command)
        return click.option("--config", "config_file", type=click.Path(path_type=Path), help="The TOML file to read.")(
            command
        )

    return give


def _former(name: str, today: str) -> Callable[[F], F]:
    """Return an option that only says how what it once set is called *today*."""
    flag, other = (f"--{one.replace('_', '-')}" for one in (name, today))

    def refuse(_: click.Context, __: click.Parameter, value: Any) -> None:
        if value is not None:
            raise click.UsageError(f"The option {flag} is called {other} now.")

    return click.option(flag, hidden=True, expose_value=False, callback=refuse)


def load(context: click.Context, flags: dict[str, Any], *, insist: bool = False) -> Loaded:
    """Return the settings in force: this command's flags over the program's."""
    above = context.find_root().params
    merged = {name: value for name, value in (above | given(flags)).items() if name in config.NAMES}
    return config.load(merged, config=flags.get("config_file") or above.get("config_file"), insist=insist)


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """Return what was said on the command line; the rest is None."""
    return {name: value for name, value in flags.items() if value is not None}


@contextmanager
def opened(*, make: bool = False) -> Iterator[tuple[sqlite_utils.Database, Settings]]:
    """Become who the data belongs to, and open it; *make* it, if there is none."""
    settings = load(click.get_current_context(), {}).settings
    if not make:
        require_box(settings)
    privileges.enter(settings)
    with locks.visiting(settings.data_dir), reserve.at_hand(settings.data_dir):
        db = database.open_database(settings.database_path, tell_changes)
        try:
            with database.explained(settings.database_path):
                yield db, settings
        finally:
            db.close()


def require_box(settings: Settings) -> None:
    """Refuse a data directory without a database, before anything is made there. Raises OperatorError."""
    with suppress(PermissionError):  # who we become may look, or that is told
        if not settings.database_path.exists():
            raise OperatorError(
                f"There is no box in {settings.data_dir}: name the server's directory with --data-dir, or make a first "
                f"key there with `{command_hint.typed(settings.data_dir, 'keys create NAME')}`."
            )


def tell_changes(changes: list[str], copy: Path) -> None:
    """Say that the database was brought up to date, and where it is as it was before."""
    say(f"The database was changed for this version ({', '.join(changes)}); it is kept as it was: {copy}", err=True)


# --- printing -----------------------------------------------------------------------------------


def say(text: str = "", *, err: bool = False) -> None:
    """Print one line: all that commands print but secrets, files and scripts passes here, and none of it is raw.

    Names may come from a restored database, and texts from pages: neither may move the cursor or forge a line.
    """
    click.echo(escaped(text), err=err)


def say_json(value: Any) -> None:
    """Print *value* as JSON."""
    click.echo(escaped_lines(json.dumps(value, indent=2)))


def hasher(settings: Settings) -> Any:
    """Return what hashes keys, at the cost that the settings name."""
    return keys.hasher_of(settings.argon2_memory, settings.argon2_passes)


def hand_over(_: keys.KeySecret | None, secret: str) -> None:
    """Print the secret, alone on stdout, once the key is stored; if that fails it is undone, for nobody got it."""
    try:
        sys.stdout.write(f"{secret}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again at its end
        raise OperatorError(f"The secret could not be printed ({error.strerror}); nothing was changed.") from error


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; end the command if the answer is no, or nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        say("Error: this cannot be undone: say --yes.", err=True)
        raise SystemExit(USAGE)
    click.confirm(escaped(question), abort=True, err=True)


def until(key: keys.KeySecret) -> str:
    """Say how long a key works."""
    return f"works until {key.expires_at}" if key.expires_at else "does not expire"


def moment(span: timedelta) -> str:
    """Say when it will be *span* from now."""
    return (datetime.now(UTC) + span).isoformat(timespec="seconds").replace("+00:00", "Z")


def table(rows: list[dict[str, Any]], columns: list[str], *, as_json: bool, empty: str) -> None:
    """Print rows in columns, or as JSON; *empty* on stderr if there are none."""
    if as_json:
        say_json(rows)
        return
    if not rows:
        say(empty, err=True)
        return
    heads = [column.removesuffix("_at").replace("_", " ").upper() for column in columns]
    table = [heads, *([escaped(shown(row[column])) for column in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table)
    click.echo(escaped_lines("\n".join(lines)))  # in one piece: each of its own would be written by itself


def shown(value: Any, nothing: str = "-") -> str:
    """Return a value as a cell of a table."""
    return nothing if value is None else str(value)
