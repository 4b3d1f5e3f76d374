"""Asks a box for ten times what it can do, mostly with one greedy key, and shows what that does to the others."""

import argparse
import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial

from benchmarks import stage
from benchmarks.client import crowd
from benchmarks.report import machine, percentile
from benchmarks.stage import Target

MODEST_KEYS = 4
MODEST_SHARE = 0.4  # of what the box can do, all modest keys together
OVERLOAD = 10  # times what the box can do, all keys together
SLOTS = 3
CAPACITY_SECONDS = 8.0
PATIENCE = 90.0  # seconds for an answer, before it counts as none
AFTERWARDS = 5  # pictures, one after the other
SHAPE = (1920, 1080)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Seen:
    """What became of one kind of requests. Times are milliseconds."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    pictures: list[float] = field(default_factory=list)
    shed: list[float] = field(default_factory=list)  # answered 429 or 503
    late: int = 0  # so many of them had waited in line

    def note(self, status: str, waited: bool, took: float) -> None:  # noqa: FBT001 - a fact, not a switch
        """Count one answer."""
        self.answers[status] += 1
        if status == "200":
            self.pictures.append(took)
        else:
            self.shed.append(took)
            self.late += waited


async def ask(target: Target, secret: str, body: bytes, seen: Seen) -> None:
    """Ask for one picture on a connection of its own."""
    seen.sent += 1
    head = f"POST {target.path} HTTP/1.1\r\nHost: box\r\nX-API-Key: {secret}\r\nConnection: close\r\n"
    began, waited = time.monotonic(), False
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(answer)
            await reader.readexactly(int(length[1]) if length else 0)
            writer.close()
        status = answer.split(b" ", 2)[1].decode()
        waited = not re.search(rb"\r\nx-queue-time-ms: 0\r\n", answer, re.IGNORECASE)
    except (OSError, EOFError, TimeoutError) as error:
        status = type(error).__name__
    seen.note(status, waited, (time.monotonic() - began) * 1000)


async def stream(ask_once: Callable[[], Coroutine[None, None, None]], rate: float, seconds: float) -> None:
    """Ask *rate* times a second at random moments, whether the answers keep up or not."""
    asking: set[asyncio.Task[None]] = set()
    due, end = time.monotonic(), time.monotonic() + seconds
    while (due := due + random.expovariate(rate)) < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        asking.add(asyncio.create_task(ask_once()))
    await asyncio.gather(*asking)


async def load(target: Target, keys: list[str], body: bytes, capacity: float, seconds: float) -> tuple[Seen, Seen]:
    """Send the modest keys' requests, and those of the first key if it is not one of them; gives both."""
    modest, greedy = Seen(), Seen()
    each = capacity * MODEST_SHARE / MODEST_KEYS
    streams = [stream(partial(ask, target, key, body, modest), each, seconds) for key in keys[-MODEST_KEYS:]]
    if len(keys) > MODEST_KEYS:
        rate = capacity * (OVERLOAD - MODEST_SHARE)
        streams.append(stream(partial(ask, target, keys[0], body, greedy), rate, seconds))
    await asyncio.gather(*streams)
    return modest, greedy


async def afterwards(target: Target, key: str, body: bytes) -> Seen:
    """Take a few pictures, one after the other."""
    seen = Seen()
    for _ in range(AFTERWARDS):
        await ask(target, key, body, seen)
    return seen


def markdown(rows: dict[str, Seen], seconds: dict[str, float]) -> str:
    """Set the figures as a Markdown table."""
    columns = ["requests", "sent", "answers", "pictures/s", "p50 ms", "p95 ms", "max ms", "shed p95 ms", "shed late"]
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for name, seen in rows.items():
        answers = ", ".join(f"{status}: {count}" for status, count in sorted(seen.answers.items()))
        times = [percentile(seen.pictures, 50), percentile(seen.pictures, 95), max(seen.pictures)]
        shed = f"{percentile(seen.shed, 95):.1f}" if seen.shed else ""
        rate = f"{len(seen.pictures) / seconds[name]:.1f}" if name in seconds else ""
        cells = [name, str(seen.sent), answers, rate, *(f"{one:.0f}" for one in times), shed, str(seen.late)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure the capacity, the modest keys alone, all keys together, and the box afterwards; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of the modest keys alone, and again of all")
    parser.add_argument("--page", default="table.html", help="the page of the test site to take")
    options = parser.parse_args()
    slots = ("--slots", str(SLOTS))
    with (
        stage.site() as address,
        stage.data_dir() as folder,
        stage.box(address, options=slots, folder=folder) as target,
    ):
        names = [f"key-{number}" for number in range(MODEST_KEYS + 1)]
        keys = [stage.command_line(folder, "keys", "create", name, "--plan", "benchmark").strip() for name in names]
        order = {"url": f"http://{address}/{options.page}"}
        body = json.dumps(order).encode()
        shots, took = crowd(target, order, SHAPE, SLOTS, CAPACITY_SECONDS)
        capacity = shots / took
        alone, _ = asyncio.run(load(target, keys[1:], body, capacity, options.seconds))
        began = time.monotonic()
        modest, greedy = asyncio.run(load(target, keys, body, capacity, options.seconds))
        lasted = time.monotonic() - began
        after = asyncio.run(afterwards(target, keys[1], body))
    rows = {"modest keys alone": alone, "modest keys": modest, "the greedy key": greedy, "afterwards": after}
    print(
        "\n" + markdown(rows, {"modest keys alone": options.seconds, "modest keys": lasted, "the greedy key": lasted})
    )
    both = (len(modest.pictures) + len(greedy.pictures)) / lasted
    print(f"\ncapacity {capacity:.1f} pictures a second; under overload {both:.1f} ({both / capacity:.0%})")
    print("; ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    main()
