"""All servers of the attacks' world, each at every address: sites, redirector, WebSocket, STUN and name server.

The same one plays the public site, the intranet and the metadata service: who asks at an address of the intranet has
got there. Beside the box it plays what the box's own machine has, and nobody should reach.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, urlsplit

from tests.attacks.names import NameServer
from tests.attacks.network import NAME_SERVER, Space

WORLD_PORTS = (80, 443, 631, 8080)
BOX_PORTS = (8098, 8099)  # the first is what the box's operator allows
STUN_PORT = 3478
SECRET = "the secret of whoever lives here"  # what an attacker is after

_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SUBRESOURCES = {
    ".js": ("text/javascript", "/* there */"),
    ".css": ("text/css", "body {}"),
    ".svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    ".json": ("application/json", "{}"),
    ".txt": ("text/event-stream", "data: there\n\n"),
}


class Asked(NamedTuple):
    """A request that arrived: at which address, for which host and path."""

    address: str
    host: str
    path: str


class Reply(NamedTuple):
    """What is answered; *headers* are whole lines."""

    body: str
    type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: tuple[str, ...] = ()


Serve = Callable[[str], Reply | None]  # the page at a path, if an attack has one there


class World:
    """Servers in one namespace, on a loop and a thread of their own."""

    def __init__(self, space: Space, serve: Serve, *, beside_the_box: bool = False) -> None:
        self.requests: list[Asked] = []
        self.names = NameServer()
        self._serve = serve
        self._ports = BOX_PORTS if beside_the_box else WORLD_PORTS
        self._is_world = not beside_the_box
        self._connections: set[asyncio.Task[None]] = set()
        self._open: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._threads = space.threads(1)
        self._threads.submit(self._loop.run_until_complete, self._listen()).result()
        self._running = self._threads.submit(self._loop.run_forever)

    async def _listen(self) -> None:
        for port in self._ports:
            self._open.append(await asyncio.start_server(self._visit, ["0.0.0.0", "::"], port, backlog=256))
        if self._is_world:
            self._open.append(await asyncio.start_server(self._query, NAME_SERVER, 53))
            for make, address in ((lambda: self.names, (NAME_SERVER, 53)), (_Stun, ("0.0.0.0", STUN_PORT))):
                transport, _ = await self._loop.create_datagram_endpoint(make, address)
                self._open.append(transport)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._attend(writer, self._converse(reader, writer))

    async def _query(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._attend(writer, self.names.converse(reader, writer))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        reply, after = self._answer(head, writer.get_extra_info("sockname")[0])
        writer.write(reply)
        await writer.drain()
        if after:
            await reader.read()  # a socket that stays open until the other side has had enough

    async def _attend(self, writer: asyncio.StreamWriter, conversation: Coroutine[Any, Any, None]) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        try:
            await conversation
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    def _answer(self, head: str, address: str) -> tuple[bytes, bool]:
        """Return the answer to a request, and whether the connection stays open."""
        first, *lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        path = first.split(" ")[1]
        self.requests.append(Asked(address.removeprefix("::ffff:"), fields.get("host", ""), path))
        if key := fields.get("sec-websocket-key"):
            proof = base64.b64encode(hashlib.sha1(f"{key}{_WEBSOCKET}".encode()).digest()).decode()
            upgrade = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {proof}")
            return "\r\n".join(["HTTP/1.1 101 There", *upgrade, "", ""]).encode(), True
        return _written(_redirect(path) or self._serve(path) or _subresource(path)), False

    def close(self) -> None:
        """End all of them."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._running.result()
        self._threads.submit(self._loop.close).result()
        self._threads.shutdown()

    async def _end(self) -> None:
        for one in self._open:
            one.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the next round


class _Stun(asyncio.DatagramProtocol):
    """Answers whoever binds, without telling them anything."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(b"\x01\x01\0\0" + data[4:20], addr)


def _redirect(path: str) -> Reply | None:
    url = urlsplit(path)
    if not url.path.startswith("/redirect/"):
        return None
    target = parse_qs(url.query)["to"][0]
    return Reply("", status=int(url.path.split("/")[2]), headers=(f"Location: {target}",))


def _subresource(path: str) -> Reply:
    suffix = "." + urlsplit(path).path.rpartition(".")[2]
    kind, body = _SUBRESOURCES.get(suffix, ("text/html; charset=utf-8", f"<!doctype html><p>{SECRET}"))
    return Reply(body, kind)


def _written(reply: Reply) -> bytes:
    body = reply.body.encode()
    lines = [
        f"HTTP/1.1 {reply.status} There",
        f"Content-Type: {reply.type}",
        f"Content-Length: {len(body)}",
        "Access-Control-Allow-Origin: *",
        "Cache-Control: no-store",
        "Connection: close",  # each request comes by a connection of its own, and so by a lookup of its own
        *reply.headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
