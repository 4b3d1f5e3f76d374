"""What is kept out of a page: which addresses are refused without being asked, and what is hidden."""

import asyncio
import logging
import re
import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import adblock

from ... import logs, regular_files
from ...errors import OperatorError
from ..shot import BlockOptions
from . import filter_lists

NAMES_READ = 2000  # classes, and as many ids, of one page that selectors are looked up for
LARGEST_OWN = 64 << 20  # bytes of the operator's own rules; the largest list there is has 10 MiB
LOOK_AGAIN = 60.0  # seconds between two looks for fresher lists
DECISIONS_KEPT = 1 << 16  # hosts on pages whose decision is remembered
BUCKETS = 256  # so that no sort is long enough to hold up the event loop
RULES_AT_ONCE = 5000  # handed to the engine between two chances for other threads

# A connection does not say what it is for. Ads arrive as scripts or in frames: a rule for pictures alone refuses none.
CONNECTION = ("script", "subdocument")

# What a level means as long as its list has not been fetched.
STAND_INS = {
    "light": ("ads",),
    "normal": ("ads",),
    "pro": ("ads", "cookies", "popups"),
    "pro_plus": ("ads", "cookies", "popups", "social"),
    "ultimate": ("ads", "cookies", "popups", "social"),
}

_COSMETIC = re.compile(r"#@?[#$%?]")
_HOST_RULE = re.compile(r"\|\|([a-z0-9_][a-z0-9._-]*)\^(\$third-party|\$3p)?(,?\$?badfilter)?")


# --- hosts --------------------------------------------------------------------------------------


class Hosts:
    """Host names, eight bytes each: half a million in four megabytes."""

    def __init__(self, names: Iterable[str]) -> None:
        buckets = [array("q") for _ in range(BUCKETS)]
        for name in names:
            number = hash(name)
            buckets[number % BUCKETS].append(number)
        self._buckets = [array("q", sorted(bucket)) for bucket in buckets]

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def __contains__(self, name: str) -> bool:
        number = hash(name)
        bucket = self._buckets[number % BUCKETS]
        place = bisect_left(bucket, number)
        return place < len(bucket) and bucket[place] == number

    def cover(self, host: str, page_host: str) -> bool:
        """Tell whether *host* or a domain above it is here; one that the page itself is under does not count."""
        return any(name in self for name in _with_parents(host) if not _under(page_host, name))


def _with_parents(host: str) -> Iterator[str]:
    while host:
        yield host
        host = host.partition(".")[2]


def _under(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


@lru_cache(maxsize=4096)
def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


# --- rules --------------------------------------------------------------------------------------


def _engine(rules: Sequence[str]) -> adblock.Engine:
    filters = adblock.FilterSet()
    for start in range(0, len(rules), RULES_AT_ONCE):
        filters.add_filters(list(rules[start : start + RULES_AT_ONCE]))
    return adblock.Engine(filters)


_PARTIES = _engine(["*$third-party"])  # the engine knows which domains are sold as one: co.uk, github.io


def _foreign(host: str, page_host: str) -> bool:
    return _PARTIES.check_network_urls(f"https://{host}/", f"https://{page_host}/", "script").matched


class Rules:
    """One group of filter rules. Rules that name a host and nothing else, nearly all, are kept as hosts."""

    def __init__(self, rules: Iterable[str], vendors: Iterable[str] = (), *, generic: bool = True) -> None:
        everywhere: set[str] = set()
        abroad: set[str] = set()
        void: set[str] = set()
        others: list[str] = []
        of_vendors = tuple(vendors)
        for rule in (*rules, *of_vendors):
            if not (match := _HOST_RULE.fullmatch(rule)):
                others.append(rule)
            elif match[3]:
                void.add(match[1])
            else:
                (abroad if match[2] else everywhere).add(match[1])
        self.names_addresses = any(not rule.startswith("@@") and not _COSMETIC.search(rule) for rule in others)
        self._everywhere, self._abroad = Hosts(everywhere - void), Hosts(abroad - void)
        self._engine = _engine(others)
        self._always = [rule[2:] for rule in of_vendors if rule.startswith("##")]
        # Selectors without a class or an id fit every page: hundreds, dear to match, some of links and embeds.
        nowhere = self._engine.url_cosmetic_resources("https://nowhere.invalid/").hide_selectors
        self._skipped = frozenset() if generic else frozenset(nowhere)

    def refuse(self, url: str, host: str, page_host: str, kinds: Sequence[str], *, foreign: bool) -> bool:
        """Tell whether *url* is refused to a page on *page_host*."""
        if self._everywhere.cover(host, page_host) or (foreign and self._abroad.cover(host, page_host)):
            return not self.except_(url, host, page_host, foreign=foreign)
        page = f"https://{page_host}/"
        return any(self._engine.check_network_urls(url, page, kind).matched for kind in kinds) and (
            foreign or not self._engine.check_network_urls(page, page, CONNECTION[0]).matched
        )

    def except_(self, url: str, host: str, page_host: str, *, foreign: bool) -> bool:
        """Tell whether an exception (``@@``) lets *url* pass."""
        found = self._engine.check_network_urls_with_hostnames_subset(
            url, host, page_host, CONNECTION[0], foreign, previously_matched_rule=True, force_check_exceptions=True
        )
        return found.exception is not None

    def hide(self, page_host: str, classes: list[str], ids: list[str]) -> Iterator[str]:
        """Yield the selectors of this group that can match on a page with these classes and ids."""
        found = self._engine.url_cosmetic_resources(f"https://{page_host}/")
        yield from (selector for selector in self._always if selector not in found.exceptions)
        yield from found.hide_selectors - self._skipped
        yield from self._engine.hidden_class_id_selectors(classes, ids, found.exceptions)

    def unhide(self, page_host: str) -> set[str]:
        """Return the selectors that exceptions (``#@#``) take back on a page."""
        return self._engine.url_cosmetic_resources(f"https://{page_host}/").exceptions


# --- blocking -----------------------------------------------------------------------------------


class _Loaded:
    """What was read: the operator's rules at once, a group when it is first wanted, and from what files."""

    def __init__(self, fresh: Path | None, own: Path | None) -> None:
        self._fresh = fresh
        self.stamps = _stamps(fresh, own)  # modification times of the files that there were
        self.own = Rules(filter_lists.entries("rules", _own_lines(own)))
        self._groups: dict[str, Rules] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The groups that have been read."""
        return tuple(self._groups)

    def group(self, name: str) -> Rules:
        """Return a group, and read it if nobody has: work for a thread, which `Blocking.ready` gives it to."""
        if name not in self._groups:
            self._groups[name] = _group(name, self._fresh, self.stamps)
        return self._groups[name]


class BlockingEngine:
    """The lists in force: those in the folder of fetched ones, and where they lack those that come with the box."""

    def __init__(self, fresh: Path | None, own: Path | None, loaded: _Loaded, look_again: float) -> None:
        self._fresh, self._own, self._look_again = fresh, own, look_again
        self._reloading = threading.Lock()
        self._levels: dict[str, Hosts | None] = {}
        self._use(loaded)

    @classmethod
    def load(
        cls, fresh: Path | None = None, own: Path | None = None, look_again: float = LOOK_AGAIN
    ) -> "BlockingEngine":
        """Read the operator's rules, for a thread; `ready` reads the lists that are asked for.

        *fresh* is the folder of fetched lists, *own* the operator's file of rules; OperatorError if that is bad.
        """
        return cls(fresh, own, _Loaded(fresh, own), look_again)

    def _use(self, loaded: _Loaded) -> None:
        self._loaded = loaded
        self._levels = {}
        self._next_look = time.monotonic() + self._look_again
        self._decision = lru_cache(maxsize=DECISIONS_KEPT)(self._decide)

    def reads_addresses(self, blocked: BlockOptions) -> bool:
        """Tell whether there is more to ask about than connections.

        To ask costs a page a millisecond or two for each of its requests, whatever is asked about. Only rules of the
        operator's own are worth that.
        """
        wanted = blocked.level != "none" or bool(_wished(blocked))
        return wanted and self._loaded.own.names_addresses

    def refuses(self, url: str, page_url: str, blocked: BlockOptions, kind: str = "") -> bool:
        """Tell whether a page's request is refused; without a *kind* it is for a connection, to ``https://host/``."""
        page_host = _host_of(page_url)
        if kind:
            return self._decide(url, page_host, blocked, (kind,))
        return self._decision(url, page_host, blocked)

    def _decide(self, url: str, page_host: str, blocked: BlockOptions, kinds: Sequence[str] = CONNECTION) -> bool:
        host = _host_of(url)
        groups = self._groups(blocked)
        hosts = self._levels.get(blocked.level)
        if not host or host == page_host or (not groups and hosts is None):
            return False
        foreign = _foreign(host, page_host)
        own = self._loaded.own
        if own.except_(url, host, page_host, foreign=foreign):
            return False
        if own.refuse(url, host, page_host, kinds, foreign=foreign) or (
            hosts is not None and hosts.cover(host, page_host)
        ):
            return True
        return any(self._loaded.group(name).refuse(url, host, page_host, kinds, foreign=foreign) for name in groups)

    def _groups(self, blocked: BlockOptions) -> tuple[str, ...]:
        """Return the groups of rules that count, a level's stand-ins among them."""
        stand_ins = STAND_INS.get(blocked.level, ()) if self._levels.get(blocked.level) is None else ()
        wanted = {*_wished(blocked), *stand_ins}
        return tuple(name for name in filter_lists.GROUPS if name in wanted)

    def hiding(self, page_url: str, classes: Sequence[str], ids: Sequence[str], blocked: BlockOptions) -> list[str]:
        """Return the selectors to hide on a page that has these classes and ids."""
        page_host = _host_of(page_url)
        names = [str(name) for name in classes[:NAMES_READ]], [str(name) for name in ids[:NAMES_READ]]
        wished = _wished(blocked)
        if not wished:
            return []
        found = [selector for name in wished for selector in self._loaded.group(name).hide(page_host, *names)]
        found += self._loaded.own.hide(page_host, *names)
        shown = self._loaded.own.unhide(page_host)
        return [one for one in dict.fromkeys(found) if one not in shown and not set(one) & {"{", "}"}]

    async def ready(self, blocked: BlockOptions) -> None:
        """Load what *blocked* needs and is not there yet, and look for fresher lists now and then."""
        self.refresh()
        level = blocked.level
        if level != "none" and level not in self._levels and self._level_file(level) in self._loaded.stamps:
            await asyncio.to_thread(self._load_level, level)
        missing = set(self._groups(blocked)) - set(self._loaded.names)
        if missing:
            await asyncio.to_thread(self._load_groups, missing)

    def reload(self, own: Path | None) -> None:
        """Read the lists again, with the rules of *own*: for a thread. Raises OperatorError, and goes on as before."""
        with self._reloading:
            loaded = self._read_again(own)
            self._own = own
            self._use(loaded)

    def refresh(self) -> None:
        """Start reading the lists again if a file of theirs has changed; at most once a minute, in a thread."""
        now = time.monotonic()
        if now < self._next_look or self._reloading.locked():
            return
        self._next_look = now + self._look_again
        if _stamps(self._fresh, self._own) != self._loaded.stamps:
            threading.Thread(target=self._reload, name="lists", daemon=True).start()

    def _reload(self) -> None:
        with self._reloading:
            try:
                self._use(self._read_again(self._own))
                logs.event("lists_loaded")
            except OperatorError as error:
                self._next_look = time.monotonic() + self._look_again
                logs.event("lists_not_loaded", logging.WARNING, reason=str(error))

    def _read_again(self, own: Path | None) -> _Loaded:
        """Read what has been read, before it takes the place of that: no shot waits for it."""
        loaded = _Loaded(self._fresh, own)
        for name in self._loaded.names:
            loaded.group(name)
        return loaded

    def _load_groups(self, names: Iterable[str]) -> None:
        with self._reloading:  # else what takes the place of the lists meanwhile would lack these
            for name in names:
                self._loaded.group(name)

    def _level_file(self, level: str) -> Path:
        return (self._fresh or filter_lists.SHIPPED) / f"{level}.txt"

    def _load_level(self, level: str) -> None:
        source = next(source for source in filter_lists.SOURCES if source.name == level)
        with self._reloading:
            levels, decision = self._levels, self._decision
            if level not in levels:
                lines = _sound(source, self._level_file(level))
                levels[level] = Hosts(filter_lists.entries("domains", lines)) if lines else None
                decision.cache_clear()


def _wished(blocked: BlockOptions) -> tuple[str, ...]:
    flags = {"ads": blocked.ads, "cookies": blocked.cookie_banners, "popups": blocked.popups}
    return tuple(name for name, wished in flags.items() if wished)


# --- loading ------------------------------------------------------------------------------------


def _group(name: str, fresh: Path | None, stamps: dict[Path, int]) -> Rules:
    """Return a group from its fetched lists; if one of them is missing or broken, also from what the box has."""
    rules: list[str] = []
    whole = True
    for source in (source for source in filter_lists.SOURCES if source.group == name):
        path = fresh / f"{source.name}.txt" if fresh else None
        found = _sound(source, path) if path in stamps and path else []
        rules += filter_lists.entries("rules", found)
        whole = whole and bool(found)
    if not whole:
        rules += filter_lists.shipped(name)
    vendors = filter_lists.shipped(f"vendors-{name}") if name != "social" else ()
    return Rules(rules, vendors, generic=name == "cookies")


def _sound(source: filter_lists.Source, path: Path) -> list[str]:
    """Return the lines of a fetched list, none if it cannot be one."""
    try:
        return filter_lists.checked(source, regular_files.content(path, filter_lists.LARGEST))
    except (OSError, ValueError) as error:
        logs.event("list_not_used", logging.WARNING, list=source.name, reason=str(error))
        return []


def _own_lines(own: Path | None) -> list[str]:
    try:
        return regular_files.content(own, LARGEST_OWN).decode().splitlines() if own else []
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise OperatorError(
            f"The file of your rules {own} cannot be read ({reason}): mend it or block_rules."
        ) from error


def _stamps(fresh: Path | None, own: Path | None) -> dict[Path, int]:
    paths = [fresh / f"{name}.txt" for name in filter_lists.NAMES] if fresh else []
    stamps = {}
    for path in [*paths, *([own] if own else [])]:
        try:
            stamps[path] = path.stat().st_mtime_ns
        except OSError:
            continue
    return stamps
