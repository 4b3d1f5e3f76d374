import asyncio
import contextlib
import dataclasses
import hashlib
import ipaddress
import os
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from allscreenshots_box import outbound, places
from allscreenshots_box.errors import BoxError, InvalidUrl, Overloaded, OverShare, TargetNotAllowed, UrlUnreachable
from allscreenshots_box.outbound import Policy, Scope, Vetted
from allscreenshots_box.places import Address
from allscreenshots_box.render import http1
from allscreenshots_box.render.door import HIGH_WATER, REMEMBERED, Bounds, Door, End
from allscreenshots_box.render.proxy import Proxy
from allscreenshots_box.render.relay import Inside, Outside
from allscreenshots_box.resolver import Resolver

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Scene = Callable[["Stage"], Coroutine[Any, Any, None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE = 20.0  # seconds until a test that hangs fails


class Target:
    """A server that says what it is told to, and remembers what it heard."""

    def __init__(self, *answers: bytes, slowly: bool = False, ends: bool = False, talk: Talk | None = None) -> None:
        self.connections = 0
        self.heard: list[bytes] = []
        self.port = 0
        self._answers, self._slowly, self._ends, self._talk = list(answers), slowly, ends, talk or self._answer

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Target"]:
        writers: set[asyncio.StreamWriter] = set()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            writers.add(writer)
            tasks.add(asyncio.current_task())  # type: ignore[arg-type] # we are in one
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in writers:
                writer.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self._answers:
            self.heard.append(await _message(reader))
            await _say(writer, self._answers.pop(0), slowly=self._slowly)
        if not self._ends:
            await reader.read()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read one request, by a reading of HTTP that is not the proxy's."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" in head:
        return head + await reader.readuntil(b"\n0\r\n\r\n")
    length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    return head + await reader.readexactly(int(length or 0))


async def _say(writer: asyncio.StreamWriter, text: bytes, *, slowly: bool) -> None:
    for part in [text[at : at + 1] for at in range(len(text))] if slowly else [text]:
        writer.write(part)
        await writer.drain()
        if slowly:
            await asyncio.sleep(0)


class Client:
    """A browser's connection to a door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: bytes | str, *, slowly: bool = False) -> None:
        await _say(self.writer, text.encode() if isinstance(text, str) else text, slowly=slowly)

    async def get(self, url: str) -> None:
        await self.say(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n")

    async def tunnel(self, address: str) -> bytes:
        """Ask for a tunnel, and return the status that came back."""
        await self.say(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n")
        return (await self.reader.readuntil(b"\r\n\r\n")).split()[1]

    async def hears(self, text: bytes) -> None:
        assert await self.reader.readexactly(len(text)) == text

    async def rest(self) -> bytes:
        """Return all that comes until the connection is over, however it ends."""
        heard = b""
        with contextlib.suppress(ConnectionError):
            while more := await self.reader.read(1 << 16):
                heard += more
        return heard


def vetted(url: str) -> Vetted:
    """Return a page of this machine, which may lead anywhere."""
    target = outbound.parse(url)
    return Vetted(target, (ipaddress.ip_address(target.host),), Scope("own"))


async def by_the_system(host: str, caller: int) -> list[Address]:
    resolver = Resolver()
    try:
        return await resolver.resolve(host, caller)
    finally:
        resolver.close()


class Stage:
    """What a scene needs, closed after it in the right order."""

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self._stack = stack

    async def target(self, *answers: bytes, **how: Any) -> Target:
        return await self._stack.enter_async_context(Target(*answers, **how).listening())

    async def proxy(self, *allowed: tuple[str, int], own: int = 1, largest: int | None = None, **how: Any) -> Proxy:
        allow = tuple(places.read(f"[{host}]:{port}") for host, port in allowed)
        policy = Policy(allow=allow, deny=(), ports=frozenset({own}), is_own=lambda _: False)
        made = Proxy(policy, largest, **{"resolve": by_the_system} | how)
        self.closes(made)
        return made

    def closes(self, made: Proxy) -> None:
        self._stack.push_async_callback(made.close)

    async def door(
        self, *allowed: Target | tuple[str, int], refuses: Callable[[str], bool] | None = None, **how: Any
    ) -> Door:
        """Open a door to what is allowed, and begin a shot of some page elsewhere."""
        named = [("127.0.0.1", it.port) if isinstance(it, Target) else it for it in allowed]
        door = await (await self.proxy(*named, **how)).open()
        door.admit(vetted("http://192.0.2.1/"), refuses)
        return door

    async def client(self, door: Door, **how: Any) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1 << 20, **how)
        self._stack.callback(writer.transport.abort)
        return Client(reader, writer)


def play(scene: Scene) -> None:
    """Play a scene on the loop that the product runs on. Afterwards no task may be left."""

    async def run() -> None:
        async with asyncio.timeout(PATIENCE):
            async with contextlib.AsyncExitStack() as stack:
                await scene(Stage(stack))
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what it looks at has no event
        await asyncio.sleep(0.001)


# --- plain HTTP ---------------------------------------------------------------------------------

CHUNKS = b"5\r\nhello\r\n0001;x=y\r\n!\r\n0\r\n\r\n"

REQUESTS = {
    "a page": (
        b"GET http://AT/p?q=1 HTTP/1.1\r\nHost: AT\r\nProxy-Connection: keep-alive\r\nAccept: */*\r\n\r\n",
        b"GET /p?q=1 HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n",
    ),
    "no path": (
        b"GET HTTP://AT HTTP/1.1\r\nHost: AT\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\n\r\n",
    ),
    "a query without a path": (
        b"GET http://AT?q=1 HTTP/1.1\r\n\r\n",
        b"GET /?q=1 HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\n\r\n",
    ),
    "another host's name in Host": (
        b"GET http://AT/ HTTP/1.1\r\nHost: elsewhere.example\r\nHost: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\n\r\n",
    ),
    "fields for the proxy": (
        b"GET http://AT/ HTTP/1.1\r\nTE: x\r\nConnection: X-Hop\r\nX-Hop: 1\r\nx-end: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\nx-end: 2\r\n\r\n",
    ),
    "a body of known length": (
        b"POST http://AT/ HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    ),
    "an empty body": (
        b"POST http://AT/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    ),
    "a body in chunks": (
        b"POST http://AT/ HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n" + CHUNKS,
        b"POST / HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    ),
}


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("case", REQUESTS)
def test_a_target_hears_the_request_as_if_there_were_no_proxy(case: str, slowly: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK, OK)
        client = await stage.client(await stage.door(target))
        said, heard = (text.replace(b"AT", target.at.encode()) for text in REQUESTS[case])
        for _ in range(2):  # the second shows that the first ended where it should
            await client.say(said, slowly=slowly)
            await client.hears(OK)
        assert target.heard == [heard, heard]
        assert target.connections == 1

    play(scene)


ANSWERS = {  # method, what the target says, what the browser hears, whether both may go on
    "known length": ("GET", OK, OK, True),
    "empty": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        True,
    ),
    "chunks": (
        "GET",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        True,
    ),
    "trailers": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n0\r\nDigest: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n0\r\nDigest: x\r\n\r\n",
        True,
    ),
    "HEAD with a length": (
        "HEAD",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        True,
    ),
    "HEAD in chunks": (
        "HEAD",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        True,
    ),
    "204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n", True),
    "304 with a length": (
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        True,
    ),
    "early hints": (
        "GET",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
        True,
    ),
    "a status of its own": (
        "GET",
        b"HTTP/1.1 999\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n",
        True,
    ),
    "sloppy lines": (
        "GET",
        b"HTTP/1.1 200 OK\nX: a\n b\nno field\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a b\r\n\r\nok",
        True,
    ),
    "fields for the proxy": (
        "GET",
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
        True,
    ),
    "the same length twice": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        OK,
        True,
    ),
    "chunks and a length": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        False,
    ),
    "until the end": (
        "GET",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nall of it",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nX: 1\r\n\r\nall of it",
        False,
    ),
    "HTTP/1.0": (
        "GET",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        False,
    ),
    "closing": (
        "GET",
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        False,
    ),
    "half a body": ("GET", OK[:-1], OK[:-1], False),
    "more than was asked for": ("GET", OK + b"HTTP/1.1 200 Stray\r\n\r\n", OK, False),
}


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("case", ANSWERS)
def test_the_browser_hears_the_answer_to_its_end(case: str, slowly: bool) -> None:  # noqa: FBT001
    method, said, heard, goes_on = ANSWERS[case]

    async def scene(stage: Stage) -> None:
        target = await stage.target(*([said, OK] if goes_on else [said]), slowly=slowly, ends=True)
        client = await stage.client(await stage.door(target))
        await client.say(f"{method} http://{target.at}/ HTTP/1.1\r\n\r\n")
        await client.hears(heard)
        if goes_on:
            await client.get(f"http://{target.at}/")
            await client.hears(OK)
        assert await client.rest() == b""
        assert target.connections == 1

    play(scene)


def test_a_request_that_says_close_is_the_last() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        client = await stage.client(await stage.door(target))
        await client.say(f"GET http://{target.at}/ HTTP/1.1\r\nProxy-Connection: close\r\n\r\n")
        assert await client.rest() == OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    play(scene)


def test_one_connection_serves_several_hosts_in_turn() -> None:
    async def scene(stage: Stage) -> None:
        one, two = await stage.target(OK, OK), await stage.target(OK, OK)
        client = await stage.client(await stage.door(one, two))
        for target in (one, one, two, two):
            await client.get(f"http://{target.at}/")
            await client.hears(OK)
        assert (one.connections, two.connections) == (1, 1)

    play(scene)


def test_requests_sent_together_are_answered_in_order() -> None:
    async def scene(stage: Stage) -> None:
        one, two = await stage.target(OK, OK.replace(b"ok", b"no")), await stage.target(OK.replace(b"ok", b"at"))
        client = await stage.client(await stage.door(one, two))
        post = f"POST http://{one.at}/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
        await client.say(post + post + f"GET http://{two.at}/ HTTP/1.1\r\n\r\n")
        for word in (b"ok", b"no", b"at"):
            await client.hears(OK.replace(b"ok", word))

    play(scene)


def test_an_early_answer_to_an_unfinished_request_ends_the_connection() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=early)
        client = await stage.client(await stage.door(target))
        await client.say(f"POST http://{target.at}/ HTTP/1.1\r\nContent-Length: 300\r\n\r\nabc")
        assert await client.rest() == OK

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"abc")
        writer.write(OK)
        await reader.read()

    play(scene)


def test_an_upgrade_becomes_a_tunnel() -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=talk)
        client = await stage.client(await stage.door(target))
        ask = "GET http://AT/ HTTP/1.1\r\nHost: AT\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
        await client.say(ask.replace("AT", target.at) + "early")
        await client.hears(switching + b"hello\0")
        await client.say(b"\0\1\2")
        await client.hears(b"early\0\1\2")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in await reader.readuntil(b"\r\n\r\n")
        writer.write(switching + b"hello\0")
        writer.write(await reader.readexactly(8))
        await reader.read()

    play(scene)


# --- tunnels ------------------------------------------------------------------------------------


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


def test_a_tunnel_carries_every_byte_both_ways() -> None:
    block = bytes(range(256)) * 4096  # 1 MiB

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        door = await stage.door(target)
        client = await stage.client(door)
        assert await client.tunnel(target.at) == b"200"
        sending = asyncio.ensure_future(send(client))
        heard = hashlib.sha256()
        for _ in range(16):
            heard.update(await client.reader.readexactly(len(block)))
        await sending
        assert heard.digest() == hashlib.sha256(block * 16).digest()
        assert (door.sent, door.received) == (16 << 20, 16 << 20)

    async def send(client: Client) -> None:
        for _ in range(16):
            client.writer.write(block)
            await client.writer.drain()

    play(scene)


def test_what_a_target_says_first_comes_after_the_tunnels_head() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 welcome")

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=greet)
        client = await stage.client(await stage.door(target))
        assert await client.tunnel(target.at) == b"200"
        assert await client.rest() == b"220 welcome"

    play(scene)


def test_bytes_sent_before_the_tunnel_stands_are_kept() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        client = await stage.client(await stage.door(target))
        await client.say(f"CONNECT {target.at} HTTP/1.1\r\n\r\nhello")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await client.hears(b"hello")

    play(scene)


def _both(door: Door) -> tuple[Inside, Outside]:
    inside = next(end for end in door._ends if isinstance(end, Inside))
    outside = next(end for end in door._ends if isinstance(end, Outside))
    return inside, outside


@pytest.mark.parametrize("plain", [False, True], ids=["tunnel", "plain"])
def test_a_slow_browser_makes_the_target_wait(plain: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=pour)
        door = await stage.door(target)
        client = await stage.client(door)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a whole transport
        await (client.get(f"http://{target.at}/") if plain else client.say(f"CONNECT {target.at} HTTP/1.1\r\n\r\n"))
        await until(lambda: len(door._ends) == 2 and not _both(door)[1].transport.is_reading())
        waiting = _both(door)[0].transport.get_write_buffer_size()
        assert HIGH_WATER <= waiting <= HIGH_WATER + (1 << 20)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await client.reader.readuntil(b"\r\n\r\n")
        await client.reader.readexactly(64 << 20)

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if plain:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        for _ in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
        await reader.read()

    play(scene)


@pytest.mark.parametrize("plain", [False, True], ids=["tunnel", "plain"])
def test_a_slow_target_makes_the_browser_wait(plain: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        goes_on = asyncio.Event()

        async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await goes_on.wait()
            if plain:
                await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(64 << 20)
            writer.write(OK)

        target = await stage.target(talk=stall)
        door = await stage.door(target)
        client = await stage.client(door)
        head = f"POST http://{target.at}/ HTTP/1.1\r\nContent-Length: {64 << 20}\r\n\r\n"
        await client.say(head if plain else f"CONNECT {target.at} HTTP/1.1\r\n\r\n")
        if not plain:
            await client.reader.readuntil(b"\r\n\r\n")
        client.writer.write(bytes(64 << 20))
        await until(lambda: len(door._ends) == 2 and not _both(door)[0].transport.is_reading())
        waiting = _both(door)[1].transport.get_write_buffer_size()
        assert HIGH_WATER <= waiting <= HIGH_WATER + (1 << 20)
        goes_on.set()
        await client.hears(OK)

    play(scene)


# --- where one may go ---------------------------------------------------------------------------


async def metadata(*_: object) -> list[Address]:
    return [ipaddress.ip_address("169.254.169.254")]


REFUSED = {  # address, what is refused, and why
    "loopback": ("127.0.0.1:PORT", ("127.0.0.1", 0), "not in allow"),
    "loopback by name": ("localhost:PORT", ("localhost", 0), "not in allow"),
    "loopback, IPv6": ("[::1]:PORT", ("::1", 0), "not in allow"),
    "loopback, IPv6 that carries IPv4": ("[::ffff:127.0.0.1]:PORT", ("::ffff:7f00:1", 0), "not in allow"),
    "loopback as a number": ("2130706433:PORT", ("127.0.0.1", 0), "not in allow"),
    "no address": ("0.0.0.0:PORT", ("0.0.0.0", 0), "never allowed"),
    "metadata": ("169.254.169.254:80", ("169.254.169.254", 80), "never allowed"),
    "metadata, IPv6": ("[fd00:ec2::254]:80", ("fd00:ec2::254", 80), "never allowed"),
    "a port of mail": ("192.0.2.1:25", ("192.0.2.1", 25), "one that can be abused"),
    "a low port": ("192.0.2.1:3", ("192.0.2.1", 3), "no port that the web uses"),
}


@pytest.mark.parametrize("plain", [False, True], ids=["tunnel", "plain"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_the_policy_refuses_is_not_dialled(case: str, plain: bool) -> None:  # noqa: FBT001
    address, key, reason = REFUSED[case]

    async def scene(stage: Stage) -> None:
        canary, allowed = await stage.target(OK), await stage.target(OK)
        door = await stage.door(allowed)
        client = await stage.client(door)
        where = address.replace("PORT", str(canary.port))
        if plain:
            await client.get(f"http://{where}/secret")
            assert await client.rest() == b""
        else:
            assert await client.tunnel(where) == b"403"
            assert await client.rest() == b""
        error = door.refusals[key[0], key[1] or canary.port]
        assert isinstance(error, TargetNotAllowed)
        assert reason in error.reason
        assert (canary.connections, door.sent, door.failures) == (0, 0, {})

    play(scene)


def test_the_box_itself_is_refused_even_if_allowed() -> None:
    async def scene(stage: Stage) -> None:
        canary = await stage.target(OK)
        door = await stage.door(canary, own=canary.port)
        client = await stage.client(door)
        assert await client.tunnel(canary.at) == b"403"
        assert isinstance(door.refusals["127.0.0.1", canary.port], TargetNotAllowed)
        assert canary.connections == 0

    play(scene)


def test_a_name_is_refused_for_its_address() -> None:
    async def scene(stage: Stage) -> None:
        door = await stage.door(resolve=metadata)
        assert await (await stage.client(door)).tunnel("innocent.example:443") == b"403"
        assert isinstance(door.refusals["innocent.example", 443], TargetNotAllowed)

    play(scene)


@pytest.mark.parametrize("address", ["a..b:443", "999.1.1.1:443", "[zz]:443", "example.com:99999"])
def test_a_host_that_cannot_be_is_refused(address: str) -> None:
    async def scene(stage: Stage) -> None:
        door = await stage.door()
        assert await (await stage.client(door)).tunnel(address) == b"403"
        assert [type(error) for error in door.refusals.values()] == [InvalidUrl]

    play(scene)


def test_nobody_is_let_in_before_the_shot() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        door = await (await stage.proxy(("127.0.0.1", target.port))).open()
        client = await stage.client(door)
        await client.get(f"http://{target.at}/")
        assert await client.rest() == b""
        assert (target.connections, door.open_connections) == (0, 0)
        door.admit(vetted(f"http://{target.at}/"), None)
        client = await stage.client(door)
        await client.get(f"http://{target.at}/")
        await client.hears(OK)

    play(scene)


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to be somebody else")
def test_another_users_program_is_not_let_in() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        door = await stage.door(target)
        asking = f"http://{target.at}/"
        script = (
            "import socket, sys; it = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
            "it.sendall(f'GET {sys.argv[2]} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'.encode()); print(it.recv(9))"
        )
        words = ["/usr/bin/python3", "-c", script, str(door.port), asking]
        heard = []
        for user in (0, 65534):
            as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *words]
            program = await asyncio.create_subprocess_exec(*as_user, stdout=-1, stderr=-1, cwd="/")
            heard.append((await program.communicate())[0])
        assert (heard[0], target.connections) == (b"b'HTTP/1.1 '\n", 1)
        assert b"HTTP" not in heard[1]

    play(scene)


def test_a_name_is_looked_up_once_and_keeps_its_address() -> None:
    async def scene(stage: Stage) -> None:
        target, asked = await stage.target(talk=echo), list[str]()
        ready = asyncio.Event()

        async def rebinding(host: str, _: int) -> list[Address]:
            asked.append(host)
            await ready.wait()
            return [ipaddress.ip_address("127.0.0.1" if len(asked) == 1 else "127.0.0.2")]

        door = await (await stage.proxy(("name.example", target.port), resolve=rebinding)).open()
        door.admit(vetted("http://192.0.2.1/"), None)
        clients = [await stage.client(door) for _ in range(4)]
        tunnels = [asyncio.ensure_future(it.tunnel(f"name.example:{target.port}")) for it in clients]
        await until(lambda: door.open_connections == 4)
        ready.set()
        assert await asyncio.gather(*tunnels) == [b"200"] * 4
        assert await (await stage.client(door)).tunnel(f"NAME.example.:{target.port}") == b"200"
        assert asked == ["name.example"]
        assert target.connections == 5

    play(scene)


def test_a_name_that_this_machine_knows_is_reached() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        client = await stage.client(await stage.door(("localhost", target.port)))
        await client.get(f"http://localhost:{target.port}/")
        await client.hears(OK)
        assert f"Host: localhost:{target.port}\r\n".encode() in target.heard[0]

    play(scene)


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def two(*_: object) -> list[Address]:
        return [ipaddress.ip_address("127.0.0.2"), ipaddress.ip_address("127.0.0.1")]

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        door = await stage.door(("two.example", target.port), resolve=two)
        assert await (await stage.client(door)).tunnel(f"two.example:{target.port}") == b"200"
        assert door.failures == {}

    play(scene)


async def nowhere(*_: object) -> list[Address]:
    return []


async def unknown(*_: object) -> list[Address]:
    raise UrlUnreachable("The host name of the URL could not be resolved.")


@pytest.mark.parametrize("handles", [3, None])
def test_a_door_knows_that_the_box_had_no_file_handle_for_a_connection(handles: int | None) -> None:
    async def scene(stage: Stage) -> None:
        nobody = socket.create_server(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        nobody.close()
        door = await stage.door(("127.0.0.1", port))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (handles or soft, hard))  # those that are open stay so
        try:
            status = await door.reach(outbound.parse(f"http://127.0.0.1:{port}/"), lambda: End(door))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (status, door.starved) == (502, handles is not None)

    play(scene)


@pytest.mark.parametrize("plain", [False, True], ids=["tunnel", "plain"])
@pytest.mark.parametrize(
    ("resolve", "word"), [(by_the_system, "refused"), (nowhere, "unreachable"), (unknown, "unresolved")]
)
def test_why_a_target_cannot_be_reached_is_told(resolve: outbound.Resolve, word: str, plain: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        async with Target().listening() as gone:
            port = gone.port
        door = await stage.door(("localhost", port), resolve=resolve)
        client = await stage.client(door)
        if plain:
            await client.get(f"http://localhost:{port}/")
        else:
            assert await client.tunnel(f"localhost:{port}") == b"502"
        assert await client.rest() == b""
        assert door.failures == {("localhost", port): word}
        assert [type(error) for error in door.refusals.values()] == [UrlUnreachable] * (word == "unresolved")

    play(scene)


def test_a_target_that_does_not_take_the_connection_is_a_timeout() -> None:
    async def scene(stage: Stage) -> None:
        with socket.socket() as full, contextlib.ExitStack() as waiting:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(8):  # more than the kernel holds for it
                knock = waiting.enter_context(socket.socket())
                knock.setblocking(False)
                knock.connect_ex(full.getsockname())
            port = full.getsockname()[1]
            door = await stage.door(("127.0.0.1", port), bounds=Bounds(attempt=0.1))
            assert await (await stage.client(door)).tunnel(f"127.0.0.1:{port}") == b"502"
            assert door.failures == {("127.0.0.1", port): "timeout"}

    play(scene)


@pytest.mark.parametrize("plain", [False, True], ids=["tunnel", "plain"])
def test_a_target_that_hangs_up_without_a_word_is_a_reset(plain: bool) -> None:  # noqa: FBT001
    async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=hang_up)
        door = await stage.door(target)
        client = await stage.client(door)
        if not plain:
            assert await client.tunnel(target.at) == b"200"
        await client.get(f"http://{target.at}/")
        assert await client.rest() == b""
        assert door.failures == {("127.0.0.1", target.port): "reset"}

    play(scene)


def test_only_so_many_problems_are_remembered() -> None:
    async def scene(stage: Stage) -> None:
        door = await stage.door(resolve=unknown)
        for number in range(REMEMBERED + 1):
            assert await (await stage.client(door)).tunnel(f"h{number}.example:443") == b"502"
        assert len(door.refusals) == len(door.failures) == REMEMBERED

    play(scene)


# --- messages that could be read in two ways ----------------------------------------------------

AMBIGUOUS = {
    "chunks and a length": b"POST http://AT/ HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": b"POST http://AT/ HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "one length twice": b"POST http://AT/ HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
    "a list of lengths": b"POST http://AT/ HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
    "a signed length": b"POST http://AT/ HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
    "a length that is none": b"POST http://AT/ HTTP/1.1\r\nContent-Length:\r\n\r\n",
    "a coding beside chunks": b"POST http://AT/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "chunks twice": b"POST http://AT/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "another coding": b"POST http://AT/ HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
    "a coding behind a vertical tab": b"POST http://AT/ HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
    "a folded line": b"GET http://AT/ HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n",
    "a line feed alone": b"GET http://AT/ HTTP/1.1\r\nX: 1\nY: 2\r\n\r\n",
    "line feeds all over": b"GET http://AT/ HTTP/1.1\nX: 1\n\n",
    "a carriage return alone": b"GET http://AT/ HTTP/1.1\r\nX: 1\rY: 2\r\n\r\n",
    "NUL": b"GET http://AT/ HTTP/1.1\r\nX: \0\r\n\r\n",
    "a space before the colon": b"GET http://AT/ HTTP/1.1\r\nContent-Length : 3\r\n\r\n",
    "no colon": b"GET http://AT/ HTTP/1.1\r\nX\r\n\r\n",
    "no name": b"GET http://AT/ HTTP/1.1\r\n: x\r\n\r\n",
    "an empty line first": b"\r\nGET http://AT/ HTTP/1.1\r\n\r\n",
    "a space in the target": b"GET http://AT/a b HTTP/1.1\r\n\r\n",
    "a fragment": b"GET http://AT/#x HTTP/1.1\r\n\r\n",
    "a name and password": b"GET http://u:p@AT/ HTTP/1.1\r\n\r\n",
    "an authority that ends in a backslash": b"GET http://AT\\@192.0.2.1/ HTTP/1.1\r\n\r\n",
    "HTTP/1.0": b"GET http://AT/ HTTP/1.0\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\n",
    "a file": b"GET file:///etc/passwd HTTP/1.1\r\n\r\n",
    "https without a tunnel": b"GET https://AT/ HTTP/1.1\r\n\r\n",
    "ftp": b"GET ftp://AT/ HTTP/1.1\r\n\r\n",
    "a tunnel to a URL": b"CONNECT http://AT/ HTTP/1.1\r\n\r\n",
    "a tunnel without a port": b"CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n",
    "a tunnel with a name": b"CONNECT u@AT HTTP/1.1\r\n\r\n",
    "a tunnel with a path": b"CONNECT AT/x HTTP/1.1\r\n\r\n",
    "a tunnel with a body": b"CONNECT AT HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "TLS": b"\x16\x03\x01\0\n\n\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_an_ambiguous_request_is_never_passed_on(case: str) -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        door = await stage.door(target)
        client = await stage.client(door)
        await client.say(AMBIGUOUS[case].replace(b"AT", target.at.encode()))
        assert await client.rest() == b""
        assert (target.connections, door.sent) == (0, 0)

    play(scene)


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "OPTIONS * HTTP/1.1"])
def test_the_proxy_is_no_server(line: str) -> None:
    async def scene(stage: Stage) -> None:
        door = await stage.door()
        client = await stage.client(door)
        await client.say(f"{line}\r\nHost: 127.0.0.1:{door.port}\r\n\r\n")
        assert await client.rest() == b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    play(scene)


CHUNK_TRICKS = {
    "no size": b"\r\nabc",
    "a negative size": b"-1\r\n",
    "a size in another notation": b"0x3\r\nabc\r\n",
    "a size with an underscore": b"1_0\r\n",
    "a space before the size": b" 3\r\nabc\r\n",
    "a size for a giant": b"1" * 16 + b"\r\n",
    "a line feed alone": b"3\nabc\r\n",
    "a carriage return in an extension": b"3;a\rb\r\nabc\r\n",
    "more than its size": b"3\r\nabcdef\r\n",
    "a bad end": b"3\r\nabc\n0\r\n\r\n",
    "a trailer without a colon": b"0\r\nX\r\n\r\n",
    "a folded trailer": b"0\r\nX: 1\r\n 2\r\n\r\n",
    "an endless extension": b"3;" + b"x" * http1.CHUNK_LINE_LENGTH,
    "endless trailers": b"0\r\n" + b"X: 1\r\n" * (http1.CHUNK_LINE_LENGTH // 6 + 1),
}


@pytest.mark.parametrize("case", CHUNK_TRICKS)
def test_bad_chunks_end_a_request(case: str) -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        client = await stage.client(await stage.door(target))
        await client.say(f"POST http://{target.at}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.say(CHUNK_TRICKS[case])
        assert await client.rest() == b""

    play(scene)


BAD_ANSWERS = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/0.9": b"<html>\n\n</html>",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "a strange status": b"HTTP/1.1 20 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "a carriage return alone": b"HTTP/1.1 200 OK\r\nX: 1\rContent-Length: 3\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
    "an upgrade that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    **{f"chunks: {name}": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text
       for name, text in CHUNK_TRICKS.items()},
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_an_ambiguous_answer_is_never_passed_on(case: str) -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(BAD_ANSWERS[case])
        client = await stage.client(await stage.door(target))
        await client.get(f"http://{target.at}/")
        assert await client.rest() == b""

    play(scene)


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("over", "passes"), [(0, True), (1, False)])
def test_a_requests_head_has_a_longest(over: int, passes: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        client = await stage.client(await stage.door(target))
        start = f"GET http://{target.at}/ HTTP/1.1\r\nX: "
        await client.say(start + "x" * (Bounds.head_length - len(start) - 4 + over) + "\r\n\r\n")
        assert await client.reader.read(1) == (b"H" if passes else b"")

    play(scene)


@pytest.mark.parametrize(("over", "passes"), [(0, True), (1, False)])
def test_an_answers_head_has_a_longest(over: int, passes: bool) -> None:  # noqa: FBT001
    start = b"HTTP/1.1 200 OK\r\nX: "
    answer = start + b"x" * (Bounds.head_length - len(start) - 4 + over) + b"\r\n\r\n"

    async def scene(stage: Stage) -> None:
        target = await stage.target(answer)
        client = await stage.client(await stage.door(target))
        await client.get(f"http://{target.at}/")
        assert await client.reader.read(1) == (b"H" if passes else b"")

    play(scene)


@pytest.mark.parametrize("said", [b"", b"GET http://192.0.2.1/ HTTP/1.1\r\nX: "], ids=["nothing", "half a head"])
def test_a_head_must_come_in_time(said: bytes) -> None:
    async def scene(stage: Stage) -> None:
        door = await stage.door(bounds=Bounds(head=0.05, sweep=0.01))
        client = await stage.client(door)
        await client.say(said)
        assert await client.rest() == b""

    play(scene)


def test_an_answers_head_must_come_in_time_once_it_began() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(b"HTTP/1.1 200 OK\r\n")
        client = await stage.client(await stage.door(target, bounds=Bounds(head=0.05, sweep=0.01)))
        await client.get(f"http://{target.at}/")
        assert await client.rest() == b""

    play(scene)


@pytest.mark.parametrize("plain", [False, True], ids=["tunnel", "plain"])
def test_a_connection_without_a_byte_is_cut(plain: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        target = await stage.target()
        door = await stage.door(target, bounds=Bounds(idle=0.05, sweep=0.01))
        client = await stage.client(door)
        if plain:
            await client.get(f"http://{target.at}/")
        else:
            assert await client.tunnel(target.at) == b"200"
        assert await client.rest() == b""
        assert door.failures == {("127.0.0.1", target.port): "timeout"}

    play(scene)


def test_a_door_has_room_for_so_many_connections() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        door = await stage.door(target, bounds=Bounds(connections=3))
        clients = [await stage.client(door) for _ in range(3)]
        assert [await client.tunnel(target.at) for client in clients] == [b"200"] * 3
        assert await (await stage.client(door)).rest() == b""
        clients[0].writer.transport.abort()
        await until(lambda: door.open_connections == 2)
        assert await (await stage.client(door)).tunnel(target.at) == b"200"

    play(scene)


def test_a_page_may_name_so_many_hosts() -> None:
    async def scene(stage: Stage) -> None:
        asked = list[str]()

        async def count(host: str, _: int) -> list[Address]:
            asked.append(host)
            return []

        door = await stage.door(resolve=count, bounds=Bounds(names=3))  # the page itself is the first
        for number in range(4):
            assert await (await stage.client(door)).tunnel(f"h{number}.example:443") == b"502"
        assert asked == ["h0.example", "h1.example"]
        assert door.failures["h2.example", 443] == "unresolved"

    play(scene)


def test_a_page_whose_names_take_too_long_gets_no_more_of_them() -> None:
    async def scene(stage: Stage) -> None:
        asked = list[str]()

        async def slow(host: str, _: int) -> list[Address]:
            asked.append(host)
            await asyncio.sleep(0.01)
            raise UrlUnreachable("silent")

        door = await stage.door(resolve=slow, bounds=Bounds(looking=0.005))
        for number in range(3):
            assert await (await stage.client(door)).tunnel(f"h{number}.example:443") == b"502"
        assert asked == ["h0.example"]
        assert "more host names than are answered" in door.refusals["h2.example", 443].message

    play(scene)


def test_a_name_that_is_still_looked_up_counts_as_well() -> None:
    async def scene(stage: Stage) -> None:
        asked, goes_on = list[str](), asyncio.Event()

        async def slow(host: str, _: int) -> list[Address]:
            asked.append(host)
            await goes_on.wait()
            return []

        door = await stage.door(resolve=slow, bounds=Bounds(lookups=2))
        clients = [await stage.client(door) for _ in range(2)]
        first = asyncio.ensure_future(clients[0].tunnel("h0.example:443"))
        await until(lambda: len(asked) == 1)
        door._begun["h0.example"] -= door.bounds.looking
        second = asyncio.ensure_future(clients[1].tunnel("h1.example:443"))
        await until(lambda: second.done() or len(asked) == 2)
        goes_on.set()
        assert (await first, await second) == (b"502", b"502")
        assert asked == ["h0.example"]

    play(scene)


@pytest.mark.parametrize(
    ("error", "kind", "starved"),
    [(OverShare("share", 1), UrlUnreachable, False), (Overloaded("busy", 1), Overloaded, True)],
)
def test_a_door_knows_who_kept_a_name_from_being_looked_up(
    error: BoxError,
    kind: type[BoxError],
    starved: bool,  # noqa: FBT001 - a table's cell
) -> None:
    async def fail(*_: object) -> list[Address]:
        raise error

    async def scene(stage: Stage) -> None:
        door = await stage.door(resolve=fail)
        await (await stage.client(door)).tunnel("some.example:443")
        assert (type(door.refusals["some.example", 443]), door.starved) == (kind, starved)

    play(scene)


def test_a_name_is_judged_once_until_addresses_or_the_policy_change() -> None:
    async def scene(stage: Stage) -> None:
        target, judged, editions = await stage.target(talk=echo), list[Address](), [1]

        def note(address: Address) -> bool:
            judged.append(address)
            return False

        async def both(*_: object) -> list[Address]:
            return [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.0.2.9")]

        async def connect(times: int) -> set[bytes]:
            name = f"name.example:{target.port}"
            return {await (await stage.client(door)).tunnel(name) for _ in range(times)}

        allow = (places.read(f"name.example:{target.port}"),)
        policy = Policy(allow, (), ports=frozenset({1}), is_own=note, edition=lambda: editions[0])
        made = Proxy(policy, resolve=both)
        stage.closes(made)
        door = await made.open()
        door.admit(vetted("http://192.0.2.1/"), None)
        assert (await connect(3), len(judged)) == ({b"200"}, 1)
        editions[0] = 2
        assert (await connect(3), len(judged)) == ({b"200"}, 2)
        made.obey(policy)
        assert (await connect(3), len(judged)) == ({b"200"}, 3)
        made.obey(dataclasses.replace(policy, allow=()))
        assert await connect(1) == {b"403"}

    play(scene)


def test_so_many_names_are_looked_up_at_once() -> None:
    async def scene(stage: Stage) -> None:
        looking, most, goes_on = 0, 0, asyncio.Event()

        async def slow(*_: object) -> list[Address]:
            nonlocal looking, most
            looking += 1
            most = max(most, looking)
            await goes_on.wait()
            looking -= 1
            return []

        door = await stage.door(resolve=slow, bounds=Bounds(lookups=2))
        clients = [await stage.client(door) for _ in range(4)]
        tunnels = [asyncio.ensure_future(it.tunnel(f"h{at}.example:443")) for at, it in enumerate(clients)]
        await until(lambda: len(door._lookups) == 5 and looking == 2)
        goes_on.set()
        assert await asyncio.gather(*tunnels) == [b"502"] * 4
        assert most == 2

    play(scene)


@pytest.mark.parametrize(("largest", "passes"), [(2000, True), (1999, False)])
def test_a_door_lets_so_many_bytes_pass(largest: int, passes: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        door = await stage.door(target, largest=largest)
        client, other = await stage.client(door), await stage.client(door)
        assert [await client.tunnel(target.at), await other.tunnel(target.at)] == [b"200"] * 2
        await client.say(bytes(1000))
        if passes:
            await client.hears(bytes(1000))
        else:
            assert len(await client.rest()) < 1000
            assert await other.rest() == b""
            assert await (await stage.client(door)).rest() == b""
        assert door.exhausted is not passes

    play(scene)


def test_a_peer_that_is_not_loopback_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no other address")
        own = probe.getsockname()[0]

    async def scene(stage: Stage) -> None:
        door = await stage.door()
        assert await (await stage.client(door, local_addr=(own, 0))).rest() == b""

    play(scene)


# --- what is blocked ----------------------------------------------------------------------------


def test_what_is_blocked_is_answered_without_the_target() -> None:
    asked = list[str]()

    def refuses(url: str) -> bool:
        asked.append(url)
        return "ads." in url

    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        door = await stage.door(target, resolve=metadata, refuses=refuses)
        assert await (await stage.client(door)).tunnel("ads.example:443") == b"403"
        assert await (await stage.client(door)).tunnel("ads.example:8443") == b"403"
        client = await stage.client(door)
        for _ in range(2):
            await client.get("http://ads.example/banner?x=1")
            await client.hears(b"HTTP/1.1 204 No Content\r\n\r\n")
        await client.say("POST http://ads.example/beacon HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        assert await client.rest() == b"HTTP/1.1 204 No Content\r\n\r\n"
        assert asked == [
            "https://ads.example/",
            "https://ads.example:8443/",
            "http://ads.example/banner?x=1",
            "http://ads.example/banner?x=1",
            "http://ads.example/beacon",
        ]
        assert (door.blocked, door.refusals, door.sent) == (5, {}, 0)

    play(scene)


@pytest.mark.parametrize("url", ["http://127.0.0.1:PORT/ads?x=1#top", "http://127.0.0.1:PORT"])
def test_the_page_that_is_asked_for_is_never_blocked(url: str) -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        page = url.replace("PORT", str(target.port))
        door = await (await stage.proxy(("127.0.0.1", target.port))).open()
        door.admit(vetted(page), lambda _: True)
        client = await stage.client(door)
        path = page.partition("#")[0]
        await client.get(path if "/ads" in path else f"{path}/")
        await client.hears(OK)
        await client.get(f"http://{target.at}/other")
        await client.hears(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert await (await stage.client(door)).tunnel(target.at) == b"200"

    play(scene)


# --- doors --------------------------------------------------------------------------------------


def test_a_door_counts_what_passes() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        door = await stage.door(target)
        assert (door.received, door.sent, door.open_connections) == (0, 0, 0)
        client = await stage.client(door)
        await client.get(f"http://{target.at}/")
        await client.hears(OK)
        assert (door.received, door.sent, door.open_connections) == (len(OK), len(target.heard[0]), 1)

    play(scene)


def test_a_small_write_leaves_at_once() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        door = await stage.door(target)
        assert await (await stage.client(door)).tunnel(target.at) == b"200"
        for end in _both(door):
            assert end.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    play(scene)


def test_a_door_cuts_what_is_under_way_when_it_closes() -> None:
    async def scene(stage: Stage) -> None:
        started = asyncio.Event()

        async def never(host: str, caller: int) -> list[Address]:
            if host == "slow.example":
                started.set()
                await asyncio.Event().wait()
            return await by_the_system(host, caller)

        async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()

        target = await stage.target(talk=pour)
        made = await stage.proxy(("127.0.0.1", target.port), resolve=never)
        door, other = await made.open(), await made.open()
        for each in (door, other):
            each.admit(vetted(f"http://{target.at}/"), None)
        busy, looking, stays = await stage.client(door), await stage.client(door), await stage.client(other)
        for client in (busy, stays):
            assert await client.tunnel(target.at) == b"200"
            await client.reader.readexactly(1 << 20)
        await looking.get("http://slow.example/")
        await started.wait()
        before = asyncio.all_tasks()
        await door.close()
        assert len(before - asyncio.all_tasks()) == 2  # the lookup, and who waited for it
        await busy.rest()
        await looking.rest()
        await stays.reader.readexactly(1 << 20)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", door.port)
        assert (door.open_connections, other.open_connections) == (0, 1)
        await door.close()  # again

    play(scene)


def test_a_door_that_nobody_used_closes() -> None:
    async def scene(stage: Stage) -> None:
        made = await stage.proxy()
        for _ in range(3):
            await (await made.open()).close()
        await made.open()

    play(scene)


def test_a_browser_that_leaves_takes_the_targets_connection_with_it() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target()
        door = await stage.door(target)
        client = await stage.client(door)
        await client.get(f"http://{target.at}/")
        await until(lambda: target.connections == 1)
        client.writer.transport.abort()
        await until(lambda: not door._ends)
        assert door.failures == {}

    play(scene)
