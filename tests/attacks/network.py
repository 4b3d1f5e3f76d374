"""Two network namespaces and the wire between them: the box in one, all the world it can see in the other.

Neither has another way out, so that not even a box without its guards can send a packet to a real network. They live
as long as this process or less: nothing of them has a name that could stay behind.
"""

import ctypes
import ipaddress
import os
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

NAME_SERVER = "198.51.100.53"
OWN_NETWORK = "192.168.99.0/24"  # every address of it is the box's machine, so that each attack has one for itself
MARKER, LOOPBACK_MARKER = "192.0.2.99", "127.255.0.99"  # packets to these tell that all before them have been seen
SEEN_SECONDS = 10

# No addresses but those that stand here: one that the kernel adds a second later is a change, at which browsers give
# up what they are at.
BOX_SIDE = f"""
link set lo up
link set wire addrgenmode none
addr add 192.168.77.2/24 dev wire
addr add fd77::2/64 dev wire nodad
link set wire up
route add default via 192.168.77.1
route add default via fd77::1
route add local {OWN_NETWORK} dev lo
"""
# In the world every address is local, and so every server there answers at all of them.
WORLD_SIDE = """
link set lo up
link set wire addrgenmode none
addr add 192.168.77.1/24 dev wire
addr add fd77::1/64 dev wire nodad
link set wire up
route add local 0.0.0.0/0 dev lo table main
route add local ::/0 dev lo table main
"""

_CLONE_NEWNET = 0x40000000
_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_SOL_PACKET, _PACKET_STATISTICS, _OUTGOING = 263, 6, 4
_SO_RCVBUFFORCE = 33
_TCP, _UDP = 6, 17
_libc = ctypes.CDLL(None, use_errno=True)


class Packet(NamedTuple):
    """Where a packet was sent."""

    address: str
    protocol: str
    port: int


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def ip(commands: str) -> None:
    """Run commands of ip(8) in the namespace of this thread."""
    subprocess.run(["ip", "-batch", "-"], input=commands, text=True, check=True, capture_output=True)


class Space:
    """A network namespace: what its threads open or start is inside."""

    def __init__(self) -> None:
        self._first = ThreadPoolExecutor(1)
        self.thread = self._first.submit(self._leave).result()
        self._descriptor = os.open(f"/proc/self/task/{self.thread}/ns/net", os.O_RDONLY)

    def _leave(self) -> int:
        _check(_libc.unshare(_CLONE_NEWNET))
        return threading.get_native_id()

    def _enter(self) -> None:
        _check(_libc.setns(self._descriptor, _CLONE_NEWNET))

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *work* returns inside."""
        return self._first.submit(work, *args, **kwargs).result()

    def threads(self, number: int) -> ThreadPoolExecutor:
        """Return threads that are inside; the caller ends them."""
        return ThreadPoolExecutor(number, initializer=self._enter)

    def close(self) -> None:
        """Leave; the namespace goes when nobody is inside any more."""
        self._first.shutdown()
        os.close(self._descriptor)


class Sniffer:
    """Notes where each packet goes that comes in at an interface."""

    def __init__(self, space: Space, interface: str) -> None:
        self._socket = space.run(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self._socket.bind((interface, _ETH_P_ALL))
        self._seen: Counter[Packet] = Counter()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            data, (_, protocol, direction, *_) = self._socket.recvfrom(96)
            packet = _read(data, protocol)
            if self._closing:
                return
            if packet is not None and direction != _OUTGOING:
                with self._changed:
                    self._seen[packet] += 1
                    self._changed.notify_all()

    @property
    def packets(self) -> Counter[Packet]:
        """Every destination so far, and how many packets went there."""
        with self._changed:
            return self._seen.copy()

    def wait_for(self, packet: Packet) -> None:
        """Return when a packet has been seen."""
        with self._changed:
            assert self._changed.wait_for(lambda: packet in self._seen, SEEN_SECONDS), packet

    @property
    def dropped(self) -> int:
        """How many packets came too fast to be seen."""
        told = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        dropped: int = struct.unpack("II", told)[1]
        return dropped

    def stop(self) -> None:
        """End with the next packet: send one."""
        self._closing = True

    def close(self) -> None:
        """Forget the socket, after `stop` and one more packet."""
        self._thread.join(SEEN_SECONDS)
        self._socket.close()


def _read(data: bytes, protocol: int) -> Packet | None:
    """Return where an IP packet goes; None for what keeps a link alive."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    if protocol == _ETH_P_IP:
        carried, address, start = data[9], ipaddress.IPv4Address(data[16:20]), (data[0] & 0xF) * 4
    elif protocol == _ETH_P_IPV6 and data[6] not in {0, 58}:  # neighbour discovery and the like
        carried, address, start = data[6], ipaddress.IPv6Address(data[24:40]), 40
    else:
        return None
    name = {_TCP: "tcp", _UDP: "udp"}.get(carried, str(carried))
    port = int.from_bytes(data[start + 2 : start + 4]) if carried in {_TCP, _UDP} else 0
    return Packet(str(address), name, port)


class Network:
    """Both spaces, joined, with a sniffer on the wire and one on the loopback of the box."""

    def __init__(self) -> None:
        self.box, self.world = Space(), Space()
        self.box.run(ip, f"link add wire type veth peer name wire netns {self.world.thread}\n")
        self.world.run(ip, WORLD_SIDE)
        self.box.run(ip, BOX_SIDE)
        self.wire, self.loopback = Sniffer(self.world, "wire"), Sniffer(self.box, "lo")
        self._marks = count(1)

    def flush(self) -> None:
        """Return when every packet has been seen that was sent before."""
        mark = next(self._marks)
        self.box.run(_send, mark)
        self.wire.wait_for(Packet(MARKER, "udp", mark))
        self.loopback.wait_for(Packet(LOOPBACK_MARKER, "udp", mark))

    @property
    def packets(self) -> Counter[Packet]:
        """Every destination so far that was seen on the wire or on the loopback of the box."""
        return self.wire.packets + self.loopback.packets

    def close(self) -> None:
        """End the sniffers and leave both spaces."""
        self.wire.stop()
        self.loopback.stop()
        self.box.run(_send, next(self._marks))
        self.wire.close()
        self.loopback.close()
        self.box.close()
        self.world.close()


def _send(mark: int) -> None:
    end = time.monotonic() + SEEN_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for address in (MARKER, LOOPBACK_MARKER):
            while True:
                try:
                    sender.sendto(b"mark", (address, mark))
                    break
                except ConnectionRefusedError:  # what came back for the one before
                    assert time.monotonic() < end
