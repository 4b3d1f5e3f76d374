"""A finished page as text: its source, Markdown, or named values.

SOURCE and EXTRACT run in an isolated world of the page, where its scripts cannot reach; html, markdown and extracted
take what those return and block, so they belong in a thread. Nothing that they get is trusted. Their time is bounded
because every pass is linear and both characters and elements are counted: what is over a bound is a PageTooLarge.
"""

import itertools
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InvalidRequest, PageTooLarge
from .. import scripts
from ..browsers.messages import valid
from ..shot import Field
from . import html_tree, main_content

if TYPE_CHECKING:
    from lxml.etree import _Element

LARGEST_SOURCE = html_tree.LARGEST_TEXT
MOST_CELLS = 500_000  # of all tables: a short row is filled up to the width of the longest
DEEPEST_LIST = 16  # lists and quotations in each other: every line is indented by all of them

MOST_MATCHES = 1_000  # of one field
LONGEST_VALUE = 100_000  # characters
LARGEST_EXTRACT = 5 * 1024 * 1024  # characters, of all values


@dataclass(frozen=True)
class Source:
    """What SOURCE returns: no source if that is too long, and the address that links in it are relative to."""

    source: str | None
    url: str


SOURCE = scripts.read("source")
EXTRACT = scripts.read("extract")


def source_order(*, only_shown: bool) -> dict[str, Any]:
    """Return what SOURCE takes."""
    return {"largest": LARGEST_SOURCE, "onlyShown": only_shown, "longestUrl": html_tree.LONGEST_BASE}


def extract_order(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Return what EXTRACT takes."""
    bounds = {"most": MOST_MATCHES, "longest": LONGEST_VALUE, "largest": LARGEST_EXTRACT}
    return {"fields": [asdict(field) for field in fields]} | bounds


def html(source: str, url: str, *, clean: bool, main: bool) -> str:
    """Return the page's source: as it is, cleaned to what can be read, or only its main content."""
    if not clean and not main:
        return html_tree.bounded(valid(source))
    root = html_tree.parse(source)
    if clean:
        html_tree.clean(root, url)
    if main:
        main_content.keep_main(root)
    return html_tree.written(root)


def markdown(source: str, url: str, *, main: bool) -> str:
    """Return the page as GitHub-flavoured Markdown, without what is marked as hidden."""
    from html_to_markdown import ConversionOptions, PreprocessingOptions, convert  # 40 ms and 8 MB, only if asked for

    root = html_tree.parse(source)
    html_tree.clean(root, url)
    if main:
        main_content.keep_main(root)
    _ready_for_markdown(root)
    options = ConversionOptions(
        bullets="-",
        code_block_style="backticks",
        compact_tables=True,
        extract_metadata=False,
        inline_data_media="alt_text_only",
        preprocessing=PreprocessingOptions(enabled=False),  # what is boilerplate is decided here
    )
    made = (convert(html_tree.written(root), options).content or "").strip()
    return html_tree.bounded((made or _plain(source)) + "\n")


def _plain(source: str) -> str:
    """Return the words of a page that has nothing but drawings or hidden text."""
    from lxml import etree

    root = html_tree.parse(source)
    etree.strip_elements(root, etree.Comment, *html_tree.NOT_READ, "head", with_tail=False)
    return " ".join("".join(root.itertext()).split())


def extracted(values: Any, fields: tuple[Field, ...]) -> dict[str, Any]:
    """Check what EXTRACT returned and give each value its name."""
    answer = values if isinstance(values, dict) else {}
    if answer.get("tooLarge"):
        raise PageTooLarge(f"The extracted values have more than {LARGEST_EXTRACT:,} characters in all.")
    if "invalid" in answer:
        path = f"schema.{valid(str(answer['invalid']))}.selector"
        raise InvalidRequest(f"{path} is not a CSS selector", {path: "must be a CSS selector"})
    found = answer.get("values")
    found = found if isinstance(found, list) else []
    found += [None] * (len(fields) - len(found))
    named = {field.name: _value(value, multiple=field.multiple) for field, value in zip(fields, found, strict=False)}
    if sum(len(text or "") for value in named.values() for text in (value if isinstance(value, list) else [value])) > (
        LARGEST_EXTRACT
    ):
        raise PageTooLarge(f"The extracted values have more than {LARGEST_EXTRACT:,} characters in all.")
    return named


def _value(value: Any, *, multiple: bool) -> Any:
    if multiple:
        return [_value(each, multiple=False) for each in value[:MOST_MATCHES]] if isinstance(value, list) else []
    return valid(value[:LONGEST_VALUE]) if isinstance(value, str) else None


# --- Markdown -----------------------------------------------------------------------------------

_NO_MARKDOWN = ("svg", "canvas", "input", "select", "textarea", "object", "embed", "map")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_PERMALINKS = frozenset({"", "#", "¶", "§", "🔗"})
_LANGUAGE = re.compile(r"(?:^|\s)(?:language-|lang-|highlight-(?:source-)?|brush:\s*)([a-zA-Z][\w+#-]{0,30})")
_NO_LANGUAGES = frozenset({"default", "none", "plain", "plaintext", "text", "notranslate"})


def _ready_for_markdown(root: "_Element") -> None:
    """Say in plain HTML what the converter would miss, and take away what it would blow up."""
    from lxml import etree

    etree.strip_elements(root, *_NO_MARKDOWN, with_tail=False)
    for link in list(html_tree.elements(root, "a")):
        _ready_link(link)
    for code in html_tree.elements(root, "pre"):
        language = _language(code)
        if language:
            code.set("class", f"language-{language}")
    _limit_tables(root)
    _limit_lists(root)
    html_tree.settle(root)


def _ready_link(link: "_Element") -> None:
    """Leave out permalinks; of a link around a heading and more, make a heading with the link in it."""
    text = "".join(link.itertext()).strip()
    if link.get("href") is None:
        link.tag = "box-unwrapped"
    elif "#" in link.get("href", "") and text in _PERMALINKS and next(link.iter("img"), None) is None:
        link.tag = "box-dropped"
    elif (heading := next(link.iter(*_HEADINGS), None)) is not None:
        inner = heading.makeelement("a", {"href": link.get("href", "")})
        inner.text, heading.text = html_tree.legal(heading.text), None
        inner.extend(list(heading))
        heading.append(inner)
        link.tag = "div"


def _language(code: "_Element") -> str | None:
    """Return the language of a code block, which every highlighter writes elsewhere."""
    for element in [*itertools.islice(code, 1), code, *itertools.islice(code.iterancestors(), 2)]:
        named = _LANGUAGE.search(element.get("class", "")[: html_tree.LONGEST_NAMES])
        language = element.get("data-lang") or element.get("data-language") or (named and named[1])
        if language and language.lower() not in _NO_LANGUAGES and re.fullmatch(r"[\w+#-]{1,30}", language):
            return language.lower()
    return None


def _limit_tables(root: "_Element") -> None:
    """Make no table where its empty cells would be most of the text: one long row makes every row as long."""
    cells = 0
    for table in html_tree.elements(root, "table"):
        rows = [[cell for cell in row if cell.tag in {"td", "th"}] for row in table.iter("tr")]
        for cell in itertools.chain.from_iterable(rows):
            for span in ("colspan", "rowspan"):
                if cell.get(span) is not None and not re.fullmatch(r"\d\d?", cell.get(span, "")):
                    del cell.attrib[span]
        width = max((sum(int(cell.get("colspan", 1)) for cell in row) for row in rows), default=0)
        cells += width * len(rows)
        if cells > MOST_CELLS:
            cells -= width * len(rows)
            for part in table.iter("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption"):
                part.tag = "div"


def _limit_lists(root: "_Element") -> None:
    """Undo lists and quotations that are nested too deep."""
    from lxml import etree

    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end"), tag=("ul", "ol", "blockquote", "dl")):
        depth += 1 if event == "start" else -1
        if event == "end" and depth >= DEEPEST_LIST:
            element.tag = "div"
