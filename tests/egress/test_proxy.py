import asyncio
import contextlib
import dataclasses
import hashlib
import ipaddress
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from allscreenshots_box import hosts
from allscreenshots_box.egress import policy as outbound
from allscreenshots_box.egress.policy import AllowedTarget, Policy, Scope
from allscreenshots_box.egress.proxy import Proxy
from allscreenshots_box.egress.relay import BrowserSide, TargetSide
from allscreenshots_box.egress.resolver import Resolver
from allscreenshots_box.egress.session import HIGH_WATER, REMEMBERED, Bounds, Endpoint, ProxySession
from allscreenshots_box.egress.socks import Reply
from allscreenshots_box.errors import BoxError, InvalidUrl, Overloaded, OverShare, TargetNotAllowed, UrlUnreachable
from allscreenshots_box.hosts import Address

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Scene = Callable[["Stage"], Coroutine[Any, Any, None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GREETING, WELCOME = b"\5\1\0", b"\5\0"
PATIENCE = 20.0  # seconds until a test that hangs fails


class Target:
    """A server that says what it is told to, and remembers what it heard."""

    def __init__(self, *answers: bytes, talk: Talk | None = None) -> None:
        self.connections = 0
        self.heard: list[bytes] = []
        self.port = 0
        self._answers, self._talk = list(answers), talk or self._answer

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
            # The last is what uvloop says of a connection that was cut off.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, RuntimeError):
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
            self.heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self._answers.pop(0))
        await reader.read()


async def _say(writer: asyncio.StreamWriter, text: bytes, *, slowly: bool) -> None:
    for part in [text[at : at + 1] for at in range(len(text))] if slowly else [text]:
        writer.write(part)
        await writer.drain()
        if slowly:
            await asyncio.sleep(0)


def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


class Client:
    """A browser's connection to a door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: bytes | str, *, slowly: bool = False) -> None:
        await _say(self.writer, text.encode() if isinstance(text, str) else text, slowly=slowly)

    async def ask(self, address: str, *, slowly: bool = False) -> Reply:
        """Ask for a connection to *address*, and return how that is answered."""
        await self.say(GREETING, slowly=slowly)
        await self.hears(WELCOME)
        await self.say(request(address), slowly=slowly)
        answer = await self.reader.readexactly(10)
        assert answer[:1] + answer[2:] == bytes([5, 0, 1, 0, 0, 0, 0, 0, 0])
        return Reply(answer[1])

    async def get(self, address: str, path: str = "/") -> None:
        """Ask for a page through a connection that is granted."""
        assert await self.ask(address) == Reply.GRANTED
        await self.say(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")

    async def hears(self, text: bytes) -> None:
        assert await self.reader.readexactly(len(text)) == text

    async def rest(self) -> bytes:
        """Return all that comes until the connection is over, however it ends."""
        heard = b""
        with contextlib.suppress(ConnectionError):
            while more := await self.reader.read(1 << 16):
                heard += more
        return heard


def request(address: str) -> bytes:
    """Return what a browser says to be connected to *address*: it sends all hosts as names."""
    host, _, port = address.rpartition(":")
    name = host.strip("[]").encode()
    return bytes([5, 1, 0, 3, len(name)]) + name + int(port).to_bytes(2)


def allowed_target(url: str) -> AllowedTarget:
    """Return a page of this machine, which may lead anywhere."""
    target = outbound.parse(url)
    return AllowedTarget(target, (ipaddress.ip_address(target.host),), Scope("own"))


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
        allow = tuple(hosts.read(f"[{host}]:{port}") for host, port in allowed)
        policy = Policy(allow=allow, deny=(), ports=frozenset({own}), is_own=lambda _: False)
        made = Proxy(policy, largest, **{"resolve": by_the_system} | how)
        self.closes(made)
        return made

    def closes(self, made: Proxy) -> None:
        self._stack.push_async_callback(made.close)

    async def session(
        self, *allowed: Target | tuple[str, int], refuses: Callable[[str], bool] | None = None, **how: Any
    ) -> ProxySession:
        """Open a door to what is allowed, and begin a shot of some page elsewhere."""
        named = [("127.0.0.1", it.port) if isinstance(it, Target) else it for it in allowed]
        session = await (await self.proxy(*named, **how)).open()
        session.admit(allowed_target("http://192.0.2.1/"), refuses)
        return session

    async def client(self, session: ProxySession, **how: Any) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", session.port, limit=1 << 20, **how)
        self._stack.callback(_abort, writer)  # which holds it until then: a writer that is lost open complains
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


# --- what passes --------------------------------------------------------------------------------


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "byte by byte"])
def test_a_connection_carries_what_is_said_as_it_is(slowly: bool) -> None:  # noqa: FBT001
    said = b"GET http://x/ HTTP/9\n\0\r\xff" * 3

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        client = await stage.client(await stage.session(target))
        assert await client.ask(target.at, slowly=slowly) == Reply.GRANTED
        await client.say(said, slowly=slowly)
        await client.hears(said)

    play(scene)


def test_a_connection_carries_every_byte_both_ways() -> None:
    block = bytes(range(256)) * 4096  # 1 MiB

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        session = await stage.session(target)
        client = await stage.client(session)
        assert await client.ask(target.at) == Reply.GRANTED
        sending = asyncio.ensure_future(send(client))
        heard = hashlib.sha256()
        for _ in range(16):
            heard.update(await client.reader.readexactly(len(block)))
        await sending
        assert heard.digest() == hashlib.sha256(block * 16).digest()
        assert (session.sent, session.received) == (16 << 20, 16 << 20)

    async def send(client: Client) -> None:
        for _ in range(16):
            client.writer.write(block)
            await client.writer.drain()

    play(scene)


def test_what_a_target_says_first_comes_after_the_answer() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 welcome")

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=greet)
        client = await stage.client(await stage.session(target))
        assert await client.ask(target.at) == Reply.GRANTED
        assert await client.rest() == b"220 welcome"

    play(scene)


@pytest.mark.parametrize("resets", [False, True], ids=["ends", "is reset"])
def test_a_connection_ends_as_the_targets_does(resets: bool) -> None:  # noqa: FBT001
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"half")
        await heard.wait()
        if resets:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=hang_up)
        client = await stage.client(await stage.session(target))
        assert await client.ask(target.at) == Reply.GRANTED
        await client.hears(b"half")
        heard.set()
        if resets:
            with pytest.raises(ConnectionResetError):
                await client.reader.read()
        else:
            assert await client.reader.read() == b""

    heard = asyncio.Event()
    play(scene)


def _both(session: ProxySession) -> tuple[BrowserSide, TargetSide]:
    inside = next(end for end in session._ends if isinstance(end, BrowserSide))
    outside = next(end for end in session._ends if isinstance(end, TargetSide))
    return inside, outside


def test_a_slow_browser_makes_the_target_wait() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=pour)
        session = await stage.session(target)
        client = await stage.client(session)
        assert await client.ask(target.at) == Reply.GRANTED
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a whole transport
        inside, outside = _both(session)
        await until(lambda: not outside.transport.is_reading() and inside.congested)
        assert HIGH_WATER <= inside.transport.get_write_buffer_size() <= HIGH_WATER + (1 << 20)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await client.reader.readexactly(64 << 20)

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
        await reader.read()

    play(scene)


def test_a_slow_target_makes_the_browser_wait() -> None:
    async def scene(stage: Stage) -> None:
        goes_on = asyncio.Event()

        async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await goes_on.wait()
            await reader.readexactly(64 << 20)
            writer.write(OK)

        target = await stage.target(talk=stall)
        session = await stage.session(target)
        client = await stage.client(session)
        assert await client.ask(target.at) == Reply.GRANTED
        client.writer.write(bytes(64 << 20))
        inside, outside = _both(session)
        await until(lambda: not inside.transport.is_reading() and outside.congested)
        assert HIGH_WATER <= outside.transport.get_write_buffer_size() <= HIGH_WATER + (1 << 20)
        goes_on.set()
        await client.hears(OK)

    play(scene)


# --- where one may go ---------------------------------------------------------------------------


async def metadata(*_: object) -> list[Address]:
    return [ipaddress.ip_address("169.254.169.254")]


MAPPED = str(ipaddress.ip_address("::ffff:127.0.0.1"))  # as this Python spells it
REFUSED = {  # address, what is refused, and why
    "loopback": ("127.0.0.1:PORT", ("127.0.0.1", 0), "not in allow"),
    "loopback by name": ("localhost:PORT", ("localhost", 0), "not in allow"),
    "loopback, IPv6": ("[::1]:PORT", ("::1", 0), "not in allow"),
    "loopback, IPv6 that carries IPv4": ("[::ffff:127.0.0.1]:PORT", (MAPPED, 0), "not in allow"),
    "loopback as a number": ("2130706433:PORT", ("127.0.0.1", 0), "not in allow"),
    "no address": ("0.0.0.0:PORT", ("0.0.0.0", 0), "never allowed"),
    "metadata": ("169.254.169.254:80", ("169.254.169.254", 80), "never allowed"),
    "metadata, IPv6": ("[fd00:ec2::254]:80", ("fd00:ec2::254", 80), "never allowed"),
    "a port of mail": ("192.0.2.1:25", ("192.0.2.1", 25), "one that can be abused"),
    "a low port": ("192.0.2.1:3", ("192.0.2.1", 3), "no port that the web uses"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_policy_refuses_is_not_dialled(case: str) -> None:
    address, key, reason = REFUSED[case]

    async def scene(stage: Stage) -> None:
        canary, allowed = await stage.target(OK), await stage.target(OK)
        session = await stage.session(allowed)
        client = await stage.client(session)
        assert await client.ask(address.replace("PORT", str(canary.port))) == Reply.FORBIDDEN
        assert await client.rest() == b""
        error = session.refusals[key[0], key[1] or canary.port]
        assert isinstance(error, TargetNotAllowed)
        assert reason in error.reason
        assert (canary.connections, session.sent, session.failures) == (0, 0, {})

    play(scene)


def test_the_box_itself_is_refused_even_if_allowed() -> None:
    async def scene(stage: Stage) -> None:
        canary = await stage.target(OK)
        session = await stage.session(canary, own=canary.port)
        client = await stage.client(session)
        assert await client.ask(canary.at) == Reply.FORBIDDEN
        assert isinstance(session.refusals["127.0.0.1", canary.port], TargetNotAllowed)
        assert canary.connections == 0

    play(scene)


def test_a_name_is_refused_for_its_address() -> None:
    async def scene(stage: Stage) -> None:
        session = await stage.session(resolve=metadata)
        assert await (await stage.client(session)).ask("innocent.example:443") == Reply.FORBIDDEN
        assert isinstance(session.refusals["innocent.example", 443], TargetNotAllowed)

    play(scene)


@pytest.mark.parametrize("address", ["a..b:443", "999.1.1.1:443", "zz:zz:443"])
def test_a_host_that_cannot_be_is_refused(address: str) -> None:
    async def scene(stage: Stage) -> None:
        session = await stage.session()
        assert await (await stage.client(session)).ask(address) == Reply.FORBIDDEN
        assert [type(error) for error in session.refusals.values()] == [InvalidUrl]

    play(scene)


def test_nobody_is_let_in_before_the_shot() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        session = await (await stage.proxy(("127.0.0.1", target.port))).open()
        client = await stage.client(session)
        await client.say(GREETING)
        assert await client.rest() == b""
        assert (target.connections, session.open_connections) == (0, 0)
        session.admit(allowed_target(f"http://{target.at}/"), None)
        client = await stage.client(session)
        await client.get(target.at)
        await client.hears(OK)

    play(scene)


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to be somebody else")
def test_another_users_program_is_not_let_in() -> None:
    async def scene(stage: Stage) -> None:
        session = await stage.session()
        script = (
            "import socket, sys; it = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
            "it.sendall(bytes([5, 1, 0])); print(it.recv(9))"
        )
        words = ["/usr/bin/python3", "-c", script, str(session.port)]
        heard = []
        for user in (0, 65534):
            as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *words]
            program = await asyncio.create_subprocess_exec(*as_user, stdout=-1, stderr=-1, cwd="/")
            heard.append((await program.communicate())[0])
        assert heard[0] == b"b'\\x05\\x00'\n"
        assert b"x05" not in heard[1]

    play(scene)


def test_a_name_is_looked_up_once_and_keeps_its_address() -> None:
    async def scene(stage: Stage) -> None:
        target, asked = await stage.target(talk=echo), list[str]()
        ready = asyncio.Event()

        async def rebinding(host: str, _: int) -> list[Address]:
            asked.append(host)
            await ready.wait()
            return [ipaddress.ip_address("127.0.0.1" if len(asked) == 1 else "127.0.0.2")]

        session = await (await stage.proxy(("name.example", target.port), resolve=rebinding)).open()
        session.admit(allowed_target("http://192.0.2.1/"), None)
        clients = [await stage.client(session) for _ in range(4)]
        tunnels = [asyncio.ensure_future(it.ask(f"name.example:{target.port}")) for it in clients]
        await until(lambda: session.open_connections == 4)
        ready.set()
        assert await asyncio.gather(*tunnels) == [Reply.GRANTED] * 4
        assert await (await stage.client(session)).ask(f"NAME.example.:{target.port}") == Reply.GRANTED
        assert asked == ["name.example"]
        assert target.connections == 5

    play(scene)


def test_a_name_that_this_machine_knows_is_reached() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        client = await stage.client(await stage.session(("localhost", target.port)))
        await client.get(f"localhost:{target.port}")
        await client.hears(OK)

    play(scene)


@pytest.mark.parametrize(
    "said", [bytes([1, 127, 0, 0, 1]), bytes([4, *bytes(10), 255, 255, 127, 0, 0, 1])], ids=["IPv4", "IPv6"]
)
def test_an_address_in_bytes_is_judged_as_one_in_letters(said: bytes) -> None:
    async def scene(stage: Stage) -> None:
        target, canary = await stage.target(OK), await stage.target(OK)
        session = await stage.session(target)
        client = await stage.client(session)
        await client.say(GREETING)
        await client.hears(WELCOME)
        await client.say(bytes([5, 1, 0]) + said + canary.port.to_bytes(2))
        assert (await client.reader.readexactly(10))[1] == Reply.FORBIDDEN
        assert [type(error) for error in session.refusals.values()] == [TargetNotAllowed]
        assert canary.connections == 0

    play(scene)


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def two(*_: object) -> list[Address]:
        return [ipaddress.ip_address("127.0.0.2"), ipaddress.ip_address("127.0.0.1")]

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        session = await stage.session(("two.example", target.port), resolve=two)
        assert await (await stage.client(session)).ask(f"two.example:{target.port}") == Reply.GRANTED
        assert session.failures == {}

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
        session = await stage.session(("127.0.0.1", port))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (handles or soft, hard))  # those that are open stay so
        try:
            status = await session.reach(outbound.parse(f"http://127.0.0.1:{port}/"), lambda: Endpoint(session))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (status, session.starved) == (Reply.UNREACHABLE, handles is not None)

    play(scene)


@pytest.mark.parametrize(
    ("resolve", "word"), [(by_the_system, "refused"), (nowhere, "unreachable"), (unknown, "unresolved")]
)
def test_why_a_target_cannot_be_reached_is_told(resolve: outbound.Resolve, word: str) -> None:
    async def scene(stage: Stage) -> None:
        async with Target().listening() as gone:
            port = gone.port
        session = await stage.session(("localhost", port), resolve=resolve)
        client = await stage.client(session)
        assert await client.ask(f"localhost:{port}") == Reply.UNREACHABLE
        assert await client.rest() == b""
        assert session.failures == {("localhost", port): word}
        assert [type(error) for error in session.refusals.values()] == [UrlUnreachable] * (word == "unresolved")

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
            session = await stage.session(("127.0.0.1", port), bounds=Bounds(attempt=0.1))
            assert await (await stage.client(session)).ask(f"127.0.0.1:{port}") == Reply.UNREACHABLE
            assert session.failures == {("127.0.0.1", port): "timeout"}

    play(scene)


@pytest.mark.parametrize(("asked", "problems"), [(True, ["reset"]), (False, [])], ids=["asked", "not asked"])
def test_a_target_that_hangs_up_without_a_word_is_a_reset(asked: bool, problems: list[str]) -> None:  # noqa: FBT001
    async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        if asked:
            await reader.readuntil(b"\r\n\r\n")

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=hang_up)
        session = await stage.session(target)
        client = await stage.client(session)
        await (client.get(target.at) if asked else client.ask(target.at))
        assert await client.rest() == b""
        assert list(session.failures.values()) == problems

    play(scene)


def test_only_so_many_problems_are_remembered() -> None:
    async def scene(stage: Stage) -> None:
        session = await stage.session(resolve=unknown)
        for number in range(REMEMBERED + 1):
            assert await (await stage.client(session)).ask(f"h{number}.example:443") == Reply.UNREACHABLE
        assert len(session.refusals) == len(session.failures) == REMEMBERED

    play(scene)


# --- what no browser says -----------------------------------------------------------------------

STRANGE = {  # greeting, request
    "another version": (b"\4\1\0", b""),
    "no way to sign in": (b"\5\0", b""),
    "a name and password only": (b"\5\1\2", b""),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", b""),
    "a tunnel of HTTP": (b"CONNECT AT HTTP/1.1\r\n\r\n", b""),
    "TLS": (b"\x16\x03\x01\0\n\n\r\n\r\n", b""),
    "a request in the greeting": (b"\5\1\0\5\1\0\1\x7f\0\0\1\0\x50", b""),
    "another version behind the greeting": (GREETING, b"\4\1\0\1\x7f\0\0\1\0\x50"),
    "to bind": (GREETING, b"\5\2\0\1\x7f\0\0\1\0\x50"),
    "UDP": (GREETING, b"\5\3\0\1\x7f\0\0\1\0\x50"),
    "a reserved byte": (GREETING, b"\5\1\1\1\x7f\0\0\1\0\x50"),
    "an unknown kind of address": (GREETING, b"\5\1\0\2\x7f\0\0\1\0\x50"),
    "no name": (GREETING, b"\5\1\0\3\0\0\x50"),
    "a name with a slash": (GREETING, b"\5\1\0\3\x04a/b@\0\x50"),
    "a name with NUL": (GREETING, b"\5\1\0\3\x02a\0\0\x50"),
    "a name in high bytes": (GREETING, b"\5\1\0\3\x02\xc3\xa4\0\x50"),
    "more than a request": (GREETING, b"\5\1\0\3\x01a\0\x50more"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_strange_word_ends_the_connection(case: str) -> None:
    greeting, asked = STRANGE[case]

    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        session = await stage.session(target, bounds=Bounds(handshake=60))
        client = await stage.client(session)
        await client.say(greeting.replace(b"AT", target.at.encode()))
        if asked:
            await client.hears(WELCOME)
            await client.say(asked)
        assert await client.rest() == b""
        assert (target.connections, session.sent, session.failures) == (0, 0, {})

    play(scene)


def test_who_goes_on_before_the_answer_is_cut() -> None:
    async def scene(stage: Stage) -> None:
        asked = asyncio.Event()

        async def never(*_: object) -> list[Address]:
            asked.set()
            return await asyncio.Event().wait()  # type: ignore[return-value] # it never does

        client = await stage.client(await stage.session(resolve=never))
        await client.say(GREETING)
        await client.hears(WELCOME)
        await client.say(request("slow.example:80"))
        await asked.wait()
        await client.say(b"more")
        assert await client.rest() == b""

    play(scene)


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", [b"", b"\5", GREETING, GREETING + b"\5\1\0\3\xff"], ids=["nothing", "half", "a greeting", "half a request"]
)
def test_a_handshake_must_come_in_time(said: bytes) -> None:
    async def scene(stage: Stage) -> None:
        session = await stage.session(bounds=Bounds(handshake=0.05, sweep=0.01))
        client = await stage.client(session)
        await client.say(said[:3])
        if said[3:]:
            await client.hears(WELCOME)
            await client.say(said[3:])
        assert await client.rest() == (WELCOME if said == GREETING else b"")

    play(scene)


def test_a_handshake_that_trickles_has_no_more_time() -> None:
    async def scene(stage: Stage) -> None:
        session = await stage.session(bounds=Bounds(handshake=0.1, sweep=0.01))
        client = await stage.client(session)
        with contextlib.suppress(ConnectionError):
            for byte in b"\5\xff" + bytes(254):
                await client.say(bytes([byte]))
                await asyncio.sleep(0.01)
        assert await client.rest() == b""

    play(scene)


@pytest.mark.parametrize(("asked", "problems"), [(True, ["timeout"]), (False, [])], ids=["asked", "not asked"])
def test_a_connection_without_a_byte_is_cut(asked: bool, problems: list[str]) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        target = await stage.target()
        session = await stage.session(target, bounds=Bounds(idle=0.05, sweep=0.01))
        client = await stage.client(session)
        await (client.get(target.at) if asked else client.ask(target.at))
        assert await client.rest() == b""
        assert list(session.failures.values()) == problems

    play(scene)


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0)


def test_a_target_that_says_little_and_often_is_read_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, passing = list[int](), TargetSide.data_received

    def count(outside: TargetSide, data: bytes) -> None:
        reads.append(len(data))
        passing(outside, data)

    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=drip)
        client = await stage.client(await stage.session(target, bounds=Bounds(reads=50)))
        begun = asyncio.get_running_loop().time()
        assert await client.ask(target.at) == Reply.GRANTED
        await client.reader.readexactly(20_000)
        seconds = asyncio.get_running_loop().time() - begun
        assert 50 < len(reads) <= 2 * 50 * (1 + seconds)

    monkeypatch.setattr(TargetSide, "data_received", count)
    play(scene)


def test_a_page_that_connects_again_and_again_waits() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        session = await stage.session(target, bounds=Bounds(reads=1))
        begun = asyncio.get_running_loop().time()
        assert await (await stage.client(session)).ask(target.at) == Reply.GRANTED
        assert asyncio.get_running_loop().time() - begun > 0.5

    play(scene)


def test_large_reads_are_not_held_up() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        session = await stage.session(target, bounds=Bounds(reads=10))
        client = await stage.client(session)
        assert await client.ask(target.at) == Reply.GRANTED
        spent = session._spent
        for _ in range(20):
            await client.say(bytes(4096))
            await client.hears(bytes(4096))
        assert session._spent <= spent

    play(scene)


def test_a_door_has_room_for_so_many_connections() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        session = await stage.session(target, bounds=Bounds(connections=3))
        clients = [await stage.client(session) for _ in range(3)]
        assert [await client.ask(target.at) for client in clients] == [Reply.GRANTED] * 3
        assert await (await stage.client(session)).rest() == b""
        clients[0].writer.transport.abort()
        await until(lambda: session.open_connections == 2)
        assert await (await stage.client(session)).ask(target.at) == Reply.GRANTED

    play(scene)


def test_a_page_may_name_so_many_hosts() -> None:
    async def scene(stage: Stage) -> None:
        asked = list[str]()

        async def count(host: str, _: int) -> list[Address]:
            asked.append(host)
            return []

        session = await stage.session(resolve=count, bounds=Bounds(names=3))  # the page itself is the first
        for number in range(4):
            assert await (await stage.client(session)).ask(f"h{number}.example:443") == Reply.UNREACHABLE
        assert asked == ["h0.example", "h1.example"]
        assert session.failures["h2.example", 443] == "unresolved"

    play(scene)


def test_a_page_whose_names_take_too_long_gets_no_more_of_them() -> None:
    async def scene(stage: Stage) -> None:
        asked = list[str]()

        async def slow(host: str, _: int) -> list[Address]:
            asked.append(host)
            await asyncio.sleep(0.01)
            raise UrlUnreachable("silent")

        session = await stage.session(resolve=slow, bounds=Bounds(looking=0.005))
        for number in range(3):
            assert await (await stage.client(session)).ask(f"h{number}.example:443") == Reply.UNREACHABLE
        assert asked == ["h0.example"]
        assert "more host names than are answered" in session.refusals["h2.example", 443].message

    play(scene)


def test_a_name_that_is_still_looked_up_counts_as_well() -> None:
    async def scene(stage: Stage) -> None:
        asked, goes_on = list[str](), asyncio.Event()

        async def slow(host: str, _: int) -> list[Address]:
            asked.append(host)
            await goes_on.wait()
            return []

        session = await stage.session(resolve=slow, bounds=Bounds(lookups=2))
        clients = [await stage.client(session) for _ in range(2)]
        first = asyncio.ensure_future(clients[0].ask("h0.example:443"))
        await until(lambda: len(asked) == 1)
        session._begun["h0.example"] -= session.bounds.looking + 1
        second = asyncio.ensure_future(clients[1].ask("h1.example:443"))
        await until(lambda: second.done() or len(asked) == 2)
        goes_on.set()
        assert (await first, await second) == (Reply.UNREACHABLE, Reply.UNREACHABLE)
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
        session = await stage.session(resolve=fail)
        await (await stage.client(session)).ask("some.example:443")
        assert (type(session.refusals["some.example", 443]), session.starved) == (kind, starved)

    play(scene)


def test_a_name_is_judged_once_until_addresses_or_the_policy_change() -> None:
    async def scene(stage: Stage) -> None:
        target, judged, editions = await stage.target(talk=echo), list[Address](), [1]

        def note(address: Address) -> bool:
            judged.append(address)
            return False

        async def both(*_: object) -> list[Address]:
            return [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.0.2.9")]

        async def connect(times: int) -> set[Reply]:
            name = f"name.example:{target.port}"
            return {await (await stage.client(session)).ask(name) for _ in range(times)}

        allow = (hosts.read(f"name.example:{target.port}"),)
        policy = Policy(allow, (), ports=frozenset({1}), is_own=note, edition=lambda: editions[0])
        made = Proxy(policy, resolve=both)
        stage.closes(made)
        session = await made.open()
        session.admit(allowed_target("http://192.0.2.1/"), None)
        assert (await connect(3), len(judged)) == ({Reply.GRANTED}, 1)
        editions[0] = 2
        assert (await connect(3), len(judged)) == ({Reply.GRANTED}, 2)
        made.reload(policy)
        assert (await connect(3), len(judged)) == ({Reply.GRANTED}, 3)
        made.reload(dataclasses.replace(policy, allow=()))
        assert await connect(1) == {Reply.FORBIDDEN}

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

        session = await stage.session(resolve=slow, bounds=Bounds(lookups=2))
        clients = [await stage.client(session) for _ in range(4)]
        tunnels = [asyncio.ensure_future(it.ask(f"h{at}.example:443")) for at, it in enumerate(clients)]
        await until(lambda: len(session._lookups) == 5 and looking == 2)
        goes_on.set()
        assert await asyncio.gather(*tunnels) == [Reply.UNREACHABLE] * 4
        assert most == 2

    play(scene)


@pytest.mark.parametrize(("largest", "passes"), [(2000, True), (1999, False)])
def test_a_door_lets_so_many_bytes_pass(largest: int, passes: bool) -> None:  # noqa: FBT001
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        session = await stage.session(target, largest=largest)
        client, other = await stage.client(session), await stage.client(session)
        assert [await client.ask(target.at), await other.ask(target.at)] == [Reply.GRANTED] * 2
        await client.say(bytes(1000))
        if passes:
            await client.hears(bytes(1000))
        else:
            assert len(await client.rest()) < 1000
            assert await other.rest() == b""
            assert await (await stage.client(session)).rest() == b""
        assert session.exhausted is not passes

    play(scene)


def test_a_peer_that_is_not_loopback_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no other address")
        own = probe.getsockname()[0]

    async def scene(stage: Stage) -> None:
        session = await stage.session()
        assert await (await stage.client(session, local_addr=(own, 0))).rest() == b""

    play(scene)


# --- what is blocked ----------------------------------------------------------------------------


NO_CONTENT = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\0\1"  # how TLS begins


def test_what_is_blocked_is_answered_without_the_target() -> None:
    asked = list[str]()

    def refuses(url: str) -> bool:
        asked.append(url)
        return "ads." in url

    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        session = await stage.session(target, resolve=metadata, refuses=refuses)
        assert await (await stage.client(session)).ask("ads.example:443") == Reply.FORBIDDEN
        for port, said, heard in ((8443, HELLO, b""), (80, b"GET", NO_CONTENT), (81, b"P", NO_CONTENT)):
            client = await stage.client(session)
            assert await client.ask(f"ads.example:{port}") == Reply.GRANTED
            await client.say(said)
            assert await client.rest() == heard
        assert asked == [
            "https://ads.example/",
            "https://ads.example:8443/",
            "https://ads.example/",
            "https://ads.example:81/",
        ]
        assert (session.blocked, session.refusals, session.failures, session.sent) == (4, {}, {}, 0)

    play(scene)


def test_who_is_blocked_and_says_nothing_is_cut() -> None:
    async def scene(stage: Stage) -> None:
        session = await stage.session(refuses=lambda _: True, bounds=Bounds(idle=0.05, sweep=0.01))
        client = await stage.client(session)
        assert await client.ask("ads.example:80") == Reply.GRANTED
        assert await client.rest() == b""

    play(scene)


def test_the_host_that_is_asked_for_is_never_blocked() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        session = await (await stage.proxy(("127.0.0.1", target.port))).open()
        session.admit(allowed_target(f"http://{target.at}/ads"), lambda _: True)
        client = await stage.client(session)
        await client.get(target.at)
        await client.hears(OK)
        assert await (await stage.client(session)).ask(target.at) == Reply.GRANTED
        assert session.blocked == 0

    play(scene)


# --- doors --------------------------------------------------------------------------------------


def test_a_door_counts_what_passes() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(OK)
        session = await stage.session(target)
        assert (session.received, session.sent, session.open_connections) == (0, 0, 0)
        client = await stage.client(session)
        await client.get(target.at)
        await client.hears(OK)
        assert (session.received, session.sent, session.open_connections) == (len(OK), len(target.heard[0]), 1)

    play(scene)


def test_a_small_write_leaves_at_once() -> None:
    async def scene(stage: Stage) -> None:
        target = await stage.target(talk=echo)
        session = await stage.session(target)
        assert await (await stage.client(session)).ask(target.at) == Reply.GRANTED
        for end in _both(session):
            assert end.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    play(scene)


def coroutine_of(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


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
        session, other = await made.open(), await made.open()
        for each in (session, other):
            each.admit(allowed_target(f"http://{target.at}/"), None)
        busy, looking, stays = await stage.client(session), await stage.client(session), await stage.client(other)
        for client in (busy, stays):
            assert await client.ask(target.at) == Reply.GRANTED
            await client.reader.readexactly(1 << 20)
        await looking.say(GREETING)
        await looking.hears(WELCOME)
        await looking.say(request("slow.example:80"))
        await started.wait()
        before = asyncio.all_tasks()
        await session.close()
        ended = {coroutine_of(task) for task in before - asyncio.all_tasks()}
        assert ended >= {"ProxySession._look_up", "BrowserSide._lead"}  # the lookup, and who waited for it
        await busy.rest()
        await looking.rest()
        await stays.reader.readexactly(1 << 20)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", session.port)
        assert (session.open_connections, other.open_connections) == (0, 1)
        await session.close()  # again

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
        session = await stage.session(target)
        client = await stage.client(session)
        assert await client.ask(target.at) == Reply.GRANTED
        await until(lambda: target.connections == 1)
        client.writer.transport.abort()
        await until(lambda: not session._ends)
        assert session.failures == {}

    play(scene)
