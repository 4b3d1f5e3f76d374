"""A browser process: what it writes where only we read it, and its place among others."""

import os
from pathlib import Path

import pytest

from allscreenshots_box.render.browsers import processes
from allscreenshots_box.render.browsers.chromium import Chromium, find_executable

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

LINES = "for (let n = 0; n < 100; n++) { console.log('said'); console.error('said') }"


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


async def test_a_browser_apart_is_behind_the_others(tmp_path: Path) -> None:
    chromium = Chromium(find_executable(), tmp_path, sandbox=os.geteuid() != 0, niceness=5)
    await chromium.start(lambda: None)
    try:
        # Root's browser puts its own threads where it likes; what pages come from stays where it was put.
        zygotes = [pid for pid in chromium.processes() if b"--type=zygote" in processes.command_line(pid)]
        assert zygotes
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in zygotes} == {os.getpriority(os.PRIO_PROCESS, 0) + 5}
    finally:
        await chromium.end()
