"""The connection to the browser: whatever comes over it, the reading goes on."""

import asyncio
import base64
import time
import tracemalloc
from typing import Any

import pytest

from allscreenshots_box.render.browsers.cdp import (
    DROPPED,
    EVENT_WORK,
    FLOODED,
    MOST_UNASKED,
    AnswerTooLarge,
    ProtocolError,
)
from allscreenshots_box.render.browsers.messages import ORDINARY, WEIGHED
from tests.wire import Wire, spelled

PATIENCE = 20.0  # seconds: what has not come by then will not

pytestmark = pytest.mark.anyio


async def goes_on(wire: Wire) -> bool:
    """Say whether a command is still answered."""
    answer = wire.connection.browser.send("Browser.getVersion")
    number = wire.asked()[-1]["id"]
    await wire.tell({"id": number, "result": {"product": "x"}})
    async with asyncio.timeout(PATIENCE):
        return await answer == {"product": "x"}


def value(text: str) -> bytes:
    return spelled({"result": {"type": "string", "value": text}})


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\ude00b", "\ufffdb"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\u0000\u00e9", "\0\u00e9"),
    ],
)
async def test_half_a_character_is_replaced_and_a_whole_one_stays(wire: Wire, sent: str, seen: str) -> None:
    answer = wire.connection.browser.send("Runtime.evaluate")
    await wire.say(b'{"id":1,"result":{"%s":["%s"]}}\0' % (sent.encode(), sent.encode()))
    assert await answer == {seen: [seen]}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"17",
        b"{",
        b'{"id":1',
        b'{"id":1}',
        b'{"id":1,"result":null}',
        b'{"id":1,"result":[]}',
        b'{"id":1,"error":"no"}',
        b'{"id":1,"error":{"code":1}}',
        b'{"id":"1","result":{}}',
        b'{"id":-1,"result":{}}',
        b'{"id":1.5,"result":{}}',
        b'{"id":99999999999999999999999,"result":{}}',
        b'{"method":"A.b"}',
        b'{"method":"A.b","params":null}',
        b'{"method":"A.b","params":[]}',
        b'{"method":17,"params":{}}',
        b'{"method":"Target.detachedFromTarget","params":{"sessionId":["x"]}}',
        b'{"method":"Target.detachedFromTarget","params":{}}',
        b'{"method":"A.b","params":{},"sessionId":17}',
        b'{"method":"A.b","params":' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}",
        b'{"id":1,"result":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"id":1,"result":{"a":"\xff\xfe"}}',
        b"\xff" * 1000,
    ],
    ids=lambda raw: raw[:50].decode("ascii", "replace"),
)
async def test_what_makes_no_sense_is_gone_and_the_next_is_read(wire: Wire, raw: bytes) -> None:
    wire.connection.browser.on("A.b", lambda event: event["missing"])
    first = wire.connection.browser.send("A.first")
    await wire.say(raw + b"\0")
    assert await goes_on(wire)
    assert not first.done() or first.exception() is None or isinstance(first.exception(), ProtocolError)


@pytest.mark.parametrize("raw", [b'{"id":1,"result":[]}', b'{"id":1,"result":{"a":}}', b'{"id":1}'])
async def test_an_answer_that_makes_no_sense_fails_its_own_command(wire: Wire, raw: bytes) -> None:
    first, second = (wire.connection.browser.send(method) for method in ("A.first", "A.second"))
    await wire.say(raw + b'\0{"id":2,"result":{}}\0')
    assert await second == {}
    with pytest.raises(ProtocolError):
        await first


async def test_a_handler_that_fails_keeps_nothing_from_the_others(wire: Wire) -> None:
    heard: list[dict[str, Any]] = []
    page = wire.connection.session("P")
    page.on("A.b", lambda event: event["missing"])
    page.on("A.b", heard.append)
    for number in range(2):
        await wire.tell({"method": "A.b", "params": {"n": number}, "sessionId": "P"})
    assert await goes_on(wire)
    assert heard == [{"n": 0}, {"n": 1}]


async def test_an_answer_that_comes_twice_counts_once(wire: Wire) -> None:
    first = wire.connection.browser.send("A.first")
    await wire.tell({"id": 1, "result": {"n": 1}}, {"id": 1, "result": {"n": 2}})
    assert await first == {"n": 1}
    assert await goes_on(wire)


@pytest.mark.parametrize("over", [0, 1])
async def test_an_answer_over_its_bound_fails_its_own_command(wire: Wire, over: int) -> None:
    largest = 3 * WEIGHED
    raw = value("")
    frame = len(b'{"id":1,"result":}') + len(raw)
    answer = wire.connection.browser.send("Runtime.evaluate", largest)
    await wire.say(b'{"id":1,"result":' + value("x" * (largest - frame + over)) + b"}\0")
    assert await goes_on(wire)
    if over:
        with pytest.raises(AnswerTooLarge):
            await answer
    else:
        assert (await answer)["result"]["type"] == "string"


async def test_a_large_message_is_thrown_away_as_it_comes(wire: Wire) -> None:
    dropped: list[dict[str, Any]] = []
    page = wire.connection.session("P")
    page.on("A.b", lambda _: pytest.fail("it was kept"))
    page.on(DROPPED, dropped.append)
    await wire.say(b'{"method":"A.b","params":{"name":"')
    tracemalloc.start()
    for _ in range(30):
        await wire.say(b"x" * ORDINARY)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    await wire.say(b'"},"sessionId":"P"}\0')
    assert await goes_on(wire)
    assert [(one["method"], one["size"] > 30 * ORDINARY) for one in dropped] == [("A.b", True)]
    assert most < 10 * ORDINARY


@pytest.mark.parametrize("length", [60_000, 1])
async def test_a_session_hears_that_it_is_flooded_and_others_do_not(wire: Wire, length: int) -> None:
    flooded: list[dict[str, Any]] = []
    spared: list[dict[str, Any]] = []
    wire.connection.session("P").on(FLOODED, flooded.append)
    wire.connection.session("Q").on(FLOODED, spared.append)
    event = spelled({"method": "Page.frameAttached", "params": {"name": "x" * length}, "sessionId": "P"}) + b"\0"
    for _ in range(MOST_UNASKED // (len(event) - 1 + EVENT_WORK) + 1):
        await wire.say(event)
    await wire.tell({"method": "Page.frameAttached", "params": {}, "sessionId": "Q"})
    assert await goes_on(wire)
    assert (len(flooded), len(spared)) == (1, 0)


@pytest.mark.parametrize("size", [0, 1, 100, WEIGHED, 5 * ORDINARY + 1])
async def test_data_is_decoded_as_it_comes(wire: Wire, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    answer = asyncio.create_task(wire.connection.session("P").fetch("Page.captureScreenshot", 8 * ORDINARY))
    await asyncio.sleep(0)
    await wire.tell({"id": 1, "result": {"data": base64.b64encode(content).decode()}, "sessionId": "P"})
    assert await answer == content
    assert await goes_on(wire)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'{"id":1,"error":{"message":"no"}}', ProtocolError),
        (b'{"id":1,"result":{"data":"' + b"#" * WEIGHED * 2 + b'"}}', ProtocolError),
        (b'{"id":1,"result":{"data":"' + b"A" * 3 * ORDINARY + b'"}}', AnswerTooLarge),
        (b'{"id":1,"result":{"other":"' + b"A" * 3 * ORDINARY + b'"}}', AnswerTooLarge),
        (b'{"id":1,"result":{"data":"' + b"A" * WEIGHED + b'","more":1}}', ProtocolError),
        (b'{"id":1,"result":{"data":"##"}}', ProtocolError),
        (b'{"id":1,"result":{"data":7}}', ProtocolError),
    ],
)
async def test_data_that_is_none_or_too_much_fails_its_command(
    wire: Wire, raw: bytes, error: type[ProtocolError]
) -> None:
    answer = asyncio.create_task(wire.connection.browser.fetch("Page.captureScreenshot", 2 * ORDINARY))
    await asyncio.sleep(0)
    await wire.say(raw + b"\0")
    assert await goes_on(wire)
    with pytest.raises(error):
        await answer


async def test_many_messages_leave_others_their_turns_of_the_loop(wire: Wire) -> None:
    wire.connection.session("P").on("A.b", lambda _: time.sleep(0.001))
    event = spelled({"method": "A.b", "params": {}, "sessionId": "P"}) + b"\0"
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    await wire.say(event * 100)  # in one chunk
    assert await goes_on(wire)
    beside.cancel()
    assert turns > 10


async def test_a_command_with_half_a_character_is_sent(wire: Wire) -> None:
    wire.connection.browser.send("Input.insertText", text="a\ud83db", list=["\ude00"])
    [asked] = wire.asked()
    assert asked["params"] == {"text": "a\ufffdb", "list": ["\ufffd"]}
