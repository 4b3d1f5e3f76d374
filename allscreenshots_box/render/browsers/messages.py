"""Messages of the DevTools protocol as they stream in: none is kept beyond its bound, and none ends the reading.

Chromium writes ASCII: "id" or "method" stands first, "sessionId" last, and a lone half of a character is an escape.
"""

import binascii
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

END = b"\0"  # of each message
WEIGHED = 1 << 16  # bytes; what is longer is asked for its bound, and taken as it comes
ORDINARY = 1 << 20  # bytes of a message, if nothing else is said
HEAD = 512  # bytes in which the number or the name of a message stands, and what a handler may need of it
TAIL = 128  # bytes in which its session stands, and what ends the data

_EVENT = b'{"method":'
_NUMBER = re.compile(rb'\{"id":(\d{1,18})[,}]')
_METHOD = re.compile(rb'\{"method":"([A-Za-z.]{1,100})"')
_SESSION = re.compile(rb'"sessionId":"([0-9A-Za-z]{1,100})"\}\Z')
_DATA = re.compile(rb'\{"id":\d{1,18},"result":\{"data":"')


class Bound(NamedTuple):
    """How many bytes a message may have, none if nobody wants it; *data* if it is base64, to be decoded as it comes."""

    largest: int = ORDINARY
    data: bool = False


class Refusal(msgspec.Struct):
    """Why the browser did not do what it was told."""

    message: str = ""


class Message(msgspec.Struct):
    """An answer, which has an id, or an event, which has a method."""

    id: int | None = None
    method: str = ""
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    result: dict[str, Any] | None = None
    error: Refusal | None = None
    session: str = msgspec.field(name="sessionId", default="")
    size: int = 0  # bytes that it came in


@dataclass(frozen=True)
class Dropped:
    """What is known of a message that is gone: it was *large*, or made no sense."""

    head: bytes
    tail: bytes
    size: int
    large: bool = True

    @property
    def number(self) -> int | None:
        """What it was to answer."""
        return number_of(self.head)

    @property
    def method(self) -> str:
        """What it was to tell."""
        return method_of(self.head).decode()

    @property
    def session(self) -> str:
        """Whom it was to tell; the browser's own session has no name."""
        found = _SESSION.search(self.tail)
        return found[1].decode() if found else ""


def number_of(head: bytes) -> int | None:
    """Return the number of an answer."""
    found = _NUMBER.match(head)
    return int(found[1]) if found else None


def method_of(head: bytes) -> bytes:
    """Return the name of an event."""
    found = _METHOD.match(head)
    return found[1] if found else b""


# --- reading ------------------------------------------------------------------------------------


def read(raw: bytes | bytearray) -> Message | Dropped:
    """Return the message, with lone surrogates as U+FFFD; what is none is dropped."""
    try:
        message: Message = decoded(raw, Message)
    except (ValueError, RecursionError, MemoryError):
        return Dropped(bytes(raw[:HEAD]), bytes(raw[-TAIL:]), len(raw), large=False)
    message.size = len(raw)
    return message


def decoded(raw: bytes | bytearray | str, shape: Any) -> Any:
    """Return what JSON says, if it has *shape*, with U+FFFD for half a character. Raises ValueError, RecursionError."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeEncodeError):  # the browser passes on what a page has
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        return msgspec.convert(whole(json.loads(text)), shape)


def whole(found: Any) -> Any:
    """Return a value of JSON with texts that UTF-8 can say."""
    mend = _MENDERS.get(type(found))
    return mend(found) if mend else found


def valid(text: str) -> str:
    """Return *text* as something that UTF-8 can say: a lone surrogate becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


_MENDERS: dict[type, Callable[[Any], Any]] = {
    str: valid,
    list: lambda found: [whole(each) for each in found],
    tuple: lambda found: [whole(each) for each in found],
    dict: lambda found: {whole(key): whole(each) for key, each in found.items()},
}


# --- streaming ----------------------------------------------------------------------------------


class _Text:
    """A message that is kept whole up to its bound; beyond, only its ends are."""

    def __init__(self, head: bytes, largest: int) -> None:
        self._head = head
        self._largest = largest
        self._kept = bytearray()
        self._size = 0

    def add(self, piece: bytearray) -> None:
        self._size += len(piece)
        self._kept += piece
        if self._size > self._largest:
            del self._kept[:-TAIL]

    def finish(self) -> Message | Dropped:
        if self._size > self._largest:
            return Dropped(self._head, bytes(self._kept), self._size)
        return read(self._kept)


class _Data:
    """An answer whose one field is base64: what is kept of it is what that says."""

    def __init__(self, head: bytes, begin: int, largest: int) -> None:
        self._head = head
        self._begin = begin  # of the data, in the head
        self._largest = largest
        self._rest = bytearray()  # not decoded yet, its end always among it
        self._data = io.BytesIO()  # gives its content away without a copy
        self._size = 0
        self._broken = False

    def add(self, piece: bytearray) -> None:
        self._rest += piece if self._size else piece[self._begin :]
        self._size += len(piece)
        if self._size > self._largest or self._broken:
            self._data = io.BytesIO()
            del self._rest[:-TAIL]
            return
        length = (len(self._rest) - TAIL) // 4 * 4
        if length > 0:
            self._decode(self._rest[:length])
            del self._rest[:length]

    def finish(self) -> Message | Dropped:
        letters, _, ending = self._rest.partition(b'"')
        self._decode(letters)
        if self._size > self._largest or self._broken or not ending.startswith(b"}"):
            return Dropped(self._head, bytes(self._rest[-TAIL:]), self._size, large=self._size > self._largest)
        return Message(id=number_of(self._head), result={"data": self._data.getvalue()}, size=self._size)

    def _decode(self, letters: bytearray) -> None:
        try:
            self._data.write(binascii.a2b_base64(letters, strict_mode=True))
        except (ValueError, MemoryError):
            self._broken = True


class Stream:
    """Cuts what comes into messages. *bound* tells by the head of a long one how it is to be taken."""

    def __init__(self, bound: Callable[[bytes], Bound]) -> None:
        self._bound = bound
        self._in = bytearray()
        self._searched = 0
        self._long: _Text | _Data | None = None

    def add(self, chunk: bytes) -> None:
        """Take what has come."""
        self._in += chunk

    def next(self) -> Message | Dropped | None:
        """Return the next message that is there to its end."""
        end = self._in.find(END, self._searched)
        if end < 0:
            if self._long is not None or len(self._in) > WEIGHED:
                self._move(len(self._in))
            self._searched = len(self._in)
            return None
        self._searched = 0
        if self._long is None and end <= WEIGHED:
            raw = bytes(memoryview(self._in)[:end])
            del self._in[: end + 1]
            return self._short(raw)
        long = self._move(end)
        del self._in[:1]
        self._long = None
        return long.finish()

    def _short(self, raw: bytes) -> Message | Dropped:
        if raw.startswith(_EVENT) and not self._bound(raw).largest:  # nobody listens
            return Dropped(raw[:HEAD], raw[-TAIL:], len(raw))
        return read(raw)

    def _move(self, length: int) -> _Text | _Data:
        """Have the long message that is coming take what is there of it."""
        if self._long is None:
            self._long = self._begin(bytes(self._in[:HEAD]))
        self._long.add(self._in[:length])
        del self._in[:length]
        return self._long

    def _begin(self, head: bytes) -> _Text | _Data:
        largest, data = self._bound(head)
        if data and (found := _DATA.match(head)):
            return _Data(head, found.end(), largest)
        return _Text(head, ORDINARY if data else largest)
