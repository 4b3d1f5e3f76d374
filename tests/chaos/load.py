"""A steady load on a box, and what became of each request."""

import threading
import time
from types import TracebackType
from typing import NamedTuple, Self

import httpx

from tests.box import Box
from tests.camera import SMALL


class Outcome(NamedTuple):
    """One answer: its status, its code if it is an error, whether that says when to come again."""

    status: int
    code: str
    has_retry_after: bool
    seconds: float

    @property
    def is_honest(self) -> bool:
        """Whether it is a picture, or a 503 that says when to come again."""
        return self.status == 200 or (self.status == 503 and self.has_retry_after)


class Load:
    """So many callers, each of whom asks for the next picture as soon as it has an answer."""

    def __init__(self, box: Box, secret: str, url: str, callers: int) -> None:
        self._box, self._secret, self._url = box, secret, url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(callers)]
        self.outcomes: list[Outcome] = []
        self.failures: list[str] = []  # answers that did not come

    def _ask_on(self) -> None:
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                answer = self._box.shoot(self._secret, self._url, viewport=SMALL)
            except httpx.TransportError as error:
                self.failures.append(repr(error))
                self._over.wait(0.1)
                continue
            code = "" if answer.status_code == httpx.codes.OK else str(answer.json()["error"])
            seconds = time.monotonic() - begun
            self.outcomes.append(Outcome(answer.status_code, code, "retry-after" in answer.headers, seconds))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
