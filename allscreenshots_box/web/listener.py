"""One address that is listened on: Granian inside our own event loop, with a certificate that can be changed."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server
from litestar.types import ASGIApp

from ..errors import OperatorError
from .timeouts import Timeouts
from .tls import Certificate

BACKLOG = 1024  # connections the kernel holds while we are busy
LARGEST_HEAD = 64 * 1024  # bytes of request line and headers
MOST_STREAMS = 100  # requests at the same time on one HTTP/2 connection
STALLED_MILLISECONDS = 30_000  # how long a client may take none of what we send


def bind(host: str, port: int, setting: str | None = None) -> socket.socket:
    """Return a socket that listens there, named by *setting*. Raises OperatorError."""
    other = f"choose another with {setting}" if setting else "choose another with --host or --port"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except PermissionError as error:
        raise OperatorError(
            f"Port {port} needs root: choose one from 1024 on with --port and put a reverse proxy before it, "
            "or start the server by hand as root (it gives root up at once)."
        ) from error
    except OSError as error:
        # create_server adds a sentence of its own to strerror; a resolver's numbers are not the system's.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise OperatorError(
            f"Cannot listen on {host} port {port} ({reason}): {other}; `ss -ltnp` shows who listens where."
        ) from error
    # Connections inherit it: the kernel ends those whose client takes nothing any more, and the picture goes with it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MILLISECONDS)
    return listener


class Listener:
    """Serves *app* on a bound socket, and bounds what its clients may take."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, shown: Certificate | None, *, arrive_within: float, most: int
    ) -> None:
        self._bound = bound
        self._clocks = Timeouts(app, bound.getsockname()[1], arrive_within, most)
        self._arrive_within = arrive_within
        self._most = most
        self._serving: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._server: _Embedded
        self._shown = shown
        self.ended = asyncio.Event()  # by itself, which it never should

    def open(self) -> None:
        """Begin to serve."""
        self._sweeping = asyncio.create_task(self._clocks.run())
        self._start()

    def show(self, certificate: Certificate | None) -> bool:
        """Show *certificate* from the next connection on; say whether it is another. What runs is finished.

        Granian reads a certificate once. So a second server takes over the socket, in which connections wait
        meanwhile, and the first one ends with its last answer.
        """
        if certificate == self._shown:
            return False
        before, self._shown = self._server, certificate
        self._start()
        before.stop()  # type: ignore[no-untyped-call]
        return True

    async def close(self, seconds: float) -> bool:
        """Take nothing more; say whether all that ran was over within *seconds*."""
        self._server.stop()  # type: ignore[no-untyped-call]
        self._bound.close()
        _, held = await asyncio.wait(self._serving, timeout=seconds) if self._serving else ((), ())
        if self._sweeping is not None:
            self._sweeping.cancel()
        return not held

    def _start(self) -> None:
        self._server = server = _Embedded(
            self._clocks, self._bound.dup(), self._shown, arrive_within=self._arrive_within, most=self._most
        )
        task = asyncio.create_task(server.serve())
        self._serving.add(task)
        task.add_done_callback(lambda _: self._end(task, server))

    def _end(self, task: asyncio.Task[None], server: "_Embedded") -> None:
        self._serving.discard(task)
        if server is self._server:
            self.ended.set()


class _Embedded(Server):
    """Granian inside our own event loop, on a socket that is already bound.

    Granian calls its embedded server experimental: this class is all that knows of it.
    """

    def __init__(
        self, app: Timeouts, listener: socket.socket, shown: Certificate | None, *, arrive_within: float, most: int
    ) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            websockets=False,
            log_enabled=False,
            backlog=BACKLOG,
            backpressure=most,
            http1_settings=HTTP1Settings(header_read_timeout=round(arrive_within * 1000), max_buffer_size=LARGEST_HEAD),
            http2_settings=HTTP2Settings(max_concurrent_streams=MOST_STREAMS, max_headers_size=LARGEST_HEAD),
        )
        # As Granian's own code calls it; its stubs do not say so.
        self._listener: Any = SocketHolder(listener.detach(), False, BACKLOG)  # type: ignore[call-arg]
        self._shown = shown
        self.ssl_ctx: tuple[Any, ...]

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._shd = self._listener

    async def serve(self, spawn_target: Callable[..., None] | None = None) -> None:  # type: ignore[override]
        with self._shown.files() if self._shown else contextlib.nullcontext() as files:
            if files:  # not by Granian's own arguments: it looks for what a path leads to, and this leads nowhere
                self.ssl_ctx = (True, *files, None, str(SSLProtocols.tls12), None, [], False)
            await super().serve(spawn_target)
