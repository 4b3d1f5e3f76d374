"""Filter lists: those that come with the box, and fresher ones fetched on request."""

import hashlib
import http.client
import lzma
import os
import re
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from ... import __version__
from ...errors import OperatorError

Kind = Literal["rules", "domains"]

SHIPPED = Path(__file__).parent / "data"
LARGEST = 64 << 20  # bytes of one list; the largest there is has 10 MiB
SUMS = "SHA256SUMS"
FOLDER = "lists"  # in the data directory
CHUNK = 1 << 16  # bytes between two looks at the clock
HEADER_LINES = 40  # where a list says what it is and who made it

HAGEZI = "https://raw.githubusercontent.com/hagezi/dns-blocklists/main/wildcard"
ADGUARD = "https://filters.adtidy.org/extension/ublock/filters"


@dataclass(frozen=True)
class Source:
    """One list: its official address, what it is for, and how many entries it has at the very least."""

    name: str
    group: str
    url: str
    kind: Kind = "rules"
    least: int = 1000


SOURCES = (
    Source("easylist", "ads", "https://easylist.to/easylist/easylist.txt", least=20_000),
    Source("easyprivacy", "ads", "https://easylist.to/easylist/easyprivacy.txt", least=10_000),
    Source("cookies", "cookies", f"{ADGUARD}/18.txt"),
    Source("popups", "popups", f"{ADGUARD}/19.txt"),
    Source("widgets", "popups", f"{ADGUARD}/22.txt", least=300),
    Source("social", "social", f"{ADGUARD}/4.txt", least=300),
    Source("light", "level", f"{HAGEZI}/light-onlydomains.txt", "domains", 10_000),
    Source("normal", "level", f"{HAGEZI}/multi-onlydomains.txt", "domains", 10_000),
    Source("pro", "level", f"{HAGEZI}/pro-onlydomains.txt", "domains", 10_000),
    Source("pro_plus", "level", f"{HAGEZI}/pro.plus-onlydomains.txt", "domains", 10_000),
    Source("ultimate", "level", f"{HAGEZI}/ultimate-onlydomains.txt", "domains", 10_000),
)
NAMES = tuple(source.name for source in SOURCES)
GROUPS = ("ads", "cookies", "popups", "social")

_HTML = re.compile(rb"<(!doctype|html|head|body)\b", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?:(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+|\|\||\*\.)?"  # hosts file, filter rule, wildcard, or bare
    r"((?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63})\^?\.?",
    re.IGNORECASE,
)
# What no engine here can act on: scripts, styles and procedures to run in the page, changed requests, new windows.
_USELESS = re.compile(
    r"#@?[%$?]|\$@?\$|#@?\+js|:-abp-|:(?:contains|has-text|matches-\w+|upward|xpath|remove|style|nth-ancestor)\("
    r"|\$(?:document|popup|all)$"
    r"|[$,](?:popup|popunder|removeparam|cookie|csp|removeheader|jsonprune|xmlprune|hls|replace|permissions|header"
    r"|referrerpolicy|network|app|extension|urltransform|stealth|jsinject|content|urlblock|elemhide|generichide"
    r"|specifichide|genericblock|redirect-rule|method|to|strict\w*)\b(?!-)"
    r"|^@?@?\|?\|?e?mail\.[^/]*\$image|^[a-z0-9.-]+\$image$"  # pixels of mails, which no page has
)


# --- reading ------------------------------------------------------------------------------------


def domain_of(line: str) -> str | None:
    """Return the domain that a line of a domain list names; None for comments and anything else."""
    match = _DOMAIN.fullmatch(line.partition("#")[0].strip())
    return match[1].lower() if match else None


def rule_of(line: str) -> str | None:
    """Return the filter rule on a line if it is one that the box can use."""
    rule = line.strip()
    comment = rule[:1] in "!#[" and not rule.startswith(("##", "#@#"))
    return None if not rule or comment or _USELESS.search(rule) else rule


def entries(kind: Kind, lines: Iterable[str]) -> Iterator[str]:
    """Yield the entries of a list's text."""
    read = domain_of if kind == "domains" else rule_of
    return (entry for line in lines if (entry := read(line)))


def shipped(name: str) -> Iterator[str]:
    """Yield the entries of a list that comes with the box: of a group, or of its vendors.

    Below its head there is nothing else in it, so that a start need not look at a quarter of a million lines again.
    """
    packed = SHIPPED / f"{name}.txt.xz"
    if packed.exists():
        with lzma.open(packed, "rt", encoding="utf-8") as file:
            lines = file.read().split("\n")
    else:
        lines = (SHIPPED / f"{name}.txt").read_text("utf-8").split("\n")
    return (line for line in lines if line and line[0] != "!")


def checked(source: Source, content: bytes) -> list[str]:
    """Return the header and the entries of a list, or raise ValueError saying why it cannot be one."""
    if _HTML.search(content[:2048]):
        raise ValueError("it is a web page, not a list")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    found = list(entries(source.kind, lines))
    if len(found) < source.least:
        raise ValueError(f"it has {len(found)} usable entries, and never fewer than {source.least}")
    mark = "!#[" if source.kind == "rules" else "#"
    return [line for line in lines[:HEADER_LINES] if line[:1] in mark and not line.startswith("##")] + found


# --- fetching -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of one list: how many entries it has now, or why it stayed as it was."""

    name: str
    entries: int = 0
    problem: str | None = None


def update(
    folder: Path, names: Iterable[str] = (), *, mirror: str | None = None, seconds: float = 60, largest: int = LARGEST
) -> Iterator[Outcome]:
    """Fetch lists into *folder*, each put in place whole or not at all; all of them if none is named.

    A mirror serves each list as ``NAME.txt``; its ``SHA256SUMS`` is obeyed if there is one. *seconds* and
    *largest* bound each list. Raises OperatorError for a bad name, a bad mirror or a folder that cannot be written.
    """
    wanted = _wanted(tuple(names))
    base = _mirror(mirror)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sums = _sums(base, seconds) if base else {}
        for source in wanted:
            address = f"{base}/{source.name}.txt" if base else source.url
            yield _updated(folder, source, partial(_fetch, address, seconds, largest), sums)
    except OSError as error:
        raise OperatorError(
            f"The lists in {folder} cannot be written ({error.strerror}): mend the rights or the disk."
        ) from error


def _wanted(names: tuple[str, ...]) -> list[Source]:
    for name in names:
        if name not in NAMES:
            raise OperatorError(f"There is no list {name!r}: there are {', '.join(NAMES)}.")
    return [source for source in SOURCES if not names or source.name in names]


def _mirror(text: str | None) -> str | None:
    if text is None:
        return None
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise OperatorError(f"The mirror {text!r} is not an address: write it as https://HOST/FOLDER.")
    return text.rstrip("/")


def _updated(folder: Path, source: Source, fetch: Callable[[], bytes], sums: dict[str, str]) -> Outcome:
    try:
        content = fetch()
        _verify(content, sums.get(f"{source.name}.txt"))
        lines = checked(source, content)
    except ValueError as error:
        return Outcome(source.name, problem=str(error))
    _replace(folder / f"{source.name}.txt", "\n".join(lines) + "\n")
    return Outcome(source.name, entries=sum(1 for _ in entries(source.kind, lines)))


def _verify(content: bytes, said: str | None) -> None:
    if said and hashlib.sha256(content).hexdigest() != said:
        raise ValueError(f"its checksum is not the one in {SUMS}")


def _replace(path: Path, text: str) -> None:
    """Put *text* into the file at once: whoever reads it finds the old list or the new one."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _sums(base: str, seconds: float) -> dict[str, str]:
    """Return the checksums that a mirror has; a mirror without them is believed as it is."""
    try:
        text = _fetch(f"{base}/{SUMS}", seconds, CHUNK).decode("ascii", "replace")
    except ValueError:
        return {}
    pairs = (line.split(maxsplit=1) for line in text.splitlines())
    return {pair[1].lstrip("*").removeprefix("./"): pair[0].lower() for pair in pairs if len(pair) == 2}  # noqa: PLR2004 - sum and name


def _fetch(url: str, seconds: float, largest: int) -> bytes:
    """Return what is at *url*; ValueError says what stood in the way."""
    deadline = time.monotonic() + seconds
    request = urllib.request.Request(url, headers={"User-Agent": f"allscreenshots-box/{__version__}"})  # noqa: S310 - http or https: ours, or checked
    try:
        with _opener().open(request, timeout=seconds) as answer:
            if url.startswith("https:") and not answer.url.startswith("https:"):
                raise ValueError("it was redirected from https to http")
            return _body(answer, deadline, largest)
    except urllib.error.HTTPError as error:
        raise ValueError(f"the server answered {error.code}") from error
    except urllib.error.URLError as error:
        reason = error.reason
        said = "certificate not trusted" if isinstance(reason, ssl.SSLError) else getattr(reason, "strerror", None)
        raise ValueError(f"the server cannot be reached ({said or reason})") from error
    except TimeoutError as error:
        raise ValueError(f"it did not come within {seconds:g} s") from error
    except (http.client.HTTPException, OSError) as error:
        raise ValueError("the connection broke off") from error


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https and, unlike urllib's own, follows a redirect to nothing else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _body(answer: http.client.HTTPResponse, deadline: float, largest: int) -> bytes:
    content = bytearray()
    while chunk := answer.read1(CHUNK):
        content += chunk
        if len(content) > largest:
            raise ValueError(f"it is larger than {largest >> 20} MiB" if largest >> 20 else "it is too large")
        if time.monotonic() > deadline:
            raise TimeoutError
    if answer.length:  # what was promised and has not come
        raise ValueError("it came only in part")
    return bytes(content)


# --- looking ------------------------------------------------------------------------------------


def show(folder: Path) -> list[dict[str, str | int | None]]:
    """Return of each list where it comes from, how old it is and how many entries it has."""
    rows: list[dict[str, str | int | None]] = []
    for source in SOURCES:
        path = folder / f"{source.name}.txt"
        row: dict[str, str | int | None] = {"name": source.name, "for": source.group, "from": None, "entries": None}
        if path.exists():
            with path.open(encoding="utf-8", errors="replace") as file:
                count = sum(1 for _ in entries(source.kind, file))
            fetched = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
            row |= {"from": f"fetched {fetched.replace('+00:00', 'Z')}", "entries": count}
        elif source.group in GROUPS:
            row |= {"from": f"with the box, as {source.group}"}
        rows.append(row)
    return rows
