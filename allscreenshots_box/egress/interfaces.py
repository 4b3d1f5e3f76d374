"""Which addresses this machine has: asked of the kernel once each, and again as soon as it says that some changed."""

import errno
import os
import socket

from ..hosts import Address

REMEMBERED = 4096  # addresses; more than the names of a few pages have
# Groups of rtnetlink(7): addresses and routes of both versions. What routes call local is this machine's, too.
_CHANGES = 0x10 | 0x40 | 0x100 | 0x400
_SMALLEST = (
    1  # byte of buffer, which the kernel raises to its least: that something changed is all that we want to hear
)


class Interfaces:
    """The addresses of this machine, as of now."""

    def __init__(self) -> None:
        self._edition = 0
        self._known: dict[Address, bool] = {}
        self._changes: int | None = None  # a file handle that can be read when something changed

    def edition(self) -> int:
        """Return a number, which is another one when addresses may have come or gone since the last time."""
        if self._changes is None:
            self._changes = _subscribed()  # only what is asked after this may be kept
            self._forget()
        elif _is_heard(self._changes):
            self._forget()
        return self._edition

    def has(self, address: Address) -> bool:
        """Say whether this machine has *address*."""
        self.edition()
        if address in self._known:
            return self._known[address]
        answer = _can_be_bound(address)
        if answer is None:
            return True  # nothing is known of it, so it counts as ours until something is
        if self._changes is not None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[address] = answer
        return answer

    def _forget(self) -> None:
        self._edition += 1
        self._known.clear()


def _subscribed() -> int | None:
    """Return where the kernel tells of changes; None where it does not, and so nothing may be kept."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALLEST)
            listener.bind((0, _CHANGES))
            return listener.detach()
    except OSError:
        return None


def _is_heard(changes: int) -> bool:
    """Say whether something changed since the last time."""
    heard = False
    while True:
        try:
            os.read(changes, 1)  # one message, whatever its length
        except BlockingIOError:
            return heard
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more changes than the buffer holds
                return True
        heard = True


def _can_be_bound(address: Address) -> bool | None:
    """Say whether a socket can be bound to *address*, as only a machine that has it can; None if that is not known."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP versions
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        # Anything else, out of descriptors say, tells nothing of the address.
        return False if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT} else None
    return True
