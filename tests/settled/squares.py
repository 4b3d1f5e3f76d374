"""A font made on the spot, whose one letter, X, is a black square as wide and high as its size."""

import struct
from functools import cache

EM = 1000  # units that the square is wide and high
UP = 800  # of them above the line
GLYPHS = 2  # that for letters which the font has not, and the X
NAMES = {1: "Squares", 2: "Regular", 3: "Squares", 4: "Squares", 6: "Squares"}
MAGIC = 0x5F0F3CF5  # of every head table, behind the sum that is adjusted
CHECKSUM = 0xB1B0AFBA  # what those of all tables and this one add up to


@cache
def square_font() -> bytes:
    """Give the font as a TrueType file."""
    square = _square()
    tables = {
        b"OS/2": _os2(),
        b"cmap": _cmap(),
        b"glyf": square,
        b"head": _head(),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, UP, UP - EM, 0, EM, 0, 0, EM, 1, *[0] * 7, GLYPHS),
        b"hmtx": struct.pack(">HhHh", EM, 0, EM, 0),
        b"loca": struct.pack(">III", 0, 0, len(square)),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x10000, GLYPHS, 4, 1, 0, 0, 2, *[0] * 8),
        b"name": _name(),
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    return _file(tables)


def _file(tables: dict[bytes, bytes]) -> bytes:
    """Put tables behind their directory."""
    count = len(tables)
    log = count.bit_length() - 1
    head = struct.pack(">IHHHH", 0x10000, count, 16 << log, log, (count - (1 << log)) * 16)
    place = len(head) + 16 * count
    rows, bodies = b"", b""
    for tag, table in tables.items():
        rows += tag + struct.pack(">III", _sum(table), place + len(bodies), len(table))
        bodies += table + b"\0" * (-len(table) % 4)
    whole = head + rows + bodies
    spot = whole.index(struct.pack(">I", MAGIC)) - 4
    return whole[:spot] + struct.pack(">I", (CHECKSUM - _sum(whole)) & 0xFFFFFFFF) + whole[spot + 4 :]


def _sum(data: bytes) -> int:
    padded = data + b"\0" * (-len(data) % 4)
    numbers: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(numbers) & 0xFFFFFFFF


def _square() -> bytes:
    """Draw the X: one contour of four points on its corners."""
    box = struct.pack(">hhhhh", 1, 0, UP - EM, EM, UP)
    across, up = (0, 0, EM, 0), (UP - EM, EM, 0, -EM)  # each from the point before
    points = struct.pack(">HH4B8h", 3, 0, 1, 1, 1, 1, *across, *up)
    return box + points + b"\0" * (-(len(box) + len(points)) % 4)


def _cmap() -> bytes:
    """Say that the X is the one letter."""
    letter = ord("X")
    segments = struct.pack(">HHHHHHHHH", letter, 0xFFFF, 0, letter, 0xFFFF, (1 - letter) & 0xFFFF, 1, 0, 0)
    table = struct.pack(">HHHHHHH", 4, 14 + len(segments), 0, 4, 4, 1, 0) + segments
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + table


def _head() -> bytes:
    return struct.pack(">IIIIHHqqhhhhHHhhh", 0x10000, 0x10000, 0, MAGIC, 3, EM, 0, 0, 0, UP - EM, EM, UP, 0, 8, 2, 1, 0)


def _name() -> bytes:
    """Name the font, for Windows and in English, as browsers read it."""
    records, texts = b"", b""
    for kind, text in NAMES.items():
        words = text.encode("utf-16-be")
        records += struct.pack(">HHHHHH", 3, 1, 0x409, kind, len(words), len(texts))
        texts += words
    return struct.pack(">HHH", 0, len(NAMES), 6 + len(records)) + records + texts


def _os2() -> bytes:
    letter = ord("X")
    return (
        struct.pack(">HhHHHhhhhhhhhhhh", 3, EM, 400, 5, 0, *[0] * 11)
        + b"\0" * 10
        + struct.pack(">IIII", 1, 0, 0, 0)
        + b"TEST"
        + struct.pack(">HHHhhhHH", 0x40, letter, letter, UP, UP - EM, 0, UP, EM - UP)
        + struct.pack(">IIhhHHH", 1, 0, 500, 700, 0, 32, 0)
    )
