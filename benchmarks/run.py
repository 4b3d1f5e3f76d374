"""Measures the box beside a plain Playwright server: speed, CPU, memory, and what the box itself costs."""

import argparse
import asyncio
import http.client
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from benchmarks import stage
from benchmarks.stage import Target

CHROMIUM = "/usr/bin/chromium"
HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"
ROUNDS = 3  # the servers take turns, so that a slower minute of the machine is everybody's
WARM_UP = 3  # shots before anything counts: first compilations, first fonts
CROWD = 4  # clients at once where throughput is measured
SETTLE = 0.7  # seconds after the last answer in which its context is closed: that CPU belongs to the shot
SHAPE = (1920, 1080)
TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024


class NotAPictureError(Exception):
    """A server did not answer with the picture that was asked for."""


@dataclass
class Measured:
    """Everything seen of one server, over all rounds. Times are milliseconds, memory MiB."""

    latencies: list[float] = field(default_factory=list)
    overheads: list[float] = field(default_factory=list)
    crowd_shots: int = 0
    crowd_seconds: float = 0.0
    cpu_seconds: float = 0.0
    cpu_shots: int = 0
    idle_memory: list[float] = field(default_factory=list)
    busy_memory: list[float] = field(default_factory=list)
    memory_is_pss: bool = True
    picture_bytes: int = 0


@dataclass(frozen=True)
class Plan:
    """How much to measure in each round."""

    url: str
    shots: int
    seconds: float


async def shoot(client: httpx.AsyncClient, target: Target, url: str) -> httpx.Response:
    """Take one picture and make sure that it is one, of the right size."""
    address = f"http://127.0.0.1:{target.port}{target.path}"
    response = await client.post(address, json={"url": url}, headers=target.headers)
    if response.status_code != httpx.codes.OK or shape_of(response.content) != SHAPE:
        raise NotAPictureError(f"{target.name}: {response.status_code} {response.content[:300]!r}")
    return response


def shape_of(picture: bytes) -> tuple[int, int]:
    """Read width and height of a PNG; (0, 0) for anything else."""
    if picture[:8] != b"\x89PNG\r\n\x1a\n" or len(picture) < 24:
        return 0, 0
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def alone(target: Target, plan: Plan, seen: Measured) -> None:
    """Take pictures one after the other, with the plainest client there is: its own time counts as the server's."""
    body = json.dumps({"url": plan.url}).encode()
    headers = target.headers | {"Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)) as connection:
        for _ in range(plan.shots):
            began = time.perf_counter()
            connection.request("POST", target.path, body, headers)
            response = connection.getresponse()
            picture = response.read()
            elapsed = (time.perf_counter() - began) * 1000
            if response.status != http.client.OK or shape_of(picture) != SHAPE:
                raise NotAPictureError(f"{target.name}: {response.status} {picture[:300]!r}")
            seen.latencies.append(elapsed)
            seen.picture_bytes = len(picture)
            if "X-Render-Time-Ms" in response.headers:
                spent = float(response.headers["X-Render-Time-Ms"]) + float(response.headers["X-Queue-Time-Ms"])
                seen.overheads.append(elapsed - spent)


async def crowd(client: httpx.AsyncClient, target: Target, url: str, seconds: float) -> tuple[int, float]:
    """Take pictures as CROWD clients at once; gives how many, and in how many seconds."""
    began = time.perf_counter()

    async def keep_shooting() -> int:
        shots = 0
        while time.perf_counter() - began < seconds:
            await shoot(client, target, url)
            shots += 1
        return shots

    shots = sum(await asyncio.gather(*[keep_shooting() for _ in range(CROWD)]))
    return shots, time.perf_counter() - began


async def measure(client: httpx.AsyncClient, target: Target, plan: Plan, seen: Measured) -> None:
    """Run one round on one server."""
    cpu = cpu_seconds(target.pid)
    await asyncio.to_thread(alone, target, plan, seen)
    shots, elapsed = await crowd(client, target, plan.url, plan.seconds)
    await asyncio.sleep(SETTLE)
    seen.cpu_seconds += cpu_seconds(target.pid) - cpu
    seen.cpu_shots += plan.shots + shots
    seen.crowd_shots += shots
    seen.crowd_seconds += elapsed
    await weigh(client, target, plan.url, seen)


async def weigh(client: httpx.AsyncClient, target: Target, url: str, seen: Measured) -> None:
    """Weigh the server at rest and at work; apart from the timing, because weighing slows it down."""
    idle, idle_pss = memory(target.pid)
    working = asyncio.create_task(crowd(client, target, url, 1.0))
    await asyncio.sleep(0.8)
    busy, busy_pss = await asyncio.to_thread(memory, target.pid)
    await working
    await asyncio.sleep(SETTLE)
    seen.idle_memory.append(idle)
    seen.busy_memory.append(busy)
    seen.memory_is_pss = seen.memory_is_pss and idle_pss and busy_pss


def tree(pid: int) -> Iterator[int]:
    """List a process and all of its living descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue  # the thread ended in the meantime
        for child in children:
            yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Sum the CPU time, user and system, of a tree: the living, and the dead as their parents know them."""
    total = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(ticks) for ticks in fields[11:15])  # utime, stime, cutime, cstime
    return total / TICKS


def memory(pid: int) -> tuple[float, bool]:
    """Sum the MiB of a tree; True if every part is PSS, which counts shared pages once."""
    parts = [weight for member in tree(pid) if (weight := process_memory(member))]
    return sum(part for part, _ in parts) / KIB, all(is_pss for _, is_pss in parts)


def process_memory(pid: int) -> tuple[int, bool] | None:
    """Read a process's PSS in KiB, or its RSS (and False) where PSS may not be read."""
    for file, name, is_pss in (("smaps_rollup", "Pss:", True), ("status", "VmRSS:", False)):
        try:
            text = Path(f"/proc/{pid}/{file}").read_text()
        except OSError:
            continue
        rows = [line.split() for line in text.splitlines() if line.startswith(name)]
        if rows:
            return int(rows[0][1]), is_pss
    return None


def summary(seen: Measured) -> dict[str, float | str | None]:
    """Boil one server's figures down to the row of the table."""
    return {
        "p50 ms": round(statistics.median(seen.latencies), 1),
        "p95 ms": round(percentile(seen.latencies, 95), 1),
        f"shots/s at {CROWD}": round(seen.crowd_shots / seen.crowd_seconds, 2),
        "CPU s/shot": round(seen.cpu_seconds / seen.cpu_shots, 3),
        "idle MiB": round(statistics.median(seen.idle_memory)),
        "busy MiB": round(statistics.median(seen.busy_memory)),
        "memory as": "PSS" if seen.memory_is_pss else "RSS",
        "overhead ms": round(statistics.median(seen.overheads), 1) if seen.overheads else None,
        "PNG kB": round(seen.picture_bytes / 1000),
    }


def percentile(values: list[float], percent: int) -> float:
    """Give the value that *percent* of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def machine() -> dict[str, str]:
    """Say what this was measured on."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "CPU": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.1f} GB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "browser": browser_version(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def browser_version() -> str:
    """Ask Chromium for its version."""
    done = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def markdown(rows: dict[str, dict[str, float | str | None]]) -> str:
    """Set the rows as a Markdown table."""
    names = list(next(iter(rows.values())))
    lines = [["server", *names], ["---"] * (len(names) + 1)]
    lines += [
        [server, *("-" if row[name] is None else str(row[name]) for name in names)] for server, row in rows.items()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


async def benchmark(targets: list[Target], plan: Plan) -> dict[str, Measured]:
    """Warm every server up, then let them take turns."""
    results = {target.name: Measured() for target in targets}
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=CROWD)) as client:
        for target in targets:
            for _ in range(WARM_UP):
                await shoot(client, target, plan.url)
        for number in range(ROUNDS):
            for target in targets if number % 2 == 0 else targets[::-1]:
                sys.stderr.write(f"round {number + 1} of {ROUNDS}: {target.name}\n")
                await measure(client, target, plan, results[target.name])
    return results


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", default="table.html", help="the page of the test site to take")
    parser.add_argument("--shots", type=int, default=60, help="shots of each server at concurrency 1, in all")
    parser.add_argument("--seconds", type=float, default=12, help=f"seconds of each at concurrency {CROWD}, in all")
    parser.add_argument("--plain", action="append", metavar="PATH", help="a Chromium for a plain server; repeatable")
    parser.add_argument("--no-box", action="store_true", help="measure the plain servers only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    return parser.parse_args()


def main() -> None:
    """Start the servers, measure them in turns, print the table."""
    options = arguments()
    with ExitStack() as stack:
        address = stack.enter_context(stage.site())
        targets = [] if options.no_box else [stack.enter_context(stage.box(address))]
        targets += [stack.enter_context(stage.plain(path)) for path in options.plain or (CHROMIUM, HEADLESS_SHELL)]
        plan = Plan(f"http://{address}/{options.page}", -(-options.shots // ROUNDS), options.seconds / ROUNDS)
        results = asyncio.run(benchmark(targets, plan))
    rows = {name: summary(seen) for name, seen in results.items()}
    about = machine()
    print("\n" + markdown(rows) + "\n")
    print("; ".join(f"{name} {value}" for name, value in about.items()))
    if options.json:
        raw = {name: asdict(seen) for name, seen in results.items()}
        text = json.dumps({"machine": about, "page": options.page, "summary": rows, "raw": raw}, indent=2)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
