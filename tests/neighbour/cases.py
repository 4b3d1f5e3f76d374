"""What a case is: what one key, page, name or stranger does beside the neighbour, and what may be answered to that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OK = frozenset({"200"})
TIGHT = "tight"  # the plan of one screenshot an hour
LATE = OK | {"timeout", "page_crashed"}  # a page that never rests is taken as far as it is, late, or ended

Act = Callable[[int, float], dict[str, int]]  # the box's port, for how long; gives what was answered, and how often


@dataclass(frozen=True)
class Case:
    """One attack. Its page is *body*, unless *url* leads elsewhere or *act* does something else altogether."""

    name: str
    body: str = ""
    url: str = ""  # {n} is a number that no other request has
    options: dict[str, Any] = field(default_factory=dict)  # of the request
    hears: frozenset[str] = OK  # 200 or codes of errors
    callers: int = 1  # at once
    most: int = 200  # requests of one caller
    patience: float = 60.0  # seconds, after which a caller hangs up
    plan: str = "default"  # or TIGHT
    act: Act | None = None
    brief: bool = False  # tried, once, with every run of all tests: for the others there is no time

    def __str__(self) -> str:
        return self.name
