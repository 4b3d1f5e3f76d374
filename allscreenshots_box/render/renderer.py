"""Takes pictures, a few at a time: a Shot waits, is given a tab, and tried once more if its browser was lost."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .. import logs, resources
from ..config import Settings
from ..egress.policy import AllowedTarget, Policy, Scope
from ..egress.proxy import Proxy
from ..egress.resolver import Resolver
from ..errors import (
    BoxError,
    DeadlinePassed,
    InternalError,
    NotAPage,
    PageCrashed,
    PageEnded,
    ServiceUnavailable,
    UrlUnreachable,
)
from ..hosts import HostPattern
from ..process.health_cache import FRESH_SECONDS, Health, HealthCache
from .blocking.engine import BlockingEngine
from .browsers import certificates
from .browsers.cdp import ProtocolError
from .browsers.supervisor import Browser
from .browsers.tab_pool import BrowserGone, PagesBlamed, Tab
from .circuit_breaker import CircuitBreaker, Name
from .coalesce import Coalescer
from .memory_guard import MemoryGuard
from .outputs.image import Encoder
from .page import Aside, Page
from .pipeline.capture import CaptureResources, capture
from .queue import LEAST_REST, NOBODY, CaptureQueue, QueueTimes
from .shot import Rendering, Shot

Still = Callable[
    [], Awaitable[tuple[HostPattern, ...]]
]  # raises if a shot may not be made any more; else: where it may go

MIB = 1024 * 1024  # bytes
RETRY_SECONDS = 2  # a new browser starts in less
LOOK_SECONDS = 6.0  # for the browser to draw a blank page; it has less itself


@dataclass(frozen=True)
class _Work:
    """A shot whose turn has come: where it may go, by when, for whom, and how it lets others go on while it rests."""

    shot: Shot
    allowed_target: AllowedTarget
    deadline: float  # on the event loop's clock
    caller: int
    aside: Aside
    behind: list[asyncio.Future[None]]  # gets what is to be put away after it if it fails

    @property
    def name(self) -> Name:
        """What it is remembered by if browsers end."""
        return self.caller, self.allowed_target.target.host


class Renderer:
    """Takes pictures, a few at a time, as long as its browser runs; and sees to it that it does."""

    def __init__(
        self, browser: Browser, queue: CaptureQueue, proxy: Proxy, equipment: "Equipment", blocking: BlockingEngine
    ) -> None:
        self._browser = browser
        self._queue = queue
        self._proxy = proxy
        self._answer_within = equipment.answer_within
        self._encoder = Encoder(small=equipment.small_png, memory=equipment.picture_memory)
        self._blocking = blocking
        self._insecure_hosts = equipment.insecure_hosts
        self._coalescer = Coalescer()
        self._circuit_breaker = CircuitBreaker()
        self._health_cache = HealthCache(self._look, LOOK_SECONDS)

    @property
    def description(self) -> dict[str, str]:
        """What renders, for people: program, version, and the evidence of its sandbox."""
        return {
            "browser": self._browser.path,
            "version": self._browser.version,
            "sandbox": self._browser.evidence,
        }

    async def render(
        self,
        shot: Shot,
        *,
        caller: int = NOBODY,
        weight: int = 1,
        times: QueueTimes | None = None,
        still: Still | None = None,
    ) -> Rendering:
        """Return what *shot* asks for, or raise the BoxError that tells why there is none.

        Those of a *caller* wait behind each other, and all callers have their turns by *weight*. *times* tell
        afterwards how long this one waited and took, whatever became of it. *still* is asked when the turn comes;
        those who share a rendering have to be equal in it.
        """
        times = times or QueueTimes()
        if shot.share:
            begin = functools.partial(self._render, shot, caller, weight, still)
            return await self._coalescer.join((caller, still), shot, times, begin)
        return await self._render(shot, caller, weight, still, times)

    async def _render(self, shot: Shot, caller: int, weight: int, still: Still | None, times: QueueTimes) -> Rendering:
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._answer_within
        allowed_target = await self._proxy.check_url(shot.url, Scope(hosts=shot.hosts, caller=caller))
        await self._blocking.ready(shot.blocked)
        rest = sum(seconds for seconds in shot.rests if seconds >= LEAST_REST)
        async with self._queue.slot(latest, caller, weight, times, rest) as slot:
            begun = loop.time()
            if still is not None and (hosts := await still()) != shot.hosts:
                shot = replace(shot, hosts=hosts)
                allowed_target = await self._proxy.check_url(shot.url, Scope(hosts=shot.hosts, caller=caller))
            wanted = begun + shot.timeout + shot.delay
            aside = functools.partial(self._queue.aside, slot)
            work = _Work(shot, allowed_target, min(latest, wanted), caller, aside, slot.behind)
            try:
                rendering = await self._insist(work)
            except TimeoutError:
                raise DeadlinePassed(_too_late(shot, latest - begun if latest < wanted else None)) from None
        return replace(rendering, queue_seconds=slot.waited, render_seconds=loop.time() - begun)

    @property
    def standing(self) -> tuple[int, int, int]:
        """How many slots there are, how many are taken, and how many requests wait for one."""
        return self._queue.standing

    @property
    def browser_age(self) -> float | None:
        """Seconds since the browser in service was started; None while there is none."""
        return self._browser.age

    @property
    def restarts(self) -> dict[str, int]:
        """How often the browser was replaced, by cause."""
        return dict(self._browser.restarts)

    async def reload(self, policy: Policy, block_rules: Path | None) -> None:
        """Go by another policy and other rules from the next connection and shot on.

        Raises OperatorError for rules that cannot be read, and changes nothing then.
        """
        await asyncio.to_thread(self._blocking.reload, block_rules)
        self._browser.reload(policy)

    async def health(self) -> Health:
        """Say whether the browser draws, as of a round trip through all of it that is two seconds old at most."""
        if self._queue.closed:
            return Health(ok=False, reason="draining")
        return await self._health_cache.health()

    async def _look(self) -> str:
        if self._browser.is_proven_since(FRESH_SECONDS):
            return ""
        try:
            await self._browser.prove()
        except BrowserGone as error:
            return str(error) or "it does not draw a blank page"
        return ""

    async def drain(self, seconds: float) -> bool:
        """Take no more shots; say whether those taken were done within *seconds*."""
        return await self._queue.close(seconds)

    def close(self) -> None:
        """Look at the browser no more."""
        self._health_cache.close()

    async def _insist(self, work: _Work) -> Rendering:
        """Try, and try once more if the browser died of it or under it; apart from others if it may be to blame."""
        if self._circuit_breaker.refuses(work.name):
            raise PageEnded("Pages of this host have ended the browser again and again: it is not opened for minutes.")
        apart = self._circuit_breaker.has(work.name)
        try:
            return await self._try(work, [], apart=apart)
        except PageEnded:
            raise  # it would be ended again, and others would pay for that
        except (BrowserGone, PageCrashed, InternalError) as error:
            lost = error
        too_late = ServiceUnavailable("The browser was lost; try again.", RETRY_SECONDS)
        if asyncio.get_running_loop().time() > work.deadline:
            raise too_late from lost
        logs.event("shot_tried_again", reason=type(lost).__name__)
        tabs: list[Tab] = []
        try:
            return await self._try(work, tabs, apart=apart or isinstance(lost, PagesBlamed))
        except TimeoutError as error:
            # Too late only because our browser was lost is no word on the page, unless that was its doing, too.
            if isinstance(lost, PagesBlamed) and any(_had_time(work, tab) for tab in tabs):
                raise
            raise too_late from error
        except BrowserGone as error:
            raise too_late from error

    async def _try(self, work: _Work, tabs: list[Tab], *, apart: bool) -> Rendering:
        """Try once; *tabs* get the one that it was given."""
        try:
            rendering = await self._attempt(work, tabs, apart=apart)
        except PagesBlamed as error:
            alone = error.alone or apart
            self._circuit_breaker.note(work.name, alone=alone)
            if alone:
                logs.event("page_blamed", reason=str(error))
                raise PageEnded("The page ended the browser that it was in.") from error
            raise
        except PageEnded:
            raise
        except (BoxError, TimeoutError):
            if tabs:
                self._circuit_breaker.clear(work.name)  # whatever it was, the browser lives
            raise
        self._circuit_breaker.clear(work.name)
        return rendering

    async def _attempt(self, work: _Work, tabs: list[Tab], *, apart: bool) -> Rendering:
        _require_handles()
        tab = None
        try:
            async with asyncio.timeout_at(work.deadline), self._browser.tab(work.behind, apart=apart) as tab:
                tabs.append(tab)
                rendering = await self._captured(tab, work)
                if tab.egress.starved:  # it lacks something that the page has
                    raise _too_few_handles()
                return replace(rendering, fetched=tab.egress.received, refused=tab.egress.told_refusals())
        except TimeoutError:
            _require_handles(tab)
            if apart and tab is not None and tab.fate is None:  # its browser has ended with it: nobody can ask that
                raise
            if not await self._browser.verify(tab):  # ours or the page's fault?
                raise _too_busy() from None
            raise
        except PageCrashed:
            _require_handles(tab)
            await self._browser.verify(tab)
            raise
        except ProtocolError as error:
            await self._browser.verify(tab)
            logs.fault("capture_failed", error)
            raise InternalError("The page could not be captured.") from error

    async def _captured(self, tab: Tab, work: _Work) -> Rendering:
        begun = time.monotonic()
        kit = CaptureResources(self._blocking, self._encoder, self._browser.user_agent, self._insecure_hosts)
        try:
            rendering = await capture(Page(tab, work.shot, work.allowed_target, work.deadline, work.aside), kit)
        except (UrlUnreachable, NotAPage, ServiceUnavailable):
            _require_handles(tab)
            await tab.require_alive(begun)
            raise
        tab.require_whole(begun)  # else it may lack what was drawn or loaded meanwhile
        return rendering


def _had_time(work: _Work, tab: Tab) -> bool:
    """Say whether *tab* was given early enough for what ends at all to end in it."""
    return work.deadline - tab.given > work.shot.timeout / 2


def _require_handles(tab: Tab | None = None) -> None:
    """Raise ServiceUnavailable if there are too few for a page, or were for that in *tab*: what failed is our fault."""
    if resources.handles() < resources.SHOT_HANDLES or (tab is not None and tab.egress.starved):
        raise _too_few_handles()


def _too_few_handles() -> ServiceUnavailable:
    return ServiceUnavailable("The box has too few file handles or threads left for a page; try again.", RETRY_SECONDS)


def _too_busy() -> ServiceUnavailable:
    return ServiceUnavailable("The box was too busy with other pages for this one; try again.", RETRY_SECONDS)


def _too_late(shot: Shot, cut_to: float | None) -> str:
    if cut_to is not None:
        return f"The page was not ready within {cut_to:.1f} s, all that the box had left for it."
    return f"The page was not ready within {shot.timeout + shot.delay:g} s (timeout + delay)."


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """What a renderer is made with. Spans in seconds, memory in bytes."""

    executable: Path | None = None
    sandbox: bool = True
    slots: int = 2
    queue_size: int = 100
    queue_timeout: float = 20
    answer_within: float = 55
    small_png: bool = False
    picture_memory: int = 512 << 20
    fetch_limit: int = 1024 << 20
    recycle_after: int = 1000
    recycle_age: float = 86_400
    recycle_memory: int = 1024 << 20
    page_memory: int = 2048 << 20
    lists: Path | None = None  # where fresher filter lists may be
    block_rules: Path | None = None  # the operator's own
    ca_dir: Path | None = None  # certificates of the operator's own authorities
    insecure_hosts: tuple[HostPattern, ...] = ()  # whose certificates are not checked


def equipment(settings: Settings) -> Equipment:
    """Return what *settings* say that there is to render with."""
    return Equipment(
        executable=settings.browser,
        sandbox=not settings.dangerously_disable_sandbox,
        slots=settings.slots,
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout,
        answer_within=settings.answer_within,
        small_png=settings.png == "small",
        picture_memory=settings.picture_memory * MIB,
        fetch_limit=settings.fetch_limit * MIB,
        recycle_after=settings.recycle_after,
        recycle_age=settings.recycle_age,
        recycle_memory=settings.recycle_memory * MIB,
        page_memory=settings.page_memory * MIB,
        lists=settings.lists_dir,
        block_rules=settings.block_rules,
        ca_dir=settings.ca_dir,
        insecure_hosts=settings.insecure_hosts,
    )


@asynccontextmanager
async def running(equipment: Equipment, policy: Policy) -> AsyncIterator[Renderer]:
    """Yield a Renderer with its browser running; end both when the block ends."""
    authorities = await asyncio.to_thread(certificates.authorities, equipment.ca_dir)
    resolver = Resolver()
    proxy = Proxy(policy, equipment.fetch_limit, resolve=resolver.resolve)
    memory = MemoryGuard()
    browser = Browser(
        equipment.executable,
        proxy,
        sandbox=equipment.sandbox,
        warm=equipment.slots,
        recycle_after=equipment.recycle_after,
        recycle_age=equipment.recycle_age,
        recycle_memory=equipment.recycle_memory,
        page_memory=equipment.page_memory,
        authorities=authorities,
        memory=memory,
    )
    queue = CaptureQueue(equipment.slots, equipment.queue_size, equipment.queue_timeout, memory.admits)
    loading = asyncio.create_task(asyncio.to_thread(BlockingEngine.load, equipment.lists, equipment.block_rules))
    try:
        await browser.start()  # meanwhile: it takes as long
        renderer = Renderer(browser, queue, proxy, equipment, await loading)
        try:
            yield renderer
        finally:
            renderer.close()
    finally:
        await asyncio.gather(loading, return_exceptions=True)
        await browser.close()
        await proxy.close()
        resolver.close()
