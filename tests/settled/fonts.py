"""Pages whose letters are late: the font of squares makes their window black."""

from urllib.parse import quote

from tests.camera import BLACK
from tests.settled.cases import Case, document, waiting
from tests.settled.checks import has
from tests.settled.motion import DECORATED
from tests.settled.pictures import NEVER

_ALL = has(BLACK, 0.99)
_TEXT = "<p id=part>XXXX XXXX XXXX</p>"
_STYLE = "p { font: 100px Squares, monospace; width: 400px; height: 300px; overflow: hidden; color: #000 }"


def face(milliseconds: int, how: str = "") -> str:
    """Declare the font, so late."""
    return f"@font-face {{ font-family: Squares; src: url(/font?ms={milliseconds}) {how} }}"


_LATE = f"""<script>onload = () => setTimeout(() => {{
  document.head.insertAdjacentHTML('beforeend', `<style>{face(400)}</style>`)
}}, 300)</script>"""
_LOADED = """<script>onload = async () => {
  const font = new FontFace('Squares', 'url(/font?ms=500)')
  document.fonts.add(await font.load())
}</script>"""
_FRAME = """<script>
const frame = document.createElement('iframe')
frame.style = 'display: block; border: 0; width: 400px; height: 300px'
frame.src = '%s' + location.pathname + 'letters.html'
document.documentElement.append(frame)</script>"""
_FRAMED = document("Letters", _TEXT + _LATE, _STYLE)

_IMPORTED = quote("#part{background:#008000!important}", safe="")
_ABSENT = """document.head.insertAdjacentHTML('beforeend', `<style>
@font-face { font-family: Absent; src: url(/status/404) } main { font-family: Absent }</style>`)"""
_FAR_OFF = "@font-face { font-family: Tardy; src: url(/font?ms=9000); font-display: swap }"
_MUCH_LATER = f"""done()
onload = () => setTimeout(() => {{
  document.head.insertAdjacentHTML('beforeend', `<style>{_FAR_OFF} main {{ font-family: Tardy }}</style>`)
}}, 50)"""

FONTS = (
    Case("a font that shows when it comes", document("Swap", _TEXT, face(500, "; font-display: swap") + _STYLE), _ALL),
    Case("a late font by a script", document("Late", _TEXT + _LATE, _STYLE), _ALL, full=_ALL),
    Case("a font that a script loads", document("Loaded", _TEXT + _LOADED, _STYLE), _ALL, part=_ALL),
    Case("a font in a frame", document("Frame", _FRAME % ""), _ALL, files={"letters.html": _FRAMED}),
    Case(
        "a font in a frame of another origin",
        document("Frame", _FRAME % "@OTHER@"),
        _ALL,
        files={"letters.html": _FRAMED},
    ),
    waiting(
        "a sheet that the caller's style imports",
        "",
        options={"customCss": f"@import url('/after?ms=300&type=text/css&body={_IMPORTED}');"},
    ),
    Case("a font that the caller brings", document("Brought", _TEXT, _STYLE), _ALL, options={"customCss": face(500)}),
    waiting("a font that is not there", f"done()\n{_ABSENT}", within=DECORATED, wrong="#part { background: red }"),
    waiting(
        "a font that takes nine seconds",
        _MUCH_LATER,
        within=NEVER,
        tells="fonts requests",
        wrong="#part { background: red }",
    ),
)
