"""JSON bodies as checked types: every problem at once, by its wire path, and what was ignored."""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from .errors import InvalidRequest

T = TypeVar("T", bound="Body")

MOST_IGNORED = 20  # names; a client that sends more gets the first ones


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """Base of the shapes that travel as JSON. *ignored* are the fields of a body that mean nothing."""


def choice(*choices: str, pattern: str | None = None, **aliases: str) -> msgspec.Meta:
    """One of *choices*, in whatever case; *aliases*, in lower case, stand for one of them."""
    extra = {"choices": choices, "aliases": aliases}
    return msgspec.Meta(pattern=pattern or f"^({'|'.join(choices)})$", extra=extra)


class Ignored(list[str]):
    """Wire paths of the unknown fields of a body."""


def read(shape: type[T], raw: bytes) -> tuple[T, Ignored]:
    """Return *raw* as a *shape*, and the unknown fields in it. Raises InvalidRequest with all its problems."""
    try:
        value = msgspec.json.decode(raw or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}.") from None
    if value == []:  # what an empty object becomes in PHP
        value = {}
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    problems: dict[str, str] = {}
    ignored = Ignored()
    built = _struct(shape, value, "", problems, ignored)
    if problems:
        text = "; ".join(f"{path} {problem}" for path, problem in problems.items())
        raise InvalidRequest(f"{text}.", problems)
    return cast("T", built), ignored  # no problems: it was built


@dataclass(frozen=True)
class _Field:
    """What is to be known of one field, looked up once for each shape."""

    name: str
    wire_name: str
    required: bool
    annotation: Any
    nested: type[msgspec.Struct] | None
    choices: tuple[str, ...]
    aliases: dict[str, str]


@cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, _Field]:
    return {field.encode_name: _field(field) for field in msgspec.structs.fields(shape)}


def _field(field: msgspec.structs.FieldInfo) -> _Field:
    infos = _alternatives(msgspec.inspect.type_info(field.type))
    nested = next((info.cls for info in infos if isinstance(info, msgspec.inspect.StructType)), None)
    extra = next((info.extra for info in infos if isinstance(info, msgspec.inspect.Metadata) and info.extra), {})
    choices, aliases = extra.get("choices", ()), extra.get("aliases", {})
    return _Field(field.name, field.encode_name, field.required, field.type, nested, choices, aliases)


def _struct(
    shape: type[msgspec.Struct], value: dict[str, Any], path: str, problems: dict[str, str], ignored: Ignored
) -> Any:
    built = {}
    fields = _fields(shape)
    before = len(problems)
    for name, field in fields.items():
        if name in value:
            built[field.name] = _value(field, value[name], f"{path}{name}", problems, ignored)
        elif field.required:
            problems[f"{path}{name}"] = "is required"
    ignored.extend(f"{path}{name}" for name in value if name not in fields and len(ignored) < MOST_IGNORED)
    return shape(**built) if len(problems) == before else None


def _value(field: _Field, value: Any, path: str, problems: dict[str, str], ignored: Ignored) -> Any:
    if field.nested is not None and isinstance(value, dict | list):
        if value == []:  # PHP again
            value = {}
        if isinstance(value, dict):
            return _struct(field.nested, value, f"{path}.", problems, ignored)
    if isinstance(value, float) and value.is_integer():  # 1280.0 is what some languages call a whole number
        value = int(value)
    if field.choices and isinstance(value, str):  # clients disagree about the case
        spelled = {choice.lower(): choice for choice in field.choices} | field.aliases
        value = spelled.get(value.lower(), value)
    try:
        return msgspec.convert(value, field.annotation)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        where = where.rstrip("`")
        problems[path + where] = _said(text) if where else _worded(text, field)
        return None


def _said(text: str) -> str:
    return f"is wrong: {text[:1].lower()}{text[1:]}".replace("`", "")


def _worded(text: str, field: _Field) -> str:
    """Return what the field must be; what msgspec said only where there is nothing better to say."""
    if field.choices:
        return f"must be one of {', '.join(field.choices)}"
    for info in _alternatives(msgspec.inspect.type_info(field.annotation)):
        if advice := _advice(info.type if isinstance(info, msgspec.inspect.Metadata) else info):
            return advice
    return _said(text)


def _alternatives(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def _advice(info: msgspec.inspect.Type) -> str | None:
    match info:
        case msgspec.inspect.IntType(ge=int(low), le=int(high)):
            return f"must be a whole number from {low} to {high}"
        case msgspec.inspect.BoolType():
            return "must be true or false"
        case msgspec.inspect.StrType(max_length=int(most)):
            return f"must be text of at most {most} characters"
        case msgspec.inspect.StrType():
            return "must be text"
        case msgspec.inspect.ListType(max_length=int(most)):
            return f"must be a list of at most {most} texts"
        case _:
            return None
