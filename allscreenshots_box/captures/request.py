"""What a caller may ask for: the body of a capture, and the Shot it becomes."""

from typing import Annotated, Any, cast

from msgspec import Meta

from ..errors import InvalidDevice
from ..render import devices
from ..render import shot as shots
from ..render.shot import BlockOptions, BrowserSession, Output, Shot, Window
from ..validation import WireModel, choice, spelled
from .browser_session import BrowserSessionRequest

LARGEST_VIEWPORT = 4096  # the contract says 2560 x 2160, older clients' documentation this
MOST_ACTIONS = 25
MOST_OUTPUTS = 10  # each is work for the browser; the contract has no bound
MOST_JSON_FIELDS = 100

Text100 = Annotated[str, Meta(max_length=100)]
Selector = Annotated[str, Meta(max_length=500)]
RequiredSelector = Annotated[str, Meta(min_length=1, max_length=500)]
Scale = Annotated[int, Meta(ge=1, le=3)]
Quality = Annotated[int, Meta(ge=1, le=100)]
OutputId = Annotated[str, spelled("^[A-Za-z0-9_-]*$", "letters, digits, _ and -", most=64)]


class ViewportConfig(WireModel):
    """Size of the browser window, in CSS pixels."""

    width: Annotated[int, Meta(ge=100, le=LARGEST_VIEWPORT)] = Window.width
    height: Annotated[int, Meta(ge=100, le=LARGEST_VIEWPORT)] = Window.height
    device_scale_factor: Scale = 1


# --- actions ------------------------------------------------------------------------------------


class PageAction(WireModel, tag_field="type"):
    """What all steps on the page have in common."""

    optional: bool = False
    timeout: Annotated[int, Meta(ge=100, le=60_000)] | None = None

    def step(self) -> shots.Action:
        """Return the step for the renderer."""
        raise NotImplementedError

    @property
    def _common(self) -> dict[str, Any]:
        return {"optional": self.optional, "timeout": None if self.timeout is None else self.timeout / 1000}


class ClickAction(PageAction, kw_only=True, tag="click"):
    """Click an element."""

    selector: RequiredSelector

    def step(self) -> shots.Click:
        return shots.Click(selector=self.selector, **self._common)


class TypeAction(PageAction, kw_only=True, tag="type"):
    """Type into a field."""

    selector: RequiredSelector
    text: Annotated[str, Meta(max_length=10_000)]
    clear: bool = True

    def step(self) -> shots.Type:
        return shots.Type(selector=self.selector, text=self.text, clear=self.clear, **self._common)


class PressAction(PageAction, kw_only=True, tag="press"):
    """Press a key, on an element or on the page."""

    key: Annotated[str, Meta(min_length=1, max_length=64)]
    selector: Selector | None = None

    def step(self) -> shots.Press:
        return shots.Press(key=self.key, selector=self.selector or None, **self._common)


class HoverAction(PageAction, kw_only=True, tag="hover"):
    """Move the pointer over an element."""

    selector: RequiredSelector

    def step(self) -> shots.Hover:
        return shots.Hover(selector=self.selector, **self._common)


class SelectAction(PageAction, kw_only=True, tag="select"):
    """Choose an option of a select box."""

    selector: RequiredSelector
    value: Annotated[str, Meta(max_length=1000)]

    def step(self) -> shots.Select:
        return shots.Select(selector=self.selector, value=self.value, **self._common)


class ScrollAction(PageAction, kw_only=True, tag="scroll"):
    """Scroll to an element, by an offset, or to the end."""

    selector: Selector | None = None
    y: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] | None = None
    to_bottom: bool = False

    def problems(self) -> dict[str, str]:
        told = self.selector or self.y is not None or self.to_bottom
        return {} if told else {"": "must have one of selector, y, toBottom"}

    def step(self) -> shots.Scroll:
        return shots.Scroll(selector=self.selector or None, y=self.y, to_bottom=self.to_bottom, **self._common)


class WaitAction(PageAction, kw_only=True, tag="wait"):
    """Wait for time, for an element, or for a quiet network."""

    ms: Annotated[int, Meta(ge=0, le=30_000)] | None = None
    selector: Selector | None = None
    network_idle: bool = False

    def problems(self) -> dict[str, str]:
        told = self.selector or self.ms is not None or self.network_idle
        return {} if told else {"": "must have one of ms, selector, networkIdle"}

    def step(self) -> shots.Wait:
        seconds = None if self.ms is None else self.ms / 1000
        selector = self.selector or None
        return shots.Wait(seconds=seconds, selector=selector, network_idle=self.network_idle, **self._common)


AnyAction = ClickAction | TypeAction | PressAction | HoverAction | SelectAction | ScrollAction | WaitAction


# --- outputs ------------------------------------------------------------------------------------


class OutputSpec(WireModel, tag_field="type"):
    """What all outputs have in common."""

    id: OutputId | None = None

    def output(self, name: str) -> Output:
        """Return the output for the renderer, under the id that it got."""
        raise NotImplementedError


class ScreenshotOutputSpec(OutputSpec, kw_only=True, tag="screenshot"):
    """An image output."""

    format: Annotated[str, choice("png", "jpeg", "jpg", "webp")] = "png"
    quality: Quality = 80
    full_page: bool = False
    selector: Selector | None = None

    def output(self, name: str) -> shots.Picture:
        return shots.Picture(
            id=name,
            format=_image_format(self.format),
            quality=self.quality,
            full_page=self.full_page,
            selector=self.selector or None,
        )


class PdfOutputSpec(OutputSpec, kw_only=True, tag="pdf"):
    """A PDF output."""

    format: Annotated[str, choice("A0", "A1", "A2", "A3", "A4", "A5", "A6", "Letter", "Legal", "Tabloid", "Ledger")] = (
        "A4"
    )
    landscape: bool = False
    print_background: bool = True

    def output(self, name: str) -> shots.Pdf:
        paper = cast("shots.Paper", self.format)
        return shots.Pdf(id=name, paper=paper, landscape=self.landscape, background=self.print_background)


class HtmlOutputSpec(OutputSpec, kw_only=True, tag="html"):
    """A page-source output."""

    clean: bool = True
    main_content_only: bool = False

    def output(self, name: str) -> shots.Html:
        return shots.Html(id=name, clean=self.clean, main=self.main_content_only)


class MarkdownOutputSpec(OutputSpec, kw_only=True, tag="markdown"):
    """A markdown output."""

    main_content_only: bool = True

    def output(self, name: str) -> shots.Markdown:
        return shots.Markdown(id=name, main=self.main_content_only)


class JsonFieldSpec(WireModel):
    """One extraction rule."""

    selector: RequiredSelector
    type: Annotated[str, choice("text", "html", "attribute")] = "text"
    attribute: Text100 | None = None
    multiple: bool = False

    def problems(self) -> dict[str, str]:
        if self.type == "attribute" and not self.attribute:
            return {"attribute": "is required where type is attribute"}
        if self.type == "html" and self.attribute:
            return {"attribute": "goes with type attribute only"}
        return {}

    def field(self, name: str) -> shots.Field:
        """Return the field for the renderer. An attribute's name is enough to ask for it."""
        taken = cast("shots.Taken", "attribute" if self.attribute else self.type)
        return shots.Field(
            name=name, selector=self.selector, taken=taken, attribute=self.attribute or None, multiple=self.multiple
        )


class JsonOutputSpec(OutputSpec, kw_only=True, tag="json"):
    """A structured-extraction output."""

    schema: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=100)], JsonFieldSpec],
        Meta(min_length=1, max_length=MOST_JSON_FIELDS),
    ]

    def output(self, name: str) -> shots.Extract:
        return shots.Extract(id=name, fields=tuple(spec.field(field) for field, spec in self.schema.items()))


AnyOutput = ScreenshotOutputSpec | PdfOutputSpec | HtmlOutputSpec | MarkdownOutputSpec | JsonOutputSpec


# --- the whole ----------------------------------------------------------------------------------


class ScreenshotRequest(WireModel):
    """Body of a synchronous capture."""

    url: Annotated[str, Meta(min_length=1)]
    viewport: ViewportConfig | None = None
    device_scale_factor: Scale | None = None
    device: Text100 | None = None
    format: Annotated[str, choice("png", "jpeg", "jpg", "webp", "pdf")] = "png"
    quality: Quality = 80
    full_page: bool = False
    full_page_mode: Annotated[str, choice("native", "stitch")] = "stitch"
    scroll_interval: Annotated[int, Meta(ge=50, le=1_000)] = 150
    max_sections: Annotated[int, Meta(ge=1, le=50)] = Shot.max_sections
    max_height: Annotated[int, Meta(ge=1_000, le=30_000)] | None = None
    freeze_fixed: bool = Shot.freeze_fixed
    selector: Selector | None = None
    hide_selectors: Annotated[list[Selector], Meta(max_length=50)] | None = None
    custom_css: Annotated[str, Meta(max_length=10_000)] | None = None
    dark_mode: bool = False
    wait_until: Annotated[str, choice("load", "domcontentloaded", "networkidle", "commit")] = Shot.wait_until
    wait_for: Selector | None = None
    delay: Annotated[int, Meta(ge=0, le=30_000)] = 0
    timeout: Annotated[int, Meta(ge=1_000, le=60_000)] = 30_000
    block_ads: bool = True
    block_cookie_banners: bool = True
    block_popups: bool = True
    block_level: Annotated[str, choice("none", "light", "normal", "pro", "pro_plus", "ultimate")] = "none"
    stealth_mode: bool = False
    stealth: bool = False
    actions: Annotated[list[AnyAction], Meta(max_length=MOST_ACTIONS)] | None = None
    session: BrowserSessionRequest | None = None
    outputs: Annotated[list[AnyOutput], Meta(max_length=MOST_OUTPUTS)] | None = None
    response_type: Annotated[str, choice("BINARY", "BASE64", "URL", json="URL")] = "BINARY"
    fail_on_http_error: bool = False
    share_rendering: bool = False
    settle: bool = Shot.settle
    webhook_url: str | None = None
    webhook_secret: str | None = None

    def problems(self) -> dict[str, str]:
        to_come = {"webhookUrl": self.webhook_url, "webhookSecret": self.webhook_secret}
        problems = {name: "is not supported by this version; leave it out" for name, told in to_come.items() if told}
        if self.response_type == "URL":
            problems["responseType"] = "must be BINARY or BASE64 in this version; URL and JSON are not supported yet"
        first: dict[str, int] = {}
        for index, spec in enumerate(self.outputs or ()):
            if spec.id and first.setdefault(spec.id, index) != index:
                problems[f"outputs[{index}].id"] = f"must not be the same as that of outputs[{first[spec.id]}]"
        return problems


def shot_of(request: ScreenshotRequest) -> Shot:
    """Return the Shot that *request* asks for. Raises InvalidDevice."""
    blocked = BlockOptions(
        ads=request.block_ads,
        cookie_banners=request.block_cookie_banners,
        popups=request.block_popups,
        level=cast("shots.BlockLevel", request.block_level),
    )
    return Shot(
        url=request.url,
        outputs=_outputs(request),
        several=bool(request.outputs),
        window=_window(request),
        stitch=request.full_page_mode == "stitch",
        scroll_interval=request.scroll_interval / 1000,
        max_sections=request.max_sections,
        max_height=request.max_height,
        freeze_fixed=request.freeze_fixed,
        hide_selectors=tuple(filter(None, request.hide_selectors or ())),
        custom_css=request.custom_css or None,
        dark_mode=request.dark_mode,
        wait_until=cast("shots.Milestone", request.wait_until),
        wait_for=request.wait_for or None,
        delay=request.delay / 1000,
        timeout=request.timeout / 1000,
        blocked=blocked,
        stealth=request.stealth_mode or request.stealth,
        actions=tuple(action.step() for action in request.actions or ()),
        session=request.session.session() if request.session else BrowserSession(),
        fail_on_http_error=request.fail_on_http_error,
        share=request.share_rendering,
        settle=request.settle,
    )


def _window(request: ScreenshotRequest) -> Window:
    if request.device:
        window = devices.find(request.device)
        if window is None:
            problem = f"must be the name of a device; the nearest are {', '.join(devices.nearest(request.device))}"
            raise InvalidDevice(f"device {problem}.", {"device": problem})
        return window
    size = request.viewport or ViewportConfig()
    scale = request.device_scale_factor or size.device_scale_factor
    return Window(width=size.width, height=size.height, scale=scale)


def _outputs(request: ScreenshotRequest) -> tuple[Output, ...]:
    if request.outputs:
        return tuple(spec.output(name) for spec, name in zip(request.outputs, _ids(request.outputs), strict=True))
    selector = request.selector or None
    if request.format == "pdf":
        return (shots.Pdf(selector=selector),)
    picture = _image_format(request.format)
    return (shots.Picture(format=picture, quality=request.quality, full_page=request.full_page, selector=selector),)


def _ids(specs: list[AnyOutput]) -> list[str]:
    """Return a name for each output: its own, or its type with the first number that is free."""
    taken = {spec.id for spec in specs if spec.id}
    names = []
    for spec in specs:
        kind = str(spec.__struct_config__.tag)
        free = (name for number in range(len(specs) + 1) if (name := f"{kind}-{number + 1}" if number else kind))
        name = spec.id or next(name for name in free if name not in taken)
        taken.add(name)
        names.append(name)
    return names


def _image_format(word: str) -> shots.ImageFormat:
    return cast("shots.ImageFormat", "jpeg" if word == "jpg" else word)
