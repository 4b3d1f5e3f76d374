"""Equal shots of one caller that are in flight at the same time, rendered once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from .queue import QueueTimes
from .shot import Rendering, Shot


@dataclass
class _Joint:
    """One rendering, and how many wait for it."""

    shot: Shot
    times: QueueTimes
    task: asyncio.Task[Rendering]
    waiting: int = 0


class Coalescer:
    """Lets those who ask for the same at the same time have the same; no caller ever gets another's."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, list[_Joint]] = {}

    async def join(
        self,
        caller: Hashable,
        shot: Shot,
        times: QueueTimes,
        begin: Callable[[QueueTimes], Coroutine[Any, Any, Rendering]],
    ) -> Rendering:
        """Return what *begin* makes of *shot*, begun by the first who comes and given up with the last who leaves."""
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        joint = next((one for one in self._under_way.get(caller, ()) if one.shot == shot), None)
        joint = joint or self._begin(caller, shot, begin)
        joint.waiting += 1
        try:
            return await asyncio.shield(joint.task)
        finally:
            joint.waiting -= 1
            if not joint.waiting and not joint.task.done():
                self._forget(caller, joint)
                joint.task.cancel()
            if joint.times.arrived is not None:
                ended = joint.times.ended if joint.times.ended is not None else loop.time()
                times.arrived, times.begun, times.ended = arrived, joint.times.begun, max(arrived, ended)

    def _begin(
        self, caller: Hashable, shot: Shot, begin: Callable[[QueueTimes], Coroutine[Any, Any, Rendering]]
    ) -> _Joint:
        times = QueueTimes()
        joint = _Joint(shot, times, asyncio.create_task(begin(times)))
        self._under_way.setdefault(caller, []).append(joint)
        joint.task.add_done_callback(lambda task: self._done(caller, joint, task))
        return joint

    def _done(self, caller: Hashable, joint: _Joint, task: asyncio.Task[Rendering]) -> None:
        self._forget(caller, joint)
        if not task.cancelled():
            task.exception()  # those who waited hear of it, if any still do

    def _forget(self, caller: Hashable, joint: _Joint) -> None:
        left = [one for one in self._under_way.get(caller, ()) if one is not joint]
        if left:
            self._under_way[caller] = left
        else:
            self._under_way.pop(caller, None)
