"""Work for a client, which ends when the client goes away."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import ClientGone

T = TypeVar("T")
Receive = Callable[[], Awaitable[Mapping[str, Any]]]  # as ASGI has it


async def while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what *work* returns; cancel it and raise ClientGone if the client hangs up before.

    To be used once the body is read: what *receive* brings then can only be the end.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})  # what it holds is given back before the request counts as over
        with suppress(BaseException):
            working.exception()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
