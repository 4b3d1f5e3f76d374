"""What passes between the browser and a target: two connections, and every byte as it is."""

import asyncio
import socket
import struct

from . import policy
from .session import CONNECTION_COST, HTTPS_PORT, Endpoint, ProxySession
from .socks import Asked, Handshake, Malformed, Reply

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close is then a reset
# Bytes on their way to the browser, which it has yet to take: what it is slow to read keeps other pages waiting, also
# once its session is slowed down. Not less: of fewer than four segments the last ones wait for a late acknowledgement.
_UNDER_WAY = 128 * 1024
_TLS = b"\x16"  # its first byte; whoever says it believes nothing that we could say
_BLOCKED = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"  # an advertisement's frame stays blank


class BrowserSide(Endpoint):
    """A connection from the browser, which says where it is to lead. It owns the one to the target."""

    inside = True

    def __init__(self, session: ProxySession) -> None:
        super().__init__(session)
        self._handshake = Handshake()
        self._outside: TargetSide | None = None
        self._task: asyncio.Task[None] | None = None
        self._blocked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.until = self._session.soon()
        super().connection_made(transport)
        peer = transport.get_extra_info("peername") or ("", 0)  # none once it is gone again
        if self._session.lets_in(peer):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNDER_WAY)
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.tire_by(data)
        if self._outside is not None:
            self._outside.send(data)
            self.until = self._session.later()
            return
        try:
            self._listen(data)
        except Malformed:
            self.transport.abort()

    def _listen(self, data: bytes) -> None:
        if self._blocked:
            self._shut_out(data)
            return
        said, asked = self._handshake.take(data)
        if said:
            self.transport.write(said)
        if asked is not None:
            self.until = self._session.later()
            self._task = self._session.spawn(self._lead(asked))

    async def _lead(self, asked: Asked) -> None:
        """Lead to what is asked for, if that may be."""
        await self._session.rest(CONNECTION_COST)
        target = self._session.locate(asked.host, asked.port)
        blocked = target is not None and self._session.blocks(target)
        if target is None or (blocked and target.port == HTTPS_PORT):
            self._turn_away(Reply.FORBIDDEN)
        elif blocked:
            self._blocked = True
            self._answer(Reply.GRANTED)
        else:
            reply = await self._session.reach(target, lambda: TargetSide(self._session, self, target))
            if reply is not None:
                self._turn_away(reply)

    def _shut_out(self, data: bytes) -> None:
        """Answer in the place of what is blocked."""
        if not data.startswith(_TLS):
            self.transport.write(_BLOCKED)
        self.transport.close()

    def _turn_away(self, reply: Reply) -> None:
        self._answer(reply)
        self.transport.close()

    def _answer(self, reply: Reply) -> None:
        self.transport.write(self._handshake.answer(reply))

    def reached(self, outside: "TargetSide") -> None:
        """Go on, now that there is a connection to the target."""
        if self.transport.is_closing():
            outside.transport.abort()
            return
        self._outside = outside
        self._answer(Reply.GRANTED)
        outside.steer()

    @property
    def must_wait(self) -> bool:
        return self._outside is not None and self._outside.congested

    def steer_source(self) -> None:
        if self._outside is not None:
            self._outside.steer()

    def expire(self) -> None:
        if self._outside is not None and self._outside.silent:
            self._session.fail(self._outside.key, "timeout")
        super().expire()

    def outside_lost(self, outside: "TargetSide", *, reset: bool) -> None:
        """End as the target did. What it still had to say is flushed."""
        if self._outside is not outside:
            return
        self._outside = None
        if outside.silent:
            self._session.fail(outside.key, "reset")
        if reset and not (self.transport.is_closing() or self.transport.get_write_buffer_size()):
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self._task is not None:
            self._task.cancel()
        outside, self._outside = self._outside, None
        if outside is not None:
            outside.until = self._session.soon()
            outside.transport.close()


class TargetSide(Endpoint):
    """A connection to a target."""

    def __init__(self, session: ProxySession, inside: BrowserSide, target: policy.Target) -> None:
        super().__init__(session)
        self.key = (target.host, target.port)
        self.silent = False  # it was told something, and has not said a word
        self._heard = False
        self._inside = inside

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.transport.is_closing():
            self._inside.reached(self)

    def send(self, data: bytes) -> None:
        """Write to the target, unless the session is used up."""
        self.silent = not self._heard
        self._session.note_sent(self, len(data))
        if self._session.count(sent=len(data)):
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._heard, self.silent = True, False
        self._session.asking.pop(self, None)
        self.tire_by(data)
        if self._session.count(received=len(data)):
            self._inside.transport.write(data)
            self._inside.until = self._session.later()

    @property
    def must_wait(self) -> bool:
        return self._inside.congested

    def steer_source(self) -> None:
        self._inside.steer()

    def eof_received(self) -> None:
        self._inside.outside_lost(self, reset=False)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._session.asking.pop(self, None)
        self._inside.outside_lost(self, reset=error is not None)
