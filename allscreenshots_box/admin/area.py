"""What is below /admin: for operators who are signed in, and a page says what failed."""

from collections.abc import Sequence
from pathlib import Path
from sqlite3 import DatabaseError
from typing import Any

from litestar import Request, Response
from litestar.types import Scope

from ..errors import BoxError, ServiceUnavailable
from ..hosts import Network
from ..storage import database
from ..web.areas import Side
from ..web.context import RequestContext
from .authentication import AdminAuthentication
from .error_page import refusal
from .forms import LARGEST_FORM
from .path_prefix import ROOT

BUSY_SECONDS = 2  # until somebody who found the database busy may try again


class AdminArea:
    """Lets in who is signed in, and everybody to where that is done."""

    root = ROOT
    largest_body = LARGEST_FORM

    def __init__(self, authentication: AdminAuthentication, side: Side | None, database_path: Path) -> None:
        self.side = side
        self._authentication = authentication
        self._database_path = database_path

    async def admit(self, scope: Scope, context: RequestContext, trusted: Sequence[Network]) -> bool:
        """Leave who makes the request in its state. Raises NotSignedIn or CrossSite."""
        await self._authentication.admit(scope, context.client, context.peer, trusted)
        return scope["state"].get("session") is not None

    def explain(self, error: Exception) -> BoxError | None:
        """Say what is the matter with the database, if it is that."""
        if not isinstance(error, DatabaseError):
            return None
        return ServiceUnavailable(database.trouble(error, self._database_path), BUSY_SECONDS)

    def refuse(self, request: Request[Any, Any, Any], error: BoxError, context: RequestContext) -> Response[Any] | None:
        """Show what failed, unless a script asks."""
        return refusal(request, error, context.id)
