"""A finished page as an image: its window, one element, or all of it in sections."""

import asyncio
import functools
import struct
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import msgspec

from ...errors import PageTooLarge, SelectorNotFound
from .. import scripts
from ..page import Page
from ..shot import ImageFormat, Picture, Product

LARGEST_TILE = 16_000  # device pixels of height; past 16,384 Chromium repeats or blanks what it draws
LARGEST_SIDES = {"png": 1_000_000, "jpeg": 65_500, "webp": 16_383}  # what the formats can hold
LARGEST_WIDTH = 16_384  # device pixels; tiles are as wide as their picture
BYTES_PER_PIXEL = 3
FARTHEST = 1e15  # CSS pixels that are believed; where layout ends, at 33 million, transforms go on
LARGEST_PIXEL = 6  # characters of base64, of a pixel with transparency that no format makes smaller
LARGEST_FRAME = 1 << 20  # characters around the pixels: of a small picture, nearly all
STILL_SECONDS = 5.0  # for all the images of a page that is drawn in one piece
MOST_ELEMENTS = 10_000  # looked at one by one
NEAR_SECONDS = 5.0  # an animation that ends later is left as it is
LOADING_SECONDS = 1.0  # for the images that a section brings into view
ROUND_TRIP_SECONDS = 0.15  # of a section, beside its pause
FAST_COMPRESSION = 1
BLANK_BYTES = 4000  # a picture with more than this, and than this to a pixel, is not blank
BLANK_BYTES_PER_PIXEL = 0.02
BLANK = {(255, 255, 255), (18, 18, 18)}  # what a window shows that nothing has been drawn in, light and dark
SMALL_COMPRESSION = 6

_REGION = scripts.read("region")
_SIZE = scripts.read("page_size")
WATCH = scripts.read("watch_scripts")
_IS_SCROLL_DRIVEN = scripts.read("is_scroll_driven")
_STAND_STILL = scripts.read("stand_still")
PARTS = {"OBSERVE": scripts.read("observe"), "FINISH": scripts.read("finish_animations")}
_GO_TO = scripts.read("go_to_section", **PARTS)
_FREEZE = scripts.read("freeze")
_THAW = scripts.read("thaw")
_WAKE = scripts.read("wake", **PARTS)


@dataclass(frozen=True)
class Encoder:
    """How pictures are made, for all of them: *small* PNGs cost more time; *memory* bounds a stitched one."""

    small: bool
    memory: int  # bytes


@dataclass(frozen=True)
class _Tile:
    """A strip of the picture: *top* and *height* are the device pixels of the image that count."""

    image: bytes
    top: int
    height: int


_Side = Annotated[float, msgspec.Meta(ge=0, le=FARTHEST)]
_Place = Annotated[float, msgspec.Meta(ge=-FARTHEST, le=FARTHEST)]


@dataclass(frozen=True)
class _Region:
    """A part of the document, in CSS pixels."""

    x: _Place
    y: _Place
    width: _Side
    height: _Side


class _Size(TypedDict):
    """What _SIZE returns: of the whole page, and the height of its window."""

    width: _Side
    height: _Side
    window: Annotated[float, msgspec.Meta(ge=1, le=FARTHEST)]


class _There(TypedDict):
    """What _GO_TO returns."""

    y: _Side
    height: _Side
    late: bool


async def picture(page: Page, wanted: Picture, encoder: Encoder) -> tuple[Product, bool]:
    """Return the picture, and whether it ends before its page does. Raises SelectorNotFound, PageTooLarge."""
    if wanted.selector is not None:
        return await _element(page, wanted, encoder), False
    if wanted.full_page:
        size = await page.run(_SIZE, None, _Size)
        if size["height"] > size["window"] or size["width"] > page.shot.window.width:
            return await _full_page(page, wanted, encoder, size)
    return _product(wanted, await _window(page, wanted, encoder)), False


async def _window(page: Page, wanted: Picture, encoder: Encoder) -> bytes:
    return await _capture(page, _order(wanted.format, wanted.quality, small=encoder.small))


async def _element(page: Page, wanted: Picture, encoder: Encoder) -> Product:
    box = await page.run(_REGION, wanted.selector, _Region | None)
    if box is None:
        raise SelectorNotFound("The element of selector has gone from the page again.")
    if min(box.width, box.height) * page.scale < 1:
        raise SelectorNotFound("The element of selector has no size.")
    return _product(wanted, await _drawn(page, wanted, encoder, box))


async def _full_page(page: Page, wanted: Picture, encoder: Encoder, size: _Size) -> tuple[Product, bool]:
    shot = page.shot
    most = min(shot.max_height or float("inf"), shot.max_sections * size["window"])
    if (region := await _still(page, size, most)) is not None:
        return _product(wanted, await _drawn(page, wanted, encoder, region)), region.height < size["height"]
    if not shot.stitch or await page.run(_IS_SCROLL_DRIVEN, None, bool):
        seconds = min(page.left(), size["height"] / size["window"] * (shot.scroll_interval + ROUND_TRIP_SECONDS))
        wake = {
            "pause": shot.scroll_interval,
            "seconds": seconds,
            "bottom": min(most, size["height"] * 2),
            "near": NEAR_SECONDS,
        }
        late = await page.run(_WAKE, wake, bool)
        if late or not await page.activity.be_still(min(LOADING_SECONDS, page.left())):
            page.miss("images")
        size = await page.run(_SIZE, None, _Size)
        region = _Region(0, 0, size["width"], min(size["height"], most))
        return _product(wanted, await _drawn(page, wanted, encoder, region)), size["height"] > most
    _require_drawable(page, wanted.format, encoder, size["width"], min(size["height"], most))
    tiles, done, height = await _sections(page, wanted, encoder, size, most)
    await page.run(_THAW)
    return _product(wanted, await _joined(tiles, wanted, encoder)), done < height


async def _still(page: Page, size: _Size, most: float) -> _Region | None:
    """Return the part of the page to draw, if it is one that scrolling does nothing to."""
    budget = {"seconds": min(STILL_SECONDS, page.left()), "most": min(most, size["height"]), "elements": MOST_ELEMENTS}
    late = await page.run(_STAND_STILL, budget, bool | None)
    if late is None:
        return None
    if late:
        page.miss("images")
    whole = await page.run(_SIZE, None, _Size)  # pictures without sizes have theirs now
    size |= whole
    return _Region(0, 0, whole["width"], min(whole["height"], most))


async def _sections(
    page: Page, wanted: Picture, encoder: Encoder, size: _Size, most: float
) -> tuple[list[_Tile], float, float]:
    """Take the page window by window, as long as it grows and may; return how far that came, and its height."""
    shot, window = page.shot, size["window"]
    tiles: list[_Tile] = []
    done, height = 0.0, size["height"]
    while done < min(height, most):
        sections_left = max(1.0, (min(height, most) - done) / window)
        pause = min(shot.scroll_interval, max(0.0, page.left() / sections_left - ROUND_TRIP_SECONDS))
        loading = min(LOADING_SECONDS, page.left() / 4)
        order = {"y": done, "pause": pause, "loading": loading, "near": NEAR_SECONDS}
        there: _There = await page.run(_GO_TO, order, _There)
        height = there["height"]
        _require_drawable(page, wanted.format, encoder, size["width"], min(height, most))
        if not await page.activity.be_still(loading) or there["late"]:
            page.miss("images")
        if shot.freeze_fixed:
            last = done + window >= min(height, most)
            await page.run(_FREEZE, {"first": not tiles, "last": last})
        upto = min(done + window, height, most)
        tiles.append(await _section(page, size["width"], there["y"], done, upto))
        done = upto
        if not page.left():
            break
    return tiles, done, height


async def _section(page: Page, width: float, scrolled: float, top: float, bottom: float) -> _Tile:
    """Take the part of the document from *top* to *bottom*, which is in the window if the page lets it be."""
    scale = page.scale
    within = scrolled <= top and bottom <= scrolled + page.shot.window.height
    if within and width <= page.shot.window.width:
        image = await _capture(page, _order("png", 0, small=False))
        return _Tile(image, round((top - scrolled) * scale), round((bottom - top) * scale))
    image = await _clip(page, _Region(0, top, width, bottom - top), _order("png", 0, small=False))
    return _Tile(image, 0, round((bottom - top) * scale))


async def _drawn(page: Page, wanted: Picture, encoder: Encoder, region: _Region) -> bytes:
    """Have the browser draw a part of the document that need not be in the window."""
    _require_drawable(page, wanted.format, encoder, region.width, region.height)
    if region.height * page.scale <= LARGEST_TILE:
        return await _clip(page, region, _order(wanted.format, wanted.quality, small=encoder.small))
    step = LARGEST_TILE // page.scale
    tiles = []
    done = 0.0
    while done < region.height:
        height = min(step, region.height - done)
        part = _Region(region.x, region.y + done, region.width, height)
        image = await _clip(page, part, _order("png", 0, small=False))
        tiles.append(_Tile(image, 0, round(height * page.scale)))
        done += height
    return await _joined(tiles, wanted, encoder)


def _order(kind: ImageFormat, quality: int, *, small: bool) -> dict[str, Any]:
    order: dict[str, Any] = {"format": kind, "optimizeForSpeed": not small}
    return order if kind == "png" else order | {"quality": quality}


async def _clip(page: Page, region: _Region, order: dict[str, Any]) -> bytes:
    clip = {"x": region.x, "y": region.y, "width": region.width, "height": region.height, "scale": 1}
    return await _capture(page, order | {"clip": clip, "captureBeyondViewport": True})


async def _capture(page: Page, order: dict[str, Any]) -> bytes:
    clip, window = order.get("clip"), page.shot.window
    width, height = (clip["width"], clip["height"]) if clip else (window.width, window.height)
    largest = LARGEST_FRAME + round(width * height * page.scale**2) * LARGEST_PIXEL
    return await page.fetch("Page.captureScreenshot", largest, **order)


def _require_drawable(page: Page, kind: ImageFormat, encoder: Encoder, width: float, height: float) -> None:
    """Raise PageTooLarge for what the format or the memory cannot hold."""
    across, down = round(width * page.scale), round(height * page.scale)
    told = f"The picture would be {across} x {down} pixels"
    cure = "ask for less with maxHeight or selector, or for a smaller deviceScaleFactor"
    if max(across, down) > LARGEST_SIDES[kind]:
        other = "png, " if kind == "webp" else ""
        raise PageTooLarge(f"{told}, and a {kind} ends at {LARGEST_SIDES[kind]} a side: take {other}or {cure}.")
    if across > LARGEST_WIDTH:
        raise PageTooLarge(f"{told}, and {LARGEST_WIDTH} is the most for its width: {cure}.")
    if across * down * BYTES_PER_PIXEL > encoder.memory:
        most = encoder.memory // BYTES_PER_PIXEL // 1_000_000
        raise PageTooLarge(f"{told}, and the box holds at most {most} million (setting picture_memory): {cure}.")


async def _joined(tiles: list[_Tile], wanted: Picture, encoder: Encoder) -> bytes:
    return await asyncio.to_thread(_join, tiles, wanted, encoder)


def _join(tiles: list[_Tile], wanted: Picture, encoder: Encoder) -> bytes:
    """Put the strips below one another, row by row as they are decoded, and encode the whole."""
    import pyvips  # type: ignore[import-untyped] # loaded only for long pictures; it has no types

    strips = []
    for tile in tiles:
        image = pyvips.Image.new_from_buffer(tile.image, "", access="sequential")
        if image.bands > BYTES_PER_PIXEL:
            image = image.extract_band(0, n=BYTES_PER_PIXEL)
        if (tile.top, tile.height) != (0, image.height):
            image = image.crop(0, tile.top, image.width, min(tile.height, image.height - tile.top))
        strips.append(image)
    whole = functools.reduce(lambda above, below: above.join(below, "vertical"), strips)
    match wanted.format:
        case "png":
            compression = SMALL_COMPRESSION if encoder.small else FAST_COMPRESSION
            content = whole.pngsave_buffer(compression=compression, filter="sub" if not encoder.small else "all")
        case "jpeg":
            content = whole.jpegsave_buffer(Q=wanted.quality)
        case "webp":
            content = whole.webpsave_buffer(Q=wanted.quality)
    return bytes(content)


async def is_blank(product: Product) -> bool:
    """Tell whether a picture shows an empty window."""
    pixels = (product.width or 0) * (product.height or 0)
    if len(product.content) > BLANK_BYTES + pixels * BLANK_BYTES_PER_PIXEL:
        return False
    return await asyncio.to_thread(_shows_nothing, product.content)


def _shows_nothing(content: bytes) -> bool:
    import pyvips  # as above: only when it is needed

    image = pyvips.Image.new_from_buffer(content, "")
    bands = [image.extract_band(number) for number in range(BYTES_PER_PIXEL)]
    lowest, highest = ([getattr(band, name)() for band in bands] for name in ("min", "max"))
    return lowest == highest and tuple(round(value) for value in lowest) in BLANK


def _product(wanted: Picture, content: bytes) -> Product:
    width, height = size_of(content)
    return Product(id=wanted.id, type="screenshot", format=wanted.format, content=content, width=width, height=height)


def size_of(image: bytes) -> tuple[int, int]:
    """Read width and height from the head of a PNG, JPEG or WebP that was made here."""
    if image.startswith(b"\x89PNG"):
        width, height = struct.unpack(">II", image[16:24])
        return width, height
    if image.startswith(b"RIFF"):
        return _webp_size(image)
    position = 2
    while position < len(image):
        marker, length = image[position + 1], int.from_bytes(image[position + 2 : position + 4])
        if marker in {0xC0, 0xC1, 0xC2}:  # the frame header, of any kind that there is
            height, width = struct.unpack(">HH", image[position + 5 : position + 9])
            return width, height
        position += 2 + length
    raise AssertionError("not a picture of ours")


def _webp_size(image: bytes) -> tuple[int, int]:
    match image[12:16]:
        case b"VP8 ":
            width, height = struct.unpack("<HH", image[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            packed = int.from_bytes(image[21:25], "little")
            return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        case _:
            return int.from_bytes(image[24:27], "little") + 1, int.from_bytes(image[27:30], "little") + 1
