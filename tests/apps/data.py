"""What the server of pages tells: the same at every start, so that a finished page always looks alike."""

import io
import itertools
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image, ImageDraw

from . import words
from .openapi import openapi
from .paper import report

SEED = 20
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TEAMS = ("Finance", "Sales", "Support", "Platform", "Research", "Legal", "Field")
WORDS = ("Invoice", "Router", "Contract", "Backup", "Meeting", "Ticket", "Order", "Cable", "Report", "Badge")
TILE = 256
SEA, LAND, ROAD = "#a8d0e6", "#c7dfa8", "#d9534f"
HOSTS = 12
TICKS = 2400  # ten minutes of them

Row = dict[str, Any]


def sales() -> list[Row]:
    """Return twelve months of two numbers."""
    return [
        {"month": month, "sold": 60 + 35 * math.sin(at / 2) + 3 * at, "planned": 50 + 5 * at}
        for at, month in enumerate(MONTHS)
    ]


def people() -> list[Row]:
    """Return a thousand rows for a table."""
    chance = random.Random(SEED)
    return [
        {
            "id": number,
            "name": f"{chance.choice(WORDS)} {number:04}",
            "team": chance.choice(TEAMS),
            "amount": round(chance.uniform(10, 5000), 2),
            "done": chance.random() < 0.5,
            "day": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        }
        for number in range(1, 1001)
    ]


def points() -> list[Row]:
    """Return a cloud of three groups."""
    chance = random.Random(SEED)
    return [
        {"x": chance.gauss(3 * group, 1), "y": chance.gauss(2 * (group % 2), 1), "group": TEAMS[group]}
        for group in range(3)
        for _ in range(150)
    ]


def series() -> list[list[float]]:
    """Return a day of measurements."""
    chance = random.Random(SEED)
    level = itertools.accumulate((chance.gauss(0, 1) for _ in range(1440)), initial=100.0)
    return [[60_000.0 * minute, round(value, 2)] for minute, value in enumerate(level)]


def regions() -> Row:
    """Return six regions as GeoJSON, in a grid."""
    corners = [(10 * x, 10 * y) for y in range(2) for x in range(3)]
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"name": TEAMS[at], "value": at},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[x, y], [x + 9, y], [x + 9, y + 9], [x, y + 9], [x, y]]],
                },
            }
            for at, (x, y) in enumerate(corners)
        ],
    }


def events() -> list[Row]:
    """Return what happens in the rooms of a month."""
    return [
        {"title": f"{TEAMS[day % 7]} in room {day % 5}", "start": f"2026-03-{day:02}T09:00:00", "allDay": day % 3 == 0}
        for day in range(1, 29)
    ]


SETS: dict[str, Callable[[], Any]] = {
    "sales": sales,
    "people": people,
    "points": points,
    "series": series,
    "regions": regions,
    "events": events,
    "openapi": openapi,
    "user": lambda: {"name": "R. Example", "role": "clerk"},
    "teams": lambda: [{"id": at, "name": name, "size": 7 + 3 * at} for at, name in enumerate(TEAMS)],
}
PARTS: dict[str, Callable[[], bytes | str]] = {
    "formulas.html": words.formulas,
    "program.js": words.program,
    "report.pdf": report,
    "slides.md": words.slides,
    "ticket.html": words.ticket,
    "tickets.html": words.tickets,
}


def tile(z: int, x: int, y: int) -> bytes:
    """Return a tile of a map: sea or land by where it is, and a road through it."""
    land = (x + y) % 2 == 0
    image = Image.new("RGB", (TILE, TILE), LAND if land else SEA)
    draw = ImageDraw.Draw(image)
    draw.line((0, TILE // 2, TILE, TILE // 2), ROAD, 6)
    draw.text((12, 12), f"{z}/{x}/{y}", "black")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def feed() -> Iterator[Row]:
    """Yield what a dashboard or a terminal is told: hosts one by one, and after that one of them again and again."""
    chance = random.Random(SEED)
    for number in range(HOSTS):
        yield _told(number, chance)
    for _ in range(TICKS):
        yield _told(chance.randrange(HOSTS), chance)


def _told(number: int, chance: random.Random) -> Row:
    load = round(chance.uniform(5, 95))
    return {"host": f"srv-{number:02}", "load": load, "line": f"\x1b[32msrv-{number:02}\x1b[0m load {load} %\r\n"}
