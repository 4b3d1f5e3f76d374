"""A Chromium of our own and the DevTools protocol over its pipe, with nothing in between: as little as can be."""

import asyncio
import fcntl
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

CHUNK = 1 << 20  # bytes, also of the pipes: a picture comes in few turns of the loop
STOP_LIMIT = 5.0  # seconds
AS_PIPE = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'  # Chromium reads descriptor 3 and writes descriptor 4
SWITCHES = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--hide-scrollbars",
    "--mute-audio",
    "--disable-background-networking",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-back-forward-cache",
    "--disable-features=CDPScreenshotNewSurface,Translate,OptimizationHints,MediaRouter",
    "--force-color-profile=srgb",
)
WINDOW = {"width": 1920, "height": 1080, "deviceScaleFactor": 1, "mobile": False}
READY = "document.fonts.ready.then(() => true)"

Listener = Callable[[str, dict[str, Any]], None]


class RefusedError(Exception):
    """Chromium refused a command."""


class DevTools:
    """One Chromium at the other end of a pipe."""

    def __init__(self, reading: int, writing: int) -> None:
        """Begin to listen."""
        self.reading, self.writing = reading, writing
        self.count = 0
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.listeners: dict[str, Listener] = {}  # by session
        self.buffer = bytearray()
        os.set_blocking(reading, False)
        asyncio.get_running_loop().add_reader(reading, self.read)

    def send(self, method: str, session: str = "", **params: Any) -> asyncio.Future[dict[str, Any]]:
        """Send a command; the future brings its result. Commands are short: the pipe takes each of them whole."""
        self.count += 1
        message: dict[str, Any] = {"id": self.count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.waiting[self.count] = answer
        os.write(self.writing, msgspec.json.encode(message) + b"\0")
        return answer

    def read(self) -> None:
        """Take what has come, and hand out every message that is whole."""
        chunk = os.read(self.reading, CHUNK)
        if not chunk:
            self.close()
            return
        searched = len(self.buffer)
        self.buffer += chunk
        while (end := self.buffer.find(b"\0", searched)) >= 0:
            message = msgspec.json.decode(memoryview(self.buffer)[:end])
            del self.buffer[: end + 1]
            searched = 0
            self.take(message)

    def take(self, message: dict[str, Any]) -> None:
        """Hand one message to whom it is for."""
        if "id" in message:
            answer = self.waiting.pop(message["id"])
            if "error" in message:
                answer.set_exception(RefusedError(message["error"]["message"]))
            else:
                answer.set_result(message["result"])
        elif listener := self.listeners.get(message.get("sessionId", "")):
            listener(message["method"], message["params"])

    def close(self) -> None:
        """Stop to listen."""
        asyncio.get_running_loop().remove_reader(self.reading)


@asynccontextmanager
async def chromium(executable: str) -> AsyncIterator[tuple[DevTools, int]]:
    """Run a Chromium with its sandbox until the block ends; gives its pipe and its process id."""
    with tempfile.TemporaryDirectory(prefix="devtools-", ignore_cleanup_errors=True) as home:
        child, reading, writing = start(executable, home)
        devtools = DevTools(reading, writing)
        try:
            await devtools.send("Browser.getVersion")
            yield devtools, child.pid
        finally:
            devtools.close()
            os.close(writing)
            await asyncio.to_thread(end, child)
            os.close(reading)


def start(executable: str, home: str) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start a Chromium; gives it and our two ends of its pipe."""
    theirs, writing = os.pipe()
    reading, theirs_too = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, CHUNK)
    command = ["/bin/sh", "-c", AS_PIPE, "sh", executable, *SWITCHES, f"--user-data-dir={home}/profile"]
    environment = {"HOME": home, "PATH": "/usr/bin:/bin"}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs_too, env=environment, cwd=home)
    os.close(theirs)
    os.close(theirs_too)
    return child, reading, writing


def end(child: subprocess.Popen[bytes]) -> None:
    """Wait for a Chromium whose pipe is closed, which ends it; not for ever."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(STOP_LIMIT)
        return
    child.kill()
    child.wait()


@asynccontextmanager
async def page(devtools: DevTools, url: str, *, created_there: bool = False) -> AsyncIterator[str]:
    """Open a page in a context of its own, up to its load event and its fonts; gives its session.

    Either it begins blank and is sent to its address, as browsers are driven, or it is created there, which saves a
    document and leaves no moment to prepare anything in.
    """
    made = await devtools.send("Target.createBrowserContext", disposeOnDetach=True)
    context = made["browserContextId"]
    try:
        first = url if created_there else "about:blank"
        target = await devtools.send(
            "Target.createTarget", url=first, browserContextId=context, width=WINDOW["width"], height=WINDOW["height"]
        )
        attached = await devtools.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        session: str = attached["sessionId"]
        await (load_created if created_there else load_navigated)(devtools, session, url)
        await devtools.send("Runtime.evaluate", session, expression=READY, awaitPromise=True)
        yield session
        devtools.listeners.pop(session)
    finally:
        await devtools.send("Target.disposeBrowserContext", browserContextId=context)


async def load_navigated(devtools: DevTools, session: str, url: str) -> None:
    """Send a blank page to its address."""
    loaded = asyncio.Event()

    def listen(method: str, _: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            loaded.set()

    devtools.listeners[session] = listen
    await devtools.send("Page.enable", session)  # awaited: sent together with the navigation, the event can be lost
    await devtools.send("Emulation.setDeviceMetricsOverride", session, **WINDOW)
    await devtools.send("Page.navigate", session, url=url)
    await loaded.wait()


async def load_created(devtools: DevTools, session: str, _: str) -> None:
    """Wait for a page that is on its way already; Chromium tells of milestones that were passed before we asked."""
    loaded = asyncio.Event()

    def listen(method: str, params: dict[str, Any]) -> None:
        if method == "Page.lifecycleEvent" and params["name"] == "load":
            loaded.set()

    devtools.listeners[session] = listen
    devtools.send("Emulation.setDeviceMetricsOverride", session, **WINDOW)
    devtools.send("Page.enable", session)
    devtools.send("Page.setLifecycleEventsEnabled", session, enabled=True)
    await loaded.wait()
