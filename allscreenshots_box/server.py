"""The one process: bind, give up root, open the app, serve it, and stop without losing a shot."""

import asyncio
import contextlib
import fcntl
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server
from litestar import Litestar
from litestar.types import ASGIApp

from . import __version__, certificate, identity, keys, logs, privacy
from .app import create_app, ops_side
from .certificate import Certificate
from .config import Settings, spelled
from .connections import Clocks
from .errors import OperatorError
from .render import leftovers

LEAVE_SECONDS = 5.0  # for answers on their way and connections to close, once no shot runs any more
BACKLOG = 1024  # connections the kernel holds while we are busy
LARGEST_HEAD = 64 * 1024  # bytes of request line and headers
MOST_STREAMS = 100  # requests at the same time on one HTTP/2 connection
STALLED_MILLISECONDS = 30_000  # how long a client may take none of what we send
MOST_OPS_CONNECTIONS = 64  # to ops_listen: a few scrapers and load balancers
MOST_DESCRIPTORS = 65_536  # as in the unit; some programs walk through all that they may have


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises OperatorError when that cannot begin."""
    listener = _bind(settings.host, settings.port)  # while we are root, if we are
    ops = settings.ops_address and _bind(*settings.ops_address, setting="ops_listen")
    shown = certificate.read(settings.tls_cert, settings.tls_key)
    identity.enter(settings)
    privacy.hide_memory()
    with _alone(settings.data_dir):
        privacy.close_directory(settings.data_dir)
        logs.start()
        _make_work_dir(settings.temporary_dir)
        try:
            uvloop.run(_serve(settings, listener, ops or None, shown))
        except BaseExceptionGroup as group:  # the app opens its parts in a task group
            raise _told(group) or group from None


def _told(group: BaseExceptionGroup[BaseException]) -> OperatorError | None:
    """Return the sentence for the operator that *group* holds, if it holds one."""
    for error in group.exceptions:
        if isinstance(error, OperatorError):
            return error
        if isinstance(error, BaseExceptionGroup) and (told := _told(error)):
            return told
    return None


def _bind(host: str, port: int, setting: str | None = None) -> socket.socket:
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


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold the data directory: two servers would count limits apart and sweep each other's files."""
    try:
        lock = (data_dir / "serve.lock").open("a")
    except OSError as error:
        raise OperatorError(
            f"The data directory {data_dir} cannot be written ({error.strerror}): "
            "check its rights, and that its disk is neither full nor read-only."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                f"Another server already runs on {data_dir}: stop it first, or give this one another --data-dir."
            ) from None
        yield


def _make_work_dir(path: Path) -> None:
    """Make the place for browser profiles, empty: whatever is in it was left by a server that is gone."""
    try:
        leftovers.sweep(path)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"The work directory {path} cannot be made ({error.strerror}): check the rights and the space there."
        ) from error
    os.environ |= {"TMPDIR": str(path), "HOME": str(path)}  # the driver and the browser write nowhere else


def _connections(wanted: int) -> int:
    """Return how many connections there may be: half of all descriptors at most, the rest is for pages."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return min(wanted, most // 2)


async def _serve(
    settings: Settings, listener: socket.socket, ops: socket.socket | None, shown: Certificate | None
) -> None:
    app = create_app(settings)
    most = _connections(settings.connections)
    async with app.lifespan():
        doors = [_Door(app, listener, settings.port, shown, settings.arrive_within, most)]
        if ops is not None:
            port = ops.getsockname()[1]
            doors.append(_Door(ops_side(app), ops, port, None, settings.arrive_within, MOST_OPS_CONNECTIONS))
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, _stop_or_leave, stopping)
        await _announce(settings, app)
        serving = [asyncio.create_task(door.server.serve()) for door in doors]
        sweeping = [asyncio.create_task(door.clocks.run()) for door in doors]
        await asyncio.wait([*serving, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set():
            logs.event("stopping", drain=spelled(settings.drain))
            if not await app.state.renderer.drain(settings.drain):
                logs.event("drain_ended", reason="shots were still running")
        for door in doors:
            door.server.stop()  # type: ignore[no-untyped-call]
        # Not for ever: a client may hold half a request open for as long as it likes.
        _, held = await asyncio.wait(serving, timeout=LEAVE_SECONDS)
        for task in sweeping:
            task.cancel()
    logs.event("stopped")
    if held:
        sys.stdout.flush()
        os._exit(0)


def _stop_or_leave(stopping: asyncio.Event) -> None:
    """Stop in order; asked a second time, leave at once."""
    if stopping.is_set():
        os._exit(1)
    stopping.set()


async def _announce(settings: Settings, app: Litestar) -> None:
    live = await app.state.database.run(keys.live)
    browser = app.state.renderer.description
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [
        f"allscreenshots-box {__version__} on {'https' if settings.tls_cert else 'http'}://{host}:{settings.port}",
        f"  data     {settings.data_dir} (as user {identity.name()})",
        f"  browser  {browser['browser']} {browser['version']}, {settings.slots} slots",
        f"  sandbox  {browser['sandbox']}",
        f"  keys     {len(live)} live",
    ]
    if settings.dangerously_disable_sandbox:
        lines.append("  WARNING  pages run WITHOUT a sandbox: an exploit in one owns this user's files and network")
    if not live:
        lines.append("  No key yet: `allscreenshots-box keys create NAME` makes one, while this runs.")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


class _Door:
    """One address that is listened on, with the clocks of its clients."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is the listener's own
        self,
        app: ASGIApp,
        listener: socket.socket,
        port: int,
        shown: Certificate | None,
        arrive_within: float,
        most: int,
    ) -> None:
        self.clocks = Clocks(app, port, arrive_within, most)
        self.server = _Embedded(self.clocks, listener, shown, arrive_within=arrive_within, most=most)


class _Embedded(Server):
    """Granian inside our own event loop, on a socket that is already bound.

    Granian calls its embedded server experimental: this class is all that knows of it.
    """

    def __init__(
        self, app: Clocks, listener: socket.socket, shown: Certificate | None, *, arrive_within: float, most: int
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
