"""The command that takes one picture, with no server."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import click

from .. import regular_files
from ..config import Settings
from ..errors import BoxError, InvalidRequest, OperatorError, TargetNotAllowed
from ..process import atomic_files, hardening, privileges
from .terminal import load, say, settings_options

SUFFIXES = {"jpg": "jpeg", "htm": "html", "md": "markdown"} | {
    word: word for word in ("png", "jpeg", "webp", "pdf", "html", "markdown", "json")
}
ENDINGS = {"jpeg": "jpg", "markdown": "md"}  # what files are called; others as their format
TEXTS = frozenset({"html", "markdown", "json"})
LARGEST_JSON = 1 << 20  # bytes, as for the API
LONGEST_NAME = 100
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Shot(click.Command):
    """A command with one more option for each field of the API, made when they are needed: that takes a while."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the fields' options between the command's own and --help."""
        from . import flags  # with the renderer, which no other command needs

        *own, last = super().get_params(ctx)
        return [*own, *flags.options(), last]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; of an option that there is not, say where its field goes."""
        from . import flags

        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            word = error.option_name.lstrip("-")
            if word in flags.SECRET:
                raise click.UsageError(
                    f"There is no option {error.option_name}: every user of this machine could read its value in the "
                    "list of processes. Write it into a file or a pipe, for --json.",
                    ctx,
                ) from error
            if word in flags.NESTED:
                raise click.UsageError(
                    f"There is no option {error.option_name}: write it into a file or a pipe, for --json.", ctx
                ) from error
            raise


@dataclass(frozen=True)
class _Target:
    """Where the result goes: a file, a directory for several, or standard output."""

    out: Path

    @property
    def is_stdout(self) -> bool:
        return str(self.out) == "-"

    @property
    def is_directory(self) -> bool:
        return os.path.isdir(self.out)  # noqa: PTH112 - Path's raises where we may not look, which is told later

    @property
    def suffix(self) -> str | None:
        """The format that the file's name ends in, if it ends in anything."""
        if self.is_stdout or self.is_directory:
            return None
        return self.out.suffix[1:].lower() or None

    def paths(self, names: Sequence[tuple[str, str]]) -> list[Path]:
        """Return a path for each output, of which *names* has the id and the format."""
        if self.is_directory:
            return [self.out / f"{name}.{ENDINGS.get(kind, kind)}" for name, kind in names]
        if len(names) > 1:
            raise click.UsageError(f"{len(names)} outputs need a directory that is there: -o DIR.")
        return [self.out]


@click.command("shot", cls=_Shot)
@click.argument("url", required=False)
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file, whose name may end in the format (.png, .jpg, .webp, .pdf, .html, .md, .json); a directory, for "
    "several outputs; - for standard output.  [default: the page's host and path]",
)
@click.option(
    "--json",
    "source",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The body of an API request, from a file or - for standard input; options win over it.",
)
@settings_options("allow", "deny", "browser", "ca_dir", "insecure_hosts", "block_rules", "user")
@click.pass_context
def shot_command(
    context: click.Context, /, url: str | None, out: Path | None, source: Path | None, **said: Any
) -> None:
    """Take a picture of URL and write it into a file, with no server and no key.

    From --viewport on, options are the fields of POST /v1/screenshots; docs/api.md explains them. Actions, outputs
    and sessions go into --json: what stands on a command line, every user of the machine can read, and cookies,
    headers and passwords have no business there.
    """
    from . import flags

    settings = load(context, said).settings
    body = _body(source) | flags.body(said) | ({} if url is None else {"url": url})
    asked = set(flags.body(said))
    target = _Target(out or _default_name(body))
    _fit(body, target)
    shot = _checked(body, asked)
    outputs = [(output.id, _format(output)) for output in shot.outputs]
    _refuse_contradiction(outputs, target)
    paths = target.paths(outputs)
    if target.is_stdout:
        if outputs[0][1] not in TEXTS and sys.stdout.isatty():
            raise click.UsageError("A picture is nothing for a terminal: name a file with -o, or use a pipe.")
        rendering = _rendered(settings, shot, asked)
        atomic_files.to_stdout(rendering.products[0].content)
        _tell(rendering, ["standard output"])
        return
    atomic_files.refuse_within(settings.data_dir, paths)
    with atomic_files.files(paths, replace=True, mode=0o666) as files:
        rendering = _rendered(settings, shot, asked)
        _write(paths, files, rendering)
    _tell(rendering, [str(path) for path in paths])


# --- what is asked for --------------------------------------------------------------------------


def _body(source: Path | None) -> dict[str, Any]:
    """Return the JSON that the API would get."""
    if source is None:
        return {}
    try:
        if str(source) == "-":
            raw = sys.stdin.buffer.read(LARGEST_JSON + 1)
        else:
            with regular_files.opened(source) as file:
                raw = file.read(LARGEST_JSON + 1)
    except OSError as error:
        raise click.BadParameter(f"{source} cannot be read ({error.strerror}).", param_hint="--json") from error
    if len(raw) > LARGEST_JSON:
        raise click.BadParameter(f"{source} is larger than {LARGEST_JSON >> 20} MiB.", param_hint="--json")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{source} is not JSON ({error}).", param_hint="--json") from error
    if not isinstance(body, dict):
        raise click.BadParameter(f"{source} must hold a JSON object.", param_hint="--json")
    return body


def _default_name(body: dict[str, Any]) -> Path:
    try:
        parts = urlsplit(str(body.get("url", "")))
        words = f"{parts.hostname or 'page'}{parts.path}"
    except ValueError:
        words = "page"
    name = re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")[:LONGEST_NAME] or "page"
    listed = body.get("outputs") or ()
    if len(listed) > 1:
        return Path()
    kind = str(listed[0].get("type")) if listed and isinstance(listed[0], dict) else str(body.get("format", "png"))
    kind = SUFFIXES.get(kind.lower(), "png")
    return Path(f"{name}.{ENDINGS.get(kind, kind)}")


def _fit(body: dict[str, Any], target: _Target) -> None:
    """Let the file's name say the format where nothing else does; formats that are texts become outputs."""
    if body.get("outputs"):
        return
    word = str(body["format"]).lower() if isinstance(body.get("format"), str) else None
    suffix = SUFFIXES.get(target.suffix or "")
    if word is None and target.suffix and suffix is None:
        raise click.BadParameter(
            f"{target.out} ends in no format that there is ({', '.join(SUFFIXES)}): say --format.", param_hint="-o"
        )
    kind = SUFFIXES.get(word, word) if word else suffix
    if kind == "json":
        raise click.BadParameter(
            'JSON takes an output that says what to read: --json with {"outputs": [{"type": "json", "schema": ...}]}.',
            param_hint="-o",
        )
    if kind in TEXTS:
        body.pop("format", None)
        body["outputs"] = [{"type": kind}]
    elif kind is not None and "format" not in body:
        body["format"] = kind


def _checked(body: dict[str, Any], asked: set[str]) -> Any:
    """Return the Shot, or say with the option's name what is wrong with it."""
    from .. import validation
    from ..captures.request import ScreenshotRequest, shot_of

    try:
        request, ignored = validation.read(ScreenshotRequest, json.dumps(body).encode())
        shot = shot_of(request)
    except InvalidRequest as error:
        raise click.UsageError(_by_option(error, asked)) from error
    if ignored:
        say(f"Ignored, because the API has no such fields: {', '.join(ignored)}.", err=True)
    return shot


def _by_option(error: InvalidRequest, asked: set[str]) -> str:
    """Return what is wrong by the names that it was said with: of options, or of fields in --json."""
    if not error.problems:
        return error.message
    return f"{'; '.join(f'{_said_with(path, asked)} {problem}' for path, problem in error.problems.items())}."


def _said_with(path: str, asked: set[str]) -> str:
    from . import flags

    field, _, below = path.partition(".")
    if field == "url":
        return "URL"
    if field.partition("[")[0] not in asked:
        return f"{path} in --json"
    return f"{flags.flag(path)}{f': {below}' if below else ''}"


def _format(output: Any) -> str:
    """Return the format of an output: a picture's own, or its kind."""
    from ..render import shot

    kinds = {shot.Pdf: "pdf", shot.Html: "html", shot.Markdown: "markdown", shot.Extract: "json"}
    return kinds.get(type(output)) or str(output.format)


def _refuse_contradiction(outputs: list[tuple[str, str]], target: _Target) -> None:
    suffix = SUFFIXES.get(target.suffix or "")
    if len(outputs) == 1 and suffix is not None and suffix != outputs[0][1]:
        raise click.BadParameter(
            f"{target.out} ends in .{target.suffix}, and what was asked for is {outputs[0][1]}: change one of them.",
            param_hint="-o",
        )


# --- how it is taken ----------------------------------------------------------------------------


def _rendered(settings: Settings, shot: Any, asked: set[str]) -> Any:
    """Become who the data belongs to, and take the picture."""
    import uvloop

    from .. import logs
    from ..render.browsers import workdir

    privileges.enter(settings)
    hardening.hide_memory()
    logs.start("error")
    with workdir.entered(settings.data_dir):
        try:
            return uvloop.run(_render(settings, shot))
        except InvalidRequest as error:
            raise click.UsageError(_by_option(error, asked)) from error
        except TargetNotAllowed as error:
            setting = f"; the setting {error.extra['setting']} decides that" if error.extra.get("setting") else ""
            raise OperatorError(f"{error.code}: {error.reason}{setting}.") from error
        except BoxError as error:
            raise OperatorError(f"{error.code}: {error.message}") from error


async def _render(settings: Settings, shot: Any) -> Any:
    from ..egress import policy
    from ..render.renderer import equipment, running

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    caught: list[int] = []

    def stop(number: int) -> None:
        caught.append(number)
        if task is not None:
            task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        one = replace(equipment(settings), slots=1)
        async with running(one, policy.policy_of(settings)) as renderer:
            return await renderer.render(shot)
    except asyncio.CancelledError:
        say("Stopped; nothing was written.", err=True)
        raise click.exceptions.Exit(128 + caught[0] if caught else 1) from None  # as a shell counts what a signal ended


def _write(paths: list[Path], files: list[BinaryIO], rendering: Any) -> None:
    for path, file, product in zip(paths, files, rendering.products, strict=True):
        atomic_files.write(path, file, product.content)


def _tell(rendering: Any, places: list[str]) -> None:
    """Say in one line what became of it."""
    made = [_described(place, product) for place, product in zip(places, rendering.products, strict=True)]
    where = rendering.target_url.encode("ascii", "backslashreplace").decode()
    told = [f"{', '.join(made)}; {rendering.render_seconds * 1000:.0f} ms; {where} ({rendering.target_status})"]
    if rendering.not_awaited:
        told.append(f"not awaited: {', '.join(rendering.not_awaited)}")
    if rendering.truncated:
        told.append("cut before the page ends")
    if rendering.refused:
        told.append(f"refused: {rendering.refused[0]}" + (", and more" if len(rendering.refused) > 1 else ""))
    say("; ".join(told), err=True)


def _described(place: str, product: Any) -> str:
    size = f" {product.width} x {product.height}," if product.width else ""
    return f"{place}: {product.format}{size} {len(product.content):,} bytes"
