"""What a page says to its console, for the log: a few lines, cleaned, under the id of the request."""

from typing import Any

from ... import logs
from ..browsers.cdp import DROPPED
from ..page import Page
from ..shot import Shot, Type

MOST_LINES = 20  # of one shot; then the page is not listened to any more
MOST_WORDS = 10  # of one line
LONGEST = 300  # characters of one line
SHORTEST_SECRET = 4  # shorter ones are no secrets, and would be found in every other word

_LOUD = frozenset({"error", "assert", "exception"})


def listen(page: Page) -> None:
    """Write what the page says to the log, if the operator wants that: with ``log_levels = "browser=debug"``."""
    if not logs.wants("console", logs.DEBUG):
        return
    ear = _Ear(page)
    page.session.on("Runtime.consoleAPICalled", ear.said)
    page.session.on("Runtime.exceptionThrown", ear.threw)
    page.session.on("Log.entryAdded", ear.noted)
    page.session.on(DROPPED, ear.missed)
    page.session.send("Runtime.enable")
    page.session.send("Log.enable")


class _Ear:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._id = logs.current()  # events of the browser come from outside of the request
        self._secrets = _secrets(page.shot)
        self._lines = 0

    def said(self, event: dict[str, Any]) -> None:
        words = [_spelled(word) for word in event.get("args", [])[:MOST_WORDS]]
        frames = event.get("stackTrace", {}).get("callFrames") or [{}]
        self._tell(event.get("type", "log"), " ".join(words), frames[0].get("url", ""))

    def threw(self, event: dict[str, Any]) -> None:
        details = event["exceptionDetails"]
        text = details.get("exception", {}).get("description") or details.get("text", "")
        self._tell("exception", text, details.get("url", ""))

    def noted(self, event: dict[str, Any]) -> None:
        entry = event["entry"]
        self._tell(entry.get("level", "info"), entry.get("text", ""), entry.get("url", ""))

    def missed(self, event: dict[str, Any]) -> None:
        if event["method"].startswith(("Runtime.", "Log.")):
            self._tell("log", f"({event['size']} bytes)", "")

    def _tell(self, kind: str, text: str, url: str) -> None:
        if self._lines >= MOST_LINES:
            return
        self._lines += 1
        last = self._lines == MOST_LINES
        logs.event(
            "console",
            logs.WARNING if kind in _LOUD else logs.DEBUG,
            id=self._id,
            kind=kind,
            text=self._clean(text)[:LONGEST],
            source=self._clean(logs.shown_url(url, with_query=False)) if url else None,
            last=last or None,
        )
        if last:  # a page may say a million things, and each costs the loop a turn
            self._page.session.send("Runtime.disable")
            self._page.session.send("Log.disable")

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return logs.clean(text)


def _spelled(word: dict[str, Any]) -> str:
    value = word.get("value", word.get("description", word.get("type", "")))
    return str(value)


def _secrets(shot: Shot) -> list[str]:
    """Return what the caller gave this shot and the page may repeat, the longest first."""
    given = [one.value for one in shot.session.cookies]
    given += [one.value for one in shot.session.headers]
    given += [value for one in shot.session.storage for value in (*one.local.values(), *one.session.values())]
    given += [one.text for one in shot.actions if isinstance(one, Type)]
    return sorted({one for one in given if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)
