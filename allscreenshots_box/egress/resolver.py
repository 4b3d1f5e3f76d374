"""Host names to addresses as this machine has them, in threads that no caller's dead names take from the others."""

import asyncio
import ctypes
import errno
import ipaddress
import socket
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from .. import logs
from ..errors import BoxError, Overloaded, OverShare, ServiceUnavailable, UrlUnreachable
from ..hosts import Address
from ..resources import NO_HANDLES

RESOLVE_SECONDS = 5.0  # a name server that takes longer is a target that cannot be reached
WAIT_SECONDS = 5.0  # for a thread; those that wait for a name that has an address are free in milliseconds
# One that asks a silent name server is not to be ended: it is gone after 10 to 30 s, by what resolv.conf says.
THREADS = 256
SHARE = 8  # nobody takes more threads than an eighth of those left: 29 alone, 3 if a hundred callers do it
IDLE = 16  # threads that are kept for the next names
# So long no second thread is spent on a name that failed: as long as the first one had. Whoever has just put a name
# into DNS or /etc/hosts waits no longer.
FAILED_SECONDS = 5.0
REMEMBERED = 4096  # names that failed
MOST_ADDRESSES = 128  # of a name, each of which is judged; a name server's answer by UDP has 75 at most
BUSY_RETRY_SECONDS = 10  # by then threads are free again
TELL_SECONDS = 60.0  # between two lines in the log about names that were not answered


class Failure(NamedTuple):
    """Why there are no addresses; *ours* if it is no word on the name."""

    why: str
    ours: bool = False


Answer = list[Address] | Failure
Ask = Callable[[str], Answer]

UNKNOWN = Failure("The host name of the URL could not be resolved: no such name is known.")
FAILED = Failure("The host name of the URL could not be resolved: its name server failed, or did not answer.")
SILENT = Failure(
    f"The host name of the URL could not be resolved: its name server did not answer within {RESOLVE_SECONDS:g} s."
)
TOO_MANY = Failure(f"The host name of the URL has more than {MOST_ADDRESSES} addresses, more than the box judges.")
NO_MEANS = Failure("The box has too few file handles left to look up a host name; try again.", ours=True)

_NO_MEANS = {*NO_HANDLES, errno.ENOMEM, socket.EAI_MEMORY}


class _Row(ctypes.Structure):
    """The addrinfo of getaddrinfo(3), as Linux has it."""


_Rows = ctypes.POINTER(_Row)
_NUMBER = ctypes.c_int
_Row._fields_ = [
    *((name, _NUMBER) for name in ("flags", "family", "kind", "protocol")),
    ("length", ctypes.c_uint32),
    ("address", ctypes.c_void_p),
    ("name", ctypes.c_void_p),
    ("next", _Rows),
]
_PLACES = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}  # where an address lies, and its length in bytes
_libc = ctypes.CDLL(None, use_errno=True)


def ask(host: str) -> Answer:
    """Return what the system says of *host*, by all that it is set up to ask and however long that takes."""
    code, found = _system(host)
    if code:
        return NO_MEANS if code in _NO_MEANS else FAILED if code == socket.EAI_AGAIN else UNKNOWN
    return TOO_MANY if len(found) > MOST_ADDRESSES else found


def _system(host: str) -> tuple[int, list[Address]]:
    """Return the system's error, and the addresses of *host*, at most one more than may be.

    Python's own getaddrinfo makes objects of all that there are, and the event loop stands still for that.
    """
    rows = _Rows()
    code = _libc.getaddrinfo(host.encode(), None, ctypes.byref(_Row(kind=socket.SOCK_STREAM)), ctypes.byref(rows))
    if code:
        return (ctypes.get_errno() if code == socket.EAI_SYSTEM else code), []
    found, row = dict[Address, None](), rows
    while row and len(found) <= MOST_ADDRESSES:
        if place := _PLACES.get(row.contents.family):
            found[ipaddress.ip_address(ctypes.string_at(row.contents.address + place[0], place[1]))] = None
        row = row.contents.next
    _libc.freeaddrinfo(rows)
    return 0, list(found)


@dataclass(frozen=True, eq=False)
class _Lookup:
    """One name in one thread."""

    host: str
    caller: int  # who has started it, and so holds the thread
    answer: asyncio.Future[Answer]
    timer: asyncio.TimerHandle


class Resolver:
    """Looks names up. A name is asked for once at a time, whoever wants it."""

    def __init__(self, ask: Ask = ask, threads: int = THREADS) -> None:
        self._ask, self._threads = ask, threads
        self._loop = asyncio.get_running_loop()
        self._given = SimpleQueue[_Lookup | None]()  # to the threads
        self._idle, self._keeps = 0, IDLE
        self._held = Counter[int]()  # threads, by caller
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}  # for one, by caller
        self._answers: dict[str, asyncio.Future[Answer]] = {}  # those that are awaited, and failures of late
        self._silent, self._told = 0, float("-inf")  # names since the last line in the log, and when that was

    async def resolve(self, host: str, caller: int) -> list[Address]:
        """Return every address of *host*, without blocking and within a deadline, at the cost of *caller*.

        Raises UrlUnreachable when it has none; OverShare when the threads that the caller may have are all held by
        names that are not answered, Overloaded when all threads are, ServiceUnavailable when the box lacks means.
        """
        with suppress(ValueError):
            return [ipaddress.ip_address(host)]
        if host not in self._answers:
            await self._take(caller)
            if host in self._answers:  # who waited for the same was first
                self._give_back(caller)
            else:
                self._begin(host, caller)
        found = await asyncio.shield(self._answers[host])
        if isinstance(found, Failure):
            raise _error(found)
        return found

    def close(self) -> None:
        """Keep no threads; those whose names are not answered end by themselves, and hold up nobody until then."""
        self._keeps = 0
        for _ in range(self._idle):
            self._given.put(None)
        self._idle = 0

    # --- one name -----------------------------------------------------------------------------

    def _begin(self, host: str, caller: int) -> None:
        answer: asyncio.Future[Answer] = self._loop.create_future()
        timer = self._loop.call_later(RESOLVE_SECONDS, self._give_up, host, answer)
        try:
            self._hand(_Lookup(host, caller, answer, timer))
        except RuntimeError:  # the system gives us no more threads
            timer.cancel()
            self._give_back(caller)
            raise _busy() from None
        self._answers[host] = answer

    def _give_up(self, host: str, answer: asyncio.Future[Answer]) -> None:
        self._silent += 1
        if self._loop.time() - self._told > TELL_SECONDS:
            logs.event("names_unanswered", names=self._silent, threads=self._held.total())
            self._silent, self._told = 0, self._loop.time()
        self._settle(host, answer, SILENT)

    def _settle(self, host: str, answer: asyncio.Future[Answer], found: Answer) -> None:
        """Tell all who wait for it. A failure is told to those who come soon after, too; addresses are to nobody."""
        answer.set_result(found)
        if isinstance(found, Failure) and not found.ours:
            self._loop.call_later(FAILED_SECONDS, self._forget, host, answer)
            if len(self._answers) > REMEMBERED:
                del self._answers[next(iter(self._answers))]
        else:
            self._forget(host, answer)

    def _forget(self, host: str, answer: asyncio.Future[Answer]) -> None:
        if self._answers.get(host) is answer:
            del self._answers[host]

    # --- threads ------------------------------------------------------------------------------

    def _hand(self, lookup: _Lookup) -> None:
        if self._idle:
            self._idle -= 1
        else:
            Thread(target=self._work, name="names", daemon=True).start()
        self._given.put(lookup)

    def _work(self) -> None:
        while (lookup := self._given.get()) is not None:
            try:
                found = self._ask(lookup.host)
            except Exception:  # noqa: BLE001 - whatever it is, the thread must be given back
                found = UNKNOWN
            try:
                self._loop.call_soon_threadsafe(self._land, lookup, found)
            except RuntimeError:  # the loop is closed; nobody wants to know any more
                return

    def _land(self, lookup: _Lookup, found: Answer) -> None:
        if self._idle < self._keeps:
            self._idle += 1
        else:
            self._given.put(None)
        self._give_back(lookup.caller)
        lookup.timer.cancel()
        if not lookup.answer.done():
            self._settle(lookup.host, lookup.answer, found)
        elif not isinstance(found, Failure):  # too late, but the next one need not be told that it failed
            self._forget(lookup.host, lookup.answer)

    # --- who may have one ---------------------------------------------------------------------

    def _may_take(self, caller: int) -> bool:
        free = self._threads - self._held.total()
        return free > 0 and self._held[caller] * SHARE < free

    async def _take(self, caller: int) -> None:
        """Take a thread on account of *caller*, behind its others that wait."""
        if caller not in self._waiting and self._may_take(caller):
            self._held[caller] += 1
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            self._leave(caller, turn)
            if isinstance(error, TimeoutError):
                raise _busy() if self._held.total() >= self._threads else _over_share() from None
            raise

    def _leave(self, caller: int, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(caller, deque())
        if turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[caller]
        elif not turn.cancelled():  # it was given a thread just now
            self._give_back(caller)

    def _give_back(self, caller: int) -> None:
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        for name, waiting in list(self._waiting.items()):
            while waiting and self._may_take(name):
                turn = waiting.popleft()
                if not turn.done():
                    self._held[name] += 1
                    turn.set_result(None)
            if not waiting:
                del self._waiting[name]


def _error(failure: Failure) -> BoxError:
    return ServiceUnavailable(failure.why, BUSY_RETRY_SECONDS) if failure.ours else UrlUnreachable(failure.why)


def _busy() -> Overloaded:
    return Overloaded("The box is looking up more host names than are answered; try again later.", BUSY_RETRY_SECONDS)


def _over_share() -> OverShare:
    return OverShare(
        "This key waits for as many host names as it may, whose name servers do not answer.", BUSY_RETRY_SECONDS
    )
