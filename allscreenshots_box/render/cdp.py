"""The DevTools protocol over a pipe: commands and their answers, events by session.

Playwright's driver would be a process more to start, feed and watch, and costs a fifth of a simple shot; what a shot
needs of the protocol is this.
"""

import asyncio
import fcntl
import os
import termios
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

CHUNK = 1 << 20  # bytes; also how much either pipe holds, so that a picture passes in few turns of the loop
END = b"\0"  # of each message
DETACHED = "detached"  # our own event: the page of a session is gone

Handler = Callable[[dict[str, Any]], None]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class ProtocolError(Exception):
    """The browser refused a command, or the page that it was for is gone."""


class ConnectionLost(ProtocolError):
    """The browser is gone, and every answer that was still to come."""


class Connection:
    """Both ends of one browser's pipe. *lost* is called once, when the browser closes it."""

    def __init__(self, reading: int, writing: int, lost: Callable[[], None]) -> None:
        self._reading = reading
        self._writing = writing
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._waiting: dict[int, tuple[str, asyncio.Future[dict[str, Any]]]] = {}
        self._sessions: dict[str, Session] = {}
        self._in = bytearray()
        self._out = bytearray()
        self._open = True
        self.heard = self._loop.time()  # when the last byte came
        self.received = 0  # bytes so far
        for end in (reading, writing):
            os.set_blocking(end, False)
            fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, CHUNK)
        self._loop.add_reader(reading, self._read)
        self.browser = Session(self, "")
        self._sessions[""] = self.browser

    def session(self, name: str) -> "Session":
        """Return the session of that name, which the browser has opened."""
        return self._sessions.setdefault(name, Session(self, name))

    def forget(self, session: "Session") -> None:
        """Drop a session whose page is gone."""
        self._sessions.pop(session.name, None)

    def send(self, method: str, params: dict[str, Any], session: str) -> asyncio.Future[dict[str, Any]]:
        """Send a command; the future brings its result, or ProtocolError."""
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        if not self._open:
            answer.set_exception(ConnectionLost("The browser is gone."))
            return answer
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._waiting[self._count] = session, answer
        self._out += _encode(message) + END
        self._write()
        return answer

    def has_more(self) -> bool:
        """Say whether there is something in the pipe that was not read yet."""
        with suppress(OSError):
            return self._open and any(fcntl.ioctl(self._reading, termios.FIONREAD, bytes(4)))
        return False

    def close(self) -> None:
        """Close both ends; whoever waits for an answer hears that there will be none."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._reading)
        self._loop.remove_writer(self._writing)
        os.close(self._reading)
        os.close(self._writing)
        self._fail(None, ConnectionLost("The browser is gone."))
        for session in list(self._sessions.values()):
            session.tell(DETACHED, {})

    def _write(self) -> None:
        try:
            while self._out:
                del self._out[: os.write(self._writing, self._out)]
        except BlockingIOError:
            self._loop.add_writer(self._writing, self._write)
            return
        except OSError:
            self._end()
            return
        self._loop.remove_writer(self._writing)

    def _read(self) -> None:
        try:
            chunk = os.read(self._reading, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._end()
            return
        self.heard = self._loop.time()
        self.received += len(chunk)
        searched = len(self._in)
        self._in += chunk
        while self._open and (end := self._in.find(END, searched)) >= 0:
            message = _decode(memoryview(self._in)[:end])
            del self._in[: end + 1]
            searched = 0
            self._take(message)

    def _end(self) -> None:
        if self._open:
            self.close()
            self._lost()

    def _fail(self, session: str | None, error: ProtocolError) -> None:
        """Tell those who wait for an answer, all or those of one session, that there will be none."""
        for number, (asked, answer) in list(self._waiting.items()):
            if session in {None, asked}:
                del self._waiting[number]
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # nobody need be waiting

    def _take(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            self._tell(message)
            return
        _, answer = self._waiting.pop(message["id"], (None, None))
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(ProtocolError(str(message["error"].get("message", ""))))
            answer.exception()  # a command need not be waited for
        else:
            answer.set_result(message["result"])

    def _tell(self, message: dict[str, Any]) -> None:
        session = self._sessions.get(message.get("sessionId", ""))
        if session is not None:
            session.tell(message["method"], message["params"])
        if message["method"] == "Target.detachedFromTarget":  # whoever waits there would wait for ever
            name = message["params"]["sessionId"]
            if name in self._sessions:
                self._sessions[name].tell(DETACHED, {})
            self._fail(name, ProtocolError("The page is gone."))


class Session:
    """What speaks to one page, or to the browser itself."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._handlers: dict[str, list[Handler]] = defaultdict(list)
        self.name = name

    def send(self, method: str, **params: Any) -> asyncio.Future[dict[str, Any]]:
        """Send a command, which need not be waited for: order is kept."""
        return self._connection.send(method, params, self.name)

    def on(self, event: str, handler: Handler) -> None:
        """Have *handler* called with what each *event* tells."""
        self._handlers[event].append(handler)

    def tell(self, event: str, params: dict[str, Any]) -> None:
        """Hand an event to those who asked for it."""
        for handler in self._handlers.get(event, ()):
            handler(params)

    def end(self) -> None:
        """Have whoever uses the page hear that it is gone."""
        self.tell(DETACHED, {})

    def forget(self) -> None:
        """Hear nothing any more."""
        self._connection.forget(self)
