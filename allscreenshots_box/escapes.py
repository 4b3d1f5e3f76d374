"""What must not reach a terminal, a log or a page as it is: letters that nobody sees, and that do something."""

import json
import re

# C0, DEL and C1 move the cursor; the bidirectional marks turn the line round; the rest only hides. All that Unicode
# has of these kinds, now or later, is not printable to Python, and neither are lone surrogates.
_LINES = re.compile(r"([\n\t])")  # what may stand in a text of several lines


def escaped(text: str) -> str:
    r"""Return *text* with a visible \u202e, say, for whatever is not to be seen."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _named(letter) for letter in text)


def escaped_lines(text: str) -> str:
    """Return *text* of several lines, each of them escaped."""
    return "".join(part if part in {"\n", "\t"} else escaped(part) for part in _LINES.split(text))


def _named(letter: str) -> str:
    """Return the escape that JSON has for *letter*, so that it may stand in there, too."""
    return json.dumps(letter)[1:-1] if letter != "\x7f" else r"\u007f"
