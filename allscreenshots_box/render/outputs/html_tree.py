"""The tree of a page, from its source and back: what hides in it brought up, what a reader has no use for taken out."""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from ...errors import PageTooLarge
from ..browsers.messages import valid

if TYPE_CHECKING:
    from lxml.etree import _Element

LARGEST_TEXT = 20 * 1024 * 1024  # characters, of a page's source and of what is made of it
MOST_ELEMENTS = 500_000  # the longest real pages are whole specifications in one file
DEEPEST = 512  # elements in each other: Chromium's own parser nests no deeper; below, only the text is kept
MOST_ATTRIBUTES = 256  # of one element: libxml2's time grows with the square of them
LONGEST_BASE = 8192  # characters of the page's own address: it stands before every link
LONG_TAG = 1024  # characters: a shorter tag cannot have enough attributes to matter
LONGEST_NAMES = 1_000  # characters of an element's classes and id that are read
DEEPEST_SHADOW = 16  # shadow trees in each other whose slots are filled

NOT_READ = ("script", "style", "noscript", "template")

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


def legal(text: str | None) -> str:
    """Return *text* as lxml takes it: a control character is a space. A page can say one as "&#1;" too."""
    return _CONTROLS.sub(" ", text or "")


def bounded(text: str) -> str:
    """Return *text* unless it is too long."""
    if len(text) > LARGEST_TEXT:
        raise PageTooLarge(f"The text of the page has more than {LARGEST_TEXT:,} characters.")
    return text


def parse(source: str) -> "_Element":
    """Return the tree of the page; of one nested deeper than the 2,048 elements of libxml2, only the text in a tree."""
    from lxml import etree  # 35 ms and 8 MB, only if asked for

    text = _LONG_TAG.sub(_few_attributes, legal(valid(bounded(source))))
    text = _VOID.sub(r"\g<0></\1>", text)  # libxml2 does not know that nothing stands in these
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_pis=True, no_network=True)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        root = None
    if any("depth" in entry.message for entry in parser.error_log):
        return parse(_TAG.sub(" ", _NO_TEXT.sub("", text)))
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


def written(root: "_Element") -> str:
    """Return the tree as a document in UTF-8."""
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
    return bounded(_VOID_ENDS.sub("", text))


def elements(root: "_Element", *tags: str) -> "Iterator[_Element]":
    """Every element below *root*, itself included; no comments."""
    return (each for each in root.iter(*(tags or ("*",))) if isinstance(each.tag, str))


def settle(root: "_Element") -> None:
    """Carry out what was marked: in one pass, because taking out one by one joins the same text again and again."""
    from lxml import etree

    etree.strip_elements(root, "box-dropped", with_tail=False)
    etree.strip_tags(root, "box-unwrapped")


def _compose(root: "_Element") -> None:
    """Put the shadow trees where the page shows them, with their slots filled."""
    for template in reversed(list(elements(root, "template"))):  # the inner ones first
        host = template.getparent()
        if host is None or template.get("shadowrootmode") is None:
            continue
        if sum(1 for _ in template.iterancestors("template")) < DEEPEST_SHADOW:
            _fill_slots(host, template)
        template.tag = "box-unwrapped"
    settle(root)


def _fill_slots(host: "_Element", template: "_Element") -> None:
    slots: dict[str, _Element] = {}
    for slot in elements(template, "slot"):
        slots.setdefault(slot.get("name", ""), slot)
    light = [child for child in host if child is not template and isinstance(child.tag, str)]
    runs: list[tuple[_Element | None, list[str]]] = [(None, [host.text or "", template.tail or ""])]
    host.text = template.tail = None
    for slot in (slots[name] for name in {child.get("slot", "") for child in light} if name in slots):
        empty(slot)  # of what it shows when nothing is put in
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
        empty(slot)
    for child, texts in runs:
        if child is not None:
            child.tail = legal("".join(texts))
        elif len(runs) > 1 or "".join(texts).strip():
            slot.text = legal("".join(texts))


def empty(element: "_Element") -> None:
    """Take out all that is in an element."""
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
        empty(element)
        element.text = legal(text)


# --- cleaning -----------------------------------------------------------------------------------

HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
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


def clean(root: "_Element", url: str) -> None:
    """Leave what can be read: no scripts, styles, comments and tracking pixels; links and images absolute."""
    from lxml import etree

    etree.strip_elements(root, etree.Comment, *NOT_READ, with_tail=False)
    size = 0
    base = _base(url)
    for element in elements(root):
        if _is_only_for_browsers(element):
            element.tag = "box-dropped"
            continue
        if HIDDEN.search(element.get("style", "")):
            element.set("hidden", "")
        for name in element.keys():  # noqa: SIM118 - an element iterates over its children
            if name in _TOUCHED or name.startswith("on"):
                size += _clean_attribute(element, name, base)
        if size > LARGEST_TEXT:
            raise PageTooLarge(f"The links of the page have more than {LARGEST_TEXT:,} characters.")
    settle(root)


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
    value = legal(element.get(name))
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
