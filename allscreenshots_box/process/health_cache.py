"""A look that costs something and is asked for often: remembered, one at a time, and two strikes before it counts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

FRESH_SECONDS = 2.0  # however many ask, there is one look in this time
STRIKES = 2  # looks that fail one after the other; a single one may be a busy moment


@dataclass(frozen=True)
class Health:
    """What a look found. With *ok* and a *reason* it has failed, and the next one decides."""

    ok: bool
    reason: str = ""


class HealthCache:
    """Asks *look* for what is wrong, the empty text for nothing; no answer within *deadline* seconds is wrong, too.

    A look that hangs is not begun again beside itself: whatever it waits for gets one visitor, not a crowd.
    """

    def __init__(self, look: Callable[[], Awaitable[str]], deadline: float) -> None:
        self._look = look
        self._deadline = deadline
        self._looking: asyncio.Task[str] | None = None
        self._telling: asyncio.Task[Health] | None = None
        self._last = Health(ok=True)
        self._until = 0.0  # the last one is fresh
        self._strikes = 0

    async def health(self) -> Health:
        """Return what the last look found, or the next one does."""
        loop = asyncio.get_running_loop()
        if self._telling is None or (self._telling.done() and loop.time() >= self._until):
            self._telling = loop.create_task(self._tell())
        return await asyncio.shield(self._telling)  # whoever goes away takes it from nobody else

    def close(self) -> None:
        """Look no more."""
        for task in (self._looking, self._telling):
            if task is not None:
                task.cancel()

    async def _tell(self) -> Health:
        reason = await self._ask()
        self._strikes = self._strikes + 1 if reason else 0
        self._last = Health(self._strikes < STRIKES, reason)
        self._until = asyncio.get_running_loop().time() + FRESH_SECONDS
        return self._last

    async def _ask(self) -> str:
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look())
        done, _ = await asyncio.wait({self._looking}, timeout=self._deadline)
        if not done:
            return f"no answer within {self._deadline:g} s"
        looked, self._looking = self._looking, None
        if looked.cancelled():
            return "the look was broken off"
        error = looked.exception()
        return looked.result() if error is None else f"the look failed ({type(error).__name__})"
