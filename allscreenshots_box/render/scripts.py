"""What runs in pages: a file of js/ each, which says what it takes, what it returns, and how much that may be."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
_COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)


def read(name: str, **parts: str) -> str:
    """Return a script without its comments, as an expression; *parts* are functions that it calls by these names."""
    source = _COMMENT.sub("", (FOLDER / f"{name}.js").read_text("utf-8"))
    return put(source.strip().removesuffix(";"), **parts)


def put(source: str, **parts: str) -> str:
    """Return a script with functions in place of their names."""
    for called, function in parts.items():
        source = source.replace(called, f"({function})")
    return source
