import asyncio
import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from allscreenshots_box.errors import OperatorError, PageCrashed, PageTooLarge
from allscreenshots_box.render.blocking import filter_lists
from allscreenshots_box.render.blocking.engine import NAMES_READ, BlockingEngine, Hosts
from allscreenshots_box.render.pipeline import consent
from allscreenshots_box.render.shot import BlockLevel, BlockOptions

pytestmark = pytest.mark.anyio

PAGE = "https://news.test/story"
NONE = BlockOptions(ads=False, cookie_banners=False, popups=False)
ADS, BANNERS, POPUPS = replace(NONE, ads=True), replace(NONE, cookie_banners=True), replace(NONE, popups=True)

OWN = """! what the operator wants
||bad.test^$third-party
||everywhere.test^
||paths.test/banner/
||pictures.test^$image
||frames.test^$subdocument
||only-there.test^$domain=other.test
@@||good.everywhere.test^
@@||google-analytics.com^
||taken-back.test^
||taken-back.test^$badfilter
##.own-banner
news.test###own-id
##.adsbygoogle-like
news.test#@#ins.adsbygoogle
this is ] not a rule at all ][ $$ ###
"""


@pytest.fixture(scope="module")
def shipped() -> BlockingEngine:
    return BlockingEngine.load()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> BlockingEngine:
    path = tmp_path_factory.mktemp("own") / "rules.txt"
    path.write_text(OWN)
    return BlockingEngine.load(own=path)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "blocked", "refused"),
    [
        ("https://www.google-analytics.com/", ADS, True),
        ("https://securepubads.g.doubleclick.net/", ADS, True),
        ("https://pagead2.googlesyndication.com/", ADS, True),
        ("https://static.hotjar.com/", ADS, True),
        ("https://www.google-analytics.com/", BANNERS, False),
        ("https://www.google-analytics.com/", NONE, False),
        ("https://cdn.cookielaw.org/", BANNERS, True),
        ("https://consent.cookiebot.com/", BANNERS, True),
        ("https://cdn.cookielaw.org/", ADS, False),
        ("https://js.driftt.com/", POPUPS, True),
        ("https://widget.intercom.io/", POPUPS, True),
        ("https://widget.intercom.io/", ADS, False),
        ("https://cdn.jsdelivr.net/", BlockOptions(), False),
        ("https://fonts.gstatic.com/", BlockOptions(), False),
        ("https://maps.googleapis.com/", BlockOptions(), False),
        ("https://www.youtube.com/", BlockOptions(), False),
        ("https://images.news.test/", BlockOptions(), False),
        ("https://127.0.0.1/", BlockOptions(), False),
        ("https://[::1]/", BlockOptions(), False),
        ("https://xn--bcher-kva.test/", BlockOptions(), False),
        ("https:///", BlockOptions(), False),
        ("nonsense", BlockOptions(), False),
        ("https://[", BlockOptions(), False),
    ],
)
def test_the_lists_of_the_box_refuse_what_the_request_wants_kept_out(
    shipped: BlockingEngine, url: str, blocked: BlockOptions, *, refused: bool
) -> None:
    assert shipped.refuses(url, PAGE, blocked) is refused
    assert shipped.refuses(url, PAGE, blocked) is refused  # remembered


@pytest.mark.parametrize(
    ("url", "page", "refused"),
    [
        ("https://bad.test/", PAGE, True),
        ("https://deep.in.bad.test/", PAGE, True),
        ("https://notbad.test/", PAGE, False),
        ("https://bad.test.evil.test/", PAGE, False),
        ("https://cdn.bad.test/", "https://www.bad.test/", False),  # not foreign there
        ("https://everywhere.test/", PAGE, True),
        ("https://everywhere.test/", "https://everywhere.test/", False),  # the page itself
        ("https://static.everywhere.test/", "https://everywhere.test/", False),  # nor what is its own
        ("https://good.everywhere.test/", PAGE, False),
        ("https://bad.everywhere.test/", PAGE, True),
        ("https://paths.test/", PAGE, False),  # a path refuses no host
        ("https://pictures.test/", PAGE, False),  # nor do pictures
        ("https://frames.test/", PAGE, True),
        ("https://only-there.test/", PAGE, False),
        ("https://only-there.test/", "https://www.other.test/", True),
        ("https://taken-back.test/", PAGE, False),
        ("https://www.google-analytics.com/", PAGE, False),  # allowed by the operator, refused by the lists
    ],
)
def test_the_operators_rules_mean_what_such_rules_mean(
    own: BlockingEngine, url: str, page: str, *, refused: bool
) -> None:
    assert own.refuses(url, page, BlockOptions()) is refused


@pytest.mark.parametrize(
    ("url", "kind", "page", "refused"),
    [
        ("https://paths.test/banner/1.png", "image", PAGE, True),
        ("http://paths.test/banner/1.js", "script", PAGE, True),
        ("https://paths.test/story/1.png", "image", PAGE, False),
        ("https://paths.test/banner/1.png", "image", "https://paths.test/", False),  # the page's own
        ("https://pictures.test/1.png", "image", PAGE, True),
        ("https://pictures.test/1.js", "script", PAGE, False),
        ("https://frames.test/1.png", "image", PAGE, False),
        ("https://everywhere.test/1.woff2", "font", PAGE, True),
        ("https://good.everywhere.test/1.png", "image", PAGE, False),
        ("https://cdn.test/lib/jquery.js", "script", PAGE, False),
        ("https://cdn.test/ads/banner728x90.gif?adserver=1", "image", PAGE, False),
    ],
)
def test_rules_for_paths_and_kinds_mean_what_such_rules_mean(
    own: BlockingEngine, url: str, kind: str, page: str, *, refused: bool
) -> None:
    assert own.refuses(url, page, BlockOptions(), kind) is refused


def test_the_operators_rules_bind_nobody_who_wants_nothing_blocked(own: BlockingEngine) -> None:
    assert not own.refuses("https://everywhere.test/", PAGE, NONE)


def test_rules_that_are_not_there_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="block_rules"):
        BlockingEngine.load(own=tmp_path / "absent")


# --- levels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "tracker", "banner", "embed"),
    [
        ("none", False, False, False),
        ("light", True, False, False),
        ("normal", True, False, False),
        ("pro", True, True, False),
        ("pro_plus", True, True, True),
        ("ultimate", True, True, True),
    ],
)
def test_a_level_without_its_list_means_what_is_documented(
    shipped: BlockingEngine, level: BlockLevel, *, tracker: bool, banner: bool, embed: bool
) -> None:
    blocked = replace(NONE, level=level)
    urls = ("https://www.google-analytics.com/", "https://cdn.cookielaw.org/", "https://s7.addthis.com/")
    assert tuple(shipped.refuses(url, PAGE, blocked) for url in urls) == (tracker, banner, embed)


def domains(count: int = 10_000) -> str:
    return "# Title: a test\n" + "".join(f"d{number}.listed.test\n" for number in range(count)) + "blog.test\n"


async def test_a_fetched_level_means_its_domains_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pro.txt").write_text(domains())
    blocking = BlockingEngine.load(tmp_path)
    blocked = replace(NONE, level="pro")
    await blocking.ready(blocked)
    cases = {
        "https://d7.listed.test/": True,
        "https://deep.d7.listed.test/": True,
        "https://listed.test/": False,
        "https://www.google-analytics.com/": False,
    }
    assert {url: blocking.refuses(url, PAGE, blocked) for url in cases} == cases
    assert not blocking.refuses("https://static.blog.test/", "https://www.blog.test/", blocked)


async def test_the_operators_exceptions_count_for_levels(tmp_path: Path) -> None:
    (tmp_path / "pro.txt").write_text(domains())
    (tmp_path / "own").write_text("@@||d7.listed.test^\n")
    blocking = BlockingEngine.load(tmp_path, tmp_path / "own")
    blocked = replace(NONE, level="pro")
    await blocking.ready(blocked)
    assert not blocking.refuses("https://d7.listed.test/", PAGE, blocked)
    assert blocking.refuses("https://d8.listed.test/", PAGE, blocked)


def test_hosts_are_found_among_many() -> None:
    names = [f"host{number}.test" for number in range(20_000)]
    hosts = Hosts(names)
    assert len(hosts) == 20_000
    assert all(name in hosts for name in names)
    assert "host20000.test" not in hosts


# --- fetched lists ------------------------------------------------------------------------------


def rules(domain: str) -> str:
    return "! Title: fetched\n" + "".join(f"||r{number}.{domain}^\n" for number in range(20_000))


def fetched(folder: Path) -> Path:
    """Fill a folder with a full set of fetched lists."""
    for source in filter_lists.SOURCES:
        if source.kind == "rules":
            (folder / f"{source.name}.txt").write_text(rules(f"{source.name}.test"))
    return folder


def test_fetched_lists_take_the_place_of_those_of_the_box(tmp_path: Path) -> None:
    blocking = BlockingEngine.load(fetched(tmp_path))
    assert blocking.refuses("https://r9.easylist.test/", PAGE, ADS)
    assert blocking.refuses("https://r9.easyprivacy.test/", PAGE, ADS)
    assert blocking.refuses("https://r9.cookies.test/", PAGE, BANNERS)
    assert not blocking.refuses("https://www.google-analytics.com/", PAGE, ADS)


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(os.urandom(100_000)),
        lambda path: path.write_text("<!DOCTYPE html><html>Not found</html>" + rules("html.test")),
        lambda path: path.write_text(path.read_text()[:1000]),
        lambda path: path.chmod(0) or path.unlink() or path.mkdir(),
    ],
    ids=["absent", "empty", "noise", "web page", "cut", "folder"],
)
def test_a_broken_list_is_stood_in_for_by_those_of_the_box(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    spoil(fetched(tmp_path) / "easyprivacy.txt")
    blocking = BlockingEngine.load(tmp_path)
    assert blocking.refuses("https://www.google-analytics.com/", PAGE, ADS)
    assert blocking.refuses("https://r9.easylist.test/", PAGE, ADS)


async def test_a_broken_level_is_stood_in_for(tmp_path: Path) -> None:
    (tmp_path / "light.txt").write_text("<html>gone</html>")
    blocking = BlockingEngine.load(tmp_path)
    blocked = replace(NONE, level="light")
    await blocking.ready(blocked)
    assert blocking.refuses("https://www.google-analytics.com/", PAGE, blocked)


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not claim():  # noqa: ASYNC110 - a thread of the box's own has nothing to await
            await asyncio.sleep(0.02)


async def test_lists_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    blocking = BlockingEngine.load(tmp_path)
    for blocked, names in ((NONE, set[str]()), (ADS, {"ads"})):
        await blocking.ready(blocked)
        assert set(blocking._loaded.names) == names


async def test_fresher_lists_are_used_without_a_restart(tmp_path: Path) -> None:
    blocking = BlockingEngine.load(tmp_path, look_again=0)
    assert blocking.refuses("https://www.google-analytics.com/", PAGE, ADS)
    fetched(tmp_path)
    await blocking.ready(ADS)
    await until(lambda: not blocking.refuses("https://www.google-analytics.com/", PAGE, ADS))
    assert blocking.refuses("https://r9.easylist.test/", PAGE, ADS)


async def test_a_fresher_level_is_used_without_a_restart(tmp_path: Path) -> None:
    blocking = BlockingEngine.load(tmp_path, look_again=0)
    blocked = replace(NONE, level="light")
    await blocking.ready(blocked)
    assert not blocking.refuses("https://d1.listed.test/", PAGE, blocked)
    (tmp_path / "light.txt").write_text(domains())
    await blocking.ready(blocked)
    await until(lambda: blocking._level_file("light") in blocking._loaded.stamps)
    await blocking.ready(blocked)
    assert blocking.refuses("https://d1.listed.test/", PAGE, blocked)


# --- what is hidden -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "blocked", "hidden"),
    [
        (".ad_banner", ADS, True),
        (".ad_banner", BANNERS, False),
        ("ins.adsbygoogle", ADS, True),
        ("#onetrust-banner-sdk", BANNERS, True),
        ("#onetrust-banner-sdk", ADS, False),
        (".crisp-client", POPUPS, True),
        (".crisp-client", BANNERS, False),
        (".never-on-this-page", BlockOptions(), False),
    ],
)
def test_what_is_hidden_is_what_the_request_wants_hidden(
    shipped: BlockingEngine, selector: str, blocked: BlockOptions, *, hidden: bool
) -> None:
    assert (selector in shipped.hiding(PAGE, ["ad_banner"], [], blocked)) is hidden


def test_only_selectors_that_can_match_are_hidden(shipped: BlockingEngine) -> None:
    assert ".ad_banner" not in shipped.hiding(PAGE, [], [], ADS)
    assert len(shipped.hiding(PAGE, ["story"], ["main"], BlockOptions())) < 300


def test_nothing_is_hidden_when_nothing_is_blocked(own: BlockingEngine) -> None:
    assert own.hiding(PAGE, ["own-banner"], ["own-id"], NONE) == []


def test_the_operators_rules_hide_and_show(own: BlockingEngine) -> None:
    hidden = own.hiding(PAGE, ["own-banner"], ["own-id"], ADS)
    assert {".own-banner", "#own-id"} <= set(hidden)
    assert "ins.adsbygoogle" not in hidden
    assert "ins.adsbygoogle" in own.hiding("https://other.test/", [], [], ADS)


def test_no_more_names_of_a_page_are_read_than_the_bound(shipped: BlockingEngine) -> None:
    many = [f"c{number}" for number in range(NAMES_READ)]
    assert ".ad_banner" in shipped.hiding(PAGE, [*many[1:], "ad_banner"], [], ADS)
    assert ".ad_banner" not in shipped.hiding(PAGE, [*many, "ad_banner"], [], ADS)


def test_a_selector_cannot_end_its_rule(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("##.a}body{background:red\n##.b\n")
    hidden = BlockingEngine.load(own=tmp_path / "own").hiding(PAGE, ["a", "b"], [], ADS)
    assert ".b" in hidden
    assert not any("background" in selector for selector in hidden)


# --- banners ------------------------------------------------------------------------------------


class Page:
    """Answers as a page would, and keeps what it was asked and told."""

    def __init__(self, *answers: object) -> None:
        self.answers, self.asked, self.told = list(answers), list[str](), list[str]()

    async def run(self, function: str, argument: object, shape: Any) -> Any:
        self.asked.append(f"{function} {argument}")
        await asyncio.sleep(0)
        return msgspec.convert(self.answers.pop(0), shape)

    async def tell(self, expression: str) -> None:
        self.told.append(expression)


KNOWN = consent.Seen(PAGE, ["cookies-consent", "cookies-inner"], [])


async def clear(page: Page, seen: consent.Seen, blocked: BlockOptions = BlockOptions()) -> bool:  # noqa: B008 - it is frozen
    return await consent.clear(page.run, page.tell, seen, blocked, 1)


async def test_a_page_without_banners_is_asked_once_and_given_no_bundle() -> None:
    page = Page({"known": [], "gone": 0})
    assert not await clear(page, consent.Seen(PAGE, ["story"], ["main"]))
    assert len(page.asked[0]) < 20_000
    assert page.told == []


async def test_a_known_banner_is_given_the_rules_that_fit_it() -> None:
    rules = [rule.steps["name"] for rule in consent._candidates(KNOWN)[0]]
    page = Page({"known": [rules.index("cz-eshop-cookies-consent")], "gone": 0}, True)
    assert await clear(page, KNOWN)
    assert "cz-eshop-cookies-consent" in page.told[0]
    assert "autoconsentReceiveMessage" in page.told[0]


@pytest.mark.parametrize("numbers", [[-1], [10**6], [-1, 10**12]])
async def test_a_rule_that_is_none_of_ours_is_none(numbers: list[int]) -> None:
    page = Page({"known": numbers, "gone": 0})
    assert not await clear(page, KNOWN)
    assert page.told == []


async def test_a_rule_that_is_named_again_and_again_is_given_once() -> None:
    page = Page({"known": [0] * 100_000, "gone": 0}, True)
    assert await clear(page, KNOWN)
    name = consent._candidates(KNOWN)[0][0].steps["name"]
    assert page.told[0].count(f'"{name}"') == 1


@pytest.mark.parametrize("error", [PageCrashed("It is not one."), PageTooLarge("It says too much.")])
async def test_a_page_that_cannot_be_looked_into_has_no_banner(error: Exception) -> None:
    async def broken(*_: object) -> Any:
        raise error

    assert not await consent.clear(broken, Page().tell, KNOWN, BlockOptions(), 1)


async def test_a_page_that_wants_its_banners_is_left_alone() -> None:
    page = Page()
    assert not await clear(page, consent.Seen(PAGE, [], []), ADS)
    assert page.asked == []


async def test_a_page_that_never_answers_costs_the_budget_and_no_more() -> None:
    async def silent(*_: object) -> Any:
        return await asyncio.Event().wait()

    assert not await consent.clear(silent, Page().tell, KNOWN, BlockOptions(), 0.05)


@pytest.mark.parametrize(
    ("seen", "maybe"),
    [
        (consent.Seen(PAGE, [], []), False),
        (consent.Seen(PAGE, ["cookies-consent"], []), False),
        (consent.Seen(PAGE, ["cookies-consent", "cookies-inner"], []), True),
        (consent.Seen(PAGE, [f"c{number}" for number in range(NAMES_READ)], []), True),  # more than were read
        (consent.Seen(PAGE, *([f"n{number}" for number in range(NAMES_READ // 2)],) * 2), True),  # or of both together
    ],
)
def test_only_banners_that_can_be_there_are_looked_for(seen: consent.Seen, *, maybe: bool) -> None:
    found = {rule.steps["name"] for rules in consent._candidates(seen) for rule in rules}
    assert ("cz-eshop-cookies-consent" in found) is maybe


# --- the package --------------------------------------------------------------------------------

DATA = ["ads.txt.xz", "cookies.txt.xz", "popups.txt.xz", "social.txt.xz", "NOTICE.md", "COPYING"]


@pytest.mark.parametrize("name", [*DATA, *(f"vendors-{group}.txt" for group in ("ads", "cookies", "popups"))])
def test_the_package_has_its_lists_and_their_licences(name: str) -> None:
    assert (filter_lists.SHIPPED / name).stat().st_size > 100
    assert (
        filter_lists.SHIPPED.parent == Path(filter_lists.__file__).parent
    )  # all that is in the package is in the wheel
    assert importlib.metadata.version("adblock")
