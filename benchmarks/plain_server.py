"""A plain Playwright screenshot server, as people write it: what the box is measured against."""

import argparse
import asyncio
import os
import signal
import tempfile
from dataclasses import dataclass

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, Response, get, post
from litestar.datastructures import State
from litestar.params import JSONBody
from playwright.async_api import Browser, async_playwright

from benchmarks.stage import USER, become


@dataclass
class Order:
    """The page to take, spelled as on the box's wire."""

    url: str
    fullPage: bool = False  # noqa: N815 - the wire's name


@get("/health", sync_to_thread=False)
def health() -> str:
    """Say that the server is up."""
    return "ok"


@post("/screenshot", status_code=200)
async def screenshot(data: JSONBody[Order], state: State) -> Response[bytes]:
    """Take one picture in a context of its own."""
    browser: Browser = state.browser
    context = await browser.new_context(viewport={"width": 1920, "height": 1080})
    try:
        page = await context.new_page()
        await page.goto(data.url)
        return Response(await page.screenshot(full_page=data.fullPage), media_type="image/png")
    finally:
        await context.close()


async def serve(executable: str, port: int) -> None:
    """Launch the browser once, and answer until SIGTERM or SIGINT."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, chromium_sandbox=True)
        app = Litestar([health, screenshot], state=State({"browser": browser}), openapi_config=None)
        server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        await server.serve()
        await browser.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", required=True, metavar="PATH", help="the Chromium to launch")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--user", default=USER, help="whom to become when started as root")
    options = parser.parse_args()
    if os.geteuid() == 0:
        become(options.user)
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        asyncio.run(serve(options.browser, options.port))


if __name__ == "__main__":
    main()
