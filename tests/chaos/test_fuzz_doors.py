"""Whatever comes to a door, from the browser's side or from targets: nothing reaches the loop's handler or stays."""

import asyncio
import contextlib
import os
import random
import socket
import struct
from typing import Any

import pytest

from allscreenshots_box.egress.session import Bounds, ProxySession
from allscreenshots_box.egress.socks import Reply
from tests.egress.test_proxy import GREETING, WELCOME, Client, Stage, Target, play, request

pytestmark = pytest.mark.chaos

SECONDS = 10.0 * int(os.environ["CHAOS_ROUNDS"]) if "CHAOS_ROUNDS" in os.environ else 3.0  # five minutes in full
ROUND_SECONDS = 1.0  # then all must be gone, and good connections work
AT_ONCE = 24
BOUNDS = Bounds(handshake=0.2, idle=0.2, connections=16, names=8, reads=200, sweep=0.02, attempt=0.1, dial=0.2)
LARGEST = 8 << 20  # bytes of a door
PIECES = (
    GREETING,
    b"\5\2\0\2",
    b"\5\xff" + bytes(255),
    b"\5\0",
    b"\4\1\0\x50\x7f\0\0\1\0",
    b"\5\1\0\1\x7f\0\0\1\0\x50",
    b"\5\1\0\4" + bytes(15) + b"\1\0\x50",
    b"\5\2\0\1\x7f\0\0\1\0\x50",
    b"\5\1\0\3\xff" + b"a" * 255 + b"\0\x50",
    b"\5\1\0\3\0\0\x50",
    b"\5\1\0\3\x01\xff\0\x50",
    request("nowhere.example:80"),
    b"\x16\x03\x01\2\0",
    b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"1\r\nx\r\n" * 500,
    b"",
)


class Fuzzer:
    """One dice for both sides."""

    def __init__(self, number: int) -> None:
        self.dice = random.Random(number)

    def words(self, *good: bytes) -> bytes:
        """Return something that was good once, or never."""
        dice = self.dice
        said = bytearray(b"".join(dice.choices([*PIECES, *good], k=dice.randrange(1, 4))))
        for _ in range(dice.choice([0, 0, 1, 3])):
            place = dice.randrange(len(said) + 1)
            match dice.randrange(3):
                case 0:
                    del said[place : place + dice.randrange(1, 20)]
                case 1:
                    said[place:place] = dice.randbytes(dice.randrange(1, 20))
                case _:
                    said[place : place + 1] = dice.randbytes(1)
        return bytes(said)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say and hear this and that, and end in some way."""
        dice = self.dice
        for _ in range(dice.randrange(6)):
            match dice.randrange(5):
                case 0:
                    writer.write(dice.randbytes(dice.choice([1, 100, 5000, 1 << 18])))
                case 1:
                    for _ in range(dice.randrange(400)):
                        writer.write(b"x")
                        await asyncio.sleep(0)
                case 2:
                    await asyncio.wait_for(reader.read(dice.choice([1, 1000, 1 << 20])), 0.05)
                case 3:
                    await asyncio.sleep(dice.choice([0, 0.001, 0.05, 0.3]))
                case _:
                    await writer.drain()
        await self.end(writer)

    async def end(self, writer: asyncio.StreamWriter) -> None:
        """End a connection: politely, by halves, with a reset, or not at all."""
        match self.dice.randrange(4):
            case 0:
                writer.close()
            case 1:
                if writer.can_write_eof():
                    writer.write_eof()
                await asyncio.sleep(0.02)
            case 2:
                if not writer.is_closing():
                    connection: Any = writer.get_extra_info("socket")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case _:
                await asyncio.sleep(0.05)

    async def visit(self, session: ProxySession, target: Target) -> None:
        """Come to a door once."""
        reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
        client = Client(reader, writer)
        try:
            if self.dice.random() < 0.5:
                await client.say(self.words(request(target.at)), slowly=self.dice.random() < 0.2)
            else:
                await client.say(GREETING)
                await client.hears(WELCOME)
                await client.say(self.dice.choice([request(target.at), self.words(request(target.at))]))
            await self.talk(reader, writer)
        finally:
            writer.transport.abort()


async def _fuzz(stage: Stage, number: int) -> Fuzzer:
    """Storm a door for a while; afterwards everything is gone, and the door works."""
    fuzzer = Fuzzer(number)
    odd, good = await stage.target(talk=fuzzer.talk), await stage.target(b"HTTP/1.1 204 Fine\r\n\r\n")
    session = await stage.session(
        odd, good, bounds=BOUNDS, largest=LARGEST, refuses=lambda _: fuzzer.dice.random() < 0.1
    )
    end = asyncio.get_running_loop().time() + ROUND_SECONDS

    async def storm() -> None:
        while asyncio.get_running_loop().time() < end and not session.exhausted:
            with contextlib.suppress(
                OSError, EOFError, TimeoutError, RuntimeError
            ):  # uvloop: the last is a write too late
                await fuzzer.visit(session, odd)

    await asyncio.gather(*(storm() for _ in range(AT_ONCE)))
    async with asyncio.timeout(10):
        while session._ends or session._tasks:  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)
    if not session.exhausted:
        session._refuses = None
        client = await stage.client(session)
        assert await client.ask(good.at) == Reply.GRANTED
        await client.say(b"GET / HTTP/1.1\r\n\r\n")
        await client.hears(b"HTTP/1.1 204 Fine\r\n\r\n")
    return fuzzer


def test_nothing_that_comes_to_a_door_reaches_the_loops_handler_or_stays() -> None:
    play(_nothing)  # what a first loop opens for all
    handles = _handles()
    for number in range(round(SECONDS / ROUND_SECONDS)):
        faults: list[dict[str, Any]] = []

        async def scene(stage: Stage, number: int = number, faults: list[dict[str, Any]] = faults) -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
            await _fuzz(stage, number)

        play(scene)
        assert (faults, _handles()) == ([], handles), f"seed {number}"


async def _nothing(stage: Stage) -> None:
    assert await (await stage.client(await stage.session())).ask("192.0.2.1:1") == Reply.FORBIDDEN


def _handles() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a name for each, and no more
