"""Who may come in: turns a request's headers into the key it was made with, charged once."""

import asyncio
import hashlib
import hmac
import ipaddress
import math
import re
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from sqlite3 import DatabaseError
from urllib.parse import unquote_plus

from .. import logs
from ..errors import KeyInQuery, RateLimited, ServiceUnavailable, Unauthorized
from ..hosts import HostPattern, Network
from ..storage.database import Database
from . import store
from .hashing import AT_ONCE, Hasher
from .plans import Kind, Plan
from .rate_limits import BucketState, TokenBuckets
from .secrets import PREFIX_LENGTH, SCHEME, is_well_formed
from .store import KeySecret

PROOF_WAIT_SECONDS = 3.0
PROOF_RETRY_SECONDS = 1
LAST_USED_SECONDS = 30.0  # never a write a request
REMEMBERED = 50_000  # proven secrets, and addresses with failures; 200 bytes each
FAILURES = 10  # wrong proofs that one address may ask for under one row ...
FAILURE_SECONDS = 60.0  # ... in this time
# Tokens that a key gets back for requests that it got wrong: a mistake is free, and a flood of them is not.
RETURNED = Plan(
    name="returned", requests_per_hour=3600, requests_burst=100, screenshots_per_hour=1, screenshots_burst=1
)
IPV6_SITE = 64  # bits; a customer has all addresses below

_KEY_IN_QUERY = re.compile(r"ask_[0-9A-Za-z]{16}")  # more than the 12 characters that anyone may name a key by

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class AuthenticatedRequest:
    """A request that was let in: its key, and what its bucket said."""

    key: KeySecret
    bucket_state: BucketState


class Authenticator:
    """Turns the headers of a request into the key it was made with."""

    def __init__(self, database: Database, hasher: Hasher, buckets: TokenBuckets) -> None:
        self._database = database
        self._buckets = buckets
        self._prover = _Prover(database, hasher)
        self._used: dict[str, float] = {}  # prefix -> when its last use was written
        self._tasks: set[asyncio.Task[None]] = set()

    async def admit(self, headers: Headers, client: str, kind: Kind) -> AuthenticatedRequest:
        """Return the key that *headers* carry, charged for one request of *kind*.

        Raises Unauthorized, RateLimited, or ServiceUnavailable when too many keys wait to be proven.
        """
        key = await self.recognize(headers, client)
        bucket_state = self._buckets.take(key.id, kind, key.plan)
        if bucket_state.wait:
            raise Limited(key, bucket_state)
        self._note_use(key)
        return AuthenticatedRequest(key, bucket_state)

    async def recognize(self, headers: Headers, client: str) -> KeySecret:
        """Return the live key that *headers* carry, charged for nothing."""
        secret = presented(headers)
        if secret is None or not is_well_formed(secret):
            raise Unauthorized
        # Read on every request: a key that was rotated or revoked beside us stops working at once.
        key = await self._database.run(store.by_prefix, secret[:PREFIX_LENGTH])
        if key is None or not key.is_live(datetime.now(UTC)):
            raise Unauthorized
        if not await self._prover.proves(key, secret, network_of(client)):
            raise Unauthorized
        return key

    async def hosts_of(self, prefix: str) -> tuple[HostPattern, ...]:
        """Return where shots of a secret that was recognized a while ago may go now. Raises Unauthorized."""
        key = await self._database.run(store.by_prefix, prefix)
        if key is None or not key.is_live(datetime.now(UTC)):
            raise Unauthorized
        return key.hosts

    @property
    def proofs(self) -> dict[str, int]:
        """How many proofs argon2 was asked for, by outcome."""
        return dict(self._prover.proofs)

    def give_back(self, authenticated: AuthenticatedRequest, *, bounded: bool) -> BucketState:
        """Return the token that a request cost which the box did not serve; if that is *bounded*, not without end."""
        key, kind = authenticated.key, authenticated.bucket_state.kind
        if bounded and self._buckets.take(f"returned to {key.id}", "general", RETURNED).wait:
            return authenticated.bucket_state
        return self._buckets.give_back(key.id, kind, key.plan)

    async def close(self) -> None:
        """Let what is being written be written."""
        await asyncio.gather(*self._tasks)

    def _note_use(self, key: KeySecret) -> None:
        now = time.monotonic()
        if now - self._used.get(key.prefix, -math.inf) < LAST_USED_SECONDS:
            return
        if len(self._used) >= REMEMBERED:
            self._used.clear()
        self._used[key.prefix] = now
        task = asyncio.create_task(self._write_use(key.prefix))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_use(self, prefix: str) -> None:
        try:
            await self._database.run(store.touch, prefix, datetime.now(UTC))
        except DatabaseError as error:  # a full disk keeps nobody out
            self._used.pop(prefix, None)
            logs.fault("last_use_not_written", error, key=prefix)


class Limited(RateLimited):
    """A proven key with an empty bucket: the answer still tells where the bucket stands."""

    def __init__(self, key: KeySecret, bucket_state: BucketState) -> None:
        seconds = bucket_state.retry_after
        kinds = {"screenshot": "screenshots", "general": "requests"}
        super().__init__(
            f"Too many {kinds[bucket_state.kind]} for this key's plan; the next is due in {seconds} s.", seconds
        )
        self.authenticated = AuthenticatedRequest(key, bucket_state)


class _Prover:
    """Remembers which hash was proven by which secret, and never more than that.

    What is remembered is a keyed digest that means nothing outside this process. The right secret of a hash,
    once known, also tells every wrong one without argon2.
    """

    def __init__(self, database: Database, hasher: Hasher) -> None:
        self._database = database
        self._hasher = hasher
        self._salt = secrets.token_bytes(32)
        self._proven: OrderedDict[str, bytes] = OrderedDict()  # hash -> digest of its secret
        self._running: dict[str, asyncio.Task[bool]] = {}  # hash -> the one proof that runs for it
        self._failures = _Failures()
        self.proofs: Counter[str] = Counter({"good": 0, "bad": 0})
        self._line = asyncio.Semaphore(AT_ONCE)  # all others wait here: a crowd of keys keeps no password waiting

    async def proves(self, key: KeySecret, secret: str, network: str) -> bool:
        """Say whether *secret* is *key*'s; asks argon2 only for what is not known."""
        digest = hashlib.blake2b(secret.encode(), key=self._salt, digest_size=32).digest()
        try:
            async with asyncio.timeout(PROOF_WAIT_SECONDS):
                while (known := self._proven.get(key.hash)) is None:
                    if (running := self._running.get(key.hash)) is not None:
                        await asyncio.wait([running])  # it may be a proof of this very secret
                    elif self._failures.too_many(network, key.prefix):
                        return False
                    elif not await asyncio.shield(self._start(key, secret, digest)):
                        self._failures.count(network, key.prefix)
                        return False
        except TimeoutError:
            raise ServiceUnavailable("Too many keys are being checked; try again.", PROOF_RETRY_SECONDS) from None
        return hmac.compare_digest(known, digest)

    def _start(self, key: KeySecret, secret: str, digest: bytes) -> asyncio.Task[bool]:
        """Begin a proof that goes on when the client who asked for it hangs up: that frees nothing early."""
        task = asyncio.create_task(self._prove(key, secret, digest))
        self._running[key.hash] = task
        task.add_done_callback(lambda _: self._running.pop(key.hash))
        return task

    async def _prove(self, key: KeySecret, secret: str, digest: bytes) -> bool:
        async with self._line:
            if not await self._hasher.matches(key.hash, secret):
                self.proofs["bad"] += 1
                return False
            self.proofs["good"] += 1
            self._remember(key.hash, digest)
            if self._hasher.is_outdated(key.hash):
                new_hash = await self._hasher.hash(secret)
                self._remember(new_hash, digest)
                try:
                    await self._database.run(store.rehash, key, new_hash)
                except DatabaseError as error:
                    logs.fault("key_not_rehashed", error, key=key.prefix)
        return True

    def _remember(self, hashed: str, digest: bytes) -> None:
        if len(self._proven) >= REMEMBERED:
            self._proven.popitem(last=False)
        self._proven[hashed] = digest


class _Failures:
    """Wrong proofs by network and row, forgotten with time and never more than REMEMBERED.

    Kept apart by row, so that a bad key keeps out nobody else behind its address.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()  # count, since

    def too_many(self, network: str, prefix: str) -> bool:
        count, since = self._counts.get((network, prefix), (0, 0.0))
        return count >= FAILURES and time.monotonic() - since < FAILURE_SECONDS

    def count(self, network: str, prefix: str) -> None:
        count, since = self._counts.pop((network, prefix), (0, 0.0))
        now = time.monotonic()
        if now - since >= FAILURE_SECONDS:
            count, since = 0, now
        if len(self._counts) >= REMEMBERED:
            self._counts.popitem(last=False)
        self._counts[network, prefix] = count + 1, since


def presented(headers: Headers) -> str | None:
    """Return the one key that a request presents; None for none, or for two that differ.

    X-API-Key is the header; Authorization: Bearer is an alias, and any other scheme is somebody else's.
    """
    direct = {_text(value) for name, value in headers if name == b"x-api-key"} - {""}
    bearer = {_bearer(value) for name, value in headers if name == b"authorization"} - {""}
    if direct:  # a bearer token beside the header that is no key of ours may be the reverse proxy's
        bearer = {token for token in bearer if token.startswith(SCHEME)}
    found = direct | bearer
    return found.pop() if len(found) == 1 else None


def _bearer(value: bytes) -> str:
    scheme, _, token = _text(value).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip()


def refuse_key_in_query(query: bytes) -> None:
    """Raise KeyInQuery if anything shaped like a key stands in *query*: by now it stands in logs, too."""
    text = query.decode("latin-1")
    if _KEY_IN_QUERY.search(text) or _KEY_IN_QUERY.search(unquote_plus(unquote_plus(text))):
        raise KeyInQuery(
            "An API key must not stand in a URL: send it in the X-API-Key header, and rotate this one, "
            "for logs on the way have it."
        )


def owned_by(key: KeySecret, organization: str) -> None:
    """Raise Unauthorized unless what belongs to *organization* may be touched with *key*."""
    if key.organization != organization:
        raise Unauthorized


def client_of(peer: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """Return the address of the client: the peer, or the right-most untrusted hop behind trusted proxies."""
    hops = [hop.strip() for name, value in headers if name == b"x-forwarded-for" for hop in _text(value).split(",")]
    client = peer
    while hops and is_trusted(client, trusted):
        hop = hops.pop()
        try:
            client = str(ipaddress.ip_address(_without_port(hop)))
        except ValueError:  # a proxy's word for "unknown", or something forged
            break
    return client


def _without_port(hop: str) -> str:
    """Return the address of a hop; some proxies write 192.0.2.1:5678 or [2001:db8::1]:5678."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Say whether *address* is that of a proxy whose word counts."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)


def network_of(client: str) -> str:
    """Return what failures are counted under: the address, for IPv6 its /64."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_SITE), strict=False))
    return client
