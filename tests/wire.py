"""The browser's end of its pipe, in the hands of a test."""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from allscreenshots_box.render.browsers.cdp import CHUNK, Connection


class Wire:
    """A connection, and what stands in for the browser. *faults* are what reached the loop's own handler."""

    def __init__(self) -> None:
        self._commands, writing = os.pipe()
        reading, self._answers = os.pipe()
        fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, CHUNK)
        os.set_blocking(self._answers, False)
        os.set_blocking(self._commands, False)
        self.faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))
        self.ends = 0
        self.connection = Connection(reading, writing, self._end)

    def _end(self) -> None:
        self.ends += 1

    def asked(self) -> list[dict[str, Any]]:
        """Return the commands that have come since this was last asked."""
        raw = b""
        with suppress(BlockingIOError):
            raw = os.read(self._commands, CHUNK)
        return [json.loads(one) for one in raw.split(b"\0") if one]

    async def say(self, raw: bytes, step: int = CHUNK) -> None:
        """Write bytes, some at a time, while the connection reads."""
        rest = memoryview(raw)
        while rest:
            with suppress(BlockingIOError):
                rest = rest[os.write(self._answers, rest[:step]) :]
            await asyncio.sleep(0)

    async def tell(self, *messages: dict[str, Any]) -> None:
        """Write whole messages, as Chromium writes them."""
        for message in messages:
            await self.say(spelled(message) + b"\0")

    def close(self) -> None:
        """Close both pipes."""
        self.connection.close()
        os.close(self._commands)
        os.close(self._answers)


def spelled(message: dict[str, Any]) -> bytes:
    """Return a message as Chromium spells it: ASCII, no spaces, lone surrogates as escapes."""
    return json.dumps(message, separators=(",", ":")).encode()


@asynccontextmanager
async def wired() -> AsyncIterator[Wire]:
    """Yield a wire; nothing that came over it may have reached the loop's own handler."""
    wire = Wire()
    try:
        yield wire
    finally:
        wire.close()
        await asyncio.sleep(0)
    assert wire.faults == []
