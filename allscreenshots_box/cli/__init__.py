"""The command line: parse, call, print."""

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .. import __version__, config
from ..commit import commit
from ..process import malloc
from ..process.signals import Signals
from . import admin, backup, completion, keys, lists, plans, shot
from .terminal import JSON, Commands, load, say, say_json, settings_options, table


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="allscreenshots-box")
@click.option("--data-dir", metavar="DIR", help="Where keys and work files are kept.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The TOML file to read.")
def main(**_: Any) -> None:
    """A self-hosted screenshot appliance: curl a URL, get a picture.

    Commands work on the data directory, with a server running or not; a running server obeys at once. --data-dir and
    --config may stand before a command or behind it.
    """


@main.command()
@settings_options()
@click.pass_context
def serve(context: click.Context, /, **flags: Any) -> None:
    """Serve the API until stopped."""
    signals = Signals()
    signals.remember()  # before all that takes time
    malloc.give_back()
    from .. import server  # Litestar and Granian take half a second that no other command needs

    loaded = load(context, flags)
    # Where the data lies was decided as whoever we were then.
    again = flags | {"data_dir": str(loaded.settings.data_dir)}
    server.run(loaded.settings, lambda: load(context, again, insist=True).settings, signals)


@main.command("config")
@settings_options()
@JSON
@click.pass_context
def config_command(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """Print the settings in force, and where each one came from."""
    loaded = load(context, flags)
    rows = [
        {"setting": name, "value": config.spelled(getattr(loaded.settings, name)), "from": loaded.sources[name]}
        for name in config.NAMES
    ]
    table(rows, ["setting", "value", "from"], as_json=as_json, empty="")


@main.command("version")
def version_command() -> None:
    """Print which version this is, of which commit, and on which Python."""
    told = f", commit {known}" if (known := commit()) else ""
    click.echo(f"allscreenshots-box {__version__}{told}, Python {platform.python_version()}")


@main.command("doctor")
@click.argument("checks", metavar="[CHECK]...", nargs=-1)
@settings_options()
@JSON
@click.pass_context
def doctor_command(context: click.Context, /, *, checks: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    """Check this machine and this box, with a server running or not; all of it, or what each CHECK names.

    Each failure names what mends it. The exit code is 1 if there is one.
    """
    from .. import doctor  # the renderer takes a while that no other command needs

    if unknown := sorted(set(checks).difference(doctor.NAMES)):
        raise click.UsageError(f"There is no check {unknown[0]!r}. There are: {', '.join(doctor.NAMES)}.")

    def tell(finding: doctor.Finding) -> None:
        if not as_json:
            for line in doctor.lines(finding):
                say(line)

    findings = doctor.examine(lambda: load(context, flags), tell, checks or doctor.NAMES)
    if as_json:
        say_json([asdict(finding) for finding in findings])
    context.exit(int(any(finding.state == "failed" for finding in findings)))


for below in (
    keys.keys_group,
    plans.plans_group,
    plans.usage_command,
    lists.lists_group,
    shot.shot_command,
    backup.backup_command,
    backup.restore_command,
    admin.admin_group,
    completion.completion_command,
):
    main.add_command(below)
