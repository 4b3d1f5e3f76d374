"""Real applications, installed from registries and shot by the box and by a plain script: which pictures are finished.

Needs the registries of Python and Node.js, and Debian's, at the first run; nothing is installed on this machine but
below APPS_CACHE.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PIL import Image

from benchmarks.stage import BOX
from tests.box import free_port

from .app import App, AppError, serving
from .cache import installed
from .cameras import Camera, PlainCamera, Taken, box_camera, plain_browser
from .report import Result, sheet, table
from .table import APPS
from .verify import verify

MOST_FAILED = 2  # pictures that were not had at all; after them the next would not be either


def main() -> int:
    """Install, shoot and judge what is asked for, and print the table."""
    asked = argparse.ArgumentParser(prog="python -m tests.apps", description=__doc__)
    asked.add_argument("--only", action="append", choices=[app.name for app in APPS], metavar="NAME")
    asked.add_argument("--times", type=int, default=10, help="shots of each by each camera")
    asked.add_argument("--busy", action="store_true", help="with two busy loops beside")
    asked.add_argument("--program", default=str(BOX), metavar="PATH", help="the box to try")
    asked.add_argument("--box-only", action="store_true", help="without the plain script")
    asked.add_argument("--verify", action="store_true", help="try the checks instead, on all moments of each page")
    asked.add_argument("--install", action="store_true", help="install only")
    asked.add_argument("--list", action="store_true", help="print the names only")
    asked.add_argument("--json", type=Path, metavar="FILE", help="where all results go")
    asked.add_argument("--sheet", type=Path, metavar="FILE", help="where the contact sheet goes: of each the worst")
    asked.add_argument("--pictures", type=Path, metavar="FOLDER", help="where the pictures of the sheet go, each whole")
    given = asked.parse_args()
    apps = [app for app in APPS if given.only is None or app.name in given.only]
    if given.list:
        sys.stdout.writelines(f"{app.name}\n" for app in apps)
        return 0
    homes = _homes(apps)
    apps = [app for app in apps if app.name in homes]
    if given.install or not apps:
        return 0
    if given.verify:
        return _verify(apps, homes, given)
    rows = _rows(apps, homes, given)
    _write(rows, given)
    return int(any(result.wrong for results in rows.values() for result in results if result.camera == "box"))


def _homes(apps: Sequence[App]) -> dict[str, Path]:
    """Install what is not; what cannot be is told, and left out."""
    homes = {}
    for app in apps:
        try:
            homes[app.name] = installed(app)
        except (AppError, subprocess.TimeoutExpired) as error:
            sys.stdout.write(f"{error}\n")
    return homes


def _rows(apps: Sequence[App], homes: dict[str, Path], given: argparse.Namespace) -> dict[str, list[Result]]:
    """Shoot every application with every camera; those that do not start are told, and left out."""
    rows: dict[str, list[Result]] = {}
    with ExitStack() as stack:
        ports = {app.name: free_port() for app in apps}
        cameras = list(_cameras(stack, list(ports.values()), given))
        stack.enter_context(_busy(2 if given.busy else 0))
        for app in apps:
            try:
                with serving(app, homes[app.name], ports[app.name]) as url:
                    cameras[0].take(url)  # what is shown for the first time may take longer
                    rows[app.name] = [_shoot(app, camera, url, given) for camera in cameras]
            except AppError as error:
                sys.stdout.write(f"{error}\n")
    return rows


def _cameras(stack: ExitStack, ports: list[int], given: argparse.Namespace) -> Iterator[Camera]:
    yield stack.enter_context(box_camera(given.program, ports))
    if not given.box_only:
        browser = stack.enter_context(plain_browser())
        yield PlainCamera(browser, "load")
        yield PlainCamera(browser, "networkidle")


def _verify(apps: Sequence[App], homes: dict[str, Path], given: argparse.Namespace) -> int:
    """Try the checks of every application on pictures of its page from the first moment to the last."""
    bad = 0
    with plain_browser() as browser:
        for app in apps:
            try:
                with serving(app, homes[app.name], free_port()) as url:
                    verdict = verify(app, url, browser)
            except AppError as error:
                sys.stdout.write(f"{error}\n")
                continue
            bad += not verdict.good
            sys.stdout.write(f"{'good' if verdict.good else 'BAD'}: {app.name}: {verdict.told}\n")
            sys.stdout.flush()
            _keep({f"{app.name}-{name}": picture for name, picture in verdict.pictures.items()}, given.pictures)
    return int(bool(bad))


def _keep(pictures: dict[str, Image.Image], folder: Path | None) -> None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            picture.save(folder / f"{name}.png")


def _shoot(app: App, camera: Camera, url: str, given: argparse.Namespace) -> Result:
    """Take the pictures of one camera, and judge each."""
    result = Result(app.name, camera.name)
    failed = 0
    while len(result.ms) < given.times and failed < MOST_FAILED:
        taken = camera.take(url)
        failed += taken.picture is None
        result.add(taken.ms, _judged(app, taken), taken.picture)
    sys.stdout.write(f"{app.name}: {camera.name} {' '.join(result.cells)} {result.wrong[:1] or ''}\n")
    sys.stdout.flush()
    return result


def _judged(app: App, taken: Taken) -> str:
    return app.wrong(taken.picture) if taken.picture else taken.problem


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep as many processors busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _write(rows: dict[str, list[Result]], given: argparse.Namespace) -> None:
    results = [result for row in rows.values() for result in row]
    shown = [row[0] for row in rows.values()]
    if rows:
        sys.stdout.write(f"\n{table(rows)}\n")
    if given.json:
        given.json.write_text(json.dumps([result.told() for result in results], indent=1) + "\n")
    if given.sheet and shown:
        sheet(shown).save(given.sheet, optimize=True)
    _keep({f"{result.app}-{result.camera}": result.picture for result in results if result.picture}, given.pictures)


if __name__ == "__main__":
    sys.exit(main())
