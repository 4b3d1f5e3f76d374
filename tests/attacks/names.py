"""The name server of the attacks' world: a name says itself how it wants to be resolved.

only-0a420105.c1.attack.example              that address (eight digits IPv4, 32 IPv6)
both-5db8d822-0a420105.c1.attack.example     both of them
alias-0a420105.c1.attack.example             a CNAME to a name that has it
rebind-2-5db8d822-0a420105.c1.attack.example the first for two queries, the second ever after, never to be kept
wiki.intranet.example                        the intranet
hush-1.c1.attack.example                     never answered
anything.attack.example                      the public site
"""

import asyncio
import ipaddress
import struct
from collections import Counter
from typing import cast

PUBLIC = ("93.184.216.34", "2606:2800:220:1::1")
INTRANET = "10.20.30.40"
METADATA = "169.254.169.254"

_A, _CNAME, _AAAA = 1, 5, 28
_NO_SUCH_NAME = 3
_ZONES = (".attack.example", ".public.example")
_FIXED = {"wiki.intranet.example": (INTRANET,), "metadata.google.internal": (METADATA,)}

Record = tuple[str, int, bytes]  # owner, type and data


class NameServer(asyncio.DatagramProtocol):
    """Answers at once, with a time to live of zero, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()  # A queries
        self.hushed = 0  # queries that are not answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, end = _read_name(data)
        kind = int.from_bytes(data[end : end + 2])
        if kind == _A:
            self.asked[name] += 1
        if name.startswith("hush-"):
            self.hushed += 1
            return
        found = self._records(name, kind)
        flags = 0x8580 | (_NO_SUCH_NAME if found is None else 0)
        head = data[:2] + struct.pack("!HHHHH", flags, 1, len(found or ()), 0, 0)
        answers = b"".join(
            _packed(owner) + struct.pack("!HHIH", type_, 1, 0, len(rdata)) + rdata
            for owner, type_, rdata in found or ()
        )
        self._transport.sendto(head + data[12 : end + 4] + answers, addr)

    def _records(self, name: str, kind: int) -> list[Record] | None:
        """Return the answer; None when there is no such name."""
        how, *told = name.partition(".")[0].split("-")
        if how == "alias":
            target = f"only-{told[0]}.{name.partition('.')[2]}"
            return [(name, _CNAME, _packed(target)), *(self._records(target, kind) or [])]
        addresses: tuple[str, ...]
        if name in _FIXED:
            addresses = _FIXED[name]
        elif not name.endswith(_ZONES):
            return None
        else:
            addresses = self._addresses(how, told, name)
        records = (ipaddress.ip_address(address) for address in addresses)
        return [(name, kind, address.packed) for address in records if kind == (_A if address.version == 4 else _AAAA)]

    def _addresses(self, how: str, told: list[str], name: str) -> tuple[str, ...]:
        if how in {"only", "both"}:
            return tuple(str(_address(digits)) for digits in told)
        if how == "rebind":
            return (str(_address(told[1] if self.asked[name] <= int(told[0]) else told[2])),)
        return PUBLIC


def digits(address: str) -> str:
    """Return an address as names hold it."""
    return ipaddress.ip_address(address).packed.hex()


def _address(digits: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(bytes.fromhex(digits))


def _read_name(data: bytes) -> tuple[str, int]:
    labels, place = [], 12
    while length := data[place]:
        labels.append(data[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    return ".".join(labels).lower(), place + 1


def _packed(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
