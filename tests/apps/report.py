"""What came of it: a table for people, all of it for programs, and the pictures on one sheet."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageDraw, ImageFont

COLUMNS = 6
CELL = (384, 216)
LABEL, GAP = 34, 8
TITLE, NOTE = ImageFont.load_default(size=14), ImageFont.load_default(size=10)
GOOD, BAD, NONE = "#2e9e5b", "#d62f2f", "#e8d0d0"


@dataclass
class Result:
    """What one camera made of one application."""

    app: str
    camera: str
    ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # why, for each shot that was
    picture: Image.Image | None = None  # the first that was wrong, or else the last

    def add(self, ms: float, problem: str, picture: Image.Image | None) -> None:
        """Note one shot."""
        if not self.wrong:
            self.picture = picture
        self.ms.append(ms)
        if problem:
            self.wrong.append(problem)

    @property
    def cells(self) -> tuple[str, ...]:
        """Return its columns of the table: how many were right, and milliseconds."""
        right = f"{len(self.ms) - len(self.wrong)}/{len(self.ms)}"
        return right, f"{statistics.median(self.ms):.0f}", f"{max(self.ms):.0f}"

    def told(self) -> dict[str, Any]:
        """Return all but the picture."""
        return {"app": self.app, "camera": self.camera, "ms": [round(ms) for ms in self.ms], "wrong": self.wrong}


def table(rows: dict[str, list[Result]]) -> str:
    """Return the table: a line for each application, three columns for each camera."""
    cameras = [result.camera for result in next(iter(rows.values()))]
    heads = [f"{camera} {what}" for camera in cameras for what in ("right", "median ms", "worst ms")]
    lines = [["App", *heads], ["---", *("---:" for _ in heads)]]
    lines += [[app, *(cell for result in results for cell in result.cells)] for app, results in rows.items()]
    lines += [["all", *(cell for at in range(len(cameras)) for cell in _sum([row[at] for row in rows.values()]))]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sum(results: Sequence[Result]) -> tuple[str, ...]:
    """Return how many applications were always right, and what all shots took."""
    ms = [one for result in results for one in result.ms]
    always = sum(not result.wrong for result in results)
    return f"{always}/{len(results)}", f"{statistics.median(ms):.0f}", f"{max(ms):.0f}"


def sheet(results: Sequence[Result]) -> Image.Image:
    """Lay the pictures out in rows, with their names and what is wrong with them below."""
    width, height = CELL[0] + GAP, CELL[1] + LABEL + GAP
    columns = min(COLUMNS, len(results))
    whole = Image.new("RGB", (columns * width + GAP, math.ceil(len(results) / columns) * height + GAP), "white")
    for number, result in enumerate(results):
        row, column = divmod(number, columns)
        whole.paste(_cell(result), (GAP + column * width, GAP + row * height))
    return whole


def _cell(result: Result) -> Image.Image:
    cell = Image.new("RGB", (CELL[0], CELL[1] + LABEL), "white")
    shown = result.picture or Image.new("RGB", CELL, NONE)
    cell.paste(shown.resize(CELL, Image.Resampling.LANCZOS), (0, 0))
    draw = ImageDraw.Draw(cell)
    draw.rectangle((0, 0, CELL[0] - 1, CELL[1] - 1), outline=BAD if result.wrong else GOOD, width=2)
    draw.text((2, CELL[1] + 2), f"{result.app}, {result.camera}, {result.cells[0]} right", "black", TITLE)
    if result.wrong:
        draw.text((2, CELL[1] + 20), result.wrong[0][:90], BAD, NOTE)
    return cell
