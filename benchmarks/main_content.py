"""Measures how well the main content of a page is told: by the box, and by libraries, on labelled public pages."""

import argparse
import importlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import labelled_pages, report
from benchmarks.labelled_pages import Page, text_of
from benchmarks.report import Row

ADDRESS = "https://pages.example/"  # what links on the pages are relative to
WORD = re.compile(r"[\u0e00-\u109f\u2e80-\ud7ff]|\w+")  # scripts without spaces: each letter is one
NEARLY_ALL, NEARLY_NONE = 0.95, 0.1
MOST_OF_A_PAGE = 0.8  # a label of more than that: taking everything is right
MARKS = ("h2", "h3", "a", "img", "li", "table", "pre", "code")  # what Markdown is made of
LONG = 8_000  # of these:
BLOCK = "<div class=content><p>some words, some more</p></div>"

Extractor = Callable[[str], str]  # from the source of a page, as the browser gives it, to that of its main content


@dataclass(frozen=True)
class Kept:
    """What an extractor made of one page."""

    source: str
    seconds: float


def box() -> Extractor:
    """Return what the box does."""
    from allscreenshots_box.render.outputs import text  # each extractor is measured in a process of its own

    return lambda source: text.html(source, ADDRESS, clean=True, main=True)


def trafilatura(**options: Any) -> Extractor:
    """Return trafilatura behind the same function: the page is clean, and stays whole if nothing is found."""
    from allscreenshots_box.render.outputs import text

    extract = importlib.import_module("trafilatura").extract
    shared = {"output_format": "html", "include_links": True, "include_images": True, "include_formatting": True}

    def extractor(source: str) -> str:
        cleaned = text.html(source, ADDRESS, clean=True, main=False)
        return extract(cleaned, include_comments=False, **shared, **options) or cleaned

    return extractor


def readability() -> Extractor:
    """Return readability-lxml behind the same function."""
    from allscreenshots_box.render.outputs import text

    library = importlib.import_module("readability.readability")

    def extractor(source: str) -> str:
        cleaned = text.html(source, ADDRESS, clean=True, main=False)
        try:
            return str(library.Document(cleaned).summary()) or cleaned
        except library.Unparseable:
            return cleaned

    return extractor


def everything() -> Extractor:
    """Return the page as it is: what an extractor has to beat."""
    from allscreenshots_box.render.outputs import text

    return lambda source: text.html(source, ADDRESS, clean=True, main=False)


TRAFILATURA = ("trafilatura==2.3.1", "lxml_html_clean==0.4.6")  # the second is what an older pip leaves out
READABILITY = ("readability-lxml==0.9",)
EXTRACTORS: Mapping[str, tuple[tuple[str, ...], Callable[[], Extractor]]] = {  # with the packages that it needs
    "everything": ((), everything),
    "the box": ((), box),
    "trafilatura": (TRAFILATURA, trafilatura),
    "trafilatura, favor_recall": (TRAFILATURA, lambda: trafilatura(favor_recall=True)),
    "readability-lxml": (READABILITY, readability),
}


# --- one extractor, in a process of its own ------------------------------------------------------


def resident() -> float:
    """Return how many MiB this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def extract(name: str, folder: Path) -> dict[str, Any]:
    """Let one extractor at all pages. The first page is read twice: what it loads is not the page's."""
    pages = labelled_pages.pages(folder)
    _ = everything()(pages[0].source)
    began, before = time.perf_counter(), resident()
    extractor = EXTRACTORS[name][1]()
    extractor(pages[0].source)
    loaded, held = time.perf_counter() - began, resident() - before
    kept = []
    for page in [*pages, *labelled_pages.front_pages(folder), Page("long", "made", f"<body>{BLOCK * LONG}</body>")]:
        began = time.perf_counter()
        source = extractor(page.source)
        kept.append((source, time.perf_counter() - began))
    return {"loaded": loaded, "held": held, "grown": resident() - before, "kept": kept}


def run(name: str, folder: Path) -> dict[str, Any]:
    """Start that process, with the libraries of this extractor and no others."""
    packages = EXTRACTORS[name][0]
    library = folder / "-".join(["library", *packages[:1]])
    if packages and not library.is_dir():
        install = ["install", "--quiet", "--target", str(library), *packages]
        subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    command = [sys.executable, "-m", "benchmarks.main_content", "--extract", name, "--pages", str(folder)]
    environment = os.environ | ({"PYTHONPATH": f"{library}:{os.environ.get('PYTHONPATH', '')}"} if packages else {})
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer | {"kept": [Kept(*each) for each in answer["kept"]]}


# --- judged --------------------------------------------------------------------------------------


def words(text: str) -> Counter[str]:
    return Counter(word.lower() for word in WORD.findall(text))


def scores(page: Page, kept: Kept) -> dict[str, float]:
    """Return precision, recall and F1 of the words, each as often as it stands there."""
    right, got = words(page.text), words(text_of(kept.source))
    shared = (right & got).total()
    precision, recall = shared / max(1, got.total()), shared / right.total()
    whole = words(text_of(page.source)).total()
    return {
        "precision": precision,
        "recall": recall,
        "F1": 2 * shared / (right.total() + got.total()),
        "none": float(recall < NEARLY_NONE),
        "all": float(got.total() >= whole * NEARLY_ALL and right.total() < whole * MOST_OF_A_PAGE),
    }


def pieces(page: Page, kept: Kept) -> tuple[int, int]:
    """Return how many pieces that belong to the text are in it, and how many that do not."""
    text = text_of(kept.source)
    return sum(piece in text for piece in page.wanted), sum(piece in text for piece in page.unwanted)


def marks(source: str) -> Counter[str]:
    return Counter(str(element.tag) for element in labelled_pages.parsed(source).iter(*MARKS))


def of_marks(pages: list[Page], kept: list[Kept]) -> Row:
    """Say how many of the marks in the labels are there."""
    wanted, got = Counter[str](), Counter[str]()
    for page, each in zip(pages, kept, strict=True):
        label = marks(page.markup)
        wanted += label
        got += label & marks(each.source)
    return {name: f"{got[name]} of {wanted[name]}" for name in MARKS}


def of_others(pages: list[Page], kept: list[Kept]) -> Row:
    """Say how many words of the front pages are left, and what became of the long page."""
    row: dict[str, report.Cell] = {
        page.name: f"{words(text_of(each.source)).total()} of {words(text_of(page.source)).total()}"
        for page, each in zip(pages, kept, strict=False)
    }
    share = words(text_of(kept[-1].source)).total() / words(text_of(BLOCK * LONG)).total()
    return row | {"long page": f"{share:.0%}", "in seconds": round(kept[-1].seconds, 1)}


def of_texts(judged: list[dict[str, float]]) -> Row:
    row: dict[str, float] = {}
    for name in ("precision", "recall", "F1"):
        values = [each[name] for each in judged]
        row[f"{name}, mean"] = round(statistics.mean(values), 3)
        row[f"{name}, median"] = round(statistics.median(values), 3)
    for name in ("none", "all"):
        row[name] = round(sum(each[name] for each in judged))
    return row


def of_pieces(pages: list[Page], judged: list[tuple[int, int]]) -> Row:
    wanted, unwanted = sum(len(page.wanted) for page in pages), sum(len(page.unwanted) for page in pages)
    right, wrong = sum(good for good, _ in judged), sum(bad for _, bad in judged)
    precision, recall = right / (right + wrong), right / wanted
    return {
        "wanted, kept": f"{right} of {wanted}",
        "unwanted, kept": f"{wrong} of {unwanted}",
        "F1": round(2 * precision * recall / (precision + recall), 3),
    }


def of_cost(answer: Mapping[str, Any]) -> Row:
    times = [1000 * each.seconds for each in answer["kept"][:-1]]  # the long page is told apart
    return {
        "first page, ms": round(1000 * answer["loaded"]),
        "MiB after it": round(answer["held"], 1),
        "MiB after all": round(answer["grown"], 1),
        "p50 ms": round(statistics.median(times), 1),
        "p95 ms": round(report.percentile(times, 95), 1),
        "longest ms": round(max(times)),
    }


def tables(
    pages: list[Page], fronts: list[Page], answers: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Row]]:
    """Set a table for each corpus, one for those with whole texts together, and those for all else."""
    made: dict[str, dict[str, Row]] = {}
    labelled = [page.corpus for page in pages if page.text]
    for title in ["whole texts", *dict.fromkeys(labelled)]:
        among = [place for place, page in enumerate(pages) if page.text and title in {"whole texts", page.corpus}]
        made[f"{title}, {len(among)} pages"] = {
            name: of_texts([scores(pages[place], answer["kept"][place]) for place in among])
            for name, answer in answers.items()
        }
    among = [place for place, page in enumerate(pages) if not page.text]
    made[f"pieces, {len(among)} pages"] = {
        name: of_pieces(
            [pages[place] for place in among], [pieces(pages[place], answer["kept"][place]) for place in among]
        )
        for name, answer in answers.items()
    }
    among = [place for place, page in enumerate(pages) if page.markup]
    made["marks"] = {
        name: of_marks([pages[place] for place in among], [answer["kept"][place] for place in among])
        for name, answer in answers.items()
    }
    made["front pages, and a long one"] = {
        name: of_others(fronts, answer["kept"][len(pages) :]) for name, answer in answers.items()
    }
    made["cost"] = {name: of_cost(answer) for name, answer in answers.items()}
    return made


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    parser.add_argument("--pages", type=Path, metavar="DIR", help="where the packages are, or are kept from now on")
    parser.add_argument("--extract", choices=EXTRACTORS, help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(folder: Path, path: Path | None) -> None:
    """Fetch what is not there, let all extractors at it, print a table for each question."""
    if not any(folder.glob("*.tgz")):
        labelled_pages.fetch(folder)
    pages = labelled_pages.pages(folder)
    answers = {name: run(name, folder) for name in EXTRACTORS}
    made = tables(pages, labelled_pages.front_pages(folder), answers)
    for title, rows in made.items():
        print(f"\n{title}\n\n{report.markdown('extractor', rows)}")
    about = report.machine()
    print("\n" + report.line(about))
    raw = {
        name: {
            f"{page.corpus} {page.name}": scores(page, kept) if page.text else pieces(page, kept)
            for page, kept in zip(pages, answer["kept"], strict=False)
        }
        for name, answer in answers.items()
    }
    report.write(path, {"machine": about, "tables": made, "raw": raw})


def main() -> None:
    """Compare all extractors; or be the process of one."""
    options = arguments()
    if options.extract:
        print(json.dumps(extract(options.extract, options.pages)))
    elif options.pages:
        compare(options.pages, options.json)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), options.json)


if __name__ == "__main__":
    main()
