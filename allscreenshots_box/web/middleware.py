"""What every request passes before routing: an id, its area, one answer to all failures, a log line."""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from .. import logs
from ..config import Settings
from ..errors import CrossSite, NotFound, TargetNotAllowed
from ..hosts import Network
from ..keys.authentication import client_of, network_of, refuse_key_in_query
from ..metrics import OTHER, Metrics, Served
from .anonymous_limits import AnonymousLimits
from .areas import Area, area_of, covers, side_of
from .context import RequestContext
from .exception_handlers import NOTHING_HERE, Answer
from .request import BoxRequest
from .timeouts import PROVEN

LONGEST_LOGGED_PATH = 200
MOST_REASONS = 10  # refusals that the log line of a request has

OPS_PATHS = frozenset({"/health", "/ready", "/metrics"})  # what the listener of ops_listen has
APART = OPS_PATHS - {"/health"}  # what the main port then has no more

_EXPECTED = {200, 503}  # answers to those who look at the box; a change of mind is in the log in any case
_SLASHES = re.compile(r"/{2,}")
_NAME = re.compile(r"[^A-Za-z0-9_.\[\]-]")
_LINK = re.compile(r"(?<=/admin/link/).+", re.IGNORECASE)  # the token of a one-time link
_ONLY_PAGE_HERE = "There is nothing here but /admin."

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the middleware is made with, beside the settings."""

    areas: Sequence[Area]
    routes: frozenset[str]  # templates of all paths
    metrics: Metrics
    answer: Answer
    is_stopping: Callable[[], bool]


class Middleware:
    """Stands before routing: gives the request an id, asks its area, writes the log line.

    Before routing, so that without a key not even the existence of a path can be learnt.
    """

    def __init__(self, inner: ASGIApp, settings: Settings, around: Surroundings) -> None:
        self._inner = inner
        self._around = around
        self._ops_apart = settings.ops_address is not None
        self._anonymous = AnonymousLimits()
        self._trusted: tuple[Network, ...]
        self._log_queries: bool
        self._log_health: bool
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Go by *settings* from the next request on."""
        self._trusted = settings.trusted_proxy
        self._log_queries = settings.log_queries
        self._log_health = settings.log_health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        scope["path"] = _SLASHES.sub("/", scope["path"])
        scope["raw_path"] = scope["path"].encode()
        context = self._begun(scope)
        scope.setdefault("state", {})["context"] = context

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message["headers"], *_headers(context), *self._farewell(scope)]
            elif message["type"] == "http.response.body":
                context.sent += len(message["body"])
            await send(message)

        with logs.about(context.id):
            try:
                await self._pass(scope, receive, send_with_headers, context)
            except Exception as error:  # noqa: BLE001 - whatever an area raises is answered like the rest
                request = BoxRequest(scope)
                response = self._around.answer(request, error).to_asgi_response(None, request)
                await response(scope, receive, send_with_headers)
            finally:
                self._log(scope, context)
                self._count(scope, context)

    def _begun(self, scope: Scope) -> RequestContext:
        peer = (scope.get("client") or ("", 0))[0]
        client = client_of(peer, list(scope["headers"]), self._trusted)
        return RequestContext(secrets.token_hex(8), client, peer, time.monotonic())

    async def _pass(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> None:
        refuse_key_in_query(scope["query_string"])
        area = area_of(self._around.areas, scope)
        if area is None and not self._is_open(scope):
            raise NotFound(_ONLY_PAGE_HERE if side_of(scope) == "admin" else NOTHING_HERE)
        if area is not None and await area.admit(scope, context, self._trusted):
            scope["state"][PROVEN] = True
            await self._inner(scope, receive, send)
            return
        with self._anonymous.bounded(receive, network_of(context.client)) as bounded:
            await self._inner(scope, bounded, send)

    def _is_open(self, scope: Scope) -> bool:
        """Say whether the listener that this came to has the path, which is in none of its areas."""
        path, side = scope["path"].rstrip("/"), side_of(scope)
        if any(covers(area.root, scope["path"]) for area in self._around.areas):
            return False
        if side is not None:
            return side == "ops" and path in OPS_PATHS
        return not (self._ops_apart and path in APART)

    def _farewell(self, scope: Scope) -> Headers:
        """Ask a client of a box that stops to come back by another connection: to the next box."""
        stopping = self._around.is_stopping() and scope["http_version"].startswith("1")
        return [(b"connection", b"close")] if stopping else []

    def _count(self, scope: Scope, context: RequestContext) -> None:
        code = context.error.code if context.error else "ok"
        self._around.metrics.count(
            Served(
                method=str(scope.get("method")),
                route=self._route(scope),
                status=context.status,
                seconds=time.monotonic() - context.begun,
                code=code,
                sent=context.sent,
                key=context.authenticated.key.prefix if context.authenticated else None,
            )
        )
        if context.wants_capture and context.times is None:  # else its capture was counted
            self._around.metrics.count_shot(code)

    def _route(self, scope: Scope) -> str:
        """Return the template of what was asked for: a stranger's paths must not become labels."""
        path = scope["path"].rstrip("/") or "/"
        if path in self._around.routes:  # also those that did not come as far as routing
            return path
        for area in self._around.areas:
            if path.startswith(f"{area.root}/"):
                return str(scope.get("path_template") or f"{area.root}/{{path}}")
        return OTHER

    def _log(self, scope: Scope, context: RequestContext) -> None:
        if not self._log_health and scope["path"] in OPS_PATHS and context.status in _EXPECTED:
            return
        target, error, times, rendering = context.target, context.error, context.queued, context.rendering
        logs.event(
            "request",
            id=context.id,
            client=context.client,
            key=context.authenticated.key.prefix if context.authenticated else None,
            method=scope.get("method"),
            path=_LINK.sub("…", logs.without_user(scope["path"])[:LONGEST_LOGGED_PATH]),
            status=context.status,
            ms=round((time.monotonic() - context.begun) * 1000, 1),
            queueMs=_milliseconds(times.queued) if times else None,
            renderMs=_milliseconds(times.rendered) if times else None,
            fetched=rendering.fetched if rendering else None,
            refused=(rendering.refused[:MOST_REASONS] or None) if rendering else None,
            target=logs.shown_target(target, error, with_query=self._log_queries) if target is not None else None,
            error=error.code if error else None,
            reason=error.reason if isinstance(error, TargetNotAllowed | CrossSite) else None,
        )


def _milliseconds(seconds: float | None) -> int:
    return round((seconds or 0) * 1000)


def _headers(context: RequestContext) -> Headers:
    named = {"X-Request-Id": context.id}
    if (times := context.queued) is not None:
        named |= {
            "X-Queue-Time-Ms": str(_milliseconds(times.queued)),
            "X-Render-Time-Ms": str(_milliseconds(times.rendered)),
        }
    if context.bucket_state is not None:
        named |= context.bucket_state.headers(time.time())
    if context.ignored:
        named["X-Ignored-Fields"] = ", ".join(_NAME.sub("?", name)[:64] for name in context.ignored)
    return [(name.lower().encode(), value.encode()) for name, value in named.items()]
