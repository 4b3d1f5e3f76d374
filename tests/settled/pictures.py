"""Pages that wait for pictures, frames and style sheets of theirs."""

from tests.camera import GREEN
from tests.settled.cases import Case, document, waiting
from tests.settled.checks import both, has, size
from tests.settled.motion import DECORATED

_ALL = has(GREEN, 1)
_SPOILT = "#part { background: red }"
NEVER = 9.0  # seconds that a page may take which waits for what never comes, with two others at once
_DONE_MAIN = "<main id=part class=yes style='height: 300px'></main>"


def slow(size: str, milliseconds: int, number: int = 0) -> str:
    """Give the address of a green picture that is late."""
    return f"/slow-image?size={size}&amp;color=008000&amp;ms={milliseconds}&amp;n={number}"


_SIX = both(size(400, 1500), _ALL)
_LAZY = "".join(
    f"<section class=no><img loading=lazy alt='' src='{slow('400x250', 400, number)}'></section>" for number in range(6)
)
_SHOWN_IN_VIEW = (
    "".join(
        f"<section class=no style='height: 250px' data-picture='{slow('400x250', 450, number)}'></section>"
        for number in range(6)
    )
    + """<script>
const watch = new IntersectionObserver(entries => entries.forEach(({ isIntersecting, target }) => {
  if (isIntersecting) target.style.backgroundImage = `url(${JSON.stringify(target.dataset.picture)})`
}))
document.querySelectorAll('section').forEach(section => watch.observe(section))</script>"""
)
_FRAMES = "".join(
    f"<section class=no><iframe loading=lazy src='green.html?ms=500&amp;n={number}'></iframe></section>"
    for number in range(6)
)
_FRAME_STYLE = "iframe { display: block; border: 0; width: 400px; height: 250px }"
_GREEN_PAGE = document("Green", "", "html { background: #008000 }")

_KINDS_STYLE = f"""div > * {{ display: block; height: 50px; width: 400px; overflow: hidden }}
.back {{ background: url({slow("400x50", 500, 1)}) }}
.mask {{ background: #008000; mask: url({slow("400x50", 400, 2)}) }}
.edge {{ box-sizing: border-box; border: 25px solid red; border-image: url({slow("90x90", 600, 3)}) 30 fill }}
div > li {{ display: list-item; list-style: inside url({slow("400x50", 300, 4)}); font-size: 0 }}""".replace(
    "&amp;", "&"
)
_KINDS = f"""<picture><source srcset='{slow("400x50", 300, 5)}'><img alt='' src='/status/404'></picture>
<svg><image href='{slow("400x50", 600, 6)}' width=400 height=50 /></svg>
<p class=back></p><p class=mask></p><p class=edge></p><li></li>""".replace("\n", "")
_IN_THE_PAGE = f"<div id=part class=no>{_KINDS}</div>"
_BY_SCRIPT = f"""<div id=part class=no style="height: 300px"></div><script>
onload = () => setTimeout(() => {{ part.innerHTML = `{_KINDS}` }}, 100)</script>"""

_SHEET = "/after?type=text/css&body=%23part{background:%23008000!important}"
_SHEET_BY_SCRIPT = f"""onload = () => document.head.insertAdjacentHTML(
  'beforeend', `<link rel=stylesheet href="{_SHEET}&ms=600">`)"""
_SHEET_IN_HEAD = f"""<link rel=stylesheet href="{_SHEET}&amp;ms=5000">
<main id=part class=no style="height: 300px">It waits for its style</main>"""

_DECODED = f"""onload = async () => {{
  const picture = Object.assign(new Image(), {{ src: '{slow("400x750", 500)}'.replaceAll('&amp;', '&') }})
  await picture.decode()
  part.replaceChildren(picture)
}}"""
_SHARPENED = f"""<img id=part width=400 height=300 src="/image?size=4x3&amp;color=ff0000" alt="" style="display: block">
<script>const sharp = new Image()
sharp.onload = () => setTimeout(() => {{ part.src = sharp.src }}, 100)
onload = () => {{ sharp.src = '{slow("400x300", 500)}'.replaceAll('&amp;', '&') }}</script>"""

_FAR = f"""<div style="height: 3000px"></div><div id=part class=no style="height: 250px">
<img loading=lazy width=400 height=250 alt="" src="{slow("400x250", 300)}"></div><div style="height: 900px"></div>"""

_UNSEEN = "<img loading=lazy src=/hang alt='' style='display: none'>"
_BROKEN = "<img src=/status/404 alt='' width=40 height=40><img src='data:image/png,none' alt='' width=40 height=40>"
_HANGING = """<script>onload = () => setTimeout(() => { hangs.innerHTML = '<img src=/hang alt="" width=40 height=40>' })
</script><p id=hangs></p>"""

PICTURES = (
    Case(
        "lazy pictures without sizes",
        document("Lazy", _LAZY, "img { display: block } section { min-height: 250px }"),
        _ALL,
        full=_SIX,
        native=_SIX,
    ),
    Case("backgrounds that come into view", document("Tiles", _SHOWN_IN_VIEW), _ALL, full=_SIX, native=_SIX),
    Case(
        "lazy frames",
        document("Frames", _FRAMES, _FRAME_STYLE),
        _ALL,
        full=_SIX,
        native=_SIX,
        files={"green.html": _GREEN_PAGE},
    ),
    Case("slow pictures of six kinds", document("Kinds", _IN_THE_PAGE, _KINDS_STYLE), _ALL),
    Case("slow pictures of six kinds by a script", document("Kinds", _BY_SCRIPT, _KINDS_STYLE), _ALL),
    waiting("a slow style sheet by a script", _SHEET_BY_SCRIPT),
    Case("a style sheet that takes five seconds", document("Sheet", _SHEET_IN_HEAD)),
    waiting("a picture that is shown once it is decoded", _DECODED),
    Case("a picture that becomes sharp", document("Sharp", _SHARPENED), _ALL),
    Case("a lazy picture far below", document("Far", _FAR, "img { display: block }"), window=None, part=_ALL),
    Case(
        "a lazy picture that is not displayed",
        document("Unseen", _DONE_MAIN + _UNSEEN),
        within=DECORATED,
        wrong=_SPOILT,
    ),
    Case("broken pictures", document("Broken", _DONE_MAIN + _BROKEN), within=DECORATED, wrong=_SPOILT),
    Case(
        "a picture that never comes",
        document("Hanging", _DONE_MAIN.replace("300px", "250px") + _HANGING),
        has(GREEN, 0.8),
        within=NEVER,
        tells="images requests loading",
        wrong=_SPOILT,
    ),
)
