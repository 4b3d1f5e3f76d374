"""Shows which pages that go on after their load event come out right: by the box, and by plain Playwright.

Each result of tests/settled is taken by the box with its defaults, and by Playwright with the same browser, at the load
event and once the network is idle. With --prove, the checks are tried instead: they must accept what Playwright gives
six seconds after the load event, and refuse a page that came no further than its own document.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from benchmarks import report
from benchmarks.stage import BOX, HEADLESS_SHELL
from tests.camera import Camera, open_camera
from tests.settled import plain
from tests.settled.cases import Take
from tests.settled.table import PAGES, TAKES
from tests.settled.taking import Taken
from tests.site.server import Site

MOST_NAME = 80  # letters of a fault in the table


@dataclass(frozen=True)
class Result:
    """One cell: what was wrong, if anything, how long it took, and what the box told beside it."""

    fault: str
    milliseconds: int
    told: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, ("no" if self.fault else "yes", str(self.milliseconds), self.told)))


Row = dict[str, Result]


def by_box(camera: Camera, take: Take, keep: "Keep") -> Result:
    """Take it with the box."""
    began = time.monotonic()
    taken = Taken(take, camera.ask(take.path, **take.body))
    keep(take, "box", taken.answer.content)
    headers = taken.answer.headers
    told = [f"settled {headers['x-settled-ms']}"] if "x-settled-ms" in headers else []
    told += [f"({taken.missed})"] if taken.missed else []
    return Result("; ".join(taken.faults()), since(began), " ".join(told))


def since(began: float) -> int:
    """Give the milliseconds since a moment."""
    return round((time.monotonic() - began) * 1000)


class Keep:
    """Keeps what was taken in a folder, for eyes."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, take: Take, how: str, content: bytes) -> None:
        """Keep one."""
        if self._folder:
            end = "pdf" if content.startswith(b"%PDF") else "png"
            (self._folder / f"{take.name.replace(' ', '-')}.{how}.{end}").write_bytes(content)


async def by_playwright(browser: Browser, site: Site, take: Take, way: plain.Way, keep: Keep) -> Result:
    """Take it with Playwright."""
    began = time.monotonic()
    try:
        content = await plain.take(browser, site.url(take.path), take, way)
    except plain.FAILURES as error:
        return Result(str(error).partition("\n")[0], since(began))
    keep(take, way.name, content)
    return Result(take.check(content), since(began))


async def each(takes: Sequence[Take], at_once: int, do: Callable[[Take], Awaitable[Row]]) -> dict[str, Row]:
    """Do something with each take, so many at once."""
    turn = asyncio.Semaphore(at_once)

    async def one(take: Take) -> Row:
        async with turn:
            row = await do(take)
        print(f"{take.name}: " + ", ".join(f"{name} {cell}" for name, cell in row.items()), file=sys.stderr, flush=True)
        return row

    rows = await asyncio.gather(*map(one, takes))
    return {take.name: row for take, row in zip(takes, rows, strict=True)}


async def measured(takes: Sequence[Take], options: argparse.Namespace) -> dict[str, Row]:
    """Take all with the box and with Playwright."""
    keep = Keep(options.keep)
    with Site(routes=PAGES) as site, open_camera(site, program=options.program) as camera:
        async with async_playwright() as playwright:
            browser = await plain.launch(playwright, options.browser)

            async def do(take: Take) -> Row:
                return {
                    "box": await asyncio.to_thread(by_box, camera, take, keep),
                    "plain": await by_playwright(browser, site, take, plain.LOAD, keep),
                    "networkidle": await by_playwright(browser, site, take, plain.IDLE, keep),
                }

            return await each(takes, options.at_once, do)


async def proven(takes: Sequence[Take], options: argparse.Namespace) -> dict[str, Row]:
    """Try each check on what it must accept, and on what it must refuse."""
    keep = Keep(options.keep)
    with Site(routes=PAGES) as site:
        async with async_playwright() as playwright:
            browser = await plain.launch(playwright, options.browser)

            async def do(take: Take) -> Row:
                early = plain.SPOILT if take.case.wrong else plain.STILL
                return {
                    "accepts": await by_playwright(browser, site, take, plain.SETTLED, keep),
                    "refuses": await by_playwright(browser, site, take, early, keep),
                }

            return await each(takes, options.at_once, do)


def unproven(rows: dict[str, Row]) -> list[str]:
    """Name the checks that refuse what is right or accept what is not."""
    return [
        f"{name}: {row['accepts'].fault or 'accepts what is not settled'}"
        for name, row in rows.items()
        if row["accepts"].fault or not row["refuses"].fault
    ]


def table(rows: dict[str, Row]) -> str:
    """Write the table with its totals."""
    columns = list(next(iter(rows.values())))
    totals = {name: f"{sum(not row[name].fault for row in rows.values())} of {len(rows)}" for name in columns}
    cells = {name: {column: str(cell) for column, cell in row.items()} for name, row in rows.items()}
    return report.markdown("case", cells | {"right": totals})


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME", help="only results with this in their name")
    parser.add_argument("--program", default=str(BOX), help="the allscreenshots-box to try, if not this checkout's")
    parser.add_argument("--browser", default=HEADLESS_SHELL, help="the browser that Playwright drives")
    parser.add_argument("--at-once", type=int, default=1, help="how many are taken at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the pictures here, to look at")
    parser.add_argument("--prove", action="store_true", help="try the checks and not the box")
    return parser.parse_args()


def main() -> None:
    """Take all that is asked for, and print the table; exit with 1 if the box, or a check, is wrong anywhere."""
    options = arguments()
    takes = [take for take in TAKES if not options.only or any(word in take.name for word in options.only)]
    rows = asyncio.run((proven if options.prove else measured)(takes, options))
    if options.json:
        options.json.write_text(json.dumps(rows, default=vars, indent=1) + "\n")
    print(table(rows))
    wrong = unproven(rows) if options.prove else [name for name, row in rows.items() if row["box"].fault]
    print("\n" + ("\n".join(wrong) or "All is well."))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
