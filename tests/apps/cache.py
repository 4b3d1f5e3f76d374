"""Where applications are installed: once, from registries, and again when what is wanted of them has changed."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .app import HERE, App, AppError, Place

CACHE = Path(os.environ.get("APPS_CACHE", "/var/tmp/allscreenshots-box-apps"))
INSTALL_SECONDS = 1800
NPM = ("npm", "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--legacy-peer-deps")
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def installed(app: App) -> Path:
    """Return the folder of an application, with its packages and what is built of them."""
    home = CACHE / app.name
    packages, files = _digest(app.pip, app.npm, app.deb), _digest(app.build, _contents(app))
    if not _is(home / ".packages", packages):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _fetch(app, home)
        (home / ".packages").write_text(packages)
    if not _is(home / ".files", files):
        _build(app, home)
        (home / ".files").write_text(files)
    return home


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _is(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text() == digest


def _contents(app: App) -> list[tuple[str, bytes]]:
    """Return the files that are copied, by their names."""
    folder = HERE / app.files
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if app.files else []
    return [(str(path.relative_to(folder)), path.read_bytes()) for path in paths]


def _fetch(app: App, home: Path) -> None:
    if app.pip:
        _run(app, home, sys.executable, "-m", "venv", str(home / "venv"))
        _run(app, home, str(home / "venv/bin/python"), *PIP, *app.pip)
    if app.npm:
        (home / "package.json").write_text('{"private": true, "type": "module"}\n')
        _run(app, home, *NPM, *app.npm)
    if app.deb:
        _run(app, home, "apt-get", "download", *app.deb)
        for package in sorted(home.glob("*.deb")):
            _run(app, home, "dpkg", "-x", str(package), "debian")


def _build(app: App, home: Path) -> None:
    for name, content in _contents(app):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for command in app.build:
        _run(app, home, *(Place(home).fill(word) for word in command))


def _run(app: App, home: Path, *command: str) -> None:
    """Run a command to its end in the folder of an application, and nicely: others may measure meanwhile."""
    kept = {"HOME": os.environ["HOME"]}  # caches of packages are everybody's
    done = subprocess.run(
        ["nice", "-n", "10", *command],
        cwd=home,
        env=Place(home).environment(app) | kept,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise AppError(f"{app.name}: {' '.join(command)} failed\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
