"""Applications in one page that are built of a project."""

from ..app import App
from ..checks import WHOLE, Colour, Ink
from ..pages import project

PROJECTS: tuple[App, ...] = (
    project(
        "vite-react",
        Colour("#36a269", 41_060),
        Ink(WHOLE, 173_194, share=0.02),
        npm=(
            "vite@8.3.8",
            "react@19.3.1",
            "react-dom@19.3.1",
            "react-router-dom@7.18.6",
            "@vitejs/plugin-react@6.3.0",
        ),
    ),
)
