"""Targets that misbehave below HTML: what they send, and how fast, is bounded, so that a machine of two bears it."""

import base64
import hashlib
import re
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

BYTES_A_SECOND = 5 << 20  # of what is sent on purpose in tiny parts
SPAN_SECONDS = 20.0  # after which the most stubborn target has said enough
ENDLESS_BYTES = 400 << 20
BLOCK = b"more " * (1 << 14)
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455

# The whole head, and what may follow it.
_HEAD = "HTTP/1.1 {status} There\r\nContent-Type: {type}\r\nConnection: close\r\nAccess-Control-Allow-Origin: *\r\n"


class Request(NamedTuple):
    """What a target knows of who asks."""

    head: str
    query: dict[str, str]


Target = Callable[[socket.socket, Request], None]


def head(type_: str = "text/html; charset=utf-8", status: int = 200, *lines: str) -> bytes:
    """Return the head of an answer; its body ends with the connection unless *lines* say otherwise."""
    return (_HEAD.format(status=status, type=type_) + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


def say(peer: socket.socket, body: str) -> None:
    """Send a page as any server would."""
    data = body.encode()
    peer.sendall(head("text/html; charset=utf-8", 200, f"Content-Length: {len(data)}") + data)


def nothing(peer: socket.socket, _: Request) -> None:
    """Say that there is nothing."""
    peer.sendall(head("text/plain", 404, "Content-Length: 0"))


def pace(peer: socket.socket, parts: Iterator[bytes], rate: float = BYTES_A_SECOND) -> None:
    """Send parts no faster than *rate*, until they end, the peer goes or the time is over."""
    begun, sent = time.monotonic(), 0
    for part in parts:
        peer.sendall(part)
        sent += len(part)
        ahead = sent / rate - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)
        if time.monotonic() - begun > SPAN_SECONDS:
            return


def again(part: bytes, most: int = ENDLESS_BYTES) -> Iterator[bytes]:
    """Repeat a part up to so many bytes."""
    for _ in range(most // len(part)):
        yield part


def one_byte_chunks(peer: socket.socket, _: Request) -> None:
    """Send a page in chunks of one byte, without end."""
    peer.sendall(head("text/html", 200, "Transfer-Encoding: chunked"))
    pace(peer, again(b"1\r\nx\r\n" * 8192))


def chunk_extensions(peer: socket.socket, _: Request) -> None:
    """Send the first chunk's size with an extension that does not end."""
    peer.sendall(head("text/html", 200, "Transfer-Encoding: chunked") + b"5;a=")
    pace(peer, again(b"b" * 65536))


def endless_trailers(peer: socket.socket, _: Request) -> None:
    """End the body, and go on with trailers."""
    peer.sendall(head("text/html", 200, "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n")
    pace(peer, again(b"X-More: 1\r\n" * 4096))


def early_hints(peer: socket.socket, _: Request) -> None:
    """Send interim answers without end."""
    pace(peer, again(b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n" * 1024))


def huge_head(peer: socket.socket, _: Request) -> None:
    """Send header lines without end."""
    peer.sendall(b"HTTP/1.1 200 There\r\n")
    pace(peer, again(b"X-More: 1234567890123456789012345678901234567890\r\n" * 1024), 20 << 20)


def slow_head(peer: socket.socket, _: Request) -> None:
    """Send a head letter by letter."""
    pace(peer, again(b"X", 1 << 20), 10)


def many_cookies(peer: socket.socket, _: Request) -> None:
    """Set as many and as large cookies as fit into a head."""
    cookies = [f"Set-Cookie: c{number}={'v' * 3900}" for number in range(15)]
    more = "for (let i = 0; i < 180; i++) document.cookie = `k${i}=` + 'v'.repeat(4000)"
    peer.sendall(head("text/html", 200, *cookies) + f"<p>cookies<script>{more}</script>".encode())


def endless_page(peer: socket.socket, _: Request) -> None:
    """Send a page that does not end, as fast as it is taken."""
    peer.sendall(head() + b"<!doctype html><p>")
    pace(peer, again(b"<p>" + BLOCK), 60 << 20)


def endless_event_stream(peer: socket.socket, _: Request) -> None:
    """Send events without end."""
    peer.sendall(head("text/event-stream"))
    pace(peer, again(b"data: x\n\n" * 4096))


def long_claim(peer: socket.socket, _: Request) -> None:
    """Claim ten gigabytes, and send a page and nothing more."""
    peer.sendall(head("text/html", 200, f"Content-Length: {10 << 30}") + b"<p>here")
    time.sleep(SPAN_SECONDS)


def gzip_bomb(peer: socket.socket, _: Request) -> None:
    """Send one megabyte that is a gigabyte when unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"<b>x</b>" * (1 << 17)) + packer.flush(zlib.Z_FULL_FLUSH)  # needs nothing before it
    peer.sendall(head("text/html", 200, "Content-Encoding: gzip") + start)
    pace(peer, again(block, 1024 * len(block)))


def around(peer: socket.socket, request: Request) -> None:
    """Send the visitor on, to an address that is new each time."""
    turn = int(request.query.get("n", "0")) + 1
    peer.sendall(head("text/html", 302, f"Location: /around?n={turn}", "Content-Length: 0"))


def who_are_you(peer: socket.socket, _: Request) -> None:
    """Ask for a password, whatever is said."""
    peer.sendall(head("text/html", 401, 'WWW-Authenticate: Basic realm="x"', "Content-Length: 0"))


def download(peer: socket.socket, _: Request) -> None:
    """Offer 100 MB to be saved."""
    peer.sendall(head("application/octet-stream", 200, "Content-Disposition: attachment; filename=x.bin"))
    pace(peer, again(BLOCK, 100 << 20), 60 << 20)


def font(peer: socket.socket, _: Request) -> None:
    """Send 100 MB that claim to be a font."""
    peer.sendall(head("font/ttf", 200, f"Content-Length: {100 << 20}") + b"\0\1\0\0")
    pace(peer, again(bytes(1 << 20), (100 << 20) - 4), 100 << 20)


def picture(peer: socket.socket, request: Request) -> None:
    """Paint a square of so many pixels as a PNG of a few kilobytes."""
    side = int(request.query["side"])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side // 8 + 1)) for _ in range(side)) + packer.flush()
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    peer.sendall(head("image/png") + body + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def late(peer: socket.socket, request: Request) -> None:
    """Answer after so many milliseconds."""
    time.sleep(int(request.query.get("ms", "5000")) / 1000)
    say(peer, "<p>late")


def web_socket(peer: socket.socket, request: Request) -> None:
    """Open a WebSocket and send messages of `size` bytes, `many` of them."""
    found = re.search(r"sec-websocket-key: *(\S+)", request.head, re.IGNORECASE)
    if not found:
        return
    accept = base64.b64encode(hashlib.sha1(f"{found[1]}{_GUID}".encode()).digest()).decode()
    lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    peer.sendall("\r\n".join(["HTTP/1.1 101 There", *lines, "", ""]).encode())
    size = int(request.query.get("size", "1"))
    message = b"\x81\x7f" + struct.pack("!Q", size) + b"x" * size
    batch = message * max(1, 16384 // len(message))
    pace(peer, again(batch, int(request.query.get("many", "100000")) * len(message)), 40 << 20)


ROUTES: dict[str, Target] = {
    "/one-byte-chunks": one_byte_chunks,
    "/chunk-extensions": chunk_extensions,
    "/endless-trailers": endless_trailers,
    "/early-hints": early_hints,
    "/huge-head": huge_head,
    "/slow-head": slow_head,
    "/many-cookies": many_cookies,
    "/endless-page": endless_page,
    "/endless-events": endless_event_stream,
    "/long-claim": long_claim,
    "/gzip-bomb": gzip_bomb,
    "/around": around,
    "/who-are-you": who_are_you,
    "/download": download,
    "/font": font,
    "/picture": picture,
    "/late": late,
    "/web-socket": web_socket,
}
