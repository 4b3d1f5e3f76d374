"""Keys on the page: listed, made, renamed, rotated and deleted."""

from litestar import Response, get

from .pages import page


@get("/keys")
async def show() -> Response[str]:
    """Show the section."""
    return page("keys.html", section="keys")


routes = [show]
