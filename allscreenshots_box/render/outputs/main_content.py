"""What a page is about: its main content, told from the margins around it."""

import itertools
import re
from typing import TYPE_CHECKING

from .html_tree import HIDDEN, LONGEST_NAMES, NOT_READ, elements, empty, legal, settle

if TYPE_CHECKING:
    from lxml.etree import _Element

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
        masthead menu modal nav navbar navigation newsletter outbrain overlay pager pagination popup promo
        promoted recirculation recommendations recommended related share sharebar sharing sidebar skip social sponsor
        sponsored subscribe taboola toolbar
        """,
    )
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_BLOCKS = frozenset({"article", "center", "div", "form", "main", "section"})
_UNREAD = frozenset({"a", "button", "select", "textarea", "svg", *NOT_READ})  # links are the text of margins
MOST_HEADINGS = 100  # that are looked at
LEAST_SENTENCE = 20  # characters
LEAST_SENTENCE_CJK = 8
LARGEST_ASIDE = 1 / 3  # of the page's sentences: what has more is no margin, whatever it is called
LARGEST_NAMED = 1 / 2  # of the page's characters, for what only its class calls a margin: "menu" may be a restaurant's
ENOUGH = 0.75  # of the sentences of an element are in one of its children: the rest is margin
ENOUGH_ARTICLE = 0.6  # for a child that says itself that it is the article
ENOUGH_MAIN = 1 / 3  # for <main>: the page says so, and its comments may be long


def keep_main(root: "_Element") -> None:
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
        heading.tail, main.text = legal(main.text), None
    if main is not body:
        main.tail = None
        empty(body)
        body.append(main)


def _drop_margins(body: "_Element", heading: "_Element | None") -> None:
    sizes = _sizes(body)
    kept = {body}
    for element in [*itertools.islice(elements(body, "main"), MOST_HEADINGS), *([] if heading is None else [heading])]:
        kept.update([element, *element.iterancestors()])
    sentences, characters = sizes[body]
    left = characters
    margins, inside = [], set()
    for element in elements(body):
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
        settle(body)


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
        or HIDDEN.search(element.get("style", "")) is not None
    )


def _is_called_margin(element: "_Element") -> bool:
    if element.tag in {"article", "main", "body"}:
        return False
    names = f"{element.get('class', '')} {element.get('id', '')}"[:LONGEST_NAMES]
    return not _MARGIN_NAMES.isdisjoint(word.lower() for word in _WORDS.findall(names))


def _heading(body: "_Element") -> "_Element | None":
    """Return the page's own h1: the one that is no link home and stands in no margin."""
    for heading in itertools.islice(elements(body, "h1"), MOST_HEADINGS):
        above = [each for each in heading.iterancestors() if each.tag != "header"]
        linked = next(heading.iter("a"), None) is not None or any(each.tag == "a" for each in above)
        if not linked and not any(_is_margin(each) for each in above) and "".join(heading.itertext()).strip():
            return heading
    return None


def _main(body: "_Element", heading: "_Element | None") -> "_Element":
    """Go down from the body as long as one child has nearly all that is said, and the heading."""
    sizes = _sizes(body)
    above = set() if heading is None else {*heading.iterancestors()}
    mains = [each for each in elements(body) if each.tag == "main" or each.get("role", "").lower() == "main"]
    here = max(mains, key=lambda each: sizes[each][0], default=body)
    if sizes[here][0] < sizes[body][0] * ENOUGH_MAIN or not sizes[here][1]:
        here = body

    def goes_on_in(child: "_Element", share: float) -> bool:
        return 0 < sizes[here][0] * share <= sizes[child][0] and (here not in above or child in above)

    article = next((each for each in elements(here, "article") if goes_on_in(each, ENOUGH_ARTICLE)), None)
    if article is not None or here is not body:
        return here if article is None else article
    while (child := next((each for each in here.iterchildren("*") if goes_on_in(each, ENOUGH)), None)) is not None:
        if child.tag not in _BLOCKS:
            break
        here = child
    return here
