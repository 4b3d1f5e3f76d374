import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import async_playwright

from allscreenshots_box.render import devices
from allscreenshots_box.render.shot import Window

WITH_SIZES = """
Desktop HD 1920x1080, Desktop 1440x900, Laptop 1366x768, Tablet Landscape 1024x768, Tablet Portrait 768x1024,
iPhone 14 Pro Max 430x932, iPhone 14 Pro 393x852, iPhone 14 390x844, iPhone SE 375x667, iPad Pro 12.9 1024x1366,
iPad Pro 11 834x1194, iPad 820x1180, iPad Mini 744x1133, Android Large 412x915, Android Medium 393x873,
Android Small 360x800
""".replace("\n", " ").split(",")
SLUGS = re.findall(
    r"\w+",
    """
iphone_12 iphone_12_pro iphone_13 iphone_14 iphone_14_pro iphone_15 iphone_15_pro iphone_15_pro_max galaxy_s21
galaxy_s23 pixel_5 pixel_6 ipad ipad_pro_11 ipad_pro_12_9 ipad_air galaxy_tab macbook_air macbook_pro_14
macbook_pro_16 desktop_hd desktop_1080p desktop_1440p desktop_4k
""",
)


@pytest.mark.parametrize("name", [name.strip() for name in WITH_SIZES])
def test_a_name_with_a_size_is_found_and_has_that_size(name: str) -> None:
    bare, _, size = name.rpartition(" ")
    window = devices.find(name)
    assert window is not None
    assert window == devices.find(bare)
    assert f"{window.width}x{window.height}" == size


@pytest.mark.parametrize("slug", SLUGS)
def test_every_slug_that_clients_send_is_found(slug: str) -> None:
    assert devices.find(slug)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("IPHONE 14", "iPhone 14"),
        ("iphone14", "iPhone 14"),
        ("i-phone_14", "iPhone 14"),
        ("  iPhone 14 (390x844) ", "iPhone 14"),
        ("iPhone 14 390×844", "iPhone 14"),  # noqa: RUF001 - people paste it
        ("iPad Pro", "iPad Pro 12.9"),
        ("ipad_pro", "iPad Pro 12.9"),
        ("iPad Pro 12.9 1024x1366", "iPad Pro 12.9"),
        ("Galaxy-S21", "Galaxy S21"),
        ("desktop.4k", "Desktop 4K"),
    ],
)
def test_spelling_does_not_matter(written: str, name: str) -> None:
    assert devices.find(name) is not None
    assert devices.find(written) == devices.find(name)


@pytest.mark.parametrize("name", ["", "iPhone", "iPhone 99", "390x844", "x" * 100, "iPhone 14 390", "🤷"])
def test_an_unknown_name_is_none_and_has_nearest_ones(name: str) -> None:
    assert devices.find(name) is None
    near = devices.nearest(name)
    assert len(near) == devices.NEAREST
    assert set(near) <= set(devices.NAMES)


@pytest.mark.parametrize(
    ("name", "near"), [("iPhone 16", "iPhone 15"), ("Pixle 5", "Pixel 5"), ("macbok", "MacBook Air")]
)
def test_the_nearest_names_are_near(name: str, near: str) -> None:
    assert near in devices.nearest(name)


# Where the size is another, it is because a name of ours says so: a generation of ours and one of theirs.
IN_PLAYWRIGHT = {
    "iPhone SE": "iPhone SE (3rd gen)",
    **{name: name for name in devices.NAMES if re.match(r"iPhone \d|Pixel", name)},
    "iPad": "iPad (gen 7)",
    "iPad Mini": "iPad Mini",
    "iPad Pro 11": "iPad Pro 11",
    "Tablet Portrait": "iPad (gen 5)",
    "Tablet Landscape": "iPad (gen 5) landscape",
    "Galaxy Tab": "Galaxy Tab S4",
}
OTHER_SIZE = {"iPad", "iPad Mini"}


@pytest.fixture(scope="module")
async def table() -> dict[str, Any]:
    async with async_playwright() as playwright:
        return dict(playwright.devices)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def without_versions(agent: str) -> str:
    """Return a user agent without what grows with every release of a browser."""
    agent = agent.replace("{chrome}", "1.0")
    return re.sub(r"(?<=Chrome/)[\d.]+|(?<=Version/)[\d.]+", "*", agent)


@pytest.mark.anyio
@pytest.mark.parametrize(("ours", "theirs"), IN_PLAYWRIGHT.items())
async def test_a_device_is_what_playwright_says(table: dict[str, Any], ours: str, theirs: str) -> None:
    found, known = devices.find(ours), table[theirs]
    assert found is not None
    screen = known.get("screen") or known["viewport"]
    expected = Window(
        **screen,
        scale=known["device_scale_factor"],
        mobile=known["is_mobile"],
        touch=known["has_touch"],
        user_agent=without_versions(known["user_agent"]),
    )
    if ours in OTHER_SIZE:
        expected = replace(expected, width=found.width, height=found.height)
    assert found.user_agent is not None
    assert replace(found, user_agent=without_versions(found.user_agent)) == expected


@pytest.mark.parametrize("name", devices.NAMES)
def test_a_version_of_chrome_is_left_to_the_renderer(name: str) -> None:
    window = devices.find(name)
    assert window is not None
    assert ("Chrome" in (window.user_agent or "")) == ("Chrome/{chrome}" in (window.user_agent or ""))
