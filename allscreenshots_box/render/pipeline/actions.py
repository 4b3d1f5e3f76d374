"""What a caller has done on the page before the picture: clicks, keys and waits, as a person would."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from ...errors import ActionFailed, InvalidRequest
from .. import scripts
from ..browsers.cdp import ProtocolError
from ..page import Page
from ..shot import Action, Click, Hover, Press, Scroll, Select, Type, Wait

ACTION_SECONDS = 5.0  # for an action that brings no timeout of its own
GRACE_SECONDS = 0.2  # for an answer to come back from the page
MOST_KEYSTROKES = 500  # longer texts are put in at once

_ALT, _CONTROL, _META, _SHIFT = 1, 2, 4, 8
_MODIFIERS = {"Alt": _ALT, "Control": _CONTROL, "Ctrl": _CONTROL, "Meta": _META, "Command": _META, "Shift": _SHIFT}
_NAMED_KEYS: dict[str, tuple[int, str]] = {  # the key's number, and the text that it makes
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Escape": (27, ""),
    "Backspace": (8, ""),
    "Delete": (46, ""),
    "Insert": (45, ""),
    "Home": (36, ""),
    "End": (35, ""),
    "PageUp": (33, ""),
    "PageDown": (34, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
    "Space": (32, " "),
} | {f"F{number}": (111 + number, "") for number in range(1, 13)}
_SPELLED = {name.lower(): name for name in (*_NAMED_KEYS, *_MODIFIERS)} | {
    "esc": "Escape", "return": "Enter", "del": "Delete", "left": "ArrowLeft", "right": "ArrowRight",
    "up": "ArrowUp", "down": "ArrowDown",
}  # fmt: skip

_LOCATE = scripts.read("locate")
_FOCUS = scripts.read("focus")
_SELECT = scripts.read("select")
_SCROLL = scripts.read("scroll")


@dataclass(frozen=True)
class _Found:
    """What _LOCATE returns: where the element is, or why it cannot be used."""

    x: float = 0.0
    y: float = 0.0
    why: str = ""


class _Failed(Exception):
    """An action could not be done; the text says why."""


def selectors(actions: tuple[Action, ...]) -> dict[str, str]:
    """Return the CSS selectors that the actions use, by their wire paths."""
    named = {f"actions[{number}].selector": getattr(action, "selector", None) for number, action in enumerate(actions)}
    return {path: selector for path, selector in named.items() if selector}


def check_keys(actions: tuple[Action, ...]) -> None:
    """Refuse keys that no keyboard has. Raises InvalidRequest."""
    for number, action in enumerate(actions):
        if isinstance(action, Press):
            try:
                _key(action.key)
            except _Failed:
                known = ", ".join(_NAMED_KEYS)
                problem = f"must be one character or one of {known}, after Control+, Shift+, Alt+ or Meta+ if wanted"
                raise InvalidRequest(f"actions[{number}].key {problem}.", {f"actions[{number}].key": problem}) from None


async def act(page: Page, actions: tuple[Action, ...]) -> None:
    """Do the actions one after the other. Raises ActionFailed for the first that must succeed and does not."""
    for number, action in enumerate(actions):
        budget = min(action.timeout or _own_budget(action), page.left())
        try:
            async with asyncio.timeout(budget + GRACE_SECONDS):
                await _do(page, action, budget)
        except (_Failed, TimeoutError, ProtocolError) as error:
            if page.gone.done():
                raise
            if action.optional:
                continue
            why = str(error) if isinstance(error, _Failed) else "it took too long"
            kind = type(action).__name__.lower()
            raise ActionFailed(f"actions[{number}] ({kind}) failed within {budget:.1f} s: {why}.") from error


def _own_budget(action: Action) -> float:
    asked = action.seconds if isinstance(action, Wait) else None
    return max(ACTION_SECONDS, (asked or 0) + 1)


async def _do(page: Page, action: Action, seconds: float) -> None:
    begun = time.monotonic()
    match action:
        case Click(selector=selector):
            await _click(page, await _locate(page, selector, seconds))
        case Hover(selector=selector):
            at = await _locate(page, selector, seconds)
            await page.session.send("Input.dispatchMouseEvent", type="mouseMoved", **at)
        case Type():
            await _type(page, action, seconds)
        case Press():
            await _press(page, action, seconds)
        case Select(selector=selector, value=value):
            if not await page.run(_SELECT, {"selector": selector, "value": value, "seconds": seconds}, bool):
                raise _Failed("no select box with that option was there")
        case Scroll():
            await _scroll(page, action, seconds)
        case Wait():
            await _wait(page, action, seconds)
    if isinstance(action, Click | Press | Select):  # any of them may lead elsewhere
        await page.come_to_rest(max(0.0, seconds - (time.monotonic() - begun)))


async def _locate(page: Page, selector: str, seconds: float, *, bare: bool = False) -> dict[str, float]:
    """Return the middle of the element, in view and uncovered."""
    found: _Found = await page.run(_LOCATE, {"selector": selector, "seconds": seconds, "bare": bare}, _Found)
    if found.why:
        raise _Failed(f"no element for its selector {found.why}")
    return {"x": found.x, "y": found.y}


async def _click(page: Page, at: dict[str, float]) -> None:
    send = page.session.send
    if page.shot.window.touch:
        send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[at])
        await send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        return
    send("Input.dispatchMouseEvent", type="mouseMoved", **at)
    button: dict[str, Any] = {"button": "left", "clickCount": 1, **at}
    send("Input.dispatchMouseEvent", type="mousePressed", **button)
    await send("Input.dispatchMouseEvent", type="mouseReleased", **button)


async def _type(page: Page, action: Type, seconds: float) -> None:
    await _locate(page, action.selector, seconds)
    if not await page.run(_FOCUS, {"selector": action.selector, "clear": action.clear}, bool):
        raise _Failed("its element takes no text")
    if action.clear:
        await _strike(page, "Backspace")
    if len(action.text) > MOST_KEYSTROKES:
        await page.session.send("Input.insertText", text=action.text)
        return
    for letter in action.text:
        if letter == "\n":
            await _strike(page, "Enter")
        else:
            down = {"key": letter, "text": letter, "unmodifiedText": letter}
            page.session.send("Input.dispatchKeyEvent", type="keyDown", **down)
            await page.session.send("Input.dispatchKeyEvent", type="keyUp", key=letter)


async def _press(page: Page, action: Press, seconds: float) -> None:
    if action.selector is not None:
        await _locate(page, action.selector, seconds, bare=True)
        await page.run("selector => document.querySelector(selector)?.focus()", action.selector)
    await _strike(page, action.key)


async def _strike(page: Page, name: str) -> None:
    key, code, text, modifiers = _key(name)
    stroke: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
    typed = {"text": text, "unmodifiedText": text} if text and not modifiers & ~_SHIFT else {}
    commands = ["selectAll"] if (key.lower(), modifiers) == ("a", _CONTROL) else []  # no window system does it for us
    kind = "keyDown" if typed else "rawKeyDown"
    page.session.send("Input.dispatchKeyEvent", type=kind, **stroke, **typed, commands=commands)
    await page.session.send("Input.dispatchKeyEvent", type="keyUp", **stroke)


def _key(name: str) -> tuple[str, int, str, int]:
    """Return the key's name, its number, the text that it makes, and the modifiers held with it."""
    *held, last = (
        name.split("+") if len(name) > 1 and not name.endswith("+") else [*name[:-1].split("+")[:-1], name[-1:]]
    )
    modifiers = 0
    for one in held:
        modifier = _MODIFIERS.get(_SPELLED.get(one.lower(), ""))
        if modifier is None:
            raise _Failed("there is no such key")
        modifiers |= modifier
    last = _SPELLED.get(last.lower(), last) if len(last) > 1 else last
    if last in _NAMED_KEYS:
        code, text = _NAMED_KEYS[last]
        return (" " if last == "Space" else last), code, text, modifiers
    if len(last) != 1:
        raise _Failed("there is no such key")
    return last, ord(last.upper()) if last.isascii() else 0, last, modifiers


async def _scroll(page: Page, action: Scroll, seconds: float) -> None:
    if action.selector is not None:
        await _locate(page, action.selector, seconds, bare=True)
    order = {"selector": action.selector, "y": action.y or 0, "toBottom": action.to_bottom}
    if not await page.run(_SCROLL, order, bool):
        raise _Failed("no element matched its selector")


async def _wait(page: Page, action: Wait, seconds: float) -> None:
    if action.seconds is not None:
        await page.pause(min(action.seconds, page.left()))
    if action.selector is not None:
        await _locate(page, action.selector, seconds, bare=True)
    if action.network_idle and not await page.activity.be_quiet(seconds):
        raise _Failed("the network did not become quiet")
