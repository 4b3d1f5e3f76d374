"""All that lives as long as the box, by name: made in one place, and asked for by whoever answers requests."""

from datetime import datetime

from .captures.capturer import Capturer
from .captures.history import CaptureHistory
from .config import Settings
from .keys.authentication import Authenticator
from .keys.hashing import Hasher
from .keys.rate_limits import TokenBuckets
from .keys.usage import Usage
from .render.renderer import Renderer
from .storage.database import Database
from .web.readiness import Readiness


class Services:
    """The parts of a running box. No dataclass: Litestar would want to know how to make each."""

    def __init__(  # noqa: PLR0913 - each is a part of the box
        self,
        *,
        settings: Settings,
        begun: datetime,
        database: Database,
        renderer: Renderer,
        readiness: Readiness,
        hasher: Hasher,
        buckets: TokenBuckets,
        authenticator: Authenticator,
        usage: Usage,
        history: CaptureHistory,
        capturer: Capturer,
    ) -> None:
        self.settings = settings  # in force
        self.begun = begun
        self.database = database
        self.renderer = renderer
        self.readiness = readiness
        self.hasher = hasher
        self.buckets = buckets  # of all who are limited
        self.authenticator = authenticator
        self.usage = usage
        self.history = history
        self.capturer = capturer
