"""The ceiling: what Chromium itself gives when a raw DevTools loop asks for as little as possible.

A fresh context and a page for every shot, the load event, the fonts, the picture; behind the plainest HTTP server, so
that its clients pay what every other server's clients pay. Nothing that a service needs: no key, no guard, no limit.
"""

import argparse
import asyncio
import base64
import os
import signal
from dataclasses import dataclass
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, Response, get, post
from litestar.datastructures import State
from litestar.params import JSONBody

from benchmarks.devtools import DevTools, chromium, page
from benchmarks.stage import HEADLESS_SHELL, USER, become


@dataclass
class Order:
    """The page to take, spelled as on the box's wire."""

    url: str
    fullPage: bool = False  # noqa: N815 - the wire's name


@dataclass(frozen=True)
class Manner:
    """How every shot is taken."""

    created_there: bool
    fast: bool


@get("/health", sync_to_thread=False)
def health() -> str:
    """Say that the server is up."""
    return "ok"


@post("/screenshot", status_code=200)
async def screenshot(data: JSONBody[Order], state: State) -> Response[bytes]:
    """Take one picture in a context of its own."""
    devtools: DevTools = state.devtools
    manner: Manner = state.manner
    async with page(devtools, data.url, created_there=manner.created_there) as session:
        clip = await whole(devtools, session) if data.fullPage else {}
        answer = await devtools.send(
            "Page.captureScreenshot", session, format="png", optimizeForSpeed=manner.fast, **clip
        )
    return Response(base64.b64decode(answer["data"]), media_type="image/png")


async def whole(devtools: DevTools, session: str) -> dict[str, Any]:
    """Say that the picture is of all of the page, as it is: nothing is scrolled, nothing woken."""
    sizes = await devtools.send("Page.getLayoutMetrics", session)
    return {"clip": {"x": 0, "y": 0, "scale": 1} | sizes["cssContentSize"], "captureBeyondViewport": True}


async def serve(executable: str, port: int, manner: Manner) -> None:
    """Start the browser once, and answer until SIGTERM or SIGINT."""
    async with chromium(executable) as (devtools, _):
        state = State({"devtools": devtools, "manner": manner})
        app = Litestar([health, screenshot], state=state, openapi_config=None)
        server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        await server.serve()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default=HEADLESS_SHELL, metavar="PATH", help="the Chromium to start")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--user", default=USER, help="whom to become when started as root")
    parser.add_argument("--created-there", action="store_true", help="create the page on its address, not blank")
    parser.add_argument("--small", action="store_true", help="small PNGs instead of fast ones")
    options = parser.parse_args()
    if os.geteuid() == 0:
        become(options.user)
    uvloop.run(serve(options.browser, options.port, Manner(options.created_there, not options.small)))


if __name__ == "__main__":
    main()
