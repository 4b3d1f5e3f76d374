"""What gathers in memory and is written together: again when the database takes nothing, and once more at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from .database import BUSY_MILLISECONDS, Database

WRITE_SECONDS = 1.0  # what a kill -9 may lose; half of what is promised, for slow disks
PATIENCE = 50  # milliseconds: requests wait behind a write, and the next one comes soon

G = TypeVar("G", bound=Sized)


class WriteBehind(Generic[G]):
    """What is *waiting* to be written, and the writing of it.

    Whoever reads what is written together with what waits holds *reconciling*: then all is in one of them, and nothing
    in neither or both.
    """

    def __init__(  # noqa: PLR0913 - what differs between kinds of what gathers
        self,
        database: Database,
        add: Callable[..., None],  # (db, what waits, patience=): writes all of it or nothing
        *,
        empty: Callable[[], G],
        join: Callable[[G, G], G],  # of what came earlier and what came later
        failed: Callable[[Exception], None],  # told once, until it goes well again
        recovered: Callable[[], None] = lambda: None,
    ) -> None:
        self.waiting = empty()
        self.reconciling = asyncio.Lock()
        self._database = database
        self._add = add
        self._empty, self._join = empty, join
        self._failed, self._recovered = failed, recovered
        self._in_trouble = False

    async def write(self, *, patience: int = PATIENCE) -> None:
        """Write what is waiting; what cannot be written waits on. It goes on when whoever asked for it hangs up."""
        await asyncio.shield(asyncio.create_task(self._write(patience)))

    async def _write(self, patience: int) -> None:
        async with self.reconciling:
            if not self.waiting:
                return
            taken, self.waiting = self.waiting, self._empty()
            try:
                await self._database.run(self._add, taken, patience=patience)
            except Exception as error:  # noqa: BLE001 - whatever it is, what was gathered is not lost
                self.waiting = self._join(taken, self.waiting)
                if not self._in_trouble:
                    self._failed(error)
                self._in_trouble = True
                return
        if self._in_trouble:
            self._recovered()
        self._in_trouble = False

    async def close(self) -> G:
        """Write what is left, and wait for it; return what could not be written."""
        await self.write(patience=BUSY_MILLISECONDS)
        return self.waiting


class Written(Protocol):
    """What writes now and again, and has something to do at the end."""

    async def write(self) -> None: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def kept_written(gathering: Written, seconds: float = WRITE_SECONDS) -> AsyncIterator[None]:
    """Let *gathering* write every so many *seconds* until the block ends, and close it."""
    try:
        async with _repeated(gathering.write, seconds):
            yield
    finally:
        await gathering.close()


@asynccontextmanager
async def _repeated(write: Callable[[], Awaitable[None]], seconds: float) -> AsyncIterator[None]:
    """Call *write* again and again until the block ends; a call that runs is let finish."""
    stopping = asyncio.Event()
    repeating = asyncio.create_task(_repeat(write, seconds, stopping))
    try:
        yield
    finally:
        stopping.set()
        await repeating


async def _repeat(write: Callable[[], Awaitable[None]], seconds: float, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            async with asyncio.timeout(seconds):
                await stopping.wait()
        except TimeoutError:
            await write()
