"""A box in its space of the network, and what became of cases that it was asked for."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from tests.attacks import unguarded
from tests.attacks.cases import PRIVATE_SITE, Stage, Staged
from tests.attacks.names import INTRANET, PUBLIC
from tests.attacks.network import LOOPBACK_MARKER, MARKER, NAME_SERVER, Network, Packet
from tests.attacks.world import World
from tests.box import PROGRAM, Box

SLOTS = 6
ALLOWED, DENIED = "127.0.0.1:8098", "denied.public.example,10.99.0.0/16"
RESOLVER = {
    "resolv.conf": f"nameserver {NAME_SERVER}\nsearch intranet.example\n",
    "nsswitch.conf": "hosts: files dns\n",
    "hosts": f"127.0.0.1 localhost\n::1 localhost\n{INTRANET} printer\n",
}
# The box resolves with the files of its own; nobody else sees them.
_ENTER = f'for file in {" ".join(RESOLVER)}; do mount --bind $0/$file /etc/$file || exit; done; exec "$@"'


class CagedBox(Box):
    """A box that sees nothing but the attacks' world."""

    def __init__(self, network: Network, above: Path, without: str) -> None:
        options = ("--allow", ALLOWED, "--deny", DENIED, "--slots", str(SLOTS), "--argon2-memory", "19")
        network.box.run(super().__init__, above / "data", *options)  # inside: a port that is free there
        self._network = network
        for name, text in RESOLVER.items():
            (above / name).write_text(text)
        program = [sys.executable, "-P", unguarded.__file__, without] if without else [PROGRAM]
        self.program = ("unshare", "--mount", "sh", "-c", _ENTER, str(above), *program)

    def start(self) -> None:
        self._network.box.run(super().start)


@dataclass(frozen=True)
class Outcome:
    """What the caller heard, whether the page ran, and which packets went where none may."""

    status: int
    code: str  # of an error
    text: str
    ran: bool
    reached: frozenset[Packet]


class Siege:
    """The network, its servers, and boxes in it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.network = Network()
        self.world = World(self.network.world, stage.serve)
        self.beside = World(self.network.box, stage.serve, beside_the_box=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.beside.close()
        self.world.close()
        self.network.close()

    @contextmanager
    def box(self, without: str = "") -> Iterator["Attacked"]:
        """Run a box, maybe without some of its guards (comma-separated)."""
        above = Path(tempfile.mkdtemp(prefix="box-test-", dir="/tmp"))
        above.chmod(0o755)
        try:
            with CagedBox(self.network, above, without) as box:
                plan = box.run(
                    "plans", "set", "default", "--screenshots-per-hour", "100000", "--screenshots-burst", "9999"
                )
                assert plan.returncode == 0, plan.stderr
                yield Attacked(self, box)
        finally:
            shutil.rmtree(above)


class Attacked:
    """A box that cases are tried on."""

    def __init__(self, siege: Siege, box: CagedBox) -> None:
        self.box = box
        self._siege = siege
        self.secret = box.key("attacks")

    def shoot(self, url: str, **options: object) -> httpx.Response:
        """Ask for one picture."""
        return self._siege.network.box.run(self.box.shoot, self.secret, url, **options)

    def attack(self, cases: Iterable[Staged]) -> dict[str, Outcome]:
        """Try cases, several at once, and return what became of each."""
        siege, staged = self._siege, list(cases)
        siege.world.names.asked.clear()
        siege.stage.ran.clear()
        siege.network.flush()
        before = siege.network.packets
        with siege.network.box.threads(SLOTS) as threads:
            answers = list(threads.map(lambda one: self.box.shoot(self.secret, one.url, **one.options), staged))
        siege.network.flush()
        packets = siege.network.packets - before
        return {
            one.case.name: Outcome(
                answer.status_code,
                "" if answer.is_success else answer.json()["error"],
                answer.text[:500],
                one.path in siege.stage.ran,
                hits(one, packets),
            )
            for one, answer in zip(staged, answers, strict=True)
        }


def hits(one: Staged, packets: Counter[Packet]) -> frozenset[Packet]:
    """Return which packets went where nothing of this case may go."""
    return frozenset(
        packet for packet in packets if packet.address in one.forbidden or (packet.port == one.port and packet.address)
    )


def strays(network: Network) -> set[Packet]:
    """Return every packet that a box never sends: to none of its own, the public site, or its name server."""
    fine = {MARKER, LOOPBACK_MARKER, *PUBLIC, PRIVATE_SITE, INTRANET}
    wire = {packet for packet in network.wire.packets if packet.address not in fine or packet.protocol == "udp"}
    loopback = {packet for packet in network.loopback.packets if packet.address not in fine | {"127.0.0.1"}}
    asked = {Packet(NAME_SERVER, protocol, 53) for protocol in ("udp", "tcp")}
    marks = {packet for packet in wire if packet.address == MARKER}
    return (wire | loopback) - asked - marks
