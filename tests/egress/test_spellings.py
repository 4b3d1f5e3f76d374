"""What is judged is what the browser asks for, however the host of a URL is written: refused, or the same host."""

import ipaddress

import pytest
from ada_url import URL
from playwright.sync_api import sync_playwright

from allscreenshots_box.egress.policy import parse
from allscreenshots_box.errors import InvalidUrl
from allscreenshots_box.render.browsers.chromium import find_executable

LONG = "a" * 63
HOSTS = {  # by what is written between http:// and the path; None is refused
    # Names
    "example.com": "example.com",
    "EXAMPLE.Com": "example.com",
    "example.com.": "example.com",
    "example.com..": None,
    "intranet": "intranet",
    "a_b.example": "a_b.example",
    "-a-.example": "-a-.example",
    "ab--c.example": "ab--c.example",
    "1e3": "1e3",
    "a.0xg": "a.0xg",
    f"{LONG}.example": f"{LONG}.example",
    f"a{LONG}.example": None,
    "": None,
    ".": None,
    ".a": None,
    "a..b": None,
    "a*b.example": None,
    "a~b.example": None,
    "a;b.example": None,
    "a|b.example": None,
    # Symbols and letters
    "☃.net": "xn--n3h.net",
    "i❤.ws": "xn--i-7iq.ws",
    "i❤\ufe0f.ws": "xn--i-7iq.ws",
    "💩.example": "xn--ls8h.example",
    "\U0001fae0.example": "xn--129h.example",
    "bücher.example": "xn--bcher-kva.example",
    "BU\u0308CHER.example": "xn--bcher-kva.example",
    "faß.example": "xn--fa-hia.example",
    "FAẞ.example": "xn--fa-hia.example",
    "σς.example": "xn--3xab.example",
    "İ.example": "xn--i-9bb.example",
    "ﬁ.example": "fi.example",
    "क्\u200dष.example": "xn--11b2ezcw70k.example",  # joined by a letter's right
    "a\u200db.example": None,  # and without one
    "🏳\ufe0f\u200d🌈.example": None,
    "אב.example": "xn--4dbc.example",
    "אb.example": None,
    "\u0300a.example": None,
    f"{'ü' * 60}.example": None,
    "\ud800.example": None,
    # Spelled by number
    "xn--n3h.net": "xn--n3h.net",
    "XN--N3H.net": "xn--n3h.net",
    "xn--zca.example": "xn--zca.example",
    "xn--0.example": "xn--0.example",
    "xn--\xf1.example": None,
    "xn--a\xadb.example": None,
    # Wide, circled, invisible
    "ｅｘａｍｐｌｅ.com": "example.com",  # noqa: RUF001
    "a。b．c｡d": "a.b.c.d",  # noqa: RUF001
    "loc\xadalhost": "localhost",
    "loc\u200balhost": "localhost",
    "ⓛocalhost。": "localhost",
    "a\u202eb.example": None,
    "ex／ample.com": None,  # noqa: RUF001
    "a＠b.example": None,  # noqa: RUF001
    "a℀b.example": None,
    "\xad": None,
    # IPv4
    "127.0.0.1": "127.0.0.1",
    "127.0.0.1.": "127.0.0.1",
    "127.1": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "0x7F000001": "127.0.0.1",
    "0177.0.0.1": "127.0.0.1",
    "0x7f.1": "127.0.0.1",
    "1": "0.0.0.1",
    "0x": "0.0.0.0",
    "4294967295": "255.255.255.255",
    "１２７.0.0.1": "127.0.0.1",  # noqa: RUF001
    "①②⑦.⓪.⓪.①": "127.0.0.1",
    "4294967296": None,
    "1.2.3.4.5": None,
    "999.1.1.1": None,
    "09.1": None,
    "a.1": None,
    "a.1.": None,
    "a.0x": None,
    "1.2.3.\u0664": None,
    # IPv6
    "[::1]": "::1",
    "[0:0::0:1]": "::1",
    "[::FFFF:127.0.0.1]": str(ipaddress.ip_address("::ffff:7f00:1")),
    "[1:2:3:4:5:6:7::]": "1:2:3:4:5:6:7:0",
    "[::ffff:127.0.0.01]": None,
    "[fe80::1%25eth0]": None,
    "[fe80::1%eth0]": None,
    "[::1].": None,
    "[::1]a": None,
    "[::1": None,
    "[zz]": None,
    # What else may stand there
    "%31%32%37.0.0.1": None,
    "a%2eb": None,
    "a%00b": None,
    "a\tb.example": None,
    "a\nb.example": None,
    "a b.example": None,
    "a\x7fb.example": None,
    "a\x80b.example": None,
    "user:p%40ss@b.example": "b.example",
    "a.example@b.example": "b.example",
    "a.example@b.example@c.example": "c.example",
    "a.example:80@b.example": "b.example",
    "a.example?@b.example": "a.example",
    "a.example#@b.example": "a.example",
    "a.example\\@b.example": None,
    "a.example:": "a.example",
    "a.example:00080": "a.example",
    "a.example:65535": "a.example",
    "a.example:65536": None,
    "a.example:８０": None,  # noqa: RUF001
    "user@:80": None,
    "/a.example": None,
}
SPELLINGS = {f"http://{written}/": host for written, host in HOSTS.items()}
SPELLINGS |= {
    "https://☃.net:80/": "xn--n3h.net",
    "HTTPS://a.example:443/": "a.example",
    "http://a.example/../ä?'ö#ü": "a.example",
    "http:a.example": None,
    "http:/a.example": None,
    "http:\\\\a.example": None,
    " http://a.example/": None,
}
READ = """urls => urls.map(url => {
  try {
    const read = new URL(url);
    read.hostname = read.hostname.replace(/\\.$/, "");
    return [read.hostname, Number(read.port || {"http:": 80, "https:": 443}[read.protocol]), read.href];
  } catch {
    return null;
  }
})"""


@pytest.mark.parametrize(("url", "host"), SPELLINGS.items())
def test_a_host_has_one_spelling_or_none(url: str, host: str | None) -> None:
    if host is not None:
        assert parse(url).host == host
        return
    with pytest.raises(InvalidUrl):
        parse(url)


def spelled(host: str) -> str:
    """Return a host as browsers spell it: no part of an IPv6 address in dots, as newer Pythons have it."""
    return str(URL(f"http://[{host}]/").hostname) if ":" in host else host


@pytest.mark.browser
def test_the_browser_reads_what_was_judged() -> None:
    judged = {url: parse(url) for url, host in SPELLINGS.items() if host is not None}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_executable())
        page = browser.new_page()
        asked, given = (page.evaluate(READ, urls) for urls in (list(judged), [one.url for one in judged.values()]))
        browser.close()
    expected = [[spelled(it.host), it.port, it.url] for it in judged.values()]
    assert asked == expected
    assert given == expected
