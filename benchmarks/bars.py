"""The bars: what the box must reach beside the others in one run, as ratios, so that no machine decides."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.report import Cell, Row

BOX = "allscreenshots-box"
FULL = "plain, chromium"
SHELL = "plain, chromium-headless-shell"
CEILING = "ceiling"
MIX = "the mix"
LONG = "long"

Tables = Mapping[str, Mapping[str, Row]]  # by page, by server


@dataclass(frozen=True)
class Bar:
    """A ratio of two figures of one column: the box's and another's."""

    page: str
    column: str
    other: str
    bound: float
    least: bool  # whether the bound is the least that is allowed, or the most


BARS = (
    Bar(MIX, "shots/s at 4", FULL, 2.6, least=True),
    Bar(MIX, "shots/s at 4", SHELL, 1.3, least=True),
    Bar("table", "p50 ms", FULL, 0.33, least=False),
    Bar("table", "p50 ms", SHELL, 0.7, least=False),
    Bar(MIX, "CPU s/shot", FULL, 0.4, least=False),
    Bar(MIX, "shots/s at 4", CEILING, 0.85, least=True),
    Bar(LONG, "p50 ms", FULL, 1.0, least=False),
)


def bars(tables: Tables) -> dict[str, Row]:
    """Give a row for each bar whose servers were measured."""
    rows = {title(bar): row(bar, tables) for bar in BARS if {BOX, bar.other} <= set(tables[bar.page])}
    return rows | ({f"{LONG}: lazy pictures shown": shown(tables)} if BOX in tables[LONG] else {})


def title(bar: Bar) -> str:
    """Name a bar."""
    return f"{bar.page}: {bar.column}, box / {bar.other}"


def row(bar: Bar, tables: Tables) -> Row:
    """Compare; the ratio is of the figures as they are printed, so that anybody can check it."""
    mine, theirs = (number(tables[bar.page][server][bar.column]) for server in (BOX, bar.other))
    ratio = mine / theirs
    met = ratio >= bar.bound if bar.least else ratio <= bar.bound
    return {"ratio": f"{ratio:.2f}", "must be": f"{'>=' if bar.least else '<='} {bar.bound:g}", "met": met}


def shown(tables: Tables) -> Row:
    """Say how many of the lazy pictures the box shows."""
    share = tables[LONG][BOX]["shown"]
    return {"ratio": share, "must be": "100%", "met": share == "100%"}


def number(cell: Cell) -> float:
    """Read a figure."""
    if not isinstance(cell, int | float):
        raise TypeError(f"{cell!r} is not a figure")
    return cell
