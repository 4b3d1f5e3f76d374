"""The fields of a request as options of a command, made from the request's own type."""

import re
from functools import cache
from typing import Any, cast

import click
import msgspec
from msgspec.inspect import BoolType, IntType, ListType, Metadata, NoneType, StrType, StructType, Type, UnionType

from ..captures.request import ScreenshotRequest
from . import completion

# What is said otherwise, or has no meaning without a server.
NO_FLAG = frozenset({"url", "response_type", "share_rendering", "webhook_url", "webhook_secret"})
NO_FLAG |= {"device_scale_factor", "stealth"}  # other names of --viewport's and of --stealth-mode
WORDS_FOR_TEXTS = ("html", "markdown")  # formats that the API has as outputs only
SECRET = frozenset({"session", "cookie", "cookies", "header", "headers", "storage", "webhook-secret"})
NESTED = frozenset({"actions", "action", "outputs", "output"})

_SIZE = re.compile(r"(\d+)x(\d+)(?:@(\d+))?")
_WIRE = re.compile(r"(?<!^)(?=[A-Z])")


class Size(click.ParamType[Any]):
    """1280x720 or 1280x720@2."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a window's size as the object that the API has for it; its bounds are the API's."""
        found = _SIZE.fullmatch(str(value))
        if found is None:
            self.fail("must be WIDTHxHEIGHT or WIDTHxHEIGHT@SCALE, such as 1280x720@2.", param, ctx)
        numbers = {"width": found[1], "height": found[2], "deviceScaleFactor": found[3]}
        return {name: int(number) for name, number in numbers.items() if number}


class Number(click.ParamType[Any]):
    """A whole number; what is none goes on as it is, and is refused with the bounds."""

    name = "n"

    def convert(self, value: Any, _: click.Parameter | None, __: click.Context | None) -> Any:
        """Read a number, if it is one."""
        try:
            return int(value)
        except ValueError:
            return value


@cache
def options() -> tuple[click.Option, ...]:
    """Return an option for each field that can be said in one word."""
    described = cast("StructType", msgspec.inspect.type_info(ScreenshotRequest))
    return tuple(
        option
        for field in described.fields
        if field.name not in NO_FLAG and (option := _option(field.name, field.type, field.default)) is not None
    )


def body(said: dict[str, Any]) -> dict[str, Any]:
    """Return what the options *said*, as the API's fields."""
    fields = {field.name: field.encode_name for field in msgspec.structs.fields(ScreenshotRequest)}
    return {fields[option.name]: said[option.name] for option in options() if option.name and _is_said(said, option)}


def flag(path: str) -> str | None:
    """Return the option that a field's wire path is said with."""
    name = _WIRE.sub("_", re.split(r"[.\[]", path)[0]).lower()
    return next((option.opts[0] for option in options() if option.name == name), None)


def _is_said(said: dict[str, Any], option: click.Option) -> bool:
    return said[str(option.name)] not in (None, ())


def _option(name: str, kind: Type, default: Any) -> click.Option | None:
    """Return the option for a field; none for objects and lists of them, which --json has room for."""
    word = f"--{name.replace('_', '-')}"
    kind, extra = _bare(kind)
    made: dict[str, Any] = {"metavar": "TEXT"}
    match kind:
        case BoolType():
            word, made = f"{word}/--no-{word[2:]}", {"default": None, "help": ""}
        case IntType(ge=least, le=most):
            made = {"type": Number(), "metavar": "N", "help": f"{least} to {most}."}
        case StrType() if "choices" in extra:
            choices = [*extra["choices"], *(WORDS_FOR_TEXTS if name == "format" else ())]
            made = {
                "metavar": "WORD",
                "help": f"{', '.join(choices)}.",
                "shell_complete": completion.one_of(choices),
            }
        case StrType() if name == "device":
            made |= {"metavar": "NAME", "help": "As docs/api.md names them.", "shell_complete": completion.of_devices}
        case StrType(max_length=most):
            made["help"] = f"At most {most} characters."
        case ListType(item_type=StrType(), max_length=most):
            made |= {"multiple": True, "help": f"May be given {most} times."}
        case StructType() if name == "viewport":
            made = {"type": Size(), "metavar": "SIZE", "help": "WIDTHxHEIGHT or WIDTHxHEIGHT@SCALE."}
        case _:
            return None
    if default is not None:
        made["help"] += f"  [default: {str(default).lower() if isinstance(default, bool) else default}]"
    return click.Option([word], **made)


def _bare(kind: Type) -> tuple[Type, dict[str, Any]]:
    """Return a type without what is wrapped around it, and what that says."""
    extra: dict[str, Any] = {}
    while isinstance(kind, Metadata | UnionType):
        if isinstance(kind, Metadata):
            extra |= kind.extra or {}
            kind = kind.type
        else:
            kind = next(one for one in kind.types if not isinstance(one, NoneType))
    return kind, extra
