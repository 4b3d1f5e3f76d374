"""Whether the box can take pictures: a real round trip through the browser, asked for once and shared."""

import asyncio
from dataclasses import dataclass

from .browser import Browser, BrowserGone
from .line import Line

FRESH_SECONDS = 2.0  # so long a round trip that went well is good, be it a probe or a shot
ANSWER_SECONDS = 6.0  # for a round trip, and a new browser if there is none
STRIKES = 2  # that make a box unhealthy: one may be a browser that is just being replaced


@dataclass(frozen=True)
class Health:
    """Whether it can, and why not; a first strike is told too."""

    ok: bool
    reason: str = ""


class Pulse:
    """Feels the browser's pulse, for as many as ask at a time."""

    def __init__(self, browser: Browser, line: Line) -> None:
        self._browser = browser
        self._line = line
        self._strikes = 0
        self._feeling: asyncio.Task[Health] | None = None

    async def feel(self) -> Health:
        """Return the box's health, at most two seconds old; failures are never remembered as such."""
        if self._line.closed:
            return Health(ok=False, reason="draining")
        if self._browser.is_proven_since(FRESH_SECONDS):
            self._strikes = 0
            return Health(ok=True)
        if self._feeling is None or self._feeling.done():
            self._feeling = asyncio.create_task(self._feel())
        return await asyncio.shield(self._feeling)

    async def _feel(self) -> Health:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._browser.prove()
        except BrowserGone as error:
            reason = str(error)
        except TimeoutError:
            reason = f"no picture of a blank page within {ANSWER_SECONDS:g} s"
        else:
            self._strikes = 0
            return Health(ok=True)
        self._strikes += 1
        return Health(ok=self._strikes < STRIKES, reason=reason)
