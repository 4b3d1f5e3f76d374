"""Measures what blocking saves: a page with sixty requests to advertisers and trackers, taken with and without it."""

import argparse
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import report, stage
from benchmarks.adserver import CONTROL, HOSTS
from benchmarks.client import Order, connection, shoot
from benchmarks.processes import cpu_seconds
from benchmarks.report import Row, percentile

WARM_UP = 3
SHAPE = (1920, 1080)
REQUESTS = 60  # of the page, to advertisers and trackers
RULES = """[Adblock Plus 2.0]
! A host that only advertises, one that must not serve pictures, and a tracker by its address.
||127.0.0.2^
||127.0.0.3^$image
/collect?event=
"""
OFF: Order = {"blockAds": False, "blockCookieBanners": False, "blockPopups": False}


@dataclass
class Measured:
    """What was seen with one order."""

    latencies: list[float] = field(default_factory=list)  # milliseconds
    hits: list[int] = field(default_factory=list)  # requests that reached advertisers and trackers, for each shot
    cpu_seconds: float = 0.0


def measure(target: stage.Target, orders: dict[str, Order], port: int, shots: int) -> dict[str, Measured]:
    """Take the page in turns, one order after the other."""
    seen = {name: Measured() for name in orders}
    with connection(target) as ask:
        for number in range(-WARM_UP, shots):
            for name, order in orders.items():
                before = cpu_seconds(target.pid)
                answer = shoot(ask, target, order, SHAPE)
                hits = hits_of(port)
                if number >= 0:
                    seen[name].latencies.append(answer.milliseconds)
                    seen[name].hits.append(hits)
                    seen[name].cpu_seconds += cpu_seconds(target.pid) - before
    return seen


def hits_of(port: int) -> int:
    """Ask the advertisers how often they were asked since the last time."""
    with urllib.request.urlopen(f"http://{CONTROL}:{port}/hits", timeout=5) as answer:
        return int(answer.read())


@contextmanager
def rules() -> Iterator[Path]:
    """Write the operator's own rules where the box can read them."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir="/tmp") as file:
        Path(file.name).chmod(0o644)
        file.write(RULES)
        file.flush()
        yield Path(file.name)


def summary(seen: Measured) -> Row:
    """Boil the figures down to a row."""
    return {
        "p50 ms": round(statistics.median(seen.latencies), 1),
        "p95 ms": round(percentile(seen.latencies, 95), 1),
        "CPU s/shot": round(seen.cpu_seconds / len(seen.latencies), 3),
        "requests to advertisers": round(statistics.median(seen.hits)),
    }


def verdict(on: Measured, off: Measured) -> list[str]:
    """Say what is not as it must be."""
    problems = {
        "blocking makes the page slower": statistics.median(on.latencies) >= statistics.median(off.latencies),
        "requests got through the blocking": any(on.hits),
        "the page without blocking did not ask for everything": statistics.median(off.hits) < REQUESTS,
    }
    return [problem for problem, there in problems.items() if there]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, default=25, help="shots with blocking, and again without")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    return parser.parse_args()


def main() -> None:
    """Start everything, take the page in turns, print the table; exit with 1 if blocking does not pay."""
    options = arguments()
    with stage.site() as address, stage.ads() as port, rules() as file:
        allowed = [address, *(f"{host}:{port}" for host in HOSTS)]
        with stage.box(*allowed, options=["--block-rules", str(file)]) as target:
            order = {"url": f"http://{address}/bench-ads.html?port={port}"}
            seen = measure(target, {"on": order, "off": order | dict(OFF)}, port, options.shots)
    rows = {name: summary(row) for name, row in seen.items()}
    problems = verdict(seen["on"], seen["off"])
    about = report.machine()
    print("\n" + report.markdown("blocking", rows) + "\n")
    print(f"{report.line(about)}\n" + "".join(f"NOT MET: {problem}\n" for problem in problems))
    raw = {name: asdict(row) for name, row in seen.items()}
    report.write(options.json, {"machine": about, "summary": rows, "problems": problems, "raw": raw})
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
