# mypy: ignore-errors
"""A chart and a table that callbacks fill."""

import sys
import time

import pandas as pd
import plotly.express as px
from dash import Dash, Input, Output, callback, dash_table, dcc, html

FRAME = px.data.gapminder()

app = Dash()
app.layout = [
    html.H1("Countries"),
    dcc.Dropdown(sorted(FRAME.continent.unique()), "Asia", id="continent"),
    dcc.Loading(dcc.Graph(id="graph")),
    dcc.Loading(dash_table.DataTable(id="table", page_size=10)),
]


@callback(Output("graph", "figure"), Input("continent", "value"))
def draw(continent: str) -> object:
    time.sleep(0.4)
    rows = FRAME[(FRAME.continent == continent) & (FRAME.year == 2007)]
    return px.scatter(rows, x="gdpPercap", y="lifeExp", size="pop", color="country", log_x=True, size_max=60)


@callback(Output("table", "data"), Input("continent", "value"))
def fill(continent: str) -> list[dict[str, object]]:
    time.sleep(0.7)
    return FRAME[FRAME.continent == continent].round(1).to_dict("records")


if __name__ == "__main__":
    pd.options.mode.copy_on_write = True
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
