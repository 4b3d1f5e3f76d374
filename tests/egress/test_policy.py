import asyncio
import ipaddress
from collections.abc import Sequence

import pytest

from allscreenshots_box import hosts as places
from allscreenshots_box.config import Settings
from allscreenshots_box.egress import policy as outbound
from allscreenshots_box.egress.policy import AllowedTarget, Policy, Scope, Space
from allscreenshots_box.errors import InvalidUrl, TargetNotAllowed, TargetNotForKey
from allscreenshots_box.hosts import Address

OWN = ipaddress.ip_address("10.0.0.5")


def is_own(address: Address) -> bool:
    return address == OWN


def policy(allow: Sequence[str] = (), deny: Sequence[str] = ()) -> Policy:
    return Policy(tuple(map(places.read, allow)), tuple(map(places.read, deny)), ports=frozenset({8080}), is_own=is_own)


def decide(
    url: str, *addresses: str, rules: Policy | None = None, space: Space | None = None, hosts: Sequence[str] = ()
) -> AllowedTarget:
    target = outbound.parse(url)
    found = [ipaddress.ip_address(address) for address in addresses or (target.host,)]
    return outbound.decide(target, found, rules or policy(), Scope(space, tuple(map(places.read, hosts))))


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://example.com/", ["93.184.215.14"]),
        ("http://example.com:8000/", ["93.184.215.14", "2606:2800:21f:cb07::1"]),
        ("HTTP://EXAMPLE.COM/", ["93.184.215.14"]),
        ("http://intranet/", ["10.1.2.3"]),
        ("http://172.16.0.1:3000/", []),
        ("http://192.168.1.1/", []),
        ("http://100.64.0.1/", []),
        ("http://[fd12:3456::1]/", []),
        ("http://[::ffff:192.168.1.1]/", []),
        ("http://bücher.example/", ["93.184.215.14"]),
    ],
)
def test_public_and_private_pages_may_be_shot(url: str, addresses: list[str]) -> None:
    decide(url, *addresses)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://127.0.0.1/", []),
        ("http://127.9.9.9/", []),
        ("http://localhost:3000/", ["127.0.0.1"]),
        ("http://localhost./", ["::1"]),
        ("http://[::1]/", []),
        ("http://[::ffff:127.0.0.1]/", []),
        ("http://[::ffff:7f00:1]/", []),
        ("http://[64:ff9b::7f00:1]/", []),
        ("http://[2002:7f00:1::]/", []),
        ("http://2130706433/", []),
        ("http://0x7f000001/", []),
        ("http://0177.0.0.1/", []),
        ("http://127.1/", []),
        ("http://127.0.0.1./", []),
        ("http://１２７.0.0.1/", []),  # noqa: RUF001 - wide digits, as an attacker writes them
        ("http://①②⑦.⓪.⓪.①/", []),
        ("http://10.0.0.5/", []),
        ("http://this-box.example/", ["10.0.0.5"]),
        ("http://mixed.example/", ["93.184.215.14", "127.0.0.1"]),
    ],
)
def test_this_machine_is_refused_with_the_setting_that_would_allow_it(url: str, addresses: list[str]) -> None:
    with pytest.raises(TargetNotAllowed) as caught:
        decide(url, *addresses)
    assert caught.value.extra == {"setting": "allow"}


NEVER = [
    ("http://169.254.169.254/latest/meta-data/", []),
    ("http://[64:ff9b:1:a9fe:a9:fe00::]/", []),
    ("http://[fd00:42::42]/", []),
    ("http://[::ffff:169.254.169.254]/", []),
    ("http://[64:ff9b::a9fe:a9fe]/", []),
    ("http://[2002:a9fe:a9fe::]/", []),
    ("http://[::a9fe:a9fe]/", []),
    ("http://2852039166/", []),
    ("http://0xa9fea9fe/", []),
    ("http://0251.0376.0251.0376/", []),
    ("http://metadata.google.internal/", ["93.184.215.14"]),
    ("http://METADATA.google.internal./", ["93.184.215.14"]),
    ("http://rebound.example/", ["169.254.169.254"]),
    ("http://mixed.example/", ["93.184.215.14", "169.254.1.1"]),
    ("http://100.100.100.200/", []),
    ("http://168.63.129.16/", []),
    ("http://[fd00:ec2::254]/", []),
    ("http://[fe80::1]/", []),
    ("http://0.0.0.0/", []),
    ("http://0x/", []),
    ("http://0.1.2.3/", []),
    ("http://[::]/", []),
    ("http://224.0.0.1/", []),
    ("http://[ff02::1]/", []),
    ("http://255.255.255.255/", []),
    ("http://240.0.0.1/", []),
    ("http://[fec0::1]/", []),
    ("http://[1::1]/", []),
    ("http://[4000::1]/", []),
]


@pytest.mark.parametrize(("url", "addresses"), NEVER)
def test_some_addresses_are_never_allowed(url: str, addresses: list[str]) -> None:
    host = outbound.parse(url).host
    with pytest.raises(TargetNotAllowed) as caught:
        decide(url, *addresses, rules=policy(allow=[f"[{host}]:80"]))
    assert caught.value.extra == {"setting": None}


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/", "http://127.1:3000/", "http://2130706433:3000/"])
def test_allow_opens_one_port_of_this_machine(url: str) -> None:
    decide(url, rules=policy(allow=["127.0.0.1:3000"]))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:3001/", "http://127.0.0.2:3000/", "http://[::1]:3000/", "http://10.0.0.5:3000/"]
)
def test_allow_opens_nothing_beside_it(url: str) -> None:
    with pytest.raises(TargetNotAllowed):
        decide(url, rules=policy(allow=["127.0.0.1:3000"]))


def test_allow_means_the_host_as_the_url_spells_it() -> None:
    rules = policy(allow=["localhost:3000"])
    decide("http://localhost:3000/", "127.0.0.1", rules=rules)
    with pytest.raises(TargetNotAllowed):
        decide("http://elsewhere.example:3000/", "127.0.0.1", rules=rules)


@pytest.mark.parametrize("port", [8080, 9090, 9091])
def test_what_the_box_serves_itself_is_never_shot_wherever_it_is(port: int) -> None:
    settings = Settings(
        admin_listen="127.0.0.1:9090", ops_listen="127.0.0.1:9091", allow=(places.read(f"127.0.0.1:{port}"),)
    )
    with pytest.raises(TargetNotAllowed, match="not allowed"):
        decide(f"http://127.0.0.1:{port}/admin", rules=outbound.policy_of(settings))


@pytest.mark.parametrize(
    ("url", "address"), [("http://127.0.0.1:8080/", "127.0.0.1"), ("http://box.example:8080/", "10.0.0.5")]
)
def test_the_box_itself_is_refused_whatever_is_allowed(url: str, address: str) -> None:
    host = outbound.parse(url).host
    with pytest.raises(TargetNotAllowed, match="not allowed") as caught:
        decide(url, address, rules=policy(allow=[f"{host}:8080"]))
    assert "the box itself" in caught.value.reason


@pytest.mark.parametrize(
    ("entry", "url", "address"),
    [
        ("internal.example", "http://internal.example/", "10.1.1.1"),
        ("*.example", "http://a.b.example/", "93.184.215.14"),
        ("10.0.0.0/8", "http://intranet/", "10.1.1.1"),
        ("10.0.0.0/8", "http://[::ffff:10.1.1.1]/", "::ffff:10.1.1.1"),
        ("127.0.0.0/8", "http://127.0.0.1:3000/", "127.0.0.1"),
    ],
)
def test_deny_wins(entry: str, url: str, address: str) -> None:
    with pytest.raises(TargetNotAllowed) as caught:
        decide(url, address, rules=policy(allow=["127.0.0.1:3000"], deny=[entry]))
    assert caught.value.extra == {"setting": "deny"}


@pytest.mark.parametrize("port", [1, 22, 25, 110, 143, 465, 587, 993, 2049, 5060, 6000, 6667, 10080])
@pytest.mark.parametrize("address", ["93.184.215.14", "127.0.0.1"])
def test_ports_that_can_be_abused_are_refused_whatever_is_allowed(port: int, address: str) -> None:
    with pytest.raises(TargetNotAllowed):
        decide(f"http://some.example:{port}/", address, rules=policy(allow=[f"some.example:{port}"]))


@pytest.mark.parametrize("port", [3, 81, 631, 1023])
def test_low_ports_are_the_webs_or_named(port: int) -> None:
    with pytest.raises(TargetNotAllowed):
        decide(f"http://some.example:{port}/", "93.184.215.14", rules=policy(allow=["some.example"]))
    decide(f"http://some.example:{port}/", "93.184.215.14", rules=policy(allow=[f"some.example:{port}"]))


SPACES = [
    ("public", "93.184.215.14", True),
    ("public", "2606:2800:21f:cb07::1", True),
    ("public", "10.1.2.3", False),
    ("public", "100.64.0.1", False),
    ("public", "fd12:3456::1", False),
    ("public", "::ffff:10.1.2.3", False),
    ("public", "64:ff9b::10.1.2.3", False),
    ("public", "127.0.0.1", False),
    ("public", "10.0.0.5", False),
    ("private", "93.184.215.14", True),
    ("private", "192.168.1.1", True),
    ("private", "127.0.0.1", False),
    ("private", "10.0.0.5", False),
    ("own", "93.184.215.14", True),
    ("own", "192.168.1.1", True),
    ("own", "127.0.0.1", True),
]


@pytest.mark.parametrize(("space", "address", "may"), SPACES)
def test_a_page_reaches_its_own_space_or_a_more_public_one(space: Space, address: str, may: bool) -> None:  # noqa: FBT001 - a table's cell
    rules = policy(allow=["some.example:3000"])
    if may:
        assert decide("http://some.example:3000/", address, rules=rules, space=space).scope.space == space
        return
    with pytest.raises(TargetNotAllowed, match="not allowed"):
        decide("http://some.example:3000/", address, rules=policy(allow=["other.example:3000"]), space=space)


@pytest.mark.parametrize("space", ["public", "private"])
def test_this_machine_is_for_its_own_pages_only_even_if_allowed(space: Space) -> None:
    with pytest.raises(TargetNotAllowed) as caught:
        decide("http://127.0.0.1:3000/", rules=policy(allow=["127.0.0.1:3000"]), space=space)
    assert caught.value.extra == {"setting": None}


@pytest.mark.parametrize("entry", ["intranet", "10.0.0.0/8", "10.1.2.3", "10.1.2.3:80", "*.intra", "intranet:80"])
def test_allow_lets_public_pages_use_what_it_names(entry: str) -> None:
    url = "http://a.intra/" if entry == "*.intra" else "http://intranet/"
    decide(url, "10.1.2.3", rules=policy(allow=[entry]), space="public")
    with pytest.raises(TargetNotAllowed) as caught:
        decide(url, "192.168.1.1", "10.1.2.4", rules=policy(allow=["10.1.2.3", "b.intra"]), space="public")
    assert caught.value.extra == {"setting": "allow"}


@pytest.mark.parametrize(
    ("addresses", "dialled", "space"),
    [
        (["93.184.215.14", "10.1.2.3"], ["10.1.2.3"], "private"),
        (["10.1.2.3", "2606:2800:21f:cb07::1", "fd12::1"], ["10.1.2.3", "fd12::1"], "private"),
        (["93.184.215.14", "2606:2800:21f:cb07::1"], ["93.184.215.14", "2606:2800:21f:cb07::1"], "public"),
    ],
)
def test_of_what_is_asked_for_only_the_most_private_addresses_are_dialled(
    addresses: list[str], dialled: list[str], space: Space
) -> None:
    allowed_target = decide("http://mixed.example/", *addresses)
    assert ([str(address) for address in allowed_target.addresses], allowed_target.scope.space) == (dialled, space)


def test_one_address_above_its_space_spoils_what_a_page_asks_for() -> None:
    with pytest.raises(TargetNotAllowed):
        decide("http://mixed.example/", "93.184.215.14", "10.1.2.3", space="public")


KEY_HOSTS = [
    (["grafana.intra"], "http://grafana.intra/", "10.1.2.3", True),
    (["grafana.intra"], "http://grafana.intra:3000/", "10.1.2.3", True),
    (["grafana.intra:3000"], "http://grafana.intra/", "10.1.2.3", False),
    (["grafana.intra"], "http://wiki.intra/", "10.1.2.3", False),
    (["*.intra"], "http://a.b.intra/", "10.1.2.3", True),
    (["*.intra"], "http://intra/", "10.1.2.3", False),
    (["*.intra"], "http://xintra/", "10.1.2.3", False),
    (["10.1.0.0/16"], "http://grafana.intra/", "10.1.2.3", True),
    (["10.1.0.0/16"], "http://[::ffff:10.1.2.3]/", "::ffff:10.1.2.3", True),
    (["10.1.0.0/16"], "http://grafana.intra/", "10.2.2.3", False),
    (["grafana.intra", "93.184.215.14"], "http://example.com/", "93.184.215.14", True),
]


@pytest.mark.parametrize(("hosts", "url", "address", "may"), KEY_HOSTS)
@pytest.mark.parametrize("space", [None, "private"])
def test_a_key_reaches_only_what_it_is_made_for(
    hosts: list[str],
    url: str,
    address: str,
    may: bool,  # noqa: FBT001 - a table's cell
    space: Space | None,
) -> None:
    if may:
        decide(url, address, hosts=hosts, space=space)
        return
    with pytest.raises(TargetNotForKey) as caught:
        decide(url, address, hosts=hosts, space=space)
    assert (caught.value.status, caught.value.extra) == (403, {"setting": "allow-host"})


def test_a_keys_hosts_do_not_lift_the_boxs_own_rules() -> None:
    with pytest.raises(TargetNotAllowed) as caught:
        decide("http://127.0.0.1:3000/", hosts=["127.0.0.1:3000"])
    assert (caught.value.status, caught.value.extra) == (422, {"setting": "allow"})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not-a-valid-url",
        "example.com",
        "//example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.com/",
        "chrome://version",
        "view-source:http://example.com/",
        "http:/example.com",
        "http:example.com",
        "http://",
        "http:///path",
        "http://?q",
        "http://exa mple.com/",
        "http://example.com/\n",
        " http://example.com/",
        "http://127.0.0.1\\@example.com/",
        "http://%31%32%37.0.0.1/",
        "http://[::1/",
        "http://[zz]/",
        "http://[fe80::1%25eth0]/",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://1.2.3.4.5/",
        "http://999.1.1.1/",
        "http://a..b/",
        "http://-.*/",
        "http://" + "a" * 64 + "/",
        "http://example.com/" + "a" * 9000,
    ],
)
def test_what_no_browser_could_open_is_a_bad_url(url: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        outbound.parse(url)
    assert list(caught.value.problems) == ["url"]


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("HTTP://Example.COM/Path?Q=1#f", "http://example.com/Path?Q=1#f"),
        ("http://0x7f.1:3000/x", "http://127.0.0.1:3000/x"),
        ("https://user:pass@example.com./", "https://user:pass@example.com/"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    ],
)
def test_the_browser_is_given_what_was_judged(url: str, given: str) -> None:
    assert outbound.parse(url).url == given


def test_a_name_is_judged_by_its_addresses_for_whom_it_is_asked() -> None:
    async def resolve(host: str, caller: int) -> list[Address]:
        assert (host, caller) == ("some.example", 7)
        return [OWN]

    with pytest.raises(TargetNotAllowed):
        asyncio.run(outbound.check_url("http://some.example/", policy(), resolve, Scope(caller=7)))


def test_who_pays_for_the_names_of_a_page_is_who_asked_for_it() -> None:
    async def resolve(*_: object) -> list[Address]:
        return [ipaddress.ip_address("93.184.215.14")]

    allowed_target = asyncio.run(outbound.check_url("http://some.example/", policy(), resolve, Scope(caller=7)))
    assert (allowed_target.scope.space, allowed_target.scope.caller) == ("public", 7)
