"""One capture from its order to its record: the quota, the rendering, and what is kept of it, whatever became of it."""

import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from .. import logs, timestamps
from ..errors import BoxError, InternalError
from ..keys.store import KeySecret
from ..keys.usage import CANCELLED, Usage
from ..metrics import Metrics
from ..render.queue import QueueTimes
from ..render.renderer import Renderer, Still
from ..render.shot import Rendering, Shot
from ..web import disconnect
from ..web.disconnect import Receive
from .history import CaptureHistory, CaptureRecord

GONE = 499  # the status that is kept of what nobody waited for to its end


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who a capture is for."""

    id: int  # in the queue
    name: str  # in the history
    weight: int = 1  # of its turns
    key: KeySecret | None = None  # whose quota it takes from, and whose usage it is
    still: Still | None = None  # asked again when the turn comes


class Capturer:
    """Captures for whoever asks: a request, the playground, and all that comes later without a request."""

    def __init__(self, renderer: Renderer, usage: Usage, history: CaptureHistory, metrics: Metrics) -> None:
        self._renderer = renderer
        self._usage = usage
        self._history = history
        self._metrics = metrics

    async def capture(
        self, shot: Shot, *, by: Caller, request: str, times: QueueTimes, receive: Receive | None = None
    ) -> Rendering:
        """Return what becomes of *shot*, or raise the BoxError that tells why there is nothing.

        *request* is the id that the history has; *times* tell afterwards how long it waited and took. With *receive*
        it ends when the client goes away.
        """
        begun, rendering, failure = time.monotonic(), None, None
        try:
            rendering = await self._counted(shot, by, times, receive)
        except BaseException as error:
            failure = error
            raise
        finally:
            status, code = _outcome(failure)
            self._count(code or "ok", times, rendering)
            self._history.note(
                CaptureRecord(
                    moment=timestamps.now(),
                    request=request,
                    caller=by.name,
                    target=logs.shown_target(shot.url, failure, with_query=False),
                    status=status,
                    code=code,
                    milliseconds=round((time.monotonic() - begun) * 1000),
                    bytes=rendering.size if rendering else 0,
                )
            )
        return rendering

    def _count(self, code: str, times: QueueTimes, rendering: Rendering | None) -> None:
        self._metrics.count_capture(
            code,
            queued=times.queued,
            rendered=times.rendered if times.begun is not None else None,
            steps=rendering.steps if rendering else {},
            fetched=rendering.fetched if rendering else 0,
        )

    async def _counted(self, shot: Shot, by: Caller, times: QueueTimes, receive: Receive | None) -> Rendering:
        if by.key is None:
            return await _while_there(receive, self._render(shot, by, times))
        async with self._usage.capture(by.key, times) as capture:
            rendering = await _while_there(receive, self._render(shot, by, times))
            capture.made(rendering.size)
        return rendering

    async def _render(self, shot: Shot, by: Caller, times: QueueTimes) -> Rendering:
        return await self._renderer.render(shot, caller=by.id, weight=by.weight, times=times, still=by.still)


async def _while_there(receive: Receive | None, work: Coroutine[Any, Any, Rendering]) -> Rendering:
    return await (work if receive is None else disconnect.while_there(receive, work))


def _outcome(failure: BaseException | None) -> tuple[int, str | None]:
    """Return the status and the error code that are kept."""
    if failure is None:
        return 200, None
    if isinstance(failure, BoxError):
        return failure.status, failure.code
    if isinstance(failure, Exception):
        return InternalError.status, InternalError.code
    return GONE, CANCELLED
