"""What is known of one request while it is answered."""

from dataclasses import dataclass
from typing import cast

from litestar.types import Scope

from ..errors import BoxError
from ..keys.authentication import AuthenticatedRequest
from ..keys.rate_limits import BucketState
from ..render.queue import QueueTimes
from ..render.shot import Rendering
from ..validation import Ignored


@dataclass
class RequestContext:
    """One request. Whoever answers it notes here what the log, the metrics and the headers are to tell."""

    id: str
    client: str
    peer: str  # the address that the connection has: the client's, or a proxy's
    begun: float  # monotonic
    authenticated: AuthenticatedRequest | None = None
    bucket_state: BucketState | None = None
    ignored: Ignored | None = None  # fields of the body
    wants_capture: bool = False  # and may: with a good key, or on the operator's page
    target: str | None = None  # what is captured, once that is good
    times: QueueTimes | None = None  # once it is on its way to the queue
    rendering: Rendering | None = None
    error: BoxError | None = None
    status: int = 0
    sent: int = 0  # bytes of the body

    @property
    def queued(self) -> QueueTimes | None:
        """How long the request waited and took, if it came to the queue."""
        return self.times if self.times is not None and self.times.arrived is not None else None

    @property
    def loaded(self) -> bool:
        """Whether a page was loaded for the request: from its turn on, it has cost what a picture costs."""
        return self.queued is not None and self.queued.begun is not None


def context_of(scope: Scope) -> RequestContext:
    """Return the context that *scope* belongs to."""
    return cast("RequestContext", scope["state"]["context"])
