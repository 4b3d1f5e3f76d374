"""Series of figures as small charts, one above the other, in one SVG."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, GAP = 640, 60, 230, 24  # pixels of one chart, of the room before it, and below it


def svg(places: Sequence[float], lines: Mapping[str, Sequence[float]], unit: str) -> str:
    """Draw each line over the same *places*, from zero to its largest value; *unit* is what places are counted in."""
    charts = "".join(_chart(number, name, places, values) for number, (name, values) in enumerate(lines.items()))
    high = len(lines) * (HEIGHT + GAP) + GAP
    foot = f'<text x="{LEFT}" y="{high - 6}">0</text><text x="{LEFT + WIDTH}" y="{high - 6}" class="end">'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {high}" role="img">'
        "<style>text{font:13px system-ui,sans-serif;fill:#57606a}.end{text-anchor:end}"
        "polyline{fill:none;stroke:#0969da;stroke-width:2}line{stroke:#d0d7de}</style>"
        f"<title>{escape(', '.join(lines))} over {escape(unit)}</title>"
        f"{charts}{foot}{places[-1]:g} {escape(unit)}</text></svg>\n"
    )


def _chart(number: int, name: str, places: Sequence[float], values: Sequence[float]) -> str:
    bottom = number * (HEIGHT + GAP) + HEIGHT + GAP / 2
    most = max(values) or 1
    points = " ".join(
        f"{LEFT + WIDTH * place / (places[-1] or 1):.1f},{bottom - HEIGHT * value / most:.1f}"
        for place, value in zip(places, values, strict=True)
    )
    label = f"{escape(name)}: {min(values):g} to {max(values):g}"
    return (
        f'<line x1="{LEFT}" y1="{bottom}" x2="{LEFT + WIDTH}" y2="{bottom}"/>'
        f'<text x="{LEFT - 8}" y="{bottom - HEIGHT / 2}" class="end">{label}</text><polyline points="{points}"/>'
    )
