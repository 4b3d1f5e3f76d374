"""Tables for people who have many rows."""

from ..app import App
from ..checks import Colour, Ink
from ..pages import page

GRIDS: tuple[App, ...] = (
    page("ag-grid", Colour("#ffd9b3", 87_500), Ink((0, 60, 500, 900), 19_597), npm=("ag-grid-community@36.2.0",)),
)
