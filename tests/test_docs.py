"""What users can see is documented."""

import ast
import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from allscreenshots_box import cli, config, errors, keys
from allscreenshots_box.api import field_descriptions, response_headers, usage
from allscreenshots_box.captures import browser_session, request
from allscreenshots_box.cli import terminal
from allscreenshots_box.errors import BoxError
from allscreenshots_box.metrics import STEPS, Metrics, Sample, Served
from allscreenshots_box.render import devices
from allscreenshots_box.web.error_body import error_body

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in DOCS}
SOURCES = sorted((ROOT / "allscreenshots_box").rglob("*.py"))

PASTED = re.compile(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", re.DOTALL)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
LINKED = re.compile(r"\[([^\]]*)\]\([^)]*\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
HEADER = re.compile(r"X-[A-Z][A-Za-z-]+|RateLimit|RateLimit-Policy|Retry-After")
PROGRAM = re.compile(r"(?:sudo )?(?:[\w./-]*/)?allscreenshots-box (.+)")


def rows(page: str, section: str) -> dict[str, str]:
    """Return the table rows of one section of a page, by the code in their first cell."""
    text = PAGES[page].partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return {match[1]: match[0] for match in re.finditer(r"^\| `([^`]+)` \|.*$", text, re.MULTILINE)}


def words(text: str) -> str:
    return " ".join(text.split())


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", config.NAMES)
def test_every_setting_is_documented_with_its_variable(name: str) -> None:
    assert f"`{config.ENVIRONMENT_PREFIX}{name.upper()}`" in rows("docs/settings.md", "All settings")[name]


# --- commands -----------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it."""
    found: list[tuple[str, click.Command]] = [("allscreenshots-box", cli.main)]
    while found:
        path, command = found.pop(0)
        yield path, command
        if isinstance(command, click.Group):
            found += [(f"{path} {name}", below) for name, below in command.commands.items()]


COMMANDS = dict(commands())


def help_of(path: str) -> str:
    """Return what docs/commands.md pastes under a command's heading."""
    _, _, after = PAGES["docs/commands.md"].partition(f"\n### `{path}`\n")
    return after.partition("\n### ")[0]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_documented(path: str) -> None:
    assert f"Usage: {path} [OPTIONS]" in help_of(path)


@pytest.mark.parametrize(
    ("path", "option"),
    [
        (path, option)
        for path, command in COMMANDS.items()
        for parameter in command.get_params(click.Context(command))
        if isinstance(parameter, click.Option) and not parameter.hidden  # the program's own, documented there
        for option in parameter.opts
    ],
)
def test_every_option_is_documented_under_its_command(path: str, option: str) -> None:
    assert re.search(rf"^  .*{re.escape(option)}\b", help_of(path), re.MULTILINE)


def lines_of(page: str) -> Iterator[str]:
    """Yield the command lines that a page gives, in shell blocks and in running text."""
    text = PASTED.sub("", PAGES[page])
    for kind, block in FENCE.findall(text):
        if kind == "sh":
            yield from block.replace("\\\n", " ").splitlines()
    yield from (words(span) for span in re.findall(r"`([^`]+)`", FENCE.sub("", text)))


LINES = sorted(
    {
        re.split(r" [>|] ", match[1])[0]
        for page in PAGES
        for line in lines_of(page)
        if (match := PROGRAM.fullmatch(line.strip()))
    }
)


@pytest.mark.parametrize("line", LINES)
def test_every_command_line_in_the_docs_is_one_that_the_program_takes(line: str) -> None:
    command: click.Command = cli.main
    rest, name, above = shlex.split(line), "allscreenshots-box", None
    while True:
        bare = not any(word.startswith("-") for word in rest)
        try:
            context = command.make_context(name, rest, parent=above)
        except click.exceptions.Exit:  # --version
            return
        except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
            if bare:  # named in passing, without what it works on
                return
            raise
        if not isinstance(command, click.Group):
            return
        found, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found
        assert below
        name, command, above = found, below, context


def test_command_lines_are_found_at_all() -> None:
    assert len(LINES) > 20


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_every_option_of_a_script_in_the_docs_exists(script: str) -> None:
    given = {
        option
        for page in PAGES
        for line in lines_of(page)
        if (call := re.match(rf"(?:sudo )?(?:\w+=\S+ )*(?:\S*/){script}((?: --[a-z-]+)*)", line.strip()))
        for option in call[1].split()[:1]
    }
    assert given
    assert {option for option in given if option not in (ROOT / script).read_text()} == set()


TARGETS = re.findall(r"(?:^|`)make ([a-z-]+)", PAGES["docs/contributing.md"], re.MULTILINE)


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_every_make_target_in_the_docs_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


# --- what callers see ---------------------------------------------------------------------------


def every_error(above: type[BoxError] = BoxError) -> Iterator[type[BoxError]]:
    for error in above.__subclasses__():
        yield error
        yield from every_error(error)


ANSWERED = {(BoxError.code, BoxError.status)} | {
    (error.code, error.status)
    for error in every_error()
    if error.__module__ == errors.__name__ and error.code != BoxError.code
}


@pytest.mark.parametrize(("code", "status"), sorted(ANSWERED))
def test_every_error_code_is_documented_with_its_status(code: str, status: int) -> None:
    assert f"| `{code}` | {status} |" in rows("docs/api.md", "Errors")[code]


def test_no_error_code_is_documented_that_there_is_not() -> None:
    assert set(rows("docs/api.md", "Errors")) == {code for code, _ in ANSWERED}


def fields_of(shape: type[msgspec.Struct], above: str = "") -> list[tuple[str, msgspec.structs.FieldInfo]]:
    return [(above + field.encode_name, field) for field in msgspec.structs.fields(shape)]


def fields_of_kinds(common: type[msgspec.Struct], above: str) -> list[tuple[str, msgspec.structs.FieldInfo]]:
    """Return what all kinds of a thing have, and what each has beside it, by the word for the kind."""
    shared = fields_of(common, above)
    own = [
        (name, field)
        for kind in common.__subclasses__()
        for name, field in fields_of(kind, f"{kind.__struct_config__.tag}.")
        if field.name not in {field.name for _, field in shared}
    ]
    return shared + own


FIELDS = (
    fields_of(request.ScreenshotRequest)
    + fields_of(request.ViewportConfig, "viewport.")
    + fields_of_kinds(request.PageAction, "actions[].")
    + fields_of_kinds(request.OutputSpec, "outputs[].")
    + fields_of(request.JsonFieldSpec, "json.schema.*.")
    + fields_of(browser_session.BrowserSessionRequest, "session.")
    + fields_of(browser_session.BrowserCookieRequest, "session.cookies[].")
    + fields_of(browser_session.BrowserHeaderRequest, "session.headers[].")
    + fields_of(browser_session.BrowserStorageOriginRequest, "session.storage[].")
)


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=[name for name, _ in FIELDS])
def test_every_request_field_is_documented(name: str, field: msgspec.structs.FieldInfo) -> None:
    assert name in rows("docs/api.md", "The request"), field


def sentence(cell: str) -> str:
    """Return a cell of a table as a sentence by itself, without links to what says more."""
    text = re.sub(r"[:;] \[(?:below|what that means)\]\([^)]*\)", "", cell)
    text = LINKED.sub(r"\1", text).strip()
    return f"{text[0].upper()}{text[1:]}".removesuffix(".") + "."


SHAPES: tuple[tuple[type[msgspec.Struct], str], ...] = (
    (request.ScreenshotRequest, ""),
    (request.ViewportConfig, "viewport."),
    *((kind, f"{kind.__struct_config__.tag}.") for kind in request.PageAction.__subclasses__()),
    *((kind, f"{kind.__struct_config__.tag}.") for kind in request.OutputSpec.__subclasses__()),
    (request.JsonFieldSpec, "json.schema.*."),
    (browser_session.BrowserSessionRequest, "session."),
    (browser_session.BrowserCookieRequest, "session.cookies[]."),
    (browser_session.BrowserHeaderRequest, "session.headers[]."),
    (browser_session.BrowserStorageOriginRequest, "session.storage[]."),
)
SHARED = {"optional": "actions[].optional", "timeout": "actions[].timeout", "id": "outputs[].id"}


@pytest.mark.parametrize(
    ("shape", "above", "field"),
    [(shape.__name__, above, field.encode_name) for shape, above in SHAPES for field in msgspec.structs.fields(shape)],
)
def test_a_field_means_the_same_in_the_docs_and_on_the_box(shape: str, above: str, field: str) -> None:
    documented = rows("docs/api.md", "The request")
    row = documented.get(above + field) or documented[SHARED[field]]
    assert sentence(row.split("|")[4]) == field_descriptions.FIELDS[shape][field]


@pytest.mark.parametrize("code", errors.by_code())
def test_an_error_means_the_same_in_the_docs_and_on_the_box(code: str) -> None:
    when, cure = rows("docs/api.md", "Errors")[code].split("|")[3:5]
    assert (errors.by_code()[code].when, errors.by_code()[code].cure) == (sentence(when), sentence(cure))


@pytest.mark.parametrize(
    ("header", "meaning"),
    (
        response_headers.ALWAYS
        | response_headers.RATE
        | response_headers.QUEUE
        | response_headers.RESULT
        | response_headers.RETRY
        | response_headers.METHODS
    ).items(),
    ids=str,
)
def test_a_header_means_the_same_in_the_docs_and_on_the_box(header: str, meaning: str) -> None:
    [row] = re.findall(rf"^\| `{header}` \|.*$", PAGES["docs/api.md"], re.MULTILINE)
    assert sentence(row.split("|")[3]) == meaning


def default_of(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is None:
        return "none"
    if field.default == "":
        return "empty"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f"`{field.default}`" if isinstance(field.default, str) else str(field.default)


@pytest.mark.parametrize(("name", "field"), [pair for pair in FIELDS if pair[0] != "viewport"])
def test_every_request_field_is_documented_with_its_default(name: str, field: msgspec.structs.FieldInfo) -> None:
    assert rows("docs/api.md", "The request")[name].split("|")[3].strip() == default_of(field)


def bounds_of(info: msgspec.inspect.Type) -> Iterator[int]:
    """Yield the limits of a field, and of what stands in it."""
    match info:
        case msgspec.inspect.Metadata():
            yield from bounds_of(info.type)
        case msgspec.inspect.UnionType():
            for one in info.types:
                yield from bounds_of(one)
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            yield from (int(bound) for bound in (info.ge, info.le) if bound is not None)
        case msgspec.inspect.DictType(max_length=int(most)):
            yield most
            yield from bounds_of(info.key_type)
        case msgspec.inspect.StrType(max_length=int(most)):
            yield most
        case msgspec.inspect.ListType(max_length=int(most)):
            yield most
            yield from bounds_of(info.item_type)


@pytest.mark.parametrize(
    ("name", "bound"),
    [(name, bound) for name, field in FIELDS for bound in bounds_of(msgspec.inspect.type_info(field.type))],
)
def test_every_bound_of_a_request_field_is_documented(name: str, bound: int) -> None:
    assert re.search(rf"(?<![\w-]){bound}\b", rows("docs/api.md", "The request")[name].split("|")[2])


def words_of(info: msgspec.inspect.Type) -> list[str]:
    parts = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    extras = [part.extra or {} for part in parts if isinstance(part, msgspec.inspect.Metadata)]
    return [word for extra in extras for word in extra.get("choices", ())]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        (name, word)
        for name, field in FIELDS
        for word in words_of(msgspec.inspect.type_info(field.type))
        if word != "URL"  # refused for now
    ],
)
def test_every_word_of_a_request_field_is_documented(name: str, word: str) -> None:
    assert f"`{word}`" in rows("docs/api.md", "The request")[name].split("|")[2]


def test_no_field_is_documented_that_there_is_not() -> None:
    assert set(rows("docs/api.md", "The request")) == {name for name, _ in FIELDS} | set(devices.NAMES)


@pytest.mark.parametrize("name", devices.NAMES)
def test_every_device_is_documented_with_its_window(name: str) -> None:
    window = devices.find(name)
    assert window is not None
    touch = "yes" if window.touch else "no"
    row = f"| `{name}` | {window.width} x {window.height} | {window.scale:g} | {touch} |"
    assert rows("docs/api.md", "The request")[name] == row


def named_in(shape: type[msgspec.Struct]) -> set[str]:
    """Return the names of the fields of an answer, and of all that stands in it."""
    found = set()
    for field in msgspec.structs.fields(shape):
        found.add(field.encode_name)
        for below in re.findall(r"api\.usage\.(\w+)", str(field.type)):
            found |= named_in(getattr(usage, below))
    return found


TOLD = (
    usage.UsageResponse,
    usage.QuotaStatusResponse,
    usage.ApiKeyUsageResponse,
    usage.DailyCaptureCountResponse,
)


@pytest.mark.parametrize("name", sorted({name for shape in TOLD for name in named_in(shape)}))
def test_every_field_of_an_answer_about_usage_is_documented(name: str) -> None:
    section = PAGES["docs/api.md"].partition("\n## Usage\n")[2].partition("\n## ")[0]
    assert f"`{name}`" in section or f'"{name}"' in section


def constants() -> Iterator[str]:
    """Yield every text in the code that is not a docstring's or a longer text's."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("header", sorted({text for text in constants() if HEADER.fullmatch(text)}))
def test_every_header_that_the_code_names_is_documented(header: str) -> None:
    assert re.search(rf"`{header}[`:]", PAGES["docs/api.md"] + PAGES["docs/security.md"])


def test_every_header_of_an_answer_is_documented(api: TestClient[Litestar], as_key: dict[str, str]) -> None:
    shot: dict[str, Any] = {"url": "https://example.com", "unknown": 1}
    answers = [api.post("/v1/screenshots", json=shot, headers=as_key), api.get("/v1/screenshots", headers=as_key)]
    sent = {name for answer in answers for name in answer.headers}
    page = PAGES["docs/api.md"].lower()
    assert {name for name in sent if f"`{name}`" not in page} == set()


# --- what operators see -------------------------------------------------------------------------


def sentences() -> Iterator[str]:
    """Yield the part before the first colon of every OperatorError in the code, placeholders as NULs."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "OperatorError":
                text = node.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                said = "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in parts)
                if said.strip("\0"):
                    yield said.partition(": ")[0].rstrip(".")


@pytest.mark.parametrize("sentence", sorted(set(sentences())), ids=lambda sentence: sentence.replace("\0", "_"))
def test_every_sentence_for_the_operator_has_its_cure(sentence: str) -> None:
    pattern = "[^`]{1,60}?".join(re.escape(part) for part in sentence.split("\0"))
    assert re.search(rf"^\| .*`{pattern}", PAGES["docs/messages.md"], re.MULTILINE)


def events() -> set[str]:
    return {
        node.args[0].value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"event", "fault"}
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


@pytest.mark.parametrize("event", sorted(events()))
def test_every_event_of_the_log_is_documented(event: str) -> None:
    assert re.search(rf"^\|.*`{event}`.*\|", PAGES["docs/logs.md"], re.MULTILINE)


def test_no_event_is_documented_that_there_is_not() -> None:
    table = PAGES["docs/logs.md"].partition("| Event | Means | Do |")[2].partition("\n\n")[0]
    told = {
        name for cell in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert told - set(constants()) == set()
    assert events() <= told


def timed() -> set[str]:
    """Return the names of the steps that the code times."""
    return {
        node.args[0].value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "timed"
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def metrics() -> dict[str, set[str]]:
    """Return every metric that a box can have, with its labels, as a scraper reads them."""
    counted = Metrics("1", keys=True)
    counted.watch(
        lambda: Sample(slots=1, in_use=1, waiting=1, restarts={"age": 1}, proofs={"good": 1}, ready=True),
        lambda: {"server": 1},
    )
    counted.count(Served(method="GET", route="/", status=200, seconds=1, key="k"))
    counted.count_capture("ok", queued=1, rendered=1, steps={"go": 1.0}, fetched=1)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(counted.text().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = found.get(name, set()) | labels
    return {name: labels for name, labels in found.items() if name.startswith("allscreenshots_")}


def test_every_metric_is_documented_with_its_labels_and_no_other() -> None:
    documented = rows("docs/monitoring.md", "Metrics")
    assert {name: set(re.findall(r"`(\w+)`", row.split("|")[2])) for name, row in documented.items()} == metrics()
    assert all(row.split("|")[3].strip() for row in documented.values())


def test_every_step_that_is_timed_is_counted_from_the_start() -> None:
    assert set(STEPS) == timed()


@pytest.mark.parametrize("step", sorted(timed()))
def test_every_step_of_a_rendering_is_documented(step: str) -> None:
    assert f"`{step}`" in rows("docs/monitoring.md", "Metrics")["allscreenshots_step_seconds"]


def test_every_exit_code_is_documented() -> None:
    section = PAGES["docs/commands.md"].partition("\n## For scripts\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", section, re.MULTILINE) == ["0", "1", str(terminal.USAGE)]


def test_the_pattern_for_scanners_is_documented() -> None:
    assert keys.PATTERN in PAGES["docs/security.md"]


# --- the pages themselves -----------------------------------------------------------------------


def test_what_is_pasted_is_up_to_date() -> None:
    pasted = [path for path in DOCS if "[[[cog" in path.read_text()]
    assert pasted
    checked = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", *pasted], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert checked.returncode == 0, f"{checked.stdout}{checked.stderr}run `make docs`"


def anchor(heading: str) -> str:
    """Return the name that a heading can be linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    for link in LINK.findall(FENCE.sub("", PAGES[page])):
        if link.startswith("https://"):
            continue
        file, _, name = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.is_file(), link
        assert not name or name in map(anchor, HEADING.findall(FENCE.sub("", target.read_text()))), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_the_overview_leads_to_every_page(page: str) -> None:
    assert page == "docs/index.md" or page.removeprefix("docs/") in {
        link.partition("#")[0] for link in LINK.findall(PAGES["docs/index.md"])
    }


@pytest.mark.parametrize("row", range(1, 15))
def test_every_row_of_the_mission_says_where_it_is_held(row: int) -> None:
    (line,) = re.findall(rf"^\| S{row} \|.*$", PAGES["docs/contributing.md"], re.MULTILINE)
    named = re.findall(r"`(tests/[\w/]+\.py)`", line)
    assert named
    assert all((ROOT / name).is_file() for name in named)


ROOMS = {path.stem if path.is_file() else path.name for path in (ROOT / "allscreenshots_box").iterdir()}
# A file that a rule names is none of ours.
DOTTED = {
    name
    for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", PAGES["docs/contributing.md"])
    if name.partition(".")[0] in ROOMS and not name.endswith((".py", ".md", ".sh", ".toml", ".db"))
}


def defined(name: str) -> bool:
    """Say whether a dotted name is a module, or was made in one: to be known there is not enough."""
    words = ["allscreenshots_box", *name.split(".")]
    end = len(words)
    while (
        not (ROOT / "/".join(words[:end])).is_dir() and not (ROOT / "/".join(words[:end])).with_suffix(".py").is_file()
    ):
        end -= 1
    module = ".".join(words[:end])
    thing: object = importlib.import_module(module)
    for word in words[end:]:
        thing = getattr(thing, word)
        if not getattr(thing, "__module__", module).startswith(module):
            return False
    return True


@pytest.mark.parametrize("name", sorted(DOTTED))
def test_a_dotted_name_is_defined_where_it_is_said_to_be(name: str) -> None:
    assert defined(name)


def test_the_picture_in_the_readme_is_one_that_the_box_takes() -> None:
    picture = (ROOT / "docs/first-shot.png").read_bytes()
    width, height = (int.from_bytes(picture[start : start + 4]) for start in (16, 20))
    assert (picture[:4], width, height) == (b"\x89PNG", 1280, 800)
    assert len(picture) < 150_000


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_no_table_says_two_things_of_one(page: str) -> None:
    for section in re.split(r"^#+ ", PAGES[page], flags=re.MULTILINE):
        names = re.findall(r"^(\| `[^|]+) \|", section, re.MULTILINE)
        assert [name for name in set(names) if names.count(name) > 1] == []


# What a proxy may say in the box's place.
BESIDE = {"rate_limited": errors.RateLimited, "service_unavailable": errors.ServiceUnavailable}


def test_what_the_example_has_nginx_answer_by_itself_is_what_the_box_would() -> None:
    (example,) = (block for _, block in FENCE.findall(PAGES["docs/reverse-proxy.md"]) if "error_page" in block)
    places = dict(re.findall(r"^location (@\w+) \{\n(.*?)^\}", example, re.DOTALL | re.MULTILINE))
    sent = {place: status for status, place in re.findall(r"error_page [^;]*?(\d+) (@\w+);", example)}
    assert set(sent) == set(places) != set()
    assert re.findall(r"limit_conn_status (\d+);", example) == ["429"] * len(re.findall(r"limit_conn \w+", example))
    for name, place in places.items():
        ((status, text),) = re.findall(r"return (\d+) '(.+)';", place)
        told = json.loads(text)
        error = BESIDE[told["error"]]("-", int(told["retryAfter"]))
        as_the_box = error_body(error, "-", "") | {"message": told["message"], "retryAfter": told["retryAfter"]}
        assert told | {"requestId": "-"} == as_the_box
        assert int(status) == int(sent[name]) == error.status  # nginx sends the first of them
        assert f"add_header Retry-After {told['retryAfter']} always;" in place
        assert "default_type application/json;" in place


def fates() -> Iterator[tuple[type[BoxError], str]]:
    """Yield every way to fail that a key may meet, and how the table of tokens begins what it says of it."""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, BoxError) and kind not in NO_KEYS:
            yield kind, "given back" if kind.returns_token else "none" if kind in TOKENLESS else "taken"


NO_KEYS = {BoxError, errors.PageError, errors.NotSignedIn, errors.CrossSite, errors.ClientGone}
TOKENLESS = {errors.Unauthorized, errors.RateLimited}  # other than those of the first row


@pytest.mark.parametrize(("kind", "fate"), list(fates()))
def test_what_costs_a_token_is_told_to_callers(kind: type[BoxError], fate: str) -> None:
    table = re.search(r"\| Answer \| Token \|\n.*?\n((?:\|.*\n)+)", PAGES["docs/api.md"])
    assert table is not None
    rows = [row.strip("|").split(" | ") for row in table[1].splitlines()]
    told = [what.strip() for who, what in rows if str(kind.status) in who]
    assert [what for what in told if what.startswith(fate)]
    assert not kind.blames_box or "given back" in told
