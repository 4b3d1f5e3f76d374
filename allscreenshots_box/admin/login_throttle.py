"""How often a password may be tried: from one address, from those near it, and by all strangers together."""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import BoxError, RateLimited, ServiceUnavailable
from ..keys.authentication import network_of
from ..keys.plans import Plan
from ..keys.rate_limits import TokenBuckets


def _tries(at_once: int, an_hour: int) -> Plan:
    return Plan(
        name="sign-ins",
        requests_per_hour=an_hour,
        requests_burst=at_once,
        screenshots_per_hour=1,
        screenshots_burst=1,
    )


OF_ADDRESS = _tries(10, 120)  # wrong passwords of one address, for IPv6 of one /64
OF_NEAR = _tries(30, 300)  # ... of all that one customer of a network may have: a /24, for IPv6 a /48
OF_ALL = _tries(120, 1200)  # ... of all strangers
IPV4_NEAR, IPV6_NEAR = 24, 48  # bits
MOST_PROOFS = 16  # that wait or run, each for another address; one at a time waits for argon2 with those of keys
MOST_NEAR = 4  # of these, for addresses near each other
PROOF_SECONDS = 10.0
KNOWN_FOR = timedelta(days=30)  # since the last good sign-in, and as long as this process lives
MOST_KNOWN = 100  # addresses; the one that signed in the longest ago goes first

Proof = Callable[[], Awaitable[bool]]

_LINK = "use a one-time link: the page to sign in on names the command that prints one"


@dataclass(frozen=True)
class _Guess:
    address: str
    near: str
    known: bool


class LoginThrottle:
    """Bounds what strangers may try, and keeps a line of its own for addresses that signed in well.

    Whoever has many networks can use up what all strangers have, and fill their line: never that of those who are
    known, who have only the bound of their own address.
    """

    def __init__(self, buckets: TokenBuckets) -> None:
        self._buckets = buckets
        self._proving: dict[str, _Guess] = {}  # by address
        self._known: OrderedDict[str, tuple[str, datetime]] = OrderedDict()
        self._lines = {known: asyncio.Lock() for known in (False, True)}
        self._tasks: set[asyncio.Task[bool]] = set()

    def knows(self, client: str, hashed: str, now: datetime) -> bool:
        """Say whether somebody proved the hash *hashed* from *client* not long ago."""
        proven, moment = self._known.get(network_of(client), (None, now))
        return proven == hashed and now - moment < KNOWN_FOR

    def remember(self, client: str, hashed: str, now: datetime) -> None:
        """Take note that somebody proved *hashed* from *client*: with another password, nobody is known by it."""
        address = network_of(client)
        self._known[address] = hashed, now
        self._known.move_to_end(address)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def check(self, proof: Proof, client: str, *, known: bool) -> bool:
        """Return what *proof* says, which is slow, of a password from *client*; a right one costs no try.

        Raises RateLimited and ServiceUnavailable.
        """
        guess = _Guess(network_of(client), near(client), known)
        if guess.address in self._proving:
            raise RateLimited("A password from your address is being checked already; try again.", 1)
        self._charge(guess)
        self._require_place(guess)
        right = await self._run(proof, guess)
        if right:
            for name, bound, _ in _bounds(guess):
                self._buckets.give_back(name, "general", bound)
        return right

    async def close(self) -> None:
        """Let what is being proven come to its end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _charge(self, guess: _Guess) -> None:
        """Count a try, in every bound that holds for it, or in none."""
        taken: list[tuple[str, Plan]] = []
        for name, bound, refusal in _bounds(guess):
            state = self._buckets.take(name, "general", bound)
            if state.wait:
                for earlier in taken:
                    self._buckets.give_back(earlier[0], "general", earlier[1])
                raise refusal(state.retry_after)
            taken.append((name, bound))

    def _require_place(self, guess: _Guess) -> None:
        """Raise unless there is a place in the line; a flood from addresses near each other gets a part of it."""
        line = [other for other in self._proving.values() if other.known == guess.known]
        if not guess.known and sum(other.near == guess.near for other in line) >= MOST_NEAR:
            raise RateLimited(f"Passwords from addresses near yours are being checked; try again, or {_LINK}.", 1)
        if len(line) >= MOST_PROOFS:
            raise _busy()

    async def _run(self, proof: Proof, guess: _Guess) -> bool:
        running = asyncio.create_task(self._prove(proof, guess))
        self._proving[guess.address] = guess
        self._tasks.add(running)
        # It goes on when the client hangs up: that frees nothing early.
        running.add_done_callback(lambda _: self._proving.pop(guess.address))
        running.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                return await asyncio.shield(running)
        except TimeoutError:
            raise _busy() from None

    async def _prove(self, proof: Proof, guess: _Guess) -> bool:
        async with self._lines[guess.known]:
            return await proof()


def near(client: str) -> str:
    """Return the network that one stranger may have all of: the /24 of an address, for IPv6 its /48."""
    try:
        network = ipaddress.ip_network(network_of(client))
    except ValueError:
        return client
    return str(network.supernet(new_prefix=IPV4_NEAR if network.version == 4 else IPV6_NEAR))  # noqa: PLR2004


def _bounds(guess: _Guess) -> Iterator[tuple[str, Plan, Callable[[int], BoxError]]]:
    """Yield the buckets that a try is taken from, the narrowest first, and what is said if one is empty."""
    yield guess.address, OF_ADDRESS, _too_many_of_address
    if not guess.known:
        yield f"near {guess.near}", OF_NEAR, _too_many_near
        yield "all", OF_ALL, _too_many_of_all


def _too_many_of_address(seconds: int) -> BoxError:
    return RateLimited(f"Too many wrong passwords from your address; try again in {seconds} s.", seconds)


def _too_many_near(seconds: int) -> BoxError:
    said = f"Too many wrong passwords from addresses near yours; try again in {seconds} s, or {_LINK}."
    return RateLimited(said, seconds)


def _too_many_of_all(seconds: int) -> BoxError:
    said = f"Too many wrong passwords from everywhere; try again in {seconds} s, or {_LINK}."
    return ServiceUnavailable(said, seconds)


def _busy() -> BoxError:
    return ServiceUnavailable(f"Too many passwords are being checked; try again, or {_LINK}.", 1)
