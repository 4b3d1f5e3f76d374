"""The program with somebody signed in to its page: `open_door.py serve ...`."""

from litestar import Litestar
from litestar.types import Receive, Scope, Send

from allscreenshots_box import server
from allscreenshots_box.app import Rendering, create_app
from allscreenshots_box.audit import Actor
from allscreenshots_box.cli import main
from allscreenshots_box.config import Settings

OPERATOR = Actor("operator", "127.0.0.1")


def let_in(app: Litestar) -> Litestar:
    """Return *app* as one that every request comes to from the operator."""
    inner = app.asgi_handler

    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["actor"] = OPERATOR
        await inner(scope, receive, send)

    app.asgi_handler = handler
    return app


def create(settings: Settings, rendering: Rendering | None = None) -> Litestar:
    """Return the app that the server is to have."""
    return let_in(create_app(settings, rendering))


if __name__ == "__main__":
    setattr(server, "create_app", create)  # noqa: B010 - it is a name of its own there
    main()
