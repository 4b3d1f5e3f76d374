"""How figures are boiled down, set as tables and kept, and on what machine they were taken."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.stage import HEADLESS_SHELL

Cell = float | str | bool | None
Row = Mapping[str, Cell]


def percentile(values: Sequence[float], percent: int) -> float:
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
    done = subprocess.run([HEADLESS_SHELL, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def markdown(first: str, rows: Mapping[str, Row]) -> str:
    """Set named rows as a Markdown table; *first* heads the names."""
    names = list(next(iter(rows.values())))
    lines = [[first, *names], ["---"] * (len(names) + 1)]
    lines += [[title, *(spelled(row[name]) for name in names)] for title, row in rows.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spelled(cell: Cell) -> str:
    """Write one cell."""
    if isinstance(cell, bool):
        return "yes" if cell else "NO"
    return "-" if cell is None else str(cell)


def line(about: Mapping[str, str]) -> str:
    """Write what the machine is in one line."""
    return "; ".join(f"{name} {value}" for name, value in about.items())


def write(path: Path | None, content: Mapping[str, Any]) -> None:
    """Keep everything as JSON, if there is a place to keep it."""
    if path:
        path.write_text(json.dumps(content, indent=2) + "\n")
