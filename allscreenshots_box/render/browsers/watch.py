"""The watch over one browser: what it takes is measured again and again, and whoever takes too much is held back."""

import asyncio
from collections.abc import Callable

from ... import logs
from ..memory_guard import MemoryGuard
from .brake import Brake
from .pacing import Pacing
from .process_limits import Killed, ProcessLimits
from .tab_pool import TOO_LARGE, BrowserProcess

LOOK_SECONDS = 1.0  # between two looks at whether the browser's processes run
WATCH_SECONDS = 0.25  # between two looks at what pages take; a page fills a gigabyte in no less


class Watch:
    """Holds a browser to its bounds while it has shots, before the kernel runs out of memory and chooses whom."""

    def __init__(  # noqa: PLR0913 - what it looks at, and whom it tells
        self,
        process: BrowserProcess,
        limits: ProcessLimits,
        memory: MemoryGuard,
        *,
        largest: int,
        condemn: Callable[[BrowserProcess, str], None],
        tell: Callable[[BrowserProcess, Killed], None],
    ) -> None:
        self._process = process
        self._limits = limits
        self._memory = memory
        self._largest = largest  # bytes that the browser may take with shots in it; with none, it is recycled
        self._condemn = condemn
        self._tell = tell
        self._pacing = Pacing()
        self._brake = Brake()

    async def run(self) -> None:
        """Look until the browser is dead."""
        looks = 0
        try:
            while not self._process.dead:
                await asyncio.sleep(WATCH_SECONDS)
                looks += 1
                self._look(thoroughly=looks % round(LOOK_SECONDS / WATCH_SECONDS) == 0)
        finally:
            self._brake.release()

    def _look(self, *, thoroughly: bool) -> None:
        try:
            if thoroughly:
                self._look_after()
            if self._process.inside or self._brake.held:
                self._bound()
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody must go on looking
            logs.fault("supervision_failed", error)

    def _bound(self) -> None:
        process, limits = self._process, self._limits
        self._memory.note(limits.largest_page())
        crowds = limits.rank_pages()
        self._cull()
        self._pacing.share(limits.network, [tab.egress for tab in process.used])
        flooding = {tab.renderer_pid for tab in process.used if tab.flooding}
        self._brake.look(limits.serving(), limits.pages() if process.inside > 1 else (), crowds | flooding)
        if limits.memory() > self._largest:
            self._condemn(process, TOO_LARGE)

    def _look_after(self) -> None:
        """Find out at once what a shot or a probe would only hear by waiting: processes that are stopped or gone."""
        process, limits = self._process, self._limits
        for pid in limits.end_stopped_pages(self._brake.held):
            logs.event("page_killed", bound="stopped", pid=pid)
        if ailment := limits.ailment():
            self._condemn(process, ailment)
        elif process.inside or (process.probing is not None and not process.probing.done()):
            process.looks.append(limits.used())
        else:
            process.looks.clear()

    def _cull(self) -> None:
        for killed in self._limits.cull():
            self._tell(self._process, killed)
        if drawing := self._limits.end_endless_drawing(lonely=self._process.inside <= 1):
            self._tell(self._process, drawing)
