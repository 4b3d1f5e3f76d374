"""What a case is: a page, how it is asked for, and what each result of it must be like."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.camera import SMALL
from tests.settled.checks import GREEN_ALL, Check, both, says, size
from tests.site.routes import HTML, Answer, Route, Visit

FOLDER = "/settled/"
TALL = 750  # pixels of the part that a page waits for: two windows and a half
DONE = "Here it is"

_SHELL = """<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
<title>{title}</title><style>* {{ margin: 0 }} .no {{ background: #f00 }} .yes {{ background: #008000 }}
{style}</style>{body}
"""
_PART = f"<main id=part class=no style='height: {TALL}px'>Not yet</main>"
_DONE = f"const done = () => {{ part.className = 'yes'; part.textContent = {DONE!r} }}"


@dataclass(frozen=True)
class Case:
    """One page: its results by window, as a full page, of its `#part` alone, and as PDF, where these make sense."""

    name: str
    page: str
    window: Check | None = GREEN_ALL
    full: Check | None = None
    native: Check | None = None  # the full page at once
    part: Check | None = None
    pdf: Check | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # beside the page, by their names
    headers: Mapping[str, str] = field(default_factory=dict)  # of the page
    fragment: str = ""
    within: float | None = None  # seconds: what never ends must not hold the picture up
    tells: str = ""  # names of which X-Not-Awaited must have one
    unseen: bool = False  # that the box does not see what is to come: shown in the table, and not asked of it
    wrong: str = ""  # a style that spoils the page, where its first state is right already

    def takes(self) -> Iterator["Take"]:
        """Give each way in which its result is asked for."""
        ways: dict[str, tuple[Check | None, Mapping[str, Any]]] = {
            "": (self.window, {}),
            ", full page": (self.full, {"fullPage": True}),
            ", full page at once": (self.native, {"fullPage": True, "fullPageMode": "native"}),
            ", part": (self.part, {"selector": "#part"}),
            ", pdf": (self.pdf, {"format": "pdf"}),
        }
        for way, (check, fields) in ways.items():
            if check:
                yield Take(self.name + way, self, check, {**self.options, **fields})

    @property
    def path(self) -> str:
        """Where the page lies; its files lie beside it."""
        return f"{FOLDER}{self.name.replace(' ', '-').replace(',', '')}/"

    def answer(self, visit: Visit) -> Answer | None:
        """Answer with the page or a file of it, `ms` milliseconds late."""
        if visit.closing.wait(float(visit.query.get("ms", "0")) / 1000):
            return None
        text = self.files.get(visit.name) if visit.name else self.page
        if text is None:
            return Answer(status=404)
        kind = "text/javascript" if visit.name.endswith(".js") else HTML
        return Answer(filled(text, visit).encode(), kind, headers={} if visit.name else self.headers)


@dataclass(frozen=True)
class Take:
    """One result of a page: how it is asked for, and what it must be like."""

    name: str
    case: Case
    check: Check
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """The page with the fragment that is asked for."""
        return self.case.path + self.case.fragment

    @property
    def body(self) -> dict[str, Any]:
        """The fields of the request, but for the address."""
        return {"viewport": SMALL, **self.options}


def filled(text: str, visit: Visit) -> str:
    """Put in what only the site knows: its other origins, and what languages the visitor asked for."""
    for mark, origin in visit.origins.items():
        text = text.replace(mark.decode(), origin)
    return text.replace("@LANGUAGES@", json.dumps(visit.headers.get("accept-language", "")))


def document(title: str, body: str, style: str = "") -> str:
    """Make a page; what has the class `no` is red, and `yes` green."""
    return _SHELL.format(title=title, body=body, style=style)


def waiting(name: str, script: str, *, everywhere: bool = False, **fields: Any) -> Case:
    """Make a case whose part is red until its script calls `done()`; *everywhere* asks for it in all ways."""
    page = document(name, f"{_PART}<script>{_DONE}\n{script}</script>")
    ways = {"full": both(GREEN_ALL, size(400, TALL)), "part": both(GREEN_ALL, size(400, TALL)), "pdf": says(DONE)}
    return Case(name, page, **(ways if everywhere else {}) | fields)


def routes(cases: tuple[Case, ...]) -> dict[str, Route]:
    """Give the routes of their pages."""
    return {case.path: case.answer for case in cases}
