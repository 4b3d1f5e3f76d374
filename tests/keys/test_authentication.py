import asyncio
import ipaddress
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlite_utils
from argon2 import PasswordHasher, profiles

from allscreenshots_box import keys
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import KeyInQuery, ServiceUnavailable, Unauthorized
from allscreenshots_box.keys import authentication
from allscreenshots_box.keys.authentication import Authenticator
from allscreenshots_box.keys.hashing import Hasher
from allscreenshots_box.keys.rate_limits import TokenBuckets
from allscreenshots_box.storage import database


class CountingHasher(PasswordHasher):
    """A real hasher that counts its proofs, and can be made to wait."""

    def __init__(self) -> None:
        cheap = profiles.CHEAPEST
        super().__init__(time_cost=cheap.time_cost, memory_cost=cheap.memory_cost, parallelism=1)
        self.proofs = 0
        self.at_once = 0
        self.most_at_once = 0
        self.open = threading.Event()
        self.open.set()
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 - its name in the base
        with self._lock:
            self.proofs += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.open.wait(10)
            return super().verify(hash, password)
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.fixture
def counting() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def at_the_gate(
    settings: Settings, counting: CountingHasher
) -> Callable[[Callable[[Authenticator], Coroutine[Any, Any, None]]], None]:
    """Return what runs a scene at a gate that was just opened, with nothing proven yet."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Authenticator]:
        async with database.connected(settings.database_path) as db:
            hasher = Hasher(counting)
            authenticator = Authenticator(db, hasher, TokenBuckets())
            yield authenticator
            await authenticator.close()
            hasher.close()

    def play(scene: Callable[[Authenticator], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            async with opened() as authenticator:
                await scene(authenticator)

        asyncio.run(run())

    return play


Play = Callable[[Callable[[Authenticator], Coroutine[Any, Any, None]]], None]


def carrying(secret: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-api-key", secret.encode())]


def forged(secret: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a wrong secret that gets as far as argon2: what costs an attacker 2^47 digests to find."""
    monkeypatch.setattr(authentication, "is_well_formed", lambda _: True)
    return secret[:-1] + ("x" if secret[-1] != "x" else "y")


# Of no box; the same each time, for they are in the names of tests, which all workers must agree on.
KEY = "ask_41AqLeSSDlkW6AQKbYf2zRfGiftrbVtLOTqgr32JUEF1"
OTHER = "ask_9JjPqcg3QhB4Bx30kkaWTcMGKyYjwnAZLGc6hY1ZmcOT"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"x-api-key": KEY}, KEY),
        ({"x-api-key": f" {KEY} "}, KEY),
        ({"authorization": f"Bearer {KEY}"}, KEY),
        ({"authorization": f"bearer {KEY}"}, KEY),
        ({"authorization": f"Basic {KEY}"}, None),
        ({"authorization": KEY}, None),
        ({"x-api-key": KEY, "authorization": f"Bearer {KEY}"}, KEY),
        ({"x-api-key": KEY, "authorization": f"Bearer {OTHER}"}, None),
        ({"x-api-key": KEY, "authorization": "Basic dTpw"}, KEY),
        ({"x-api-key": KEY, "authorization": "Bearer eyJhbGciOi"}, KEY),
        ({"x-api-key": "nonsense", "authorization": f"Bearer {KEY}"}, None),
        ({"x-api-key": "", "authorization": f"Bearer {KEY}"}, KEY),
    ],
)
def test_which_key_a_request_presents(headers: dict[str, str], found: str | None) -> None:
    assert authentication.presented([(name.encode(), value.encode()) for name, value in headers.items()]) == found


def test_one_header_twice_with_two_keys_presents_none() -> None:
    assert authentication.presented(carrying(KEY) + carrying(OTHER)) is None


@pytest.mark.parametrize(
    "query", [f"key={KEY}", f"a=1&b={KEY}", KEY, f"x=%61sk_{KEY[4:]}", f"x=%2561sk_{KEY[4:]}", f"x={KEY[:30]}"]
)
def test_a_key_in_the_query_is_refused(query: str) -> None:
    with pytest.raises(KeyInQuery):
        authentication.refuse_key_in_query(query.encode())


@pytest.mark.parametrize("query", ["", "page=2", f"apiKeyIds={KEY[:12]}", "q=ask_me_about_this_long_word_or_two"])
def test_other_queries_pass(query: str) -> None:
    authentication.refuse_key_in_query(query.encode())


PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1:5678", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:5678", "2001:db8::7"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_the_client_is_the_right_most_untrusted_hop(peer: str, forwarded: str | None, client: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert authentication.client_of(peer, headers, PROXIES) == client


def test_without_trusted_proxies_nobody_can_name_another_client() -> None:
    assert authentication.client_of("10.0.0.1", [(b"x-forwarded-for", b"6.6.6.6")], ()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
    ],
)
def test_failures_are_counted_by_network(client: str, network: str) -> None:
    assert authentication.network_of(client) == network


def test_a_proof_is_remembered(at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher) -> None:
    _, secret = keys.create(db, counting, "svc")

    async def scene(authenticator: Authenticator) -> None:
        for _ in range(5):
            await authenticator.recognize(carrying(secret), "192.0.2.1")

    at_the_gate(scene)
    assert counting.proofs == 1


@pytest.mark.parametrize("ending", ["revoke", "rotate", "expire"])
def test_what_another_process_decides_binds_from_the_next_request(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher, ending: str
) -> None:
    _, secret = keys.create(db, counting, "svc")
    endings: dict[str, Callable[[], object]] = {
        "revoke": lambda: keys.revoke(db, "svc"),
        "rotate": lambda: keys.rotate(db, counting, "svc"),
        "expire": lambda: keys.edit(db, "svc", {"expires": timedelta(microseconds=1)}),
    }

    async def scene(authenticator: Authenticator) -> None:
        await authenticator.recognize(carrying(secret), "192.0.2.1")
        endings[ending]()
        with pytest.raises(Unauthorized):
            await authenticator.recognize(carrying(secret), "192.0.2.1")

    at_the_gate(scene)


def test_a_changed_plan_binds_from_the_next_request(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher
) -> None:
    from allscreenshots_box.keys import plans

    _, secret = keys.create(db, counting, "svc")

    async def scene(authenticator: Authenticator) -> None:
        first = await authenticator.admit(carrying(secret), "192.0.2.1", "screenshot")
        plans.set_plan(db, "default", {"screenshots_burst": 7})
        second = await authenticator.admit(carrying(secret), "192.0.2.1", "screenshot")
        assert (first.bucket_state.limit, second.bucket_state.limit) == (100, 7)

    at_the_gate(scene)


def test_two_secrets_in_a_grace_share_one_bucket(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher
) -> None:
    _, old = keys.create(db, counting, "svc")
    _, new = keys.rotate(db, counting, "svc", grace=timedelta(hours=1))

    async def scene(authenticator: Authenticator) -> None:
        first = await authenticator.admit(carrying(old), "192.0.2.1", "screenshot")
        second = await authenticator.admit(carrying(new), "192.0.2.1", "screenshot")
        assert (first.key.id, first.bucket_state.remaining, second.bucket_state.remaining) == (second.key.id, 99, 98)

    at_the_gate(scene)


def test_unknown_and_malformed_keys_cost_no_proof(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher
) -> None:
    _, secret = keys.create(db, counting, "svc")
    wrong_secret = secret[:12] + keys.generate()[12:]

    async def scene(authenticator: Authenticator) -> None:
        for text in ("", "nonsense", keys.generate(), wrong_secret, secret[:-1] + "!"):
            with pytest.raises(Unauthorized):
                await authenticator.recognize(carrying(text), "192.0.2.1")

    at_the_gate(scene)
    assert counting.proofs == 0


def test_a_flood_of_wrong_secrets_from_its_own_address_never_keeps_the_good_key_out(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher
) -> None:
    _, secret = keys.create(db, counting, "svc")

    async def attempt(authenticator: Authenticator) -> None:
        with pytest.raises(Unauthorized):
            await authenticator.recognize(carrying(secret[:12] + keys.generate()[12:]), "192.0.2.1")

    async def scene(authenticator: Authenticator) -> None:
        flood = [asyncio.create_task(attempt(authenticator)) for _ in range(500)]
        assert (await authenticator.recognize(carrying(secret), "192.0.2.1")).name == "svc"
        await asyncio.gather(*flood)

    at_the_gate(scene)
    assert counting.proofs == 1


def test_once_proven_a_key_tells_wrong_secrets_without_a_proof(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = keys.create(db, counting, "svc")
    wrong = forged(secret, monkeypatch)

    async def scene(authenticator: Authenticator) -> None:
        await authenticator.recognize(carrying(secret), "192.0.2.1")
        with pytest.raises(Unauthorized):
            await authenticator.recognize(carrying(wrong), "192.0.2.1")

    at_the_gate(scene)
    assert counting.proofs == 1


def test_wrong_proofs_are_bounded_by_address_and_row(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = keys.create(db, counting, "svc")
    _, other = keys.create(db, counting, "other")
    wrong = forged(secret, monkeypatch)

    async def scene(authenticator: Authenticator) -> None:
        for _ in range(authentication.FAILURES + 5):
            with pytest.raises(Unauthorized):
                await authenticator.recognize(carrying(wrong), "2001:db8::1")
        assert counting.proofs == authentication.FAILURES
        await authenticator.recognize(carrying(secret), "2001:db8:0:1::1")  # another network
        await authenticator.recognize(carrying(other), "2001:db8::2")  # another row

    at_the_gate(scene)


def test_many_requests_with_one_new_key_cost_one_proof(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher
) -> None:
    _, secret = keys.create(db, counting, "svc")

    async def scene(authenticator: Authenticator) -> None:
        await asyncio.gather(*(authenticator.recognize(carrying(secret), "192.0.2.1") for _ in range(50)))

    at_the_gate(scene)
    assert counting.proofs == 1


def test_at_most_two_proofs_run_at_once(at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher) -> None:
    secrets = [keys.create(db, counting, f"svc{number}")[1] for number in range(12)]

    async def scene(authenticator: Authenticator) -> None:
        await asyncio.gather(*(authenticator.recognize(carrying(secret), "192.0.2.1") for secret in secrets))

    at_the_gate(scene)
    assert counting.proofs == 12
    assert counting.most_at_once <= 2


def test_waiting_for_a_proof_ends_in_503_and_hanging_up_frees_no_permit(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "PROOF_WAIT_SECONDS", 0.05)
    secrets = [keys.create(db, counting, f"svc{number}")[1] for number in range(3)]
    counting.open.clear()

    async def scene(authenticator: Authenticator) -> None:
        for secret in secrets:
            with pytest.raises(ServiceUnavailable) as caught:
                await authenticator.recognize(carrying(secret), "192.0.2.1")
            assert caught.value.headers == {"Retry-After": "1"}
        assert counting.proofs == 2
        counting.open.set()

    at_the_gate(scene)


def test_a_hash_is_made_anew_when_the_cost_rises(settings: Settings, db: sqlite_utils.Database) -> None:
    key, secret = keys.create(db, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), "svc")
    dearer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)

    async def run() -> None:
        async with database.connected(settings.database_path) as opened:
            hasher = Hasher(dearer)
            authenticator = Authenticator(opened, hasher, TokenBuckets())
            await authenticator.recognize(carrying(secret), "192.0.2.1")
            renewed = keys.find(db, key.prefix)
            assert renewed.hash != key.hash
            assert not hasher.is_outdated(renewed.hash)
            await authenticator.recognize(carrying(secret), "192.0.2.1")
            await authenticator.close()
            hasher.close()

    asyncio.run(run())


def test_last_use_is_written_once_in_a_while(
    at_the_gate: Play, db: sqlite_utils.Database, counting: CountingHasher
) -> None:
    _, secret = keys.create(db, counting, "svc")
    seen: list[str | None] = []

    async def scene(authenticator: Authenticator) -> None:
        for _ in range(3):
            await authenticator.admit(carrying(secret), "192.0.2.1", "general")
            await asyncio.gather(*authenticator._tasks)
            seen.append(keys.find(db, "svc").last_used_at)

    at_the_gate(scene)
    assert seen[0] is not None
    assert len(set(seen)) == 1


def test_what_belongs_to_another_organization_is_unauthorized(
    db: sqlite_utils.Database, hasher: PasswordHasher
) -> None:
    db.execute("create table things (id integer primary key, organization text)")
    db.table("things").insert_all([{"id": 1, "organization": "red"}, {"id": 2, "organization": "blue"}])
    red, _ = keys.create(db, hasher, "svc", organization="red")
    owners = {row["id"]: row["organization"] for row in db.table("things").rows}
    authentication.owned_by(red, owners[1])
    with pytest.raises(Unauthorized, match=r"^Invalid or missing API key$"):
        authentication.owned_by(red, owners[2])
