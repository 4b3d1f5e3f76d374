"""Applications in one page that are built of a project."""

from ..app import App
from ..checks import WHOLE, Colour, Ink
from ..pages import SERVER, project

_REACT = ("vite@8.3.8", "@vitejs/plugin-react@6.3.0", "react@19.3.1", "react-dom@19.3.1")
_MUI = ("@mui/material@9.5.0", "@mui/x-data-grid@9.17.0", "@emotion/react@11.14.0", "@emotion/styled@11.14.1")
_GRAPHIQL = ("graphiql@3.8.2", "graphql@16.15.0", "react@18.3.1", "react-dom@18.3.1")

PROJECTS: tuple[App, ...] = (
    project(
        "vite-react",
        Colour("#36a269", 41_060),
        Ink(WHOLE, 173_194, share=0.02),
        npm=(*_REACT, "react-router-dom@7.18.6"),
    ),
    project(
        "mui-admin",
        Colour("#ffe0b2", 163_649),
        Colour("#82ca9d", 140_926),
        Colour("#b8b5e8", 178_639, share=0.003),
        Ink((0, 660, 1920, 1080), 22_674),
        npm=(*_REACT, *_MUI, "@tanstack/react-query@5.108.4", "recharts@3.11.1", "react-is@19.3.1"),
    ),
    project(
        "vue-vuetify",
        Colour("#009688", 119_109),
        Colour("#ff9800", 34_790),
        Ink((256, 200, 1920, 1080), 107_157),
        npm=("vite@8.3.8", "@vitejs/plugin-vue@6.0.11", "vue@3.5.45", "vue-router@5.5.1", "vuetify@4.3.0"),
    ),
    project(
        "svelte",
        Colour("#c1121f", 89_820),
        Colour("#fde2b3", 1_140_114),
        npm=("vite@8.3.8", "@sveltejs/vite-plugin-svelte@7.3.1", "svelte@5.57.3"),
    ),
    project(
        "codemirror",
        Ink(WHOLE, 115_414),
        npm=("vite@8.3.8", "codemirror@6.0.2", "@codemirror/lang-javascript@6.2.5"),
        build=("vite", "build", "--target", "esnext"),
    ),
    project(
        "vitepress",
        Ink(WHOLE, 17_756),
        npm=("vitepress@1.6.4", "vue@3.5.45"),
        build=("vitepress", "build"),
        built=".vitepress/dist",
    ),
    App(
        "graphiql",
        (Ink(WHOLE, 26_947),),
        (*SERVER, "{home}"),
        npm=_GRAPHIQL,
        files="projects/graphiql",
        build=(("node", "make.js"),),
    ),
)
