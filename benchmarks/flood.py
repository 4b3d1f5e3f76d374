"""Sends requests with bogus keys at a steady rate, and counts the answers; prints them as JSON."""

import argparse
import asyncio
import json
import random
import re
import string
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECKSUM_LENGTH = 6
BODY_LENGTH = 38  # characters between ask_ and the checksum
CONNECTIONS = 16  # of each kind, so that a kind that is answered slowly does not hold the others up
PATIENCE = 10.0  # seconds to wait for an answer before it counts as none
BODY = b'{"url": "http://127.0.0.1:1/"}'
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
LAST = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)

Maker = Callable[[], str]


def random_text(length: int) -> str:
    """Give random characters of the alphabet of keys."""
    return "".join(random.choices(BASE62, k=length))


def checksum(text: str) -> str:
    """Give the six characters that end a well-formed key."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def malformed() -> str:
    """Give something that is no key at all."""
    shapes = ("hello", "ask_", "ask_" + random_text(12), random_text(48), "ask_" + random_text(400))
    return random.choice(shapes)


def bad_checksum() -> str:
    """Give a key with a typing error in its end."""
    text = "ask_" + random_text(BODY_LENGTH)
    return text + checksum(text + "!")


def unknown() -> str:
    """Give a well-formed key that nobody made."""
    text = "ask_" + random_text(BODY_LENGTH)
    return text + checksum(text)


def wrong_secret(prefix: str) -> str:
    """Give a well-formed key that begins as a real one does."""
    text = prefix + random_text(len("ask_") + BODY_LENGTH - len(prefix))
    return text + checksum(text)


@dataclass
class Count:
    """What came back for one kind of bogus key."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)  # milliseconds


class Connection:
    """One kept-alive connection, opened again whenever the server ended it; in use, or being opened, once."""

    def __init__(self, port: int) -> None:
        """Know where to connect to, later."""
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, key: str) -> int:
        """Send one request and give the status of the answer."""
        reader, writer = self.streams or await asyncio.open_connection("127.0.0.1", self.port)
        self.streams = reader, writer
        head = f"POST /v1/screenshots HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n"
        rest = f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        writer.write((head + rest).encode() + BODY)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(answer)
        await reader.readexactly(int(length[1]) if length else 0)
        if LAST.search(answer):
            self.close()
        return int(answer.split(b" ", 2)[1])

    def close(self) -> None:
        """Drop the connection; the next question opens another."""
        if self.streams:
            self.streams[1].close()
        self.streams = None


async def keep_asking(port: int, make: Maker, interval: float, until: float, count: Count) -> None:
    """Ask once every *interval* seconds; what could not be sent in time is left out, not caught up."""
    connection = Connection(port)
    due = time.monotonic() + interval * random.random()
    while due < until:
        await asyncio.sleep(due - time.monotonic())
        began = time.monotonic()
        try:
            status = str(await asyncio.wait_for(connection.ask(make()), PATIENCE))
        except (OSError, EOFError, TimeoutError) as error:
            status = type(error).__name__
            connection.close()
        count.statuses[status] += 1
        count.latencies.append((time.monotonic() - began) * 1000)
        due = max(due + interval, time.monotonic())
    connection.close()


async def flood(port: int, prefix: str, rate: float, seconds: float) -> dict[str, Count]:
    """Send *rate* bogus requests a second, a quarter of each kind."""
    kinds: dict[str, Maker] = {
        "malformed": malformed,
        "bad checksum": bad_checksum,
        "unknown": unknown,
        "wrong secret": lambda: wrong_secret(prefix),
    }
    counts: dict[str, Count] = defaultdict(Count)
    interval, until = CONNECTIONS * len(kinds) / rate, time.monotonic() + seconds
    workers = [
        keep_asking(port, make, interval, until, counts[kind])
        for kind, make in kinds.items()
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*workers)
    return counts


def main() -> None:
    """Flood, then report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prefix", required=True, help="the first 12 characters of a real key")
    parser.add_argument("--rate", type=float, default=500, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    counts = asyncio.run(flood(options.port, options.prefix, options.rate, options.seconds))
    print(json.dumps({kind: {"statuses": seen.statuses, "latencies": seen.latencies} for kind, seen in counts.items()}))


if __name__ == "__main__":
    main()
