"""Every way a request or a command can fail, with its status and its code on the wire.

BoxError                        answered over HTTP
 ├─ InvalidRequest              400  invalid_request
 │   ├─ InvalidUrl              400  invalid_url
 │   ├─ InvalidDevice           400  invalid_device
 │   └─ KeyInQuery              400  key_in_query
 ├─ Unauthorized                401  unauthorized
 ├─ NotSignedIn                 401  not_signed_in
 ├─ CrossSite                   403  cross_site
 ├─ TargetNotAllowed            422  target_not_allowed
 │   └─ TargetNotForKey         403  forbidden
 ├─ NotFound                    404  not_found
 ├─ MethodNotAllowed            405  method_not_allowed
 ├─ RequestTimeout              408  request_timeout
 ├─ RequestTooLarge             413  request_too_large
 ├─ PageError                   422
 │   ├─ UrlUnreachable          422  url_unreachable
 │   ├─ CertificateInvalid      422  certificate_invalid
 │   ├─ HttpError               422  http_error
 │   ├─ DeadlinePassed          422  timeout
 │   ├─ SelectorNotFound        422  selector_not_found
 │   ├─ ActionFailed            422  action_failed
 │   ├─ NotAPage                422  not_a_page
 │   ├─ PageTooLarge            422  page_too_large
 │   └─ PageCrashed             422  page_crashed
 │       └─ PageEnded           422  page_crashed
 ├─ RateLimited                 429  rate_limited
 │   └─ OverShare               429  rate_limited
 ├─ ClientGone                  499  client_gone
 ├─ QuotaExceeded               429  quota_exceeded
 ├─ InternalError               500  internal_error
 ├─ NotImplementedHere          501  not_implemented
 ├─ ServiceUnavailable          503  service_unavailable
 └─ Overloaded                  503  overloaded
OperatorError                   one sentence on stderr, exit code 1
"""

from collections.abc import Iterator
from typing import Any, ClassVar


class BoxError(Exception):
    """Base of what a request is answered with; never raised itself.

    The message is written for the person who sent the request. *extra* are further fields of the answer.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    # When it comes and what helps, for callers (the reference, docs) and for the operator (the page).
    when: ClassVar[str] = "A fault of the box."
    cure: ClassVar[str] = "Give the operator the request id."
    operator_cure: ClassVar[str] = "A fault of the box: its log has the reason under the request id."
    returns_token: ClassVar[bool] = False  # whether the request costs its key nothing, unless a page was loaded for it
    blames_box: ClassVar[bool] = False  # whether it costs nothing in any case, and however often

    def __init__(self, message: str, *, headers: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.extra = extra

    def is_free(self, *, loaded: bool) -> bool:
        """Say whether the request costs its key nothing, a page having been *loaded* for it or not."""
        return self.returns_token and (self.blames_box or not loaded)


class InvalidRequest(BoxError):
    """The request does not say what it should; *problems* maps each field's wire path to what is wrong."""

    status = 400
    code = "invalid_request"
    when = "The body is not a JSON object, or fields of it are wrong."
    cure = "Mend the fields that `errors` names."
    operator_cure = "The caller's body is wrong; the answer named the field."
    returns_token = True

    def __init__(self, message: str, problems: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(message, **extra)
        self.problems = problems or {}


class InvalidUrl(InvalidRequest):
    """The URL to shoot is not one that a browser could open."""

    code = "invalid_url"
    when = "`url` is not an http or https address that a browser could open."
    cure = "Send an absolute address; encode spaces; write the scheme."
    operator_cure = "The caller's URL is none that a browser could open."


class InvalidDevice(InvalidRequest):
    """There is no device of that name."""

    code = "invalid_device"
    when = "`device` is no name that the box knows."
    cure = "Take one of the nearest names, which the message has, or any device."
    operator_cure = "The caller asked for a device that does not exist; the answer named the nearest."


class KeyInQuery(InvalidRequest):
    """A key stands in the query string, where every proxy and log on the way has seen it."""

    code = "key_in_query"
    when = "A key stands in the URL of the request, whatever the path."
    cure = "Send it in `X-API-Key`, and have this key rotated: logs have it."
    operator_cure = "Rotate that key: it stood in a URL, which logs on the way have kept."


class Unauthorized(BoxError):
    """No key, an unknown key, one that no longer works, or one of another organization."""

    status = 401
    code = "unauthorized"
    when = (
        "No key, two keys, a mistyped or unknown key, one that is revoked, expired or retired, or one of another "
        "organization."
    )
    cure = "Check the variable that holds it; ask the operator for the state of its first 12 characters."
    operator_cure = "Look for the key's first 12 characters in API Keys: it may be revoked or expired."

    def __init__(self, message: str = "Invalid or missing API key") -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})  # RFC 9110 wants one; X-API-Key has no name


class NotSignedIn(BoxError):
    """The operator's page is for those who signed in; *location* is where they can."""

    status = 401
    code = "not_signed_in"
    when = "Only on the operator's page, which no key opens."
    cure = "Sign in there."
    operator_cure = "Sign in again, and do it once more."

    def __init__(self, location: str) -> None:
        super().__init__("You are not signed in, or not any more.")
        self.location = location


class CrossSite(BoxError):
    """A request to the operator's page that changes something comes from elsewhere. *reason* is for the log."""

    status = 403
    code = "cross_site"
    when = "Only there: a form that did not come from the page itself."
    cure = "See there."
    operator_cure = "The form came from another address than this page has: look at the reverse proxy's Host."

    def __init__(self, reason: str) -> None:
        super().__init__("This was not sent by the box's own page, as far as your browser says, so nothing was done.")
        self.reason = reason


class TargetNotAllowed(BoxError):
    """The box does not go there. *reason* is for the log; the client hears only the setting's name.

    Not 403, which several clients tell as a bad key.
    """

    status = 422
    code = "target_not_allowed"
    when = "The box does not open this address, or the page leads to one that it does not open for this page."
    cure = "If the answer has `setting`, the operator can change it there: `allow` or `deny`. Otherwise nobody can."
    operator_cure = (
        "The log has the reason under the request id. If the box should go there, name the host in the setting "
        "allow; some ports and networks stay closed."
    )
    said: ClassVar[str] = "This address is not allowed."

    def __init__(self, reason: str, setting: str | None = None) -> None:
        super().__init__(self.said, setting=setting)
        self.reason = reason


class TargetNotForKey(TargetNotAllowed):
    """The box may go there, and this key is made for other hosts: here it is the key that does not fit."""

    status = 403
    code = "forbidden"
    when = "Your key is made for other hosts than this address, or the page leads to another one."
    cure = "Use another key; or the operator names the host in this one's `allow-host`."
    operator_cure = (
        "The key is made for other hosts: name this one among its allowed hosts, or give the caller another."
    )
    said = "This key is made for other hosts."

    def __init__(self, reason: str) -> None:
        super().__init__(reason, setting="allow-host")


class NotFound(BoxError):
    """Nothing by that name."""

    status = 404
    code = "not_found"
    when = "Nothing has this path."
    cure = "See `/docs`, or `/schema/openapi.json`."
    operator_cure = "The caller asked for a path that does not exist: look at its base URL."


class MethodNotAllowed(BoxError):
    """The path exists, but not for this method."""

    status = 405
    code = "method_not_allowed"
    when = "The path exists, but not for this method."
    cure = "See the header `Allow`."
    operator_cure = "The caller used the wrong method for this path."


class RequestTimeout(BoxError):
    """The body did not arrive in time. Costs a token: a slow sender holds a connection."""

    status = 408
    code = "request_timeout"
    when = "The body did not arrive within 30 s, or what the operator set as `arrive_within`."
    cure = "Send it again, all of it at once."
    operator_cure = "The caller's body came too slowly; arrive_within sets how long it may take."


class RequestTooLarge(BoxError):
    """The body is over the bound."""

    status = 413
    code = "request_too_large"
    when = "The body is over 1 MiB; on the operator's page 64 KiB."
    cure = "Send less."
    operator_cure = "The caller's body is over 1 MiB."
    returns_token = True


class PageError(BoxError):
    """The request was good, the page was not; trying again at once would give the same."""

    status = 422


class UrlUnreachable(PageError):
    """The target did not answer, or not in HTTP."""

    code = "url_unreachable"
    when = (
        "No such host, one whose name server does not answer or has too many addresses for it, no connection, TLS "
        "that browsers do not speak, endless redirects, not HTTP; the message says which."
    )
    cure = "Open the page from the box's machine with curl."
    operator_cure = "Try the page with curl on this machine: name, connection and TLS."


class CertificateInvalid(PageError):
    """The target's certificate does not prove that it is who it says."""

    code = "certificate_invalid"
    when = (
        "The certificate of the page, or of one that it redirects to, is expired, for another host, self-signed, "
        "or from an issuer that the box does not know; the message says which."
    )
    cure = (
        "Have it mended; or the operator trusts its issuer (`ca_dir`) or leaves that host unchecked (`insecure_hosts`)."
    )
    operator_cure = (
        "Have the certificate mended, trust its issuer (ca_dir), or leave the host unchecked (insecure_hosts)."
    )


class HttpError(PageError):
    """The target answered with a 4xx or 5xx status, and the request wants no picture of that."""

    code = "http_error"
    when = "The page answered with a 4xx or 5xx status, and `failOnHttpError` is set."
    cure = "Look at the page, or at a picture without it."
    operator_cure = "The page answered 4xx or 5xx, and the caller wanted no picture of that."


class DeadlinePassed(PageError):
    """The page was not ready within the time that the request allows."""

    code = "timeout"
    when = "The page was not ready within `timeout` + `delay`, or within the box's 55 s."
    cure = 'Raise `timeout`; use `waitUntil: "commit"`; ask for less.'
    operator_cure = (
        "The page is slow: raise timeout, or wait for less (waitUntil). If many pages are, look at the machine."
    )


class SelectorNotFound(PageError):
    """No element of the page matches the selector."""

    code = "selector_not_found"
    when = "No element matched `waitFor` or a `selector` in time, or it has no size."
    cure = "Look at a picture without it; raise `timeout`."
    operator_cure = "Look at a picture without the selector: the element was not there in time."


class ActionFailed(PageError):
    """A step on the page that is not optional could not be done; the message begins with its path."""

    code = "action_failed"
    when = "An action that is not `optional` could not be done; the message begins with its path."
    cure = "Look at a picture with the actions before it; raise its `timeout`; make it `optional`."
    operator_cure = "Look at a picture with fewer actions: a step could not be done."


class NotAPage(PageError):
    """The target is a download, a PDF or empty: there is nothing to take a picture of."""

    code = "not_a_page"
    when = "A download, a PDF, or an answer without content."
    cure = "Ask for a page."
    operator_cure = "The URL leads to a download, a PDF or nothing: there is no picture of that."


class PageTooLarge(PageError):
    """The picture would be larger than the box's memory bound or the format allows."""

    code = "page_too_large"
    when = "The result would be larger than the box or the format allows."
    cure = "The message says; mostly `maxHeight`, `selector`, `png`, or a smaller `deviceScaleFactor`."
    operator_cure = "Ask for less of the page, or raise picture_memory."


class PageCrashed(PageError):
    """The page closed itself or brought its renderer down, twice."""

    code = "page_crashed"
    when = "The page closed itself or brought its renderer down, twice; or it was ended for what it took from others."
    cure = "Nothing helps but another page."
    operator_cure = "The page crashes, ends its browser or takes too much: see page_killed, page_blamed in the log."


class PageEnded(PageCrashed):
    """The box ended the page for what it did to others, or lost a browser to it. It is not tried a second time."""


class RateLimited(BoxError):
    """The key's bucket is empty."""

    status = 429
    code = "rate_limited"
    when = (
        "The key's bucket is empty; the queue is full and the key has its share of it; or the key waits for as "
        "many host names as it may, whose name servers do not answer."
    )
    cure = (
        "Wait as long as `Retry-After` says; ask the operator for a larger plan, or more weight; leave out the "
        "dead names."
    )
    operator_cure = "The key asks for more than its plan allows: slow it down, or give it a larger plan."

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)}, retryAfter=retry_after)


class OverShare(RateLimited):
    """The key has its share of what all wait for: the queue, or the look-up of names. It costs no token."""

    returns_token = True
    blames_box = True


class ClientGone(BoxError):
    """The client hung up before there was an answer. Nobody reads this; the log does."""

    status = 499
    code = "client_gone"
    when = "Only in the box's log: the client hung up."
    cure = "Nothing."
    operator_cure = "The caller hung up first: its own time limit may be under the box's 55 s."

    def __init__(self) -> None:
        super().__init__("The client went away.")


class QuotaExceeded(BoxError):
    """The key has used what its plan allows in a month; *resets_at*, a date-time, is when the next one begins.

    Without Retry-After: curl, urllib3 and several of the vendor's clients sleep for as long as that says, and hold open
    whatever they are a part of.
    """

    status = 429
    code = "quota_exceeded"
    when = "The key has used its screenshots or bytes of this month."
    cure = "Wait for `resetsAt`, when the next month begins; ask the operator for a larger plan."
    operator_cure = "The key has used its month: give it a larger plan, or wait for the next month."
    returns_token = True

    def __init__(self, message: str, resets_at: str) -> None:
        super().__init__(message, resetsAt=resets_at)


class InternalError(BoxError):
    """A fault of ours; the log has it under the request id."""

    returns_token = True


class NotImplementedHere(BoxError):
    """An operation of the AllScreenshots API that this version of the box does not have.

    Not 404, which several clients tell as an unknown job. Three of them try 5xx again, so it costs nothing.
    """

    status = 501
    code = "not_implemented"
    when = "An operation of the AllScreenshots API that this version of the box does not have."
    cure = "Take the picture with `POST /v1/screenshots`, and do not try again."
    operator_cure = "The caller uses a part of the API that this version does not have: jobs, bulk, schedules, ..."
    returns_token = True


class ServiceUnavailable(BoxError):
    """The box cannot do this now, for a reason of its own."""

    status = 503
    code = "service_unavailable"
    when = (
        "The box is stopping, its browser was lost twice, its network changed again and again, it has too few "
        "file handles or threads left for a page, or too many new keys are being checked."
    )
    cure = "Wait as long as `Retry-After` says, then send it again."
    operator_cure = "The box was stopping, or its browser was lost: look at the restarts, and at the log."
    returns_token = True
    blames_box = True

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})


class Overloaded(ServiceUnavailable):
    """The queue is full, or this request waited in it, or for its name to be looked up, for too long."""

    code = "overloaded"
    when = "The queue is full, this request waited too long, or the box looks up too many host names."
    cure = "Wait as long as `Retry-After` says; send less at once."
    operator_cure = "More was asked for than the box can do: fewer callers at once, more slots, or a larger machine."


def by_code() -> dict[str, type[BoxError]]:
    """Return every error code with the class that it is defined in."""
    found: dict[str, type[BoxError]] = {}
    for error in _below(BoxError):
        if "code" in vars(error) or error is InternalError:
            found.setdefault(error.code, error)
    return found


def _below(above: type[BoxError]) -> Iterator[type[BoxError]]:
    for error in above.__subclasses__():
        yield error
        yield from _below(error)


class OperatorError(Exception):
    """A command or a start that cannot be done. The message is one sentence and names the cure.

    *field* is the field of a form that is to blame, where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field
