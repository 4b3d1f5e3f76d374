"""What the site answers where no file does: statuses, redirects, waits, pictures, and answers that never end."""

import base64
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from tests.site.pictures import endless_png, solid_png, strip_png

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
OTHER_HOST, ADS_HOST = "127.0.0.22", "127.0.0.33"  # loopback as well, and other sites to a browser
LONGEST_SIDE = 4000  # pixels of a generated image: enough for any page here, and never a memory hog
STRIP_ROWS = 1000  # rows of the pattern in one picture of its page
LIST_ENTRIES = 20_000  # fewer is not believed to be a list of domains
FLOOD_BYTES = 8 << 30
FLOOD_CHUNK = b"more " * (1 << 14)
TICK_SECONDS = 0.1  # between two signs of life of what never ends
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
WEBSOCKET_TICK = b"\x81\x04tick"  # one whole text frame
WEBSOCKET_LONG = b"\x81\x7f"  # the head of one, before eight bytes that say how long it is


@dataclass(frozen=True)
class Visit:
    """What a route may know: the last part of the path, the query, the headers, the site's end, and its origins."""

    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    closing: threading.Event
    origins: Mapping[bytes, str] = field(default_factory=dict)  # by the marks that stand for them


@dataclass(frozen=True)
class Answer:
    """What a route sends back; a body that is an iterator goes out bit by bit, and the connection ends with it."""

    body: bytes | Iterator[bytes] = b""
    type: str = HTML
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def page(title: str, body: str, head: str = "") -> bytes:
    """Give a whole HTML document."""
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>{head}{body}\n".encode()


def say(visit: Visit) -> Answer:
    """Say what the query has as `body`."""
    return Answer(page("said", "<body>" + visit.query["body"], "<style>html { background: rgb(0, 128, 0) }</style>"))


# --- statuses and redirects ---------------------------------------------------------------------


def status(visit: Visit) -> Answer:
    """Answer with any final status, and say which."""
    return Answer(page(visit.name, f"<h1>{visit.name}</h1>"), status=final_status(visit.name))


def empty_status(visit: Visit) -> Answer:
    """Answer with any final status and not one byte."""
    return Answer(status=final_status(visit.name))


def final_status(text: str) -> int:
    """Read a status; a 1xx would leave the client waiting for the real one."""
    return int(text) if re.fullmatch(r"[2-5]\d\d", text) else 400


def redirect(visit: Visit) -> Answer:
    """Send the visitor on with a Location header."""
    location = visit.query["to"].replace("\r", "").replace("\n", "")
    return Answer(status=302, headers={"Location": location})


def redirect_loop(visit: Visit) -> Answer:
    """Send the visitor on for ever, to an address that is new each time."""
    return Answer(status=302, headers={"Location": f"/redirect-loop?n={number(visit) + 1}"})


def meta_redirect(visit: Visit) -> Answer:
    """Send the visitor on with a meta refresh."""
    return Answer(page("meta", "", f'<meta http-equiv=refresh content="0; url={escape(visit.query["to"])}">'))


def meta_loop(visit: Visit) -> Answer:
    """Send the visitor on for ever with a meta refresh."""
    head = f'<meta http-equiv=refresh content="0; url=/meta-loop?n={number(visit) + 1}">'
    return Answer(page("meta", f"<h1>Turn {number(visit)}</h1>", head))


def js_redirect(visit: Visit) -> Answer:
    """Send the visitor on with a script."""
    target = json.dumps(visit.query["to"]).replace("<", "\\u003c")
    return Answer(page("script", f"<script>location.replace({target})</script>"))


def number(visit: Visit) -> int:
    """Say how often the visitor has been sent on."""
    return int(visit.query.get("n", "0"))


# --- answers that are late, odd or endless ------------------------------------------------------


def hang(visit: Visit) -> Answer | None:
    """Accept, and never answer while the site is open."""
    visit.closing.wait()
    return None


def slow(visit: Visit) -> Answer | None:
    """Answer after `ms` milliseconds."""
    wait = float(visit.query.get("ms", "1000")) / 1000
    return None if visit.closing.wait(wait) else Answer(page("slow", "<p>At last.</p>"))


def slow_image(visit: Visit) -> Answer | None:
    """Paint like `image`, after `ms` milliseconds."""
    wait = float(visit.query.get("ms", "1000")) / 1000
    return None if visit.closing.wait(wait) else image(visit)


def drip(visit: Visit) -> Answer:
    """Send a page paragraph by paragraph: `parts` of them, or without end."""
    parts = int(visit.query.get("parts", "0"))

    def paragraphs() -> Iterator[bytes]:
        yield page("drip", "", "<style>html { background: rgb(0, 128, 0) } p { margin: 0 }</style>")
        sent = 0
        while not visit.closing.wait(TICK_SECONDS) and (sent < parts or not parts):
            sent += 1
            yield f"<p>Drop {sent}\n".encode()
        yield b"<p id=last>The last drop\n"

    return Answer(paragraphs())


def flood(visit: Visit) -> Answer:
    """Send 8 GB, as fast as they are taken; `type` says what they claim to be."""

    kind = visit.query.get("type", HTML)

    def water() -> Iterator[bytes]:
        yield endless_png() if kind == "image/png" else b"<!doctype html><title>flood</title><!--"
        for _ in range(FLOOD_BYTES // len(FLOOD_CHUNK)):
            if visit.closing.is_set():
                return
            yield FLOOD_CHUNK

    return Answer(water(), kind, headers={"Content-Length": str(FLOOD_BYTES)})


def websocket(visit: Visit) -> Answer:
    """Open a WebSocket, and say something on it for ever, after `count` messages of `size` bytes."""

    def ticks() -> Iterator[bytes]:
        size = int(visit.query.get("size", "0"))
        for _ in range(int(visit.query.get("count", "0"))):
            yield WEBSOCKET_LONG + size.to_bytes(8) + b"x" * size
        while not visit.closing.wait(TICK_SECONDS):
            yield WEBSOCKET_TICK

    return Answer(ticks(), status=101, headers=websocket_headers(visit))


def websocket_headers(visit: Visit) -> dict[str, str]:
    """Give the headers that open a WebSocket."""
    digest = hashlib.sha1((visit.headers["sec-websocket-key"] + WEBSOCKET_GUID).encode(), usedforsecurity=False)
    accept = base64.b64encode(digest.digest()).decode()
    return {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}


def download(_: Visit) -> Answer:
    """Offer a file to be saved instead of a page."""
    disposition = 'attachment; filename="file.bin"'
    return Answer(b"\0" * 1024, "application/octet-stream", headers={"Content-Disposition": disposition})


def no_content(_: Visit) -> Answer:
    """Answer that there is nothing to show."""
    return Answer(status=204)


def level_list(visit: Visit) -> Answer:
    """Give a list of domains, as long as a real one, with the host of the advertisers in it."""
    if not visit.name.endswith(".txt"):
        return Answer(status=404)
    return Answer("\n".join([*(f"host{number}.invalid" for number in range(LIST_ENTRIES)), ADS_HOST]).encode(), TEXT)


# --- what the visitor brought -------------------------------------------------------------------


def cookie(visit: Visit) -> Answer:
    """Set a cookie; green for a visitor without one, red for a visitor who brings it back."""
    colour = "rgb(255, 0, 0)" if "visited=" in visit.headers.get("cookie", "") else "rgb(0, 128, 0)"
    style = f"<style>html {{ background: {colour} }}</style>"
    return Answer(page("cookie", "<body>", style), headers={"Set-Cookie": "visited=yes; Path=/"})


def keepsake(_: Visit) -> Answer:
    """Answer something new each time, to be kept for an hour: who has the same has it from a cache."""
    headers = {"Cache-Control": "max-age=3600", "ETag": f'"{secrets.token_hex(8)}"'}
    return Answer(secrets.token_hex(8).encode(), TEXT, headers=headers)


def echo(visit: Visit) -> Answer:
    """Show the visitor's own headers."""
    return Answer(json.dumps(dict(visit.headers), indent=2).encode(), TEXT)


# --- pictures -----------------------------------------------------------------------------------


def image(visit: Visit) -> Answer:
    """Paint `size` (width x height) in one `color` (rrggbb), as a PNG."""
    red, green, blue = bytes.fromhex(visit.query.get("color", "808080"))
    width, _, height = visit.query.get("size", "100x100").partition("x")
    return Answer(solid_png((red, green, blue), side(width), side(height)), "image/png")


def side(text: str) -> int:
    """Read a length in pixels, within bounds."""
    return min(max(int(text), 1), LONGEST_SIDE)


def strip(visit: Visit) -> Answer:
    """Paint `rows` rows of the pattern from number `first` on."""
    return Answer(strip_png(int(visit.query["first"]), side(visit.query["rows"])), "image/png")


def pattern(visit: Visit) -> Answer:
    """Show a page of `height` CSS pixels whose every row, at `scale` rows a pixel, has a colour of its own."""
    height, scale = int(visit.query["height"]), int(visit.query.get("scale", "1"))
    strips = []
    for top in range(0, height, STRIP_ROWS):
        tall = min(STRIP_ROWS, height - top)
        source = f"/strip?first={top * scale}&amp;rows={tall * scale}"
        strips.append(f'<img src="{source}" style="height: {tall}px" decoding=sync alt="">')
    style = "body { margin: 0 } img { display: block; width: 100%; image-rendering: pixelated }"
    comment = "<!-- The page that shows a row repeated, missing or blurred. -->"
    return Answer(page("pattern", comment + "".join(strips), f"<style>{style}</style>"))


Route = Callable[[Visit], Answer | None]
ROUTES: dict[str, Route] = {
    "/say": say,
    "/status/": status,
    "/status-empty/": empty_status,
    "/redirect": redirect,
    "/redirect-loop": redirect_loop,
    "/meta-redirect": meta_redirect,
    "/meta-loop": meta_loop,
    "/js-redirect": js_redirect,
    "/hang": hang,
    "/slow": slow,
    "/slow-image": slow_image,
    "/drip": drip,
    "/flood": flood,
    "/websocket": websocket,
    "/download": download,
    "/no-content": no_content,
    "/lists/": level_list,
    "/cookie": cookie,
    "/keepsake": keepsake,
    "/echo": echo,
    "/image": image,
    "/strip": strip,
    "/pattern": pattern,
}


def find(path: str, routes: Mapping[str, Route] = ROUTES) -> Route | None:
    """Find the route of a path: the path itself, or the folder that it lies in."""
    return routes.get(path) or routes.get(path[: path.rfind("/") + 1])
