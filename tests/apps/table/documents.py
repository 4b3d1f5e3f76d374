"""What shows documents, and what is made of them."""

from ..app import App
from ..checks import WHOLE, Colour, Ink
from ..pages import SERVER, page

DOCUMENTS: tuple[App, ...] = (
    page("pdfjs", Colour("#cc1a1a", 120_000), Colour("#000000", 50_500, share=0.05), npm=("pdfjs-dist@6.5.438",)),
    page("reveal", Ink(WHOLE, 53_427), npm=("reveal.js@6.0.2",)),
    page("katex", Ink(WHOLE, 20_589), npm=("katex@0.19.1",)),
    page("mathjax", Ink(WHOLE, 15_447), npm=("mathjax@4.1.3", "@mathjax/mathjax-newcm-font@4.1.3")),
    App(
        "mkdocs",
        (Colour("#4051b5", 191_700), Ink(WHOLE, 316_310)),
        (*SERVER, "{home}/site"),
        pip=("mkdocs-material==9.8.2",),
        files="projects/mkdocs",
        build=(("{python}", "-m", "mkdocs", "build", "-q"),),
    ),
    App(
        "sphinx-search",
        (Ink(WHOLE, 24_732),),
        (*SERVER, "{home}/site"),
        path="/search.html?q=office",
        pip=("sphinx==9.0.4", "furo==2025.12.19"),
        files="projects/sphinx",
        build=(("{python}", "-m", "sphinx", "-q", ".", "site"),),
    ),
    App(
        "datasette",
        (Ink(WHOLE, 124_943),),
        ("{python}", "-m", "datasette", "serve", "orders.db", "--port", "{port}", "--host", "127.0.0.1"),
        path="/orders/orders?_sort=total",
        pip=("datasette==0.65.5",),
        build=(("{python}", "{here}/python/make_database.py", "orders.db"),),
    ),
)
