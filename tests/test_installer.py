"""What the installer decides, with stand-ins for Python, pip, apt, systemd and the box: the machine stays as it is.

What it does in earnest is for `make bare`.
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAID = re.compile(r"(?<=[=\" ])(?=/(?:opt|var/lib|etc|usr/(?:local|share)|run/systemd)/)", re.MULTILINE)
SECONDS = 30

# Stands in for Python, in an environment too. `pip` and `box` are what a test makes of them.
PYTHON = """#!/bin/sh
case "$*" in
*"import sys, venv, ensurepip"*) echo "$0 /usr 3.11" ;;
*"import sys, allscreenshots_box"*) echo "/usr 3.11" ;;
*"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"-m pip install"*) echo pip >>{machine}/calls; . {machine}/pip; touch "$(dirname "$0")/allscreenshots-box"
    chmod 755 "$(dirname "$0")/allscreenshots-box" ;;
*"-m pip uninstall"*) ;;
*/allscreenshots-box*) shift; echo "box $*" >>{machine}/calls; . {machine}/box ;;
*dangerously_disable_sandbox*) exit 1 ;;
*) exec {python} "$@" ;;
esac
"""

SNAP = 'case "$*" in "show --no-all-versions chromium") echo it ;; depends*) echo "  PreDepends: snapd" ;; esac'

BOX = """case "$*" in
"keys list --json") echo '[]' ;;
esac
"""

COMMANDS = {
    "apt-get": 'case "$*" in *update*) . {machine}/update ;; *) echo "apt $*" >>{machine}/calls ;; esac',
    "apt-cache": '. {machine}/cache "$@"',
    "dpkg-query": '. {machine}/packages; case " $packages " in *" $3 "*) printf installed ;; esac',
    "some-browser": "",
    "curl": "",
    "getent": "",
    "install": """skip=
for word; do
    shift
    case $skip$word in
    -o | -g) skip=@ ;;
    @*) skip= ;;
    *) set -- "$@" "$word" ;;
    esac
done
exec /usr/bin/install "$@" """,
    "setpriv": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    "sudo": ". {machine}/sudo",
    "systemctl": 'echo "systemctl $*" >>{machine}/calls; . {machine}/systemctl',
    "useradd": "",
}


class Machine:
    """A folder with a checkout and commands of its own: the installer in it knows no other machine."""

    def __init__(self, folder: Path, *, root: bool = False) -> None:
        self.folder = folder
        self.checkout = folder / "source"
        self._commands = folder / "commands"
        self.calls = folder / "calls"
        for made in (self.checkout / "allscreenshots_box", self._commands):
            made.mkdir(parents=True)
        for name in ("pyproject.toml", "README.md", "allscreenshots_box/__init__.py", "allscreenshots_box/commit.py"):
            shutil.copy(ROOT / name, self.checkout / name)
        for name in ("docs", "systemd"):
            shutil.copytree(ROOT / name, self.checkout / name, ignore=shutil.ignore_patterns("*.png"))
        for name in ("install.sh", "uninstall.sh"):
            laid = LAID.sub(str(folder), (ROOT / name).read_text())
            laid = re.sub('(?<=^browser_commands=)".*"', "some-browser", laid, flags=re.MULTILINE)
            self.script(self.checkout / name, laid)
        for name, text in COMMANDS.items():
            self.command(name, text)
        self.command("python", PYTHON.removeprefix("#!/bin/sh\n").replace("{python}", sys.executable))
        if root:
            self.command("id", 'case "$*" in *-u*) echo 0 ;; *) echo root ;; esac')
        for name in ("pip", "update", "cache", "sudo", "systemctl"):
            self.says(name, "")
        self.says("box", BOX)
        self.says(
            "packages",
            'packages="iproute2 openssl curl libatomic1 libnss3-tools chromium-headless-shell fonts-liberation'
            ' fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"',
        )

    def script(self, path: Path, text: str) -> None:
        path.write_text(text.replace("{machine}", str(self.folder)))
        path.chmod(0o755)

    def command(self, name: str, text: str) -> None:
        self.script(self._commands / name, f"#!/bin/sh\n{text}\n")

    def says(self, name: str, text: str) -> None:
        """Have one of the stand-ins do this from now on."""
        (self.folder / name).write_text(text.replace("{machine}", str(self.folder)))

    def start(self, *words: str, **extra: str) -> subprocess.Popen[str]:
        as_root = os.geteuid() == 0
        return subprocess.Popen(
            [str(self.checkout / "install.sh"), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user="nobody" if as_root else None,
            extra_groups=[] if as_root else None,
            cwd="/",
            start_new_session=True,  # no terminal to ask on
            env={
                "PATH": f"{self._commands}:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(self.folder),
                "TMPDIR": str(self.folder),
                "INSTALL_PYTHON": str(self._commands / "python"),
                "ALLSCREENSHOTS_BOX_PORT": "0",  # whatever this machine has at the usual one
                **extra,
            },
        )

    def run(self, *words: str, **extra: str) -> tuple[int, str]:
        """Run the installer; return its exit code and its words."""
        with self.start(*words, **extra) as installer:
            told, _ = installer.communicate(timeout=SECONDS)
        return installer.returncode, told

    def refused(self, *words: str, **extra: str) -> str:
        """Run the installer, which has to fail; return its last line, the sentence with the cure."""
        code, told = self.run(*words, **extra)
        assert code == 1, told
        return told.strip().splitlines()[-1]

    def edit(self) -> None:
        """Change the source, so that pip has work again."""
        with (self.checkout / "pyproject.toml").open("a") as file:
            file.write("# changed\n")

    def called(self) -> list[str]:
        """Return what was called since the last time."""
        told = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return told

    @property
    def environments(self) -> set[str]:
        """The folders of environments, finished or not."""
        return {path.name for path in self.checkout.glob(".venv-*")}

    @property
    def linked(self) -> str:
        """The one that is in use."""
        return (self.checkout / ".venv").readlink().name


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def host(folder: Path) -> Machine:
    made = Machine(folder)
    reachable(made)
    return made


@pytest.fixture
def set_up(host: Machine) -> Machine:
    """Return a machine whose checkout has been set up, and has been changed since."""
    assert host.run("--test", "--version")[0] == 0
    host.edit()
    host.called()
    return host


def reachable(host: Machine) -> None:
    """Give it all to whoever the installer is run as."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", host.folder], check=True)


# --- a try ----------------------------------------------------------------------------------------


def test_a_checkout_is_set_up_once(host: Machine) -> None:
    for pip in ["pip"], []:
        assert host.run("--test", "--version")[0] == 0
        assert [call for call in host.called() if call == "pip"] == pip


def test_a_rebuild_leaves_one_environment(set_up: Machine) -> None:
    before = set_up.linked
    assert set_up.run("--test", "--version")[0] == 0
    assert {set_up.linked} == set_up.environments != {before}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("NewConnectionError: Failed to establish a new connection", "the registry does not answer, or not with all"),
        ("ERROR: No matching distribution found for granian", "the registry does not answer, or not with all"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "the registry does not answer, or not with all"),
        ("OSError: [Errno 28] No space left on device", "a disk is full"),
        ("error: subprocess-exited-with-error", "see above"),
    ],
)
def test_a_rebuild_that_fails_leaves_what_was_there(set_up: Machine, words: str, sentence: str) -> None:
    before = set_up.linked
    set_up.says("pip", f"echo '{words}'; exit 1")
    told = set_up.refused("--test", "--version")
    assert sentence in told
    assert told.endswith("What was installed before is as it was.")
    assert {set_up.linked} == set_up.environments == {before}


def test_an_installer_that_is_killed_leaves_what_was_there(set_up: Machine) -> None:
    before = set_up.linked
    set_up.says("pip", "touch {machine}/began; sleep 60")
    with set_up.start("--test", "--version") as installer:
        end = time.monotonic() + SECONDS
        while not (set_up.folder / "began").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        os.killpg(installer.pid, signal.SIGKILL)
    assert set_up.linked == before
    assert len(set_up.environments) == 2
    set_up.says("pip", "")
    assert set_up.run("--test", "--version")[0] == 0
    assert {set_up.linked} == set_up.environments != {before}


def test_a_second_installer_is_refused(host: Machine) -> None:
    held = os.open(host.checkout, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another install.sh is at work on" in host.refused("--serve")
    finally:
        os.close(held)


def test_what_the_browser_needs_not_is_installed_for_tests_alone(host: Machine) -> None:
    host.says(
        "packages",
        'packages="libnss3-tools chromium-headless-shell fonts-liberation fonts-noto-core'
        ' fonts-noto-cjk fonts-noto-color-emoji"',
    )
    host.says("sudo", '[ "$1" != -n ] || shift; exec "$@"')
    assert host.run("--test", "--version")[0] == 0
    (apt,) = [call for call in host.called() if call.startswith("apt ")]
    assert apt.endswith(" iproute2 openssl curl libatomic1")


def test_a_python_without_venv_is_told_of(host: Machine) -> None:
    host.command("python", "exit 1")
    assert "with its venv and ensurepip modules" in host.refused("--serve")


def test_too_little_room_is_told_before_anything_is_made(host: Machine) -> None:
    host.command("df", "echo; echo disk 9000 8900 100 99% /")
    assert re.search(r"100 MiB are free in \S+, and 400 are needed", host.refused("--serve"))
    assert not host.environments


def test_a_folder_that_may_not_be_written_is_told_of(host: Machine) -> None:
    host.checkout.chmod(0o555)
    assert "may not write in" in host.refused("--serve")
    host.checkout.chmod(0o755)


def test_beside_an_installed_service_a_try_is_refused_at_once(host: Machine) -> None:
    data = host.folder / "var/lib/allscreenshots-box"
    data.mkdir(parents=True, mode=0o555)
    told = host.refused("--serve")
    assert "its data in" in told
    assert told.endswith("./install.sh --serve --data-dir DIR --port 8081")
    assert host.called() == []


def test_a_port_that_is_taken_is_told_before_anything_is_made(host: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is taken" in host.refused("--serve", "--port", str(port))
    assert host.called() == []


def test_a_user_without_sudo_is_told_what_root_has_to_run(host: Machine) -> None:
    host.says("packages", "packages=")
    host.says("sudo", "exit 1")
    code, told = host.run("--serve")
    assert code == 1
    assert "without a terminal to ask on. As root, run:\n    apt-get update && apt-get install" in told
    assert host.called() == []


@pytest.mark.parametrize(
    ("update", "cache", "sentence"),
    [
        ("exit 1", "", "apt cannot reach its mirrors"),
        ("", "echo chromium", "apt-get could not install what is missing"),
    ],
)
def test_who_is_to_blame_for_missing_packages_is_told(host: Machine, update: str, cache: str, sentence: str) -> None:
    host.command("apt-get", f'case "$*" in *update*) {update or ":"} ;; *) exit 1 ;; esac')
    host.says("sudo", '[ "$1" != -n ] || shift; exec "$@"')
    host.says("cache", cache)
    host.says("packages", "packages=")
    assert sentence in host.refused("--serve")


@pytest.mark.parametrize("cache", ["", SNAP])
def test_where_apt_has_no_browser_but_a_snap_nothing_is_installed(host: Machine, cache: str) -> None:
    host.says("sudo", '[ "$1" != -n ] || shift; exec "$@"')
    host.says("packages", "packages=")
    host.says("cache", cache)
    (host.folder / "commands" / "some-browser").unlink()
    code, told = host.run("--serve")
    assert code == 1, told
    assert "no browser, no box" in told
    assert "ALLSCREENSHOTS_BOX_BROWSER=" in told
    assert host.called() == []


def test_where_the_browser_is_named_none_is_looked_for(host: Machine) -> None:
    (host.folder / "commands" / "some-browser").unlink()
    host.says(
        "packages",
        'packages="libnss3-tools fonts-liberation fonts-noto-core fonts-noto-cjk'
        ' fonts-noto-color-emoji iproute2 openssl libatomic1"',
    )
    assert host.run("--test", "--version", ALLSCREENSHOTS_BOX_BROWSER="/opt/shell")[0] == 0


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def laid_command(host: Machine) -> Path:
    """Return the command as it is laid in an environment whose Python is a real one without the packages."""
    assert host.run("--test", "--version")[0] == 0
    command = host.checkout / ".venv" / "bin" / "allscreenshots-box"
    command.with_name("python").unlink()
    command.with_name("python").symlink_to(Path(sys.executable).resolve())
    return command


def refusal_of(command: Path) -> str:
    done = subprocess.run([command, "doctor"], capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


def test_with_another_python_the_command_says_what_to_do(laid_command: Path) -> None:
    told = refusal_of(laid_command)
    assert "No module named 'allscreenshots_box'. The Python that it was installed with has changed" in told
    assert "Run its installer again, in the folder of its source: sudo ./install.sh" in told


def test_without_its_python_the_command_says_what_to_do(laid_command: Path) -> None:
    laid_command.with_name("python").unlink()
    assert "is gone, as after an upgrade of the distribution. Run its installer again" in refusal_of(laid_command)


def test_the_command_hands_everything_on(laid_command: Path) -> None:
    package = laid_command.parents[1] / "package" / "allscreenshots_box"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("import sys\ndef main(): print(sys.argv)\n")
    link = laid_command.parents[2] / "link"
    link.symlink_to(laid_command)
    environment = {"PYTHONPATH": str(package.parent), "PATH": "/nonexistent"}
    done = subprocess.run([link, "a b", "*"], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"{[str(link), 'a b', '*']}\n"


def test_what_the_installer_leaves_out_the_box_never_asks_for() -> None:
    script = (ROOT / "install.sh").read_text()
    (names,) = re.findall('^only_for_building="(.+)"', script, re.MULTILINE)
    program = f"""
import sys
sys.modules.update(dict.fromkeys({names.split()!r}))
from pathlib import Path
import allscreenshots_box.doctor, allscreenshots_box.server
from allscreenshots_box.app import create_app
from allscreenshots_box.config import Settings
assert create_app(Settings(data_dir=Path("/nonexistent"))).openapi_schema.to_schema()["paths"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# --- the service ----------------------------------------------------------------------------------


class Service(Machine):
    """A machine whose installer believes that it is root, with systemd."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, root=True)
        (folder / "run/systemd/system").mkdir(parents=True)
        self.link = folder / "opt/allscreenshots-box/venv"
        self.data = folder / "var/lib/allscreenshots-box"

    @property
    def used(self) -> str:
        """The environment that the service runs."""
        return self.link.readlink().name

    def steps(self) -> list[str]:
        """Return what was done since the last time, as far as it can stop or change what runs."""
        wanted = ("pip", "box doctor", "box plans", "systemctl st")
        return [call.removesuffix(" allscreenshots-box") for call in self.called() if call.startswith(wanted)]


@pytest.fixture
def service(folder: Path) -> Service:
    """Return a machine with an installed service that has keys, and another source since."""
    made = Service(folder)
    reachable(made)
    code, told = made.run()
    assert code == 0, told
    assert "Make the first key, as root:" in told
    (made.data / "box.db").touch()
    made.says("box", BOX.replace("[]", '[{{"name": "kept"}}]'))
    made.edit()
    made.called()
    reachable(made)
    return made


def test_an_upgrade_stops_the_service_when_all_is_ready(service: Service) -> None:
    before = service.used
    code, told = service.run()
    assert code == 0, told
    assert service.steps() == [
        "pip", "box doctor browser sandbox", "systemctl stop", "box plans list", "systemctl start",
    ]  # fmt: skip
    assert service.used != before
    assert [path.name for path in service.link.parent.glob("venv-*")] == [service.used]
    assert "first key" not in told


def test_an_environment_that_fits_need_not_be_ours(host: Machine) -> None:
    assert host.run("--test", "--version")[0] == 0
    host.checkout.chmod(0o555)
    assert host.run("--test", "--version")[0] == 0
    host.checkout.chmod(0o755)


@pytest.mark.parametrize(
    ("stand_in", "text", "sentence"),
    [
        ("pip", "echo No matching distribution; exit 1", "What was installed before is as it was."),
        ("box", 'case "$1" in doctor) exit 1 ;; esac', "What was installed before serves on."),
    ],
)
def test_an_upgrade_that_fails_before_its_time_stops_nothing(
    service: Service, stand_in: str, text: str, sentence: str
) -> None:
    before = service.used
    service.says(stand_in, text)
    assert sentence in service.refused()
    assert not [step for step in service.steps() if step.startswith("systemctl")]
    assert service.used == before


def test_a_version_that_does_not_start_gives_way_to_the_one_before(service: Service) -> None:
    before = service.used
    unit = service.folder / "etc/systemd/system/allscreenshots-box.service"
    unit.write_text("# the unit of before\n")
    service.says("systemctl", '[ "$1" != start ] || mkdir {machine}/tried 2>/dev/null && exit 1')
    service.says("systemctl", "case $1 in start) ! mkdir {machine}/tried 2>/dev/null ;; esac")
    told = service.refused()
    assert "it does not start: journalctl -u allscreenshots-box -n 20 says why" in told
    assert told.endswith("The version before is, as it was.")
    assert service.steps()[-3:] == ["systemctl start", "systemctl stop", "systemctl start"]
    assert service.used == before
    assert unit.read_text() == "# the unit of before\n"


def test_where_the_database_was_changed_the_way_back_is_told(service: Service) -> None:
    before = service.used
    copy = service.data / "box.db.before-m008"
    service.says("box", f'case "$*" in "plans list") echo "it is kept as it was: {copy}" >&2 ;; esac')
    service.says("systemctl", "case $1 in start) exit 1 ;; esac")
    told = service.refused()
    assert told.endswith(f"allscreenshots-box restore {copy} && systemctl start allscreenshots-box")
    assert service.steps()[-2:] == ["systemctl start", "systemctl stop"]
    assert service.used == before


def test_a_database_that_cannot_be_changed_is_left_to_the_version_before(service: Service) -> None:
    before = service.used
    service.says("box", 'case "$*" in "plans list") echo full >&2; exit 1 ;; esac')
    assert service.refused().endswith("The version before is, as it was.")
    assert service.steps()[-3:] == ["box plans list", "systemctl stop", "systemctl start"]
    assert service.used == before


def test_an_older_installers_environment_is_turned_away_from_and_back_to(service: Service) -> None:
    used = service.link.parent / service.used
    service.link.unlink()
    used.rename(service.link)
    (service.link / "older").touch()
    service.says("systemctl", "case $1 in start) ! mkdir {machine}/tried 2>/dev/null ;; esac")
    assert service.refused().endswith("The version before is, as it was.")
    assert (service.link / "older").exists()
    assert service.run()[0] == 0
    assert not (service.link / "older").exists()
    assert len(list(service.link.parent.glob("venv*"))) == 2


def test_without_systemd_nothing_is_changed_below_a_box_that_serves(service: Service) -> None:
    shutil.rmtree(service.folder / "run/systemd")
    with (service.data / "serve.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = service.refused()
    assert f"stop it (kill {os.getpid()}), then run this again" in told
    assert service.steps() == []
