"""Pages whose content comes in by animations and transitions that end."""

from tests.camera import GREEN, WHITE, Colour
from tests.settled.cases import Case, document, waiting
from tests.settled.checks import has, shows

_ALL = has(GREEN, 1)

_ENTER = """.card { height: 60px; background: #008000; animation: enter .6s ease-out backwards }
@keyframes enter { from { opacity: 0; transform: translateY(40px) } }"""
_CARDS = "".join(f"<p class=card style='animation-delay: {200 * place}ms'></p>" for place in range(5))
_STAGE = "<main id=part class=no style='height: 300px'>%s</main>"
_FRAMED = document("Cards", f"<main class=no>{_CARDS}</main>", _ENTER)

_SHADOW = """<main id=part class=no style="height: 300px"></main><script>
const tree = document.createElement('div').attachShadow({ mode: '%s' })
tree.innerHTML = `<style>p { margin: 0 } %s</style>%s`
part.append(tree.host)</script>"""

_FRAME = """<main id=part class=no style="height: 300px"></main><script>
const frame = document.createElement('iframe')
frame.style = 'display: block; border: 0; width: 400px; height: 300px'
frame.src = '%s' + location.pathname + 'cards.html'
part.append(frame)</script>"""

_SLIDE = """#part { height: 300px; transform: translateX(-400px); transition: transform 1s ease-in-out .2s }
.ready #part { transform: none }"""
_SLIDING = """<main id=part class=yes></main><script>
onload = () => setTimeout(() => document.documentElement.classList.add('ready'), 50)</script>"""

_PLACED = "position: absolute; width: 80px; height: 60px; background: #008000"
_CHAINED = f"""<div id=part style="position: relative; height: 300px"><p id=card style="{_PLACED}; top: 0"></p></div>
<script>(async () => {{
  for (const [left, top] of [[120, 0], [120, 110], [233, 157]]) {{
    const animation = card.animate({{ left: left + 'px', top: top + 'px' }}, {{ duration: 350, easing: 'ease-in-out' }})
    await animation.finished
    card.style.left = left + 'px'
    card.style.top = top + 'px'
  }}
}})()</script>"""
_CARD: dict[tuple[int, int], Colour] = {(232, 187): WHITE, (233, 187): GREEN, (312, 187): GREEN, (313, 187): WHITE}
_AT_ITS_PLACE = shows(_CARD | {(270, 156): WHITE, (270, 157): GREEN, (270, 216): GREEN, (270, 217): WHITE})

# As libraries do: each card flies, is measured in the end, and stays where it was seen.
_FLOWN = f"""<div id=part style="position: relative; height: 300px"></div><script>
for (let index = 0; index < 4; index++) {{
  const card = document.createElement('p')
  card.style = '{_PLACED}; left: 0; top: ' + index * 70 + 'px'
  part.append(card)
  const flight = card.animate(
    {{ transform: ['translateX(0)', `translateX(${{60 + 50 * index}}px)`] }},
    {{ duration: 500, delay: index * 150, fill: 'forwards' }})
  flight.onfinish = () => {{
    card.style.left = Math.round(card.getBoundingClientRect().left) + 'px'
    flight.cancel()
    setTimeout(() => {{ card.style.left = parseInt(card.style.left) + 1 + 'px' }}, 60)
  }}
}}</script>"""
_EDGES: tuple[tuple[int, Colour], ...] = ((60, WHITE), (61, GREEN), (140, GREEN), (141, WHITE))
_LANDED = shows({(x + 50 * index, 30 + 70 * index): wanted for index in range(4) for x, wanted in _EDGES})

_SPRUNG = f"""<div id=part style="position: relative; height: 300px"><p id=card style="{_PLACED}; top: 100px"></p></div>
<script>
let at = 0, speed = 0
const step = () => {{
  speed = (speed + (250 - at) * .06) * .8
  at += speed
  card.style.transform = `translateX(${{at}}px)`
  if (Math.abs(speed) > .02 || Math.abs(250 - at) > .1) requestAnimationFrame(step)
  else card.style.transform = 'translateX(250px)'
}}
setTimeout(() => requestAnimationFrame(step), 200)</script>"""

_REVEALED = """<script>const watch = new IntersectionObserver(entries => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) target.classList.add('seen')
}, { threshold: .1 })
document.querySelectorAll('section').forEach(section => watch.observe(section))</script>"""
_REVEAL = """section { height: 250px; background: #008000; opacity: 0; transform: translateX(-60px);
transition: opacity .5s .1s, transform .5s .1s } .seen { opacity: 1; transform: none }"""

_GROWN = """<svg id=part width=400 height=300 style="display: block"><rect height=300 width=0 fill="#008000">
<animate attributeName=width from=0 to=400 begin=.3s dur=1s fill=freeze /></rect></svg>"""

_CHANGED = """onload = () => setTimeout(() => document.startViewTransition(done), 200)"""

ENTRANCES = (
    Case("cards that come in one by one", document("Cards", _STAGE % _CARDS, _ENTER), _ALL, part=_ALL),
    Case("cards in an open shadow tree", document("Cards", _SHADOW % ("open", _ENTER, _CARDS)), _ALL),
    Case("cards in a closed shadow tree", document("Cards", _SHADOW % ("closed", _ENTER, _CARDS)), _ALL, unseen=True),
    Case("cards in a frame", document("Frame", _FRAME % ""), _ALL, files={"cards.html": _FRAMED}),
    Case(
        "cards in a frame of another origin",
        document("Frame", _FRAME % "@OTHER@"),
        _ALL,
        part=_ALL,
        files={"cards.html": _FRAMED},
    ),
    Case("a transition begun on load", document("Slide", _SLIDING, _SLIDE), _ALL, part=_ALL),
    Case("a chain of animations by a script", document("Chain", _CHAINED), _AT_ITS_PLACE),
    Case("cards that stay where they landed", document("Flight", _FLOWN), _LANDED, part=_LANDED),
    Case(
        "a card on a spring",
        document("Spring", _SPRUNG),
        shows({(249, 130): WHITE, (250, 130): GREEN, (329, 130): GREEN, (330, 130): WHITE}),
    ),
    Case(
        "sections that are revealed when they are seen",
        document("Sections", "<section></section>" * 5 + _REVEALED, _REVEAL),
        _ALL,
        full=_ALL,
        native=_ALL,
    ),
    Case("a bar that grows by SMIL", document("SMIL", _GROWN), _ALL),
    waiting("a view transition", _CHANGED),
)
