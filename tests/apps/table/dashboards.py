"""Dashboards that are written in Python: their pages ask for what they show, often over a WebSocket."""

from ..app import App
from ..checks import Colour, Ink

DASHBOARDS: tuple[App, ...] = (
    App(
        "streamlit",
        (
            Colour("#ff2b2b", 35_500),
            Colour("#83c9ff", 25_500),
            Colour("#e8e5e2", 28_100),
        ),
        (
            "{python}",
            "-m",
            "streamlit",
            "run",
            "{here}/python/streamlit_app.py",
            "--server.port={port}",
            "--server.address=127.0.0.1",
            "--server.headless=true",
            "--browser.gatherUsageStats=false",
        ),
        pip=("streamlit==1.67.0",),
        ready="/_stcore/health",
    ),
    App(
        "dash",
        (Colour("#e5ecf6", 474_700), Colour("#f7b788", 5753, share=0.05), Ink((0, 620, 1920, 1080), 33_053)),
        ("{python}", "{here}/python/dash_app.py", "{port}"),
        pip=("dash==4.4.1", "pandas==2.3.3"),
    ),
)
