"""What the page finds itself on: window, device, colours, and somebody's session."""

import asyncio
import json
from typing import Any

from ...errors import InvalidRequest
from .. import scripts
from ..browsers.cdp import ConnectionLost, ProtocolError
from ..page import Page
from ..shot import Cookie, Storage, Window

_SEED = scripts.read("seed_storage")
_STEALTH = scripts.read("stealth")


async def emulate(page: Page, user_agent: str) -> None:
    """Set up the tab as the shot wants it; a shot that wants nothing special costs nothing."""
    shot = page.shot
    await _set_cookies(page)
    wishes = [*_window(page, shot.window, user_agent), *_session(page)]
    if shot.dark_mode:
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        wishes.append(page.session.send("Emulation.setEmulatedMedia", features=[dark]))
    if shot.stealth:
        wishes.append(page.session.send("Page.addScriptToEvaluateOnNewDocument", source=f"({_STEALTH})()"))
        wishes.append(page.session.send("Emulation.setAutomationOverride", enabled=False))
    if wishes:
        await asyncio.gather(*wishes)


def _window(page: Page, window: Window, user_agent: str) -> list[asyncio.Future[dict[str, Any]]]:
    wishes = []
    if (window.width, window.height, window.scale, window.mobile) != (1920, 1080, 1, False):
        metrics = {
            "width": window.width,
            "height": window.height,
            "screenWidth": window.width,
            "screenHeight": window.height,
            "deviceScaleFactor": window.scale,
            "mobile": window.mobile,
        }
        wishes.append(page.session.send("Emulation.setDeviceMetricsOverride", **metrics))
        page.tab.resize(window.width, window.height)
    if window.touch:
        wishes.append(page.session.send("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5))
    agent = window.user_agent or (user_agent.replace("Headless", "") if page.shot.stealth else None)
    if agent is not None:
        wishes.append(page.session.send("Emulation.setUserAgentOverride", **_agent(agent, user_agent, window)))
    return wishes


def _agent(agent: str, own: str, window: Window) -> dict[str, Any]:
    """Return the user agent, and what the page's client hints say to match it."""
    version = own.partition("Chrome/")[2].partition(" ")[0] or "1"
    text = agent.replace("{chrome}", version)
    order: dict[str, Any] = {"userAgent": text, "acceptLanguage": "en-US,en"}
    if "Chrome/" not in text:  # other browsers send no client hints
        return order
    major = version.partition(".")[0]
    brands = [{"brand": name, "version": major} for name in ("Chromium", "Google Chrome")]
    platform = "Android" if "Android" in text else "macOS" if "Mac OS" in text else "Linux"
    order["platform"] = (
        "Linux armv81" if platform == "Android" else "MacIntel" if platform == "macOS" else "Linux x86_64"
    )
    order["userAgentMetadata"] = {
        "brands": [*brands, {"brand": "Not_A Brand", "version": "24"}],
        "fullVersion": version,
        "platform": platform,
        "platformVersion": "",
        "architecture": "" if window.mobile else "x86",
        "model": "",
        "mobile": window.mobile,
    }
    return order


# --- somebody's session -------------------------------------------------------------------------


def _session(page: Page) -> list[asyncio.Future[dict[str, Any]]]:
    session = page.shot.session
    wishes = []
    for storage in session.storage:
        order = {"source": f"({_SEED})({json.dumps(_seed(storage))})", "worldName": "session"}
        wishes.append(page.session.send("Page.addScriptToEvaluateOnNewDocument", **order))
    return wishes


async def _set_cookies(page: Page) -> None:
    """Place the cookies, one by one: only so does the browser tell which it refuses. Raises InvalidRequest."""
    if not page.shot.session.cookies:
        return
    orders = [_cookie(cookie, page.target.url) for cookie in page.shot.session.cookies]
    results = await asyncio.gather(*map(page.tab.place_cookie, orders), return_exceptions=True)
    wrong = [f"session.cookies[{number}]" for number, one in enumerate(results) if isinstance(one, ProtocolError)]
    if lost := next((one for one in results if isinstance(one, ConnectionLost)), None):
        raise lost
    if wrong:
        problem = "is refused by the browser: look at domain, path, secure, sameSite and the prefix of its name"
        raise InvalidRequest(f"{', '.join(wrong)} {problem}.", dict.fromkeys(wrong, problem))


def _seed(storage: Storage) -> dict[str, Any]:
    return {"origin": storage.origin, "local": storage.local, "session": storage.session}


def _cookie(cookie: Cookie, url: str) -> dict[str, Any]:
    order: dict[str, Any] = {"name": cookie.name, "value": cookie.value, "path": cookie.path}
    order |= {"domain": cookie.domain} if cookie.domain else {"url": url}
    order |= {"httpOnly": cookie.http_only, "secure": cookie.secure}
    if cookie.expires is not None:
        order["expires"] = cookie.expires
    if cookie.same_site is not None:
        order["sameSite"] = cookie.same_site
    return order
