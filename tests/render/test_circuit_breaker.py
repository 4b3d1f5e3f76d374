"""Who is shot apart from others, and who is not let in again, after a browser was lost to its pages."""

import pytest

from allscreenshots_box.render.circuit_breaker import MOST, REFUSED_SECONDS, CircuitBreaker

NAME, OTHER_CALLER, OTHER_HOST = (1, "a.example"), (2, "a.example"), (1, "b.example")
ALONE, AMONG_OTHERS = True, False


class Court:
    """Suspects at such a time."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.suspects = CircuitBreaker(lambda: self.time)

    def hear(self, *losses: bool) -> None:
        for alone in losses:
            self.suspects.note(NAME, alone=alone)


@pytest.mark.parametrize(
    ("losses", "refused"),
    [
        ((ALONE,), False),
        ((AMONG_OTHERS,), False),
        ((AMONG_OTHERS, AMONG_OTHERS, AMONG_OTHERS), False),  # somebody else may sit beside it each time
        ((AMONG_OTHERS, ALONE), True),
        ((ALONE, ALONE), True),
    ],
)
def test_who_lost_two_browsers_the_last_one_alone_is_refused(losses: tuple[bool, ...], refused: bool) -> None:  # noqa: FBT001 - a table's column
    court = Court()
    court.hear(*losses)
    assert court.suspects.has(NAME)
    assert court.suspects.refuses(NAME) is refused


def test_nobody_else_is_refused_for_it() -> None:
    court = Court()
    court.hear(ALONE, ALONE)
    for name in (OTHER_CALLER, OTHER_HOST):
        assert not court.suspects.has(name)
        assert not court.suspects.refuses(name)


def test_who_is_cleared_begins_anew() -> None:
    court = Court()
    court.hear(AMONG_OTHERS)
    court.suspects.clear(NAME)
    assert not court.suspects.has(NAME)
    court.hear(ALONE)
    assert not court.suspects.refuses(NAME)


def test_it_is_forgotten_with_time() -> None:
    court = Court()
    court.hear(ALONE, ALONE)
    court.time += REFUSED_SECONDS
    assert court.suspects.refuses(NAME)
    court.time += 0.1
    assert not court.suspects.refuses(NAME)
    assert not court.suspects.has(NAME)


def test_so_many_are_remembered_and_no_more() -> None:
    court = Court()
    court.hear(ALONE)
    for number in range(MOST - 1):
        court.suspects.note((number, "c.example"), alone=True)
    assert court.suspects.has(NAME)
    court.suspects.note(OTHER_CALLER, alone=True)
    assert not court.suspects.has(NAME)
