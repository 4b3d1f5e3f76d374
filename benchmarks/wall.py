"""Measures what the wall costs: the box beside the same box whose Chromium goes to the network by itself."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks import report, stage
from benchmarks.bars import LONG
from benchmarks.figures import Measured, mixed
from benchmarks.report import Row
from benchmarks.run import Page, Plan, Results, measure, pages, turns, warm_up
from benchmarks.stage import Target
from tests.attacks import unguarded

WITH, WITHOUT = "with the wall", "without"
MOST = 1.05  # of the time, and of the time that a shot takes of a busy box's
CROWD = 4
COLUMNS = ("p50 ms", f"shots/s at {CROWD}", "CPU s/shot")


def benchmark(targets: list[Target], subjects: list[Page], plan: Plan) -> Results:
    """Let both take turns on every page, each round the other way round."""
    results = {page.name: {target.name: Measured() for target in targets} for page in subjects}
    for target in targets:
        warm_up(target, subjects, plan.warm_up)
    for number in range(plan.rounds):
        for page, target in turns(subjects, targets, number):
            measure(target, page, plan, number, results[page.name][target.name])
    return results


def summary(results: Results, name: str) -> Row:
    """Boil one box's figures over all pages down to a row."""
    row = mixed([rows[name] for rows in results.values()])
    return {column: row[column] for column in COLUMNS}


def costs(rows: dict[str, Row]) -> dict[str, float]:
    """Give how many times as long a shot takes with the wall: alone, and as one of a crowd."""
    alone = float(str(rows[WITH]["p50 ms"])) / float(str(rows[WITHOUT]["p50 ms"]))
    crowded = float(str(rows[WITHOUT][COLUMNS[1]])) / float(str(rows[WITH][COLUMNS[1]]))
    return {"p50 ms": round(alone, 3), COLUMNS[1]: round(crowded, 3)}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="how often both take their turn")
    parser.add_argument("--shots", type=int, default=12, help="shots at concurrency 1 in each round and page")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds at concurrency 4, likewise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    return parser.parse_args()


def main() -> None:
    """Start both, measure them in turns, print the table; exit with 1 if the wall costs more than it may."""
    options = arguments()
    plan = Plan(options.rounds, options.shots, options.seconds, also=())
    bare = (sys.executable, "-P", unguarded.__file__, "proxy")
    with (
        stage.site() as address,
        stage.box(address, name=WITH) as walled,
        stage.box(address, name=WITHOUT, program=bare) as open_to_all,
    ):
        subjects = [page for page in pages(address) if page.name != LONG]
        results = benchmark([walled, open_to_all], subjects, plan)
    rows = {name: summary(results, name) for name in (WITH, WITHOUT)}
    found = costs(rows)
    about = report.machine()
    print("\n" + report.markdown("box", rows) + "\n")
    print("times as long: " + ", ".join(f"{name} {ratio:g}" for name, ratio in found.items()))
    print(report.line(about))
    raw = {page: {name: asdict(seen) for name, seen in both.items()} for page, both in results.items()}
    report.write(options.json, {"machine": about, "summary": rows, "costs": found, "raw": raw})
    sys.exit(int(max(found.values()) > MOST))


if __name__ == "__main__":
    main()
