"""One capture from its order to its record: the quota, the rendering, and what is kept of it, whatever became of it."""

import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from .. import logs, timestamps
from ..errors import BoxError, InternalError, InvalidUrl
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
        record = CaptureRecord(
            moment="",
            request=request,
            caller=by.name,
            target=_shown(shot.url),
            status=200,
            code=None,
            milliseconds=0,
            bytes=0,
        )
        begun, rendering = time.monotonic(), None
        try:
            rendering = await self._counted(shot, by, times, receive)
            record = replace(record, bytes=rendering.size)
        except BaseException as error:
            record = _failed(record, error)
            raise
        finally:
            self._count(record.code or "ok", times, rendering)
            took = round((time.monotonic() - begun) * 1000)
            self._history.note(replace(record, moment=timestamps.now(), milliseconds=took))
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


def _shown(target: str) -> str:
    return logs.shown_url(target, with_query=False)


def _failed(record: CaptureRecord, error: BaseException) -> CaptureRecord:
    """Return the record of what *error* ended."""
    if isinstance(error, InvalidUrl):  # what is no URL may be anything
        record = replace(record, target=logs.NO_URL)
    if isinstance(error, BoxError):
        return replace(record, status=error.status, code=error.code)
    if isinstance(error, Exception):
        return replace(record, status=InternalError.status, code=InternalError.code)
    return replace(record, status=GONE, code=CANCELLED)
