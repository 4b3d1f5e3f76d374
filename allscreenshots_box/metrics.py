"""What the box counts, as Prometheus reads it. No label is a stranger's word."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from . import errors

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)  # up to all that a client waits for
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
MOST_KEYS = 1000  # different ones as labels; the rest are counted together
WEIGHED_SECONDS = 1.0  # between two walks through /proc

STEPS = ("prepare", "go", "wait", "settle", "unclutter", "produce")  # of a rendering

RATE_LIMITED = frozenset({"rate_limited", "quota_exceeded"})
SHED = frozenset({"overloaded"})
UNAUTHORIZED = frozenset({"unauthorized"})


@dataclass(frozen=True, kw_only=True)
class Served:
    """One request that was answered. Spans are in seconds, None where there was none."""

    method: str
    route: str  # a template, never a path
    status: int
    seconds: float
    code: str = "ok"  # or that of the error
    sent: int = 0  # bytes
    key: str | None = None  # its first 12 characters, once it is proven


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How things stand now, or what others have counted so far."""

    slots: int
    in_use: int
    waiting: int
    restarts: Mapping[str, int]  # by cause
    proofs: Mapping[str, int]  # by outcome
    ready: bool


class Metrics:
    """Counts what is served, and asks others how things stand when it is read."""

    def __init__(self, version: str, *, keys: bool = False) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each other one
        self._registry = CollectorRegistry()
        self._keys = keys
        self._known_keys: set[str] = set()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Build(version))
        self._requests = self._counter("requests", "Requests answered.", "method", "route", "status")
        self._request_seconds = self._histogram("request_seconds", "From the head to the end of the answer.", "route")
        self._shots = self._counter("shots", "Shots with a good key, by outcome: ok or an error code.", "code")
        self._queue_seconds = self._histogram("queue_seconds", "Waited for a slot, whatever became of the shot.")
        self._render_seconds = self._histogram("render_seconds", "Rendered, whatever became of the shot.")
        self._step_seconds = self._histogram("step_seconds", "Each step of the rendering, of shots served.", "step")
        self._fetched = self._counter("fetched_bytes", "Bytes that served pages took from the network.")
        self._sent = self._counter("sent_bytes", "Bytes of the bodies of answers.")
        self._auth_failures = self._counter("auth_failures", "Requests refused for want of a good key.")
        self._limited = self._counter("rate_limited", "Requests refused because of a key's rate or quota.")
        self._shed = self._counter("shed", "Requests refused because the queue was full or the wait too long.")
        self._by_key = self._counter("key_requests", "Requests by key; with metrics_keys only.", "key", "code")
        # At 0 from the start: rate() sees no first event of a series that was not there.
        for code in ("ok", *errors.by_code()):
            self._shots.labels(code)
        for step in STEPS:
            self._step_seconds.labels(step)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"allscreenshots_{name}", meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(f"allscreenshots_{name}", meaning, labels, registry=self._registry, buckets=SECONDS)

    def watch(self, sample: Callable[[], Sample], memory: Callable[[], Mapping[str, int]]) -> None:
        """Ask these when the metrics are read; *memory* walks through /proc, and is asked once a second at most."""
        self._registry.register(_Gauges(sample, memory))

    def expect(self, operations: Iterable[tuple[str, str]]) -> None:
        """Have every answer that *operations*, methods and routes, may get at 0 from the start."""
        for method, route in operations:
            self._request_seconds.labels(route)
            for status in {200, *(error.status for error in errors.by_code().values())}:
                self._requests.labels(method, route, str(status))

    def count(self, served: Served) -> None:
        """Count one request."""
        method = served.method if served.method in METHODS else OTHER
        self._requests.labels(method, served.route, str(served.status)).inc()
        self._request_seconds.labels(served.route).observe(served.seconds)
        self._sent.inc(served.sent)
        for counter, codes in ((self._auth_failures, UNAUTHORIZED), (self._limited, RATE_LIMITED), (self._shed, SHED)):
            counter.inc(served.code in codes)
        if self._keys and served.key is not None:
            self._by_key.labels(self._label_of(served.key), served.code).inc()

    def count_shot(self, code: str) -> None:
        """Count one shot by what became of it: ok or an error code."""
        self._shots.labels(code).inc()

    def count_capture(
        self, code: str, *, queued: float | None, rendered: float | None, steps: Mapping[str, float], fetched: int
    ) -> None:
        """Count one shot that was on its way to the queue. Spans are in seconds, None where there was none."""
        self.count_shot(code)
        self._fetched.inc(fetched)
        if queued is not None:
            self._queue_seconds.observe(queued)
        if rendered is not None:
            self._render_seconds.observe(rendered)
        for step, seconds in steps.items():
            self._step_seconds.labels(step).observe(seconds)

    def _label_of(self, key: str) -> str:
        if len(self._known_keys) < MOST_KEYS:
            self._known_keys.add(key)
        return key if key in self._known_keys else OTHER

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format. Takes milliseconds: for a thread."""
        return prometheus_client.generate_latest(self._registry)


class _Build(Collector):
    def __init__(self, version: str) -> None:
        self._version = version

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("allscreenshots_build", "The program that runs.", {"version": self._version})


class _Gauges(Collector):
    def __init__(self, sample: Callable[[], Sample], memory: Callable[[], Mapping[str, int]]) -> None:
        self._sample = sample
        self._memory = memory
        self._weighed: Mapping[str, int] = {}
        self._weighed_at = -WEIGHED_SECONDS

    def describe(self) -> Iterable[Metric]:
        return []  # nothing is looked at before somebody asks

    def collect(self) -> Iterator[Metric]:
        now = self._sample()
        yield _gauge("slots", "Shots that may run at the same time.", now.slots)
        yield _gauge("slots_in_use", "Shots that run.", now.in_use)
        yield _gauge("queue_waiting", "Requests that wait for a slot.", now.waiting)
        yield _gauge("ready", "1 if the last look found that the box can work, else 0.", int(now.ready))
        yield _counts("browser_restarts", "Browsers replaced, by cause.", "cause", now.restarts)
        yield _counts("argon2_proofs", "Keys proven by argon2, by outcome.", "outcome", now.proofs)
        memory = GaugeMetricFamily(
            "allscreenshots_memory_bytes",
            "Resident memory; pages that processes share are counted for each.",
            labels=["part"],
        )
        for part, size in self._weigh().items():
            memory.add_metric([part], size)
        yield memory

    def _weigh(self) -> Mapping[str, int]:
        now = time.monotonic()
        if now - self._weighed_at >= WEIGHED_SECONDS:
            self._weighed, self._weighed_at = self._memory(), now
        return self._weighed


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"allscreenshots_{name}", meaning, value=value)


def _counts(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"allscreenshots_{name}", meaning, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
