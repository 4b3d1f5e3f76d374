"""JSON lines on stderr, one for each request and each event."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from .errors import InvalidUrl
from .escapes import escaped

DEBUG = logging.DEBUG
WARNING = logging.WARNING
LEVELS = ("debug", "info", "warning", "error")
PARTS = ("request", "browser", "box")  # that can have levels of their own; the last is for all the rest

_LOGGER = logging.getLogger("allscreenshots_box")
_OF_BROWSER = ("browser_", "console", "page_", "shot_", "capture_")  # how its events begin
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)  # the id of the one that is being answered
_USER = re.compile(r"(?<=://)[^/\s@]*@|(?:^|(?<=[/\s@\"'<>]))[^\s/:@\"'<>]+:[^\s/@\"'<>]*@")  # the second has no scheme
_QUERY = re.compile(r"\?[^\s\"'<>]*")
_KEY = re.compile(r"(ask_[0-9A-Za-z]{8})[0-9A-Za-z]+")
_TOKEN = re.compile(r"(ask[ls]_)[0-9A-Za-z]+")  # of one-time links and sessions
_HOST = re.compile(r"[^\s@%\\\"'<>]+|\[[^\s@\[\]]+\]")
_SCHEMES = frozenset({"http", "https", "ws", "wss"})
LONGEST_URL = 500  # characters; the rest is cut in the log
NO_URL = "(not a URL)"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": record.levelname.lower()}
        if record.name.partition(".")[0] == _LOGGER.name:
            line |= {"event": record.getMessage(), **getattr(record, "fields", {})}
        else:  # a library's word: kept, and kept apart from ours
            line |= {"event": "library", "logger": record.name, "detail": clean(record.getMessage())}
        # Wherever somebody managed to put a key or a token, its secret part ends here.
        return escaped(_TOKEN.sub(r"\1…", _KEY.sub(r"\1…", json.dumps(line, ensure_ascii=False, default=str))))


def start(level: str = "info", levels: Iterable[str] = ()) -> None:
    """Send the box's log to stderr, and other libraries' warnings with it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    choose(level, levels)


def choose(level: str, levels: Iterable[str] = ()) -> None:
    """Write from *level* on; *levels*, such as ``browser=debug``, are those of parts that differ."""
    own = dict(one.split("=", 1) for one in levels)
    for part in PARTS:
        _LOGGER.getChild(part).setLevel(own.get(part, level).upper())


def _of(event: str) -> logging.Logger:
    if event == "request":
        return _LOGGER.getChild("request")
    return _LOGGER.getChild("browser" if event.startswith(_OF_BROWSER) else "box")


def wants(event: str, level: int) -> bool:
    """Say whether a line about *event* would be written."""
    return _of(event).isEnabledFor(level)


@contextmanager
def about(request: str) -> Iterator[None]:
    """Put the id of a request into every line that is written on its way."""
    token = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def current() -> str | None:
    """Return the id of the request that is being answered."""
    return _REQUEST.get()


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Write one line; fields that are None are left out."""
    shown = {key: value for key, value in ({"id": current()} | fields).items() if value is not None}
    _of(name).log(level, name, extra={"fields": shown})


def fault(name: str, error: BaseException, **fields: Any) -> None:
    """Write a line about *error* with its traceback, and nothing a stranger may have put into its text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    event(name, logging.ERROR, error=type(error).__name__, detail=clean(str(error)), where=where, **fields)


def clean(text: str) -> str:
    """Return the first line of *text* without query strings, or users and passwords in URLs."""
    first = text.partition("\n")[0][:LONGEST_URL]
    return _QUERY.sub("?…", _USER.sub("", first))


def without_user(path: str) -> str:
    """Return *path* without what may be somebody's password: some clients ask for /http://user:password@host."""
    return _USER.sub("", path)


def shown_target(url: str, failure: BaseException | None, *, with_query: bool) -> str:
    """Return what was to be captured, as it may be kept: what *failure* says is no URL may be anything."""
    return NO_URL if isinstance(failure, InvalidUrl) else shown_url(url, with_query=with_query)


def shown_url(url: str, *, with_query: bool) -> str:
    """Return *url* as it may be logged: no user or password, and no query unless the operator wants it.

    What is no URL to a browser has no parts that could be left out, and is not shown at all.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises, if it is no number: it may be a password
    except ValueError:
        return NO_URL
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme not in _SCHEMES or not parts.hostname or not _HOST.fullmatch(host):
        return NO_URL
    query = parts.query if with_query or not parts.query else "…"
    return parts._replace(netloc=host, query=query, fragment="").geturl()[:LONGEST_URL]
