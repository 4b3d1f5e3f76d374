"""Why a page could not be reached, in words of ours: the browser's never leave the box."""

import re

from ... import logs
from ...egress import policy
from ...errors import BoxError, InvalidUrl, NotAPage, PageTooLarge, ServiceUnavailable, TargetNotAllowed, UrlUnreachable
from ..browsers.certificates import problem
from ..page import Page

_NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)")
_FAILURES = {
    "refused": "the connection was refused",
    "unreachable": "there is no route to it",
    "timeout": "the connection timed out",
    "unresolved": "its host name could not be resolved",
    "reset": "the connection was reset",
}
_UNREACHABLE = {
    "ERR_NAME_NOT_RESOLVED": "its host name could not be resolved",
    "ERR_CONNECTION_REFUSED": "the connection was refused",
    "ERR_CONNECTION_RESET": "the connection was reset",
    "ERR_CONNECTION_CLOSED": "the connection was closed",
    "ERR_EMPTY_RESPONSE": "the server sent nothing",
    "ERR_CONNECTION_TIMED_OUT": "the connection timed out",
    "ERR_TOO_MANY_REDIRECTS": "it redirects without end",
    "ERR_INVALID_HTTP_RESPONSE": "the answer is not HTTP",
    "ERR_RESPONSE_HEADERS_TOO_BIG": "the head of its answer is larger than browsers read",
    "ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH": "its answer has two lengths",
    "ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION": "it redirects to two addresses at once",
    "ERR_UNEXPECTED_PROXY_AUTH": "its answer is one of a proxy",
    "ERR_UNSAFE_REDIRECT": "it redirects to something that is not a web page",
}
# The browser gives up what it is at when this machine gets or loses an address: a container that starts is enough.
_OURS = {
    "ERR_INTERNET_DISCONNECTED",
    "ERR_NETWORK_CHANGED",
    "ERR_NETWORK_IO_SUSPENDED",
    "ERR_PROXY_CONNECTION_FAILED",
}
_NO_WAY = "ERR_SOCKS_CONNECTION_FAILED"
RETRY_SECONDS = 2  # networks change several times in a row, and then no more


def refusal(page: Page, url: str) -> BoxError | None:
    """Return why our own proxy did not let the page through to *url*, if it did not."""
    egress = page.tab.egress
    if egress.exhausted:
        return PageTooLarge("The page is larger than what the box fetches for one shot (its setting fetch_limit).")
    if not page.arrived:  # nothing but the document and its redirects has been asked for
        return next(iter(egress.refusals.values()), None) or _failure(next(iter(egress.failures.values()), None))
    try:
        target = policy.parse(url or page.target.url)
        key = (target.host, target.port)
    except InvalidUrl:
        return None
    return egress.refusals.get(key) or _failure(egress.failures.get(key))


def _failure(word: str | None) -> BoxError | None:
    if word is None:
        return None
    return UrlUnreachable(f"The page could not be reached: {_FAILURES.get(word, 'the connection failed')}.")


def is_ours(page: Page, text: str) -> bool:
    """Say whether what the browser said is about this machine, and no word on the target."""
    code, egress = _code(text), page.tab.egress
    if code == _NO_WAY:  # a proxy session has its reasons to open none; here it has none
        return not (page.arrived or egress.blocked or egress.exhausted or egress.refusals or egress.failures)
    return code in _OURS


def reason(page: Page, text: str) -> BoxError:
    """Say in our words what the browser said; its own never leave the box."""
    code = _code(text)
    if refused := refusal(page, page.unreachable):
        return refused
    if is_ours(page, text):
        logs.event("page_hindered", code=code)
        return ServiceUnavailable("The network of the box was in the way; try again.", RETRY_SECONDS)
    if code == "ERR_ABORTED":
        return NotAPage("The URL is a download, a PDF or has no content: there is no page to take a picture of.")
    if code == "ERR_UNSAFE_PORT":
        return TargetNotAllowed("the browser refuses this port")
    if code.startswith(("ERR_CERT", "ERR_SSL")):
        return problem(code) or UrlUnreachable("The page could not be reached: its TLS is not one that browsers speak.")
    return _unreachable(code)


def _unreachable(code: str) -> UrlUnreachable:
    if not code:
        return UrlUnreachable("The page went on to an address that could not be reached.")
    if code not in _UNREACHABLE:
        logs.event("page_unreachable", code=code)
    return UrlUnreachable(f"The page could not be reached: {_UNREACHABLE.get(code, 'the connection failed')}.")


def _code(text: str) -> str:
    found = _NET_ERROR.search(text)
    return found[1] if found else ""
