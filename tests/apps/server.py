"""Serves pages of ours, the libraries that they load, and data that takes its time: what an intranet's server does."""

import argparse
import asyncio
import json
import mimetypes
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, Request, Response, WebSocket, get, websocket
from litestar.exceptions import NotFoundException, WebSocketDisconnect
from litestar.response import ServerSentEvent

from . import data

HERE = Path(__file__).parent
SEED = 20
TICK = 0.08  # seconds between two messages of a feed at first
LATER = 1.0  # and once all hosts are told

_chance = random.Random(SEED)


@get("/data/{name:str}")
async def rows(name: str, ms: int = 0) -> Response[bytes]:
    """Answer with data, later."""
    await asyncio.sleep(ms / 1000)
    if name not in data.SETS:
        raise NotFoundException
    return Response(json.dumps(data.SETS[name]()).encode(), media_type="application/json")


@get("/part/{name:str}")
async def part(name: str, ms: int = 0) -> Response[bytes | str]:
    """Answer with a file or a piece of a page, later."""
    await asyncio.sleep(ms / 1000)
    if name not in data.PARTS:
        raise NotFoundException
    return Response(data.PARTS[name](), media_type=mimetypes.guess_type(name)[0] or "text/plain")


@get("/tiles/{z:int}/{x:int}/{y:str}")
async def tile(z: int, x: int, y: str) -> Response[bytes]:
    """Answer with a picture of a map, as soon as a busy server of tiles would."""
    await asyncio.sleep(_chance.uniform(0.05, 0.4))
    return Response(data.tile(z, x, int(y.removesuffix(".png"))), media_type="image/png")


@websocket("/feed")
async def feed(socket: WebSocket[Any, Any, Any]) -> None:
    """Tell a dashboard what it shows: first all of it, and then a little again and again."""
    await socket.accept()
    try:
        for number, message in enumerate(data.feed()):
            await socket.send_json(message)
            await asyncio.sleep(TICK if number < data.HOSTS else LATER)
    except WebSocketDisconnect:
        return


@get("/events")
async def events() -> ServerSentEvent:
    """Tell the same as events."""

    async def told() -> AsyncIterator[str]:
        for number, message in enumerate(data.feed()):
            yield json.dumps(message)
            await asyncio.sleep(TICK if number < data.HOSTS else LATER)

    return ServerSentEvent(told())


@get(["/", "/{path:path}"])
async def file(request: Request[Any, Any, Any], path: str = "/") -> Response[bytes]:
    """Answer with a file of the first folder that has it; a path without a dot is the application's own business."""
    folders: list[Path] = request.app.state.folders
    for name in (path, "/index.html") if "." not in path.rpartition("/")[2] else (path,):
        for folder in folders:
            found = folder / name.lstrip("/")
            if found.is_dir():
                found /= "index.html"
            if found.is_file():
                kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
                return Response(found.read_bytes(), media_type="text/javascript" if found.suffix == ".mjs" else kind)
    raise NotFoundException


async def serve(folders: list[Path], port: int) -> None:
    """Answer until SIGTERM or SIGINT."""
    app = Litestar([rows, part, tile, feed, events, file], openapi_config=None)
    app.state.folders = folders
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("folders", type=Path, nargs="+", help="where files are, the first before the others")
    options = parser.parse_args()
    asyncio.run(serve(options.folders, options.port))


if __name__ == "__main__":
    main()
