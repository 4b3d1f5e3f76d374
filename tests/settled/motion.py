"""Pages in which something moves for ever, rests in the middle, or follows the scrolling."""

from typing import Any

from PIL import Image

from tests.camera import GREEN, WHITE, Colour, colour
from tests.settled.cases import Case, document
from tests.settled.checks import both, has, pictured, shows, size
from tests.settled.requests import QUIET

DECORATED = 4.0  # seconds; a busy machine counts them more slowly
_BARE = (238, 238, 238)  # of a stage without a slide

_SPOILT = "#part { background: red }"
_CONTENT = "<main id=part class=yes style='height: 260px'>Departures</main>"

_GAUGE = "<div id=part style='width: 400px; height: 100px'><p></p></div>"
_GAUGE_STYLE = """p { height: 100px; background: #008000; animation: fill 10s linear -6s both;
animation-play-state: paused } @keyframes fill { from { width: 0 } to { width: 100% } }"""
_AT_SIXTY = shows({(20, 50): GREEN, (238, 50): GREEN, (242, 50): WHITE, (390, 50): WHITE})

_HELD = """<div id=part style="height: 100px"><p class=yes style="width: 100px; height: 100px"></p></div><script>
const held = document.querySelector('p').animate({ width: ['0px', '400px'] }, { duration: 8000, fill: 'both' })
held.pause()
held.currentTime = 5000</script>"""

_SCROLLED = "<i></i><div id=part></div>" + "<section></section>" * 4
_SCROLLED_STYLE = """i { position: fixed; inset: 0 0 auto; height: 8px; background: red; transform-origin: left;
animation: grow linear both; animation-timeline: scroll(root) } @keyframes grow { from { transform: scaleX(0) } }
#part { height: 240px; background: #008000; animation: away linear both; animation-timeline: scroll(root);
animation-range: 0 320px } @keyframes away { to { opacity: 0 } }
section { height: 200px; margin-top: 20px; background: #008000; animation: leave linear both;
animation-timeline: view(); animation-range: exit 0% exit 100% }
@keyframes leave { to { opacity: 0; transform: translateX(-200px) } }"""
_SCROLL_SPOTS: dict[tuple[int, int], Colour] = {
    (x, y): GREEN for x in (60, 340) for y in (120, 330, 360, 560, 780, 1000)
}
_ALL_SECTIONS = both(size(400, 1120), shows(_SCROLL_SPOTS))
_AT_THE_TOP = shows({(60, 4): GREEN, (340, 120): GREEN, (60, 230): GREEN, (60, 250): WHITE, (340, 280): GREEN})

_SLIDES = "<div id=part><p></p><p></p><p></p></div><footer></footer>"
_SLIDES_STYLE = """#part { position: relative; height: 260px; background: #eee }
p { position: absolute; inset: 0; opacity: 0; animation: show 12s infinite }
p:nth-child(1) { background: #008000; animation-delay: -1s }
p:nth-child(2) { background: #06c; animation-delay: 3s } p:nth-child(3) { background: #c50; animation-delay: 7s }
@keyframes show { 0% { opacity: 0 } 5%, 33% { opacity: 1 } 38%, 100% { opacity: 0 } } footer { height: 40px }"""

_PULSE = """i { position: fixed; right: 10px; bottom: 10px; width: 20px; height: 20px; border-radius: 50%;
background: #008000; animation: pulse 1s infinite alternate } @keyframes pulse { to { transform: scale(.5) } }"""

_TICKER = """<p style="width: 400px; overflow: hidden; white-space: nowrap"><b style="display: inline-block">
News of today, and of the day before; news of today, and of the day before</b></p>"""
_TICKER_STYLE = "b { animation: run 8s linear infinite } @keyframes run { to { transform: translateX(-50%) } }"

_MARKED = (
    """<p id=price></p><script>setInterval(() => { price.textContent = Math.random().toFixed(6) }, 100)</script>"""
)

_STARS = """<canvas width=400 height=40 style="display: block"></canvas><script>
const pen = document.querySelector('canvas').getContext('2d')
const draw = now => {
  pen.fillStyle = `hsl(${now / 10 % 360} 80% 50%)`
  pen.fillRect(now / 5 % 400, now % 40, 3, 3)
  requestAnimationFrame(draw)
}
requestAnimationFrame(draw)</script>"""

_GIF = "<img id=part src=/gif alt='' style='display: block'>"

# Recorded on the spot, as no picture that moves lies here.
_FILM = """<video id=part muted loop style="display: block; width: 400px; height: 300px; background: red">
</video><script>
const canvas = Object.assign(document.createElement('canvas'), { width: 400, height: 300 })
const pen = canvas.getContext('2d'), recorder = new MediaRecorder(canvas.captureStream(20)), parts = []
const timer = setInterval(() => {
  pen.fillStyle = '#008000'
  pen.fillRect(0, 0, 400, 300)
  pen.fillStyle = Date.now() / 100 & 1 ? '#00f' : '#008000'
  pen.fillRect(350, 250, 50, 50)
}, 50)
recorder.ondataavailable = ({ data }) => parts.push(data)
recorder.onstop = () => {
  clearInterval(timer)
  part.src = URL.createObjectURL(new Blob(parts))
  part.play()
}
recorder.start()
setTimeout(() => recorder.stop(), 800)</script>"""

_TOAST = """<i></i><script>setTimeout(() => document.querySelector('i').classList.add('gone'), 4500)</script>"""
_TOAST_STYLE = """i { position: fixed; right: 0; bottom: 0; width: 80px; height: 40px; background: #06c;
transition: opacity .5s } .gone { opacity: 0 }"""


def _a_slide(image: Image.Image) -> str:
    """Want another colour than that of the bare stage, by so much that a slide can be told."""
    found = colour(image, image.width // 2, 130)
    apart = max(abs(one - other) for one, other in zip(found, _BARE, strict=True))
    return "" if apart > 100 and found != WHITE else f"no slide, but {found}"


A_SLIDE = both(size(400, 300), pictured(_a_slide))


def beside(name: str, moving: str, style: str = "", within: float = DECORATED, **fields: Any) -> Case:
    """Make a page that is finished but for what moves beside its content."""
    page = document(name, _CONTENT + moving, style)
    content = shows({(200, 100): GREEN, (380, 240): GREEN})
    return Case(name, page, content, within=within, wrong=_SPOILT, **fields)


MOTION = (
    Case(
        "a gauge that is held at its place",
        document("Gauge", _GAUGE, _GAUGE_STYLE),
        _AT_SIXTY,
        part=_AT_SIXTY,
        wrong="p { animation: none; width: 100% }",
    ),
    Case(
        "a gauge that a script holds at its place",
        document("Gauge", _HELD),
        shows({(20, 50): GREEN, (248, 50): GREEN, (252, 50): WHITE}),
    ),
    Case(
        "timelines of the scrolling",
        document("Scrolled", _SCROLLED, _SCROLLED_STYLE),
        _AT_THE_TOP,
        full=_ALL_SECTIONS,
        native=_ALL_SECTIONS,
        wrong="#part { animation: none; opacity: 0 }",
    ),
    Case(
        "slides that rest unseen",
        document("Slides", _SLIDES, _SLIDES_STYLE),
        A_SLIDE,
        full=A_SLIDE,
        wrong="p { animation: none }",
    ),
    beside("a dot that pulses", "<i></i>", _PULSE, full=has(GREEN, 0.8)),
    beside("a ticker that runs", _TICKER, _TICKER_STYLE),
    beside("a price that changes ten times a second", _MARKED, within=QUIET),
    beside("stars that fall for ever", _STARS, within=QUIET),
    Case(
        "an animated picture",
        document("GIF", _GIF),
        shows({(100, 150): GREEN, (190, 20): GREEN}),
        within=DECORATED,
        wrong="#part { opacity: 0 }",
    ),
    Case("a film that plays", document("Film", _FILM), shows({(100, 150): GREEN, (300, 100): GREEN}), unseen=True),
    beside("a toast that goes in the end", _TOAST, _TOAST_STYLE, within=4.0),
)
