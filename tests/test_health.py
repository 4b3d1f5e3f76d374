"""What the box says of its browser, and that a sick one is replaced before anybody hears of it."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from allscreenshots_box import outbound, render
from allscreenshots_box.config import Settings
from allscreenshots_box.render import Health, Renderer


@pytest.mark.browser
def test_a_stopped_browser_is_replaced_before_it_is_unhealthy(tmp_path: Path) -> None:
    async def lives_through(renderer: Renderer) -> None:
        assert await renderer.health() == Health(ok=True)
        browser = renderer._browser
        before = browser._life
        assert before is not None
        os.kill(before.chromium.pid, signal.SIGSTOP)
        async with asyncio.timeout(10):
            while browser._life is before or not browser.is_proven_since(1):  # noqa: ASYNC110 - a condition, not a time
                await asyncio.sleep(0.05)
        assert await renderer.health() == Health(ok=True)
        assert await renderer.drain(1)
        assert await renderer.health() == Health(ok=False, reason="draining")

    async def scene() -> None:
        equipment = render.Equipment(slots=1, sandbox=os.geteuid() != 0)
        async with render.running(equipment, outbound.policy_of(Settings(data_dir=tmp_path))) as renderer:
            await lives_through(renderer)

    asyncio.run(scene())
