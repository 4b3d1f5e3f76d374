"""The scripts that run in pages: files that say of themselves what they bring back."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

import allscreenshots_box
from allscreenshots_box.render import scripts

FILES = sorted(path.stem for path in scripts.FOLDER.glob("*.js"))
PACKAGE = Path(allscreenshots_box.__file__).parent


@pytest.mark.parametrize("name", FILES)
def test_a_script_says_first_what_it_takes_and_returns(name: str) -> None:
    lines = (scripts.FOLDER / f"{name}.js").read_text("utf-8").splitlines()
    head = " ".join(line[3:] for line in takewhile(lambda line: line.startswith("// "), lines))
    assert re.search(r"\. Takes .+\. Returns .+\.$", head), head


def test_the_scripts_that_there_are_and_those_that_are_read_are_the_same() -> None:
    sources = [path.read_text("utf-8") for path in PACKAGE.rglob("*.py")]
    read = [name for source in sources for name in re.findall(r'scripts\.read\("(\w+)"', source)]
    assert sorted(read) == FILES


@pytest.mark.parametrize("name", FILES)
def test_no_comment_of_its_own_line_is_sent_to_a_page(name: str) -> None:
    assert not [line for line in scripts.read(name).splitlines() if line.lstrip().startswith("//")]


def test_a_function_stands_where_a_script_calls_it_by_its_name() -> None:
    assert scripts.put("(one) => CALLED(one)", CALLED="(a) => a") == "(one) => ((a) => a)(one)"
