"""Pieces of pages, slides, formulas and programs that the server of pages has."""

ROWS = 20
LINES = 60
CHAPTERS = ("Income", "Costs", "People")


def tickets() -> str:
    """Return a table, each of its rows with a piece of its own that comes later."""
    asked = ((number, f'hx-get="/part/ticket.html?ms={100 + 30 * number}" hx-trigger="load"') for number in range(ROWS))
    later = "".join(f"<tr><td>Ticket {number}</td><td {later}></td></tr>" for number, later in asked)
    return f'<table class="fade">{later}</table>'


def ticket() -> str:
    """Return the piece of one row."""
    return '<b class="fade">open since Monday, waits for parts</b>'


def slides() -> str:
    """Return slides, of which the first has code and a list."""
    first = "# The quarter\n\n- income is up\n- costs are down\n\n```js\nconst all = income - costs;\n```\n"
    return "\n---\n".join((first, *(f"## {chapter}" for chapter in CHAPTERS)))


def formulas() -> str:
    """Return paragraphs with formulas."""
    sums = (
        r"\[ \sum_{k=1}^{n} k^2 = \frac{n(n+1)(2n+1)}{6}, \qquad \int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2} \]"
    )
    first, second = (
        rf"\begin{{pmatrix}} {inner} \end{{pmatrix}}" for inner in (r"a & b \\ c & d", r"d & -b \\ -c & a")
    )
    matrix = rf"\[ {first}^{{-1}} = \frac{{1}}{{ad-bc}} {second} \]"
    return "".join(f"<p>Lemma {number}. For all \\(x \\in \\mathbb{{R}}\\):</p>{sums}{matrix}" for number in range(3))


def program() -> str:
    """Return a program in JavaScript."""
    lines = (
        f'export function step{number}(order) {{ return order.total > {number} ? "pay" : null; }} // rule {number}'
        for number in range(LINES)
    )
    return "\n".join(lines)
