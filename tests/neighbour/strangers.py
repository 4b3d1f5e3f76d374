"""Strangers without a key, who hold what they can get: connections, bodies that do not come, heads that do not end."""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress

CONNECTIONS = 1150  # more than a box has by default
TRICKLE_SECONDS = 0.5  # between two bytes of each
PAUSE_SECONDS = 0.05  # after a byte on each
LEAST_SECONDS = 3.0
BATCH = 100  # made at once, then the box gets a breath: its queue of new ones is not what is tried

_SIGN_IN = (
    "POST /admin/sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\npassword="
)
_SHOT = (
    "POST /v1/screenshots HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-API-Key: ask_{key}\r\n"
    "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
)
_HEAD = "GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Slow: "


def hold(port: int, seconds: float, start: str) -> dict[str, int]:
    """Open connections, say *start* on each, then a byte now and then; open another where one is closed."""
    end = time.monotonic() + max(seconds, LEAST_SECONDS)
    seen: Counter[str] = Counter()
    peers: set[socket.socket] = set()
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        stack.callback(_close, peers)
        while (now := time.monotonic()) < end:
            for peer in _more(port, start, CONNECTIONS - len(peers)):
                peers.add(peer)
                selector.register(peer, selectors.EVENT_READ, peer)
            for key, _ in selector.select(timeout=0.02):
                seen[_heard(key.data)] += 1
                selector.unregister(key.data)
                peers.discard(key.data)
                key.data.close()
            if now % TRICKLE_SECONDS < PAUSE_SECONDS:
                _trickle(peers)
    return seen


def _more(port: int, start: str, wanted: int) -> Iterator[socket.socket]:
    for _ in range(min(BATCH, wanted)):
        with suppress(OSError):
            yield _opened(port, start)


def _close(peers: Iterable[socket.socket]) -> None:
    for peer in peers:
        peer.close()


def _trickle(peers: Iterable[socket.socket]) -> None:
    for peer in peers:
        with suppress(OSError):
            peer.send(b"x")
    time.sleep(PAUSE_SECONDS)


def _opened(port: int, start: str) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), timeout=1)
    try:
        peer.sendall(start.encode())
    except OSError:
        peer.close()
        raise
    peer.setblocking(False)
    return peer


def _heard(peer: socket.socket) -> str:
    """Return the status of what came, or that it was nothing."""
    with suppress(OSError):
        words = peer.recv(65536).split(b" ", 2)
        if len(words) > 1 and words[0].startswith(b"HTTP/"):
            return words[1].decode("latin-1")
    return "closed"


def slow_sign_ins(port: int, seconds: float) -> dict[str, int]:
    """Sign in, byte by byte."""
    return hold(port, seconds, _SIGN_IN.format(port=port))


def slow_bodies(port: int, seconds: float) -> dict[str, int]:
    """Ask for pictures with keys that there are not, byte by byte."""
    return hold(port, seconds, _SHOT.format(port=port, key="0" * 44))


def slow_heads(port: int, seconds: float) -> dict[str, int]:
    """Ask for anything, byte by byte."""
    return hold(port, seconds, _HEAD.format(port=port))


def silent(port: int, seconds: float) -> dict[str, int]:
    """Say nothing."""
    return hold(port, seconds, "")
