"""A small web site that behaves, misbehaves and remembers, for tests and benchmarks."""

import argparse
import contextlib
import mimetypes
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.site.routes import ADS_HOST, HTML, OTHER_HOST, ROUTES, TEXT, Answer, Route, Visit, find, page

PAGES = Path(__file__).parent / "pages"
BODILESS = {204, 304}  # statuses that HTTP sends without a body and without a Content-Length
PAGE_HEADERS: dict[str, dict[str, str]] = {
    "/csp.html": {"Content-Security-Policy": "default-src 'none'; style-src 'none'"},
}


class SiteRequest(NamedTuple):
    """One request as the site saw it; `path` has its query, header names are lower case, `port` is the client's."""

    method: str
    path: str
    headers: dict[str, str]
    port: int = 0


Connection = socket.socket | tuple[bytes, socket.socket]  # what socketserver calls a request
type_of = mimetypes.MimeTypes().guess_type  # the built-in table, not the machine's


def static(path: str, origins: dict[bytes, str]) -> Answer:
    """Read a page from its file; only a plain name directly in the folder is one."""
    file = PAGES / path.removeprefix("/")
    if "/" in path[1:] or not file.is_file():
        return Answer(page("404", "<h1>404</h1>"), status=404)
    kind = HTML if file.suffix == ".html" else type_of(file.name)[0] or "application/octet-stream"
    content = file.read_bytes()
    for mark, origin in origins.items():
        content = content.replace(mark, origin.encode())
    return Answer(content, kind, headers=PAGE_HEADERS.get(path, {}))


def respond(path: str, visit: Visit, site: "Site") -> Answer | None:
    """Ask the route or the page; a bad query is the client's fault, not a traceback."""
    route = find(path, site.routes)
    try:
        return route(visit) if route else static(path, site.origins)
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
        site = self.server.site
        headers = {name.lower(): value for name, value in self.headers.items()}
        site.record(SiteRequest(self.command, self.path, headers, self.client_address[1]))
        url = urlsplit(self.path)
        path = unquote(url.path)
        visit = Visit(path.rpartition("/")[2], dict(parse_qsl(url.query)), headers, site.closing, site.origins)
        answer = respond(path, visit, site)
        if answer is None:
            self.close_connection = True
        else:
            self.reply(answer)

    do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

    def do_POST(self) -> None:
        """Take what is sent, and go on as for any other visit."""
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.do_GET()

    def reply(self, answer: Answer) -> None:
        """Send an answer, its body only where HTTP lets it have one."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            self.send_whole(answer, answer.body)
        else:
            self.send_in_parts(answer, answer.body)

    def send_whole(self, answer: Answer, body: bytes) -> None:
        """Finish an answer whose length is known."""
        if answer.status not in BODILESS:
            self.send_header("Content-Type", answer.type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in BODILESS:
            self.wfile.write(body)

    def send_in_parts(self, answer: Answer, parts: Iterator[bytes]) -> None:
        """Finish an answer that goes on until its parts end or the other side has gone."""
        if "Connection" not in answer.headers:
            self.send_header("Content-Type", answer.type)
            self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.flush()
            for part in parts:
                self.wfile.write(part)
                self.wfile.flush()

    def handle(self) -> None:
        """Serve one connection until either side is gone."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        """Let go of a connection, also of one that was cut in the middle of an answer."""
        with contextlib.suppress(ConnectionError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Stay quiet: a test reads `Site.requests` instead."""


class Server(ThreadingHTTPServer):
    """A thread a connection, and every connection ended with the server."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, site: "Site") -> None:
        """Listen on a loopback address, any free port for 0."""
        self.site = site
        self.open: set[socket.socket] = set()
        super().__init__((host, port), Handler)
        self.address = f"{host}:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def begin(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def end(self) -> None:
        """Close, and wait until nothing is answered any more."""
        self.shutdown()
        self.server_close()
        self._thread.join()

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
    """The site on a loopback port, open for as long as the `with` block lasts.

    It answers on two more hosts: `other`, for what a page has from another origin, and `ads`, for what
    it has from people who sell. In the pages `@OTHER@` and `@ADS@` stand for their origins.
    """

    def __init__(self, port: int = 0, routes: Mapping[str, Route] = ROUTES) -> None:
        """Take the ports at once, so that their numbers are known before the first request."""
        self.routes = routes
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._requests: list[SiteRequest] = []
        self._servers = [Server("127.0.0.1", port, self), Server(OTHER_HOST, 0, self), Server(ADS_HOST, 0, self)]
        self.address, self.other, self.ads = (server.address for server in self._servers)
        self.origins = {b"@OTHER@": f"http://{self.other}", b"@ADS@": f"http://{self.ads}"}

    def __enter__(self) -> Self:
        """Begin to answer."""
        for server in self._servers:
            server.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """Let every waiting route go, and close."""
        self.closing.set()
        for server in self._servers:
            server.end()

    @property
    def port(self) -> int:
        """The port of its first host."""
        return self._servers[0].server_port

    @property
    def addresses(self) -> str:
        """Hosts and ports of all of it, as an allow list wants them."""
        return ",".join(server.address for server in self._servers)

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
