"""Measures what each kind of picture costs: Chromium's encoders on the benchmark's pages, in time, CPU and size."""

import argparse
import asyncio
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import report, stage
from benchmarks.devtools import DevTools, chromium, page
from benchmarks.processes import cpu_seconds
from benchmarks.report import Row

PAGES = ("table.html", "bench-images.html", "bench-scripts.html")
ENCODERS: Mapping[str, Mapping[str, Any]] = {
    "png, fast": {"format": "png", "optimizeForSpeed": True},
    "png, small": {"format": "png"},
    "jpeg 80": {"format": "jpeg", "quality": 80},
    "jpeg 80, fast": {"format": "jpeg", "quality": 80, "optimizeForSpeed": True},
    "webp 80": {"format": "webp", "quality": 80},
    "webp 80, fast": {"format": "webp", "quality": 80, "optimizeForSpeed": True},
}


@dataclass
class Measured:
    """What one encoder took on one page, over all rounds."""

    milliseconds: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    size: int = 0  # bytes


Results = dict[str, dict[str, Measured]]  # by page, by encoder


async def benchmark(address: str, rounds: int) -> Results:
    """Open each page once, and let the encoders take turns on it."""
    results: Results = defaultdict(lambda: defaultdict(Measured))
    async with chromium(stage.HEADLESS_SHELL) as (devtools, pid):
        for name in PAGES:
            async with page(devtools, f"http://{address}/{name}") as session:
                await devtools.send("Page.captureScreenshot", session)  # the first has more to draw
                for _ in range(rounds):
                    for encoder, order in ENCODERS.items():
                        await measure(devtools, pid, session, order, results[name][encoder])
    return results


async def measure(devtools: DevTools, pid: int, session: str, order: Mapping[str, Any], seen: Measured) -> None:
    """Take one picture of the page that is open."""
    cpu, began = cpu_seconds(pid), time.perf_counter()
    answer = await devtools.send("Page.captureScreenshot", session, **order)
    seen.milliseconds.append((time.perf_counter() - began) * 1000)
    seen.cpu_seconds += cpu_seconds(pid) - cpu
    seen.size = len(answer["data"]) * 3 // 4  # it comes as Base64


def summary(seen: Measured) -> Row:
    """Boil the figures down to a row."""
    return {
        "p50 ms": round(statistics.median(seen.milliseconds), 1),
        "CPU ms": round(1000 * seen.cpu_seconds / len(seen.milliseconds)),
        "kB": round(seen.size / 1000),
    }


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="pictures of each kind of each page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    return parser.parse_args()


def main() -> None:
    """Measure, print a table for each page."""
    options = arguments()
    if os.geteuid() == 0:
        stage.become(stage.USER)
    with stage.site() as address:
        results = asyncio.run(benchmark(address, options.rounds))
    tables = {name: {encoder: summary(seen) for encoder, seen in rows.items()} for name, rows in results.items()}
    for name, rows in tables.items():
        print(f"\n{name}\n\n{report.markdown('encoder', rows)}")
    about = report.machine()
    print("\n" + report.line(about))
    raw = {name: {encoder: asdict(seen) for encoder, seen in rows.items()} for name, rows in results.items()}
    report.write(options.json, {"machine": about, "tables": tables, "raw": raw})


if __name__ == "__main__":
    main()
