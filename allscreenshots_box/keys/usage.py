"""What each key has used, and may still use this month: counted in memory, kept in SQLite by day.

The server is the only one who writes it: what it has in memory is the truth, and SQLite what is left after a kill.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from .. import logs
from ..errors import BoxError, InvalidRequest, QuotaExceeded, RateLimited
from ..render.queue import QueueTimes
from ..storage.database import Database
from ..storage.write_behind import WriteBehind, kept_written
from . import usage_store
from .plans import Plan
from .store import KeySecret
from .usage_store import DAY, Counts, Holder, Period, Tally, moment, period_of

KEYS_AT_ONCE = 50  # that are read in one go: some milliseconds, and too few objects to begin a garbage collection
CANCELLED = "cancelled"  # counted among the error codes: the caller hung up, or the box stopped

Clock = Callable[[], datetime]


class Capture:
    """One capture while it runs; it counts on the day that it began."""

    def __init__(self) -> None:
        self.counts = Counts()

    def made(self, size: int) -> None:
        """Count one screenshot, of however many outputs, whose *size* in bytes is that of all of them."""
        self.counts = Counts(1, size)


@dataclass
class _Balance:
    """Where a key stands in the current month."""

    used: Counts = field(default_factory=Counts)
    under_way: int = 0


class Usage:
    """Counts every capture, and refuses those over their key's monthly quota.

    In memory are the current month, a few numbers for each key that was used in it, and what is not written yet,
    the same for each key and day: as bounded as the number of keys.
    """

    def __init__(self, database: Database, now: Clock = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self._database = database
        self._behind: WriteBehind[Tally] = WriteBehind(
            database,
            usage_store.add,
            empty=dict,
            join=usage_store.merged,
            failed=lambda error: logs.fault("usage_not_written", error),
            recovered=lambda: logs.event("usage_written"),
        )
        self._balances: dict[int, _Balance] = {}
        self._period: Period | None = None  # whose balances these are
        self.listing = asyncio.Lock()

    @asynccontextmanager
    async def capture(self, key: KeySecret, times: QueueTimes) -> AsyncIterator[Capture]:
        """Count what the block captures for *key*, or the code it fails with, and the rendering that *times* tell.

        What was not tried counts as nothing.

        Raises QuotaExceeded before the block when the month's quota is used up, counting what is under way.
        """
        now = self.now()
        balance = await self._balance(key.id, now)
        _require_room(key.plan, balance, now)  # no await from here to the next line: two at once are two
        balance.under_way += 1
        capture = Capture()
        try:
            yield capture
        except (InvalidRequest, RateLimited):
            raise
        except BaseException as error:
            capture.counts.failures[_code(error)] += 1
            raise
        finally:
            balance.under_way -= 1
            capture.counts.render_seconds = times.rendered or 0.0
            self._count(key.id, now.date(), capture.counts)

    async def used_by(self, key: KeySecret) -> Counts:
        """Return what *key* has used this month."""
        return (await self._balance(key.id, self.now())).used

    async def of_organization(self, organization: str, *, span: int = DAY, since: str = "") -> dict[str, Counts]:
        """Return the screenshots and bytes of all of an organization from a day on, by *span*."""
        async with self._behind.reconciling:
            among = list({key_id for key_id, _ in self._behind.waiting})
            used, members = await self._database.run(
                usage_store.of_organization, organization, among, span=span, since=since
            )
            for (_, day), counts in self._waiting_of(members):
                if day >= since:
                    used.setdefault(day[:span], Counts()).add(Counts(counts.screenshots, counts.bytes))
        return used

    async def members(self, organization: str, among: Sequence[int]) -> set[int]:
        """Return those of these keys that an organization has."""
        return await self._database.run(usage_store.members, organization, among)

    async def stretch(self, organization: str, after: int, month: str) -> list[tuple[Holder, Counts, Counts]]:
        """Return the next keys of an organization *after* one, and what each used in *month* and in all.

        No more than the database's thread has done in some milliseconds; to be asked for by one at a time, holding
        *listing*, so that others' requests have their turns between.
        """
        async with self._behind.reconciling:
            found = await self._database.run(usage_store.stretch, organization, after, KEYS_AT_ONCE, month)
            used = {holder.id: (lately, in_all) for holder, lately, in_all in found}
            for (key_id, day), counts in self._waiting_of(used):
                lately, in_all = used[key_id]
                taken = Counts(counts.screenshots, counts.bytes)
                in_all.add(taken)
                if day.startswith(month):
                    lately.add(taken)
        return found

    async def by_day(self, key_ids: Sequence[int], since: date) -> Counter[str]:
        """Return how many screenshots these keys took together on each day from *since* on."""
        async with self._behind.reconciling:
            used = await self._database.run(usage_store.days, key_ids, since.isoformat())
            for (_, day), counts in self._waiting_of(key_ids):
                if day >= since.isoformat():
                    used[day] += counts.screenshots
        return used

    async def all_days(self, since: date) -> dict[str, Counts]:
        """Return what all keys used together on each day from *since* on."""
        async with self._behind.reconciling:
            used = await self._database.run(usage_store.all_days, since.isoformat())
            for (_, day), counts in self._behind.waiting.items():
                if day >= since.isoformat():
                    used.setdefault(day, Counts()).add(counts)
        return used

    def _waiting_of(self, key_ids: Iterable[int]) -> list[tuple[tuple[int, str], Counts]]:
        wanted = set(key_ids)
        return [(name, counts) for name, counts in self._behind.waiting.items() if name[0] in wanted]

    async def write(self) -> None:
        """Write what is waiting; what cannot be written waits on, and is told once."""
        await self._behind.write()

    async def close(self) -> None:
        """Write what is left, and wait for it; say what is lost if that cannot be."""
        if lost := await self._behind.close():
            screenshots = sum(counts.screenshots for counts in lost.values())
            number = len({key_id for key_id, _ in lost})
            logs.event("usage_lost", logging.ERROR, screenshots=screenshots, keys=number)

    def _count(self, key_id: int, day: date, counts: Counts) -> None:
        if counts == Counts():
            return
        self._behind.waiting.setdefault((key_id, day.isoformat()), Counts()).add(counts)
        # Looked up anew: the month may have been left and entered meanwhile. Who is not there yet is read later.
        if self._period == period_of(day) and key_id in self._balances:
            self._balances[key_id].used.add(counts)

    async def _balance(self, key_id: int, now: datetime) -> _Balance:
        """Return where a key stands, read when it is first asked for: all keys at once are too many to wait for."""
        period = period_of(now.date())
        if period != self._period:  # at a start, in a new month, or when the clock was set
            self._balances, self._period = {}, period
        balance = self._balances.get(key_id)
        return balance if balance is not None else await self._read(key_id, period)

    async def _read(self, key_id: int, period: Period) -> _Balance:
        async with self._behind.reconciling:
            used = await self._database.run(usage_store.month, key_id, period.name)
            for (_, day), counts in self._waiting_of([key_id]):
                if day.startswith(period.name):
                    used.add(counts)
            if self._period != period:  # the month ended meanwhile
                return _Balance(used)
            return self._balances.setdefault(key_id, _Balance(used))  # somebody else may have been first


@asynccontextmanager
async def counting(database: Database) -> AsyncIterator[Usage]:
    """Yield a Usage that is written as it grows, and once more when the block ends."""
    usage = Usage(database)
    async with kept_written(usage):
        yield usage


def _code(error: BaseException) -> str:
    if isinstance(error, BoxError):
        return error.code
    return CANCELLED if isinstance(error, asyncio.CancelledError) else BoxError.code


def _require_room(plan: Plan, balance: _Balance, now: datetime) -> None:
    """Raise QuotaExceeded if another screenshot may be one too many.

    How many bytes it will have nobody knows: what is under way when the last ones go is still delivered.
    """
    most, most_bytes = plan.screenshots_per_month, plan.bandwidth_per_month
    if most is not None and balance.used.screenshots + balance.under_way >= most:
        what = f"All {most} screenshots of this month are taken or under way"
    elif most_bytes is not None and balance.used.bytes >= most_bytes:
        what = f"All {most_bytes} bytes of this month are used"
    else:
        return
    resets_at = moment(period_of(now.date()).ends)
    raise QuotaExceeded(f"{what}; the next month begins at {resets_at}.", resets_at)
