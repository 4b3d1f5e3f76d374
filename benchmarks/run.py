"""Measures the box beside two plain Playwright servers and the ceiling: speed, CPU and memory on four kinds of page."""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import lazy, report, stage
from benchmarks.bars import LONG, MIX, bars
from benchmarks.client import Answer, Order, Shape, connection, crowd, shoot
from benchmarks.figures import Measured, mixed, summary
from benchmarks.processes import cpu_seconds, memory
from benchmarks.report import Row
from benchmarks.stage import CHROMIUM, HEADLESS_SHELL, Target

SETTLE = 0.7  # seconds after the last answer in which its context is closed: that CPU belongs to the shot
CROWD = 4  # clients at once where throughput is compared and the busy server is weighed
WEIGHED_SECONDS = 1.0
WEIGHED_AFTER = 0.7  # seconds, in the middle of that
LONG_SHARE = 3  # a long page takes about as many times longer: so many times fewer shots of it


@dataclass(frozen=True)
class Page:
    """A page to take, what is asked for (as a client would, and nothing more), and the size the picture must have."""

    name: str
    order: Order
    shape: Shape = (1920, 1080)


def pages(address: str) -> list[Page]:
    """Give the pages, the long one last."""
    site = f"http://{address}"
    return [
        Page("table", {"url": f"{site}/table.html"}),
        Page("images", {"url": f"{site}/bench-images.html"}),
        Page("scripts", {"url": f"{site}/bench-scripts.html"}),
        Page(LONG, {"url": f"{site}/{lazy.NAME}", "fullPage": True}, lazy.SHAPE),
    ]


@dataclass(frozen=True)
class Plan:
    """How much to measure. The servers take turns, so that a slower minute of the machine is everybody's."""

    rounds: int = 2
    shots: int = 10  # at concurrency 1, in each round
    seconds: float = 3.0  # at each higher concurrency
    also: tuple[int, ...] = (2, 8, 16)  # concurrencies that are measured in the last round only
    warm_up: int = 2  # shots of each page before anything counts: first compilations, first fonts

    def levels(self, number: int) -> list[int]:
        """Give the concurrencies, above 1, of one round."""
        return sorted((CROWD, *self.also)) if number == self.rounds - 1 else [CROWD]

    def lighter(self) -> "Plan":
        """Give the plan for the long page."""
        return replace(self, shots=-(-self.shots // LONG_SHARE), also=())


FULL = Plan()
QUICK = Plan(rounds=1, shots=6, seconds=2.0, also=(), warm_up=1)


Results = dict[str, dict[str, Measured]]  # by page, by server


def alone(target: Target, page: Page, shots: int, seen: Measured) -> Answer:
    """Take pictures one after the other; gives the last."""
    with connection(target) as ask:
        for _ in range(shots):
            answer = shoot(ask, target, page.order, page.shape)
            seen.latencies.append(answer.milliseconds)
            if "x-render-time-ms" in answer.headers:
                spent = float(answer.headers["x-render-time-ms"]) + float(answer.headers["x-queue-time-ms"])
                seen.overheads.append(answer.milliseconds - spent)
    seen.picture_bytes = len(answer.body)
    return answer


def measure(target: Target, page: Page, plan: Plan, number: int, seen: Measured) -> None:
    """Run one round on one server and one page."""
    before = cpu_seconds(target.pid)
    last = alone(target, page, plan.shots, seen)
    seen.cpu_shots += plan.shots
    for level in plan.levels(number):
        shots, elapsed = crowd(target, page.order, page.shape, level, plan.seconds)
        seen.crowds.setdefault(level, []).append((shots, elapsed))
        seen.cpu_shots += shots
    time.sleep(SETTLE)
    seen.cpu_seconds += cpu_seconds(target.pid) - before
    if page.name == LONG:
        seen.shown.append(lazy.share_shown(last.body))


def weigh(target: Target, page: Page, seen: Measured) -> None:
    """Weigh the server at rest and at work; apart from the timing, because weighing slows it down."""
    idle, idle_pss = memory(target.pid)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(crowd, target, page.order, page.shape, CROWD, WEIGHED_SECONDS)
        time.sleep(WEIGHED_AFTER)
        busy, busy_pss = memory(target.pid)
        working.result()
    seen.idle_memory.append(idle)
    seen.busy_memory.append(busy)
    seen.memory_is_pss = seen.memory_is_pss and idle_pss and busy_pss


def benchmark(targets: list[Target], subjects: list[Page], plan: Plan) -> Results:
    """Warm every server up, then let them take turns on every page."""
    results = {page.name: {target.name: Measured() for target in targets} for page in subjects}
    for target in targets:
        warm_up(target, subjects, plan.warm_up)
    for number in range(plan.rounds):
        for page, target in turns(subjects, targets, number):
            sys.stderr.write(f"round {number + 1} of {plan.rounds}: {page.name}: {target.name}\n")
            seen = results[page.name][target.name]
            measure(target, page, plan.lighter() if page.name == LONG else plan, number, seen)
            if number == plan.rounds - 1:
                weigh(target, page, seen)
    return results


def turns(subjects: list[Page], targets: list[Target], number: int) -> Iterator[tuple[Page, Target]]:
    """Give the order of one round: all servers on a page, then on the next; every other round the other way round."""
    for page in subjects:
        for target in targets if number % 2 == 0 else targets[::-1]:
            yield page, target


def warm_up(target: Target, subjects: list[Page], shots: int) -> None:
    """Take each page before anything counts."""
    with connection(target) as ask:
        for page in subjects:
            for _ in range(shots):
                shoot(ask, target, page.order, page.shape)


def tables(results: Results) -> dict[str, dict[str, Row]]:
    """Give the table of each page, and that of the mix of all but the long one."""
    found = {page: {server: summary(seen) for server, seen in rows.items()} for page, rows in results.items()}
    mix = [rows for page, rows in results.items() if page != LONG]
    return found | {MIX: {server: mixed([rows[server] for rows in mix]) for server in results[LONG]}}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, and no concurrency but 1 and 4")
    parser.add_argument("--rounds", type=int, help=f"how often the servers take turns ({FULL.rounds})")
    parser.add_argument("--shots", type=int, help=f"shots at concurrency 1 in each round ({FULL.shots})")
    parser.add_argument("--seconds", type=float, help=f"seconds at each higher concurrency ({FULL.seconds:g})")
    parser.add_argument("--plain", action="append", metavar="PATH", help="a Chromium for a plain server; repeatable")
    parser.add_argument("--no-box", action="store_true", help="measure the others only")
    parser.add_argument("--no-plain", action="store_true", help="leave the plain servers out")
    parser.add_argument(
        "--both-ceilings", action="store_true", help="also one whose pages are created on their address"
    )
    parser.add_argument("--small", action="store_true", help="let the ceiling make small PNGs instead of fast ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    return parser.parse_args()


def plan_of(options: argparse.Namespace) -> Plan:
    """Give the plan that the command line describes."""
    given = {name: getattr(options, name) for name in ("rounds", "shots", "seconds")}
    return replace(QUICK if options.quick else FULL, **{name: value for name, value in given.items() if value})


def servers(options: argparse.Namespace, address: str, stack: ExitStack) -> list[Target]:
    """Start everything that is to be measured."""
    small = ["--small"] if options.small else []
    plains = [] if options.no_plain else options.plain or (CHROMIUM, HEADLESS_SHELL)
    contexts = [] if options.no_box else [stage.box(address)]
    contexts += [stage.plain(path) for path in plains]
    contexts += [stage.ceiling(*small)]
    contexts += [stage.ceiling(*small, "--created-there")] if options.both_ceilings else []
    return [stack.enter_context(context) for context in contexts]


def main() -> None:
    """Start the servers, measure them in turns, print the tables."""
    options = arguments()
    with ExitStack() as stack:
        address = stack.enter_context(stage.site())
        plan = plan_of(options)
        results = benchmark(servers(options, address, stack), pages(address), plan)
    found = tables(results)
    for title, rows in found.items():
        print(f"\n{title}\n\n{report.markdown('server', rows)}")
    held = bars(found)
    if held:
        print(f"\nbars\n\n{report.markdown('bar', held)}")
    about = report.machine()
    print("\n" + report.line(about))
    raw = {page: {server: asdict(seen) for server, seen in rows.items()} for page, rows in results.items()}
    report.write(options.json, {"machine": about, "plan": asdict(plan), "tables": found, "bars": held, "raw": raw})


if __name__ == "__main__":
    main()
