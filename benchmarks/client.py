"""Clients of a screenshot server: one, or several at once, each asking again as soon as it has its answer."""

import http.client
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.stage import Target

PATIENCE = 90.0  # seconds for one answer
Order = Mapping[str, Any]
Shape = tuple[int, int]


class NotAPictureError(Exception):
    """A server did not answer with what was asked for."""


@dataclass(frozen=True)
class Answer:
    """One answer, and what it took."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    milliseconds: float


Ask = Callable[[Order], Answer]


@contextmanager
def connection(target: Target) -> Iterator[Ask]:
    """Open one keep-alive connection, the plainest there is: its own time counts as the server's."""
    link = http.client.HTTPConnection("127.0.0.1", target.port, timeout=PATIENCE)
    headers = target.headers | {"Content-Type": "application/json"}

    def ask(order: Order) -> Answer:
        began = time.perf_counter()
        link.request("POST", target.path, json.dumps(order).encode(), headers)
        response = link.getresponse()
        body = response.read()
        took = (time.perf_counter() - began) * 1000
        fields = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, fields, body, took)

    try:
        yield ask
    finally:
        link.close()


def shoot(ask: Ask, target: Target, order: Order, shape: Shape) -> Answer:
    """Take one picture and make sure that it is one, of the right size."""
    answer = ask(order)
    if answer.status != http.client.OK or shape_of(answer.body) != shape:
        raise NotAPictureError(f"{target.name}: {order}: {answer.status} {shape_of(answer.body)} {answer.body[:300]!r}")
    return answer


def shape_of(picture: bytes) -> Shape:
    """Read width and height of a PNG; (0, 0) for anything else."""
    if picture[:8] != b"\x89PNG\r\n\x1a\n" or len(picture) < 24:
        return 0, 0
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def crowd(target: Target, order: Order, shape: Shape, clients: int, seconds: float) -> tuple[int, float]:
    """Take pictures as several clients at once; gives how many, and in how many seconds, the last one awaited."""
    began = time.perf_counter()
    together = threading.Barrier(clients)

    def keep_shooting() -> int:
        shots = 0
        with connection(target) as ask:
            together.wait()
            while shots == 0 or time.perf_counter() - began < seconds:
                shoot(ask, target, order, shape)
                shots += 1
        return shots

    with ThreadPoolExecutor(clients) as pool:
        workers = [pool.submit(keep_shooting) for _ in range(clients)]
        shots = sum(worker.result() for worker in workers)
    return shots, time.perf_counter() - began
