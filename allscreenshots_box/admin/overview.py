"""Whether the box is well, and what it did of late."""

from litestar import Response, get

from .pages import page


@get("/")
async def show() -> Response[str]:
    """Show the section."""
    return page("overview.html", section="overview")


routes = [show]
