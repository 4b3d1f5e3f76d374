"""Applications that are a page of ours with a library of others, or files that were built, on our own server."""

from .app import App, Check

SERVER = ("{ours}", "-m", "tests.apps.server", "--port", "{port}")


def page(name: str, *checks: Check, npm: tuple[str, ...], path: str = "", moves: bool = False) -> App:
    """Return the application that is a page of ours of the same name, and its packages."""
    folders = ("{here}/pages", "{home}/node_modules")
    return App(name, checks, (*SERVER, *folders), path=path or f"/{name}.html", npm=npm, moves=moves)


def project(
    name: str,
    *checks: Check,
    npm: tuple[str, ...],
    build: tuple[str, ...] = ("vite", "build"),
    built: str = "dist",
    path: str = "/",
) -> App:
    """Return the application that is built of a folder of ours of the same name."""
    command = (*SERVER, f"{{home}}/{built}")
    return App(name, checks, command, path=path, npm=npm, files=f"projects/{name}", build=(build,))
