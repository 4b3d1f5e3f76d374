"""Token buckets, kept in memory: a restart fills them all."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from .plans import Kind, Plan

SWEEP_AT = 10_000  # buckets; a full bucket is the same as no bucket, so the full ones go


@dataclass(frozen=True)
class BucketState:
    """What a bucket said: the one source of every rate header. Spans are in seconds."""

    kind: Kind
    limit: int
    remaining: int
    full_in: float
    wait: float  # 0 when a token was taken
    window: float  # an empty bucket is full after this

    @property
    def retry_after(self) -> int:
        """Whole seconds until there is a token, for Retry-After."""
        return math.ceil(self.wait)

    def headers(self, now: float) -> dict[str, str]:
        """Return the vendor's headers and the IETF draft's, *now* being unix time."""
        reset = math.ceil(now + self.full_in)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Type": self.kind,
            "RateLimit-Policy": f'"{self.kind}";q={self.limit};w={max(1, math.ceil(self.window))}',
            "RateLimit": f'"{self.kind}";r={self.remaining};t={max(0, reset - math.floor(now))}',
        }


class TokenBuckets:
    """One token bucket for each key id, or another name, and kind, refilled steadily up to its plan's burst.

    The plan is given with every call, so a changed plan binds from the next request on.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: dict[tuple[int | str, Kind], tuple[float, float, float]] = {}  # tokens, as of, full at

    def take(self, key_id: int | str, kind: Kind, plan: Plan) -> BucketState:
        """Take one token if there is one."""
        return self._change(key_id, kind, plan, -1)

    def give_back(self, key_id: int | str, kind: Kind, plan: Plan) -> BucketState:
        """Return a token that was taken for nothing."""
        return self._change(key_id, kind, plan, +1)

    def _change(self, key_id: int | str, kind: Kind, plan: Plan, change: int) -> BucketState:
        now = self._now()
        per_second, burst = plan.rate(kind)
        tokens, as_of, _ = self._buckets.get((key_id, kind), (float(burst), now, now))
        tokens = min(burst, tokens + (now - as_of) * per_second)
        wait = max(0.0, (-change - tokens) / per_second)
        if not wait:
            tokens = min(burst, tokens + change)
        full_in = (burst - tokens) / per_second
        if len(self._buckets) >= SWEEP_AT:
            self._sweep(now)
        self._buckets[key_id, kind] = tokens, now, now + full_in
        return BucketState(kind, burst, int(tokens), full_in, wait, burst / per_second)

    def _sweep(self, now: float) -> None:
        self._buckets = {name: state for name, state in self._buckets.items() if state[2] > now}
