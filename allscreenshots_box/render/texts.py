"""A finished page as text: its source, Markdown, or named values.

SOURCE and EXTRACT run in an isolated world of the page, where its scripts cannot reach; html, markdown and extracted
take what those return and block, so they belong in a thread. Nothing that they get is trusted. Their time is bounded
because every pass is linear and both characters and elements are counted: what is over a bound is a PageTooLarge.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ..errors import InvalidRequest, PageTooLarge
from .shot import Field

if TYPE_CHECKING:
    from lxml.etree import _Element

LARGEST_SOURCE = 20 * 1024 * 1024  # characters, of a page's source and of what is made of it
MOST_ELEMENTS = 500_000  # the longest real pages are whole specifications in one file
DEEPEST = 512  # elements in each other: Chromium's own parser nests no deeper; below, only the text is kept
MOST_ATTRIBUTES = 256  # of one element: libxml2's time grows with the square of them
LONGEST_BASE = 8192  # characters of the page's own address: it stands before every link
LONG_TAG = 1024  # characters: a shorter tag cannot have enough attributes to matter
MOST_CELLS = 500_000  # of all tables: a short row is filled up to the width of the longest
DEEPEST_LIST = 16  # lists and quotations in each other: every line is indented by all of them
DEEPEST_SHADOW = 16  # shadow trees in each other whose slots are filled

MOST_MATCHES = 1_000  # of one field
LONGEST_VALUE = 100_000  # characters
LARGEST_EXTRACT = 5 * 1024 * 1024  # characters, of all values

# Both read through the prototypes: a form whose field is called "innerHTML" or "baseURI" would answer in their place.
SOURCE = """
({largest}) => {
  const read = (node, type, name) => Reflect.get(type.prototype, name, node);
  const write = (node) => XMLSerializer.prototype.serializeToString.call(new XMLSerializer(), node);
  const root = read(document, Document, "documentElement"), doctype = read(document, Document, "doctype");
  const find = (node) => (node === root ? Element : DocumentFragment).prototype.querySelectorAll.call(node, "*");
  const roots = [], todo = root ? [root] : [];
  while (todo.length) {
    for (const element of find(todo.pop())) {
      const shadow = read(element, Element, "shadowRoot");
      if (!shadow) continue;
      roots.push(shadow);
      todo.push(shadow);
    }
  }
  let source = doctype ? write(doctype) + "\\n" : "";
  if (root instanceof HTMLElement) {
    const shell = read(Node.prototype.cloneNode.call(root, false), Element, "outerHTML"), end = "</html>";
    const inner = Element.prototype.getHTML
      ? Element.prototype.getHTML.call(root, {shadowRoots: roots}) : read(root, Element, "innerHTML");
    source += shell.endsWith(end) ? shell.slice(0, -end.length) + inner + end : read(root, Element, "outerHTML");
  } else if (root) {
    source += write(root);
  }
  return {source: source.length > largest ? null : source, url: read(document, Node, "baseURI")};
}
"""

EXTRACT = (
    """
(fields) => {
  const most = MOST_MATCHES, longest = LONGEST_VALUE, largest = LARGEST_EXTRACT;
  const links = new Set(["href", "src", "action", "formaction", "poster", "data", "cite", "background"]);
  const read = (node, type, name) => Reflect.get(type.prototype, name, node);
  const base = read(document, Node, "baseURI");
  const spaces = (text) =>
    text.replace(/[^\\S\\n]+/g, " ").replace(/ ?\\n ?/g, "\\n").replace(/\\n{3,}/g, "\\n\\n").trim();
  const absolute = (value) => { try { return new URL(value, base).href; } catch { return value; } };
  const take = (element, {taken, attribute}) => {
    if (taken === "html") return read(element, Element, "innerHTML");
    if (taken === "text") {
      const rendered = element instanceof HTMLElement;
      return spaces((rendered ? read(element, HTMLElement, "innerText") : read(element, Node, "textContent")) ?? "");
    }
    const value = Element.prototype.getAttribute.call(element, attribute);
    return value !== null && links.has(attribute.toLowerCase()) ? absolute(value) : value;
  };
  let size = 0;
  const values = [];
  for (const field of fields) {
    let found;
    try {
      found = field.multiple
        ? [...Document.prototype.querySelectorAll.call(document, field.selector)].slice(0, most)
        : [Document.prototype.querySelector.call(document, field.selector)].filter(Boolean);
    } catch { return {invalid: field.name}; }
    const list = [];
    for (const element of found) {
      const value = take(element, field)?.slice(0, longest) ?? null;
      size += value?.length ?? 0;
      if (size > largest) return {tooLarge: true};
      list.push(value);
    }
    values.push(field.multiple ? list : list[0] ?? null);
  }
  return {values};
}
""".replace("MOST_MATCHES", str(MOST_MATCHES))
    .replace("LONGEST_VALUE", str(LONGEST_VALUE))
    .replace("LARGEST_EXTRACT", str(LARGEST_EXTRACT))
)


def html(source: str, url: str, *, clean: bool, main: bool) -> str:
    """Return the page's source: as it is, cleaned to what can be read, or only its main content."""
    if not clean and not main:
        return _bounded(_valid(source))
    root = _parse(source)
    if clean:
        _clean(root, url)
    if main:
        _keep_main(root)
    return _written(root)


def markdown(source: str, url: str, *, main: bool) -> str:
    """Return the page as GitHub-flavoured Markdown, without what is marked as hidden."""
    from html_to_markdown import ConversionOptions, PreprocessingOptions, convert  # 40 ms and 8 MB, only if asked for

    root = _parse(source)
    _clean(root, url)
    if main:
        _keep_main(root)
    _ready_for_markdown(root)
    options = ConversionOptions(
        bullets="-",
        code_block_style="backticks",
        compact_tables=True,
        extract_metadata=False,
        inline_data_media="alt_text_only",
        preprocessing=PreprocessingOptions(enabled=False),  # what is boilerplate is decided here
    )
    made = (convert(_written(root), options).content or "").strip()
    return _bounded((made or _plain(source)) + "\n")


def _plain(source: str) -> str:
    """Return the words of a page that has nothing but drawings or hidden text."""
    from lxml import etree

    root = _parse(source)
    etree.strip_elements(root, etree.Comment, *NOT_READ, "head", with_tail=False)
    return " ".join("".join(root.itertext()).split())


def extracted(values: Any, fields: tuple[Field, ...]) -> dict[str, Any]:
    """Check what EXTRACT returned and give each value its name."""
    answer = values if isinstance(values, dict) else {}
    if answer.get("tooLarge"):
        raise PageTooLarge(f"The extracted values have more than {LARGEST_EXTRACT:,} characters in all.")
    if "invalid" in answer:
        path = f"schema.{_valid(str(answer['invalid']))}.selector"
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
    return _valid(value[:LONGEST_VALUE]) if isinstance(value, str) else None


# --- from text to tree and back -----------------------------------------------------------------

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_LONG_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?:script|style)\b[^<>]{0,1024}>.*?(?:</|\Z)"  # read over: what is in them is no tag
    rf"|(?P<tag><[a-zA-Z][^<>]{{{LONG_TAG},}})",
    re.DOTALL | re.IGNORECASE,
)
_VOID = re.compile(r"<(source|track|wbr)\b[^<>]*>", re.IGNORECASE)
_NO_TEXT = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|noscript|template)\b[^<>]*>.*?(?:</\1\b|\Z)", re.DOTALL | re.IGNORECASE
)
_TAG = re.compile(r"<[^<>]*>?")
_VOID_ENDS = re.compile(r"</(?:source|track|wbr)>")
_ATTRIBUTE = re.compile(r"""[\s/]*+[^\s/=][^\s/=]*+(?:\s*+=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s]*+))?+""")


def _valid(text: str) -> str:
    """Return *text* as something that UTF-8 can say: a lone surrogate becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _legal(text: str | None) -> str:
    """Return *text* as lxml takes it: a control character is a space. A page can say one as "&#1;" too."""
    return _CONTROLS.sub(" ", text or "")


def _bounded(text: str) -> str:
    if len(text) > LARGEST_SOURCE:
        raise PageTooLarge(f"The text of the page has more than {LARGEST_SOURCE:,} characters.")
    return text


def _parse(source: str) -> "_Element":
    """Return the tree of the page; of one nested deeper than the 2,048 elements of libxml2, only the text in a tree."""
    from lxml import etree  # 35 ms and 8 MB, only if asked for

    text = _LONG_TAG.sub(_few_attributes, _legal(_valid(_bounded(source))))
    text = _VOID.sub(r"\g<0></\1>", text)  # libxml2 does not know that nothing stands in these
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_pis=True, no_network=True)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        root = None
    if any("depth" in entry.message for entry in parser.error_log):
        return _parse(_TAG.sub(" ", _NO_TEXT.sub("", text)))
    if root is None or root.tag != "html":
        root = etree.fromstring("<html><body></body></html>", etree.HTMLParser())
    if sum(1 for _ in root.iter()) > MOST_ELEMENTS:
        raise PageTooLarge(f"The page has more than {MOST_ELEMENTS:,} elements.")
    _compose(root)
    _flatten(root)
    return root


def _few_attributes(tag: "re.Match[str]") -> str:
    """Cut a tag after so many attributes. Chromium writes < and > in their values as entities, so it ends here."""
    text = tag[0]
    if not tag["tag"]:
        return text
    name = re.match(r"<[^\s/]*", text)
    at = name.end() if name else 0
    for _ in range(MOST_ATTRIBUTES):
        attribute = _ATTRIBUTE.match(text, at)
        if not attribute:
            return text
        at = attribute.end()
    return text[:at]


def _written(root: "_Element") -> str:
    from lxml import etree

    head = root.find("head")
    if head is None:
        head = etree.Element("head")
        root.insert(0, head)
    for meta in list(head.iter("meta")):
        if meta.get("charset") is not None or (meta.get("http-equiv") or "").lower() == "content-type":
            meta.tag = "box-dropped"
    etree.strip_elements(head, "box-dropped", with_tail=False)
    head.insert(0, etree.Element("meta", charset="utf-8"))
    text = etree.tostring(root, method="html", encoding="unicode", doctype="<!DOCTYPE html>")
    return _bounded(_VOID_ENDS.sub("", text))


def _elements(root: "_Element", *tags: str) -> "Iterator[_Element]":
    """Every element below *root*, itself included; no comments."""
    return (each for each in root.iter(*(tags or ("*",))) if isinstance(each.tag, str))


def _settle(root: "_Element") -> None:
    """Carry out what was marked: in one pass, because taking out one by one joins the same text again and again."""
    from lxml import etree

    etree.strip_elements(root, "box-dropped", with_tail=False)
    etree.strip_tags(root, "box-unwrapped")


def _compose(root: "_Element") -> None:
    """Put the shadow trees where the page shows them, with their slots filled."""
    for template in reversed(list(_elements(root, "template"))):  # the inner ones first
        host = template.getparent()
        if host is None or template.get("shadowrootmode") is None:
            continue
        if sum(1 for _ in template.iterancestors("template")) < DEEPEST_SHADOW:
            _fill_slots(host, template)
        template.tag = "box-unwrapped"
    _settle(root)


def _fill_slots(host: "_Element", template: "_Element") -> None:
    slots: dict[str, _Element] = {}
    for slot in _elements(template, "slot"):
        slots.setdefault(slot.get("name", ""), slot)
    light = [child for child in host if child is not template and isinstance(child.tag, str)]
    runs: list[tuple[_Element | None, list[str]]] = [(None, [host.text or "", template.tail or ""])]
    host.text = template.tail = None
    for slot in (slots[name] for name in {child.get("slot", "") for child in light} if name in slots):
        _empty(slot)  # of what it shows when nothing is put in
    for child in light:
        name, tail, child.tail = child.get("slot", ""), child.tail or "", None
        if name in slots:
            slots[name].append(child)
        else:
            child.tag = "box-dropped"  # the page does not show it
        if name:
            runs[-1][1].append(tail)
        else:
            runs.append((child, [tail]))
    if "" in slots:
        _fill_text(slots[""], runs)
    for slot in slots.values():
        slot.tag = "box-unwrapped"


def _fill_text(slot: "_Element", runs: "list[tuple[_Element | None, list[str]]]") -> None:
    if len(runs) == 1 and "".join(runs[0][1]).strip():
        _empty(slot)
    for child, texts in runs:
        if child is not None:
            child.tail = _legal("".join(texts))
        elif len(runs) > 1 or "".join(texts).strip():
            slot.text = _legal("".join(texts))


def _empty(element: "_Element") -> None:
    element.text = None
    for child in list(element):
        element.remove(child)


def _flatten(root: "_Element") -> None:
    """Keep of what is nested too deep only its text: converters go down by recursion."""
    from lxml import etree

    depth = 0
    deep = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if event == "start" and depth == DEEPEST:
            deep.append(element)
    for element in deep:
        etree.strip_elements(element, *NOT_READ, with_tail=False)
        text = " ".join(element.itertext())
        _empty(element)
        element.text = _legal(text)


# --- cleaning -----------------------------------------------------------------------------------

NOT_READ = ("script", "style", "noscript", "template")
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_TINY = re.compile(r"(?:^|;)\s*(?:width|height)\s*:\s*[01](?:px)?\s*(?=[;!]|$)", re.IGNORECASE)
_LINKS = frozenset(
    {"href", "src", "action", "formaction", "poster", "data", "cite", "background", "longdesc", "xlink:href"}
)
_LINK_SETS = frozenset({"srcset", "imagesrcset"})
_NOT_KEPT = frozenset({"style", "srcdoc", "nonce", "integrity", "ping", "shadowrootmode", "slot"})
_TOUCHED = _LINKS | _LINK_SETS | _NOT_KEPT
_FOR_LOADING = frozenset(
    {"stylesheet", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch", "icon", "manifest"}
)
_LINE_ENDS = {ord(end): None for end in "\t\n\r"}
_SCRIPTED = ("javascript:", "vbscript:", "data:text/html")


def _clean(root: "_Element", url: str) -> None:
    """Leave what can be read: no scripts, styles, comments and tracking pixels; links and images absolute."""
    from lxml import etree

    etree.strip_elements(root, etree.Comment, *NOT_READ, with_tail=False)
    size = 0
    base = _base(url)
    for element in _elements(root):
        if _is_only_for_browsers(element):
            element.tag = "box-dropped"
            continue
        if _HIDDEN.search(element.get("style", "")):
            element.set("hidden", "")
        for name in element.keys():  # noqa: SIM118 - an element iterates over its children
            if name in _TOUCHED or name.startswith("on"):
                size += _clean_attribute(element, name, base)
        if size > LARGEST_SOURCE:
            raise PageTooLarge(f"The links of the page have more than {LARGEST_SOURCE:,} characters.")
    _settle(root)


def _is_only_for_browsers(element: "_Element") -> bool:
    if element.tag == "img":
        return (
            (element.get("width") or "").strip() in {"0", "1"} and (element.get("height") or "").strip() in {"0", "1"}
        ) or len(_TINY.findall(element.get("style", ""))) > 1
    if element.tag == "link":
        return not _FOR_LOADING.isdisjoint(element.get("rel", "").lower().split())
    return element.tag == "base" or (element.tag == "meta" and element.get("http-equiv", "").lower() == "refresh")


def _clean_attribute(element: "_Element", name: str, base: str) -> int:
    """Make one attribute good, or remove it. Returns how many characters it has now, if it is a link."""
    value = _legal(element.get(name))
    if name in _LINK_SETS:
        made = ", ".join(" ".join([_absolute(link, base), *size]) for link, *size in _candidates(value))
    else:
        made = _absolute(value, base)
    if name not in _LINKS | _LINK_SETS or made.lower().startswith(_SCRIPTED):
        del element.attrib[name]
        return 0
    element.set(name, made)
    return len(made)


def _candidates(srcset: str) -> Iterable[list[str]]:
    """The pictures of a srcset, each with its size. A comma inside an address has no space after it."""
    return (each.split()[:2] for each in re.split(r",\s+|\s,|,$", srcset) if each.strip())


def _base(url: str) -> str:
    return url if url.lower().startswith(("http://", "https://")) and len(url) <= LONGEST_BASE else ""


def _absolute(link: str, base: str) -> str:
    """Return *link* as a browser reads it: spaces around it and line ends inside it do not count."""
    link = link.translate(_LINE_ENDS).strip()
    try:
        return urljoin(base, link)
    except ValueError:  # an address that no browser could open either
        return link


# --- main content -------------------------------------------------------------------------------

_MARGINS = frozenset({"nav", "aside", "footer", "dialog", "button", "input", "select", "textarea"})
_MARGIN_ROLES = frozenset(
    {
        "navigation",
        "banner",
        "contentinfo",
        "complementary",
        "search",
        "dialog",
        "alertdialog",
        "menu",
        "menubar",
        "button",
    }
)
_MARGIN_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
        ad ads advert advertisement banner breadcrumb breadcrumbs comment comments consent cookie cookies footer gdpr
        masthead menu modal nav navbar navigation newsletter outbrain overlay pager pagination paywall popup promo
        promoted recirculation recommendations recommended related share sharebar sharing sidebar skip social sponsor
        sponsored subscribe taboola toolbar
        """,
    )
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_BLOCKS = frozenset({"article", "center", "div", "form", "main", "section"})
_UNREAD = frozenset({"a", "button", "select", "textarea", "svg", *NOT_READ})  # links are the text of margins
LONGEST_NAMES = 1_000  # characters of classes and ids
MOST_HEADINGS = 100  # that are looked at
LEAST_SENTENCE = 20  # characters
LEAST_SENTENCE_CJK = 8
LARGEST_ASIDE = 1 / 3  # of the page's sentences: what has more is no margin, whatever it is called
LARGEST_NAMED = 1 / 2  # of the page's characters, for what only its class calls a margin: "menu" may be a restaurant's
ENOUGH = 0.75  # of the sentences of an element are in one of its children: the rest is margin
ENOUGH_ARTICLE = 0.6  # for a child that says itself that it is the article
ENOUGH_MAIN = 1 / 3  # for <main>: the page says so, and its comments may be long


def _keep_main(root: "_Element") -> None:
    """Cut the body down to its main content. Where none can be told it stays as it is: never an empty page."""
    body = root.find("body")
    if body is None:
        return
    heading = _heading(body)
    _drop_margins(body, heading)
    main = _main(body, heading)
    above = {*main.iterancestors()}
    if heading is not None and main is not body and heading not in above and next(main.iter("h1"), None) is None:
        main.insert(0, heading)
        heading.tail, main.text = _legal(main.text), None
    if main is not body:
        main.tail = None
        _empty(body)
        body.append(main)


def _drop_margins(body: "_Element", heading: "_Element | None") -> None:
    sizes = _sizes(body)
    kept = {body}
    for element in [*itertools.islice(_elements(body, "main"), MOST_HEADINGS), *([] if heading is None else [heading])]:
        kept.update([element, *element.iterancestors()])
    sentences, characters = sizes[body]
    left = characters
    margins, inside = [], set()
    for element in _elements(body):
        said, called = _is_margin(element), _is_called_margin(element)
        if element.getparent() in inside:
            inside.add(element)
        elif (said or (called and sizes[element][1] <= characters * LARGEST_NAMED)) and (
            element not in kept and sizes[element][0] <= sentences * LARGEST_ASIDE
        ):
            inside.add(element)
            margins.append(element)
            left -= sizes[element][1]
    if left > 0:
        for element in margins:
            element.tag = "box-dropped"
        _settle(body)


def _sizes(body: "_Element") -> "dict[_Element, tuple[int, int]]":
    """Return for each element its characters: of sentences that are no link, and of everything."""
    from lxml import etree

    sizes: dict[_Element, tuple[int, int]] = {}
    path: list[tuple[_Element, int, int, bool]] = []
    sentences = characters = 0
    for event, element in etree.iterwalk(body, events=("start", "end", "comment", "pi")):
        if event == "start":
            unread = bool(path and path[-1][3]) or element.tag in _UNREAD
            path.append((element, sentences, characters, unread))
            text = element.text
        else:
            if event == "end":
                _, sentences_before, characters_before, _ = path.pop()
                sizes[element] = (sentences - sentences_before, characters - characters_before)
            text = element.tail
        size = len((text or "").strip())
        if path and element.tag not in NOT_READ:
            characters += size
            sentences += 0 if path[-1][3] else _sentence(text)
    return sizes


def _sentence(text: str | None) -> int:
    """Return how long a text is, or 0 for a label, a price or a date: those stand in margins too."""
    text = (text or "").strip()
    least = LEAST_SENTENCE_CJK if text[:1] >= "\u2e80" else LEAST_SENTENCE
    return len(text) if len(text) >= least else 0


def _is_margin(element: "_Element") -> bool:
    """Whether an element itself says that it is not what the page is about."""
    if element.tag == "header":
        return next(element.iterancestors("article", "main"), None) is None
    return (
        element.tag in _MARGINS
        or element.get("role", "").lower() in _MARGIN_ROLES
        or element.get("hidden") is not None
        or _HIDDEN.search(element.get("style", "")) is not None
    )


def _is_called_margin(element: "_Element") -> bool:
    if element.tag in {"article", "main", "body"}:
        return False
    names = f"{element.get('class', '')} {element.get('id', '')}"[:LONGEST_NAMES]
    return not _MARGIN_NAMES.isdisjoint(word.lower() for word in _WORDS.findall(names))


def _heading(body: "_Element") -> "_Element | None":
    """Return the page's own h1: the one that is no link home and stands in no margin."""
    for heading in itertools.islice(_elements(body, "h1"), MOST_HEADINGS):
        above = [each for each in heading.iterancestors() if each.tag != "header"]
        linked = next(heading.iter("a"), None) is not None or any(each.tag == "a" for each in above)
        if not linked and not any(_is_margin(each) for each in above) and "".join(heading.itertext()).strip():
            return heading
    return None


def _main(body: "_Element", heading: "_Element | None") -> "_Element":
    """Go down from the body as long as one child has nearly all that is said, and the heading."""
    sizes = _sizes(body)
    above = set() if heading is None else {*heading.iterancestors()}
    mains = [each for each in _elements(body) if each.tag == "main" or each.get("role", "").lower() == "main"]
    here = max(mains, key=lambda each: sizes[each][0], default=body)
    if sizes[here][0] < sizes[body][0] * ENOUGH_MAIN or not sizes[here][1]:
        here = body

    def goes_on_in(child: "_Element", share: float) -> bool:
        return 0 < sizes[here][0] * share <= sizes[child][0] and (here not in above or child in above)

    article = next((each for each in _elements(here, "article") if goes_on_in(each, ENOUGH_ARTICLE)), None)
    if article is not None or here is not body:
        return here if article is None else article
    while (child := next((each for each in here.iterchildren("*") if goes_on_in(each, ENOUGH)), None)) is not None:
        if child.tag not in _BLOCKS:
            break
        here = child
    return here


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
    for link in list(_elements(root, "a")):
        _ready_link(link)
    for code in _elements(root, "pre"):
        language = _language(code)
        if language:
            code.set("class", f"language-{language}")
    _limit_tables(root)
    _limit_lists(root)
    _settle(root)


def _ready_link(link: "_Element") -> None:
    """Leave out permalinks; of a link around a heading and more, make a heading with the link in it."""
    text = "".join(link.itertext()).strip()
    if link.get("href") is None:
        link.tag = "box-unwrapped"
    elif "#" in link.get("href", "") and text in _PERMALINKS and next(link.iter("img"), None) is None:
        link.tag = "box-dropped"
    elif (heading := next(link.iter(*_HEADINGS), None)) is not None:
        inner = heading.makeelement("a", {"href": link.get("href", "")})
        inner.text, heading.text = _legal(heading.text), None
        inner.extend(list(heading))
        heading.append(inner)
        link.tag = "div"


def _language(code: "_Element") -> str | None:
    """Return the language of a code block, which every highlighter writes elsewhere."""
    for element in [*itertools.islice(code, 1), code, *itertools.islice(code.iterancestors(), 2)]:
        named = _LANGUAGE.search(element.get("class", "")[:LONGEST_NAMES])
        language = element.get("data-lang") or element.get("data-language") or (named and named[1])
        if language and language.lower() not in _NO_LANGUAGES and re.fullmatch(r"[\w+#-]{1,30}", language):
            return language.lower()
    return None


def _limit_tables(root: "_Element") -> None:
    """Make no table where its empty cells would be most of the text: one long row makes every row as long."""
    cells = 0
    for table in _elements(root, "table"):
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
