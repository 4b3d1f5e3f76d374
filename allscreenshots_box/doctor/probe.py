"""Pages of doctor's own on loopback, and a count of who comes for them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

HEAD_SECONDS = 5.0


def page(source: str) -> bytes:
    """Return an answer with a page."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
    return f"{head}Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n{source}".encode()


def redirect(url: str) -> bytes:
    """Return an answer that sends the browser to *url*."""
    return f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


class Site:
    """A server on loopback while the block lasts. Whatever it has no page for gets an empty one."""

    def __init__(self, pages: Mapping[str, bytes] | None = None) -> None:
        self.pages = dict(pages or {})
        self.connections = 0
        self.asked: Counter[str] = Counter()  # by path
        self.port = 0
        self._server: asyncio.Server

    @property
    def place(self) -> str:
        """Its HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """Return the address of one of its pages."""
        return f"http://{self.place}{path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, EOFError, IndexError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode("latin-1")
                self.asked[path] += 1
                writer.write(self.pages.get(path, page("")))
                await writer.drain()
        writer.close()
