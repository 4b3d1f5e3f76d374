import ipaddress

import pytest

from allscreenshots_box import hosts

READ = {
    "localhost": "localhost",
    "LOCALHOST:80": "localhost:80",
    "example.com.": "example.com",
    "*.example.com": "*.example.com",
    "*.example.com:443": "*.example.com:443",
    "127.0.0.1:3000": "127.0.0.1:3000",
    "10.1.2.3/8": "10.0.0.0/8",
    "10.0.0.0/8:443": "10.0.0.0/8:443",
    "::1": "::1",
    "[::1]": "::1",
    "[::1]:80": "[::1]:80",
    "fd00::/8": "fd00::/8",
    "[fd00::/8]:80": "[fd00::/8]:80",
}


@pytest.mark.parametrize(("text", "spelled"), READ.items())
def test_a_place_is_read_and_spelled_in_one_way(text: str, spelled: str) -> None:
    assert str(hosts.read(text)) == spelled
    assert hosts.read(spelled) == hosts.read(text)


NONE = ["", "*", "*.", ":80", "a b", "x:0", "x:65536", "x:port", "a:b:c", "10.0.0.0/33", "http://x/", "a*.b", "ü"]
# Browsers make addresses of these; as names they would never match.
NONE += ["127.1", "0x7f000001", "2130706433", "127.0.0.01", "*.1", "x.0x", "127.1:80"]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_place_is_told_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="must be a host name, "):
        hosts.read(text)


@pytest.mark.parametrize(
    ("place", "host", "port", "address", "has"),
    [
        ("a.example", "a.example", 80, "10.1.2.3", True),
        ("a.example", "b.a.example", 80, "10.1.2.3", False),
        ("*.example", "a.example", 80, "10.1.2.3", True),
        ("*.example", "example", 80, "10.1.2.3", False),
        ("a.example:80", "a.example", 81, "10.1.2.3", False),
        ("10.0.0.0/8", "anything", 80, "10.1.2.3", True),
        ("10.0.0.0/8", "anything", 80, "11.1.2.3", False),
        ("10.0.0.0/8", "anything", 80, "fd00::1", False),
        ("10.1.2.3:80", "anything", 80, "10.1.2.3", True),
    ],
)
def test_a_place_has_what_lies_in_it(place: str, host: str, port: int, address: str, has: bool) -> None:  # noqa: FBT001 - a table's cell
    assert hosts.read(place).has(host, port, ipaddress.ip_address(address)) is has


@pytest.mark.parametrize(
    ("place", "host", "port", "exactly"),
    [
        ("127.0.0.1:3000", "127.0.0.1", 3000, True),
        ("[::1]:3000", "::1", 3000, True),
        ("localhost:3000", "localhost", 3000, True),
        ("127.0.0.1:3000", "127.0.0.1", 3001, False),
        ("127.0.0.1", "127.0.0.1", 80, False),
        ("127.0.0.0/8:3000", "127.0.0.1", 3000, False),
        ("*.example:3000", "a.example", 3000, False),
    ],
)
def test_an_endpoint_is_one_host_at_one_port(place: str, host: str, port: int, exactly: bool) -> None:  # noqa: FBT001 - a table's cell
    assert hosts.read(place).is_endpoint(host, port) is exactly
