"""URLs that the box itself is asked for: spellings of what is never opened, redirects to it, names that lead there."""

import ipaddress
from collections.abc import Callable
from functools import partial

from tests.attacks.cases import OWN_PORT, PRIVATE_SITE, Case, Staged

BAD_URL = frozenset({400})
REFUSED = frozenset({"target_not_allowed"})
NOWHERE = frozenset({422})  # refused, or nothing that there is a picture of
OWN_PAGE = "http://127.0.0.1:8098/@CASE@/"  # the one endpoint of its machine that the operator allows
PRIVATE_PAGE = f"http://{PRIVATE_SITE}/@CASE@/"

_WIDE = str.maketrans("0123456789.", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\u3002")


def _groups(four: ipaddress.IPv4Address) -> str:
    return f"{int(four) >> 16:x}:{int(four) & 0xFFFF:x}"


SPELLINGS: dict[str, Callable[[ipaddress.IPv4Address], str]] = {
    "dotted": str,
    "with a trailing dot": "{}.".format,
    "decimal": lambda four: str(int(four)),
    "hexadecimal": lambda four: hex(int(four)),
    "octal": lambda four: ".".join(f"0{byte:o}" for byte in four.packed),
    "hexadecimal bytes": lambda four: ".".join(f"0x{byte:02X}" for byte in four.packed),
    "mixed bases": lambda four: f"0x{four.packed[0]:x}.0{four.packed[1]:o}.{int.from_bytes(four.packed[2:])}",
    "short": lambda four: f"{four.packed[0]}.{int.from_bytes(four.packed[1:])}",
    "wide digits": lambda four: str(four).translate(_WIDE),
    "percent-encoded": lambda four: "".join(f"%{ord(letter):02x}" for letter in str(four)),
    "mapped": "[::ffff:{}]".format,
    "mapped in hexadecimal": lambda four: f"[::ffff:{_groups(four)}]",
    "compatible": lambda four: f"[::{_groups(four)}]",
    "NAT64": lambda four: f"[64:ff9b::{_groups(four)}]",
    "NAT64 for local use": lambda four: f"[64:ff9b:1::{_groups(four)}]",
    "6to4": lambda four: f"[2002:{_groups(four)}::]",
    "Teredo": lambda four: f"[2001:0::{_groups(ipaddress.IPv4Address(int(four) ^ 0xFFFFFFFF))}]",
    "behind a user": "public.example@{}".format,
    "behind a user and a port": "public.example:80@{}".format,
}
_NO_SUCH_HOST = {"percent-encoded"}


def _spelled(how: str, kind: str, staged: Staged) -> str:
    address, port = (staged.loopback, f":{OWN_PORT}") if kind == "loopback" else (staged.link, "")
    return f"HttP://{SPELLINGS[how](ipaddress.IPv4Address(address))}{port}/"


SPELLED = [
    Case(
        f"{kind}, {how}",
        url=partial(_spelled, how, kind),
        hears=BAD_URL if how in _NO_SUCH_HOST else REFUSED,
        runs=False,
        held="the URL is none" if how in _NO_SUCH_HOST else "",
    )
    for kind in ("loopback", "link-local")
    for how in SPELLINGS
]

_ADDRESSES = {
    "the metadata service": "169.254.169.254",
    "the metadata service on IPv6": "[fd00:ec2::254]",
    "the metadata service of Google on IPv6": "[fd20:ce::254]",
    "the metadata service of Alibaba": "100.100.100.200",
    "the metadata service of Azure": "168.63.129.16",
    "the metadata service of Oracle": "192.0.0.192",
    "the metadata service by name": "metadata.google.internal",
    "the metadata service by name, in capitals": "MetaData.Google.Internal.",
    "localhost": "localhost",
    "loopback on IPv6": "[::1]",
    "loopback": "127.0.0.1",
    "no address": "0.0.0.0",
    "no address on IPv6": "[::]",
    "no address, short": "0",
    "the network zero": "0.1.2.3",
    "site-local": "[fec0::1]",
    "reserved": "240.0.0.1",
    "for documents": "[2001:db8::1]",
    "for discarding": "[100::1]",
    "a relay of 6to4": "192.88.99.1",
    "all hosts": "224.0.0.1",
    "all nodes": "[ff02::1]",
    "everybody": "255.255.255.255",
    "link-local on IPv6": "[fe80::1]",
    "what the operator denies": "denied.public.example",
}
_UNROUTABLE = {
    "the network zero",
    "reserved",
    "all hosts",
    "all nodes",
    "everybody",
    "link-local on IPv6",
}
ADDRESSES = [
    Case(
        name,
        url=f"http://{host}:@PORT@/",
        hears=REFUSED,
        runs=False,
        held="no TCP goes there" if name in _UNROUTABLE else "",
    )
    for name, host in _ADDRESSES.items()
]

SCHEMES = [
    Case(f"a URL: {url!r}", url=url, hears=BAD_URL, runs=False, held="the URL is none")
    for url in (
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "file://localhost/etc/passwd",
        "view-source:http://@LINK@/",
        "chrome://version/",
        "devtools://devtools/",
        "about:blank",
        "data:text/html,<iframe src=http://@LINK@/>",
        "javascript:location='http://@LINK@/'",
        "blob:http://@LINK@/x",
        "filesystem:http://@LINK@/x",
        "ftp://@LINK@/",
        "ws://@LINK@/",
        "gopher://@LINK@:80/",
        "//@LINK@/",
        "http:/@LINK@/",
        "http:@LINK@",
        "http:\\\\@LINK@\\",
        "http://public.example\\@@LINK@/",
        "http://@LINK@\t/",
        "http://public.example\r\nHost: @LINK@/",
        "http://@LINK@%00.public.example/",
        "http://[fe80::1%25wire]/",
    )
]

_LOOKS = {
    "a private address": "http://@PRIVATE@/",
    "a private name": "http://@NAMED@/",
    "loopback": "http://@LOOPBACK@/",
    "this machine": "http://@OWN@/",
    "link-local": "http://@LINK@/",
    "the box's ports": "http://127.0.0.1:@PORT@/",
}
REDIRECTS = [
    *(
        Case(
            f"a {status} to {kind}",
            url=f"http://@HOST@/redirect/{status}/?to=%{{{where}}}%",
            hears=REFUSED,
            runs=False,
        )
        for status in (301, 302, 303, 307, 308)
        for kind, where in _LOOKS.items()
        if status == 302 or kind == "a private address"
    ),
    Case(
        "four redirects over two public sites",
        url="http://@HOST@/redirect/301/?to=%{http://b.public.example/redirect/302/?to="
        "%{http://@HOST@/redirect/307/?to=%{http://@PRIVATE@/}%}%}%",
        hears=REFUSED,
        runs=False,
    ),
    *(
        Case(
            f"a redirect to {where}",
            url=f"http://@HOST@/redirect/302/?to=%{{{where}}}%",
            hears=NOWHERE,
            runs=False,
            held="Chromium follows to http and https only",
        )
        for where in (
            "file:///etc/passwd",
            "data:text/html,<img src=http://@PRIVATE@/>",
            "javascript:location='http://@PRIVATE@/'",
            "chrome://version/",
            "view-source:http://@PRIVATE@/",
            "blob:http://@PRIVATE@/x",
            "about:blank",
        )
    ),
]

_AGAIN = "<script>setInterval(() => fetch('http://%s/' + Math.random(), {mode: 'no-cors'}).catch(() => 0), 60)</script>"
NAMES = [
    Case("a name for link-local", url="http://only-@LINK_DIGITS@.@HOST@/", hears=REFUSED, runs=False),
    Case("a name for loopback", url=f"http://only-@LOOPBACK_DIGITS@.@HOST@:{OWN_PORT}/", hears=REFUSED, runs=False),
    Case("a name for a public and a link-local address", url="http://@BOTH_LINK@/", hears=REFUSED, runs=False),
    Case("an image by a name for a public and a private address", '<img src="http://@BOTH@/x.png">'),
    Case("an image by a name for a public and a private IPv6 address", '<img src="http://@BOTH_SIX@/x.png">'),
    Case("an image by an alias of a private name", '<img src="http://@ALIAS@/x.png">'),
    Case("a WebSocket by a name for a public and a private address", "<script>new WebSocket('ws://@BOTH@/')</script>"),
    Case("requests by a name that turns private", _AGAIN % "@REBIND_1@"),
    Case("requests by a name that turns private late", _AGAIN % "@REBIND_2@"),
    Case("requests by a name that turns to loopback", _AGAIN % f"@REBIND_LOOPBACK@:{OWN_PORT}"),
    Case(
        "a page whose own name turns private",
        _AGAIN % "@REBIND_1@",
        url="http://@REBIND_1@/@CASE@/",
        hears=REFUSED | {200},
        runs=False,
    ),
    Case(
        "a page whose own name turns private late",
        _AGAIN % "@REBIND_2@",
        url="http://@REBIND_2@/@CASE@/",
        hears=REFUSED | {200},
        runs=False,
    ),
    Case("an image at a port that is not the web's", '<img src="http://www.public.example:631/x.png">', port=631),
    Case("an image at a host that the operator denies", '<img src="http://denied.public.example:@PORT@/x.png">'),
    Case("an image of a private network that the operator denies", '<img src="http://10.99.0.9:@PORT@/x.png">'),
]

_WORKER = "self.%s = event => event.%s(Promise.all(@TARGETS@.map(url => fetch(url, {mode: 'no-cors'}).catch(() => 0))))"
_REGISTER = "<script>navigator.serviceWorker.register('/@CASE@/extra.js', {scope: '/@CASE@/'}).catch(() => 0)</script>"
ABOVE = [
    Case("a private page's images", '<img src="@T@">', url=PRIVATE_PAGE, space="private"),
    Case("a private page's fetches", "<script>T.map(url => fetch(url))</script>", url=PRIVATE_PAGE, space="private"),
    Case(
        "a private page's WebSockets",
        "<script>W.map(url => new WebSocket(url))</script>",
        url=PRIVATE_PAGE,
        space="private",
    ),
    Case(
        "a private page's redirect",
        url="http://172.16.5.5/redirect/302/?to=%{http://@LOOPBACK@/}%",
        space="private",
        hears=REFUSED,
        runs=False,
    ),
    Case("an allowed page's images", '<img src="@T@">', url=OWN_PAGE, space="own"),
    Case("an allowed page's fetches", "<script>T.map(url => fetch(url))</script>", url=OWN_PAGE, space="own"),
    Case(
        "an allowed page's service worker",
        _REGISTER,
        url=OWN_PAGE,
        space="own",
        extra=_WORKER % ("oninstall", "waitUntil"),
    ),
    Case(
        "an allowed page's service worker that answers it",
        "<script>navigator.serviceWorker.register('/@CASE@/extra.js', {scope: '/@CASE@/'}).then("
        "() => navigator.serviceWorker.ready).then(() => later(() => fetch('/@CASE@/x')))</script>",
        url=OWN_PAGE,
        space="own",
        extra="self.onactivate = event => event.waitUntil(clients.claim()); "
        "self.onfetch = event => event.respondWith(Promise.any(@TARGETS@.map(url => fetch(url, {mode: 'no-cors'}))))",
    ),
    Case(
        "an allowed page's WebTransport",
        "<script>if (window.WebTransport) ['@PRIVATE@', '@LINK@', '@UDP@'].forEach(host => "
        "new WebTransport(`https://${host.split(':')[0]}:3478/`).ready.catch(() => 0))</script>",
        url=OWN_PAGE,
        space="own",
    ),
    Case(
        "an allowed page's worklet",
        "<script>T.forEach(url => CSS.paintWorklet.addModule(url).catch(() => 0))</script>",
        url=OWN_PAGE,
        space="own",
    ),
    Case(
        "an allowed page's fetch for later",
        "<script>if (window.fetchLater) T.forEach(url => fetchLater(url, {activateAfter: 0}))</script>",
        url=OWN_PAGE,
        space="own",
    ),
]
