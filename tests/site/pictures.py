"""Pictures made on the spot: one colour, or rows that each say their number."""

import struct
import zlib
from functools import lru_cache

ROW_COLOURS = 1 << 24  # as many as RGB has: no row of any page here repeats another's
ROW_STEP = 0x9E3779  # odd, so that it reaches every colour once; large, so that neighbours differ much
STRIP_WIDTH = 8  # pixels; the page stretches it

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_CHUNK = 0x7FFFFFFF  # bytes

Colour = tuple[int, int, int]


def row_colour(number: int) -> Colour:
    """Give the one colour that row *number* of the pattern has."""
    value = number * ROW_STEP % ROW_COLOURS
    return value >> 16, value >> 8 & 255, value & 255


@lru_cache(maxsize=32)
def solid_png(colour: Colour, width: int, height: int) -> bytes:
    """Make a picture of one colour."""
    return png(width, height, (b"\0" + bytes(colour) * width) * height)


@lru_cache(maxsize=128)
def strip_png(first: int, rows: int) -> bytes:
    """Make *rows* rows of the pattern from number *first* on."""
    numbers = range(first, first + rows)
    return png(STRIP_WIDTH, rows, b"".join(b"\0" + bytes(row_colour(number)) * STRIP_WIDTH for number in numbers))


def endless_png() -> bytes:
    """Begin a picture whose pixels come after 2 GB of remarks."""
    return SIGNATURE + chunk(b"IHDR", header(1, 1)) + struct.pack(">I", LONGEST_CHUNK) + b"reMk"


def png(width: int, height: int, rows: bytes) -> bytes:
    """Wrap rows of 8-bit RGB, each after its filter byte, as a PNG."""
    chunks = ((b"IHDR", header(width, height)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return SIGNATURE + b"".join(chunk(name, data) for name, data in chunks)


def header(width: int, height: int) -> bytes:
    """Say how large a picture of 8-bit RGB is."""
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


def chunk(name: bytes, data: bytes) -> bytes:
    """Wrap data as one PNG chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
