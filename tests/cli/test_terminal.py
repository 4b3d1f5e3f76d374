"""What reaches a terminal: letters that can be seen, whatever stands in the database or was pasted."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from litestar import Litestar
from litestar.testing import TestClient

from allscreenshots_box.cli import main
from allscreenshots_box.escapes import escaped, escaped_lines
from tests.box import command, found

MISCHIEF = "a\x1b[2K\r\n\x85\x9b1Ab\u202ec\u2028\u200fd\x7fe"
SEEN = r"a\u001b[2K\r\n\u0085\u009b1Ab\u202ec\u2028\u200fd\u007fe"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (MISCHIEF, SEEN),
        ("日本語 café مرحبا 😀", "日本語 café مرحبا 😀"),
        ("\udc80 \U000e0041", r"\udc80 \udb40\udc41"),
        ("", ""),
    ],
)
def test_what_is_not_to_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert json.loads(f'"{shown}"') == text


def test_lines_stay_lines() -> None:
    assert escaped_lines("a\n\tb\r\x1bc\n") == "a\n\tb\\r\\u001bc\n"


@pytest.fixture(scope="module")
def forged() -> Iterator[Path]:
    """Return the data directory of a box with names that no command would take."""
    above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))  # where whoever the program becomes can reach it
    above.chmod(0o755)
    data_dir = above / "data"
    found(data_dir)
    with closing(sqlite3.connect(data_dir / "box.db")) as db:
        db.execute(
            "insert into plans (name, screenshots_per_hour, screenshots_burst, requests_per_hour, requests_burst)"
            " values (?, 1, 1, 1, 1)",
            [MISCHIEF],
        )
        db.execute("insert into keys values (1, ?, ?, ?, ?, '2026-01-01', null, ?)", [MISCHIEF] * 5)
        db.execute("insert into secrets values ('ask_00000000', 1, 'x', '2026-01-01', null, null, null)")
        db.execute("insert into usage_by_month values (1, strftime('%Y-%m'), 1, 1, 0.5)")
        db.commit()
    yield data_dir
    shutil.rmtree(above)


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "list"),
        ("keys", "list", "--json"),
        ("keys", "show", "ask_00000000"),
        ("plans", "remove", MISCHIEF, "--yes"),
        ("usage",),
        ("keys", "create", "x", "--plan", "nonsense"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_no_command_prints_what_moves_the_cursor(forged: Path, words: tuple[str, ...]) -> None:
    done = command("--data-dir", str(forged), *words)
    told = done.stdout + done.stderr
    assert SEEN in told or SEEN.replace("\\", "\\\\") in told
    assert [line for line in told.splitlines() if not line.isprintable()] == []
    assert len(told.splitlines()) == told.count("\n")


@pytest.mark.parametrize("words", [("keys", MISCHIEF), ("shot", "--device", MISCHIEF, "x")], ids=["command", "value"])
def test_what_was_pasted_is_told_in_letters_that_can_be_seen(forged: Path, words: tuple[str, ...]) -> None:
    done = command("--data-dir", str(forged), *words)
    assert done.returncode != 0
    assert [letter for letter in done.stderr if not letter.isprintable() and letter not in "\n\t"] == []


def test_a_shell_is_offered_nothing_that_moves_the_cursor(forged: Path) -> None:
    offered = ShellComplete(main, {}, "x", "_X").get_completions(["--data-dir", str(forged), "keys", "show"], "ask_")
    assert [(item.value, item.help) for item in offered] == [("ask_00000000", SEEN)]


def test_the_page_shows_what_is_not_to_be_seen(signed_in: TestClient[Litestar], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "box.db")) as db:
        db.execute(
            "insert into keys values (1, ?, 'default', null, 'o', '2026-01-01T00:00:00.000Z', null, null)", [MISCHIEF]
        )
        db.execute("insert into secrets values ('ask_00000000', 1, 'x', '2026-01-01T00:00:00.000Z', null, null, null)")
        db.commit()
    page = signed_in.get("/admin/keys").text
    assert SEEN.replace(r"\n", "\n") in page
    assert [letter for letter in page if not letter.isprintable() and letter not in "\n\t"] == []
