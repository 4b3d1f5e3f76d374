"""The world of the street, as a process: one name server, and one web server that has the pages of all cases.

dead-1.example    never answered
many-1.example    four thousand addresses
anything.example  one address, where the web server is
"""

import ipaddress
import socket
import socketserver
import struct
import sys
import threading
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from tests.neighbour import targets
from tests.neighbour.table import PAGES

PUBLIC = "93.184.216.34"
MANY = 4_000
MOST_HEAD = 65_536
_A = 1


def serve_names(address: str) -> None:
    """Answer every query for an IPv4 address but those for the dead."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    server.bind((address, 53))
    while True:
        data, asking = server.recvfrom(4096)
        with suppress(OSError, IndexError):
            if reply := answer(data):
                server.sendto(reply, asking)


def answer(query: bytes) -> bytes | None:
    """Return what is said to a query; None for those that are not answered."""
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    end = place + 5
    if labels[0].startswith("dead"):
        return None
    found = addresses(labels[0]) if int.from_bytes(query[place + 1 : place + 3]) == _A else []
    head = query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(found), 0, 0)
    records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", _A, 1, 0, 4) + address for address in found)
    return head + query[12:end] + records


def addresses(label: str) -> list[bytes]:
    """Return the addresses of a name: one where something is, or many where all is."""
    first = int(ipaddress.IPv4Address(PUBLIC))
    return [(first + number).to_bytes(4) for number in range(MANY if label.startswith("many") else 1)]


class Handler(socketserver.BaseRequestHandler):
    """Reads the head of one request, lets its target answer, and closes."""

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            self._answer(self.request)

    def _answer(self, peer: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < MOST_HEAD:
            got = peer.recv(4096)
            if not got:
                return
            head += got
        text = head.decode("latin-1")
        url = urlsplit(text.split(" ")[1])
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if page := PAGES.get(url.path):
            targets.say(peer, page)
        else:
            targets.ROUTES.get(url.path, targets.nothing)(peer, targets.Request(text, query))


class Web(socketserver.ThreadingTCPServer):
    """A thread a connection; who hangs up in the middle is no fault."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512


def main() -> None:
    """Serve until the street is closed."""
    threading.Thread(target=serve_names, args=(sys.argv[1],), daemon=True).start()
    with Web(("0.0.0.0", 80), Handler) as web:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        web.serve_forever()


if __name__ == "__main__":
    main()
