"""A shot tried on the page: with its options, its picture, and the lines that would do the same."""

from litestar import Response, get

from .pages import page


@get("/playground")
async def show() -> Response[str]:
    """Show the section."""
    return page("playground.html", section="playground")


routes = [show]
