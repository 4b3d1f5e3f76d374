"""All cases, and all takes of them."""

from tests.settled.cases import Case, Take, routes
from tests.settled.drawing import DRAWING
from tests.settled.entrances import ENTRANCES
from tests.settled.fonts import FONTS
from tests.settled.late import LATE
from tests.settled.lies import LYING
from tests.settled.motion import MOTION
from tests.settled.pictures import PICTURES
from tests.settled.reloads import RELOADS
from tests.settled.requests import REQUESTS
from tests.settled.screens import SCREENS, WIDTHS
from tests.settled.timers import TIMERS
from tests.site.routes import ROUTES

CASES: tuple[Case, ...] = (
    *REQUESTS,
    *TIMERS,
    *RELOADS,
    *DRAWING,
    *ENTRANCES,
    *MOTION,
    *PICTURES,
    *FONTS,
    *SCREENS,
    *LYING,
)
TAKES: tuple[Take, ...] = tuple(take for case in CASES for take in case.takes())
PAGES = ROUTES | LATE | routes((*CASES, WIDTHS))
