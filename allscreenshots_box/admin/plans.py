"""Plans on the page: listed, made and changed."""

from litestar import Response, get

from .pages import page


@get("/plans")
async def show() -> Response[str]:
    """Show the section."""
    return page("plans.html", section="plans")


routes = [show]
