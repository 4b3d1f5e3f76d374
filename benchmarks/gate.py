"""Measures the box's gate: what a request costs before a page is rendered, and what bogus keys do to it."""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path

from benchmarks import stage
from benchmarks.report import machine, percentile
from benchmarks.stage import Target

PREFIX_LENGTH = 12  # what is shown of a key, and so what a stranger may know
ROUNDS = 2  # alone, flooded, alone, flooded: drift of the machine is shared
HEAD_START = 1.0  # seconds for the flood to get going before anything is measured beside it
OVERLAP = 1.5  # seconds that the flood lasts longer than what is measured beside it, head start included
WARM_UP = 3
UNAUTHORIZED = str(int(HTTPStatus.UNAUTHORIZED))


@dataclass
class Seen:
    """Latencies in milliseconds, and how many answers were not the expected one."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: int = 0


class Client:
    """One keep-alive connection to the box."""

    def __init__(self, target: Target) -> None:
        """Open the connection with the first request."""
        self.target = target
        self.connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)

    def ask(self, seen: Seen, expected: int, path: str, body: bytes | None = None) -> None:
        """Send one request with the good key (POST if there is a body), and note how it went."""
        headers = {"Content-Type": "application/json", **self.target.headers}
        began = time.perf_counter()
        try:
            self.connection.request("POST" if body else "GET", path, body, headers)
            response = self.connection.getresponse()
            response.read()
            status = str(response.status)
        except (OSError, http.client.HTTPException) as error:
            status = type(error).__name__
            self.connection.close()
        seen.latencies.append((time.perf_counter() - began) * 1000)
        seen.statuses[status] += 1
        seen.failures += status != str(expected)


def repeat(count: int, ask: Callable[[Seen], None]) -> Seen:
    """Ask a number of times."""
    seen = Seen()
    for _ in range(count):
        ask(seen)
    return seen


def keep_asking(seconds: float, ask: Callable[[Seen], None], seen: Seen) -> None:
    """Ask for a while."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        ask(seen)


def beside_flood(target: Target, rate: float, seconds: float, work: Callable[[], None]) -> dict[str, Seen]:
    """Do the work while another process sends bogus keys; gives what those were answered."""
    prefix = target.headers["X-API-Key"][:PREFIX_LENGTH]
    command = [sys.executable, "-m", "benchmarks.flood", "--port", str(target.port), "--prefix", prefix]
    command += ["--rate", str(rate), "--seconds", str(seconds + OVERLAP)]
    with subprocess.Popen(command, cwd=stage.ROOT, stdout=subprocess.PIPE) as child:
        time.sleep(HEAD_START)
        work()
        report = json.loads(child.communicate()[0])
    return {
        kind: Seen(row["latencies"], Counter(row["statuses"]), wrong(row["statuses"])) for kind, row in report.items()
    }


def wrong(statuses: dict[str, int]) -> int:
    """Count the answers other than 401."""
    return sum(statuses.values()) - statuses.get(UNAUTHORIZED, 0)


def merge(into: dict[str, Seen], more: dict[str, Seen]) -> None:
    """Add one round's figures to another's."""
    for kind, seen in more.items():
        into[kind].latencies += seen.latencies
        into[kind].statuses += seen.statuses
        into[kind].failures += seen.failures


def gate(client: Client, count: int) -> dict[str, Seen]:
    """Measure what a request costs without a picture."""
    return {
        "first request with a key": repeat(1, lambda seen: client.ask(seen, 404, "/v1/nothing")),
        "GET /health": repeat(count, lambda seen: client.ask(seen, 200, "/health")),
        "GET /v1/nothing, good key": repeat(count, lambda seen: client.ask(seen, 404, "/v1/nothing")),
    }


def floods(client: Client, url: str, rate: float, seconds: float) -> tuple[dict[str, Seen], dict[str, Seen]]:
    """Take pictures alone and beside a flood, in turns; gives the pictures' figures and the flood's."""
    body = json.dumps({"url": url}).encode()

    def take(seen: Seen) -> None:
        client.ask(seen, 200, client.target.path, body)

    repeat(WARM_UP, take)
    shots: dict[str, Seen] = {"shots alone": Seen(), "shots beside the flood": Seen()}
    bogus: dict[str, Seen] = defaultdict(Seen)
    for _ in range(ROUNDS):
        keep_asking(seconds / ROUNDS, take, shots["shots alone"])
        work = partial(keep_asking, seconds / ROUNDS, take, shots["shots beside the flood"])
        merge(bogus, beside_flood(client.target, rate, seconds / ROUNDS, work))
    return shots, {f"bogus: {kind}": seen for kind, seen in bogus.items()}


def markdown(rows: dict[str, Seen]) -> str:
    """Set the figures as a Markdown table."""
    lines = ["| requests | count | failures | p50 ms | p95 ms | max ms | answers |", "|" + " --- |" * 7]
    for name, seen in rows.items():
        answers = ", ".join(f"{status}: {count}" for status, count in sorted(seen.statuses.items()))
        times = (statistics.median(seen.latencies), percentile(seen.latencies, 95), max(seen.latencies))
        cells = [name, str(len(seen.latencies)), str(seen.failures), *(f"{ms:.2f}" for ms in times), answers]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="requests of each kind through the gate")
    parser.add_argument("--seconds", type=float, default=10, help="seconds of shots alone, and again flooded")
    parser.add_argument("--rate", type=float, default=500, help="bogus requests a second")
    parser.add_argument("--page", default="table.html", help="the page of the test site to take")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    return parser.parse_args()


def main() -> None:
    """Start a box, measure its gate, flood it, print the table."""
    options = arguments()
    with stage.site() as address, stage.box(address) as target:
        client = Client(target)
        rows = gate(client, options.requests)
        shots, bogus = floods(client, f"http://{address}/{options.page}", options.rate, options.seconds)
    rows |= shots | bogus
    refused = sum(seen.statuses[UNAUTHORIZED] for seen in bogus.values())
    sent = sum(len(seen.latencies) for seen in bogus.values())
    flooded = options.seconds + ROUNDS * OVERLAP
    about = machine()
    print("\n" + markdown(rows) + "\n")
    print(f"{refused} of {sent} bogus requests ({sent / flooded:.0f} a second) were answered with 401.\n")
    print("; ".join(f"{name} {value}" for name, value in about.items()))
    if options.json:
        raw = {name: vars(seen) for name, seen in rows.items()}
        options.json.write_text(json.dumps({"machine": about, "raw": raw}, indent=2) + "\n")


if __name__ == "__main__":
    main()
