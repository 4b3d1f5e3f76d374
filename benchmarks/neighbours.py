"""Shows what one page, key, name or stranger can cost somebody else, for each case of tests/neighbour."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.stage import BOX
from tests.neighbour.beside import Beside, percentile, try_together
from tests.neighbour.cases import Case
from tests.neighbour.street import Street
from tests.neighbour.table import CASES

QUIET_SHOTS = 12
COLUMNS = ("its own answers", "quiet p95 ms", "p95 ms beside it", "failed", "browsers lost", "worst /health ms", "fine")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def counted(numbers: Mapping[str, int]) -> str:
    """Write what was answered, and how often."""
    return ", ".join(f"{code}: {number}" for code, number in sorted(numbers.items())) or "0"


def row(beside: Beside) -> dict[str, Any]:
    """Boil down what was seen beside a case."""
    fine = not beside.faults() and beside.p95 <= beside.bound
    cells = (
        counted(beside.answers),
        milliseconds(percentile(beside.quiet, 95)),
        milliseconds(beside.p95),
        counted(beside.failed),
        "; ".join(beside.lost) or "0",
        milliseconds(beside.health),
        fine,
    )
    return dict(zip(COLUMNS, cells, strict=True))


def tried(street: Street, cases: Sequence[Case], program: str, seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give a row for each case, each on a box of its own: what one leaves behind is not the next one's."""
    for case in cases:
        with street.box(program) as box:
            yield case.name, row(try_together(box, [case], seconds, quiet=QUIET_SHOTS)[case.name])


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="only cases with this in their name")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each case goes on")
    parser.add_argument("--program", default=str(BOX), help="the allscreenshots-box to try, if not this checkout's")
    parser.add_argument("--within", type=float, default=1e9, help="seconds after which no further case is begun")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the rows here; cases that it has are not tried")
    return parser.parse_args()


def chosen(only: Sequence[str] | None, done: Mapping[str, Any]) -> list[Case]:
    """Return the cases that are asked for and not done yet."""
    asked = [case for case in CASES if not only or any(word in case.name for word in only)]
    return [case for case in asked if case.name not in done]


def main() -> None:
    """Try the cases one after the other, and print the table; exit with 1 if one is not fine."""
    options = arguments()
    end = time.monotonic() + options.within
    kept = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    rows: dict[str, dict[str, Any]] = kept.get("rows", {})
    with Street() as street:
        for name, cells in tried(street, chosen(options.only, rows), options.program, options.seconds):
            rows[name] = cells
            print(f"{name}: {cells}", file=sys.stderr, flush=True)
            report.write(options.json, {"machine": report.machine(), "rows": rows})
            if time.monotonic() > end:
                break
    print(report.markdown("case", {case.name: rows[case.name] for case in CASES if case.name in rows}))
    print("\n" + report.line(report.machine()))
    sys.exit(int(not all(cells["fine"] for cells in rows.values())))


if __name__ == "__main__":
    main()
