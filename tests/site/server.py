"""A small web site that behaves, misbehaves and remembers, for tests and benchmarks."""

import argparse
import contextlib
import json
import mimetypes
import re
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

PAGES = Path(__file__).parent / "pages"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BODILESS = {204, 304}  # statuses that HTTP sends without a body and without a Content-Length
LONGEST_SIDE = 4000  # pixels of a generated image: enough for any page here, and never a memory hog
PAGE_HEADERS: dict[str, dict[str, str]] = {
    "/csp.html": {"Content-Security-Policy": "default-src 'none'; style-src 'none'"},
}


class SiteRequest(NamedTuple):
    """One request as the site saw it; `path` has its query, header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Visit:
    """What a route may know: the last part of the path, the query, the headers, and the site's end."""

    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    closing: threading.Event


@dataclass(frozen=True)
class Answer:
    """What a route sends back."""

    body: bytes = b""
    type: str = HTML
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Connection = socket.socket | tuple[bytes, socket.socket]  # what socketserver calls a request
type_of = mimetypes.MimeTypes().guess_type  # the built-in table, not the machine's


def page(title: str, body: str, head: str = "") -> bytes:
    """Give a whole HTML document."""
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>{head}{body}\n".encode()


def status(visit: Visit) -> Answer:
    """Answer with any final status, and say which."""
    return Answer(page(visit.name, f"<h1>{visit.name}</h1>"), status=final_status(visit.name))


def empty_status(visit: Visit) -> Answer:
    """Answer with any final status and not one byte."""
    return Answer(status=final_status(visit.name))


def final_status(text: str) -> int:
    """Read a status; a 1xx would leave the client waiting for the real one."""
    return int(text) if re.fullmatch(r"[2-5]\d\d", text) else 400


def redirect(visit: Visit) -> Answer:
    """Send the visitor on with a Location header."""
    location = visit.query["to"].replace("\r", "").replace("\n", "")
    return Answer(status=302, headers={"Location": location})


def meta_redirect(visit: Visit) -> Answer:
    """Send the visitor on with a meta refresh."""
    return Answer(page("meta", "", f'<meta http-equiv=refresh content="0; url={escape(visit.query["to"])}">'))


def js_redirect(visit: Visit) -> Answer:
    """Send the visitor on with a script."""
    target = json.dumps(visit.query["to"]).replace("<", "\\u003c")
    return Answer(page("script", f"<script>location.replace({target})</script>"))


def hang(visit: Visit) -> Answer | None:
    """Accept, and never answer while the site is open."""
    visit.closing.wait()
    return None


def slow(visit: Visit) -> Answer | None:
    """Answer after `ms` milliseconds."""
    wait = float(visit.query.get("ms", "1000")) / 1000
    return None if visit.closing.wait(wait) else Answer(page("slow", "<p>At last.</p>"))


def download(_: Visit) -> Answer:
    """Offer a file to be saved instead of a page."""
    disposition = 'attachment; filename="file.bin"'
    return Answer(b"\0" * 1024, "application/octet-stream", headers={"Content-Disposition": disposition})


def no_content(_: Visit) -> Answer:
    """Answer that there is nothing to show."""
    return Answer(status=204)


def cookie(visit: Visit) -> Answer:
    """Set a cookie; green for a visitor without one, red for a visitor who brings it back."""
    colour = "rgb(255, 0, 0)" if "visited=" in visit.headers.get("cookie", "") else "rgb(0, 128, 0)"
    style = f"<style>html {{ background: {colour} }}</style>"
    return Answer(page("cookie", "<body>", style), headers={"Set-Cookie": "visited=yes; Path=/"})


def image(visit: Visit) -> Answer:
    """Paint `size` (width x height) in one `color` (rrggbb), as a PNG."""
    red, green, blue = bytes.fromhex(visit.query.get("color", "808080"))
    width, _, height = visit.query.get("size", "100x100").partition("x")
    return Answer(solid_png((red, green, blue), side(width), side(height)), "image/png")


def side(text: str) -> int:
    """Read a length in pixels, within bounds."""
    return min(max(int(text), 1), LONGEST_SIDE)


@lru_cache(maxsize=32)
def solid_png(colour: tuple[int, int, int], width: int, height: int) -> bytes:
    """Make an 8-bit RGB picture of one colour."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(colour) * width) * height
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    """Wrap data as one PNG chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def echo(visit: Visit) -> Answer:
    """Show the visitor's own headers."""
    return Answer(json.dumps(dict(visit.headers), indent=2).encode(), TEXT)


Route = Callable[[Visit], Answer | None]
ROUTES: dict[str, Route] = {
    "/status/": status,
    "/status-empty/": empty_status,
    "/redirect": redirect,
    "/meta-redirect": meta_redirect,
    "/js-redirect": js_redirect,
    "/hang": hang,
    "/slow": slow,
    "/download": download,
    "/no-content": no_content,
    "/cookie": cookie,
    "/image": image,
    "/echo": echo,
}


def find(path: str) -> Route | None:
    """Find the route of a path: the path itself, or the folder that it lies in."""
    return ROUTES.get(path) or ROUTES.get(path[: path.rfind("/") + 1])


def static(path: str) -> Answer:
    """Read a page from its file; only a plain name directly in the folder is one."""
    file = PAGES / path.removeprefix("/")
    if "/" in path[1:] or not file.is_file():
        return Answer(page("404", "<h1>404</h1>"), status=404)
    kind = HTML if file.suffix == ".html" else type_of(file.name)[0] or "application/octet-stream"
    return Answer(file.read_bytes(), kind, headers=PAGE_HEADERS.get(path, {}))


def respond(path: str, visit: Visit) -> Answer | None:
    """Ask the route or the page; a bad query is the client's fault, not a traceback."""
    route = find(path)
    try:
        return route(visit) if route else static(path)
    except (KeyError, ValueError) as error:
        return Answer(f"Bad query: {error}\n".encode(), TEXT, 400)


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for the routes: one visit in, one answer out, nothing printed."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "site", ""
    wbufsize = -1  # head and body leave in one write, so that no client waits for a delayed ACK
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Record the request, ask its route, and send what it answers."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.site.record(SiteRequest(self.command, self.path, headers))
        url = urlsplit(self.path)
        path = unquote(url.path)
        query = dict(parse_qsl(url.query))
        visit = Visit(path.rpartition("/")[2], query, headers, self.server.site.closing)
        answer = respond(path, visit)
        if answer is None:
            self.close_connection = True
        else:
            self.reply(answer)

    do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

    def reply(self, answer: Answer) -> None:
        """Send an answer, its body only where HTTP lets it have one."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in BODILESS:
            self.send_header("Content-Type", answer.type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in BODILESS:
            self.wfile.write(answer.body)

    def handle(self) -> None:
        """Serve one connection until either side is gone."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Stay quiet: a test reads `Site.requests` instead."""


class Server(ThreadingHTTPServer):
    """A thread a connection, and every connection ended with the server."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, site: "Site") -> None:
        """Listen on loopback, any free port for 0."""
        self.site = site
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request: Connection, client_address: object) -> None:
        """Remember the connection while it lasts."""
        if isinstance(request, socket.socket):
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Connection) -> None:
        """Forget a connection and close it."""
        if isinstance(request, socket.socket):
            self.open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the door and every connection that is still open."""
        super().server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Site:
    """The site on a loopback port, open for as long as the `with` block lasts."""

    def __init__(self, port: int = 0) -> None:
        """Take the port at once, so that its number is known before the first request."""
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._requests: list[SiteRequest] = []
        self._server = Server(port, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let every waiting route go, and close."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    @property
    def address(self) -> str:
        """Host and port, as an allow list wants them."""
        return f"127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[SiteRequest]:
        """Every request so far, oldest first; a copy."""
        with self._lock:
            return list(self._requests)

    def url(self, path: str = "/") -> str:
        """Give the whole address of a path."""
        return f"http://{self.address}{path}"

    def record(self, request: SiteRequest) -> None:
        """Add a request to those seen."""
        with self._lock:
            self._requests.append(request)

    def forget(self) -> None:
        """Drop the requests seen so far."""
        with self._lock:
            self._requests.clear()


def main() -> None:
    """Serve until interrupted; the first line on stdout is the site's address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    with Site(parser.parse_args().port) as site:
        sys.stdout.write(site.url() + "\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
