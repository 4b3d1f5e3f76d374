import os
import subprocess
from pathlib import Path

import pytest
import sqlite_utils
from argon2 import PasswordHasher
from click.shell_completion import ShellComplete

from allscreenshots_box import keys
from allscreenshots_box.cli import main
from allscreenshots_box.config import Settings
from allscreenshots_box.keys import plans
from allscreenshots_box.render import devices
from tests.box import PROGRAM, command, environment


def completed(words: str, begun: str = "") -> list[str]:
    """Return what is offered behind *words*."""
    found = ShellComplete(main, {}, "allscreenshots-box", "_X").get_completions(words.split(), begun)
    return [item.value for item in found]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_calls_the_program(shell: str) -> None:
    printed = command("completion", shell)
    assert printed.returncode == 0, printed.stderr
    assert f"_ALLSCREENSHOTS_BOX_COMPLETE={shell}_complete" in printed.stdout


def test_bash_takes_the_script() -> None:
    script = command("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        ("", "bac", ["backup"]),
        ("keys", "r", ["revoke", "rotate"]),
        ("nonsense", "x", []),
        ("shot --wait-until", "net", ["networkidle"]),
        ("shot --format", "P", ["png", "pdf"]),
        ("shot --device", "pixel-8", [name.replace(" ", "-") for name in devices.NAMES if name.startswith("Pixel 8")]),
        ("shot --device", "iPhone 15 P", ["iPhone-15-Pro", "iPhone-15-Pro-Max"]),
        ("shot", "--full-page-", ["--full-page-mode"]),
    ],
)
def test_commands_options_and_words_are_offered(words: str, begun: str, offered: list[str]) -> None:
    assert completed(words, begun) == offered


def test_every_device_that_is_offered_is_one() -> None:
    offered = completed("shot --device")
    assert len(offered) == len(devices.NAMES)
    assert [devices.find(name) for name in offered] == [devices.find(name) for name in devices.NAMES]


def test_live_keys_are_offered_by_name_or_by_prefix(
    db: sqlite_utils.Database, hasher: PasswordHasher, settings: Settings
) -> None:
    web, spaced, dead = (keys.create(db, hasher, name)[0].prefix for name in ("web", "two words", "dead"))
    keys.revoke(db, "dead")
    at = f"--data-dir {settings.data_dir} keys revoke"
    assert completed(at, "w") == ["web"]
    assert sorted(completed(at, "ask_")) == sorted([web, spaced])
    assert dead not in completed(at, "ask_")


def test_plans_are_offered(db: sqlite_utils.Database, settings: Settings) -> None:
    plans.set_plan(db, "small", {"screenshots_per_hour": 1})
    assert completed(f"--data-dir {settings.data_dir} plans set", "s") == ["small"]
    assert completed(f"--data-dir {settings.data_dir} keys create x --plan") == ["default", "small"]


@pytest.mark.parametrize("content", [None, b"", b"nonsense " * 1000], ids=["absent", "empty", "nonsense"])
def test_a_database_that_cannot_be_read_offers_nothing(settings: Settings, content: bytes | None) -> None:
    if content is not None:
        settings.database_path.write_bytes(content)
    assert completed(f"--data-dir {settings.data_dir} keys revoke", "a") == []
    assert settings.data_dir.is_dir()
    assert not settings.database_path.exists() or settings.database_path.read_bytes() == content


def test_a_bad_setting_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLSCREENSHOTS_BOX_PROT", "1")
    assert completed("keys revoke", "a") == []


def written(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}


def test_completing_writes_nothing_and_says_nothing(data_dir: Path) -> None:
    command("--data-dir", str(data_dir), "keys", "create", "web")
    before = written(data_dir)
    words = f"allscreenshots-box --data-dir {data_dir} keys revoke we"
    asked = {"COMP_WORDS": words, "COMP_CWORD": "5", "_ALLSCREENSHOTS_BOX_COMPLETE": "bash_complete"}
    offered = subprocess.run([PROGRAM], capture_output=True, text=True, check=False, env=environment(**asked))
    assert (offered.stdout, offered.stderr) == ("plain,web\n", "")
    assert written(data_dir) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read it")
def test_who_may_not_read_the_database_is_offered_nothing(data_dir: Path) -> None:
    command("--data-dir", str(data_dir), "keys", "create", "web")
    words = f"allscreenshots-box --data-dir {data_dir} keys revoke we"
    asked = {"COMP_WORDS": words, "COMP_CWORD": "5", "_ALLSCREENSHOTS_BOX_COMPLETE": "bash_complete"}
    offered = subprocess.run(
        [PROGRAM], capture_output=True, text=True, check=False, env=environment(**asked), user="nobody", extra_groups=[]
    )
    assert (offered.stdout.strip(), offered.stderr) == ("", "")
