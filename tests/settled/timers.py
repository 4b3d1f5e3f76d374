"""Pages that are finished by timers, by work of their own, or by what they take away."""

from typing import Any

from tests.camera import GREEN, WHITE
from tests.settled.cases import Case, document, waiting
from tests.settled.checks import GREEN_ALL, both, has, says, shows
from tests.settled.requests import QUIET

_SPIN = "@keyframes spin { to { transform: rotate(1turn) } }"
_SPINNER = "width: 40px; height: 40px; border: 6px solid #ccc; border-top-color: #00f; border-radius: 50%"

_TYPED = """<p style="padding: 20px; font: 20px monospace"><b id=part class=yes style="display: inline-block;
height: 40px; color: #008000"></b></p><script>
const words = 'twelve words', write = at => {
  part.textContent = words.slice(0, at)
  part.style.width = at * 30 + 'px'
  if (at < words.length) setTimeout(write, 100, at + 1)
}
write(0)</script>"""

_SKELETON = """<div id=list></div><script>
const line = '<p class=bone></p>'
list.innerHTML = line.repeat(8)
setTimeout(() => { list.innerHTML = '<article id=part class=yes style="height: 800px">An article</article>' }, 900)
</script>"""

_BONES = """.bone { height: 100px; background: linear-gradient(90deg, #eee, #ccc, #eee) 0 / 800px;
animation: shine 1s infinite linear } @keyframes shine { to { background-position: 800px } }"""

_SPINNING = """<div id=spin style="%s; margin: 100px auto; animation: spin .8s linear infinite"></div>
<main id=part class=yes style="height: 750px" hidden>Here it is</main>
<script>setTimeout(() => { spin.remove(); part.hidden = false }, 1200)</script>"""

_OVER = """<main id=part class=yes style="height: 750px">Here it is</main>
<div id=over style="position: fixed; inset: 0; background: #222; color: #fff; transition: opacity .4s">Loading …</div>
<script>addEventListener('load', () => setTimeout(() => {
  over.style.opacity = 0
  over.addEventListener('transitionend', () => over.remove())
}, %d))</script>"""

_HIDDEN = """<script>const root = document.documentElement
root.classList.add('tested'); setTimeout(() => root.classList.remove('tested'), %d)</script>
<script async src="/status/404"></script>
<main id=part class=yes style="height: 750px">Here it is</main>"""

_COMPUTED = """onmessage = () => {
  const end = performance.now() + 700
  let sum = 0
  while (performance.now() < end) sum += Math.sqrt(sum + 1)
  postMessage(sum)
}"""

_CLOCK = """<main id=part class=yes style="height: 200px">Departures</main><p id=clock style="font: 30px monospace"></p>
<script>setInterval(() => { clock.textContent = (performance.now() / 1000).toFixed(1) }, 100)</script>"""

_SLICED = """<div id=part></div><script>
const port = new MessageChannel(), row = '<p class=yes style="height: 10px"></p>'
let left = 80
port.port1.onmessage = () => {
  const end = performance.now() + 8
  while (performance.now() < end);
  part.insertAdjacentHTML('beforeend', row)
  if (--left) port.port2.postMessage(0)
}
port.port2.postMessage(0)</script>"""


def over(name: str, milliseconds: int, **ways: Any) -> Case:
    """Make a page below a cover that fades, so long after the load event."""
    return Case(name, document(name, _OVER % milliseconds), **ways)


def hidden(name: str, how: str, milliseconds: int, **ways: Any) -> Case:
    """Make a page that hides itself until a tool has come, which never does, or so long."""
    page = document(name, _HIDDEN % milliseconds, f".tested {{ {how} }}")
    return Case(name, page, **ways)


TIMERS = (
    Case("typed letter by letter", document("Typed", _TYPED), shows({(360, 40): GREEN, (30, 40): GREEN})),
    Case(
        "a skeleton first",
        document("List", _SKELETON, _BONES),
        full=GREEN_ALL,
        part=GREEN_ALL,
        pdf=says("An article"),
    ),
    Case("a spinner first", document("Spinner", _SPINNING % _SPINNER, _SPIN), full=GREEN_ALL, pdf=says("Here it is")),
    over("a cover for half a second", 500, full=GREEN_ALL, part=GREEN_ALL),
    over("a cover for a second and a half", 1500),
    hidden("opacity 0 for three seconds", "opacity: 0 !important", 3000, full=GREEN_ALL, part=GREEN_ALL),
    hidden("visibility hidden for two seconds and a half", "visibility: hidden", 2500),
    hidden("display none for three seconds", "display: none", 3000, pdf=says("Here it is")),
    waiting(
        "a worker that computes",
        """const worker = new Worker('worker.js')
    worker.onmessage = done
    worker.postMessage(0)""",
        files={"worker.js": _COMPUTED},
    ),
    Case(
        "a clock of tenths of seconds",
        document("Clock", _CLOCK),
        shows({(200, 100): GREEN, (390, 290): WHITE}),
        within=QUIET,
        wrong="#part { background: red }",
    ),
    waiting(
        "steps by an interval",
        """let step = 0
    const timer = setInterval(() => {
      part.textContent = ++step
      if (step === 6) { clearInterval(timer); done() }
    }, 250)""",
    ),
    Case("work in slices", document("Sliced", _SLICED), both(GREEN_ALL, has(GREEN, 0.98))),
    waiting(
        "one long task after load",
        """onload = () => setTimeout(() => {
      const end = performance.now() + 700
      while (performance.now() < end);
      setTimeout(done, 50)
    }, 150)""",
    ),
)
