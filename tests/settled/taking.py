"""How the results of all cases are asked for: a few at a time, of one box."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from tests.camera import Camera
from tests.settled.cases import Take

AT_ONCE = 5  # they wait most of the time


@dataclass(frozen=True)
class Taken:
    """What a box answered."""

    take: Take
    answer: httpx.Response

    @property
    def seconds(self) -> float:
        """How long settling took, or the whole turn where that is not told."""
        headers = self.answer.headers
        return int(headers.get("x-settled-ms") or headers.get("x-render-time-ms") or 0) / 1000

    @property
    def missed(self) -> str:
        """What was not awaited."""
        return str(self.answer.headers.get("x-not-awaited", ""))

    def faults(self) -> list[str]:
        """Give all that is wrong with it."""
        if self.answer.status_code != httpx.codes.OK:
            return [f"{self.answer.status_code} {self.answer.text[:200]}"]
        case = self.take.case
        found = [self.take.check(self.answer.content)]
        if case.within is not None and self.seconds > case.within:
            found.append(f"{self.seconds} s")
        if case.tells and not set(case.tells.split()) & set(self.missed.split(", ")):
            found.append(f"told to be missing: {self.missed or 'nothing'}, not {case.tells}")
        return [fault for fault in found if fault]


def take_all(camera: Camera, takes: Iterable[Take]) -> list[Taken]:
    """Take them all, in order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda take: take_one(camera, take), takes))


def take_one(camera: Camera, take: Take) -> Taken:
    """Take one."""
    return Taken(take, camera.ask(take.path, **take.body))
