"""The DevTools protocol over a pipe: commands and their answers, events by session.

Playwright's driver would be a process more to start, feed and watch, and costs a fifth of a simple shot; what a shot
needs of the protocol is this. All pages of a browser share the pipe: what one of them says is bounded, in bytes and in
the time that it takes, and nothing that it says ends the reading.
"""

import asyncio
import binascii
import fcntl
import os
import termios
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from ... import logs
from .messages import END, ORDINARY, Bound, Dropped, Message, Stream, method_of, number_of, whole

CHUNK = 1 << 20  # bytes; also how much either pipe holds, so that a picture passes in few turns of the loop
TURN_SECONDS = 0.005  # of reading messages, before everybody else has a turn of the loop
MOST_UNASKED = 32 << 20  # bytes of events, until a session hears that it is flooded
# Bytes that each of them counts for beside its own: three processes carry it, however short it is. So a flood is ended
# after 16,000, in a second; of a request, which the quiet of a network is judged by, six or seven tell.
EVENT_WORK = 2 << 10
LARGEST_EVENTS = {b"Fetch.requestPaused": 16 << 20}  # bytes: it brings what the request uploads, and waits for a word

# Our own events.
DETACHED = "detached"  # the page of a session is gone
DROPPED = "dropped"  # an event was too large, or made no sense: {method, size, head}
FLOODED = "flooded"  # events have brought MOST_UNASKED, again

Handler = Callable[[dict[str, Any]], None]

_encode = msgspec.json.Encoder().encode


class ProtocolError(Exception):
    """The browser refused a command, or the page that it was for is gone."""


class ConnectionLost(ProtocolError):
    """The browser is gone, and every answer that was still to come."""


class AnswerTooLarge(ProtocolError):
    """The answer was over its bound, and has been thrown away."""


class _Waiting(NamedTuple):
    session: str
    answer: asyncio.Future[dict[str, Any]]
    bound: Bound


class Connection:
    """Both ends of one browser's pipe. *lost* is called once, when the browser closes it."""

    def __init__(self, reading: int, writing: int, lost: Callable[[], None]) -> None:
        self._reading = reading
        self._writing = writing
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._waiting: dict[int, _Waiting] = {}
        self._sessions: dict[str, Session] = {}
        self._stream = Stream(self._bound)
        self._out = bytearray()
        self._open = True
        self._behind = False  # whether messages are left over for the next turn
        self._wanted = {b"Target.detachedFromTarget"}  # events that somebody listens to
        self._ailing: set[str] = set()  # events that a handler could not take
        self.heard = self._loop.time()  # when the last byte came
        self.received = 0  # bytes
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

    def want(self, event: str) -> None:
        """Have *event* read when it comes; others are passed over."""
        self._wanted.add(event.encode())

    def send(self, method: str, params: dict[str, Any], session: str, bound: Bound) -> asyncio.Future[dict[str, Any]]:
        """Send a command; the future brings its result, or ProtocolError."""
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        if not self._open:
            answer.set_exception(ConnectionLost("The browser is gone."))
            return answer
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._out += _encoded(message) + END
        self._waiting[self._count] = _Waiting(session, answer, bound)
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
        if self._behind:  # first what is here
            return
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
        self._stream.add(chunk)
        self._sort()

    def _sort(self) -> None:
        """Take the messages that are here, for a turn of the loop."""
        self._behind = False
        end = self._loop.time() + TURN_SECONDS
        while self._open and (found := self._stream.next()) is not None:
            self._take(found)
            if self._loop.time() > end:
                self._behind = True
                self._loop.call_soon(self._sort)
                return

    def _end(self) -> None:
        if self._open:
            self.close()
            self._lost()

    def _bound(self, head: bytes) -> Bound:
        """Return how a long message that begins so is to be taken."""
        number = number_of(head)
        if number is None:
            method = method_of(head)
            return Bound(LARGEST_EVENTS.get(method, ORDINARY) if method in self._wanted else 0)
        waiting = self._waiting.get(number)
        return waiting.bound if waiting is not None else Bound()

    def _fail(self, session: str | None, error: ProtocolError) -> None:
        """Tell those who wait for an answer, all or those of one session, that there will be none."""
        for number, waiting in list(self._waiting.items()):
            if session in {None, waiting.session}:
                del self._waiting[number]
                _refuse(waiting.answer, error)

    # --- what comes ---------------------------------------------------------------------------

    def _take(self, found: Message | Dropped) -> None:
        if isinstance(found, Dropped):
            self._drop(found)
        elif found.id is None:
            self._tell(found)
        else:
            self._answer(found.id, found)

    def _answer(self, number: int, message: Message) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return
        if message.result is None:
            text = message.error.message if message.error is not None else "The browser's answer has no result."
            _refuse(waiting.answer, ProtocolError(text))
        elif not waiting.answer.done():
            waiting.answer.set_result(message.result)

    def _tell(self, message: Message) -> None:
        session = self._sessions.get(message.session)
        if session is not None:
            session.tell(message.method, message.params)
        self._count_in(message.session, message.size)
        if message.method == "Target.detachedFromTarget":  # whoever waits there would wait for ever
            name = str(message.params.get("sessionId", ""))
            if name in self._sessions:
                self._sessions[name].tell(DETACHED, {})
            if name:
                self._fail(name, ProtocolError("The page is gone."))

    def _drop(self, dropped: Dropped) -> None:
        """Let the one whom a message was for know that it is gone."""
        if dropped.number is not None:
            waiting = self._waiting.pop(dropped.number, None)
            if waiting is not None:
                _refuse(waiting.answer, _too_large(dropped.size) if dropped.large else ProtocolError("No JSON came."))
            return
        session = self._sessions.get(dropped.session)
        if session is not None and dropped.method.encode() in self._wanted:
            lost = {"method": dropped.method, "size": dropped.size, "head": dropped.head.decode(errors="replace")}
            session.tell(DROPPED, lost)
        self._count_in(dropped.session, dropped.size)

    def _count_in(self, name: str, size: int) -> None:
        """Count what nobody asked for; the browser's own session has no page that could be at fault."""
        session = self._sessions.get(name)
        if session is None or session is self.browser:
            return
        session.unasked += size + EVENT_WORK
        if session.unasked > MOST_UNASKED:
            session.unasked = 0
            session.tell(FLOODED, {})

    def fault(self, event: str, error: Exception) -> None:
        """Log that a handler could not take an *event*: once, for a page may repeat it a million times."""
        if event not in self._ailing:
            self._ailing.add(event)
            logs.fault("browser_event_failed", error, reason=event)


def _encoded(message: dict[str, Any]) -> bytes:
    try:
        return _encode(message)
    except UnicodeEncodeError:  # half a character, of a command line for example
        return _encode(whole(message))


def _too_large(size: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"The answer had {size:,} bytes, over its bound.")


def _refuse(answer: asyncio.Future[dict[str, Any]], error: ProtocolError) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # a command need not be waited for


class Session:
    """What speaks to one page, or to the browser itself."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._handlers: dict[str, list[Handler]] = defaultdict(list)
        self.name = name
        self.unasked = 0  # bytes that its events have brought

    def send(self, method: str, largest: int = ORDINARY, /, **params: Any) -> asyncio.Future[dict[str, Any]]:
        """Send a command, which need not be waited for: order is kept. Its answer may have *largest* bytes."""
        return self._connection.send(method, params, self.name, Bound(largest))

    async def fetch(self, method: str, largest: int, **params: Any) -> bytes:
        """Send a command that is answered with data: *largest* bytes of base64 at most."""
        answer = await self._connection.send(method, params, self.name, Bound(largest, data=True))
        data: Any = answer.get("data")
        try:
            return data if isinstance(data, bytes) else binascii.a2b_base64(data, strict_mode=True)
        except (TypeError, ValueError) as error:
            raise ProtocolError("The browser's answer has no data.") from error

    def on(self, event: str, handler: Handler) -> None:
        """Have *handler* called with what each *event* tells."""
        self._handlers[event].append(handler)
        self._connection.want(event)

    def tell(self, event: str, params: dict[str, Any]) -> None:
        """Hand an event to those who asked for it. What one of them cannot take is no reason to read no more."""
        for handler in self._handlers.get(event, ()):
            try:
                handler(params)
            except Exception as error:  # noqa: BLE001 - whatever it is, others wait for what comes next
                self._connection.fault(event, error)

    def end(self) -> None:
        """Have whoever uses the page hear that it is gone."""
        self.tell(DETACHED, {})

    def forget(self) -> None:
        """Hear nothing any more."""
        self._connection.forget(self)
