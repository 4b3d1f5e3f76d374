"""Which addresses this box may talk to: one pure decision, and what it is decided on."""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

import ada_url

from ..config import Settings
from ..errors import InvalidUrl, TargetNotAllowed, TargetNotForKey
from ..hosts import Address, HostPattern, Network, any_has
from .interfaces import Interfaces

URL_LENGTH = 8192  # longer than any address bar's content; bounds what is parsed and logged

AddressClass = Literal["public", "private", "own", "never"]
Space = Literal["public", "private", "own"]
Resolve = Callable[[str, int], Awaitable[list[Address]]]  # a host, at the cost of a caller
_SPACES: tuple[Space, ...] = ("public", "private", "own")  # a page reaches those up to its own

_METADATA_HOSTS = {"metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
_METADATA: list[Network] = [  # services that hand credentials to whoever is on the machine, outside link-local
    ipaddress.ip_network(text)
    for text in (
        "100.100.100.200/32",
        "192.0.0.192/32",
        "168.63.129.16/32",
        "fd00:ec2::/32",
        "fd00:42::42/128",
        "fd20:ce::254/128",
    )
]
_NEVER: list[Network] = [  # beyond what the flags of ipaddress say
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "fec0::/10", "2001:db8::/32", "100::/64")
]
_PRIVATE: list[Network] = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7")
]
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that the public IPv6 internet is made of
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # not 64:ff9b:1::/48, which networks read in ways of their own
_COMPATIBLE = ipaddress.IPv6Network("::/96")

_LOWEST_PORT = 1024  # below it only the web's own ports
_WEB_PORTS = {"http:": 80, "https:": 443}
# Mail, remote shells, file shares and the like: a request that looks like their language does harm. Browsers refuse
# them, too; listed so that the answer says so and is no riddle.
_ABUSABLE_PORTS = {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103}
_ABUSABLE_PORTS |= {104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 179, 389, 427, 445, 465}
_ABUSABLE_PORTS |= {512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995}
_ABUSABLE_PORTS |= {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6697, 10080}
_ABUSABLE_PORTS |= set(range(6665, 6670))

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")  # what browsers drop or turn into something else
# Browsers also find a host after fewer or more slashes than two, and below percent signs.
_ABSOLUTE = re.compile(r"https?://([^/?#]*@)?[^/?#@%]+([/?#].*)?", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")

_INTERFACES = Interfaces()


@dataclass(frozen=True)
class Target:
    """Where a URL points, host as the browser will read it."""

    url: str
    host: str
    port: int


@dataclass(frozen=True)
class Policy:
    """What the operator allows and denies, and what the box calls its own."""

    allow: tuple[HostPattern, ...]
    deny: tuple[HostPattern, ...]
    ports: frozenset[int]  # where the box itself answers callers and operators
    is_own: Callable[[Address], bool]
    edition: Callable[[], int] = count().__next__  # another number when is_own may answer another way; or always


@dataclass(frozen=True)
class Scope:
    """On whose behalf a connection is made: the space it comes from, and what the key is made for."""

    space: Space | None = None  # none yet: this is what was asked for, and it decides
    hosts: tuple[HostPattern, ...] = ()  # none named: wherever the policy leads
    caller: int = 0  # who pays for its names


@dataclass(frozen=True)
class AllowedTarget:
    """A target that may be opened: which of its addresses may be dialled, and how far its page may reach."""

    target: Target
    addresses: tuple[Address, ...]
    scope: Scope


def policy_of(settings: Settings) -> Policy:
    """Return the policy that *settings* describe, on this machine."""
    beside = (settings.admin_address, settings.ops_address)
    ports = {settings.port, *(address[1] for address in beside if address is not None)}
    return Policy(settings.allow, settings.deny, frozenset(ports), _INTERFACES.has, _INTERFACES.edition)


def parse(url: str) -> Target:
    """Return where *url* points, its host in the one spelling that cannot be read two ways.

    The URL in the answer is the one to give to the browser: what was judged is what is asked for.
    Raises InvalidUrl.
    """
    if len(url) > URL_LENGTH or _FORBIDDEN.search(url):
        raise _invalid(f"must be at most {URL_LENGTH} characters without spaces, control characters or backslashes")
    if not _ABSOLUTE.fullmatch(url):
        raise _invalid("must begin with http:// or https:// and a host, which is not percent-encoded")
    found = _read(url)
    host = found.hostname
    if found.host_type == ada_url.HostType.IPV6:
        host = str(ipaddress.IPv6Address(host[1:-1]))  # as addresses are written everywhere else
    elif not _NAME.fullmatch(host):
        raise _invalid("has a host name that does not exist in DNS")
    return Target(found.href, host, int(found.port or _WEB_PORTS[found.protocol]))


def _read(url: str) -> ada_url.URL:
    """Return *url* as the browser reads it, without the dot that may end its host."""
    try:
        found = ada_url.URL(url)
        found.hostname = found.hostname.removesuffix(".")
    except ValueError:
        raise _invalid("has a host or a port that no browser could open") from None
    return found


def _invalid(problem: str) -> InvalidUrl:
    return InvalidUrl(f"url {problem}.", {"url": problem})


async def check_url(url: str, policy: Policy, resolve: Resolve, scope: Scope) -> AllowedTarget:
    """Return where *url* points if this box may go there on behalf of *scope*.

    Raises InvalidUrl, TargetNotAllowed, or what *resolve* does when its name has no address.
    """
    target = parse(url)
    return decide(target, await resolve(target.host, scope.caller), policy, scope)


def decide(target: Target, addresses: Sequence[Address], policy: Policy, scope: Scope) -> AllowedTarget:
    """Return which of *addresses*, all that the target's name has, may be dialled; else raise TargetNotAllowed.

    One bad address spoils the name: the next to dial might pick that one. The space of a page is that of the URL that
    was asked for: the most private kind of address its name has, and no other kind is dialled. What the page then
    leads to may lie in the same space or in a more public one.
    """
    if any_has(policy.deny, target.host, target.port, _with_carried(addresses)):
        raise TargetNotAllowed(f"{target.host} is denied by the setting deny", setting="deny")
    if target.host in _METADATA_HOSTS:
        raise TargetNotAllowed(f"{target.host} is a cloud metadata service")
    standings = {address: standing(address, policy.is_own) for address in addresses}
    for address, found in standings.items():
        if found == "never":
            raise TargetNotAllowed(f"{target.host} is {address}, which is never allowed")
    if scope.hosts and not all(_is_meant(target, address, scope.hosts) for address in addresses):
        raise TargetNotForKey(f"{target.host}:{target.port} is not what this key is made for")
    own = "own" in standings.values()
    _require_port(target, policy, own=own)
    if scope.space is None:
        space = max((_space(found) for found in standings.values()), key=_SPACES.index)
        dialled = [address for address, found in standings.items() if found == space]
        return AllowedTarget(target, tuple(dialled), replace(scope, space=space))
    for address, found in standings.items():
        if _SPACES.index(_space(found)) > _SPACES.index(scope.space):
            _require_exception(target, address, policy, f"{found}, and the page is {scope.space}", own=own)
    return AllowedTarget(target, tuple(standings), scope)


def _space(found: AddressClass) -> Space:
    if found == "never":
        raise AssertionError  # refused before anybody asks
    return found


def _is_meant(target: Target, address: Address, hosts: tuple[HostPattern, ...]) -> bool:
    return any_has(hosts, target.host, target.port, _with_carried([address]))


def _require_port(target: Target, policy: Policy, *, own: bool) -> None:
    if own and target.port in policy.ports:
        raise TargetNotAllowed(f"{target.host}:{target.port} is the box itself")
    if target.port in _ABUSABLE_PORTS:
        raise TargetNotAllowed(f"port {target.port} is one that can be abused")
    web = target.port in _WEB_PORTS.values() or target.port >= _LOWEST_PORT
    if (web and not own) or any(place.is_endpoint(target.host, target.port) for place in policy.allow):
        return
    what = "this machine" if own else "no port that the web uses"
    raise TargetNotAllowed(f"{target.host}:{target.port} is {what}, and not in allow", setting="allow")


def _require_exception(target: Target, address: Address, policy: Policy, what: str, *, own: bool) -> None:
    if own or not any_has(policy.allow, target.host, target.port, _with_carried([address])):
        setting = None if own else "allow"
        raise TargetNotAllowed(f"{target.host} is {address}, which is {what}", setting=setting)


def standing(address: Address, is_own: Callable[[Address], bool]) -> AddressClass:
    """Say what kind of address this is, looking inside IPv6 addresses that carry an IPv4 one."""
    carried = _carried(address)
    if carried is not None:
        return standing(carried, is_own)
    if address.is_loopback:
        return "own"
    if _is_never(address):
        return "never"
    if is_own(address):
        return "own"
    return "private" if _is_in(address, _PRIVATE) else "public"


def _is_never(address: Address) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return True
    if _is_in(address, _METADATA) or _is_in(address, _NEVER):
        return True
    return isinstance(address, ipaddress.IPv6Address) and not _is_in(address, [*_PRIVATE, _UNICAST])


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside an IPv6 one: mapped, 6to4, Teredo, NAT64 or IPv4-compatible."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _COMPATIBLE and int(address) > 1:  # :: and ::1 have meanings of their own
        return ipaddress.IPv4Address(int(address))
    return None


def _with_carried(addresses: Sequence[Address]) -> list[Address]:
    """Return *addresses* with those inside them: an operator writes 10.0.0.0/8 and means every spelling of it."""
    return [one for address in addresses for one in (address, _carried(address)) if one is not None]
