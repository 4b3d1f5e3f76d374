"""Pages that put their own in place of what tells when they have settled, or that never settle."""

from tests.camera import BLUE, GREEN
from tests.settled.cases import Case, document, waiting
from tests.settled.checks import has, shows

ANSWERED = 12.0  # seconds
_SPOILT = "#part { background: red }"

_LATER = "const later = setTimeout.bind(window), ask = fetch.bind(window), frame = requestAnimationFrame.bind(window)"
_THROW = "() => { throw new Error('not here') }"

LIES = {
    "no observer of changes": "window.MutationObserver = class { observe() {} takeRecords() { return [] } }",
    "a fetch of its own": f"window.fetch = {_THROW}; XMLHttpRequest.prototype.send = {_THROW}",
    "frames that never come": "window.requestAnimationFrame = () => 0",
    "timers that never fire": "window.setTimeout = window.setInterval = () => 0",
    "promises of its own": f"window.Promise = class {{ constructor() {{ throw 1 }} static resolve = {_THROW} }}",
    "a clock that stands still": "performance.now = Date.now = () => 0",
    "no list of animations": f"Document.prototype.getAnimations = Element.prototype.getAnimations = {_THROW}",
    "nothing that scripts stand on": """for (const name of ['push', 'map', 'forEach', 'some', Symbol.iterator])
  Array.prototype[name] = () => { throw new Error('not here') }
JSON.stringify = Object.keys = Object.entries = Map.prototype.set = Set.prototype.add = () => undefined""",
}
_FINISH = "\nonload = () => ask('/after?ms=300').then(() => later(() => frame(done), 300))"

_ANEW = "<script>setTimeout(() => location.reload(), 100)</script>"
_FILLING = """<main id=part class=yes></main><script>
const add = () => part.insertAdjacentHTML('beforeend', '<p class=yes style="height: 30px">More</p>'.repeat(4))
add()
add()
add()
setInterval(add, 60)</script>"""

_TOGGLED = """<main id=part class=yes style="height: 300px"></main><script>
setInterval(() => { part.style.background = part.style.background ? '' : '#00f' }, 130)</script>"""

_SPIN = """@keyframes spin { to { rotate: 1turn } } .spinner { width: 60px; height: 60px; margin: 60px auto;
border: 8px solid #ccc; border-top-color: #00f; border-radius: 50%; animation: spin .8s linear infinite }"""
_HEADER = "<header id=part class=yes style='height: 60px'>Orders</header>"
_ASKS = "<script>fetch('/hang')</script>"
_SPINNER = _HEADER + "<div class=spinner role=progressbar aria-label='Loading'></div>" + _ASKS
_HEADED = shows({(200, 45): GREEN, (20, 30): GREEN})

_BONES = _HEADER + "<p class=skeleton></p>" * 4 + _ASKS
_BONES_STYLE = """.skeleton { height: 40px; margin: 16px; animation: shine 1s infinite linear;
background: linear-gradient(90deg, #eee, #ccc, #eee) 0 / 800px }
@keyframes shine { to { background-position: 800px } }"""

_EVERYTHING = """<main id=part class=yes style="height: 240px"></main>
<b class=spinner></b><i id=clock></i><canvas></canvas><script>
setInterval(() => { clock.textContent = performance.now() }, 50)
const pen = document.querySelector('canvas').getContext('2d')
const draw = now => { pen.fillRect(now % 300, now % 150, 2, 2); requestAnimationFrame(draw) }
draw(0)
clock.animate({ opacity: [1, 0] }, { duration: 700, iterations: Infinity })
new WebSocket(`ws://${location.host}/messages?ms=90`).onmessage = ({ data }) => { document.title = data }
new EventSource('/events?ms=110').onmessage = ({ data }) => { clock.dataset.event = data }
const poll = async () => { for (;;) await (await fetch('/after?ms=150')).text() }
const work = "setInterval(() => postMessage(0), 70)"
new Worker(URL.createObjectURL(new Blob([work]))).onmessage = () => clock.toggleAttribute('data-worked')
onload = () => {
  poll()
  fetch('/stream?ms=80').then(answer => answer.text())
  setInterval(() => { new Image().src = '/after?ms=100&at=' + Date.now() }, 200)
  setInterval(() => history.replaceState({}, '', '?' + Date.now()), 200)
}</script>"""

_DIALOG = "onload = () => later(() => { alert('Welcome'); confirm('Go on?'); later(done, 200) }, 100)"

LYING = (
    *(waiting(name, _LATER + "\n" + lie + _FINISH, within=ANSWERED) for name, lie in LIES.items()),
    waiting("dialogs", f"{_LATER}\n{_DIALOG}", within=ANSWERED),
    Case(
        "a document that is filled for ever",
        document("Filling", _FILLING),
        within=ANSWERED,
        tells="changes",
        wrong="p { background: red !important }",
    ),
    Case(
        "a part that is toggled for ever",
        document("Toggled", _TOGGLED),
        lambda content: has(GREEN, 1)(content) and has(BLUE, 1)(content),
        within=ANSWERED,
        tells="changes",
        wrong="#part { background: red !important }",
    ),
    Case(
        "a page that loads itself anew ten times a second",
        document("Anew", "<main id=part class=yes style='height: 300px'></main>" + _ANEW),
        within=ANSWERED,
        tells="changes",
        wrong=_SPOILT,
    ),
    Case(
        "a spinner without an end",
        document("Spinner", _SPINNER, _SPIN),
        _HEADED,
        within=ANSWERED,
        tells="loading",
        wrong=_SPOILT,
    ),
    Case(
        "a skeleton without an end",
        document("Skeleton", _BONES, _BONES_STYLE),
        _HEADED,
        within=ANSWERED,
        tells="loading",
        wrong=_SPOILT,
    ),
    Case(
        "all that never ends at once",
        document("Everything", _EVERYTHING, _SPIN),
        shows({(200, 100): GREEN, (20, 200): GREEN}),
        within=ANSWERED,
        tells="requests sockets animations changes loading",
        wrong=_SPOILT,
    ),
)
