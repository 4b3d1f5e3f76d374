"""Pages that go on to others, or to themselves."""

from tests.camera import GREEN
from tests.settled.cases import DONE, TALL, Case, document, waiting
from tests.settled.checks import GREEN_ALL, both, has, says

_LAST = document("The last page", f"<main id=part class=yes style='height: {TALL}px'>{DONE}</main>")
_FIRST = f"<main id=part class=no style='height: {TALL}px'>Not this one</main><script>%s</script>"

_TAKEN_OVER = """if (navigator.serviceWorker.controller) done()
else navigator.serviceWorker.register('worker.js')
  .then(() => navigator.serviceWorker.ready).then(() => location.reload())"""
_WORKER = """addEventListener('install', () => skipWaiting())
addEventListener('activate', event => event.waitUntil(clients.claim()))
addEventListener('fetch', event => event.respondWith(fetch(event.request)))"""

_REFRESH = """const meta = document.createElement('meta')
meta.httpEquiv = 'refresh'
meta.content = '0; url=last.html'
document.head.append(meta)"""

_ROUTED = """onload = () => {
  history.pushState({}, '', 'orders')
  fetch('/after?ms=300').then(answer => answer.json()).then(() => { history.replaceState({}, '', 'orders/7'); done() })
}"""

_POSTED = """<form id=form method=post action="last.html?ms=100"><input name=token value=1></form>
<script>setTimeout(() => form.submit(), 200)</script>"""

_BOARD = """<main id=part></main><script>
part.innerHTML = '<p class=yes style="height: 100px; margin: 0">An entry</p>'.repeat(20)
setTimeout(() => location.reload(), 1500)</script>"""

_SECTIONS = """<section class=no style="height: 1500px">Before</section>
<section id=there class=yes style="height: 300px">Here it is</section><section style="height: 1500px">After</section>"""


def again(milliseconds: int) -> Case:
    """Make a page that loads itself anew once, so long after it began."""
    later = _later("location.reload()", milliseconds)
    script = f"if (sessionStorage.again) done(); else {{ sessionStorage.again = 1; {later} }}"
    return waiting(f"loaded anew after {milliseconds} ms", script)


def onward(name: str, script: str, **fields: str) -> Case:
    """Make a page whose script leads to the last page."""
    page = document(name, _FIRST % script)
    return Case(name, page, full=GREEN_ALL, pdf=says(DONE), files={"last.html": _LAST, **fields})


def _later(script: str, milliseconds: int) -> str:
    return f"setTimeout(() => {script}, {milliseconds})"


_HOP = f"<title>Hop</title><script>{_later('location.href = `last.html`', 200)}</script>"

RELOADS = (
    *(again(milliseconds) for milliseconds in (0, 15, 30, 60, 100, 400)),
    waiting("loaded anew under its service worker", _TAKEN_OVER, files={"worker.js": _WORKER}),
    onward("a refresh put in by a script", _REFRESH),
    onward("replaced at once", "location.replace('last.html')"),
    onward("replaced after 300 ms", _later("location.replace('last.html')", 300)),
    onward("left after 60 ms", _later("location.href = 'last.html?ms=200'", 60)),
    onward(
        "two hops",
        _later("location.href = 'hop.html'", 200),
        **{"hop.html": _HOP},
    ),
    Case("a form that sends itself", document("Sign in", _POSTED), files={"last.html": _LAST}),
    Case(
        "a Refresh header",
        document("Refreshed", _FIRST % ""),
        files={"last.html": _LAST},
        headers={"Refresh": "0; url=last.html"},
    ),
    waiting("a route of an app", _ROUTED),
    Case(
        "a board that loads itself anew for ever",
        document("Board", _BOARD),
        full=both(GREEN_ALL, has(GREEN, 0.9)),
        wrong="p { background: red !important }",
    ),
    Case(
        "a fragment that is scrolled to smoothly",
        document("Sections", _SECTIONS, "html { scroll-behavior: smooth }"),
        fragment="#there",
        wrong="#there { background: red }",
    ),
)
