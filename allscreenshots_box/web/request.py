"""A request whose body is read by our own rules."""

from typing import Any

from litestar import Request

from .. import validation
from .context import context_of


class BoxRequest(Request[Any, Any, Any]):
    """A request whose JSON body becomes the type that its handler declares, or a list of all its problems."""

    async def json(self) -> Any:
        """Return the body as the handler's type. Raises InvalidRequest."""
        declared = self.route_handler.parsed_data_field
        data, ignored = validation.read(declared.annotation if declared else validation.WireModel, await self.body())
        context_of(self.scope).ignored = ignored
        return data
