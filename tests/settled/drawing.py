"""Pages that draw themselves by scripts: charts, counters, canvases of all kinds, and lines of SVG."""

from tests.camera import GREEN, WHITE
from tests.settled.cases import Case, document, waiting
from tests.settled.checks import has, says, shows

# Calls draw(share) in each frame, with a share that grows to 1.
_OVER = """const over = (milliseconds, draw, delay = 0) => {
  let began
  const step = now => {
    began ??= now + delay
    const share = Math.max(0, Math.min(1, (now - began) / milliseconds))
    draw(share)
    if (share < 1) requestAnimationFrame(step)
  }
  requestAnimationFrame(step)
}
"""
_CANVAS = """<canvas id=part width=400 height=300 style="display: block"></canvas><script>
const canvas = document.querySelector('canvas')
%s</script>"""

_CHART = (
    _OVER
    + """const pen = canvas.getContext('2d'), rows = [280, 200, 140, 240]
pen.fillStyle = '#008000'
const draw = share => {
  pen.clearRect(0, 0, 400, 300)
  rows.forEach((high, index) => pen.fillRect(index * 100, 300 - high * share, 80, high * share))
}
fetch('/after?ms=300').then(answer => answer.json()).then(() => over(1000, draw))"""
)
_CHARTED = shows({(40, 25): GREEN, (140, 105): GREEN, (240, 165): GREEN, (340, 65): GREEN, (240, 150): WHITE})

_COUNTER = f"""<p id=part class=yes style="width: 0; height: 200px; white-space: nowrap">0 orders</p><script>{_OVER}
over(2000, share => {{
  part.textContent = Math.round(2500 * share * share) + ' orders'
  part.style.width = 400 * share + 'px'
}})</script>"""
_COUNTED = shows({(396, 150): GREEN, (200, 150): GREEN, (200, 220): WHITE})

_LATE = """const pen = canvas.getContext('2d')
onload = () => setTimeout(() => { pen.fillStyle = '#008000'; pen.fillRect(0, 0, 400, 300) }, 700)"""

_WEBGL = (
    _OVER
    + """const pen = canvas.getContext('webgl')
over(900, share => { pen.clearColor(1 - share, share * 128 / 255, 0, 1); pen.clear(pen.COLOR_BUFFER_BIT) })"""
)

_OFF_SCREEN = """const off = canvas.transferControlToOffscreen()
new Worker('worker.js').postMessage(off, [off])"""
_DRAWER = """onmessage = ({ data }) => {
  const pen = data.getContext('2d')
  let wide = 0
  pen.fillStyle = '#008000'
  const timer = setInterval(() => {
    pen.fillRect(0, 0, wide += 50, 300)
    if (wide === 400) clearInterval(timer)
  }, 130)
}"""

_EASED = f"""<svg id=part width=400 height=300 style="display: block"></svg><script>{_OVER}
[280, 200, 140, 240, 260].forEach((high, index) => {{
  const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
  for (const [name, value] of Object.entries({{ x: index * 80, width: 70, fill: '#008000' }}))
    bar.setAttribute(name, value)
  document.querySelector('svg').append(bar)
  over(600, share => {{
    const eased = 1 - (1 - share) ** 3
    bar.setAttribute('y', 300 - high * eased)
    bar.setAttribute('height', high * eased)
  }}, index * 180)
}})</script>"""
_EASED_IN = shows({(35, 25): GREEN, (115, 105): GREEN, (195, 165): GREEN, (275, 65): GREEN, (355, 45): GREEN})

_LINE = """<svg id=part width=400 height=300 style="display: block"><path d="M 0 150 H 400" stroke="#008000"
stroke-width=280 stroke-dasharray=400 /></svg>"""
_LINE_STYLE = """path { stroke-dashoffset: 400; transition: stroke-dashoffset 1.2s ease-in-out }
.drawn path { stroke-dashoffset: 0 }"""
_BEGIN = "<script>onload = () => setTimeout(() => document.documentElement.classList.add('drawn'), 100)</script>"
_DRAWN = shows({(5, 150): GREEN, (200, 150): GREEN, (395, 150): GREEN})

_PARTS = """const chart = document.createElement('canvas')
chart.width = 400
chart.height = 750
const pen = chart.getContext('2d')
let row = 0
pen.fillStyle = '#008000'
const timer = setInterval(() => {
  pen.fillRect(0, 75 * row++, 400, 75)
  if (row < 10) return
  clearInterval(timer)
  part.replaceChildren(chart)
}, 100)"""

DRAWING = (
    Case("a chart that grows for a second", document("Chart", _CANVAS % _CHART), _CHARTED, part=_CHARTED),
    Case("a counter that counts for two seconds", document("Orders", _COUNTER), _COUNTED, pdf=says("2500 orders")),
    Case("a canvas drawn late", document("Canvas", _CANVAS % _LATE)),
    Case("a scene of WebGL that turns green", document("Scene", _CANVAS % _WEBGL), has(GREEN, 1)),
    Case(
        "a canvas that a worker draws",
        document("Worker", _CANVAS % _OFF_SCREEN),
        has(GREEN, 1),
        part=has(GREEN, 1),
        files={"worker.js": _DRAWER},
    ),
    Case("eased bars with delays", document("Bars", _EASED), _EASED_IN),
    Case("a line that draws itself", document("Line", _LINE + _BEGIN, _LINE_STYLE), _DRAWN, part=_DRAWN),
    waiting("a chart that is shown once it is drawn", _PARTS, window=has(GREEN, 1), unseen=True),
)
