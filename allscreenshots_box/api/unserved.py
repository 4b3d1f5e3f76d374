"""Paths below /v1 that this version has nothing for: operations of the AllScreenshots API, or nothing at all."""

import re

from litestar import HttpMethod, route
from litestar.params import FromPath

from ..errors import BoxError, NotFound, NotImplementedHere

# Below /v1, by its beginning; the last is in no contract, and one client asks for it.
_OPERATIONS = re.compile(
    r"/(?:screenshots/(?:async|jobs|captures|submissions|bulk|compose)|crawls|schedules|webhooks)(?:/|$)"
)


def absence(path: str) -> BoxError:
    """Return what a request for *path*, which begins after /v1, is to hear."""
    if _OPERATIONS.match(path):
        return NotImplementedHere(
            "This version of the box does not have this operation; /schema/openapi.json lists what it has."
        )
    return NotFound("There is nothing here; /schema/openapi.json lists what there is.")


@route("/{path:path}", http_method=list(HttpMethod), include_in_schema=False, status_code=404)
async def nothing(path: FromPath[str]) -> None:  # not repeated: some people put secrets there
    """Answer for every path under /v1 that is nothing else: behind authentication, like all of them."""
    raise absence(path)


routes = [nothing]
