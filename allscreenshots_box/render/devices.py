"""Devices by name: the window that each one is, as far as a page can tell."""

import re
from difflib import get_close_matches

from .shot import Window

NEAREST = 4  # names that are offered in place of an unknown one

# User agents are those of Playwright's device table where it has the device. The renderer puts the version of the
# browser that runs in place of {chrome}. Computers that are named for their size only have the browser's own.
_SAFARI = "Version/27.2 Mobile/15E148 Safari/604.1"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}"
_MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36"
_REDUCED = "Android 10; K"  # what Chrome says on every telephone


def _iphone(width: int, height: int, system: str) -> Window:
    agent = f"Mozilla/5.0 (iPhone; CPU iPhone OS {system} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    return Window(width=width, height=height, scale=3, mobile=True, touch=True, user_agent=f"{agent} {_SAFARI}")


def _ipad(width: int, height: int) -> Window:
    agent = "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    return Window(width=width, height=height, scale=2, mobile=True, touch=True, user_agent=f"{agent} {_SAFARI}")


def _android(width: int, height: int, scale: float, system: str, *, phone: bool = True) -> Window:
    agent = f"Mozilla/5.0 (Linux; {system}) {_CHROME} {'Mobile ' if phone else ''}Safari/537.36"
    return Window(width=width, height=height, scale=scale, mobile=True, touch=True, user_agent=agent)


def _macbook(width: int, height: int) -> Window:
    return Window(width=width, height=height, scale=2, user_agent=_MAC)


_IPHONE_SE = Window(
    width=375,
    height=667,
    scale=2,
    mobile=True,
    touch=True,
    user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/603.1.30 (KHTML, like Gecko) "
    "Version/27.2 Mobile/19E241 Safari/602.1",
)

# A telephone's window is its whole screen, because that is the size that callers know it by.
_WINDOWS = {
    "Desktop": Window(width=1440, height=900),
    "Desktop HD": Window(width=1920, height=1080),
    "Desktop 1080p": Window(width=1920, height=1080),
    "Desktop 1440p": Window(width=2560, height=1440),
    "Desktop 4K": Window(width=3840, height=2160),
    "Laptop": Window(width=1366, height=768),
    "MacBook Air": _macbook(1440, 900),
    "MacBook Pro 14": _macbook(1512, 982),
    "MacBook Pro 16": _macbook(1728, 1117),
    "Tablet Landscape": _ipad(1024, 768),
    "Tablet Portrait": _ipad(768, 1024),
    "iPad": _ipad(820, 1180),
    "iPad Air": _ipad(820, 1180),
    "iPad Mini": _ipad(744, 1133),
    "iPad Pro 11": _ipad(834, 1194),
    "iPad Pro 12.9": _ipad(1024, 1366),
    "Galaxy Tab": _android(712, 1138, 2.25, "Android 8.1.0; SM-T837A", phone=False),
    "iPhone SE": _IPHONE_SE,
    "iPhone 12": _iphone(390, 844, "14_4"),
    "iPhone 12 Pro": _iphone(390, 844, "14_4"),
    "iPhone 13": _iphone(390, 844, "15_0"),
    "iPhone 14": _iphone(390, 844, "16_0"),
    "iPhone 14 Pro": _iphone(393, 852, "16_0"),
    "iPhone 14 Pro Max": _iphone(430, 932, "16_0"),
    "iPhone 15": _iphone(393, 852, "17_5"),
    "iPhone 15 Pro": _iphone(393, 852, "17_5"),
    "iPhone 15 Pro Max": _iphone(430, 932, "17_5"),
    "Pixel 5": _android(393, 851, 2.75, "Android 11; Pixel 5"),
    "Pixel 6": _android(412, 915, 2.625, "Android 12; Pixel 6"),
    "Galaxy S21": _android(360, 800, 3, "Android 14; SM-G991U"),
    "Galaxy S23": _android(360, 780, 3, "Android 14; SM-S911U"),
    "Android Large": _android(412, 915, 2.625, _REDUCED),
    "Android Medium": _android(393, 873, 2.75, _REDUCED),
    "Android Small": _android(360, 800, 3, _REDUCED),
}
NAMES = tuple(_WINDOWS)

_SIZE = re.compile(r"[\s_-]+\(?\d{3,4}\s*[x\u00d7]\s*\d{3,4}\)?$")  # as in "iPhone 14 390x844"
_SEPARATORS = re.compile(r"[\s_.-]+")


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", _SIZE.sub("", name.strip().lower()))


_BY_PLAIN_NAME = {_plain(name): name for name in NAMES} | {"ipadpro": "iPad Pro 12.9"}


def find(name: str) -> Window | None:
    """Return the window of a device; case, spaces, ``_``, ``-``, dots and a size at the end do not matter."""
    known = _BY_PLAIN_NAME.get(_plain(name))
    return _WINDOWS[known] if known else None


def nearest(name: str) -> list[str]:
    """Return the names that are most like *name*, best first."""
    found = get_close_matches(_plain(name), _BY_PLAIN_NAME, n=NEAREST, cutoff=0)
    return [_BY_PLAIN_NAME[plain] for plain in found]
