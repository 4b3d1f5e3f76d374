"""What the box says of its browser: a round trip, shared, remembered for a moment, with two strikes."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from allscreenshots_box import outbound, render
from allscreenshots_box.config import Settings
from allscreenshots_box.render import Health, Renderer
from allscreenshots_box.render.browser import Browser, BrowserGone
from allscreenshots_box.render.health import Pulse
from allscreenshots_box.render.line import Line


class Patient(Browser):
    """A browser that answers as it is told, and counts how often it is asked."""

    def __init__(self) -> None:
        self.fresh = False
        self.gone = False
        self.asked = 0

    def is_proven_since(self, seconds: float) -> bool:  # noqa: ARG002 - always the same
        return self.fresh

    async def prove(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.gone:
            raise BrowserGone("the browser does not answer")


def play(act: Callable[[Patient, Pulse, Line], Awaitable[None]]) -> None:
    async def scene() -> None:
        patient, line = Patient(), Line(1, 1, 1)
        await act(patient, Pulse(patient, line), line)

    asyncio.run(scene())


def test_it_is_unhealthy_at_the_second_strike_and_says_why() -> None:
    async def act(patient: Patient, pulse: Pulse, _: Line) -> None:
        patient.gone = True
        told = [await pulse.feel() for _ in range(3)]
        assert [one.ok for one in told] == [True, False, False]
        assert {one.reason for one in told} == {"the browser does not answer"}
        patient.gone = False
        assert await pulse.feel() == Health(ok=True)
        patient.gone = True
        assert (await pulse.feel()).ok

    play(act)


def test_many_who_ask_at_once_cost_one_round_trip() -> None:
    async def act(patient: Patient, pulse: Pulse, _: Line) -> None:
        await asyncio.gather(*(pulse.feel() for _ in range(50)))
        assert patient.asked == 1

    play(act)


def test_who_asks_and_leaves_does_not_break_it_off_for_others() -> None:
    async def act(_: Patient, pulse: Pulse, __: Line) -> None:
        first, second = asyncio.create_task(pulse.feel()), asyncio.create_task(pulse.feel())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).ok

    play(act)


def test_a_picture_just_made_is_proof_enough() -> None:
    async def act(patient: Patient, pulse: Pulse, _: Line) -> None:
        patient.fresh = True
        assert (await pulse.feel()).ok
        assert patient.asked == 0

    play(act)


def test_a_box_that_drains_says_so() -> None:
    async def act(_: Patient, pulse: Pulse, line: Line) -> None:
        await line.close(1)
        assert await pulse.feel() == Health(ok=False, reason="draining")

    play(act)


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

    async def scene() -> None:
        equipment = render.Equipment(slots=1, sandbox=os.geteuid() != 0)
        async with render.running(equipment, outbound.policy_of(Settings(data_dir=tmp_path))) as renderer:
            await lives_through(renderer)

    asyncio.run(scene())
