"""Signals that come before the server serves: none is lost, and none leaves anything behind."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.box import PROGRAM, Box, environment, free_port
from tests.test_serve import below, eventually

pytestmark = [pytest.mark.browser, pytest.mark.rough]


class Starting:
    """A server that was started and is not awaited: it may be anywhere in its start."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.log = data_dir.parent / "serve.log"
        self.seen: dict[int, str] = {}  # all processes that there were below it
        with self.log.open("w") as log:
            words = [PROGRAM, "serve", "--data-dir", str(data_dir), "--port", str(free_port()), *options]
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=environment())

    def comes_to(self, moment: str) -> bool:
        """Say whether it is there, as far as one sees from outside."""
        self.seen |= below(self.process.pid)
        lines = "\n".join(self.seen.values())
        match moment:
            case "handlers":  # in the mask that the kernel has of those that a program takes itself
                status = Path(f"/proc/{self.process.pid}/status").read_text()
                caught = int(status.partition("SigCgt:\t")[2].split()[0], 16)
                return bool(caught >> (signal.SIGHUP - 1) & 1)
            case "browser":
                return "--remote-debugging-pipe" in lines
            case "pages":
                return "--type=renderer" in lines
        raise AssertionError(moment)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


MOMENTS = ["handlers", "browser", "pages"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_in_the_middle_of_the_start_is_obeyed_and_leaves_nothing(data_dir: Path, moment: str) -> None:
    starting = Starting(data_dir)
    assert eventually(lambda: starting.comes_to(moment))
    starting.process.send_signal(signal.SIGTERM)
    assert starting.process.wait(20) == 0, starting.log.read_text()
    assert "Traceback" not in starting.log.read_text()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in starting.seen))
    assert list((data_dir / "tmp").glob("*")) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_box_that_is_killed_while_its_browser_starts_leaves_no_orphan(data_dir: Path, moment: str) -> None:
    starting = Starting(data_dir)
    assert eventually(lambda: starting.comes_to(moment))
    starting.seen |= below(starting.process.pid)
    starting.kill()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in starting.seen))
    with Box(data_dir) as box:
        assert len(list((data_dir / "tmp").iterdir())) == 1
        assert box.stop() == 0


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_reload_that_comes_too_early_is_done_as_soon_as_it_can_be(data_dir: Path, moment: str) -> None:
    file = data_dir.parent / "config.toml"
    file.write_text("log_queries = false\n")
    starting = Starting(data_dir, "--config", str(file))
    assert eventually(lambda: starting.comes_to(moment))
    file.write_text("log_queries = true\n")
    starting.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: '"event": "reloaded"' in starting.log.read_text()), starting.log.read_text()
    starting.process.send_signal(signal.SIGTERM)
    assert starting.process.wait(20) == 0
