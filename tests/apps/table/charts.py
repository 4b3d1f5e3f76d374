"""Libraries that draw charts, as their first pages tell to use them: animated, and with data that is fetched."""

from ..app import App
from ..checks import Colour
from ..pages import page

CHARTS: tuple[App, ...] = (
    page("echarts", Colour("#5070dd", 342_500), Colour("#b6d634", 1619, share=0.05), npm=("echarts@6.1.0",)),
    page("chartjs", Colour("#9ad0f5", 457_000), Colour("#ff6384", 1938, share=0.05), npm=("chart.js@4.6.1",)),
)
