"""Random requests made from the served description, raw garbage, and what must hold of every answer.

Long, against a real box: ``python -m tests.fuzz --minutes 5``.
"""

import argparse
import json
import random
import re
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import BaseSchema

from allscreenshots_box import errors
from tests.box import Box
from tests.site.server import Site

CODES = {
    error.code
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, Exception) and hasattr(error, "code")
}
SHED = {"overloaded", "service_unavailable"}
INSIDE = re.compile(
    r"Traceback|\.py\b|\.rs\b|site-packages|litestar|granian|hyper|msgspec|sqlite|asyncio|panicked|object at 0x|/proc/",
    re.IGNORECASE,
)
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
SHORT = {"delay": 200, "timeout": 3000}  # milliseconds: the box does the same in less time
OWN = {"x-api-key", "authorization", "user-agent"}  # ours: whether keys are looked at is another test


class Bad(AssertionError):
    """An answer that must not be."""


def judge(status: int, headers: Mapping[str, str], content: bytes, inside: list[str]) -> str:
    """Return in a word what was answered. Raises Bad for a fault of ours, or for text from *inside*."""
    shown = "\n".join(f"{name}: {value}" for name, value in headers.items() if name.lower() != "server")
    if status != httpx.codes.OK:
        shown += content.decode()
    leaks = [*INSIDE.findall(shown), *(word for word in inside if word in shown)]
    if leaks:
        raise Bad(f"{status} shows {leaks}: {shown}")
    if status == httpx.codes.OK:
        return "200"
    code = str(json.loads(content)["error"])
    if status >= httpx.codes.INTERNAL_SERVER_ERROR and code not in SHED:
        raise Bad(f"{status}: {shown}")
    if code not in CODES:
        raise Bad(f"{status} has the unknown code {code!r}")
    return f"{status} {code}"


def cases(schema: BaseSchema, number: int, how_many: int, use: Callable[[str, dict[str, str], bytes], None]) -> None:
    """Give *use* the path, headers and body of *how_many* requests, good ones and bad ones; *number* decides which."""
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @seed(number)
        @settings(
            max_examples=how_many // 2,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=schema["/v1/screenshots"]["POST"].as_strategy(generation_mode=mode))
        def one(case: Case[Any]) -> None:
            use(*_parts(case))

        one()


def _parts(case: Case[Any]) -> tuple[str, dict[str, str], bytes]:
    sent = case.as_transport_kwargs(base_url="http://box")
    headers = {
        name: value
        for name, value in sent["headers"].items()
        if name.lower() not in OWN and name.isascii() and value.isascii() and value.isprintable()
    }
    body = sent.get("data", b"")
    if "json" in sent:
        body = json.dumps(sent["json"]).encode()
    url = httpx.URL(sent["url"], params=sent["params"] or None)
    return url.raw_path.decode(), headers, body if isinstance(body, bytes) else str(body).encode()


def aimed(body: bytes, url: str) -> bytes:
    """Return *body* with *url* as the page, and short waits, if it is an object at all."""
    try:
        content = json.loads(body)
    except ValueError:
        return body
    if not isinstance(content, dict) or not isinstance(content.get("url"), str):
        return body
    return json.dumps(content | {"url": url} | {name: most for name, most in SHORT.items() if name in content}).encode()


# --- raw garbage --------------------------------------------------------------------------------

HEAD = b"Host: x\r\nX-API-Key: nonsense\r\n"
POST = b"POST /v1/screenshots HTTP/1.1\r\n" + HEAD
GET = b"GET /health HTTP/1.1\r\n" + HEAD
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GARBAGE = {
    "nothing": b"",
    "empty lines": b"\r\n\r\n\r\n",
    "a word": b"hello\r\n\r\n",
    "nulls": bytes(1000),
    "high bytes": b"\xff" * 1000,
    "a TLS greeting": bytes.fromhex("160301002f0100002b0303") + bytes(38),
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\n\r\n",
    "a null in the path": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "high bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "encoded high bytes": b"GET /v1/%ff%00%c0%af HTTP/1.1\r\nHost: x\r\n\r\n",
    "up and out": b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "encoded up and out": b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a whole address": b"GET http://169.254.169.254/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a made-up method": b"SHOOT / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without a name": GET + b": x\r\n\r\n",
    "a space before the colon": GET + b"X-A : b\r\n\r\n",
    "a folded header": GET + b"X-A: b\r\n c\r\n\r\n",
    "high bytes in headers": GET + b"X-A: \xff\r\nUser-Agent: \xfe\r\nX-Forwarded-For: \xfd\r\nCookie: \xfc\r\n\r\n",
    "a high key": b"POST /v1/screenshots HTTP/1.1\r\nX-API-Key: \xff\xfe\r\nAuthorization: Bearer \xff\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length with a sign": POST + b"Content-Length: +1\r\n\r\na",
    "a negative length": POST + b"Content-Length: -1\r\n\r\na",
    "an endless length": POST + b"Content-Length: 99999999999999999999\r\n\r\na",
    "the largest length": POST + b"Content-Length: 18446744073709551615\r\n\r\na",
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk of nonsense": POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
    "an endless chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na",
    "a body cut short": POST + b"Content-Length: 100\r\n\r\n{",
    "HTTP/2 by upgrade": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
    "a WebSocket": GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "HTTP/2 and nothing": GREETING,
    "HTTP/2 and garbage": GREETING + b"\xff" * 100,
    "HTTP/2 and a frame of 16 MiB": GREETING + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "HTTP/2 and half a header": GREETING
    + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x10\x01\x05\x00\x00\x00\x01\x82",
    "HTTP/2 and headers of garbage": GREETING + b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff",
}


def garbled(number: int) -> bytes:
    """Return a request that was good once, or bytes that never were one."""
    dice = random.Random(number)
    if dice.random() < 0.2:
        return dice.randbytes(dice.randrange(1, 2000))
    raw = bytearray(dice.choice([GET + b"\r\n", POST + b'Content-Length: 14\r\n\r\n{"url": "x.y"}', *GARBAGE.values()]))
    for _ in range(dice.randrange(1, 8)):
        place = dice.randrange(len(raw) + 1)
        match dice.randrange(4):
            case 0:
                del raw[place : place + dice.randrange(1, 20)]
            case 1:
                raw[place:place] = dice.randbytes(dice.randrange(1, 20))
            case 2:
                raw[place:place] = dice.choice([b"\r\n", b"\n", b"\x00", b" ", b":", b"\xc3\x28", b"%", b"9" * 30])
            case _:
                raw[place : place + 1] = bytes([dice.randrange(256)])
    return bytes(raw)


def answered(port: int, raw: bytes) -> bytes:
    """Send bytes and an end; return what comes until the server ends too."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        try:
            peer.sendall(raw)
            peer.shutdown(socket.SHUT_WR)
            while more := peer.recv(65536):
                said += more
        except TimeoutError:
            raise
        except OSError:
            pass  # a reset is a way to refuse
        return said


def statuses(said: bytes) -> list[int]:
    """Return the statuses of all the answers in *said*."""
    return [int(status) for status in STATUS.findall(said)]


# --- the long form ------------------------------------------------------------------------------


def main() -> None:
    """Fuzz a box of our own until the time is over; say what was answered, and fail as soon as one answer is bad."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    above = Path(tempfile.mkdtemp(prefix="box-fuzz-", dir="/tmp"))
    above.chmod(0o755)
    with Site() as site, Box(above / "data", "--allow", f"127.0.0.1:{site.port}") as box:
        for line in _fuzz(box, site, options.minutes * 60, options.seed):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    shutil.rmtree(above)


def _fuzz(box: Box, site: Site, seconds: float, number: int) -> Iterator[str]:
    box.run("plans", "set", "fuzz", "--screenshots-per-hour", "1000000", "--screenshots-burst", "10000")
    key = box.key("fuzz", "--plan", "fuzz")
    inside = [str(box.data_dir), key[12:]]
    schema = schemathesis.openapi.from_url(f"{box.url}/schema/openapi.json")
    seen: Counter[str] = Counter()
    end = time.monotonic() + seconds
    with httpx.Client(base_url=box.url, headers={"X-API-Key": key}, timeout=70) as client:

        def use(path: str, headers: dict[str, str], body: bytes) -> None:
            if time.monotonic() < end:
                answer = client.post(path, headers=headers, content=aimed(body, site.url("/colors.html")))
                seen[judge(answer.status_code, answer.headers, answer.content, inside)] += 1

        while time.monotonic() < end:
            cases(schema, number, 100, use)
            for one in range(number * 1000, number * 1000 + 200):
                raw = garbled(one)
                found = statuses(answered(box.port, raw))
                if any(status >= httpx.codes.INTERNAL_SERVER_ERROR for status in found):
                    raise Bad(f"{found} to {raw!r}")
                seen["garbage"] += 1
            if not box.answers() or box.process.poll() is not None:
                raise Bad("the box is gone")
            number += 1
    if key[12:] in box.log.read_text() or '"level": "error"' in box.log.read_text():
        raise Bad(f"the log has a secret or a fault: {box.log}")
    yield f"seeds up to {number - 1}: " + ", ".join(f"{what}: {times}" for what, times in sorted(seen.items()))


if __name__ == "__main__":
    main()
