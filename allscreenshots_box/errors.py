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

from typing import Any, ClassVar


class BoxError(Exception):
    """Base of what a request is answered with; never raised itself.

    The message is written for the person who sent the request. *extra* are further fields of the answer.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
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
    returns_token = True

    def __init__(self, message: str, problems: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(message, **extra)
        self.problems = problems or {}


class InvalidUrl(InvalidRequest):
    """The URL to shoot is not one that a browser could open."""

    code = "invalid_url"


class InvalidDevice(InvalidRequest):
    """There is no device of that name."""

    code = "invalid_device"


class KeyInQuery(InvalidRequest):
    """A key stands in the query string, where every proxy and log on the way has seen it."""

    code = "key_in_query"


class Unauthorized(BoxError):
    """No key, an unknown key, one that no longer works, or one of another organization."""

    status = 401
    code = "unauthorized"

    def __init__(self, message: str = "Invalid or missing API key") -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})  # RFC 9110 wants one; X-API-Key has no name


class NotSignedIn(BoxError):
    """The operator's page is for those who signed in; *location* is where they can."""

    status = 401
    code = "not_signed_in"

    def __init__(self, location: str) -> None:
        super().__init__("You are not signed in, or not any more.")
        self.location = location


class CrossSite(BoxError):
    """A request to the operator's page that changes something comes from elsewhere. *reason* is for the log."""

    status = 403
    code = "cross_site"

    def __init__(self, reason: str) -> None:
        super().__init__("This was not sent by the box's own page, as far as your browser says, so nothing was done.")
        self.reason = reason


class TargetNotAllowed(BoxError):
    """The box does not go there. *reason* is for the log; the client hears only the setting's name.

    Not 403, which several clients tell as a bad key.
    """

    status = 422
    code = "target_not_allowed"
    said: ClassVar[str] = "This address is not allowed."

    def __init__(self, reason: str, setting: str | None = None) -> None:
        super().__init__(self.said, setting=setting)
        self.reason = reason


class TargetNotForKey(TargetNotAllowed):
    """The box may go there, and this key is made for other hosts: here it is the key that does not fit."""

    status = 403
    code = "forbidden"
    said = "This key is made for other hosts."

    def __init__(self, reason: str) -> None:
        super().__init__(reason, setting="allow-host")


class NotFound(BoxError):
    """Nothing by that name."""

    status = 404
    code = "not_found"


class MethodNotAllowed(BoxError):
    """The path exists, but not for this method."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(BoxError):
    """The body did not arrive in time. Costs a token: a slow sender holds a connection."""

    status = 408
    code = "request_timeout"


class RequestTooLarge(BoxError):
    """The body is over the bound."""

    status = 413
    code = "request_too_large"
    returns_token = True


class PageError(BoxError):
    """The request was good, the page was not; trying again at once would give the same."""

    status = 422


class UrlUnreachable(PageError):
    """The target did not answer, or not in HTTP."""

    code = "url_unreachable"


class CertificateInvalid(PageError):
    """The target's certificate does not prove that it is who it says."""

    code = "certificate_invalid"


class HttpError(PageError):
    """The target answered with a 4xx or 5xx status, and the request wants no picture of that."""

    code = "http_error"


class DeadlinePassed(PageError):
    """The page was not ready within the time that the request allows."""

    code = "timeout"


class SelectorNotFound(PageError):
    """No element of the page matches the selector."""

    code = "selector_not_found"


class ActionFailed(PageError):
    """A step on the page that is not optional could not be done; the message begins with its path."""

    code = "action_failed"


class NotAPage(PageError):
    """The target is a download, a PDF or empty: there is nothing to take a picture of."""

    code = "not_a_page"


class PageTooLarge(PageError):
    """The picture would be larger than the box's memory bound or the format allows."""

    code = "page_too_large"


class PageCrashed(PageError):
    """The page closed itself or brought its renderer down, twice."""

    code = "page_crashed"


class PageEnded(PageCrashed):
    """The box ended the page for what it did to others, or lost a browser to it. It is not tried a second time."""


class RateLimited(BoxError):
    """The key's bucket is empty."""

    status = 429
    code = "rate_limited"

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

    def __init__(self) -> None:
        super().__init__("The client went away.")


class QuotaExceeded(BoxError):
    """The key has used what its plan allows in a month; *resets_at*, a date-time, is when the next one begins.

    Without Retry-After: curl, urllib3 and several of the vendor's clients sleep for as long as that says, and hold open
    whatever they are a part of.
    """

    status = 429
    code = "quota_exceeded"
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
    returns_token = True


class ServiceUnavailable(BoxError):
    """The box cannot do this now, for a reason of its own."""

    status = 503
    code = "service_unavailable"
    returns_token = True
    blames_box = True

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})


class Overloaded(ServiceUnavailable):
    """The queue is full, or this request waited in it, or for its name to be looked up, for too long."""

    code = "overloaded"


class OperatorError(Exception):
    """A command or a start that cannot be done. The message is one sentence and names the cure.

    *field* is the field of a form that is to blame, where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field
