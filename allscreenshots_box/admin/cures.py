"""What the operator can do about each way in which a capture fails."""

CURES = {
    "invalid_request": "The caller's body is wrong; the answer named the field.",
    "invalid_url": "The caller's URL is none that a browser could open.",
    "invalid_device": "The caller asked for a device that does not exist; the answer named the nearest.",
    "key_in_query": "Rotate that key: it stood in a URL, which logs on the way have kept.",
    "unauthorized": "Look for the key's first 12 characters in API Keys: it may be revoked or expired.",
    "target_not_allowed": "The log has the reason under the request id. If the box should go there, name the "
    "host in the setting allow; some ports and networks stay closed.",
    "forbidden": "The key is made for other hosts: name this one among its allowed hosts, or give the caller another.",
    "not_signed_in": "Sign in again, and do it once more.",
    "cross_site": "The form came from another address than this page has: look at the reverse proxy's Host.",
    "not_found": "The caller asked for a path that does not exist: look at its base URL.",
    "method_not_allowed": "The caller used the wrong method for this path.",
    "request_timeout": "The caller's body came too slowly; arrive_within sets how long it may take.",
    "request_too_large": "The caller's body is over 1 MiB.",
    "url_unreachable": "Try the page with curl on this machine: name, connection and TLS.",
    "certificate_invalid": "Have the certificate mended, trust its issuer (ca_dir), or leave the host unchecked "
    "(insecure_hosts).",
    "http_error": "The page answered 4xx or 5xx, and the caller wanted no picture of that.",
    "timeout": "The page is slow: raise timeout, or wait for less (waitUntil). If many pages are, look at the machine.",
    "selector_not_found": "Look at a picture without the selector: the element was not there in time.",
    "action_failed": "Look at a picture with fewer actions: a step could not be done.",
    "not_a_page": "The URL leads to a download, a PDF or nothing: there is no picture of that.",
    "page_too_large": "Ask for less of the page, or raise picture_memory.",
    "page_crashed": "The page crashes, ends its browser or takes too much: see page_killed, page_blamed in the log.",
    "rate_limited": "The key asks for more than its plan allows: slow it down, or give it a larger plan.",
    "quota_exceeded": "The key has used its month: give it a larger plan, or wait for the next month.",
    "client_gone": "The caller hung up first: its own time limit may be under the box's 55 s.",
    "cancelled": "The box stopped while the capture ran.",
    "internal_error": "A fault of the box: its log has the reason under the request id.",
    "not_implemented": "The caller uses a part of the API that this version does not have: jobs, bulk, schedules, ...",
    "service_unavailable": "The box was stopping, or its browser was lost: look at the restarts, and at the log.",
    "overloaded": "More was asked for than the box can do: fewer callers at once, more slots, or a larger machine.",
}


def cure(code: str) -> str:
    """Return what to do about an error code; those that an older version counted have none."""
    return CURES.get(code, "")
