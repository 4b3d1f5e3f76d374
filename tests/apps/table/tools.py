"""Tools of those who run and write programs."""

from ..app import App
from ..checks import Colour
from ..pages import page

TOOLS: tuple[App, ...] = (
    page(
        "swagger-ui",
        Colour("#61affe", 19_600),
        Colour("#49cc90", 17_300),
        Colour("#f93e3e", 14_100),
        npm=("swagger-ui-dist@5.35.0",),
    ),
)
