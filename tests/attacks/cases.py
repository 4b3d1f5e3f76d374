"""What a case of the attacks is: a page or a URL, and the addresses that are its own, which nothing may reach.

In pages, headers, URLs and options these words stand for something of the case:

    @CASE@      its path                            @T@  a forbidden URL: the text is repeated for each kind
    @HOME@      the URL of its page, public         @W@  the same for WebSockets
    @PRIVATE@   an address of the private network   @LOOPBACK@, @LINK@, @OWN@  likewise, with their ports
    @NAMED@     a name for another private one      @UDP@  a public address that may get no UDP
    @PORT@      a port of its own, where nothing may be asked for at all
    %{text}%    the text as it is written inside a query
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote

from tests.attacks.names import PUBLIC, digits
from tests.attacks.world import STUN_PORT, Reply

MOST_CASES = 255  # the last byte of an address
OWN_PORT = 8099
PRIVATE_SITE = "172.16.5.5"  # asked for its pages, which may then load from there
FIRST_PORT = 20_000  # below those that the system takes by itself

# Settling takes as long as a slow machine needs to do what the page tells it: the box waits for this element.
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>attack</title>
<script>
const ran = new XMLHttpRequest();
ran.open('GET', '/ran/@CASE@', false);
ran.send();
const T = @TARGETS@, W = T.map(url => url.replace('http', 'ws'));
const later = (what, after) => setTimeout(what, after);
later(() => {
  const done = document.createElement('p');
  done.id = done.textContent = 'done';  // a picture that is not blank is not waited for
  (document.body || document.documentElement).append(done);
}, @SETTLE@);
</script>
"""
SETTLE_MILLISECONDS = 1000


@dataclass(frozen=True)
class Case:
    """One attack: what the box is asked for, what is served for it, and what the caller may hear."""

    name: str
    body: str = ""  # of its page
    headers: tuple[str, ...] = ()  # of its page
    url: "str | Callable[[Staged], str]" = "@HOME@"
    space: Literal["public", "private", "own"] = "public"  # of its page; what is above is forbidden
    port: int = 0  # that may get nothing, if not the one of its number
    options: dict[str, Any] = field(default_factory=dict)  # of the request
    hears: frozenset[int | str] = frozenset({200})  # one of these statuses or error codes
    runs: bool = True  # its page tells that it ran
    stays: bool = True  # its page does not go elsewhere
    held: str = ""  # what else holds it: why it reaches nothing even without the wall
    extra: str = ""  # a file that its page has beside it

    def __str__(self) -> str:
        return self.name


class Staged:
    """A case with a number, and so with addresses and names that no other case has."""

    def __init__(self, case: Case, number: int) -> None:
        assert number <= MOST_CASES
        self.case, self.number, self.path = case, number, f"c{number}"
        self.host = f"c{number}.attack.example"
        self.private, self.named = f"10.66.0.{number}", f"10.66.1.{number}"
        self.six = f"fd12:3456::66:{number:x}"
        self.own, self.loopback, self.link = f"192.168.99.{number}", f"127.66.0.{number}", f"169.254.66.{number}"
        self.udp = f"198.51.66.{number}"
        self.port = case.port or FIRST_PORT + number

    @cached_property
    def forbidden(self) -> set[str]:
        """Every address that nothing may reach, also inside other addresses."""
        fours = [self.own, self.loopback, self.link]
        if self.case.space == "public":
            fours += [self.private, self.named]
        sixes = [self.six] if self.case.space == "public" else []
        return {*fours, *sixes, *(wrapped for four in fours for wrapped in wraps(four)), self.udp}

    @property
    def targets(self) -> list[str]:
        """One URL of each kind that its page may not reach."""
        private = [self.private, self.name_of(self.named), f"[{self.six}]"] if self.case.space == "public" else []
        hosts = [*private, f"{self.own}:{OWN_PORT}", f"{self.loopback}:{OWN_PORT}", self.link]
        return [f"http://{host}/there.js" for host in hosts]

    def name_of(self, *addresses: str, how: str = "only") -> str:
        """Return a name that is resolved as it says."""
        return f"{'-'.join([how, *map(digits, addresses)])}.{self.host}"

    def fill(self, text: str) -> str:
        """Put what is the case's own where a text has words for it."""
        words = {
            "CASE": self.path,
            "HOST": self.host,
            "HOME": f"http://{self.host}/{self.path}/",
            "SETTLE": str(SETTLE_MILLISECONDS),
            "TARGETS": json.dumps(self.targets),
            "PRIVATE": self.private,
            "NAMED": self.name_of(self.named),
            "OWN": f"{self.own}:{OWN_PORT}",
            "LOOPBACK": f"{self.loopback}:{OWN_PORT}",
            "LINK": self.link,
            "UDP": f"{self.udp}:{STUN_PORT}",
            "STUN": str(STUN_PORT),
            "PORT": str(self.port),
            "LINK_DIGITS": digits(self.link),
            "LOOPBACK_DIGITS": digits(self.loopback),
            "BOTH": self.name_of(PUBLIC[0], self.private, how="both"),
            "BOTH_SIX": self.name_of(PUBLIC[0], self.six, how="both"),
            "BOTH_LINK": self.name_of(PUBLIC[0], self.link, how="both"),
            "ALIAS": self.name_of(self.private, how="alias"),
            "REBIND_1": self.name_of(PUBLIC[0], self.private, how="rebind-1"),
            "REBIND_2": self.name_of(PUBLIC[0], self.private, how="rebind-2"),
            "REBIND_LOOPBACK": self.name_of(PUBLIC[0], self.loopback, how="rebind-1"),
        }
        filled = re.sub(r"@([A-Z_0-9]+)@", lambda found: words.get(found[1], found[0]), text)
        while "%{" in filled:  # the innermost first
            filled = re.sub(r"%\{([^{]*?)\}%", lambda found: quote(found[1], safe=""), filled)
        return filled

    def fill_all(self, text: str) -> str:
        """The same, and a text with @T@ or @W@ once for each target."""
        repeated = [
            text.replace("@T@", url).replace("@W@", url.replace("http", "ws"))
            for url in (self.targets if "@T@" in text or "@W@" in text else [""])
        ]
        return self.fill("\n".join(repeated))

    @property
    def url(self) -> str:
        """What the box is asked for."""
        return self.fill(self.case.url) if isinstance(self.case.url, str) else self.case.url(self)

    @property
    def options(self) -> dict[str, Any]:
        """How the box is asked for it; nothing is blocked but by the wall."""
        plain: dict[str, Any] = {
            "viewport": {"width": 400, "height": 300},
            "format": "jpeg",
            "blockAds": False,
            "blockCookieBanners": False,
            "blockPopups": False,
            "timeout": 15000,
        }
        if self.case.runs:
            plain |= {"waitFor": "#done"} if self.case.stays else {"delay": SETTLE_MILLISECONDS}
        own: dict[str, Any] = json.loads(self.fill(json.dumps(self.case.options)))
        return plain | own

    def serve(self, path: str) -> Reply | None:
        """Return the page of the case, or what it has beside it."""
        if path.startswith(f"/{self.path}/extra"):
            kind = "text/html; charset=utf-8" if path.endswith("html") else "text/javascript"
            return Reply(self.fill_all(self.case.extra), kind, headers=("Service-Worker-Allowed: /",))
        headers = tuple(line for one in self.case.headers for line in self.fill_all(one).split("\n"))
        return Reply(self.fill(PAGE) + self.fill_all(self.case.body), headers=headers)


class Stage:
    """All cases, each on its number."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self.staged = {case.name: Staged(case, number) for number, case in enumerate(cases, 1)}
        self._by_path = {one.path: one for one in self.staged.values()}
        self.ran: set[str] = set()  # paths
        self._pages: dict[str, str] = {}

    def put(self, page: str) -> str:
        """Serve one more page, that is no case; return its URL."""
        path = f"/page-{len(self._pages)}"
        self._pages[path] = page
        return f"http://www.public.example{path}"

    def serve(self, path: str) -> Reply | None:
        """Return what a case has at *path*, and note which pages tell that they run."""
        if path in self._pages:
            return Reply(self._pages[path])
        _, first, *rest = path.split("/")
        if first == "ran":
            self.ran.add(rest[0])
            return Reply("")
        return self._by_path[first].serve(path) if first in self._by_path else None


def wraps(four: str) -> list[str]:
    """Return the IPv6 addresses that carry an IPv4 one."""
    number = int(ipaddress.IPv4Address(four))
    return [
        str(ipaddress.IPv6Address(carrier))
        for carrier in (
            number,  # compatible
            (0xFFFF << 32) | number,  # mapped
            (0x64FF9B << 96) | number,  # NAT64
            (0x64FF9B0001 << 80) | number,  # NAT64 for a network's own use
            (0x2002 << 112) | (number << 80),  # 6to4
            (0x20010000 << 96) | (number ^ 0xFFFFFFFF),  # Teredo
        )
    ]
