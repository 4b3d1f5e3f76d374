"""Banners and pop-ups that are on the page all the same: said no to, or taken away, and the page let scroll."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckduckgo_autoconsent  # type: ignore[import-untyped] # it has no types

from ...errors import PageCrashed, PageTooLarge
from .. import scripts
from ..blocking.engine import NAMES_READ
from ..shot import BlockOptions

Run = Callable[[str, Any, Any], Awaitable[Any]]
Tell = Callable[[str], Awaitable[None]]

MOST_BANNERS = 5  # that are answered; a page shows one, which two or three rules may know
SHARE = 0.7  # of the budget is for the banner's own buttons; what it leaves is for hiding it

_LOOK = scripts.read("consent_buttons")
_SAY_NO = scripts.read("consent_click")
_WAIT = scripts.read("consent_wait")
_NEEDED = re.compile(r"([#.])((?:\\.|[\w-])+)")
_BRACKETS = re.compile(r"\[[^\]]*\]|\([^()]*(?:\([^()]*\)[^()]*)*\)")


@dataclass(frozen=True)
class Seen:
    """What is known of a page: its address, the names on it, and the selectors that are hidden already."""

    url: str
    classes: Sequence[str]
    ids: Sequence[str]
    hidden: Sequence[str] = ()


@dataclass(frozen=True)
class _Looked:
    """What _LOOK returns: numbers of the selectors that show, and how many boxes it has hidden."""

    known: list[int]
    gone: int


@dataclass(frozen=True)
class _Rule:
    """One banner that autoconsent knows: how it looks, where, and what to do with it."""

    selector: str  # shown while the banner is
    needed: tuple[frozenset[str], ...]  # classes and ids: the page must have all of one of these sets
    where: re.Pattern[str] | None
    steps: dict[str, Any]


@cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(rule for steps in json.loads(duckduckgo_autoconsent.rules_json()) if (rule := _rule(steps)))


def _rule(steps: dict[str, Any]) -> _Rule | None:
    """Return a rule for the page's main frame whose banner can be told by a selector."""
    context = steps.get("runContext", {})
    seen = next((step["visible"] for step in steps.get("detectPopup", []) if isinstance(step.get("visible"), str)), "")
    if not seen or not context.get("main", True) or not steps.get("optOut"):
        return None
    try:
        where = re.compile(context["urlPattern"]) if context.get("urlPattern") else None
    except re.error:
        return None
    return _Rule(seen, _needed(seen), where, steps)


def _needed(selector: str) -> tuple[frozenset[str], ...]:
    ways = _BRACKETS.sub("", selector).split(",")
    return tuple(frozenset(f"{mark}{name}".replace("\\", "") for mark, name in _NEEDED.findall(way)) for way in ways)


def _candidates(seen: Seen) -> tuple[list[_Rule], list[_Rule]]:
    """Return the rules whose banner is likely on the page, and those of which its names tell nothing."""
    there = {f".{name}" for name in seen.classes} | {f"#{name}" for name in seen.ids}
    unsure = len(seen.classes) + len(seen.ids) >= NAMES_READ  # there may be more than were read
    likely, possible = [], []
    for rule in _rules():
        if rule.where and not rule.where.search(seen.url):
            continue
        if any(needed and needed <= there for needed in rule.needed):
            likely.append(rule)
        elif unsure or not all(rule.needed):
            possible.append(rule)
    return likely, possible


async def clear(run: Run, tell: Tell, seen: Seen, blocked: BlockOptions, seconds: float) -> bool:
    """Rid the page of the banners and pop-ups that still show, and tell whether there were any.

    *run* calls a function beside the page's scripts, and returns what it says. *tell* evaluates an expression among
    them, where the page may have changed what the language does: it may say anything there, so nobody listens. A page
    without banners costs one call.
    """
    if not (blocked.cookie_banners or blocked.popups):
        return False
    likely, possible = _candidates(seen) if blocked.cookie_banners else ([], [])
    order = {
        "likely": [rule.selector for rule in likely],
        "possible": [rule.selector for rule in possible],
        "hidden": list(seen.hidden),
        "banners": blocked.cookie_banners,
        "popups": blocked.popups,
        "most": MOST_BANNERS,
    }
    try:
        async with asyncio.timeout(seconds):
            looked: _Looked = await run(_LOOK, order, _Looked)
            known = _known(looked.known, likely + possible)
            if not known:
                return looked.gone > 0
            steps, banners = [rule.steps for rule in known], [rule.selector for rule in known]
            await tell(_call(_say_no(), steps, banners, seconds * 1000 * SHARE))
            return bool(await run(_WAIT, seconds * 1000, bool))
    except (TimeoutError, PageCrashed, PageTooLarge):  # if it really did, whoever holds the page hears of it
        return False


def _known(numbers: list[int], rules: Sequence[_Rule]) -> list[_Rule]:
    """Return the rules of these numbers: each once, few of them, and none that is not ours."""
    return [rules[number] for number in dict.fromkeys(numbers) if 0 <= number < len(rules)][:MOST_BANNERS]


def _call(function: str, *arguments: Any) -> str:
    return f"({function})({','.join(json.dumps(argument) for argument in arguments)})"


@cache
def _say_no() -> str:
    return _SAY_NO.replace("AUTOCONSENT;", duckduckgo_autoconsent.bundle())
