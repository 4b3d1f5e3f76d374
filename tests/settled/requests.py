"""Pages that are finished by what they ask for after their load event."""

from tests.camera import GREEN
from tests.settled.cases import Case, document, waiting
from tests.settled.checks import GREEN_ALL, both, has, shows

QUIET = 6.0  # seconds; a busy machine counts them more slowly
UNREAD = 6.0  # the same where an answer of 3 bytes never ends for the browser, as nobody takes them

_APP = """<div id=app><p class=no style="height: 300px">Loading the orders …</p></div><script type=module>
const ask = async name => (await fetch(`/after?ms=400&body=${name}`)).text()
const user = await ask('Ada'), team = await ask(user + '-team'), orders = await ask(team + '-orders')
app.innerHTML = `<header class=yes style="height: 100px">${user}</header><ul id=part class=yes style="height: 650px">
<li>${team}</li><li>${orders}</li></ul>`
</script>"""

_ROWS = """<main id=part></main><script>
const add = () => part.insertAdjacentHTML('beforeend', '<p class=yes style="height: 60px">A row</p>');
%s
</script>"""
_ALL_ROWS = both(shows({(200, 30): GREEN, (200, 150): GREEN, (200, 270): GREEN}), has(GREEN, 0.85))

_STREAM = """(async () => {
  const reader = (await fetch('/stream?parts=5&ms=250')).body.pipeThrough(new TextDecoderStream()).getReader()
  for (let left = ''; ;) {
    const { done, value } = await reader.read()
    if (done) return
    for (const _ of value.matchAll(/\\n/g)) add()
  }
})()"""

_OUT_OF_WORKER = """const ask = async () => (await fetch('/after?ms=300')).json()
ask().then(ask).then(() => postMessage('ready'))"""
_SERVICE_WORKER = """addEventListener('install', () => skipWaiting())
addEventListener('activate', event => event.waitUntil(clients.claim()))
addEventListener('fetch', event => {
  if (event.request.url.endsWith('made-there'))
    event.respondWith(new Promise(tell => setTimeout(() => tell(new Response('made')), 400)))
})"""
_CONTROLLED = """navigator.serviceWorker.register('worker.js')
const ask = async () => { if (await (await fetch('made-there')).text() === 'made') done() }
navigator.serviceWorker.addEventListener('controllerchange', ask)"""

REQUESTS = (
    Case("three requests in a chain", document("Orders", _APP), full=GREEN_ALL, part=GREEN_ALL, pdf=None),
    waiting(
        "three requests one after the other",
        """(async () => {
      for (const name of 'ABC') await (await fetch('/after?ms=400&body=' + name)).text()
      done()
    })()""",
        everywhere=True,
    ),
    waiting(
        "an XMLHttpRequest in a chain",
        """const ask = (left) => {
      const request = new XMLHttpRequest()
      request.open('GET', '/after?ms=350&body=' + left)
      request.onload = () => left ? ask(left - 1) : done()
      request.send()
    }
    onload = () => ask(2)""",
    ),
    waiting(
        "modules asked for by modules",
        "onload = () => import('./first.js?ms=250').then(module => { if (module.depth === 3) done() })",
        files={
            "first.js": "import { depth as below } from './second.js?ms=250'; export const depth = below + 1",
            "second.js": "import { depth as below } from './third.js?ms=250'; export const depth = below + 1",
            "third.js": "export const depth = 1",
        },
    ),
    waiting(
        "data by a script element",
        """window.told = () => done()
    onload = () => {
      const script = document.createElement('script')
      script.src = 'data.js?ms=600&callback=told'
      document.head.append(script)
    }""",
        files={"data.js": "told({ rows: [1, 2, 3] })"},
    ),
    waiting(
        "requests made by a worker",
        "new Worker('worker.js').onmessage = done",
        files={"worker.js": _OUT_OF_WORKER},
    ),
    waiting("an answer out of a service worker", _CONTROLLED, files={"worker.js": _SERVICE_WORKER}),
    Case("a body that is streamed", document("Rows", _ROWS % _STREAM), _ALL_ROWS, full=_ALL_ROWS),
    Case(
        "rows over a WebSocket",
        document("Rows", _ROWS % "new WebSocket(`ws://${location.host}/messages?parts=5&ms=350`).onmessage = add"),
        _ALL_ROWS,
        full=_ALL_ROWS,
        part=_ALL_ROWS,
    ),
    Case(
        "rows by events",
        document("Rows", _ROWS % "new EventSource('/events?parts=5&ms=450').onmessage = add"),
        _ALL_ROWS,
        full=_ALL_ROWS,
    ),
    waiting(
        "one message after half a second",
        """const socket = new WebSocket(`ws://${location.host}/messages?parts=2&ms=550`)
    socket.onmessage = event => event.data === '2' && done()""",
    ),
    waiting(
        "a long poll beside what is finished",
        """done();
    (async () => { for (;;) await fetch('/hang') })()""",
        within=QUIET,
        wrong="#part { background: red }",
    ),
    waiting(
        "polls without an end",
        """(async () => {
      for (;;) { await (await fetch('/after?ms=400')).json(); done() }
    })()""",
        within=QUIET + 2,
    ),
    waiting(
        "a feed of events without an end",
        """done()
    new EventSource('/events?ms=100').onmessage = event => { document.title = event.data }""",
        within=QUIET,
        wrong="#part { background: red }",
    ),
    waiting(
        "a pause after a request",
        """onload = async () => {
      await (await fetch('/after?ms=300')).json()
      setTimeout(done, 350)
    }""",
        everywhere=True,
    ),
    waiting(
        "idle moments after a request",
        """let left = 12
    const go = () => left-- ? requestIdleCallback(() => setTimeout(go, 30)) : done()
    fetch('/after?ms=200').then(answer => answer.json()).then(() => requestIdleCallback(go))""",
    ),
    waiting(
        "a question that is posted",
        """onload = async () => {
      const { id } = await (await fetch('/after?ms=400&body={"id":7}', { method: 'POST', body: '{}' })).json()
      await (await fetch('/after?ms=300&body=' + id)).text()
      done()
    }""",
    ),
    waiting(
        "a request that is tried again",
        """const ask = async left => {
      if ((await fetch(`/after?ms=150&status=${left ? 503 : 200}`)).ok) done()
      else setTimeout(() => ask(left - 1), 400)
    }
    ask(2)""",
    ),
    waiting(
        "bodies that nobody reads",
        """(async () => {
      for (const name of 'AB') await fetch('/after?ms=300&body=' + name)
      done()
    })()""",
        within=UNREAD,
    ),
)
