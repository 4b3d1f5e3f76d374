"""JSON bodies as checked types: every problem at once, by its wire path, and what was ignored."""

import codecs
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec.inspect import (
    BoolType,
    DictType,
    FloatType,
    IntType,
    ListType,
    Metadata,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
)

from .errors import InvalidRequest

T = TypeVar("T", bound="WireModel")

MOST_IGNORED = 20  # names; a client that sends more gets the first ones
MOST_PROBLEMS = 100  # told in one answer; nobody mends more at a time
SHOWN_NAME = 64  # characters of a name that the caller made up


class WireModel(msgspec.Struct, rename="camel", kw_only=True):
    """Base of the shapes that travel as JSON. What stands in one may be secret, so its repr tells nothing."""

    def problems(self) -> dict[str, str]:
        """Return what is wrong between fields that are right by themselves, by wire name; "" is the whole."""
        return {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def choice(*choices: str, pattern: str | None = None, **aliases: str) -> msgspec.Meta:
    """One of *choices*, in whatever case; *aliases*, in lower case, stand for one of them."""
    extra = {"choices": choices, "aliases": aliases}
    return msgspec.Meta(pattern=pattern or f"^({'|'.join(choices)})$", extra=extra)


def spelled(pattern: str, must: str, *, most: int) -> msgspec.Meta:
    """Text of at most *most* characters that *pattern* describes, and *must* describes for people."""
    return msgspec.Meta(pattern=pattern, max_length=most, extra={"must": must})


class Ignored(list[str]):
    """Wire paths of the unknown fields of a body."""


def read(shape: type[T], raw: bytes) -> tuple[T, Ignored]:
    """Return *raw* as a *shape*, and the unknown fields in it. Raises InvalidRequest with all its problems."""
    try:
        value = msgspec.json.decode(raw.removeprefix(codecs.BOM_UTF8) or b"{}")  # some write it before all their JSON
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}.") from None
    if value == []:  # what an empty object becomes in PHP
        value = {}
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    reading = _Reading()
    built = reading.struct(shape, value, "")
    if reading.problems:
        text = "; ".join(f"{path} {problem}" for path, problem in reading.problems.items())
        raise InvalidRequest(f"{text}.", reading.problems)
    return cast("T", built), reading.ignored  # no problems: it was built


@cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, msgspec.inspect.Field]:
    described = cast("StructType", msgspec.inspect.type_info(shape))
    return {field.encode_name: field for field in described.fields}


@dataclass
class _Reading:
    """One body as it is read: each value becomes what is wanted at its path, or leaves a problem there."""

    problems: dict[str, str] = field(default_factory=dict)
    ignored: Ignored = field(default_factory=Ignored)
    wrong: int = 0  # how much was, told or not

    def _refuse(self, path: str, problem: str) -> Any:
        """Note a problem, and return what stands for the value."""
        self.wrong += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems[path] = problem
        return None

    def value(self, wanted: Type, given: Any, path: str, extra: dict[str, Any] | None = None) -> Any:
        """Return *given* as the type that is *wanted*; None after a problem."""
        match wanted:
            case Metadata():
                return self.value(wanted.type, given, path, wanted.extra)
            case UnionType():
                return self._one_of(wanted, given, path, extra)
            case StructType() | DictType() if given == [] or isinstance(given, dict):
                return self._object(wanted, given or {}, path)  # [] is PHP again
            case ListType() if isinstance(given, list) and _counts(wanted, len(given)):
                return [self.value(wanted.item_type, one, f"{path}[{index}]") for index, one in enumerate(given)]
            case _:
                return self._leaf(wanted, given, path, extra or {})

    def _one_of(self, wanted: UnionType, given: Any, path: str, extra: dict[str, Any] | None) -> Any:
        """Read what may be null, or one of several objects that their tags tell apart."""
        types = [one for one in wanted.types if not isinstance(one, NoneType)]
        if len(types) == 1:
            return self.value(types[0], given, path, extra)
        shapes = {str(one.tag): one for one in types if isinstance(one, StructType)}
        tag_field = next(iter(shapes.values())).tag_field or ""
        if not isinstance(given, dict):
            return self._refuse(path, "must be an object")
        tag = given.get(tag_field)
        shape = shapes.get(tag.lower()) if isinstance(tag, str) else None
        if shape is None:
            return self._refuse(f"{path}.{tag_field}", f"must be one of {', '.join(shapes)}")
        return self._object(shape, given, path)

    def _object(self, wanted: StructType | DictType, given: dict[str, Any], path: str) -> Any:
        if isinstance(wanted, StructType):
            return self.struct(wanted.cls, given, path)
        return self._map(wanted, given, path)

    def struct(self, shape: type[msgspec.Struct], given: dict[str, Any], path: str) -> Any:
        """Return *given* as a *shape*. Null is as good as leaving a field out."""
        built, fields, before = {}, _fields(shape), self.wrong
        above = f"{path}." if path else ""
        for name, known in fields.items():
            if given.get(name) is not None:
                built[known.name] = self.value(known.type, given[name], above + name)
            elif known.required:
                self._refuse(above + name, "is required")
        self._ignore(given, {*fields, shape.__struct_config__.tag_field}, above)
        if self.wrong > before:
            return None
        value = shape(**built)
        for name, problem in value.problems().items() if isinstance(value, WireModel) else ():
            self._refuse(above + name if name else path, problem)
        return value

    def _ignore(self, given: dict[str, Any], known: set[str | None], above: str) -> None:
        for name in given:
            if len(self.ignored) == MOST_IGNORED:
                return
            if name not in known:
                self.ignored.append(above + name)

    def _map(self, wanted: DictType, given: dict[str, Any], path: str) -> Any:
        if not _counts(wanted, len(given)):
            return self._refuse(path, _advice(wanted))
        for name in given:
            if not _is_good(wanted.key_type, name):
                return self._refuse(path, f"has a name that {_advice(wanted.key_type)}")
        return {name: self.value(wanted.value_type, one, f"{path}.{name[:SHOWN_NAME]}") for name, one in given.items()}

    def _leaf(self, wanted: Type, given: Any, path: str, extra: dict[str, Any]) -> Any:
        if isinstance(wanted, IntType) and isinstance(given, float) and given.is_integer():
            given = int(given)  # 1280.0 is what some languages call a whole number
        if isinstance(given, str) and "choices" in extra:  # clients disagree about the case
            given = ({one.lower(): one for one in extra["choices"]} | extra["aliases"]).get(given.lower(), given)
        if _is_good(wanted, given):
            return given
        return self._refuse(path, _must(wanted, given, extra))


def _is_good(wanted: Type, given: Any) -> bool:
    match wanted:
        case BoolType():
            return isinstance(given, bool)
        case IntType():
            return isinstance(given, int) and not isinstance(given, bool) and _is_within(wanted, given)
        case FloatType():
            return isinstance(given, int | float) and not isinstance(given, bool) and _is_within(wanted, given)
        case StrType(pattern=pattern):
            return isinstance(given, str) and _counts(wanted, len(given)) and _matches(pattern, given)
        case _:
            return False  # lists and objects that are none


def _matches(pattern: str | None, text: str) -> bool:
    return pattern is None or re.fullmatch(pattern, text) is not None  # search would let $ pass a newline


def _is_within(wanted: IntType | FloatType, number: float) -> bool:
    return (wanted.ge is None or number >= wanted.ge) and (wanted.le is None or number <= wanted.le)


def _counts(wanted: StrType | ListType | DictType, length: int) -> bool:
    return (wanted.min_length or 0) <= length and (wanted.max_length is None or length <= wanted.max_length)


def _must(wanted: Type, given: Any, extra: dict[str, Any]) -> str:
    """Return what a value must be that is not."""
    if "choices" in extra:
        return f"must be one of {', '.join(extra['choices'])}"
    if given == "" and isinstance(wanted, StrType):
        return "must not be empty"
    if "must" in extra and isinstance(given, str) and _counts(cast("StrType", wanted), len(given)):
        return f"must be {extra['must']}"
    return _advice(wanted)


def _advice(wanted: Type) -> str:
    match wanted:
        case IntType() | FloatType():
            must = f"a {'whole ' if isinstance(wanted, IntType) else ''}number{_range(wanted)}"
        case BoolType():
            must = "true or false"
        case StrType(max_length=most):
            must = "text" if most is None else f"text of at most {most} characters"
        case ListType(max_length=most):
            items = "texts" if isinstance(wanted.item_type, StrType) else "objects"
            must = f"a list of {'' if most is None else f'at most {most} '}{items}"
        case DictType(max_length=int(most), min_length=least):
            must = f"an object of {f'{least} to' if least else 'at most'} {most} fields"
        case _:
            must = "an object"
    return f"must be {must}"


def _range(wanted: IntType | FloatType) -> str:
    return "" if wanted.ge is None or wanted.le is None else f" from {wanted.ge:.15g} to {wanted.le:.15g}"
