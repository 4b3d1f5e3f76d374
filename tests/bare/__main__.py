"""Bare machines: roots of Debian and Ubuntu with nothing but a clone, in which is done what the README says.

Needs root, debootstrap, git, and mirrors. Nothing of it touches this machine but the cache folder and the network.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from .root import RELEASES, Release, Root

IN_ROOT = Path(__file__).parent / "in_root"
STORIES = ("try", "user", "refusals", "service", "by_hand", "test")
WITHOUT_BROWSER = ("no_browser",)  # what can be told where apt has none


def main() -> int:
    """Run the stories that were asked for, one after the other, and print their table."""
    asked = argparse.ArgumentParser(prog="python -m tests.bare", description=__doc__)
    asked.add_argument("release", nargs="*", choices=[[], *RELEASES], help="all of them, if none is named")
    asked.add_argument("--story", action="append", choices=[*STORIES, *WITHOUT_BROWSER], help="one of the stories only")
    asked.add_argument(
        "--tests", default="", help="what `install.sh --test` gets in the story `test`; all tests if empty"
    )
    asked.add_argument("--fresh", action="store_true", help="download everything anew, as a first machine does")
    asked.add_argument("--port", default=18080, type=int, help="two from here on, of this machine")
    given = asked.parse_args()
    rows = []
    for name in given.release or RELEASES:
        release = RELEASES[name]
        for story in STORIES if release.has_browser else WITHOUT_BROWSER:
            if given.story is None or story in given.story:
                rows.append(tell(name, release, story, given))
                print(*rows[-1], sep=" | ", flush=True)
    print("\n| System | Story | Result | Seconds | MiB |\n| --- | --- | --- | ---: | ---: |")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return int(any(row[2] != "as it should" for row in rows))


def tell(name: str, release: Release, story: str, given: argparse.Namespace) -> tuple[str, ...]:
    """Run one story in a root of its own; return its row of the table."""
    with Root(release, fresh=given.fresh) as root:
        print(f"\n== {name}: {story}", flush=True)
        begun = time.monotonic()
        done = root.run("/srv/in_root/tell", story, str(given.port), given.tests)
        seconds = time.monotonic() - begun
        size = root.size()
    result = "as it should" if done == 0 else f"FAILED ({done})"
    return name, story, result, f"{seconds:.0f}", f"{size}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} failed ({error.returncode}): its words are above.")
