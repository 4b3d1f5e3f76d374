"""What to render, and what comes back."""

from dataclasses import dataclass
from typing import Literal

ImageFormat = Literal["png", "jpeg", "webp"]
Milestone = Literal["commit", "domcontentloaded", "load", "networkidle"]

MEDIA_TYPES: dict[ImageFormat, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture of one page. Spans are in seconds, sizes in CSS pixels. A Shot that exists is valid."""

    url: str
    width: int = 1920
    height: int = 1080
    scale: int = 1
    format: ImageFormat = "png"
    quality: int = 80  # jpeg and webp only
    full_page: bool = False
    selector: str | None = None
    hide_selectors: tuple[str, ...] = ()
    custom_css: str | None = None
    dark_mode: bool = False
    wait_until: Milestone = "domcontentloaded"
    wait_for: str | None = None
    delay: float = 0
    timeout: float = 30


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """The bytes that a Shot became, and how it went."""

    content: bytes
    media_type: str
    target_status: int
    target_url: str
    not_awaited: tuple[str, ...] = ()  # what was still loading when its budget ended
    queue_seconds: float = 0
    render_seconds: float = 0
