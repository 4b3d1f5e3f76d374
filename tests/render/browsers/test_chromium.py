"""What a browser writes where only we read it."""

import os
from pathlib import Path

import pytest

from allscreenshots_box.render.browsers.chromium import Chromium, find_executable

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

LINES = "for (let n = 0; n < 100; n++) { console.log('said'); console.error('said') }"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_a_page_says_to_its_console_is_not_written_to_stderr(tmp_path: Path) -> None:
    chromium = Chromium(find_executable(), tmp_path, sandbox=os.geteuid() != 0)
    await chromium.start(lambda: None)
    try:
        browser = chromium.connection.browser
        made = await browser.send("Target.createTarget", url="about:blank")
        attached = await browser.send("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        session = chromium.connection.session(attached["sessionId"])
        await session.send("Runtime.evaluate", expression=LINES)
        await browser.send("Target.closeTarget", targetId=made["targetId"])
    finally:
        await chromium.end()
    assert "said" not in chromium.last_words
