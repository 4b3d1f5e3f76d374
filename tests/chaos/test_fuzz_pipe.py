"""Whatever comes over the browser's pipe: nothing reaches the loop's own handler, and the next message is read."""

import asyncio
import base64
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from allscreenshots_box.render.browsers.cdp import DROPPED, FLOODED, AnswerTooLarge, ConnectionLost, ProtocolError
from allscreenshots_box.render.browsers.messages import ORDINARY, WEIGHED, whole
from tests.wire import Wire, spelled, wired

pytestmark = pytest.mark.chaos

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "0"))
SECONDS = 10.0 * ROUNDS  # five minutes of `make chaos`
LEAST = 80  # batches
SEED = 12
PATIENCE = 20.0  # seconds: what has not come by then will not
EVENTS = ("Page.frameNavigated", "Page.loadEventFired", "Runtime.consoleAPICalled", "Target.detachedFromTarget", "A.b")
SESSIONS = ("", "P", "Q", "nobody's")
SIZES = (0, 1, 10, 1000, WEIGHED - 100, WEIGHED, ORDINARY, 3 * ORDINARY)
BITS = ("a", "\0", "\\", '"', "\ud83d", "\ude00", "\U0001f600", "\u00e9", "\uffff", "</", "\u2028")
NUMBERS = (0, -1, 1.5, 1e308, 10**18, 10**30, True, None)
TORN = (b"\xff", b"\xc3\x28", b'"', b"{", b"}", b"[" * 2000, b"\\u", b"\\ud83d", b",", b":", b"1e999", b"\0", b"null")


@dataclass
class Play:
    """One batch: what is said, and what each command must be answered with, if that is certain."""

    dice: random.Random
    numbers: list[int]  # of the commands that wait
    raw: list[bytes] = field(default_factory=list)
    due: dict[int, dict[str, Any]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)  # that something else was said of before

    def text(self) -> str:
        """Return a text of any size and kind."""
        dice = self.dice
        size = dice.choice(SIZES)
        return "".join(dice.choices(BITS, k=size)) if dice.random() < 0.5 and size < WEIGHED else "x" * size

    def value(self, depth: int = 0) -> Any:
        """Return a value of any shape."""
        dice = self.dice
        match dice.randrange(6 if depth < 4 else 3):
            case 0:
                return dice.choice(NUMBERS)
            case 1 | 2:
                return self.text() if depth < 2 else dice.choice(BITS)
            case 3:
                return [self.value(depth + 1) for _ in range(dice.randrange(4))]
            case _:
                return {dice.choice(BITS): self.value(depth + 1) for _ in range(dice.randrange(4))}

    def answer(self) -> None:
        """Answer a command as a browser does."""
        number = self.dice.choice(self.numbers)
        result = {"value": self.value()}
        raw = spelled({"id": number, "result": result, "sessionId": "P"})
        if number not in self.touched and len(raw) <= WEIGHED:
            self.due[number] = json.loads(json.dumps(whole(result)))
        self.say(number, raw)

    def oddity(self) -> None:
        """Answer a command, one that is none, or two at once, in any shape."""
        number = self.dice.choice([*self.numbers, 0, -5, 10**6, 10**19, "1", None, 1.5, [1]])
        message: dict[str, Any] = {"id": number}
        for name in self.dice.sample(["result", "error", "method", "params", "sessionId"], k=self.dice.randrange(4)):
            message[name] = self.value()
        self.say(number, spelled(message))

    def event(self) -> None:
        """Tell something."""
        message = {"method": self.dice.choice(EVENTS), "params": self.value(), "sessionId": self.dice.choice(SESSIONS)}
        if self.dice.random() < 0.2:
            del message[self.dice.choice(list(message))]
        if self.dice.random() < 0.1:
            message["params"] = {"sessionId": self.dice.choice(SESSIONS)}
            self.touched.update(self.numbers)  # it may tell that their page is gone
        self.say(None, spelled(message))

    def data(self) -> None:
        """Send data, which may be cut, torn or too much."""
        number = self.dice.choice(self.numbers)
        letters = base64.b64encode(self.dice.randbytes(self.dice.choice(SIZES))).decode()
        raw = spelled({"id": number, "result": {"data": letters}, "sessionId": "Q"})
        self.say(number, raw if self.dice.random() < 0.5 else self.torn(raw))

    def nonsense(self) -> None:
        """Say something that was good once, or bytes that never were."""
        dice = self.dice
        if dice.random() < 0.3:
            self.raw.append(dice.randbytes(dice.randrange(2000)))
            return
        number = dice.choice(self.numbers)
        self.say(number, self.torn(spelled({"id": number, "result": {"value": self.value()}})))

    def torn(self, raw: bytes) -> bytes:
        """Return bytes with something cut out of them, or put between."""
        torn = bytearray(raw)
        for _ in range(self.dice.randrange(1, 5)):
            place = self.dice.randrange(len(torn) + 1)
            if self.dice.random() < 0.5:
                del torn[place : place + self.dice.choice((1, 10, 1000, len(torn)))]
            else:
                torn[place:place] = self.dice.choice(TORN)
        return bytes(torn)

    def say(self, number: Any, raw: bytes) -> None:
        """Note what is said, and of which command."""
        if isinstance(number, int):
            self.touched.add(number)
        self.raw.append(raw)


def play(dice: random.Random, numbers: list[int]) -> Play:
    """Return a batch of what a browser says, and what none should."""
    made = Play(dice, numbers)
    kinds: list[Callable[[], None]] = [made.answer, made.answer, made.oddity, made.event, made.data, made.nonsense]
    for _ in range(dice.randrange(1, 12)):
        dice.choice(kinds)()
    if any(b"\0" in one or not one.startswith(b"{") or not one.endswith(b"}") for one in made.raw):
        made.due.clear()  # what is torn may say anything, of other commands too
    return made


async def batch(wire: Wire, dice: random.Random, seen: Counter[str]) -> None:
    """Send some commands, say anything, and see that commands are answered still."""
    page = wire.connection.session("P")
    page.on("A.b", lambda event: event["missing"])
    commands = [page.send("A.command", dice.choice((WEIGHED, ORDINARY))) for _ in range(dice.randrange(1, 5))]
    fetched = asyncio.create_task(wire.connection.session("Q").fetch("A.data", 2 * ORDINARY))
    await asyncio.sleep(0)
    numbers = [asked["id"] for asked in wire.asked()]
    made = play(dice, numbers)
    raw = b"".join(one + b"\0" for one in made.raw)
    await wire.say(raw, dice.choice((1, 7, 4096, len(raw) or 1)) if len(raw) < 5000 else dice.choice((4096, 1 << 20)))
    marker = wire.connection.browser.send("A.marker")
    await wire.tell({"id": wire.asked()[-1]["id"], "result": {"whole": "\ud83d\ude00"}})
    async with asyncio.timeout(PATIENCE):
        assert await marker == {"whole": "\U0001f600"}
    for number, command in zip(numbers, commands, strict=False):
        seen[outcome(command)] += 1
        if number in made.due:
            assert command.result() == made.due[number]
    fetched.cancel()


def outcome(command: "asyncio.Future[dict[str, Any]]") -> str:
    """Say in a word what became of a command; it is an answer or an error of ours, or still to come."""
    if not command.done():
        return "waits"
    error = command.exception()
    if error is None:
        assert isinstance(command.result(), dict)
        return "answered"
    assert isinstance(error, ProtocolError), error
    return "too large" if isinstance(error, AnswerTooLarge) else "refused"


async def fuzz(seconds: float) -> Counter[str]:
    """Play batches for so long; after the last, whoever still waits hears that the browser is gone."""
    seen: Counter[str] = Counter()
    end, number = time.monotonic() + seconds, 0
    while number < LEAST or time.monotonic() < end:
        async with wired() as wire:
            for event in EVENTS:
                for name in ("P", "Q"):
                    wire.connection.session(name).on(event, lambda params: params["frame"]["id"])
            wire.connection.session("P").on(DROPPED, lambda dropped: seen.update({dropped["method"]: 1}))
            wire.connection.session("P").on(FLOODED, lambda _: seen.update(["flooded"]))
            for _ in range(10):
                await batch(wire, random.Random(SEED * 1_000_000 + number), seen)
                number += 1
            last = wire.connection.session("P").send("A.last")
            assert wire.ends == 0
        assert isinstance(last.exception(), ConnectionLost)
        assert wire.ends == 0
    seen["batches"] = number
    return seen


def test_nothing_that_comes_over_the_pipe_ends_the_reading() -> None:
    seen = asyncio.run(fuzz(SECONDS))
    print(f"\n{dict(seen)}")  # noqa: T201 - figures of the full form
    assert min(seen[kind] for kind in ("answered", "refused", "too large", "waits")) > 5, seen
