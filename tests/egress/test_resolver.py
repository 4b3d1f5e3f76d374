"""Names that are not answered cost the caller who asked for them, and nobody else."""

import asyncio
import errno
import ipaddress
import resource
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from allscreenshots_box.egress import resolver
from allscreenshots_box.egress.resolver import (
    FAILED,
    MOST_ADDRESSES,
    SHARE,
    SILENT,
    TOO_MANY,
    UNKNOWN,
    Answer,
    Resolver,
)
from allscreenshots_box.errors import BoxError, Overloaded, OverShare, ServiceUnavailable, UrlUnreachable
from allscreenshots_box.hosts import Address

PATIENCE = 10.0  # seconds
THREADS = 32
ALONE = 4  # threads that one caller takes of these
WELL: list[Address] = [ipaddress.ip_address("93.184.215.14")]
SHORT = 0.05  # seconds, in place of those that nobody wants to wait for in a test


class NameServer:
    """Answers at once; to names that begin with `dead` when it is told to, and then that it has failed."""

    def __init__(self) -> None:
        self.asked = Counter[str]()
        self.answers: dict[str, Answer] = {}
        self.alive = threading.Event()

    def ask(self, host: str) -> Answer:
        self.asked[host] += 1
        if host.startswith("dead"):
            self.alive.wait(PATIENCE)
            return self.answers.get(host, FAILED)
        return self.answers.get(host, WELL)

    def holds(self, number: int) -> bool:
        """Say whether so many threads wait for an answer."""
        return sum(count for host, count in self.asked.items() if host.startswith("dead")) == number


Scene = Callable[[Resolver, NameServer], Awaitable[None]]


def play(scene: Scene, threads: int = THREADS) -> None:
    names = NameServer()

    async def run() -> None:
        async with asyncio.timeout(PATIENCE):
            looked_up = Resolver(names.ask, threads)
            try:
                await scene(looked_up, names)
            finally:
                names.alive.set()
                looked_up.close()
            await until(lambda: not any(thread.name == "names" for thread in threading.enumerate()))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what it looks at has no event
        await asyncio.sleep(0.001)


async def outcome(asking: Awaitable[list[Address]]) -> list[Address] | BoxError:
    try:
        return await asking
    except BoxError as error:
        return error


def start(looked_up: Resolver, hosts: list[str], caller: int) -> list[asyncio.Task[list[Address] | BoxError]]:
    return [asyncio.ensure_future(outcome(looked_up.resolve(host, caller))) for host in hosts]


def dead(number: int, of: int) -> list[str]:
    return [f"dead-{of}-{at}.example" for at in range(number)]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESOLVE_SECONDS", "WAIT_SECONDS", "FAILED_SECONDS"):
        monkeypatch.setattr(resolver, name, SHORT)


# --- whose threads they are ---------------------------------------------------------------------


def test_a_callers_dead_names_leave_threads_to_the_others() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        start(looked_up, dead(THREADS * 2, of=1), caller=1)
        await until(lambda: names.holds(ALONE))
        assert await looked_up.resolve("well.example", 2) == WELL
        assert names.holds(ALONE)

    play(scene)


def test_as_many_callers_as_there_are_threads_leave_one_to_the_next() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        for caller in range(1, THREADS):
            start(looked_up, dead(1, of=caller), caller)
        await until(lambda: names.holds(THREADS - 1))
        assert await looked_up.resolve("well.example", THREADS) == WELL

    play(scene)


def test_who_has_a_share_of_dead_names_waits_for_one_of_them() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        waits = start(looked_up, dead(ALONE, of=1), caller=1)
        await until(lambda: names.holds(ALONE))
        [own] = start(looked_up, ["well.example"], caller=1)
        await asyncio.sleep(0)
        assert names.asked["well.example"] == 0
        names.alive.set()
        assert await own == WELL
        await asyncio.gather(*waits)

    play(scene)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("callers", "kind"), [([1] * ALONE, OverShare), (list(range(THREADS)), Overloaded)])
def test_who_finds_no_thread_in_time_hears_whose_fault_that_is(callers: list[int], kind: type[BoxError]) -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        for at, caller in enumerate(callers):
            start(looked_up, dead(1, of=at), caller)
        await until(lambda: names.holds(len(callers)))
        [told] = await asyncio.gather(*start(looked_up, ["well.example"], caller=1))
        assert type(told) is kind
        assert int(told.headers["Retry-After"]) > 0
        assert told.returns_token
        names.alive.set()
        await until(lambda: not looked_up._held)
        assert await looked_up.resolve("well.example", 1) == WELL

    play(scene)


def test_who_goes_away_while_waiting_takes_no_thread_along() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        start(looked_up, dead(ALONE, of=1), caller=1)
        await until(lambda: names.holds(ALONE))
        gone = start(looked_up, ["gone.example", "gone-too.example"], caller=1)
        await asyncio.sleep(0)
        gone[0].cancel()
        names.alive.set()
        gone[1].cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        await until(lambda: not looked_up._held)
        assert not looked_up._waiting

    play(scene)


def test_who_goes_away_just_when_it_gets_a_thread_leaves_it_to_the_next() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        waits = start(looked_up, dead(ALONE, of=1), caller=1)
        await until(lambda: names.holds(ALONE))
        [gone] = start(looked_up, ["gone.example"], caller=1)
        await asyncio.sleep(0)
        looked_up._held[1] -= 1
        looked_up._give_back(1)  # as if two had come back
        gone.cancel()
        looked_up._held[1] += 2
        names.alive.set()
        await asyncio.gather(*waits, gone, return_exceptions=True)
        await until(lambda: not looked_up._held)
        assert names.asked["gone.example"] == 0

    play(scene)


def test_who_waited_for_the_same_name_is_told_what_the_first_hears() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        names.answers["no.example"] = UNKNOWN
        start(looked_up, dead(ALONE, of=1), caller=1)
        await until(lambda: names.holds(ALONE))
        waits = start(looked_up, ["no.example"] * 3, caller=1)
        await asyncio.sleep(0)
        names.alive.set()
        assert all(isinstance(told, UrlUnreachable) for told in await asyncio.gather(*waits))
        assert names.asked["no.example"] == 1
        await until(lambda: not looked_up._held)

    play(scene)


def test_a_system_without_another_thread_is_not_the_callers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scene(looked_up: Resolver, _: NameServer) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(Overloaded):
                await looked_up.resolve("well.example", 1)
        assert await looked_up.resolve("well.example", 1) == WELL

    play(scene)


def test_a_name_server_that_makes_no_sense_takes_no_thread_along() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        names.asked = None  # type: ignore[assignment] # so that it fails
        for at in range(THREADS):
            with pytest.raises(UrlUnreachable):
                await looked_up.resolve(f"odd-{at}.example", 1)
        names.asked = Counter()
        assert await looked_up.resolve("well.example", 1) == WELL

    play(scene)


# --- one name -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("short")
def test_a_silent_name_server_is_not_waited_for() -> None:
    async def scene(looked_up: Resolver, _: NameServer) -> None:
        with pytest.raises(UrlUnreachable, match="its name server did not answer within") as caught:
            await looked_up.resolve("dead.example", 1)
        assert not caught.value.returns_token

    play(scene)


def test_who_asks_for_the_same_name_shares_the_thread() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        names.answers["dead.example"] = WELL
        waits = [*start(looked_up, ["dead.example"] * 3, caller=1), *start(looked_up, ["dead.example"], caller=2)]
        await until(lambda: names.holds(1))
        waits[0].cancel()  # who began it
        names.alive.set()
        assert await asyncio.gather(*waits[1:]) == [WELL] * 3
        assert names.asked["dead.example"] == 1

    play(scene)


def test_an_answer_is_for_those_who_waited_for_it_and_for_nobody_after() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        await looked_up.resolve("well.example", 1)
        await looked_up.resolve("well.example", 1)
        assert names.asked["well.example"] == 2

    play(scene)


def test_a_name_that_failed_is_not_asked_for_again_so_soon() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        names.answers["no.example"] = UNKNOWN
        for caller in range(5):
            with pytest.raises(UrlUnreachable, match="no such name"):
                await looked_up.resolve("no.example", caller)
        assert names.asked["no.example"] == 1

    play(scene)


@pytest.mark.usefixtures("short")
def test_a_name_that_failed_is_asked_for_again_in_the_end() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        names.answers["new.example"] = UNKNOWN
        with pytest.raises(UrlUnreachable):
            await looked_up.resolve("new.example", 1)
        del names.answers["new.example"]
        await until(lambda: not looked_up._answers)
        assert await looked_up.resolve("new.example", 1) == WELL

    play(scene)


def test_an_answer_that_came_too_late_lets_the_next_one_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "RESOLVE_SECONDS", SHORT)

    async def scene(looked_up: Resolver, names: NameServer) -> None:
        names.answers["dead.example"] = WELL
        with pytest.raises(UrlUnreachable):
            await looked_up.resolve("dead.example", 1)
        names.alive.set()
        await until(lambda: not looked_up._held)
        assert await looked_up.resolve("dead.example", 1) == WELL

    play(scene)


def test_only_so_many_names_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "REMEMBERED", 3)

    async def scene(looked_up: Resolver, names: NameServer) -> None:
        for at in range(9):
            names.answers[f"no-{at}.example"] = UNKNOWN
            with pytest.raises(UrlUnreachable):
                await looked_up.resolve(f"no-{at}.example", 1)
        assert list(looked_up._answers) == [f"no-{at}.example" for at in (6, 7, 8)]

    play(scene)


def test_an_address_needs_no_thread() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        assert await looked_up.resolve("::1", 1) == [ipaddress.ip_address("::1")]
        assert not names.asked

    play(scene)


def test_the_log_tells_of_names_that_are_not_answered_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resolver, "RESOLVE_SECONDS", SHORT)
    caplog.set_level("INFO", logger="allscreenshots_box")

    async def scene(looked_up: Resolver, _: NameServer) -> None:
        await asyncio.gather(*start(looked_up, dead(3, of=1), caller=1))

    play(scene)
    told = [record for record in caplog.records if record.getMessage() == "names_unanswered"]
    assert [record.__dict__["fields"]["threads"] for record in told] == [3]


# --- what the system says -----------------------------------------------------------------------


def test_names_that_this_machine_knows_are_found() -> None:
    assert ipaddress.ip_address("127.0.0.1") in resolver.ask("localhost")


def test_an_address_is_what_it_says() -> None:
    assert resolver.ask("93.184.215.14") == WELL
    assert resolver.ask("2606:2800:21f:cb07::1") == [ipaddress.ip_address("2606:2800:21f:cb07::1")]


def test_a_name_that_cannot_be_is_unknown() -> None:
    assert resolver.ask("a" * 64 + ".invalid") == UNKNOWN


def test_a_look_up_without_a_file_handle_is_not_the_names_fault() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # those that are open stay so
    try:
        found = resolver.ask("no-such-host.invalid")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == resolver.NO_MEANS


SYSTEM = {
    "no such name": (socket.EAI_NONAME, UNKNOWN),
    "no address": (socket.EAI_NODATA, UNKNOWN),
    "failed": (socket.EAI_AGAIN, FAILED),
    "no handles": (errno.EMFILE, resolver.NO_MEANS),
    "no memory": (socket.EAI_MEMORY, resolver.NO_MEANS),
}


@pytest.mark.parametrize("case", SYSTEM)
def test_what_the_system_fails_with_is_told_in_our_words(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, failure = SYSTEM[case]
    monkeypatch.setattr(resolver, "_system", lambda _: (code, []))
    assert resolver.ask("some.example") == failure


def test_what_the_box_lacks_is_not_the_callers_fault_nor_remembered() -> None:
    async def scene(looked_up: Resolver, names: NameServer) -> None:
        names.answers["some.example"] = resolver.NO_MEANS
        with pytest.raises(ServiceUnavailable):
            await looked_up.resolve("some.example", 1)
        del names.answers["some.example"]
        assert await looked_up.resolve("some.example", 1) == WELL

    play(scene)


@pytest.mark.parametrize(("number", "fails"), [(MOST_ADDRESSES, False), (MOST_ADDRESSES + 1, True)])
def test_a_name_has_so_many_addresses(number: int, *, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "_system", lambda _: (0, [WELL[0] + at for at in range(number)]))
    found = resolver.ask("many.example")
    assert found == TOO_MANY if fails else len(found) == number


def test_the_share_is_one_that_leaves_something_to_all() -> None:
    assert SHARE >= 2
    assert "5 s" in SILENT.why
