"""What headers of an answer mean, when each error comes, and what helps against it."""

from typing import NamedTuple


class Advice(NamedTuple):
    """What an error code tells its caller: when it comes, and what helps."""

    when: str
    cure: str


# Headers: of every answer, of every answer to a good key, of a capture that came to the queue, of one with a result,
# and those that some answers have.
ALWAYS = {"X-Request-Id": "Names this request in the box's log."}
RATE = {
    "X-RateLimit-Limit": "The burst: what a full bucket holds.",
    "X-RateLimit-Remaining": "Tokens left.",
    "X-RateLimit-Reset": "When the bucket will be full again, in Unix seconds.",
    "X-RateLimit-Type": "Which bucket.",
    "RateLimit-Policy": "`q` the burst, `w` the seconds in which an empty bucket fills.",
    "RateLimit": "`r` tokens left, `t` seconds until the bucket is full.",
}
LINE = {
    "X-Queue-Time-Ms": "How many milliseconds it waited for its turn.",
    "X-Render-Time-Ms": "How many milliseconds its turn took; 0 if it got none.",
}
RESULT = {
    "Content-Disposition": "With a file: show it, and save it by the name of its host, `example.com.png`.",
    "X-Fetched-Bytes": (
        "Bytes that the page and all it loads took from the network, as they came: compressed, and encrypted under "
        "https."
    ),
    "X-Target-Status": "HTTP status of the page.",
    "X-Target-Url": "Where the page was in the end, redirects included; cut at 2000 characters.",
    "X-Not-Awaited": (
        "What had not come when its budget ended: `load`, `networkidle`, `fonts`, `images`, `frames` (drawn ones), "
        "`blank` (the page had drawn nothing), `limit` (the box fetches no more for one shot: `fetch_limit`)."
    ),
    "X-Truncated": (
        "`true`: a picture ends before its page does, at `maxHeight` or `maxSections`, or because time was up."
    ),
    "X-Ignored-Fields": "Fields of the body that the box does not know.",
}
RETRY = {"Retry-After": "Seconds to wait before you try again; not with `quota_exceeded`."}
CHALLENGE = {"WWW-Authenticate": "`Bearer`; `X-API-Key` has no name that could stand here."}
METHODS = {"Allow": "Methods that the path has."}

ERRORS: dict[str, Advice] = {
    "invalid_request": Advice(
        "The body is not a JSON object, or fields of it are wrong.",
        "Mend the fields that `errors` names.",
    ),
    "invalid_url": Advice(
        "`url` is not an http or https address that a browser could open.",
        "Send an absolute address; encode spaces; write the scheme.",
    ),
    "invalid_device": Advice(
        "`device` is no name that the box knows.",
        "Take one of the nearest names, which the message has, or any device.",
    ),
    "key_in_query": Advice(
        "A key stands in the URL of the request, whatever the path.",
        "Send it in `X-API-Key`, and have this key rotated: logs have it.",
    ),
    "unauthorized": Advice(
        (
            "No key, two keys, a mistyped or unknown key, one that is revoked, expired or retired, or one of another "
            "organization."
        ),
        "Check the variable that holds it; ask the operator for the state of its first 12 characters.",
    ),
    "target_not_allowed": Advice(
        ("The box does not open this address, or the page leads to one that it does not open for this page."),
        "If the answer has `setting`, the operator can change it there: `allow` or `deny`. Otherwise nobody can.",
    ),
    "forbidden": Advice(
        "Your key is made for other hosts than this address, or the page leads to another one.",
        "Use another key; or the operator names the host in this one's `allow-host`.",
    ),
    "not_found": Advice(
        "Nothing has this path.",
        "See `/docs`, or `/schema/openapi.json`.",
    ),
    "method_not_allowed": Advice(
        "The path exists, but not for this method.",
        "See the header `Allow`.",
    ),
    "request_timeout": Advice(
        "The body did not arrive within 30 s, or what the operator set as `arrive_within`.",
        "Send it again, all of it at once.",
    ),
    "not_signed_in": Advice(
        "Only on the operator's page, which no key opens.",
        "Sign in there.",
    ),
    "cross_site": Advice(
        "Only there: a form that did not come from the page itself.",
        "See there.",
    ),
    "request_too_large": Advice(
        "The body is over 1 MiB; on the operator's page 64 KiB.",
        "Send less.",
    ),
    "url_unreachable": Advice(
        (
            "No such host, one whose name server does not answer or has too many addresses for it, no connection, TLS "
            "that browsers do not speak, endless redirects, not HTTP; the message says which."
        ),
        "Open the page from the box's machine with curl.",
    ),
    "certificate_invalid": Advice(
        (
            "The certificate of the page, or of one that it redirects to, is expired, for another host, self-signed, "
            "or from an issuer that the box does not know; the message says which."
        ),
        (
            "Have it mended; or the operator trusts its issuer (`ca_dir`) or leaves that host unchecked "
            "(`insecure_hosts`)."
        ),
    ),
    "http_error": Advice(
        "The page answered with a 4xx or 5xx status, and `failOnHttpError` is set.",
        "Look at the page, or at a picture without it.",
    ),
    "timeout": Advice(
        "The page was not ready within `timeout` + `delay`, or within the box's 55 s.",
        'Raise `timeout`; use `waitUntil: "commit"`; ask for less.',
    ),
    "selector_not_found": Advice(
        "No element matched `waitFor` or a `selector` in time, or it has no size.",
        "Look at a picture without it; raise `timeout`.",
    ),
    "action_failed": Advice(
        "An action that is not `optional` could not be done; the message begins with its path.",
        "Look at a picture with the actions before it; raise its `timeout`; make it `optional`.",
    ),
    "not_a_page": Advice(
        "A download, a PDF, or an answer without content.",
        "Ask for a page.",
    ),
    "page_too_large": Advice(
        "The result would be larger than the box or the format allows.",
        "The message says; mostly `maxHeight`, `selector`, `png`, or a smaller `deviceScaleFactor`.",
    ),
    "page_crashed": Advice(
        "The page closed itself or brought its renderer down, twice; or it was ended for what it took from others.",
        "Nothing helps but another page.",
    ),
    "rate_limited": Advice(
        (
            "The key's bucket is empty; the queue is full and the key has its share of it; or the key waits for as "
            "many host names as it may, whose name servers do not answer."
        ),
        (
            "Wait as long as `Retry-After` says; ask the operator for a larger plan, or more weight; leave out the "
            "dead names."
        ),
    ),
    "quota_exceeded": Advice(
        "The key has used its screenshots or bytes of this month.",
        "Wait for `resetsAt`, when the next month begins; ask the operator for a larger plan.",
    ),
    "client_gone": Advice(
        "Only in the box's log: the client hung up.",
        "Nothing.",
    ),
    "internal_error": Advice(
        "A fault of the box.",
        "Give the operator the request id.",
    ),
    "not_implemented": Advice(
        "An operation of the AllScreenshots API that this version of the box does not have.",
        "Take the picture with `POST /v1/screenshots`, and do not try again.",
    ),
    "service_unavailable": Advice(
        (
            "The box is stopping, its browser was lost twice, its network changed again and again, it has too few "
            "file handles or threads left for a page, or too many new keys are being checked."
        ),
        "Wait as long as `Retry-After` says, then send it again.",
    ),
    "overloaded": Advice(
        "The queue is full, this request waited too long, or the box looks up too many host names.",
        "Wait as long as `Retry-After` says; send less at once.",
    ),
}
