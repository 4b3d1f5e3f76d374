"""Signals, obeyed from the first moment of a server's life on: what cannot be done yet is remembered."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

STOPS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """What this process was told so far: to stop, or to read its settings again."""

    def __init__(self) -> None:
        self.stopping = False
        self.rereading = False  # before anybody could

    def remember(self) -> None:
        """Hear them from now on: one that stops ends the process in order, one that reloads is kept for later.

        Without this, the kernel ends a process at its first SIGHUP.
        """
        for number in STOPS:
            signal.signal(number, self._leave)
        signal.signal(signal.SIGHUP, self._keep)

    def obey(self, stop: Callable[[], Any], reread: Callable[[], Any]) -> None:
        """Have the running loop call *stop* at the first signal to stop, and *reread* at each to read again.

        Told a second time to stop, the process leaves at once.
        """
        loop = asyncio.get_running_loop()
        for number in STOPS:
            loop.add_signal_handler(number, self._stop, stop)
        loop.add_signal_handler(signal.SIGHUP, reread)

    def keep(self) -> None:
        """Note that settings are to be read again once somebody can."""
        self.rereading = True

    def _keep(self, *_: object) -> None:
        self.keep()

    def _leave(self, *_: object) -> NoReturn:
        self.stopping = True  # in case that Python loses what is raised here, as in a destructor
        raise SystemExit(0)

    def _stop(self, stop: Callable[[], Any]) -> None:
        if self.stopping:
            os._exit(1)
        self.stopping = True
        stop()
