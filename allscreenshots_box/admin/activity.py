"""Who did what to keys and plans, and what was captured of late."""

from litestar import Response, get

from .pages import page


@get("/activity")
async def show() -> Response[str]:
    """Show the section."""
    return page("activity.html", section="activity")


routes = [show]
