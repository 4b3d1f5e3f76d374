# mypy: ignore-errors
"""A form, a plot and a table that are filled as soon as somebody comes."""

import sys
import time

import gradio as gr
import pandas as pd

FRAME = pd.DataFrame({"month": list(range(1, 13)), "sold": [60 + 35 * (at % 4) for at in range(12)]})


def fill() -> tuple[object, object]:
    time.sleep(0.5)
    return FRAME, FRAME


with gr.Blocks(title="Sales", analytics_enabled=False) as demo:
    gr.Markdown("# Sales")
    with gr.Row():
        name = gr.Textbox(label="Region", value="North")
        gr.Slider(1, 12, value=6, label="Months")
    with gr.Row():
        plot = gr.BarPlot(x="month", y="sold", height=350)
        table = gr.Dataframe(headers=["month", "sold"])
    demo.load(fill, outputs=[plot, table])

demo.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), share=False)
