"""All cases: pages, targets, names, keys and strangers. Pages are numbered in their order here."""

from tests.neighbour import pages, strangers
from tests.neighbour.cases import LATE, OK, TIGHT, Case

IDLE = {"waitUntil": "networkidle"}
UNREACHED = LATE | {"url_unreachable"}
BUSY = frozenset({"overloaded", "rate_limited"})  # a key that asks for more than its share
CLOSED = frozenset({"closed", "400", "401", "403", "408", "413", "429", "503"})  # to a stranger

TARGETS = [
    Case("chunks of one byte", url="http://t.example/one-byte-chunks", hears=UNREACHED, callers=2, brief=True),
    Case("a chunk's extension without end", url="http://t.example/chunk-extensions", hears=UNREACHED),
    Case("trailers without end", url="http://t.example/endless-trailers", hears=UNREACHED),
    Case("interim answers without end", url="http://t.example/early-hints", hears=UNREACHED, callers=2, brief=True),
    Case("a head without end", url="http://t.example/huge-head", hears=UNREACHED, callers=2),
    Case("a head letter by letter", url="http://t.example/slow-head", hears=UNREACHED),
    Case(
        "pieces of a page in chunks of one byte",
        "".join(
            f'<img src="/one-byte-chunks?{number}"><script async src="/early-hints?{number}"></script>'
            for number in range(6)
        ),
        options=IDLE,
        hears=UNREACHED,
    ),
    Case("as many cookies as fit", url="http://t.example/many-cookies", hears=LATE),
    Case("a page without end", url="http://t.example/endless-page", hears=UNREACHED | {"page_crashed"}),
    Case(
        "events without end",
        pages.script("for (let i = 0; i < 20; i++) new EventSource('/endless-events')"),
        options=IDLE,
        hears=LATE,
    ),
    Case("ten gigabytes that do not come", url="http://t.example/long-claim", hears=UNREACHED),
    Case("a gigabyte in a megabyte", url="http://t.example/gzip-bomb", hears=UNREACHED | {"page_crashed"}),
    Case("redirects without end", url="http://t.example/around", hears=UNREACHED),
    Case("a password asked for without end", url="http://t.example/who-are-you", hears=UNREACHED),
    Case("a download of 100 MB", url="http://t.example/download", hears=frozenset({"not_a_page"})),
    Case("frames that are downloads", '<iframe src="/download"></iframe>' * 40, hears=LATE),
]
NAMES = [
    Case(
        "seventy names that are never answered",
        url="http://dead-{n}.example/",
        hears=UNREACHED | BUSY | {"service_unavailable"},
        callers=70,
        options={"timeout": 15000},
        brief=True,
    ),
    Case(
        "pages with five hundred hosts that are never answered",
        "".join(f'<img src="http://dead-{number}.h{number}.example/">' for number in range(500)),
        options=IDLE,
        hears=LATE | BUSY,
        callers=3,
    ),
    Case(
        "a name with four thousand addresses",
        url="http://many-1.example/page-of-many",
        hears=UNREACHED | {"target_not_allowed", "http_error"},
        callers=3,
    ),
    Case(
        "a page that asks a name with four thousand addresses again and again",
        pages.script(
            "for (let i = 0; i < 300; i++) fetch('http://many-2.example/nothing?' + i, {mode: 'no-cors'}).catch(() => 0)"
        ),
        options=IDLE,
        hears=LATE,
        brief=True,
    ),
    Case(
        "a page with five hundred names of four thousand addresses",
        pages.script("for (let i = 0; i < 500; i++) new Image().src = `http://many-${i}.example/nothing`"),
        options=IDLE,
        hears=LATE,
    ),
]
KEYS = [
    Case(
        "six callers who wait on their pages",
        "<p>here",
        options={"delay": 10000, "timeout": 20000},
        hears=OK | BUSY,
        callers=6,
    ),
    Case(
        "sixty selectors that match nothing",
        "<p>here",
        options={"selector": "#none"},
        hears=BUSY | {"selector_not_found"},
        callers=60,
        most=4,
        plan=TIGHT,
    ),
    Case("forty callers at once", "<p>here", options=pages.WHOLE, hears=OK | BUSY, callers=40),
    Case(
        "callers who hang up",
        url="http://t.example/late?ms=4000",
        hears=UNREACHED | BUSY | {"ReadTimeout"},
        callers=20,
        patience=0.5,
    ),
    Case(
        "pictures as large as can be",
        "<p>here",
        options={"viewport": {"width": 4096, "height": 4096, "deviceScaleFactor": 3}, "timeout": 50000},
        hears=OK | BUSY | {"page_too_large"},
        callers=3,
    ),
]
STRANGERS = [
    Case("sign-ins whose bodies do not come", act=strangers.slow_sign_ins, hears=CLOSED, brief=True),
    Case("bodies for keys that there are not", act=strangers.slow_bodies, hears=CLOSED),
    Case("heads that do not end", act=strangers.slow_heads, hears=CLOSED),
    Case("connections on which nothing is said", act=strangers.silent, hears=CLOSED),
]
CASES = [
    *pages.TEXTS,
    *TARGETS,
    *pages.SIZES,
    *pages.LIES,
    *pages.LOOPS,
    *pages.WEIGHTS,
    *NAMES,
    *KEYS,
    *STRANGERS,
]
NUMBERS = {case.name: number for number, case in enumerate(CASES)}
LOOP = "<!doctype html><script>for (;;);</script>"  # in frames
PLAIN = "<!doctype html><title>plain</title><style>html { background: green } p { background: gold }</style><p>plain"
PAGES = {
    "/plain": PLAIN,
    "/loop": LOOP,
    "/page-of-many": "<!doctype html><p>here",
    **{f"/page/{NUMBERS[case.name]}": f"<!doctype html><meta charset=utf-8><body>{case.body}" for case in CASES},
}


def url_of(case: Case) -> str:
    """Return where a case's page is."""
    return case.url or f"http://c{NUMBERS[case.name]}.example/page/{NUMBERS[case.name]}"
