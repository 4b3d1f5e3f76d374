"""What a page is still at, as browser and proxy tell and not the page: requests, sockets, frames, drawing."""

import asyncio
import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from .browsers import processes
from .browsers.tab_pool import Tab

BEAT_SECONDS = 0.05  # between two looks
LOOKS = 5  # that the share of a processor is told by: the kernel counts in hundredths of a second
QUIET_SECONDS = 0.5  # without a request: what networkidle means
STILL_SECONDS = 0.05  # after the last answer, for its picture to be decoded and drawn
LONG_SECONDS = 5.0  # in flight; then it is a long poll or a stream, and nobody's idleness waits for it
NO_BODIES = {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0, "maxPostDataSize": 1}  # 0 would be no bound
THUMBNAILS = {"format": "jpeg", "quality": 1, "maxWidth": 16, "maxHeight": 16}
# What never ends, or is drawn nowhere. Streams and sockets are counted by themselves.
PASSED_OVER = {"WebSocket", "Ping", "Media", "Manifest", "Prefetch", "CSPViolationReport", "SignedExchange"}
STREAM = "EventSource"
ASKED_AGAIN = 2  # answers from one address, after which what asks for it is a poll ...
IN_A_ROW = 5  # ... or from one path, for other queries or bodies, never two at the same time
POLLS = {"Fetch", "XHR", "Script"}  # what scripts ask with; pictures may all come from one path


@dataclass(frozen=True)
class _Request:
    begun: float
    address: str
    path: str
    is_poll: bool  # nothing new is to be expected of it


class Activity:
    """Listens to one tab. Moments are on the event loop's clock."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._loop = asyncio.get_running_loop()
        self._in_flight: dict[str, _Request] = {}
        self._answered: Counter[str] = Counter()  # addresses that were asked for without a body
        self._in_a_row: Counter[str] = Counter()  # paths
        self._paths: Counter[str] = Counter()  # of what is in flight
        self._frames: dict[str, float] = {}  # that load: since when
        self._used: deque[tuple[float, float]] = deque(maxlen=LOOKS)  # when, and the processor time until then
        self._received = 0  # bytes, at the last look
        self._stopped = False
        self._watching = False
        self.began = False  # whether it ever listened
        self.listening = False
        self.sockets: dict[str, float] = {}  # and streams: when each was opened
        self.ended = -math.inf  # when a request was answered
        self.drawn = -math.inf  # when the page drew something new
        self.heard = -math.inf  # when it was last seen that bytes had come
        self.framed = -math.inf  # when a frame had loaded
        self.workers = False  # whether it has some
        self.scripted = False  # whether a script has asked for something

    def listen(self) -> None:
        """Begin, if it has not, and was not told to stop."""
        if self.listening or self._stopped:
            return
        self.began = self.listening = True
        on, send = self._tab.session.on, self._tab.session.send
        on("Network.requestWillBeSent", self._begin)
        on("Network.loadingFinished", self._end)
        on("Network.loadingFailed", self._end)
        on("Network.webSocketCreated", self._open)
        on("Network.webSocketClosed", self._close)
        on("Page.frameStartedLoading", self._load_frame)
        on("Page.frameStoppedLoading", self._forget_frame)
        on("Page.frameDetached", self._forget_frame)
        on("LayerTree.layerTreeDidChange", self._draw)
        send("Network.enable", **NO_BODIES)
        send("LayerTree.enable")

    def stop(self) -> None:
        """Listen no more: sockets bring all that they hear over the pipe."""
        self._stopped = True
        if self.listening:
            self.listening = False
            if self._watching:
                self._tab.session.send("Page.stopScreencast")
            self._tab.session.send("Network.disable")
            self._tab.session.send("LayerTree.disable")

    def watch_frames(self) -> None:
        """Hear of every frame that is shown, too: what other processes and workers draw is told nowhere else."""
        if self.listening and not self._watching:
            self._watching = True
            self._tab.session.on("Page.screencastFrame", self._show)
            self._tab.session.send("Page.startScreencast", **THUMBNAILS)

    # --- what comes ---------------------------------------------------------------------------

    def _begin(self, event: dict[str, Any]) -> None:
        request, kind, number = event["request"], event.get("type", ""), event["requestId"]
        if kind == STREAM:
            self.sockets[number] = self._loop.time()
            return
        # Documents have milestones of their own, and their end is not always told; that of a worker's script never
        # is, and the numbers of both have no dot.
        self.workers = self.workers or ("." not in number and kind != "Document")
        if (
            kind in PASSED_OVER
            or kind == "Document"
            or "." not in number
            or request["url"].startswith(("data:", "blob:"))
        ):
            return
        self.scripted = self.scripted or event.get("initiator", {}).get("type") == "script"
        path = request["url"].partition("?")[0]
        is_poll = self._is_poll(kind, request, path)
        self._in_flight[number] = _Request(self._loop.time(), request["url"], path, is_poll)
        self._paths[path] += 1

    def _is_poll(self, kind: str, request: dict[str, Any], path: str) -> bool:
        """Say whether the same was asked again and again, so that nothing new is to be expected of the answer."""
        self._in_a_row[path] = 0 if self._paths[path] else self._in_a_row[path] + 1
        answered = self._answered[request["url"]] if request["method"] == "GET" else 0
        return kind in POLLS and (answered >= ASKED_AGAIN or self._in_a_row[path] > IN_A_ROW)

    def _end(self, event: dict[str, Any]) -> None:
        self.sockets.pop(event["requestId"], None)
        request = self._in_flight.pop(event["requestId"], None)
        if request is None:
            return
        self._answered[request.address] += 1
        self._paths[request.path] -= 1
        if not request.is_poll:
            self.ended = self._loop.time()

    def _open(self, event: dict[str, Any]) -> None:
        self.sockets[event["requestId"]] = self._loop.time()

    def _close(self, event: dict[str, Any]) -> None:
        self.sockets.pop(event["requestId"], None)

    def _load_frame(self, event: dict[str, Any]) -> None:
        if event["frameId"] != self._tab.target:
            self._frames[event["frameId"]] = self._loop.time()

    def _forget_frame(self, event: dict[str, Any]) -> None:
        if self._frames.pop(event["frameId"], None) is not None:
            self.framed = self.ended = self._loop.time()

    def _show(self, event: dict[str, Any]) -> None:
        self.drawn = self._loop.time()
        self._tab.session.send("Page.screencastFrameAck", sessionId=event["sessionId"])

    def _draw(self, _: dict[str, Any]) -> None:
        self.drawn = self._loop.time()

    # --- what is asked ------------------------------------------------------------------------

    def requests(self, youngest: float) -> bool:
        """Say whether a request is in flight that began less than *youngest* seconds ago."""
        since = self._loop.time() - youngest
        return any(one.begun > since and not one.is_poll for one in self._in_flight.values())

    def loads_frames(self, youngest: float) -> bool:
        """Say whether a frame loads that began less than *youngest* seconds ago."""
        since = self._loop.time() - youngest
        return any(begun > since for begun in self._frames.values())

    def asks(self, youngest: float) -> bool:
        """Say whether a connection waits for its first answer to what it asked less than *youngest* seconds ago.

        That is all there is to see of what workers ask for.
        """
        since = self._loop.time() - youngest
        return any(asked > since for asked in self._tab.egress.asking.values())

    def look(self) -> float:
        """Note whether bytes have come since the last look; return the share of a processor that it has had of late."""
        received, now = self._tab.egress.received, self._loop.time()
        if received != self._received:
            self.heard, self._received = now, received
        self._used.append((now, processes.used(self._tab.renderer_pid)))
        (begun, used), spent = self._used[0], self._used[-1][1]
        return (spent - used) / (now - begun) if now > begun else 0.0

    async def be_still(self, seconds: float) -> bool:
        """Wait until what was asked for has come, and was drawn; say whether it did in time."""
        begun = self._loop.time()
        while self.listening and (now := self._loop.time()) < begun + seconds:
            comes = self.requests(seconds) or self.loads_frames(seconds)
            if not comes and now - max(self.ended, begun) >= STILL_SECONDS:
                return True
            await asyncio.sleep(STILL_SECONDS / 2)
        return not self.listening

    async def be_quiet(self, seconds: float) -> bool:
        """Wait until no request was in flight for half a second; say whether that came in time."""
        self.listen()
        end = self._loop.time() + seconds
        since = self._loop.time() - BEAT_SECONDS
        while (now := self._loop.time()) < end and self.listening:
            if self.requests(LONG_SECONDS):
                since = now
            elif now - max(since, self.ended) >= QUIET_SECONDS:
                return True
            await asyncio.sleep(BEAT_SECONDS)
        return False
