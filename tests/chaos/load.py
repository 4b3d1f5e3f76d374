"""A steady load on a box and a steady look at its /ready, and what became of each request."""

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
    begun: float  # on the monotonic clock
    seconds: float

    @property
    def is_honest(self) -> bool:
        """Whether it is a picture, or a 503 that says when to come again."""
        return self.status == 200 or (self.status == 503 and self.has_retry_after)


class Word(NamedTuple):
    """One answer of /ready: since when it was asked, when it came, and the reasons why the box is not ready."""

    asked: float
    told: float
    reasons: tuple[str, ...]


class _Callers:
    """Threads that ask on until the block ends."""

    def __init__(self, number: int) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(number)]
        self.failures: list[str] = []  # answers that did not come

    def _ask_on(self) -> None:
        raise NotImplementedError

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


class Watch(_Callers):
    """Somebody who asks /ready ten times a second, as a very nervous load balancer would."""

    def __init__(self, box: Box) -> None:
        super().__init__(1)
        self._url = f"{box.url}/ready"
        self.words: list[Word] = []

    def _ask_on(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self._over.wait(0.1):
                asked = time.monotonic()
                try:
                    answer = client.get(self._url)
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                reasons = tuple(answer.json().get("reasons", ()))
                if (answer.status_code == 503) != bool(reasons):
                    self.failures.append(f"{answer.status_code} {answer.text}")
                self.words.append(Word(asked, time.monotonic(), reasons))

    def says_ready_since(self, moment: float) -> bool:
        """Say whether the last answer to a question after *moment* was that the box is ready."""
        return bool(self.words) and self.words[-1].asked > moment and not self.words[-1].reasons


class Load(_Callers):
    """So many callers, each of whom asks for the next picture as soon as it has an answer."""

    def __init__(self, box: Box, secret: str, url: str, callers: int) -> None:
        super().__init__(callers)
        self._box, self._secret, self._url = box, secret, url
        self.outcomes: list[Outcome] = []

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
            self.outcomes.append(Outcome(answer.status_code, code, "retry-after" in answer.headers, begun, seconds))
