"""Charts drawn on the server: an SVG of bars, with what it shows as words."""

from collections.abc import Sequence

from markupsafe import Markup

Bars = Sequence[tuple[str, int]]  # what a bar stands for, and how much of it

STEP, WIDTH, SMALL, LARGE = 4, 3, 24, 96  # units of the drawing


def sparks(bars: Bars, label: str) -> Markup:
    """Return a small chart for a cell of a table; one path, as there are fifty on a page."""
    most = max((number for _, number in bars), default=0)
    path = "".join(
        f"M{at * STEP} {SMALL}v-{_height(number, most, SMALL)}h{WIDTH}V{SMALL}z" for at, (_, number) in enumerate(bars)
    )
    width = len(bars) * STEP
    return Markup(
        '<svg class="bars" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">'
        '<path class="{}" d="{}"/></svg>'
    ).format(label, width, SMALL, width, SMALL, "bar" if most else "none", path)


def columns(bars: Bars, label: str, kind: str = "bar") -> Markup:
    """Return a chart as wide as its place; each bar tells what it is. *kind* is bar or failed."""
    most = max((number for _, number in bars), default=0)
    drawn = Markup().join(
        Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>').format(
            kind if number else "none", at * STEP, LARGE - high, WIDTH, high, name, f"{number:,}"
        )
        for at, (name, number) in enumerate(bars)
        for high in [_height(number, most, LARGE)]
    )
    return Markup(
        '<svg class="wide bars" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
    ).format(label, max(1, len(bars)) * STEP, LARGE, drawn)


def _height(number: int, most: int, high: int) -> int:
    """Return how high a bar is: what is more than nothing can be seen."""
    return max(2, round(number / most * high)) if number and most else 1
