"""What is wrong with this box, if anything: numbered checks, each of them a fact and, where needed, its cure."""

import asyncio
import inspect
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

from .. import logs
from ..config import Loaded, default_data_dir
from ..errors import OperatorError
from ..process import command_hint
from . import browser, machine, service, store
from .context import CheckContext
from .result import CheckResult, Finding, Skipped, State, failed, ok

__all__ = ["NAMES", "Finding", "State", "examine", "lines"]

NAME_WIDTH = 18
SETTINGS = "settings"
ALWAYS = {"data directory"}  # made for the others: from then on we are not root


@dataclass(frozen=True)
class Check:
    """One check. *seconds* is how long it may take."""

    name: str
    make: Callable[[CheckContext], CheckResult | Awaitable[CheckResult]]
    seconds: float = 10.0


CHECKS = (
    # As root, if we are root: a start takes the port and reads the certificate before it gives root up.
    Check("port", service.port),
    Check("tls", service.tls),
    # From here on as the owner of the data directory.
    Check("data directory", store.data_directory, 30.0),
    Check("database", store.sound, 120.0),
    Check("disk", store.disk),
    Check("browser", browser.executable, 15.0),
    Check("sandbox", browser.sandbox, 40.0),
    Check("user namespaces", browser.namespaces),
    Check("shot", browser.shot, 25.0),
    Check("fonts", browser.fonts, 25.0),
    Check("wall", browser.wall, 60.0),
    Check("blocking lists", store.filter_lists, 30.0),
    Check("open files", machine.open_files),
    Check("memory", machine.memory),
    Check("shared memory", machine.shared_memory),
    Check("core dumps", machine.core_dumps),
    Check("key hashing", machine.hashing, 60.0),
    Check("unit", service.unit),
    Check("clock", machine.clock),  # the last: it tells whether the clock jumped meanwhile
)


NAMES = (SETTINGS, *(check.name for check in CHECKS))


def examine(
    load: Callable[[], Loaded], tell: Callable[[Finding], None], only: Collection[str] = NAMES
) -> list[Finding]:
    """Make the checks named in *only*, *tell* each finding as it comes, and return them all.

    Nothing can be checked without settings. What the checks write lies in a directory of their own, which goes with
    them.
    """
    logging.getLogger("allscreenshots_box").addHandler(logging.NullHandler())  # what went wrong stands in the findings
    return uvloop.run(_examine(load, tell, only))


async def _examine(load: Callable[[], Loaded], tell: Callable[[Finding], None], only: Collection[str]) -> list[Finding]:
    findings = []
    async for finding in _findings(load, only):
        if finding.name in only or (finding.name == SETTINGS and finding.state == "failed"):
            tell(finding)
            findings.append(finding)
    return findings


async def _findings(load: Callable[[], Loaded], only: Collection[str]) -> AsyncIterator[Finding]:
    try:
        loaded = load()
    except OperatorError as error:
        shows, goes_on = (command_hint.typed(default_data_dir(), words) for words in ("config", "doctor"))
        cure = f"mend it where it stands; `{shows}` shows what is in force, `{goes_on}` then goes on"
        yield _finding(1, SETTINGS, failed(str(error), cure))
        return
    yield _finding(1, SETTINGS, ok(_told(loaded)))
    context = CheckContext(loaded)
    async with context.stack:
        for number, check in enumerate(CHECKS, start=2):
            if check.name not in only and check.name not in ALWAYS:
                continue
            yield _finding(number, check.name, await _made(check, context))


def _told(loaded: Loaded) -> str:
    given = {name: source for name, source in loaded.sources.items() if source != "default"}
    told = ", ".join(f"{name} ({source})" for name, source in given.items())
    return f"all of them read; given are {told}" if given else "all of them the defaults"


def _finding(number: int, name: str, result: CheckResult) -> Finding:
    return Finding(number, name, **asdict(result))


async def _made(check: Check, context: CheckContext) -> CheckResult:
    """Make one check. However it ends, the next one is made."""
    try:
        async with asyncio.timeout(check.seconds):
            if inspect.iscoroutinefunction(check.make):
                return await cast("Awaitable[CheckResult]", check.make(context))
            return await _aside(cast("Callable[[CheckContext], CheckResult]", check.make), context)
    except Skipped as skipped:
        return CheckResult("skipped", str(skipped))
    except TimeoutError:
        cure = "uptime; free -m; df -h (a machine that swaps, or a disk that hangs); then run doctor again"
        return failed(f"no answer within {check.seconds:g} s", cure)
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, and stops no other
        return failed(f"the check broke: {type(error).__name__}: {logs.clean(str(error))}", "report it, with this line")


async def _aside(make: Callable[[CheckContext], CheckResult], context: CheckContext) -> CheckResult:
    """Make a check in a thread that nobody waits for at the end: a disk that hangs would never let it go."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[CheckResult] = loop.create_future()

    def give(result: CheckResult | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        elif result is not None:
            answer.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = make(context)
        except BaseException as problem:  # noqa: BLE001 - it is raised where it is awaited
            error = problem
        with suppress(RuntimeError):  # too late: the loop is gone
            loop.call_soon_threadsafe(give, result, error)

    threading.Thread(target=work, daemon=True).start()
    return await answer


def lines(finding: Finding) -> list[str]:
    """Return how a finding is printed."""
    name = f"{finding.name} ".ljust(NAME_WIDTH, ".")
    told = [f"{finding.number:2}. {name} {finding.state:7}  {finding.fact}"]
    return [*told, f"    cure: {finding.cure}"] if finding.cure else told
