"""The neighbour: somebody else's plain pictures, one at a time, before an attack and beside it."""

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

import httpx

from tests.neighbour.cases import Case
from tests.neighbour.street import NEIGHBOUR, StreetBox, opening
from tests.neighbour.table import url_of

PLAIN_URL = "http://plain.example/plain"
PATIENCE = 60.0  # seconds for a picture, as clients have
HEALTH_PATIENCE = 45.0
HEALTH_SECONDS = 0.1  # between two questions
AFTERWARDS_SECONDS = 2.0  # in which a browser may still be lost by a case that is over
PAUSE_SECONDS = 0.02  # between two pictures: somebody who asks again at once would be greedy himself
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # one for all: to make it takes longer than to ask


class Answered(NamedTuple):
    """One answer: 200 or what else it was, when it was asked for (of the epoch), and how long it took, in seconds."""

    status: str
    begun: float
    seconds: float

    def overlaps(self, begun: float, ended: float) -> bool:
        """Say whether a part of it was in this span."""
        return self.begun < ended and self.begun + self.seconds > begun


def percentile(values: Iterable[float], percent: int) -> float:
    """Give the value that *percent* of the values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Beside:
    """What was seen while an attack ran."""

    case: Case
    answers: Counter[str]  # to the attack
    quiet: Sequence[float]  # seconds of the neighbour's pictures before
    shots: Sequence[Answered]
    looks: Sequence[Answered]
    lost: Sequence[str]  # why, of each browser
    running: bool = True

    @property
    def failed(self) -> Counter[str]:
        """What the neighbour heard that was not the picture."""
        return Counter(shot.status for shot in self.shots if shot.status != "200")

    @property
    def p95(self) -> float:
        return percentile((shot.seconds for shot in self.shots), 95)

    @property
    def median(self) -> float:
        return percentile((shot.seconds for shot in self.shots), 50)

    @property
    def bound(self) -> float:
        """Twice the quiet value, and one render."""
        return 2 * percentile(self.quiet, 95) + percentile(self.quiet, 50)

    @property
    def health(self) -> float:
        """The longest that /health took."""
        return max((look.seconds for look in self.looks), default=0.0)

    def faults(self) -> list[str]:
        """Return what went wrong that no busy machine excuses."""
        odd = {code: number for code, number in self.answers.items() if code not in self.case.hears}
        found = {
            "the neighbour heard": dict(self.failed),
            "the attacker heard": odd,
            "browsers lost": list(self.lost),
            "/health": dict(Counter(look.status for look in self.looks if look.status != "200")),
            "the box ended": not self.running,
        }
        return [f"{what}: {how}" for what, how in found.items() if how]


class Neighbour:
    """Takes plain pictures and asks /health, each on a thread of its own, until the block ends."""

    def __init__(self, box: StreetBox) -> None:
        self._box, self._secret = box, box.secrets[NEIGHBOUR]
        self._over = threading.Event()
        self._body = opening({"url": PLAIN_URL, "timeout": 30000})
        self.shots: list[Answered] = []
        self.looks: list[Answered] = []
        self._right = b""  # the picture

    def quiet(self, number: int = 20, seconds: float = 10) -> list[float]:
        """Return how long so many pictures take while nothing else runs; the first do not count."""
        begun, taken = time.monotonic(), []
        with self._box.inside.threads(1) as thread:
            for warm in (True, True, *[False] * number):
                shot = thread.submit(self._shoot).result()
                if not warm:
                    assert shot.status == "200", shot
                    taken.append(shot.seconds)
                if taken and time.monotonic() - begun > seconds:
                    break
                time.sleep(PAUSE_SECONDS)
        return taken

    @contextmanager
    def at_work(self) -> Iterator["Neighbour"]:
        """Go on until the block ends, and to the end of the last picture."""
        self._over.clear()
        with self._box.inside.threads(2) as threads:
            begun = [threads.submit(work) for work in (self._shoot_on, self._look_on)]
            try:
                yield self
            finally:
                self._over.set()
            for one in begun:
                one.result()

    def _shoot_on(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            self.shots.append(self._shoot())

    def _look_on(self) -> None:
        while not self._over.wait(HEALTH_SECONDS):
            begun = time.time()
            try:  # by a connection of its own, as somebody who was not there before
                status = str(httpx.get(f"{self._box.url}/health", timeout=HEALTH_PATIENCE, verify=_NO_TLS).status_code)
            except httpx.TransportError as error:
                status = type(error).__name__
            self.looks.append(Answered(status, begun, time.time() - begun))

    def _shoot(self) -> Answered:
        begun = time.time()
        status, content = ask(self._box, self._secret, self._body, PATIENCE)
        seconds = time.time() - begun
        if status == "200":
            self._right = self._right or content
            status = "200" if content == self._right else "another picture"
        return Answered(status, begun, seconds)


def ask(box: StreetBox, secret: str, body: dict[str, Any], patience: float) -> tuple[str, bytes]:
    """Ask for a picture on a connection of its own; return 200 or the error's code, and what came."""
    try:
        with httpx.Client(headers={"X-API-Key": secret}, timeout=patience, verify=_NO_TLS) as client:
            answer = client.post(f"{box.url}/v1/screenshots", json=body)
    except httpx.TransportError as error:
        return type(error).__name__, b""
    if answer.status_code == httpx.codes.OK:
        return "200", answer.content
    try:
        return str(answer.json()["error"]), answer.content
    except (ValueError, KeyError):
        return str(answer.status_code), answer.content


@dataclass
class Attacker:
    """Runs cases against a box."""

    box: StreetBox
    _numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def attack(self, case: Case, seconds: float) -> Counter[str]:
        """Run a case: each caller asks once, and again until the time is over."""
        if case.act:
            with self.box.inside.threads(1) as thread:
                return Counter(thread.submit(case.act, self.box.port, seconds).result())
        end = time.monotonic() + seconds
        with self.box.inside.threads(case.callers) as threads:
            callers = [threads.submit(self._call, case, end) for _ in range(case.callers)]
            return sum((caller.result() for caller in callers), Counter())

    def _call(self, case: Case, end: float) -> Counter[str]:
        heard: Counter[str] = Counter()
        for _ in range(case.most):
            body = opening({"url": url_of(case).replace("{n}", str(self._numbers()))} | case.options)
            heard[ask(self.box, self.box.secrets[case.plan], body, case.patience)[0]] += 1
            if time.monotonic() >= end:
                break
        return heard


def losses(box: StreetBox) -> list[tuple[float, str]]:
    """Return when the box lost a browser, in seconds of the epoch, and why, as its log tells."""
    lines = (line for line in box.log.read_text(errors="replace").splitlines() if '"browser_lost"' in line)
    told = [json.loads(line) for line in lines]
    return [(datetime.fromisoformat(line["time"]).timestamp(), str(line["reason"])) for line in told]


@dataclass(frozen=True)
class Span:
    """When a case began and ended, and what it heard."""

    case: Case
    begun: float
    ended: float
    answers: Counter[str]


def attempt(attacker: Attacker, case: Case, seconds: float) -> Span:
    """Run a case, and note when."""
    begun = time.time()
    answers = attacker.attack(case, seconds)
    return Span(case, begun, time.time(), answers)


def try_together(
    box: StreetBox, cases: Sequence[Case], seconds: float = 0, *, at_once: int = 1, quiet: int = 10
) -> dict[str, Beside]:
    """Run cases, so many at a time, beside one neighbour; what happened during a case is held against it.

    So what two do to the neighbour is held against both: run one alone to know which of them it was.
    """
    neighbour, attacker = Neighbour(box), Attacker(box)
    before = neighbour.quiet(quiet)
    with neighbour.at_work(), ThreadPoolExecutor(at_once) as pool:
        asked = [case for case in cases if not case.act]
        spans = list(pool.map(lambda case: attempt(attacker, case, seconds), asked))
        # Alone, even so: each of these takes all that there is of something.
        spans += [attempt(attacker, case, seconds) for case in cases if case.act]
        time.sleep(AFTERWARDS_SECONDS)
    lost, running = losses(box), box.process.poll() is None
    return {span.case.name: _beside(span, before, neighbour, lost, running=running) for span in spans}


def _beside(
    span: Span, quiet: Sequence[float], neighbour: Neighbour, lost: Sequence[tuple[float, str]], *, running: bool
) -> Beside:
    return Beside(
        case=span.case,
        answers=span.answers,
        quiet=quiet,
        shots=[shot for shot in neighbour.shots if shot.overlaps(span.begun, span.ended)],
        looks=[look for look in neighbour.looks if look.overlaps(span.begun, span.ended)],
        lost=[reason for moment, reason in lost if span.begun <= moment <= span.ended + AFTERWARDS_SECONDS],
        running=running,
    )
