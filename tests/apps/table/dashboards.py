"""Dashboards that are written in Python: their pages ask for what they show, often over a WebSocket."""

from ..app import App
from ..checks import WHOLE, Colour, Ink

_STREAMLIT = ("{python}", "-m", "streamlit", "run", "{here}/python/streamlit_app.py", "--server.port={port}")
_STREAMLIT_OPTIONS = ("--server.address=127.0.0.1", "--server.headless=true", "--browser.gatherUsageStats=false")
_PANEL = ("{python}", "-m", "panel", "serve", "{here}/python/panel_app.py", "--port={port}", "--address=127.0.0.1")
_VOILA = ("{python}", "-m", "voila", "stock.ipynb", "--no-browser", "--port={port}", "--Voila.ip=127.0.0.1")
_JUPYTER = ("{python}", "-m", "jupyterlab", "--no-browser", "--port={port}", "--ip=127.0.0.1", "--allow-root")
_JUPYTER_OPTIONS = ("--IdentityProvider.token=", "--ServerApp.password=")

DASHBOARDS: tuple[App, ...] = (
    App(
        "streamlit",
        (Colour("#ff2b2b", 35_500), Colour("#83c9ff", 25_500), Colour("#e8e5e2", 28_100)),
        _STREAMLIT + _STREAMLIT_OPTIONS,
        pip=("streamlit==1.67.0",),
        ready="/_stcore/health",
    ),
    App(
        "dash",
        (Colour("#e5ecf6", 474_700), Colour("#f7b788", 5753, share=0.05), Ink((0, 620, 1920, 1080), 33_053)),
        ("{python}", "{here}/python/dash_app.py", "{port}"),
        pip=("dash==4.4.1", "pandas==2.3.3"),
    ),
    App(
        "panel",
        (Colour("#1f77b4", 51_657), Ink((1000, 100, 1920, 800), 55_033)),
        (*_PANEL, "--allow-websocket-origin=*"),
        path="/panel_app",
        pip=("panel==1.9.4", "pandas==2.3.3"),
    ),
    App(
        "gradio",
        (Ink(WHOLE, 47_799),),
        ("{python}", "{here}/python/gradio_app.py", "{port}"),
        pip=("gradio==6.31.0",),
        environment={"GRADIO_ANALYTICS_ENABLED": "False"},
    ),
    App(
        "nicegui",
        (Colour("#5898d4", 122_373), Colour("#5070dd", 49_800), Ink(WHOLE, 196_845)),
        ("{python}", "{here}/python/nicegui_app.py", "{port}"),
        pip=("nicegui==3.18.0",),
    ),
    App(
        "voila",
        (Colour("#b7e4c7", 33_668), Ink(WHOLE, 44_444)),
        _VOILA,
        pip=("voila==0.5.13", "ipywidgets==8.1.7", "ipykernel==7.4.0"),
        files="projects/voila",
    ),
    App(
        "jupyterlab",
        (Colour("#b7e4c7", 20_306), Ink((290, 60, 1880, 700), 42_527)),
        _JUPYTER + _JUPYTER_OPTIONS,
        path="/lab/tree/stock.ipynb?reset",
        ready="/api",
        pip=("jupyterlab==4.6.6", "ipykernel==7.4.0"),
        files="projects/jupyterlab",
    ),
)
