"""Libraries that draw charts, as their first pages tell to use them: animated, and with data that is fetched."""

from ..app import App
from ..checks import WHOLE, Colour, Ink, Some
from ..pages import page

CHARTS: tuple[App, ...] = (
    page("echarts", Colour("#5070dd", 342_500), Colour("#b6d634", 1619, share=0.05), npm=("echarts@6.1.0",)),
    page("chartjs", Colour("#9ad0f5", 457_000), Colour("#ff6384", 1938, share=0.05), npm=("chart.js@4.6.1",)),
    page("highcharts", Colour("#2caffe", 312_835), Colour("#544fc5", 2426, share=0.05), npm=("highcharts@13.1.1",)),
    page("apexcharts", Colour("#008ffb", 26_100), Ink(WHOLE, 436_118), npm=("apexcharts@5.8.1",)),
    page("d3", Colour("#4682b4", 534_007, share=0.003), npm=("d3@7.9.2",)),
    page("plotly", Colour("#1f77b4", 3011), Ink((900, 0, 1800, 700), 64_127), npm=("plotly.js-dist-min@4.1.2",)),
    page("mermaid", Ink(WHOLE, 66_010), npm=("mermaid@12.3.0",)),
    page("vis-network", Colour("#f4a261", 14_026), npm=("vis-network@10.1.5",)),
    page("cytoscape", Colour("#e76f51", 20_393), Colour("#8d99ae", 13_171), npm=("cytoscape@3.35.0",)),
    page("three", Some("#e59045", 200_000), npm=("three@0.187.0",), moves=True),
    page(
        "socket-dashboard",
        Ink((0, 832, 1700, 900), 1561, share=0.03),
        Some("#f0f0f0", 100_000),
        Some("#5070dd", 100_000),
        npm=("echarts@6.1.0",),
        moves=True,
    ),
    page("event-dashboard", Colour("#198754", 211_999), npm=("bootstrap@5.3.9",), moves=True),
)
