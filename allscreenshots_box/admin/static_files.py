"""The style, the script and the icon of the page: all that it loads, and all of it ours."""

from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath

from ..errors import NotFound
from .authentication import OPEN
from .templating import HEADERS

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES = {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in (Path(__file__).parent / "static").iterdir()}


@get("/static/{name:str}", opt=OPEN)
async def file(name: FromPath[str]) -> Response[bytes]:
    """Return one of the files that come with the page. Their addresses change with the version."""
    if name not in _FILES:
        raise NotFound("There is no such file.")
    content, kind = _FILES[name]
    return Response(content, headers=HEADERS | {"Content-Type": kind, "Cache-Control": "max-age=86400"})


routes = [file]
