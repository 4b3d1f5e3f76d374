"""What is seen of a server, and how it is boiled down to rows."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.report import Cell, Row, percentile


@dataclass
class Measured:
    """Everything seen of one server on one page, over all rounds. Times are milliseconds, memory MiB."""

    latencies: list[float] = field(default_factory=list)
    overheads: list[float] = field(default_factory=list)
    crowds: dict[int, list[tuple[int, float]]] = field(default_factory=dict)  # level: shots, seconds
    cpu_seconds: float = 0.0
    cpu_shots: int = 0
    idle_memory: list[float] = field(default_factory=list)
    busy_memory: list[float] = field(default_factory=list)
    memory_is_pss: bool = True
    picture_bytes: int = 0
    shown: list[float] = field(default_factory=list)  # share of the lazy pictures, one shot of each round

    def rate(self, level: int) -> float:
        """Give the shots a second at one level of concurrency."""
        shots, seconds = (sum(column) for column in zip(*self.crowds[level], strict=True))
        return float(shots / seconds)


def summary(seen: Measured) -> Row:
    """Boil one server's figures on one page down to a row."""
    rates = {f"shots/s at {level}": round(seen.rate(level), 2) for level in sorted(seen.crowds)}
    row: dict[str, Cell] = {
        "p50 ms": round(statistics.median(seen.latencies), 1),
        "p95 ms": round(percentile(seen.latencies, 95), 1),
        **rates,
        "CPU s/shot": round(seen.cpu_seconds / seen.cpu_shots, 3),
        "idle MiB": round(statistics.median(seen.idle_memory)),
        "busy MiB": round(statistics.median(seen.busy_memory)),
        "memory as": "PSS" if seen.memory_is_pss else "RSS",
        "overhead ms": round(statistics.median(seen.overheads), 1) if seen.overheads else None,
        "PNG kB": round(seen.picture_bytes / 1000),
    }
    return row | {"shown": f"{min(seen.shown):.0%}"} if seen.shown else row


def mixed(pages: Sequence[Measured]) -> Row:
    """Boil one server's figures down to a row for as many shots of each of these pages."""
    levels = sorted(pages[0].crowds)
    rates = {f"shots/s at {level}": statistics.harmonic_mean([seen.rate(level) for seen in pages]) for level in levels}
    return {
        "p50 ms": round(statistics.mean(statistics.median(seen.latencies) for seen in pages), 1),
        "p95 ms": round(statistics.mean(percentile(seen.latencies, 95) for seen in pages), 1),
        **{name: round(rate, 2) for name, rate in rates.items()},
        "CPU s/shot": round(statistics.mean(seen.cpu_seconds / seen.cpu_shots for seen in pages), 3),
    }
