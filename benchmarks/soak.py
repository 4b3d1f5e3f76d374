"""Takes a thousand shots of all kinds, and looks whether the box forgets any: failures, memory, handles, leftovers."""

import argparse
import http.client
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path

from benchmarks import plot, report, stage
from benchmarks.client import Answer, Ask, Order, connection
from benchmarks.processes import alive, handles, memory, process_memory, threads, tree
from benchmarks.report import Row
from benchmarks.stage import Target

CLIENTS = 4
STEPS = 5  # the memory is weighed after each fifth of the shots
GROWTH = 1.10  # of what there was after the first step, that there may be after the last: memory, handles
POOLS = 8  # threads that pools make as they are wanted, and keep
SPARES = 3  # pages that are kept ready come and go: one for each slot
LARGEST_DATABASE = 8192  # KiB: the newest captures and SQLite's own log, which it folds at four MiB
ALONE = 4  # shots one after the other before each weighing: how many tabs wait ready then depends on no crowd
REST = 2.0  # seconds until the last contexts are closed and the next ones are open
SAMPLES = 3  # weighings at each step, a second apart: the middle one counts
REST_LIMIT = 15.0  # seconds for what was started to be over
KIB = 1024
ACTIONS = [
    {"type": "click", "selector": "#click"},
    {"type": "type", "selector": "#type", "text": "new"},
    {"type": "press", "selector": "#press", "key": "Enter"},
    {"type": "select", "selector": "#select", "value": "b"},
]
TEXTS = [{"type": "markdown"}, {"type": "html"}, {"type": "screenshot"}]


def orders(address: str) -> list[tuple[Order, str]]:
    """Give what is asked for, and the type that the answer must have."""
    png, site = "image/png", f"http://{address}"
    return [
        ({"url": f"{site}/table.html"}, png),
        ({"url": f"{site}/colors.html", "format": "jpeg"}, "image/jpeg"),
        ({"url": f"{site}/tall.html", "fullPage": True}, png),
        ({"url": f"{site}/table.html", "format": "pdf"}, "application/pdf"),
        ({"url": f"{site}/elements.html", "selector": "#target"}, png),
        ({"url": f"{site}/actions.html", "actions": ACTIONS}, png),
        ({"url": f"{site}/dark.html", "darkMode": True, "device": "iPhone 14"}, png),
        ({"url": f"{site}/fonts.html", "format": "webp"}, "image/webp"),
        ({"url": f"{site}/late.html", "waitFor": "#late"}, png),
        ({"url": f"{site}/csp.html", "customCss": "html { background: green }"}, png),
        ({"url": f"{site}/article.html", "outputs": TEXTS}, "application/json"),
        ({"url": f"{site}/bench-scripts.html", "viewport": {"width": 800, "height": 600}}, png),
    ]


@dataclass
class Standing:
    """The box at rest, after a number of shots. Memory is MiB."""

    shots: int
    all_memory: float
    server_memory: float
    memory_is_pss: bool
    processes: int
    temporary: int  # files and folders below the box's folder for temporary ones
    handles: int  # of the server
    threads: int  # likewise
    database: float  # KiB, with SQLite's log beside it

    def row(self) -> Row:
        """Give the row of the table."""
        return {
            "all MiB": round(self.all_memory),
            "server MiB": round(self.server_memory),
            "memory as": "PSS" if self.memory_is_pss else "RSS",
            "processes": self.processes,
            "temporary files": self.temporary,
            "handles": self.handles,
            "threads": self.threads,
            "database KiB": round(self.database),
        }


@dataclass
class Soaked:
    """Everything that was seen."""

    standings: list[Standing] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    left: list[str] = field(default_factory=list)  # of processes and temporary files, when the box had stopped


def stand(target: Target, work: list[tuple[Order, str]], shots: int, soaked: Soaked) -> None:
    """Bring the box to rest, and look at it."""
    for one in work[:ALONE]:
        soaked.failures += take(target, [one])
    time.sleep(REST)
    weighed = []
    for _ in range(SAMPLES):
        weighed.append(memory(target.pid))
        time.sleep(1)
    own = process_memory(target.pid)
    standing = Standing(
        shots=shots,
        all_memory=statistics.median(total for total, _ in weighed),
        server_memory=own[0] / KIB if own else 0,
        memory_is_pss=all(is_pss for _, is_pss in weighed),
        processes=len(set(tree(target.pid))),
        temporary=len(temporary_files(target)),
        handles=handles(target.pid),
        threads=threads(target.pid),
        database=database_size(target),
    )
    sys.stderr.write(f"{standing}\n")
    soaked.standings.append(standing)


def temporary_files(target: Target) -> list[Path]:
    """List the box's temporary files and folders, down to those that the browser keeps in its profile."""
    return sorted(target.temporary.rglob("*")) if target.temporary else []


def database_size(target: Target) -> float:
    """Give the KiB of the box's database and what lies beside it."""
    folder = target.temporary.parent if target.temporary else Path("/nowhere")
    return sum(path.stat().st_size for path in folder.glob("box.db*")) / KIB


def take(target: Target, work: Iterable[tuple[Order, str]]) -> list[str]:
    """Take all of these shots with CLIENTS at once; gives what went wrong."""
    todo = deque(work)

    def client(_: int) -> list[str]:
        failures = []
        with connection(target) as ask:
            while todo:
                try:
                    order, kind = todo.popleft()
                except IndexError:
                    break  # another client took the last
                failures += problem_of(ask, order, kind)
        return failures

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [problem for problems in pool.map(client, range(CLIENTS)) for problem in problems]


def problem_of(ask: Ask, order: Order, kind: str) -> list[str]:
    """Take one shot; gives what went wrong, if anything."""
    try:
        answer = ask(order)
    except (OSError, http.client.HTTPException) as error:
        return [f"{order}: {error!r}"]
    return [f"{order}: {answer.status} {answer.body[:200]!r}"] if bad(answer, kind) else []


def bad(answer: Answer, kind: str) -> bool:
    """Say whether an answer is not what was asked for."""
    return (
        answer.status != http.client.OK or not answer.body or answer.headers["content-type"].partition(";")[0] != kind
    )


def soak(target: Target, work: list[tuple[Order, str]], shots: int, soaked: Soaked) -> set[int]:
    """Warm up, take all shots in steps, look after each; gives every process that was there at one of the looks."""
    soaked.failures += take(target, work)
    stand(target, work, 0, soaked)
    endless, seen = cycle(work), set(tree(target.pid))
    for step in range(1, STEPS + 1):
        began = time.perf_counter()
        soaked.failures += take(target, islice(endless, shots // STEPS))
        soaked.seconds += time.perf_counter() - began
        stand(target, work, step * (shots // STEPS), soaked)
        seen |= set(tree(target.pid))
    return seen


def leftovers(target: Target, processes: set[int]) -> list[str]:
    """List what is still there of a box that has stopped."""
    end = time.monotonic() + REST_LIMIT
    while any(alive(pid) for pid in processes) and time.monotonic() < end:
        time.sleep(0.1)
    living = [f"process {pid}" for pid in sorted(processes) if alive(pid)]
    return living + [f"file {path.name}" for path in temporary_files(target)]


def verdict(soaked: Soaked) -> list[str]:
    """Say what is not as it must be."""
    before, first, last = soaked.standings[0], soaked.standings[1], soaked.standings[-1]
    grown = last.all_memory / first.all_memory
    problems = {
        f"{last.handles} handles, {first.handles} after {first.shots} shots": last.handles > first.handles * GROWTH,
        f"{last.threads} threads, {first.threads} after {first.shots} shots": last.threads > first.threads + POOLS,
        f"the database has {last.database:.0f} KiB": last.database > LARGEST_DATABASE,
        f"{len(soaked.failures)} failures, such as {soaked.failures[:1]}": soaked.failures,
        f"the memory grew to {grown:.2f} of what it was after {first.shots} shots": grown > GROWTH,
        f"{last.processes} processes, {before.processes} before": last.processes > before.processes + SPARES,
        f"{last.temporary} temporary files, {before.temporary} before": last.temporary > before.temporary,
        f"left when the box had stopped: {', '.join(soaked.left)}": soaked.left,
    }
    return [problem for problem, there in problems.items() if there]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, default=1000, help=f"how many, in {STEPS} steps")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the figures, as SVG")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    return parser.parse_args()


def main() -> None:
    """Start a box, soak it, stop it, print the table; exit with 1 if anything failed, grew or was left over."""
    options = arguments()
    soaked = Soaked()
    with stage.site() as address, stage.data_dir() as folder:
        with stage.box(address, folder=folder) as target:
            processes = soak(target, orders(address), options.shots, soaked)
        soaked.left = leftovers(target, processes)
    problems = verdict(soaked)
    rows = {str(standing.shots): standing.row() for standing in soaked.standings}
    about = report.machine()
    print("\n" + report.markdown("after shot", rows) + "\n")
    taken, seconds = soaked.standings[-1].shots, soaked.seconds
    print(f"{len(soaked.failures)} failures; {taken} shots in {seconds:.0f} s, {taken / seconds:.2f} a second")
    print(f"{report.line(about)}\n" + "".join(f"NOT MET: {problem}\n" for problem in problems))
    if options.plot:
        names = [name for name, cell in rows["0"].items() if not isinstance(cell, str)]
        lines = {name: [float(str(row[name])) for row in rows.values()] for name in names}
        options.plot.write_text(plot.svg([standing.shots for standing in soaked.standings], lines, "shots"))
    report.write(options.json, {"machine": about, "problems": problems, **asdict(soaked)})
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
