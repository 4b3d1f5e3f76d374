"""The one process: bind, give up root, open the app, serve it, and stop without losing a shot."""

import asyncio
import gc
import os
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop
from litestar import Litestar

from . import __version__, changes, keys, logs
from .admin import password as passwords
from .app import create_app, reload, services_of
from .config import Settings, spelled
from .errors import OperatorError
from .process import command_hint, hardening, locks, privileges
from .process.signals import Signals
from .process.systemd import Notifier
from .render.browsers import orphans
from .storage import reserve
from .web import tls
from .web.areas import Side, beside
from .web.listener import Listener, bind
from .web.tls import Certificate

LEAVE_SECONDS = 5.0  # for answers on their way and connections to close, once no shot runs any more
LEAST_BESIDE, MOST_BESIDE = 64, 256  # connections to ops_listen or admin_listen: a crowd must not keep operators out
# Until a thread that makes texts of a page lets the event loop go on: it is asked to each time that the loop wakes up,
# which for one answer is dozens of times. A tenth of Python's default.
SWITCH_SECONDS = 0.0005
MOST_DESCRIPTORS = 65_536  # as in the unit; some programs walk through all that they may have


def run(settings: Settings, reread: Callable[[], Settings], signals: Signals) -> None:
    """Serve until SIGTERM or SIGINT. Raises OperatorError when that cannot begin.

    *reread* returns what the settings have become, for SIGHUP; *signals* may have heard one already.
    """
    again = _at_home(reread, os.environ.get("HOME") or "/")
    bound = bind(settings.host, settings.port)  # while we are root, if we are
    places: dict[Side, tuple[str, int] | None] = {"ops": settings.ops_address, "admin": settings.admin_address}
    others = {side: bind(*place, setting=f"{side}_listen") for side, place in places.items() if place}
    shown = tls.read(settings.tls_cert, settings.tls_key)
    privileges.enter(settings)
    hardening.hide_memory()
    with locks.serving(settings.data_dir, settings.page_url or ""):
        hardening.close_directory(settings.data_dir)
        reserve.keep(settings.data_dir)
        logs.start(settings.log_level, settings.log_levels)
        _make_work_dir(settings.temporary_dir)
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            uvloop.run(_serve(settings, again, bound, others, shown, signals))
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


def _at_home(reread: Callable[[], Settings], home: str) -> Callable[[], Settings]:
    """Return *reread* with ~ where it was at the start: since then, HOME is the browser's."""

    def again() -> Settings:
        of_browser = os.environ["HOME"]
        os.environ["HOME"] = home
        try:
            return reread()
        finally:
            os.environ["HOME"] = of_browser

    return again


def _make_work_dir(path: Path) -> None:
    """Make the place for browser profiles, empty: whatever is in it was left by a server that is gone."""
    try:
        orphans.sweep(path)
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


async def _serve(  # noqa: PLR0913, PLR0917 - all that was made while we were root
    settings: Settings,
    reread: Callable[[], Settings],
    bound: socket.socket,
    others: dict[Side, socket.socket],
    shown: Certificate | None,
    signals: Signals,
) -> None:
    starting = asyncio.current_task()
    assert starting is not None  # noqa: S101 - this is one
    signals.obey(starting.cancel, signals.keep)
    if signals.stopping:
        return
    notifier = Notifier.of(os.environ)
    app = create_app(settings)
    most = _connections(settings.connections)
    bounds = {"arrive_within": settings.arrive_within}
    try:
        async with app.lifespan():
            listeners = [Listener(app, bound, shown, most=most, **bounds)]
            for side, other in others.items():
                few = min(MOST_BESIDE, max(LEAST_BESIDE, most // 4))
                listeners.append(Listener(beside(app, side), other, None, most=few, **bounds))
            service = _Service(app, settings, reread, listeners, notifier)
            await _announce(settings, app)
            # What there is by now stays: a look through all of it would stop everybody for a tenth of a second.
            gc.collect()
            gc.freeze()
            left = await service.run(signals)
    except asyncio.CancelledError:
        if not signals.stopping:
            raise
        left = True  # nobody has come yet
    logs.event("stopped")
    if not left:  # a client may hold half a request open for as long as it likes
        sys.stdout.flush()
        os._exit(0)


class _Service:
    """The life of a server between its start and its end: signals, looks at itself, settings read again."""

    def __init__(
        self,
        app: Litestar,
        settings: Settings,
        reread: Callable[[], Settings],
        listeners: list[Listener],
        notifier: Notifier,
    ) -> None:
        self._app = app
        self._settings = settings
        self._reread = reread
        self._listeners = listeners
        self._notifier = notifier
        self._stopping = asyncio.Event()
        self._reading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, signals: Signals) -> bool:
        """Serve until told to stop; say whether all clients had left when it was over."""
        signals.obey(self._begin_to_stop, lambda: self._in_background(self._read_again))
        for listener in self._listeners:
            listener.open()
        self._in_background(self._watch)
        self._notifier.ready()
        if signals.rereading:
            self._in_background(self._read_again)
        ends = [
            asyncio.create_task(event.wait()) for event in (self._stopping, *(one.ended for one in self._listeners))
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await self._stop()
        left = await asyncio.gather(*(listener.close(LEAVE_SECONDS) for listener in self._listeners))
        for task in (*ends, *self._tasks):
            task.cancel()
        return all(left)

    def _in_background(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin_to_stop(self) -> None:
        services_of(self._app).readiness.drain()  # first of all: whoever sends us work is to hear of it
        self._stopping.set()

    async def _stop(self) -> None:
        if not self._stopping.is_set():
            return
        drain = self._settings.drain
        logs.event("stopping", drain=spelled(drain))
        self._notifier.stopping(spelled(drain))
        if not await services_of(self._app).renderer.drain(drain):
            logs.event("drain_ended", reason="shots were still running")

    async def _watch(self) -> None:
        """Look at ourselves now and then, and tell systemd: that we live only if the browser has just drawn a page."""
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
                logs.fault("look_failed", error)
            await asyncio.sleep(self._notifier.interval)

    async def _look(self) -> None:
        health = await services_of(self._app).renderer.health()
        if health.ok and not health.reason:
            self._notifier.alive()
        reasons = await services_of(self._app).readiness.look()
        self._notifier.status(reasons)

    async def _read_again(self) -> None:
        """Take up changed settings and a renewed certificate, as far as a running server can."""
        async with self._reading:
            if self._stopping.is_set():
                return
            self._notifier.reloading()
            try:
                await self._take(self._reread())  # in no thread: no browser may start while HOME is another
            except OperatorError as error:
                logs.event("reload_failed", logs.WARNING, reason=str(error))
            finally:
                self._notifier.ready()

    async def _take(self, new: Settings) -> None:
        found = changes.between(self._settings, new)
        await reload(self._app, found.settings)
        self._settings = found.settings
        renewed = await self._renew(found.settings)
        logs.event("reloaded", changed=found.taken, restart=found.waiting or None, certificate=renewed)

    async def _renew(self, settings: Settings) -> str | None:
        try:
            shown = await asyncio.to_thread(tls.read, settings.tls_cert, settings.tls_key)
        except OperatorError as error:
            logs.event("certificate_kept", logs.WARNING, reason=str(error))
            return None
        return "changed" if self._listeners[0].show(shown) else None


async def _announce(settings: Settings, app: Litestar) -> None:
    live = await services_of(app).database.run(keys.live)
    browser = services_of(app).renderer.description
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [
        f"allscreenshots-box {__version__} on {'https' if settings.tls_cert else 'http'}://{host}:{settings.port}",
        f"  data     {settings.data_dir} (as user {privileges.name()})",
        f"  browser  {browser['browser']} {browser['version']}, {settings.slots} slots",
        f"  sandbox  {browser['sandbox']}",
        f"  keys     {len({key.id for key in live})} live",
    ]
    if settings.page_url:
        lines.append(f"  page     {settings.page_url}")
    if settings.dangerously_disable_sandbox:
        lines.append("  WARNING  pages run WITHOUT a sandbox: an exploit in one owns this user's files and network")
    if not live:
        create = command_hint.typed(settings.data_dir, "keys create NAME")
        lines.append(f"  No key yet: `{create}` makes one, while this runs.")
    if settings.page_url and await services_of(app).database.run(passwords.password_hash) is None:
        link = command_hint.typed(settings.data_dir, "admin link")
        lines.append(f"  No password for the page yet: `{link}` makes a link that sets it.")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
