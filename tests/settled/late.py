"""What the pages ask their server for: answers that are late, come in parts, or never end."""

import io
from collections.abc import Iterator

from PIL import Image

from tests.settled.squares import square_font
from tests.site.routes import TEXT, Answer, Route, Visit, websocket_headers

SHARED = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
FRAME_MS = 80  # of an animated picture


def after(visit: Visit) -> Answer | None:
    """Answer with `body`, of a `type` and with a `status`, after `ms` milliseconds."""
    if pause(visit):
        return None
    query = visit.query
    status = int(query.get("status", "200"))
    return Answer(query.get("body", "{}").encode(), query.get("type", TEXT), status, SHARED)


def font(visit: Visit) -> Answer | None:
    """Answer with the font of squares, after `ms` milliseconds."""
    return None if pause(visit) else Answer(square_font(), "font/ttf", headers=SHARED)


def stream(visit: Visit) -> Answer:
    """Send `parts` lines, each `ms` milliseconds after the one before; for ever without a number."""

    def lines() -> Iterator[bytes]:
        yield from (f"{number}\n".encode() for number in paced(visit))

    return Answer(lines(), TEXT, headers=SHARED)


def events(visit: Visit) -> Answer:
    """Send events as `stream` sends lines, and stay open."""

    def told() -> Iterator[bytes]:
        yield from (f"data: {number}\n\n".encode() for number in paced(visit))
        visit.closing.wait()

    return Answer(told(), "text/event-stream", headers=SHARED)


def messages(visit: Visit) -> Answer:
    """Send messages on a WebSocket as `stream` sends lines, and stay open."""

    def told() -> Iterator[bytes]:
        for number in paced(visit):
            text = str(number).encode()
            yield b"\x81" + bytes([len(text)]) + text
        visit.closing.wait()

    return Answer(told(), status=101, headers=websocket_headers(visit))


def paced(visit: Visit) -> Iterator[int]:
    """Count up to `parts` or for ever, with a pause before each number."""
    number, parts = 0, int(visit.query.get("parts", "0"))
    while (number < parts or not parts) and not pause(visit):
        number += 1
        yield number


def pause(visit: Visit) -> bool:
    """Wait `ms` milliseconds; say whether the site ended meanwhile."""
    return visit.closing.wait(float(visit.query.get("ms", "0")) / 1000)


def gif(_: Visit) -> Answer:
    """Give an animated picture that is green at its left for ever, and blinks at its right."""
    frames = [Image.new("RGB", (400, 300), (0, 128, 0)) for _ in range(2)]
    frames[1].paste((0, 0, 255), (200, 0, 400, 300))
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)
    return Answer(file.getvalue(), "image/gif")


LATE: dict[str, Route] = {
    "/after": after,
    "/font": font,
    "/stream": stream,
    "/events": events,
    "/messages": messages,
    "/gif": gif,
}
