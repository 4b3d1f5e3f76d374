"""Tools of those who run and write programs."""

from ..app import App
from ..checks import WHOLE, Colour, Ink
from ..pages import page

TOOLS: tuple[App, ...] = (
    page(
        "swagger-ui",
        Colour("#61affe", 19_600),
        Colour("#49cc90", 17_300),
        Colour("#f93e3e", 14_100),
        npm=("swagger-ui-dist@5.35.0",),
    ),
    page("redoc", Ink(WHOLE, 721_564), npm=("redoc@2.5.4",)),
    page("monaco", Colour("#0000ff", 6520), Ink(WHOLE, 121_220), npm=("monaco-editor@0.57.0",)),
    page("htmx", Colour("#cfe8d5", 266_446), Colour("#000000", 13_919, share=0.01), npm=("htmx.org@2.0.11",)),
    page("xterm", Colour("#4e9a06", 736, (0, 0, 400, 224)), npm=("@xterm/xterm@6.0.0",), moves=True),
)
