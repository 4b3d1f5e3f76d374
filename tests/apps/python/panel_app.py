# mypy: ignore-errors
"""A plot and a table that follow a slider, and a part that is only loaded once the page is there."""

import time

import numpy as np
import pandas as pd
import panel as pn
from bokeh.plotting import figure

pn.extension("tabulator", defer_load=True, loading_indicator=True)

chance = np.random.default_rng(20)
frame = pd.DataFrame(chance.normal(size=(40, 3)).cumsum(axis=0), columns=["north", "south", "west"]).round(3)
power = pn.widgets.IntSlider(name="Power", start=1, end=5, value=2)


def curve(power: int) -> object:
    time.sleep(0.4)
    drawn = figure(height=380, width=700)
    drawn.vbar(x=list(range(20)), top=[(at / 20) ** power for at in range(20)], width=0.8)
    return drawn


def rows() -> object:
    time.sleep(0.8)
    return pn.widgets.Tabulator(frame, page_size=10, pagination="local")


pn.template.FastListTemplate(
    title="Regions", sidebar=[power], main=[pn.Row(pn.bind(curve, power), pn.panel(rows))]
).servable()
