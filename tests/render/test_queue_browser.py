"""One key's pages that wait, beside another's plain pictures: in the box as it is."""

import asyncio

import httpx
import pytest

from tests.box import Box
from tests.site.server import Site
from tests.test_serve import eventually

SLOW_CALLERS, PLAIN_CALLERS, PICTURES = 6, 2, 3
DELAY = 12_000  # milliseconds


@pytest.mark.parametrize("rest", [{"delay": DELAY}, {"actions": [{"type": "wait", "ms": DELAY}]}], ids=str)
def test_plain_pictures_do_not_wait_for_six_callers_of_another_key_whose_pages_rest(
    box: Box, site: Site, rest: dict[str, object]
) -> None:
    secrets = {name: box.key(f"{name}-{next(iter(rest))}") for name in ("slow", "plain")}
    site.forget()

    async def ask(client: httpx.AsyncClient, name: str, **body: object) -> httpx.Response:
        order = {"url": site.url(f"/green.html?{name}"), **body}
        return await client.post("/v1/screenshots", json=order, headers={"X-API-Key": secrets[name]})

    async def one_after_the_other(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await ask(client, "plain") for _ in range(PICTURES)]

    def begun() -> bool:
        return any(one.path == "/green.html?slow" for one in site.requests)

    async def scene() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=box.url, timeout=70) as client:
            resting = [asyncio.create_task(ask(client, "slow", **rest)) for _ in range(SLOW_CALLERS)]
            assert await asyncio.to_thread(eventually, begun)
            both = await asyncio.gather(*(one_after_the_other(client) for _ in range(PLAIN_CALLERS)))
            for one in resting:
                one.cancel()
            await asyncio.gather(*resting, return_exceptions=True)
            return [answer for answers in both for answer in answers]

    answers = asyncio.run(scene())
    assert [answer.status_code for answer in answers] == [200] * PLAIN_CALLERS * PICTURES
    assert max(int(answer.headers["X-Queue-Time-Ms"]) for answer in answers) < DELAY / 2
