"""Answers that are odd and that browsers take, or refuse in words of their own; each as it stands on the wire.

What Chromium makes of them without a proxy was written down here by running it:
``python -m tests.odd_answers`` shows it anew.
"""

import asyncio
import gzip
import os
import socket
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allscreenshots_box.render.browsers.chromium import Chromium, find_executable

BODY = b"<!doctype html><title>odd</title><p>there</p>"
LENGTH = len(BODY)
OK = b"HTTP/1.1 200 OK\r\n"
HTML = b"Content-Type: text/html\r\n"
SIZED = b"Content-Length: %d\r\n" % LENGTH
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (LENGTH, BODY)
ZIPPED = gzip.compress(BODY)
RESET = struct.pack("ii", 1, 0)
TWO_LENGTHS = "ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH"
SECONDS = 10.0
HEADS = "/heads"  # tells how long the head of the request is
FLOOD_BYTES = 6 << 20
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Odd:
    """What a server says, and what the browser then shows: text, or an error of the network."""

    said: bytes
    shows: str = "there"
    error: str = ""
    status: int = 200
    resets: bool = False  # in the end, else it just ends
    breaks: bool = False  # in the middle, which the browser notes
    pauses: bool = False  # before the end, so that the browser has shown what there is


def _head(*lines: bytes, status: bytes = OK, body: bytes = BODY) -> bytes:
    return status + HTML + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _sized(*lines: bytes, status: bytes = OK) -> bytes:
    return _head(SIZED[:-2], *lines, status=status)


def _chunked(body: bytes, *lines: bytes) -> bytes:
    return _head(CHUNKED[:-2], *lines, body=body)


ANSWERS = {
    "a plain one": Odd(_sized()),
    # How it begins.
    "two blanks in the status line": Odd(_sized(status=b"HTTP/1.1  200 OK\r\n")),
    "HTTP/2.0": Odd(_sized(status=b"HTTP/2.0 200 OK\r\n")),
    "HTTP/1.2": Odd(_sized(status=b"HTTP/1.2 200 OK\r\n")),
    "HTTP/9": Odd(_sized(status=b"HTTP/9 200 OK\r\n")),
    "HTTP/1.0 until the end": Odd(_head(status=b"HTTP/1.0 200 OK\r\n")),
    "lower-case http": Odd(_sized(status=b"http/1.1 200 ok\r\n")),
    "an empty reason": Odd(_sized(status=b"HTTP/1.1 200 \r\n")),
    "no reason": Odd(_sized(status=b"HTTP/1.1 200\r\n")),
    "a reason in high bytes": Odd(_sized(status=b"HTTP/1.1 200 \xff\xfe\r\n")),
    "status 999": Odd(_sized(status=b"HTTP/1.1 999 Odd\r\n"), status=999),
    "status 20": Odd(_sized(status=b"HTTP/1.1 20 Odd\r\n"), status=20),
    "status 2000": Odd(_sized(status=b"HTTP/1.1 2000 Odd\r\n"), status=2000),
    "no status": Odd(_sized(status=b"HTTP/1.1 OK\r\n")),
    "ICY": Odd(b"ICY 200 OK\r\n" + HTML + BODY, shows=f"ICY 200 OK\nContent-Type: text/html\n{BODY.decode()}"),
    "line ends first": Odd(b"\r\n\r\n" + _sized()),
    "three bytes first": Odd(b"abc" + _sized()),
    "five bytes first": Odd(b"abcde" + _sized(), error="ERR_INVALID_HTTP_RESPONSE"),
    "HTTP/0.9": Odd(BODY, error="ERR_INVALID_HTTP_RESPONSE"),
    "nothing": Odd(b"", error="ERR_EMPTY_RESPONSE"),
    "half a status line": Odd(b"HTTP/1.1 2", shows="", status=2),
    "a status line and the end": Odd(b"HTTP/1.1 200 OK\r\n", shows=""),
    "half a head": Odd(OK + HTML, shows=""),
    "another protocol": Odd(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", error="ERR_INVALID_HTTP_RESPONSE"),
    # What comes before it.
    "100 first": Odd(b"HTTP/1.1 100 Continue\r\n\r\n" + _sized()),
    "102 and 103 first": Odd(b"HTTP/1.1 102 Processing\r\n\r\n" + HINT + _sized()),
    "many hints first": Odd(HINT * 5000 + _sized()),
    "an upgrade that nobody asked for": Odd(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + _sized()),
    # Fields.
    "no field at all": Odd(OK + b"\r\n" + BODY),
    "no type": Odd(OK + SIZED + b"\r\n" + BODY),
    "two types": Odd(_sized(b"Content-Type: text/html; charset=utf-8")),
    "two different types": Odd(_sized(b"Content-Type: text/plain"), shows=BODY.decode()),
    "line feeds alone": Odd(_sized().replace(b"\r\n", b"\n")),
    "line ends mixed": Odd(OK + HTML[:-2] + b"\n" + SIZED + b"\n" + BODY),
    "a line without a colon": Odd(_sized(b"no colon here")),
    "a line of a colon": Odd(_sized(b": nameless")),
    "a blank before the colon": Odd(_sized(b"X-Odd : 1")),
    "a length behind a blank": Odd(_head(b"Content-Length : 3"), shows=""),
    "a folded line": Odd(_sized(b"X-Odd: one", b" two", b"\tthree")),
    "a folded line first": Odd(OK + b" folded\r\n" + HTML + SIZED + b"\r\n" + BODY),
    "a carriage return alone": Odd(_sized(b"X-Odd: one\rtwo")),
    "NUL in a field": Odd(_sized(b"X-Odd: \0"), error="ERR_INVALID_HTTP_RESPONSE"),
    "high bytes in fields": Odd(_sized(b"X-\xff: \xfe")),
    "a head of 100 KB": Odd(_sized(b"X-Odd: " + b"x" * 100_000)),
    "a head of 250 KB": Odd(_sized(*[b"X-Odd-%d: " % number + b"x" * 1000 for number in range(245)])),
    "a head of 300 KB": Odd(_sized(b"X-Odd: " + b"x" * 300_000), error="ERR_RESPONSE_HEADERS_TOO_BIG"),
    "ten thousand fields": Odd(_sized(*[b"X: 1"] * 10_000)),
    # How long it is.
    "the same length twice": Odd(_sized(SIZED[:-2])),
    "a list of the same length": Odd(_head(b"Content-Length: %d, %d" % (LENGTH, LENGTH))),
    "two lengths": Odd(_sized(b"Content-Length: 3"), error=TWO_LENGTHS),
    "a list of two lengths": Odd(_head(b"Content-Length: %d, 3" % LENGTH), error=TWO_LENGTHS),
    "a signed length": Odd(_head(b"Content-Length: +%d" % LENGTH)),
    "a negative length": Odd(_head(b"Content-Length: -1")),
    "a length of nothing": Odd(_head(b"Content-Length:")),
    "a length that is a word": Odd(_head(b"Content-Length: long")),
    "too long a length": Odd(_head(b"Content-Length: %d" % (LENGTH + 100)), pauses=True, breaks=True),
    "an endless length": Odd(_head(b"Content-Length: 99999999999999999999999")),
    "more than its length": Odd(_sized() + b"<p>not there</p>"),
    "no length, and a reset": Odd(_head(), resets=True, pauses=True, breaks=True),
    "a length, and a reset": Odd(_sized(), resets=True),
    "a reset": Odd(b"", resets=True, error="ERR_CONNECTION_RESET"),
    # Chunks.
    "chunks": Odd(_chunked(CHUNKS)),
    "chunks, said twice": Odd(_chunked(CHUNKS, CHUNKED[:-2])),
    "chunked, chunked": Odd(_head(b"Transfer-Encoding: chunked, chunked", body=CHUNKS)),
    "chunks in capitals": Odd(_head(b"Transfer-Encoding: CHUNKED", body=CHUNKS)),
    "identity": Odd(_sized(b"Transfer-Encoding: identity")),
    "another coding": Odd(_sized(b"Transfer-Encoding: odd")),
    "gzip, chunked": Odd(_head(b"Transfer-Encoding: gzip, chunked", body=CHUNKS)),
    "chunks and a length": Odd(_chunked(CHUNKS, b"Content-Length: 3")),
    "chunks behind line feeds": Odd(_chunked(CHUNKS.replace(b"\r\n", b"\n"))),
    "chunks with extensions": Odd(_chunked(b'%x;a=b;c="d"\r\n%b\r\n0;e\r\n\r\n' % (LENGTH, BODY))),
    "chunks with blanks": Odd(_chunked(b"%x  \r\n%b\r\n0  \r\n\r\n" % (LENGTH, BODY))),
    "chunks behind a blank": Odd(_chunked(b" %x\r\n%b\r\n0\r\n\r\n" % (LENGTH, BODY)), shows="", breaks=True),
    "chunks with zeros": Odd(_chunked(b"00000%X\r\n%b\r\n000\r\n\r\n" % (LENGTH, BODY))),
    "chunks of one byte": Odd(_chunked(b"".join(b"1\r\n%c\r\n" % one for one in BODY) + b"0\r\n\r\n")),
    "trailers": Odd(_chunked(CHUNKS[:-2] + b"X-Odd: 1\r\nDigest: x\r\n\r\n")),
    "trailers without a colon": Odd(_chunked(CHUNKS[:-2] + b"odd\r\n\r\n")),
    "chunks without an end": Odd(_chunked(CHUNKS[:-5]), pauses=True, breaks=True),
    "chunks without the last line": Odd(_chunked(CHUNKS[:-2]), pauses=True, breaks=True),
    "a cut chunk": Odd(_chunked(b"ffff\r\n" + BODY), pauses=True, breaks=True),
    "chunks of nonsense": Odd(_chunked(b"odd\r\n" + BODY), shows="", breaks=True),
    "a chunk in another notation": Odd(_chunked(b"0x%x\r\n%b\r\n0\r\n\r\n" % (LENGTH, BODY)), shows="", breaks=True),
    "a chunk and then nonsense": Odd(_chunked(CHUNKS[:-5] + b"odd\r\n\r\n"), shows="", breaks=True),
    "a chunk for a giant": Odd(_chunked(b"f" * 17 + b"\r\n" + BODY), shows="", breaks=True),
    "more than the last chunk": Odd(_chunked(CHUNKS + b"<p>not there</p>")),
    # Codings of the content.
    "gzip": Odd(_head(b"Content-Encoding: gzip", b"Content-Length: %d" % len(ZIPPED), body=ZIPPED)),
    "gzip that is none": Odd(_sized(b"Content-Encoding: gzip"), shows="", breaks=True),
    "gzip that is cut": Odd(_head(b"Content-Encoding: gzip", body=ZIPPED[:-12])),
    "gzip, and then more": Odd(_head(b"Content-Encoding: gzip", body=ZIPPED + b"odd")),
    "x-gzip": Odd(_head(b"Content-Encoding: x-gzip", body=ZIPPED)),
    "deflate without a head": Odd(_head(b"Content-Encoding: deflate", body=zlib.compress(BODY)[2:-4])),
    "Brotli that is none": Odd(_sized(b"Content-Encoding: br"), shows="", breaks=True),
    "an unknown coding": Odd(_sized(b"Content-Encoding: odd")),
    # Statuses that mean something.
    "404": Odd(_sized(status=b"HTTP/1.1 404 Not Found\r\n"), status=404),
    "204 with a body": Odd(_sized(status=b"HTTP/1.1 204 No Content\r\n"), error="ERR_ABORTED"),
    "205 with a body": Odd(_sized(status=b"HTTP/1.1 205 Reset Content\r\n"), error="ERR_ABORTED"),
    "304 unasked": Odd(_sized(status=b"HTTP/1.1 304 Not Modified\r\n"), error="ERR_ABORTED"),
    "a redirect without a place": Odd(_sized(status=b"HTTP/1.1 302 Found\r\n"), status=302),
    "two places": Odd(
        _sized(b"Location: /a", b"Location: /b", status=b"HTTP/1.1 302 Found\r\n"),
        error="ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION",
    ),
    "401 without a challenge": Odd(_sized(status=b"HTTP/1.1 401 No\r\n"), status=401),
    "407": Odd(
        _sized(b"Proxy-Authenticate: Basic realm=x", status=b"HTTP/1.1 407 No\r\n"),
        error="ERR_UNEXPECTED_PROXY_AUTH",
    ),
}  # fmt: skip


FLOODS = {  # as many bytes, in pieces of very different sizes
    "at once": OK + HTML + b"Content-Length: %d\r\n\r\n" % FLOOD_BYTES + bytes(FLOOD_BYTES),
    "chunks of one byte": OK + HTML + CHUNKED + b"\r\n" + b"1\r\nx\r\n" * (FLOOD_BYTES // 6) + b"0\r\n\r\n",
    "hints": HINT * (FLOOD_BYTES // len(HINT)) + OK + HTML + b"Content-Length: 0\r\n\r\n",
}


# --- the server ---------------------------------------------------------------------------------


def flooded_by(name: str) -> str:
    """Return the path of a page that waits for a flood, and tells so."""
    return f"/page-of-flood-{list(FLOODS).index(name)}"


def path_of(name: str) -> str:
    """Return where an answer is."""
    return f"/{list(ANSWERS).index(name)}"


@contextmanager
def serving() -> Iterator[int]:
    """Serve all answers on a port of loopback."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=_answer, args=(listener.accept()[0],), daemon=True).start()


def _answer(peer: socket.socket) -> None:
    with peer, suppress(OSError, ValueError, IndexError):
        peer.settimeout(SECONDS)
        heard = b""
        while b"\r\n\r\n" not in heard and (more := peer.recv(65536)):
            heard += more
        path = heard.split()[1].decode()
        if path == HEADS:
            peer.sendall(_head(status=b"HTTP/1.0 200 OK\r\n", body=b"%d" % len(heard)))
            return
        if path.startswith("/page-of"):
            flood = path.removeprefix("/page-of-")
            page = (
                f"<p>wait<script>fetch('{flood}').then(it => it.blob()).then(() => document.body.id = 'done')</script>"
            )
            peer.sendall(_head(status=b"HTTP/1.0 200 OK\r\n", body=page.encode()))
            return
        if path.startswith("/flood-"):
            peer.sendall(list(FLOODS.values())[int(path[7:])])
            return
        odd = list(ANSWERS.values())[int(path[1:])]
        peer.sendall(odd.said)
        if odd.pauses:
            time.sleep(PAUSE_SECONDS)
        if odd.resets:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        else:
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass


# --- the browser, without a proxy ---------------------------------------------------------------


async def _show(port: int) -> None:
    chromium = Chromium(find_executable(), Path(tempfile.mkdtemp()), sandbox=os.geteuid() != 0)
    await chromium.start(lambda: None)
    try:
        for name in ANSWERS:
            sys.stdout.write(f"{name}: {await _seen(chromium, f'http://127.0.0.1:{port}{path_of(name)}')}\n")
    finally:
        await chromium.end()


async def _seen(chromium: Chromium, url: str) -> str:
    browser = chromium.connection.browser
    context = (await browser.send("Target.createBrowserContext"))["browserContextId"]
    target = await browser.send("Target.createTarget", url="about:blank", browserContextId=context)
    attached = await browser.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
    session = chromium.connection.session(attached["sessionId"])
    stopped = asyncio.Event()
    await session.send("Page.enable")
    session.on("Page.frameStoppedLoading", lambda _: stopped.set())
    error = (await session.send("Page.navigate", url=url)).get("errorText", "")
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            await stopped.wait()
    told: dict[str, Any] = await session.send(
        "Runtime.evaluate",
        expression="JSON.stringify([document.readyState, document.body && document.body.innerText.slice(0, 60), "
        "performance.getEntriesByType('navigation')[0].responseStatus])",
    )
    await browser.send("Target.disposeBrowserContext", browserContextId=context)
    return f"{error} {told['result'].get('value')}"


if __name__ == "__main__":
    with serving() as its_port:
        asyncio.run(_show(its_port))
