"""Places in the network as an operator writes them: a host, *.DOMAIN, an address or a network, and maybe a port."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SPELLING = "a host name, *.DOMAIN, an address in full or a network such as 10.0.0.0/8, and may end in :PORT"

_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?")
_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):(\d{1,5})")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # as the end of a host makes an address of all of it, to browsers
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class HostPattern:
    """A name, a pattern of names or a network, at one port or at all of them."""

    where: Network | str
    port: int | None = None

    def __str__(self) -> str:
        text = str(self.where)
        if not isinstance(self.where, str) and self.where.num_addresses == 1:
            text = str(self.where.network_address)
        return text if self.port is None else f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"

    def has(self, host: str, port: int, address: Address) -> bool:
        """Say whether *host*, which is at *address*, lies here."""
        if self.port not in {None, port}:
            return False
        if isinstance(self.where, str):
            return host.endswith(self.where[1:]) if self.where.startswith("*.") else host == self.where
        return address in self.where

    def is_endpoint(self, host: str, port: int) -> bool:
        """Say whether this is exactly *host*, as URLs spell it, at *port*."""
        named = self.where if isinstance(self.where, str) else str(HostPattern(self.where))
        return self.port == port and host == named


def read(text: str) -> HostPattern:
    """Read one place; ValueError for what is none."""
    word = text.strip().lower()
    found = _WITH_PORT.fullmatch(word)
    try:
        if found and not 1 <= int(found[2]) <= _HIGHEST_PORT:
            raise ValueError  # noqa: TRY301 - told like the others
        return HostPattern(_where(found[1]), int(found[2])) if found else HostPattern(_where(word))
    except ValueError:
        raise ValueError(f"{text!r} must be {SPELLING}") from None


def _where(word: str) -> Network | str:
    try:
        return ipaddress.ip_network(word.removeprefix("[").removesuffix("]"), strict=False)
    except ValueError:
        return host(word, wild=True)


def host(text: str, *, wild: bool = False) -> str:
    """Return a host name or literal address as URLs spell it, lower case and without brackets; else ValueError."""
    bare = text.strip().lower().removeprefix("[").removesuffix("]").rstrip(".")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        numeric = _NUMBER.fullmatch(bare.rpartition(".")[2])
        if numeric or not _HOST.fullmatch(bare) or (bare.startswith("*.") and not wild):
            raise ValueError(f"{text!r} is not a host name or address") from None
        return bare


def any_has(places: Iterable[HostPattern], host: str, port: int, addresses: Sequence[Address]) -> bool:
    """Say whether *host* at any of its *addresses* lies in any of *places*."""
    return any(place.has(host, port, address) for place in places for address in addresses)
