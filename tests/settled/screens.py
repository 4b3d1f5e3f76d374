"""Pages that look at the screen, the languages and the letters that they are shown with."""

from typing import Any

from tests.camera import GREEN, WHITE
from tests.settled.cases import Case, document
from tests.settled.checks import GREEN_ALL, Check, both, shows, size

_SPOILT = "#part { background: red }"
_ASKING = """<main id=part class=no style="position: fixed; inset: 0"></main><script>
const part = document.getElementById('part'), sent = @LANGUAGES@
if (%s) part.className = 'yes'
else part.textContent = JSON.stringify([
  [innerWidth, innerHeight], [outerWidth, outerHeight], [screen.width, screen.height], navigator.languages, sent])
</script>"""

_AS_LARGE = "screen.width === innerWidth && screen.height === innerHeight"
_OUTSIDE = """outerWidth >= innerWidth && outerHeight >= innerHeight
  && outerWidth < 4 * innerWidth && outerHeight < 4 * innerHeight"""
_SPOKEN = "navigator.languages.length && navigator.languages.includes(navigator.language)"

_LIST = """<ol id=part style="height: 300px; overflow: auto; padding: 0"></ol><div style="height: 500px"></div><script>
part.innerHTML = '<li class=no style="height: 60px"></li>'.repeat(40)
part.lastChild.className = part.lastChild.previousSibling.className = 'yes'
part.scrollTop = part.scrollHeight</script>"""
_AT_ITS_END = shows({(100, 200): GREEN, (100, 290): GREEN, (100, 150): (255, 0, 0)})

FAMILIES = ("monospace", "serif", "sans-serif", "system-ui", "cursive")
_WIDTHS = "".join(
    f"<span style='font: 40px {family}; white-space: nowrap'>Hamburgefonstiv 0123</span><br>" for family in FAMILIES
)
WIDTHS = Case(
    "widths of generic families",
    document(
        "Widths",
        f"""{_WIDTHS}<p id=part style="font-size: 9px"></p><script>
part.textContent = [...document.querySelectorAll('span')].map(text => text.getBoundingClientRect().width).join(' ')
</script>""",
    ),
    window=None,
)


def asking(name: str, condition: str, check: Check = GREEN_ALL, **options: Any) -> Case:
    """Make a page that is green if a condition holds where it is shown."""
    return Case(name, document(name, _ASKING % condition), check, options=options, wrong=_SPOILT)


SCREENS = (
    asking("a screen of 1920 x 1080", _AS_LARGE, both(GREEN_ALL, size(1920, 1080)), viewport=None),
    asking("a screen of 400 x 300", _AS_LARGE),
    asking("a screen of 1280 x 720", _AS_LARGE, viewport={"width": 1280, "height": 720}),
    asking("the screen of a telephone", _AS_LARGE, viewport=None, device="iPhone 14"),
    asking("an outside as large as the window", _OUTSIDE, viewport=None),
    asking("an outside as large as a small window", _OUTSIDE),
    asking("a screen that is no small device", "!matchMedia('(max-device-width: 900px)').matches", viewport=None),
    asking("languages that scripts see", _SPOKEN),
    asking("languages that servers are asked for", "sent"),
    Case(
        "a list that was scrolled to its end",
        document("List", _LIST),
        _AT_ITS_END,
        full=both(size(400, 800), _AT_ITS_END, shows({(200, 700): WHITE})),
        part=_AT_ITS_END,
        wrong="li { background: red !important }",
    ),
)
