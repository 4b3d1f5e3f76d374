"""Who was inside when pages ended a browser: apart from others until it is cleared, refused for a while if guilty."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LOSSES = 2  # with the same target inside, the last of them with nothing else
REFUSED_SECONDS = 300.0  # then; and as long is somebody a suspect who never comes again
MOST = 1000  # that are remembered

Name = tuple[int, str]  # a caller and a host: what one caller is after costs no other caller that host


@dataclass
class _Suspect:
    losses: int = 0
    until: float = 0.0  # is remembered
    refused: bool = False


class CircuitBreaker:
    """Remembers what was inside of browsers that were lost to their pages."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[Name, _Suspect] = OrderedDict()  # the latest last

    def has(self, name: Name) -> bool:
        """Say whether *name* was inside of one, and was not cleared since."""
        return self._find(name) is not None

    def refuses(self, name: Name) -> bool:
        """Say whether *name* has ended enough of them."""
        found = self._find(name)
        return found is not None and found.refused

    def note(self, name: Name, *, alone: bool) -> None:
        """Hear that one was lost with *name* inside, *alone* or with others."""
        found = self._find(name) or self._known.setdefault(name, _Suspect())
        found.losses += 1
        found.until = self._now() + REFUSED_SECONDS
        found.refused = alone and found.losses >= LOSSES
        self._known.move_to_end(name)
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    def clear(self, name: Name) -> None:
        """Hear that a browser lived through a shot of *name*."""
        self._known.pop(name, None)

    def _find(self, name: Name) -> _Suspect | None:
        found = self._known.get(name)
        if found is not None and found.until < self._now():
            del self._known[name]
            return None
        return found
