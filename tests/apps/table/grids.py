"""Tables and calendars for people who have many rows, and maps."""

from ..app import App
from ..checks import WHOLE, Colour, Ink
from ..pages import page

GRIDS: tuple[App, ...] = (
    page(
        "ag-grid",
        Colour("#ffd9b3", 87_500),
        Ink((0, 60, 500, 900), 19_597),
        npm=("ag-grid-community@36.2.0",),
    ),
    page("tabulator", Colour("#2dc26b", 105_570), Ink((0, 80, 700, 1000), 21_649), npm=("tabulator-tables@6.5.3",)),
    page("datatables", Ink((0, 120, 1920, 1080), 89_749), npm=("datatables.net-dt@3.1.2", "jquery@4.0.0")),
    page("fullcalendar", Ink(WHOLE, 87_830), npm=("fullcalendar@6.1.20",)),
    page(
        "leaflet", Colour("#a8d0e6", 880_271), Colour("#d9534f", 38_568), Ink(WHOLE, 1_193_164), npm=("leaflet@1.9.4",)
    ),
    page(
        "maplibre",
        Colour("#a8d0e6", 882_070),
        Colour("#d9534f", 38_664),
        Ink(WHOLE, 1_188_795),
        npm=("maplibre-gl@6.17.0",),
    ),
    page(
        "openlayers", Colour("#a8d0e6", 885_623), Colour("#d9534f", 38_664), Ink(WHOLE, 1_187_647), npm=("ol@10.11.0",)
    ),
)
