"""Two shots on one site, by two keys: nothing that one leaves in the browser is there for the other."""

import threading
from dataclasses import dataclass, field

import pytest

from tests.box import Box
from tests.site.server import Site
from tests.test_serve import eventually

pytestmark = pytest.mark.browser

IDS = ("found", "kept", "token")
# What a page must have been able to leave in its own shot, or nothing would be proven by its absence in another.
KEPT = {
    "cache",
    "channel",
    "cookie",
    "database",
    "file",
    "http cache",
    "local storage",
    "lock",
    "service worker",
    "session storage",
    "shared worker",
}


@dataclass
class Visitor:
    """One shot of the page that leaves keepsakes, by a key of its own."""

    name: str
    secret: str
    told: dict[str, str] = field(default_factory=dict)

    def visit(self, box: Box, site: Site, more: str = "", delay: int = 0) -> None:
        schema = {name: {"selector": f"#{name}"} for name in IDS}
        url = site.url(f"/keepsakes.html?mine={self.name}{more}")
        outputs = [{"type": "json", "schema": schema}]
        answer = box.shoot(self.secret, url, outputs=outputs, waitFor="#done", delay=delay)
        assert answer.status_code == 200, answer.text
        self.told = answer.json()["outputs"]["json"]["data"]


@pytest.fixture(scope="module")
def visitors(box: Box, site: Site) -> list[Visitor]:
    """Return three visits: the first is still there during the second, and the third comes after both."""
    first, second = (Visitor(name, box.key(name)) for name in ("first", "second"))
    third = Visitor("third", first.secret)
    site.forget()
    held = threading.Thread(target=first.visit, args=(box, site, "", 4000))
    held.start()
    assert eventually(lambda: any(request.path == "/echo?done=first" for request in site.requests))
    second.visit(box, site)
    assert held.is_alive()
    held.join()
    third.visit(box, site)
    return [first, second, third]


def requests_of(site: Site, visitor: Visitor) -> list[tuple[int, dict[str, str]]]:
    """Return the client's port and the headers of each request that says whose it is."""
    return [
        (request.port, request.headers)
        for request in site.requests
        if request.headers.get("x-mine") == visitor.name or request.path.endswith(f"mine={visitor.name}")
    ]


def test_a_page_keeps_things_within_its_shot(visitors: list[Visitor]) -> None:
    for visitor in visitors:
        assert set(visitor.told["kept"].split(", ")) == KEPT


def test_two_pages_of_one_shot_do_find_each_other(box: Box, site: Site) -> None:
    host = Visitor("host", box.key("host"))
    host.visit(box, site, "&with=guest")
    shared = KEPT - {"http cache", "session storage"} | {"storage event"}
    assert len(shared & set(host.told["found"].split(", "))) >= 8, host.told  # else the tests below show nothing


@pytest.mark.parametrize("number", range(3), ids=["during another", "beside another", "after both"])
def test_no_storage_worker_or_channel_has_anything_of_another_shot(visitors: list[Visitor], number: int) -> None:
    assert visitors[number].told["found"] == "nothing"


def test_no_cache_passes_from_shot_to_shot(visitors: list[Visitor], site: Site) -> None:
    assert len({visitor.told["token"] for visitor in visitors}) == len(visitors)
    conditional = [request for request in site.requests if "if-none-match" in request.headers]
    assert conditional == []


def test_no_cookie_reaches_the_site_from_another_shot(visitors: list[Visitor], site: Site) -> None:
    for visitor in visitors:
        sent = {headers["cookie"] for _, headers in requests_of(site, visitor) if "cookie" in headers}
        assert sent == {f"keepsake={visitor.name}"}


def test_no_connection_serves_two_shots(visitors: list[Visitor], site: Site) -> None:
    ports = [{port for port, _ in requests_of(site, visitor)} for visitor in visitors]
    assert all(ports)
    assert sum(map(len, ports)) == len(set().union(*ports))
