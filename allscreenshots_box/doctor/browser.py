"""The browser at work: found, started in its sandbox, and given pages that show what it can and where it may go."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .. import hosts
from ..config import Settings
from ..egress.policy import Policy, policy_of
from ..errors import BoxError, OperatorError, TargetNotAllowed
from ..process import command_hint, privileges
from ..render.browsers.chromium import find_executable
from ..render.renderer import Equipment, Renderer, running
from ..render.shot import BlockOptions, Extract, Field, Shot, Window
from .context import SERVICE, CheckContext
from .probe import Site, page, redirect
from .result import CheckResult, failed, ok, warning

OLDEST = 120  # the first with a headless shell by itself; the quick captures that the renderer asks for are older
TESTED = 156  # what the tests run on
# Holes in what a page can reach that were used by attackers before they were closed: the version that closed the latest
# one that this release knows of. Newer ones are apt's to know.
CLOSED = (142, 0, 7444, 175)
HOLE = "CVE-2025-13223"
VERSION_SECONDS = 8.0
SHOT_SECONDS = 15.0
INK = (30, 120, 200)  # the colour of the page that is shot
NEAR = 3  # steps of colour
INSTALL = "apt-get install chromium-headless-shell (on Debian; elsewhere: 'The browser' in docs/install.md)"
UPGRADE = "apt-get update && apt-get install --only-upgrade chromium-headless-shell"
FONTS = "apt-get install fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
NAMESPACES = "sysctl kernel.unprivileged_userns_clone=1"
SWITCHES = (  # of the kernel: name, the value that forbids user namespaces, and one that does not
    ("kernel.unprivileged_userns_clone", 0, 1),
    ("kernel.apparmor_restrict_unprivileged_userns", 1, 0),
    ("user.max_user_namespaces", 0, 10_000),
)
BROKEN = f"journalctl -u {SERVICE} -n 50; {UPGRADE}; run doctor again, and report it if it stays"
STOP = f"systemctl stop {SERVICE}, and report it: no page is to be shot until this is mended"
PLAIN = BlockOptions(ads=False, cookie_banners=False, popups=False)

SAMPLES = {  # two of each: where there is no font, different letters look the same
    "Latin": "Qg",
    "Han": "\u6f22\u6587",
    "Kana": "\u304b\u30a2",
    "Hangul": "\ud55c\uae00",
    "Arabic": "\u0634\u0639",
    "Devanagari": "\u0915\u0916",
    "emoji": "\U0001f600\U0001f680",
}
_UNASSIGNED = ("\u0378", "\U0010fffd")  # no font has a picture of these

_FONTS = """<!doctype html><meta charset="utf-8"><title>Fonts</title><body><script>
const draw = text => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 96;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  pen.font = '48px sans-serif';
  pen.textBaseline = 'middle';
  pen.fillText(text, 16, 48);
  return pen.getImageData(0, 0, 96, 96).data;
};
const same = (one, other) => one.every((value, index) => value === other[index]);
const hasInk = pixels => pixels.some(value => value);
const hasColour = pixels => {
  let count = 0;
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i + 3] > 200 && Math.max(pixels[i], pixels[i+1], pixels[i+2])
        - Math.min(pixels[i], pixels[i+1], pixels[i+2]) > 60) count++;
  return count > 100;
};
const tofu = UNASSIGNED.map(draw);
const found = {};
for (const [name, letters] of Object.entries(SAMPLES)) {
  const [one, other] = [...letters].map(draw);
  const drawn = hasInk(one) && hasInk(other) && !same(one, other)
    && !tofu.some(box => same(box, one) || same(box, other));
  found[name] = !drawn ? 'missing' : hasColour(one) ? 'colour' : 'drawn';
}
const told = document.createElement('p');
told.id = 'told';
told.textContent = JSON.stringify(found);
document.body.append(told);
</script>"""

_WALL = """<!doctype html><meta charset="utf-8"><title>Wall</title><body><script>
const settled = start => new Promise(done => { start(done); setTimeout(done, 3000); });
const ways = [
  (url, done) => fetch(url, {mode: 'no-cors'}).then(done, done),
  (url, done) => { const image = new Image(); image.onload = image.onerror = done; image.src = url; },
  (url, done) => {
    const frame = document.createElement('iframe');
    frame.onload = done;
    frame.src = url;
    document.body.append(frame);
  },
  (url, done) => { new WebSocket(url.replace('http', 'ws')).onclose = done; },
];
const tries = TARGETS.flatMap(url => ways.map(way => settled(done => way(url, done))));
Promise.all([...tries, fetch('/control')]).then(() => {
  const told = document.createElement('p');
  told.id = 'told';
  told.textContent = tries.length;
  document.body.append(told);
});
</script>"""


def executable(context: CheckContext) -> CheckResult:
    """Find the browser, and ask it for its version."""
    context.move_out()
    name = "take the setting browser out, or set it to what `command -v chromium-headless-shell` says"
    try:
        path = context.settings.browser or find_executable()
        told = _said_version(path)
    except OperatorError as error:
        return failed(str(error), INSTALL)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "it does not answer"
        return failed(f"{context.settings.browser} cannot be run by {privileges.name()} ({why})", name)
    found = re.search(r"\b(\d+)\.(\d+)\.(\d+)\.(\d+)\b", told)
    if found is None:
        return failed(f"{path} is no Chromium: --version does not tell one", name)
    return _age(path, found[0], tuple(map(int, found.groups())))


def _said_version(path: Path) -> str:
    asked = [str(path), "--version"]
    told = subprocess.run(
        asked, capture_output=True, timeout=VERSION_SECONDS, check=False, stdin=subprocess.DEVNULL, cwd="/"
    )
    return told.stdout.decode(errors="replace") if told.returncode == 0 else ""


def _age(path: Path, version: str, numbers: tuple[int, ...]) -> CheckResult:
    fact = f"{path} {version}"
    if numbers[0] < OLDEST:
        return failed(f"{fact} is too old: the box needs {OLDEST}, and is tested with {TESTED}", UPGRADE)
    if numbers < CLOSED:
        closed = ".".join(map(str, CLOSED))
        return warning(f"{fact} has holes that pages have been seen to use ({HOLE}; {closed} has not)", UPGRADE)
    return ok(fact)


async def sandbox(context: CheckContext) -> CheckResult:
    """Start the browser as the server does, and have it prove its sandbox."""
    settings = context.settings
    context.move_out()
    site = await context.stack.enter_async_context(context.site)
    try:
        opened = running(_equipment(settings), policy(settings, site))
        context.renderer = await context.stack.enter_async_context(opened)
    except OperatorError as error:
        return failed(str(error), _cure_of_start(str(error), settings))
    if settings.dangerously_disable_sandbox:
        source = context.sources["dangerously_disable_sandbox"]
        fact = "OFF: an exploit in any page has all that the server's user has, keys' hashes included"
        return failed(fact, f"take dangerously_disable_sandbox out (it comes from {source})")
    return ok(context.renderer.description["sandbox"])


def _equipment(settings: Settings) -> Equipment:
    """Return what the server renders with, as far as it decides whether there is a renderer at all."""
    return Equipment(
        executable=settings.browser,
        sandbox=not settings.dangerously_disable_sandbox,
        slots=1,
        lists=settings.lists_dir,
        block_rules=settings.block_rules,
        ca_dir=settings.ca_dir,
    )


def policy(settings: Settings, site: Site) -> Policy:
    """Return a policy that lets pages reach *site*, and nothing else of this machine."""
    return replace(policy_of(settings), allow=(hosts.read(site.place),), deny=())


def _cure_of_start(told: str, settings: Settings) -> str:
    if "sandbox" in told.lower():
        return " && ".join(cure for _, _, cure in _obstacles()) or NAMESPACES
    if "ca_dir" in told or "your rules" in told:  # what the operator names, and the browser is started with
        return f"mend what it names; `{command_hint.typed(settings.data_dir, 'config')}` shows where it is set"
    return INSTALL.replace("install", "install --reinstall", 1)


def namespaces(context: CheckContext) -> CheckResult:
    """Look at what the kernel says of user namespaces, once it is known whether the sandbox could be built of them."""
    obstacles = list(_obstacles())
    facts = ", ".join(f"{name} = {value}" for name, value, _ in obstacles)
    sandboxed = context.renderer is not None and not context.settings.dangerously_disable_sandbox
    if sandboxed:
        return ok(f"the browser's sandbox is built of them{f' ({facts}: it has an exception)' if facts else ''}")
    if facts:
        return failed(f"{facts}: the browser can build no sandbox", " && ".join(cure for _, _, cure in obstacles))
    return ok("no switch of the kernel forbids them")


def _obstacles() -> Iterator[tuple[str, int, str]]:
    """Yield each switch of the kernel that stands against user namespaces: its name, its value, and the cure."""
    for name, bad, good in SWITCHES:
        with suppress(OSError, ValueError):  # most kernels have one or two of them
            value = int(Path("/proc/sys", *name.split(".")).read_text())
            if value == bad:
                yield name, value, f"sysctl {name}={good}"


async def shot(context: CheckContext) -> CheckResult:
    """Take a picture of a page of our own, and look at it."""
    renderer = context.rendering()
    red, green, blue = INK
    context.site.pages["/shot"] = page(f"<!doctype html><body style='background: rgb({red} {green} {blue})'>")
    order = Shot(
        url=context.site.url("/shot"), window=Window(width=800, height=600), blocked=PLAIN, timeout=SHOT_SECONDS
    )
    try:
        rendering = await renderer.render(order)
    except BoxError as error:
        return failed(f"no picture: {error.message}", BROKEN)
    import pyvips  # type: ignore[import-untyped] # loaded only here; it has no types

    image = pyvips.Image.new_from_buffer(rendering.products[0].content, "")
    seen = image.getpoint(image.width // 2, image.height // 2)[: len(INK)]
    if (image.width, image.height) != (800, 600) or any(abs(a - b) > NEAR for a, b in zip(seen, INK, strict=True)):
        return failed(f"the picture shows something else ({image.width} x {image.height}, {seen})", BROKEN)
    return ok(f"{image.width} x {image.height} in {rendering.render_seconds * 1000:.0f} ms")


async def fonts(context: CheckContext) -> CheckResult:
    """Have letters of many scripts drawn, and look for the box that stands for a missing one."""
    source = _FONTS.replace("UNASSIGNED", json.dumps(_UNASSIGNED)).replace("SAMPLES", json.dumps(SAMPLES))
    context.site.pages["/fonts"] = page(source)
    try:
        told = await _told(context.rendering(), context.site.url("/fonts"))
        drawn: dict[str, str] = json.loads(told)
    except (BoxError, ValueError) as error:  # without any font at all Chromium gives up
        return failed(f"no letters can be drawn ({error})", FONTS)
    missing = [name for name, state in drawn.items() if state == "missing"]
    if missing:
        return failed(f"no font for {', '.join(missing)}: pages show boxes in their place", FONTS)
    if drawn["emoji"] != "colour":
        return warning("emoji have no colours", f"{FONTS}; sudo ./install.sh tells Chromium to prefer them")
    return ok(f"{', '.join(drawn)} are drawn, emoji in colour")


async def _told(renderer: Renderer, url: str) -> str:
    """Return what the page at *url* wrote into its element #told."""
    take = Extract(fields=(Field(name="told", selector="#told"),))
    order = Shot(url=url, outputs=(take,), wait_for="#told", blocked=PLAIN, timeout=SHOT_SECONDS)
    value = (await renderer.render(order)).products[0].value or {}
    return str(value["told"])


async def wall(context: CheckContext) -> CheckResult:
    """Have a page try to reach what no page may reach."""
    renderer = context.rendering()
    async with Site() as canary:
        try:
            return await besieged(renderer, context.site, canary)
        except BoxError as error:
            return failed(f"the wall could not be tried: {error.message}", BROKEN)


async def besieged(renderer: Renderer, site: Site, canary: Site) -> CheckResult:
    """Say whether a page of *site* gets through to *canary* or to cloud metadata."""
    forbidden = [f"http://{host}:{canary.port}/" for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]")]
    forbidden += [f"http://{host}/latest/meta-data/" for host in ("169.254.169.254", "[fd00:ec2::254]")]
    site.pages["/wall"] = page(_WALL.replace("TARGETS", json.dumps(forbidden)))
    tries = await _told(renderer, site.url("/wall"))
    let_through = [url for number, url in enumerate(forbidden) if not await _is_refused(renderer, site, number, url)]
    if canary.connections or let_through:
        what = let_through[0] if let_through else f"{canary.connections} connections to this machine"
        return failed(f"BROKEN: a page got through to what it may not reach ({what})", STOP)
    if not site.asked["/control"]:
        return failed("the wall could not be tried: the page reached nothing at all", BROKEN)
    return ok(f"{tries} tries at loopback and cloud metadata and {len(forbidden)} redirects there: none got through")


async def _is_refused(renderer: Renderer, site: Site, number: int, url: str) -> bool:
    """Say whether the box itself ends a redirect to *url*: that nobody answers there proves nothing."""
    site.pages[f"/to-{number}"] = redirect(url)
    try:
        await renderer.render(Shot(url=site.url(f"/to-{number}"), blocked=PLAIN, timeout=SHOT_SECONDS))
    except TargetNotAllowed:
        return True
    except BoxError:
        return False
    return False
