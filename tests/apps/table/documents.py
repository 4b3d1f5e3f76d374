"""What shows documents, and what is made of them."""

from ..app import App
from ..checks import Colour
from ..pages import page

DOCUMENTS: tuple[App, ...] = (
    page("pdfjs", Colour("#cc1a1a", 120_000), Colour("#000000", 50_500, share=0.05), npm=("pdfjs-dist@6.5.438",)),
)
