"""Banners and pop-ups that are on the page all the same: said no to, or taken away, and the page let scroll."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckduckgo_autoconsent  # type: ignore[import-untyped] # it has no types
import msgspec

from .blocking import NAMES_READ
from .shot import Blocked

Evaluate = Callable[[str], Awaitable[Any]]

LONGEST_NAME = 100  # characters of a class or an id
ELEMENTS_READ = 50_000
MOST_BANNERS = 5  # that are answered; a page shows one, which two or three rules may know
SHARE = 0.7  # of the budget is for the banner's own buttons; what it leaves is for hiding it

# Gives [classes, ids] of the page. An expression, to be evaluated in any world of it.
NAMES = f"""(() => {{
  const seen = new Set(), classes = new Set(), ids = new Set();
  const all = document.querySelectorAll("[class], [id]");
  for (let index = 0; index < all.length && index < {ELEMENTS_READ}; index += 1) {{
    const id = all[index].id, text = all[index].getAttribute("class");
    if (id && typeof id === "string" && id.length <= {LONGEST_NAME} && ids.size < {NAMES_READ}) ids.add(id);
    if (!text || seen.has(text) || classes.size >= {NAMES_READ}) continue;
    seen.add(text);
    for (const name of all[index].classList) if (name.length <= {LONGEST_NAME}) classes.add(name);
  }}
  return [[...classes], [...ids]];
}})()"""

_LOOK, _SAY_NO = (Path(__file__).parent / "consent.js").read_text("utf-8").split("// ---\n")
_NEEDED = re.compile(r"([#.])((?:\\.|[\w-])+)")
_BRACKETS = re.compile(r"\[[^\]]*\]|\([^()]*(?:\([^()]*\)[^()]*)*\)")


@dataclass(frozen=True)
class Seen:
    """What is known of a page: its address, what NAMES gave, and the selectors that are hidden already."""

    url: str
    classes: Sequence[str]
    ids: Sequence[str]
    hidden: Sequence[str] = ()


@dataclass(frozen=True)
class _Looked:
    """What _LOOK returns: numbers of the selectors that show."""

    known: list[int]


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
    unsure = max(len(seen.classes), len(seen.ids)) >= NAMES_READ  # there may be more than were read
    likely, possible = [], []
    for rule in _rules():
        if rule.where and not rule.where.search(seen.url):
            continue
        if any(needed and needed <= there for needed in rule.needed):
            likely.append(rule)
        elif unsure or not all(rule.needed):
            possible.append(rule)
    return likely, possible


async def clear(evaluate: Evaluate, seen: Seen, blocked: Blocked, seconds: float) -> bool:
    """Rid the page of the banners and pop-ups that still show, and tell whether there were any.

    *evaluate* runs an expression in the page's main world, awaits its promise and returns the value, which may be
    anything: there the page may have changed what the language does. What makes no sense is as if it said nothing.
    A page without any costs one evaluation.
    """
    if not (blocked.cookie_banners or blocked.popups):
        return False
    likely, possible = _candidates(seen) if blocked.cookie_banners else ([], [])
    try:
        async with asyncio.timeout(seconds):
            selectors = [[rule.selector for rule in rules] for rules in (likely, possible)]
            looked = await evaluate(_call(_LOOK, *selectors, list(seen.hidden), blocked.cookie_banners, blocked.popups))
            if not (known := _known(looked, likely + possible)):
                return isinstance(looked, dict) and bool(looked.get("gone"))
            steps, banners = [rule.steps for rule in known], [rule.selector for rule in known]
            return bool(await evaluate(_call(_say_no(), steps, banners, seconds * 1000 * SHARE)))
    except TimeoutError:
        return False


def _known(looked: Any, rules: Sequence[_Rule]) -> list[_Rule]:
    """Return the rules whose numbers the page names: each once, few of them, and none that is not ours."""
    try:
        numbers = msgspec.convert(looked, _Looked).known
    except msgspec.ValidationError:
        return []
    return [rules[number] for number in dict.fromkeys(numbers) if 0 <= number < len(rules)][:MOST_BANNERS]


def _call(function: str, *arguments: Any) -> str:
    source = re.sub(r"^//.*$", "", function, flags=re.MULTILINE).strip().rstrip(";")
    return f"({source})({','.join(json.dumps(argument) for argument in arguments)})"


@cache
def _say_no() -> str:
    return _SAY_NO.replace("AUTOCONSENT;", duckduckgo_autoconsent.bundle())
