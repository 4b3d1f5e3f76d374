"""A root file system of another machine: bootstrapped once, entered as often as wanted, and nothing of it stays."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("BARE_CACHE", "/var/tmp/allscreenshots-box-bare"))
DEBIAN = os.environ.get("BARE_DEBIAN_MIRROR", "http://deb.debian.org/debian")
UBUNTU = os.environ.get("BARE_UBUNTU_MIRROR", "http://archive.ubuntu.com/ubuntu")
CHANGE = "m007_days"  # of the database: the older version that is upgraded from is the last one without it


@dataclass(frozen=True)
class Release:
    """A distribution's release, and how it is bootstrapped."""

    suite: str
    mirror: str
    has_browser: bool = True
    options: tuple[str, ...] = ()
    script: tuple[str, ...] = ()


# Ubuntu's key is not on a Debian, nor does Debian's debootstrap know its newest suites: all are made like an old one.
_UBUNTU = ("--components=main,universe", "--no-check-gpg")
_LIKE = ("/usr/share/debootstrap/scripts/gutsy",)

RELEASES = {
    "debian-12": Release("bookworm", DEBIAN),
    "debian-13": Release("trixie", DEBIAN),
    "ubuntu-26.04": Release("resolute", UBUNTU, has_browser=False, options=_UBUNTU, script=_LIKE),
}

# In namespaces of its own for mounts and processes, which end with the first of them. By pivot_root, since a process
# that is only chrooted may make no user namespace, and so no browser its sandbox.
_ENTER = """
set -e
root=$1 caches=$2; shift 2
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --bind /dev dev
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666,mode=0620
mount --bind dev/pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm -o mode=1777,size=1g
mount -t tmpfs tmpfs run -o mode=0755
mkdir -p var/cache/pip
mount --bind "$caches/apt" var/cache/apt/archives
mount --bind "$caches/pip" var/cache/pip
cp /etc/resolv.conf etc/resolv.conf
hostname bare
mkdir .before
pivot_root . .before
cd /
umount -l .before
rmdir .before
exec setsid --wait env -i "$@"
"""


class Root:
    """A fresh root, with the repository's last commit in /srv/box and an older version in /srv/older."""

    def __init__(self, release: Release, *, fresh: bool) -> None:
        self._base = _bootstrapped(release)
        self._folder = Path(tempfile.mkdtemp(prefix="root-", dir=CACHE))
        self._upper = self._folder / "upper"
        self._caches = (self._folder if fresh else CACHE) / f"caches-{release.suite}"
        for folder in (self._caches / "apt" / "partial", self._caches / "pip"):
            folder.mkdir(parents=True, exist_ok=True)
        (self._caches / "pip").chmod(0o1777)
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir()
        self._upper.chmod(0o755)  # it becomes the root's own

    def __enter__(self) -> Self:
        home = self._upper / "srv"
        home.mkdir()
        for name, commit in (("box", "HEAD"), ("older", _before_change())):
            _git("clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(home / name))
            _git("-C", str(home / name), "checkout", "--quiet", "--detach", _git("rev-parse", commit))
        shutil.copytree(Path(__file__).parent / "in_root", home / "in_root")
        self._pass_on_the_network()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder)

    def run(self, *words: str) -> int:
        """Run a command inside, with what it says on our own terminal; return its exit code."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = [f"PATH={path}", "HOME=/root", "LANG=C.UTF-8", "PIP_CACHE_DIR=/var/cache/pip", *_proxies()]
        kinds = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        outside = {"LOWER": self._base, "UPPER": self._upper, "WORK": self._folder / "work"}
        return subprocess.run(
            [*kinds, "sh", "-c", _ENTER, "enter", self._folder / "root", self._caches, *inside, *words],
            env=os.environ | {name: str(path) for name, path in outside.items()},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode

    def size(self) -> int:
        """Return how many MiB lie in the root, what was there before included."""
        told = subprocess.run(["du", "-smc", self._base, self._upper], capture_output=True, text=True, check=True)
        return int(told.stdout.splitlines()[-1].split()[0])

    def _pass_on_the_network(self) -> None:
        """Give pip inside what reaches the registry outside: its index, and the authority that it believes."""
        lines = [f"{name} = {os.environ[variable]}" for name, variable in _PIP.items() if variable in os.environ]
        if authorities := os.environ.get("PIP_CERT"):
            shutil.copy(authorities, self._upper / "authorities.pem")
            lines.append("cert = /authorities.pem")
        (self._upper / "etc").mkdir(exist_ok=True)
        (self._upper / "etc" / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))


_PIP = {"index-url": "PIP_INDEX_URL", "timeout": "PIP_DEFAULT_TIMEOUT"}


def _proxies() -> Iterator[str]:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if value := os.environ.get(name):
            yield f"{name}={value}"


def _bootstrapped(release: Release) -> Path:
    base = CACHE / f"base-{release.suite}"
    if not base.exists():
        CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = base.with_suffix(".unfinished")
        with suppress(FileNotFoundError):
            shutil.rmtree(unfinished)
        options = ["--variant=minbase", *release.options]
        words = ["debootstrap", *options, release.suite, str(unfinished), release.mirror]
        subprocess.run([*words, *release.script], check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(base)
    return base


def _before_change() -> str:
    # By the path that it had then.
    added = _git("log", "--format=%H", f"-Sdef {CHANGE}", "--", "allscreenshots_box/database.py").split()[-1]
    return f"{added}^"


def _git(*words: str) -> str:
    asked = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY), *words]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
