"""Work ends with the client that wanted it."""

import asyncio
from typing import Any

import pytest

from allscreenshots_box.errors import ClientGone, NotAPage
from allscreenshots_box.web.disconnect import while_there


class Client:
    """Says what an ASGI server says of a client: nothing, until it leaves."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()

    async def receive(self) -> Any:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def fails() -> int:
    raise NotAPage("nothing there")


async def works() -> int:
    await asyncio.sleep(0)
    return 7


def test_who_stays_gets_the_result() -> None:
    async def act() -> None:
        assert await while_there(Client().receive, works()) == 7
        with pytest.raises(NotAPage):
            await while_there(Client().receive, fails())

    asyncio.run(act())


def test_who_leaves_ends_the_work_before_it_counts_as_ended() -> None:
    async def act() -> None:
        client, given_back = Client(), []

        async def long() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(0)
                given_back.append(1)

        asked = asyncio.create_task(while_there(client.receive, long()))
        await asyncio.sleep(0)
        client.leaves.set()
        with pytest.raises(ClientGone):
            await asked
        assert given_back == [1]

    asyncio.run(act())
