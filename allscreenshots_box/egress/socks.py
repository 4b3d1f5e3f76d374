"""What a browser says to its session, and is answered: SOCKS5 without credentials (RFC 1928), and only to connect."""

import ipaddress
import re
from dataclasses import dataclass
from enum import IntEnum

SCHEME = "socks5"  # as the browser is told

_VERSION, _NO_CREDENTIALS, _CONNECT = 5, 0, 1
_GREETING, _REQUEST = bytes([_VERSION]), bytes([_VERSION, _CONNECT, 0])  # how they begin
_FOUR, _NAME, _SIX = 1, 3, 4  # kinds of addresses
_PORT = slice(-2, None)
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_NOWHERE = bytes([0, _FOUR, 0, 0, 0, 0, 0, 0])  # where we connect from is nobody's business


class Malformed(Exception):
    """What no browser says."""


class Reply(IntEnum):
    """How a request is answered."""

    GRANTED = 0
    FORBIDDEN = 2
    UNREACHABLE = 4


@dataclass(frozen=True)
class Asked:
    """Where a connection is to lead. A name is not resolved yet."""

    host: str
    port: int


class Handshake:
    """The first words on a connection: a greeting, then a request, some 500 bytes at the most."""

    def __init__(self) -> None:
        self._buffer = b""
        self._greeted = False

    def take(self, data: bytes) -> tuple[bytes, Asked | None]:
        """Return what to say to *data*, and what is asked for once that is whole. Raises Malformed."""
        self._buffer += data
        if self._greeted:
            return b"", self._read_request()
        return self._greet(), None

    def _greet(self) -> bytes:
        if not self._is_whole(_GREETING, _greeting_length(self._buffer)):
            return b""
        if _NO_CREDENTIALS not in self._buffer[2:]:
            raise Malformed
        self._greeted, self._buffer = True, b""
        return bytes([_VERSION, _NO_CREDENTIALS])

    def _read_request(self) -> Asked | None:
        request = self._buffer
        if not self._is_whole(_REQUEST, _request_length(request)):
            return None
        named = request[3] == _NAME
        host = request[5:-2].decode("latin-1") if named else str(ipaddress.ip_address(request[4:-2]))
        if not _HOST.fullmatch(host):
            raise Malformed
        return Asked(host, int.from_bytes(request[_PORT]))

    def _is_whole(self, start: bytes, length: int) -> bool:
        # Browsers wait for the answer before they go on.
        if not self._buffer.startswith(start[: len(self._buffer)]) or len(self._buffer) > length:
            raise Malformed
        return len(self._buffer) == length

    @staticmethod
    def answer(reply: Reply) -> bytes:
        """Return the answer to a request."""
        return bytes([_VERSION, reply]) + _NOWHERE


def _greeting_length(so_far: bytes) -> int:
    return 2 + so_far[1] if len(so_far) > 1 else 3


def _request_length(so_far: bytes) -> int:
    if len(so_far) < 5:  # noqa: PLR2004 - up to where a name tells how long it is
        return 7
    try:
        return {_FOUR: 10, _SIX: 22, _NAME: 7 + so_far[4]}[so_far[3]]
    except KeyError:
        raise Malformed from None
