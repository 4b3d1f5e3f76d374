"""The name server of the attacks' world: a name says itself how it wants to be resolved.

only-0a420105.c1.attack.example              that address (eight digits IPv4, 32 IPv6)
both-5db8d822-0a420105.c1.attack.example     both of them
alias-0a420105.c1.attack.example             a CNAME to a name that has it
rebind-2-5db8d822-0a420105.c1.attack.example the first for two queries, the second ever after, never to be kept
wiki.intranet.example                        the intranet
hush-1.c1.attack.example                     never answered
many-4000.c1.attack.example                  so many public addresses, too many for anything but TCP
anything.attack.example                      the public site
"""

import asyncio
import ipaddress
import struct
from collections import Counter
from functools import cache
from typing import cast

PUBLIC = ("93.184.216.34", "2606:2800:220:1::1")
INTRANET = "10.20.30.40"
METADATA = "169.254.169.254"

_A, _CNAME, _AAAA = 1, 5, 28
_NO_SUCH_NAME, _TRUNCATED = 3, 0x0200
_DATAGRAM = 512  # bytes that one answer may have, unless it is asked for by TCP
_ASKED = b"\xc0\x0c"  # the name that the query has, in short
_FIRST_OF_MANY = ipaddress.IPv4Address("93.185.0.1")
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
        answer = self._answer(data)
        if len(answer) > _DATAGRAM:
            _, end = _read_name(data)
            answer = data[:2] + struct.pack("!HHHHH", 0x8580 | _TRUNCATED, 1, 0, 0, 0) + data[12 : end + 4]
        if answer:
            self._transport.sendto(answer, addr)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer who comes by TCP, until they leave."""
        while True:
            answer = self._answer(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
            writer.write(len(answer).to_bytes(2) + answer)

    def _answer(self, data: bytes) -> bytes:
        """Return what is said to a query; nothing if it is never answered."""
        name, end = _read_name(data)
        kind = int.from_bytes(data[end : end + 2])
        if kind == _A:
            self.asked[name] += 1
        if name.startswith("hush-"):
            self.hushed += 1
            return b""
        found = self._records(name, kind)
        flags = 0x8580 | (_NO_SUCH_NAME if found is None else 0)
        head = data[:2] + struct.pack("!HHHHH", flags, 1, len(found or ()), 0, 0)
        answers = b"".join(
            (_ASKED if owner == name else _packed(owner)) + struct.pack("!HHIH", type_, 1, 0, len(rdata)) + rdata
            for owner, type_, rdata in found or ()
        )
        return head + data[12 : end + 4] + answers

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
        return [(name, kind, packed) for packed in _packed_addresses(addresses, 4 if kind == _A else 16)]

    def _addresses(self, how: str, told: list[str], name: str) -> tuple[str, ...]:
        if how in {"only", "both"}:
            return tuple(str(_address(digits)) for digits in told)
        if how == "rebind":
            return (str(_address(told[1] if self.asked[name] <= int(told[0]) else told[2])),)
        if how == "many":
            return _many(int(told[0]))
        return PUBLIC


def digits(address: str) -> str:
    """Return an address as names hold it."""
    return ipaddress.ip_address(address).packed.hex()


def _address(digits: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(bytes.fromhex(digits))


@cache
def _packed_addresses(addresses: tuple[str, ...], length: int) -> list[bytes]:
    packed = (ipaddress.ip_address(address).packed for address in addresses)
    return [one for one in packed if len(one) == length]


@cache
def _many(number: int) -> tuple[str, ...]:
    return tuple(str(_FIRST_OF_MANY + one) for one in range(number))


def _read_name(data: bytes) -> tuple[str, int]:
    labels, place = [], 12
    while length := data[place]:
        labels.append(data[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    return ".".join(labels).lower(), place + 1


def _packed(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
