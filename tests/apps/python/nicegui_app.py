# mypy: ignore-errors
"""A page of cards whose numbers come over its socket, a table and a chart."""

import asyncio
import sys

from nicegui import ui

ROWS = [{"name": f"Order {number:03}", "total": number * 37 % 101} for number in range(12)]


@ui.page("/")
async def index() -> None:
    with ui.header():
        ui.label("Orders").classes("text-h5")
    with ui.row():
        spinner = ui.spinner(size="lg")
    await ui.context.client.connected()
    await asyncio.sleep(0.5)
    spinner.delete()
    with ui.row().classes("w-full"):
        ui.table(rows=ROWS, columns=[{"name": at, "label": at, "field": at} for at in ("name", "total")])
        ui.echart(
            {
                "xAxis": {"type": "category", "data": [row["name"] for row in ROWS]},
                "yAxis": {},
                "series": [{"type": "bar", "data": [row["total"] for row in ROWS]}],
            }
        ).classes("w-1/2 h-96")
        ui.aggrid({"columnDefs": [{"field": "name"}, {"field": "total"}], "rowData": ROWS}).classes("w-1/4 h-96")


ui.run(host="127.0.0.1", port=int(sys.argv[1]), show=False, reload=False, title="Orders")
