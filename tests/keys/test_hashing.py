"""One bound for all that a server hashes and proves: secrets of keys, and the operator's password."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import sqlite_utils

from allscreenshots_box import keys
from allscreenshots_box.admin import password as passwords
from allscreenshots_box.admin.authentication import AdminAuthentication
from allscreenshots_box.config import Settings
from allscreenshots_box.keys.authentication import Authenticator
from allscreenshots_box.keys.hashing import AT_ONCE, Hasher
from allscreenshots_box.keys.rate_limits import TokenBuckets
from allscreenshots_box.storage import database
from tests.keys.test_authentication import CountingHasher, carrying

PASSWORD = "correct horse battery"
CROWD = 12


class Noting(CountingHasher):
    """The same, which notes what was proven, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.proven: list[str | bytes] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 - its name in the base
        right = super().verify(hash, password)
        self.proven.append(password)
        return right


async def begun(counting: CountingHasher, number: int) -> None:
    async with asyncio.timeout(10):
        while counting.at_once < number:  # noqa: ASYNC110 - only the threads can tell
            await asyncio.sleep(0.01)


def test_a_crowd_of_keys_and_a_password_share_the_bound_and_the_password_does_not_wait_for_all(
    settings: Settings, db: sqlite_utils.Database
) -> None:
    noting = Noting()
    secrets = [keys.create(db, noting, f"svc{number}")[1] for number in range(CROWD)]
    passwords.set_password(db, noting.hash(PASSWORD), now=datetime.now(UTC))
    noting.open.clear()

    async def scene() -> None:
        async with database.connected(settings.database_path) as connected:
            hasher = Hasher(noting)
            authenticator = Authenticator(connected, hasher, TokenBuckets())
            authentication = AdminAuthentication(connected, hasher, TokenBuckets())
            crowd = [asyncio.create_task(authenticator.recognize(carrying(one), "192.0.2.1")) for one in secrets]
            await begun(noting, AT_ONCE)
            signing_in = asyncio.create_task(authentication.sign_in(PASSWORD, "192.0.2.7", None))
            async with asyncio.timeout(10):
                while not authentication._throttle._lines[False].locked():  # noqa: ASYNC110 - it waits for a thread
                    await asyncio.sleep(0.01)
            noting.open.set()
            await asyncio.gather(*crowd)
            assert await signing_in
            await authenticator.close()
            await authentication.close()
            hasher.close()

    asyncio.run(scene())
    assert noting.most_at_once == AT_ONCE
    assert noting.proven.index(PASSWORD) <= AT_ONCE + 1


def test_who_hangs_up_frees_no_thread() -> None:
    counting = CountingHasher()
    hashed = counting.hash(PASSWORD)
    counting.open.clear()

    async def scene() -> None:
        hasher = Hasher(counting)
        asked = [asyncio.create_task(hasher.matches(hashed, PASSWORD)) for _ in range(AT_ONCE)]
        await begun(counting, AT_ONCE)
        for one in asked:
            one.cancel()
            with suppress(asyncio.CancelledError):
                await one
        last = asyncio.create_task(hasher.matches(hashed, PASSWORD))
        await asyncio.sleep(0)
        counting.open.set()
        assert await last
        hasher.close()

    asyncio.run(scene())
    assert counting.most_at_once == AT_ONCE
