"""What systemd is told: that we are ready, stop, read settings again, and live."""

import os
import socket
import time
from collections.abc import MutableMapping, Sequence

from .. import logs

UNSUPERVISED_SECONDS = 20.0  # between two looks at ourselves, where nobody asks for them
SHARE = 3  # looks in the time that systemd waits for one: two may be late
LONGEST_STATUS = 300  # characters


class Notifier:
    """Speaks to the socket that systemd named; without one, to nobody."""

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog = watchdog  # seconds after which silence is death

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> "Notifier":
        """Take what systemd has put into *environment*: the browser is not to find it there."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        ours = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = ours and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1_000_000 if watched else None)

    @property
    def interval(self) -> float:
        """How many seconds may lie between two looks."""
        return min(UNSUPERVISED_SECONDS, (self._watchdog or UNSUPERVISED_SECONDS * SHARE) / SHARE)

    def ready(self) -> None:
        """Say that we serve."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that settings are being read again; `ready` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, drain: str) -> None:
        """Say that we stop, and in what time at the latest."""
        self._tell("STOPPING=1", _status(f"stopping: shots that run have {drain}"))

    def status(self, reasons: Sequence[str]) -> None:
        """Say why we are not ready, for ``systemctl status``; without *reasons*, that we are."""
        self._tell(_status(f"not ready: {'; '.join(reasons)}" if reasons else "ready"))

    def alive(self) -> None:
        """Put off the death that silence is."""
        if self._watchdog is not None:
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
                way.setblocking(False)
                way.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:  # what it does not hear, it acts upon by itself
            logs.fault("systemd_not_told", error)


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:LONGEST_STATUS]}"
