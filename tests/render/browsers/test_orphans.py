"""What a start may end: browsers that are provably the box's own, and nothing else."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from allscreenshots_box.render.browsers import orphans

Run = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start processes that do nothing under any command line; all are ended."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, new_session: bool = True) -> subprocess.Popen[bytes]:
        sleep = "import sys, time; sys.stdout.write('.'); sys.stdout.flush(); time.sleep(60)"
        command = [sys.executable, "-c", sleep, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=new_session)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.read(1) == b"."
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def profile(work_dir: Path) -> Path:
    made = work_dir / "browser-x"
    made.mkdir()
    return made


def test_a_browser_with_a_profile_of_ours_is_ended_even_if_it_is_stopped(tmp_path: Path, run: Run) -> None:
    ours = run(f"--user-data-dir={tmp_path}/browser-x")
    ours.send_signal(signal.SIGSTOP)
    assert orphans.sweep(tmp_path) == [ours.pid]
    assert ours.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("words", [("--user-data-dir=/elsewhere/browser-x",), ("--type=zygote",), ()])
def test_others_are_let_be(tmp_path: Path, run: Run, words: tuple[str, ...]) -> None:
    other = run(*words)
    assert orphans.sweep(tmp_path) == []
    assert other.poll() is None


def test_a_place_whose_name_ours_begins_is_not_ours(tmp_path: Path, run: Run) -> None:
    other = run(f"--user-data-dir={tmp_path}-of-another/browser-x")
    assert orphans.sweep(tmp_path) == []
    assert other.poll() is None


def test_a_process_of_a_noted_session_is_ended_if_it_is_a_browsers(tmp_path: Path, run: Run) -> None:
    leader = run("--type=zygote")
    orphans.note(profile(tmp_path), leader.pid)
    assert orphans.sweep(tmp_path) == [leader.pid]


@pytest.mark.parametrize("change", [{"boot": "another"}, {"started": 1}])
def test_a_number_that_has_passed_to_another_session_proves_nothing(
    tmp_path: Path, run: Run, change: dict[str, object]
) -> None:
    leader = run("--type=zygote")
    made = profile(tmp_path)
    orphans.note(made, leader.pid)
    told = json.loads((made / orphans.NOTE).read_text())
    (made / orphans.NOTE).write_text(json.dumps(told | change))
    assert orphans.sweep(tmp_path) == []
    assert leader.poll() is None


def test_a_program_of_ours_in_a_noted_session_that_is_no_browser_is_let_be(tmp_path: Path, run: Run) -> None:
    leader = run("something", "else")
    orphans.note(profile(tmp_path), leader.pid)
    assert orphans.sweep(tmp_path) == []


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"session": "x"}'])
def test_a_damaged_note_is_passed_over(tmp_path: Path, text: str) -> None:
    (profile(tmp_path) / orphans.NOTE).write_text(text)
    assert orphans.sweep(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_users_process_is_let_be(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)", f"--user-data-dir={tmp_path}/browser-x"]
    with subprocess.Popen(command, user="nobody", cwd="/") as other:
        assert orphans.sweep(tmp_path) == []
        assert other.poll() is None
        other.kill()


def test_a_name_that_is_no_text_stops_no_start(tmp_path: Path) -> None:
    rename = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'\\xc3\\xff)'); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", rename], stdout=subprocess.PIPE) as strange:
        assert strange.stdout is not None
        strange.stdout.readline()
        found = orphans.look(strange.pid)
        assert found is not None
        assert found.user == os.geteuid()
        assert orphans.sweep(tmp_path) == []
        strange.kill()
