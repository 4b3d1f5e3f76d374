"""Argon2: the hashes of keys and of the operator's password, and one bound for all that a server makes and proves."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from .secrets import generate

T = TypeVar("T")

AT_ONCE = 2  # argon2 takes a core and 19 MiB each


@dataclass(frozen=True)
class GeneratedKey:
    """A secret that no key has yet, and its hash."""

    secret: str = field(repr=False)
    hash: str = field(repr=False)


class Hasher:
    """Argon2 for all who ask a server, whatever they want hashed or proven: at most AT_ONCE at once.

    Who is served has a thread until that is done, also when the client who asked hangs up: that frees nothing early.
    The others wait in the order that they came in; so whoever can be a crowd has a line of his own before this one.
    """

    def __init__(self, argon2: PasswordHasher) -> None:
        self._argon2 = argon2
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")

    async def matches(self, hashed: str, text: str) -> bool:
        """Say whether *hashed* is the hash of *text*."""
        return await self._run(matches, hashed, text)

    async def hash(self, text: str) -> str:
        """Return a new hash of *text*."""
        return await self._run(PasswordHasher.hash, text)

    async def generated(self) -> GeneratedKey:
        """Return a new secret with its hash."""
        return await self._run(generated)

    def is_outdated(self, hashed: str) -> bool:
        """Say whether a hash was made at a lower cost than this one's."""
        return is_outdated(self._argon2, hashed)

    def close(self) -> None:
        """Let what is being made and proven come to its end."""
        self._threads.shutdown()

    async def _run(self, function: Callable[..., T], *args: str) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, self._argon2, *args)


def hasher_of(memory_mib: int, passes: int) -> PasswordHasher:
    """Return the argon2id hasher for a cost: OWASP's minimum is 19 MiB and 2 passes."""
    return PasswordHasher(time_cost=passes, memory_cost=memory_mib * 1024, parallelism=1)


def matches(argon2: PasswordHasher, hashed: str, text: str) -> bool:
    """Say whether *hashed* is the hash of *text*. Slow on purpose."""
    try:
        return argon2.verify(hashed, text)
    except VerifyMismatchError:
        return False


def is_outdated(argon2: PasswordHasher, hashed: str) -> bool:
    """Say whether a hash was made at a lower cost than that of *argon2*."""
    made = extract_parameters(hashed)
    return made.memory_cost < argon2.memory_cost or made.time_cost < argon2.time_cost


def generated(hasher: PasswordHasher | GeneratedKey) -> GeneratedKey:
    """Generate a secret with its hash, unless that was done. Slow on purpose: a server does it ahead of `create`."""
    if isinstance(hasher, GeneratedKey):
        return hasher
    secret = generate()
    return GeneratedKey(secret, hasher.hash(secret))
