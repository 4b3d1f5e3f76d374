"""What the headers of answers mean."""

# Of every answer, of every answer to a good key, of a capture that came to the queue, of one with a result,
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
QUEUE = {
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
    "X-Settled-Ms": "How many milliseconds the page took to come to rest, once its document was there.",
    "X-Not-Awaited": (
        "What had not come when its budget ended: `load`, `networkidle`, `fonts`, `images`, `frames` (drawn ones), "
        "`requests`, `sockets`, `animations`, `changes` (the page went on changing), `loading` (it went on saying that "
        "it loads), `blank` (it showed nothing), `limit` (the box fetches no more for one shot: `fetch_limit`)."
    ),
    "X-Truncated": (
        "`true`: a picture ends before its page does, at `maxHeight` or `maxSections`, or because time was up."
    ),
    "X-Ignored-Fields": "Fields of the body that the box does not know.",
}
RETRY = {"Retry-After": "Seconds to wait before you try again; not with `quota_exceeded`."}
CHALLENGE = {"WWW-Authenticate": "`Bearer`; `X-API-Key` has no name that could stand here."}
METHODS = {"Allow": "Methods that the path has."}
