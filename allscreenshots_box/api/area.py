"""What is below /v1: nothing without a key, and a token of its bucket for each request."""

from collections.abc import Sequence
from typing import Any

from litestar import Request
from litestar.types import Scope

from ..errors import BoxError
from ..hosts import Network
from ..keys.authentication import AuthenticatedRequest, Authenticator, Limited
from ..keys.plans import Kind
from ..keys.store import KeySecret
from ..web.areas import LARGEST_BODY, Side
from ..web.context import RequestContext

ROOT = "/v1"

_COSTS_A_SCREENSHOT = {("POST", f"{ROOT}/screenshots")}


class ApiArea:
    """Lets in who has a key."""

    root = ROOT
    side: Side | None = None
    largest_body = LARGEST_BODY

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def admit(self, scope: Scope, context: RequestContext, _trusted: Sequence[Network]) -> bool:
        """Take a token of the key's bucket. Raises Unauthorized, RateLimited and ServiceUnavailable."""
        shot = (scope.get("method"), scope["path"].rstrip("/")) in _COSTS_A_SCREENSHOT
        kind: Kind = "screenshot" if shot else "general"
        try:
            authenticated = await self._authenticator.admit(list(scope["headers"]), context.client, kind)
        except Limited as error:
            _note(context, error.authenticated)
            raise
        _note(context, authenticated)
        return True

    def explain(self, _error: Exception) -> None:
        """Know no failure that is not ours."""
        return

    def refuse(self, _request: Request[Any, Any, Any], error: BoxError, context: RequestContext) -> None:
        """Give back the token of what the box did not serve."""
        if context.authenticated is not None and error.is_free(loaded=context.loaded):
            bounded = not error.blames_box
            context.bucket_state = self._authenticator.give_back(context.authenticated, bounded=bounded)


def _note(context: RequestContext, authenticated: AuthenticatedRequest) -> None:
    context.authenticated, context.bucket_state = authenticated, authenticated.bucket_state
    context.wants_capture = authenticated.bucket_state.kind == "screenshot"


def key_of(context: RequestContext) -> KeySecret:
    """Return the key of a request that was let in."""
    assert context.authenticated is not None  # noqa: S101 - no handler below /v1 is come to without
    return context.authenticated.key
