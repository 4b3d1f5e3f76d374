"""One shot's way out of the browser: who comes in, where it may lead, and how much may pass."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..errors import BoxError, OverShare, ServiceUnavailable, TargetNotAllowed, UrlUnreachable
from ..hosts import Address
from ..resources import NO_HANDLES
from .peer_credentials import Ends, Peers
from .policy import AllowedTarget, Policy, Resolve, Scope, Target, decide, parse
from .socks import SCHEME, Reply

Key = tuple[str, int]  # host and port

HIGH_WATER = 128 * 1024  # bytes held for a slow reader before its source is paused
CLOSE_SECONDS = 1.0  # until sockets that were cut are gone; they take a moment, and no shot waits for a stuck one
REMEMBERED = 64  # refusals and failures a session keeps, each; a hostile page makes any number
# What a page can have done again and again for next to nothing is counted in reads of a few bytes. Who goes over the
# session's bounds is left unread for a while: more comes with the next read, and no fewer bytes pass.
CONNECTION_COST = 5  # reads: let in, judged, dialled
LEAST_QUESTION = 100  # bytes; what keeps a connection is shorter than what asks for something
FULL_READ = 2048  # bytes; so many or more in one read are worth it
REST_SECONDS = (0.01, 1.0)  # at least, for the timer costs something too, and at most
HTTP_PORT, HTTPS_PORT = 80, 443

_PROBLEMS = {TimeoutError: "timeout", ConnectionRefusedError: "refused", ConnectionResetError: "reset"}


@dataclass(frozen=True)
class Bounds:
    """What one session allows; times in seconds."""

    handshake: float = 10.0  # until a connection has said where it is to lead
    idle: float = 60.0  # without a byte either way
    attempt: float = 4.0  # to connect to one address
    dial: float = 10.0  # to connect to any of them
    connections: int = 256
    names: int = 512  # different hosts
    lookups: int = 8  # at once: other shots want the resolver too
    reads: int = 1000  # of a few bytes, in a second and at once
    looking: float = 30.0  # for names, all together: six that are never answered, or a hundred that are slow
    sweep: float = 1.0  # between two looks for what has expired


class Endpoint(asyncio.Protocol):
    """One end of what passes through: it is read only while what it says has somewhere to go."""

    transport: asyncio.Transport
    until: float = math.inf  # when it is cut
    inside = False  # whether it is one from the browser
    congested = False
    _rest: asyncio.TimerHandle | None = None

    def __init__(self, session: "ProxySession") -> None:
        self._session = session

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)
        self._session.enter(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._session.leave(self)

    def pause_writing(self) -> None:
        self.congested = True
        self.steer_source()

    def resume_writing(self) -> None:
        self.congested = False
        self.steer_source()

    def steer_source(self) -> None:
        """Let whoever writes here wait or go on."""

    @property
    def must_wait(self) -> bool:
        """Whether who reads what it says has enough of it."""
        return False

    def expire(self) -> None:
        """Cut a connection on which nothing happened for too long."""
        self.transport.abort()

    def steer(self) -> None:
        """Stop to read, or go on."""
        if not self.transport.is_closing():
            waits = self.must_wait or self._rest is not None
            (self.transport.pause_reading if waits else self.transport.resume_reading)()

    def tire_by(self, data: bytes) -> None:
        """Have done the work of a read; rest if it was too much of late, or too many bytes."""
        if len(data) < FULL_READ or self._session.rate < math.inf:
            self._rest_for(self._session.spend(max(0.0, 1 - len(data) / FULL_READ), len(data)))

    def _rest_for(self, seconds: float) -> None:
        if seconds and self._rest is None:
            self._rest = self._session.call_later(seconds, self._rested)
            self.steer()

    def _rested(self) -> None:
        self._rest = None
        self.steer()


class ProxySession:
    """The way out for one shot: a port of its own, whose every connection is known, counted and cut with it."""

    def __init__(
        self,
        policy: Policy,
        largest: int | None,
        resolve: Resolve,
        bounds: Bounds,
        peers: Peers,
    ) -> None:
        self.port = 0
        self.received = self.sent = 0  # bytes from and to targets
        self.blocked = 0  # requests
        self.closed = False
        self.rate = math.inf  # bytes a second: what has passed keeps others waiting, and more of it comes later
        self.starved = False  # the box had no file handle for one of its connections
        self.exhausted = False  # *largest* bytes have passed, and no more do
        self.refusals: dict[Key, BoxError] = {}
        self.failures: dict[Key, str] = {}  # refused, unreachable, timeout, unresolved or reset
        self.bounds = bounds
        self._policy, self._largest, self._resolve, self._peers = policy, largest, resolve, peers
        self._loop = asyncio.get_running_loop()
        self._ends: set[Endpoint] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._targets: dict[Key, Target | None] = {}  # by what was asked for
        self._lookups: dict[str, asyncio.Future[list[Address] | BoxError]] = {}  # by host: each is asked once
        self._looked = 0.0  # seconds for which names were looked up, one after the other
        self._begun: dict[str, float] = {}  # when the lookups that are under way began, by host
        self._judgements: dict[Key, AllowedTarget | BoxError] = {}
        self._edition = 0  # of the addresses that they were made with
        self._scope = Scope()
        self._looking = asyncio.Semaphore(bounds.lookups)
        self._admitted = False
        self._refuses: Callable[[str], bool] | None = None
        self._own = ""  # the host of the page
        self.asking: dict[Endpoint, float] = {}  # connections whose last word was the page's: since when
        self._spent, self._spent_at = 0.0, self._loop.time()  # reads
        self._free_at = 0.0  # when bytes may pass again, where there is a rate for them
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    @property
    def url(self) -> str:
        """What the browser is told."""
        return f"{SCHEME}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """The number of connections from the browser."""
        return sum(end.inside for end in self._ends)

    def admit(self, allowed_target: AllowedTarget, refuses: Callable[[str], bool] | None) -> None:
        """Begin the shot of *vetted*. *refuses* says of ``https://host/`` whether that host is blocked.

        That of the page that is asked for never is.
        """
        target = allowed_target.target
        self._own, self._refuses, self._admitted = target.host, refuses, True
        self._scope = allowed_target.scope
        self._lookups[target.host] = self._loop.create_future()
        self._lookups[target.host].set_result(list(allowed_target.addresses))
        self._sweep()

    async def close(self) -> None:
        """Cut everything and free the port."""
        self._admitted, self.closed = False, True
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._gone()

    async def _gone(self) -> None:
        while self._ends:
            self._empty.clear()
            await self._empty.wait()
        if self._server is not None:
            await self._server.wait_closed()

    def reload(self, policy: Policy) -> None:
        """Go by *policy* from the next connection on."""
        self._policy = policy
        self._judgements.clear()

    async def listen(self, make: Callable[[], Endpoint]) -> None:
        """Take a port; *make* makes the ends of what comes in."""
        while True:
            listener = socket.socket(proto=socket.IPPROTO_TCP)
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
            # A session that leads to a session would be a loop.
            if all(place.port != self.port for place in self._policy.allow):
                break
            listener.close()
        self._server = await self._loop.create_server(make, sock=listener, backlog=self.bounds.connections)

    # What its connections ask it.

    def lets_in(self, peer: Ends) -> bool:
        """Say whether a connection from *peer*, that is already counted, may stay."""
        room = self._admitted and not self.exhausted and self.open_connections <= self.bounds.connections
        return room and peer[0].startswith("127.") and self._peers.is_ours(peer, ("127.0.0.1", self.port))

    def enter(self, end: Endpoint) -> None:
        """Know of a connection."""
        self._ends.add(end)
        if not self._admitted:
            end.transport.abort()

    def leave(self, end: Endpoint) -> None:
        """Forget a connection that is gone."""
        self._ends.discard(end)
        if not self._ends:
            self._empty.set()

    def soon(self) -> float:
        """Return when a connection must have said where it is to lead, or be gone."""
        return self._loop.time() + self.bounds.handshake

    def later(self) -> float:
        """Return when a connection must have carried a byte."""
        return self._loop.time() + self.bounds.idle

    def count(self, received: int = 0, sent: int = 0) -> bool:
        """Count bytes; say whether they may pass."""
        self.received += received
        self.sent += sent
        if self._largest is None or self.received + self.sent <= self._largest:
            return True
        self.exhausted = True
        self._cut()
        return False

    def note_sent(self, end: Endpoint, size: int) -> None:
        """Know that something was sent, which may ask for an answer."""
        if size >= LEAST_QUESTION:
            self.asking[end] = self._loop.time()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start what ends with the session at the latest."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def spend(self, reads: float, size: int = 0) -> float:
        """Count work, and bytes; return for how many seconds there should be no more of it."""
        now = self._loop.time()
        self._free_at = max(self._free_at, now) + size / self.rate
        self._spent = max(0.0, self._spent - (now - self._spent_at) * self.bounds.reads) + reads
        self._spent_at = now
        shortest, longest = REST_SECONDS
        owed = max(self._spent / self.bounds.reads - 1, self._free_at - now)
        return min(max(owed, shortest), longest) if owed > 0 else 0.0

    async def rest(self, reads: float) -> None:
        """Count work that is about to be done, and put it off if there was too much of late."""
        if seconds := self.spend(reads):
            await asyncio.sleep(seconds)

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Have *call* called after so many seconds."""
        return self._loop.call_later(seconds, call)

    def blocks(self, target: Target) -> bool:
        """Say whether the host of *target* is blocked, and count it."""
        if self._refuses is None or target.host == self._own or not self._refuses(_as_tunnel(target)):
            return False
        self.blocked += 1
        return True

    def locate(self, host: str, port: int) -> Target | None:
        """Return where that is; None, and a refusal, when it is no place."""
        key = (host, port)
        if key not in self._targets:
            try:
                target = parse(f"https://{_shown(host)}:{port}/")
            except BoxError as error:
                _remember(self.refusals, (host, 0), error.with_traceback(None))
                return None
            if len(self._targets) >= self.bounds.names:
                return target
            self._targets[key] = target
        return self._targets[key]

    async def reach(self, target: Target, make: Callable[[], Endpoint]) -> Reply | None:
        """Connect to *target* if that may be; else return the reply that says why not."""
        key = (target.host, target.port)
        if key in self.refusals:
            return self._refuse(key, self.refusals[key])
        if target.host not in self._lookups and len(self._lookups) >= self.bounds.names:
            return self._refuse(key, UrlUnreachable("The page asks for too many host names."))
        found = await asyncio.shield(self._lookup(target))  # others wait for the same
        allowed_target = found if isinstance(found, BoxError) else self._judge(target, found)
        if isinstance(allowed_target, BoxError):
            self.starved |= isinstance(allowed_target, ServiceUnavailable)
            return self._refuse(key, allowed_target)
        problem = await self._dial(target.port, allowed_target.addresses, make)
        if problem is None:
            self.failures.pop(key, None)
            return None
        self.fail(key, problem)
        return Reply.UNREACHABLE

    def _refuse(self, key: Key, error: BoxError) -> Reply:
        _remember(self.refusals, key, error.with_traceback(None))
        if not isinstance(error, UrlUnreachable):
            return Reply.FORBIDDEN
        self.fail(key, "unresolved")
        return Reply.UNREACHABLE

    def told_refusals(self) -> tuple[str, ...]:
        """Return why some targets were refused, for the operator's eyes only."""
        reasons = (error.reason for error in self.refusals.values() if isinstance(error, TargetNotAllowed))
        return tuple(dict.fromkeys(reasons))

    def fail(self, key: Key, problem: str) -> None:
        """Remember why a target did not answer."""
        _remember(self.failures, key, problem)

    # What it does for them.

    def _lookup(self, target: Target) -> asyncio.Future[list[Address] | BoxError]:
        """Return the one lookup of a host: all that is decided and dialled in this shot goes by its answer."""
        if target.host not in self._lookups:
            self._lookups[target.host] = self.spawn(self._look_up(target.host))
        return self._lookups[target.host]

    async def _look_up(self, host: str) -> list[Address] | BoxError:
        async with self._looking:
            self._begun[host] = now = self._loop.time()
            try:
                if self._looked + sum(now - begun for begun in self._begun.values()) > self.bounds.looking:
                    return _unanswered()
                return await self._resolve(host, self._scope.caller)
            except OverShare:
                return _unanswered()
            except BoxError as error:
                return error.with_traceback(None)
            finally:
                self._looked += self._loop.time() - self._begun.pop(host)

    def _judge(self, target: Target, found: list[Address]) -> AllowedTarget | BoxError:
        """Decide on a name and port: once, while the policy and the addresses of this machine are what they were."""
        key, edition = (target.host, target.port), self._policy.edition()
        if edition != self._edition:
            self._edition = edition
            self._judgements.clear()
        if key in self._judgements:
            return self._judgements[key]
        try:
            judgement: AllowedTarget | BoxError = decide(target, found, self._policy, self._scope)
        except BoxError as error:
            judgement = error.with_traceback(None)
        if len(self._judgements) < self.bounds.names:
            self._judgements[key] = judgement
        return judgement

    async def _dial(self, port: int, addresses: Sequence[Address], make: Callable[[], Endpoint]) -> str | None:
        """Connect to the first address that answers; else say what was wrong with the last."""
        problem = "unreachable"
        latest = self._loop.time() + self.bounds.dial
        for address in addresses:
            try:
                async with asyncio.timeout_at(min(self._loop.time() + self.bounds.attempt, latest)):
                    await self._connect(make(), str(address), port)
                return None
            except OSError as error:
                self.starved |= error.errno in NO_HANDLES
                problem = next((word for kind, word in _PROBLEMS.items() if isinstance(error, kind)), "unreachable")
        return problem

    async def _connect(self, outside: Endpoint, address: str, port: int) -> None:
        try:
            await self._loop.create_connection(lambda: outside, address, port)
        except BaseException:
            outside.connection_lost(None)  # cancelled just after it was made: uvloop closes it and tells nobody
            raise

    def _sweep(self) -> None:
        if self.closed:
            return
        now = self._loop.time()
        for end in list(self._ends):
            if end.until < now:
                end.expire()
        self._sweeper = self._loop.call_later(self.bounds.sweep, self._sweep)

    def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()


def _unanswered() -> UrlUnreachable:
    return UrlUnreachable("The page asks for more host names than are answered in time.")


def _remember(where: dict[Key, Any], key: Key, value: Any) -> None:
    if key in where or len(where) < REMEMBERED:
        where[key] = value


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _as_tunnel(target: Target) -> str:
    port = "" if target.port in {HTTP_PORT, HTTPS_PORT} else f":{target.port}"
    return f"https://{_shown(target.host)}{port}/"
