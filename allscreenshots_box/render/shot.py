"""What to render, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..hosts import HostPattern

ImageFormat = Literal["png", "jpeg", "webp"]
Milestone = Literal["commit", "domcontentloaded", "load", "networkidle"]
BlockLevel = Literal["none", "light", "normal", "pro", "pro_plus", "ultimate"]
Paper = Literal["A0", "A1", "A2", "A3", "A4", "A5", "A6", "Letter", "Legal", "Tabloid", "Ledger"]
SameSite = Literal["Strict", "Lax", "None"]
Taken = Literal["text", "html", "attribute"]

MEDIA_TYPES: dict[str, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "html": "text/html",
    "markdown": "text/markdown",
    "json": "application/json",
}


# --- what to make of the page -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The page as an image: its window, all of it, or one element."""

    id: str = "screenshot"
    format: ImageFormat = "png"
    quality: int = 80  # jpeg and webp only
    full_page: bool = False
    selector: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pdf:
    """The page as a printer gets it, or one element of it."""

    id: str = "pdf"
    paper: Paper = "A4"
    landscape: bool = False
    background: bool = True
    selector: str | None = None


@dataclass(frozen=True, kw_only=True)
class Html:
    """The source of the page as it is now; clean: without scripts, styles and comments."""

    id: str = "html"
    clean: bool = True
    main: bool = False


@dataclass(frozen=True, kw_only=True)
class Markdown:
    """The text of the page with its headings, lists, links and tables."""

    id: str = "markdown"
    main: bool = True


@dataclass(frozen=True, kw_only=True)
class Field:
    """One value to take out of the page; None or an empty list where nothing matches."""

    name: str
    selector: str
    taken: Taken = "text"
    attribute: str | None = None  # the name, when that is what is taken
    multiple: bool = False


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Named values of the page as one JSON object."""

    id: str = "json"
    fields: tuple[Field, ...] = ()


Output = Picture | Pdf | Html | Markdown | Extract


# --- what to do on the page ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Action:
    """A step on the page before the shot. *timeout* is its own budget in seconds."""

    optional: bool = False
    timeout: float | None = None


@dataclass(frozen=True, kw_only=True)
class Click(Action):
    """Click the middle of an element."""

    selector: str


@dataclass(frozen=True, kw_only=True)
class Type(Action):
    """Type text into a field, emptied first if *clear*."""

    selector: str
    text: str = field(repr=False)  # passwords are typed, too
    clear: bool = True


@dataclass(frozen=True, kw_only=True)
class Press(Action):
    """Press a key (``Enter``, ``a``, ``Control+A``), in an element or in whatever has the focus."""

    key: str
    selector: str | None = None


@dataclass(frozen=True, kw_only=True)
class Hover(Action):
    """Move the pointer over an element."""

    selector: str


@dataclass(frozen=True, kw_only=True)
class Select(Action):
    """Choose an option of a select box, by its value or its text."""

    selector: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Scroll(Action):
    """Scroll an element into view, by *y* CSS pixels, or to the end."""

    selector: str | None = None
    y: int | None = None
    to_bottom: bool = False


@dataclass(frozen=True, kw_only=True)
class Wait(Action):
    """Wait for seconds, for an element, or for a quiet network."""

    seconds: float | None = None
    selector: str | None = None
    network_idle: bool = False


# --- what the page finds ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cookie:
    """A cookie that is there before the page is asked for. Without a domain it is the target's host's own."""

    name: str
    value: str = field(default="", repr=False)
    domain: str | None = None
    path: str = "/"
    expires: float | None = None  # Unix seconds
    http_only: bool = False
    secure: bool = False
    same_site: SameSite | None = None


@dataclass(frozen=True, kw_only=True)
class Header:
    """A header of every request to *origin*; None is the target's own."""

    name: str
    value: str = field(default="", repr=False)
    origin: str | None = None


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Web storage of one origin, filled before its first script runs."""

    origin: str
    local: dict[str, str] = field(default_factory=dict, repr=False)
    session: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class BrowserSession:
    """Somebody's state in the browser. Never stored, logged or echoed."""

    cookies: tuple[Cookie, ...] = ()
    headers: tuple[Header, ...] = ()
    storage: tuple[Storage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Window:
    """What the page thinks it is shown on. Sizes in CSS pixels; no user agent means the browser's own."""

    width: int = 1920
    height: int = 1080
    scale: float = 1
    mobile: bool = False
    touch: bool = False
    user_agent: str | None = None


@dataclass(frozen=True, kw_only=True)
class BlockOptions:
    """What is kept out of the page."""

    ads: bool = True
    cookie_banners: bool = True
    popups: bool = True
    level: BlockLevel = "none"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One load of one page, and what is made of it. Spans are in seconds. A Shot that exists is valid."""

    url: str
    outputs: tuple[Output, ...] = (Picture(),)
    several: bool = False  # whether the request listed its outputs, rather than being one itself
    window: Window = Window()
    stitch: bool = True  # a full page in sections, as against one tall picture by the browser
    scroll_interval: float = 0.15
    max_sections: int = 50
    max_height: int | None = None  # CSS pixels
    freeze_fixed: bool = True
    hide_selectors: tuple[str, ...] = ()
    custom_css: str | None = None
    dark_mode: bool = False
    wait_until: Milestone = "domcontentloaded"
    wait_for: str | None = None
    settle: bool = True  # whether to wait until a page with scripts has come to rest
    delay: float = 0
    timeout: float = 30
    blocked: BlockOptions = BlockOptions()
    stealth: bool = False
    actions: tuple[Action, ...] = ()
    session: BrowserSession = BrowserSession()
    fail_on_http_error: bool = False
    share: bool = False  # whether one rendering may be for all equal shots of one caller that are in flight
    hosts: tuple[HostPattern, ...] = ()  # where the page and all that it loads may come from; none named: from anywhere

    @property
    def rests(self) -> tuple[float, ...]:
        """How long the request itself says to wait, each time that it does."""
        waits = (action.seconds or 0 for action in self.actions if isinstance(action, Wait))
        return self.delay, *waits


# --- what comes back ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Product:
    """One output, made. *value* is what the content says, for JSON; sizes in pixels, where there are any."""

    id: str
    type: Literal["screenshot", "pdf", "html", "markdown", "json"]
    format: str
    content: bytes
    width: int | None = None
    height: int | None = None
    value: dict[str, Any] | None = None

    @property
    def media_type(self) -> str:
        """The Content-Type of the content."""
        return MEDIA_TYPES[self.format]


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """What a Shot became, and how it went."""

    products: tuple[Product, ...]
    target_status: int
    target_url: str
    not_awaited: tuple[str, ...] = ()  # what was still loading when its budget ended
    truncated: bool = False  # whether a picture ends before its page does
    fetched: int = 0  # bytes that came from the network
    refused: tuple[str, ...] = ()  # why the page did not reach some of what it asked for; for the log
    steps: Mapping[str, float] = field(default_factory=dict)  # seconds that each step of the capture took
    queue_seconds: float = 0
    render_seconds: float = 0

    @property
    def size(self) -> int:
        """Bytes of all outputs together."""
        return sum(len(product.content) for product in self.products)
