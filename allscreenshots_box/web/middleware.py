"""What every request passes before routing: an id, authentication, one answer to all failures, a log line."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from sqlite3 import DatabaseError
from typing import Any, Literal, cast

from litestar import Request, Response
from litestar.datastructures import FormMultiDict, State
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, InternalServerException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from . import logs, timestamps, validation
from .admin.authentication import ROOT, is_below
from .admin.body import LARGEST_FORM, read_form
from .admin.error_page import refusal
from .captures import history
from .config import Settings
from .errors import (
    BoxError,
    CrossSite,
    InternalError,
    InvalidRequest,
    InvalidUrl,
    MethodNotAllowed,
    NotFound,
    RequestTooLarge,
    ServiceUnavailable,
    TargetNotAllowed,
)
from .hosts import Network
from .keys.authentication import (
    AuthenticatedRequest,
    Authenticator,
    Limited,
    client_of,
    network_of,
    refuse_key_in_query,
)
from .keys.plans import BucketState, Kind
from .metrics import OTHER, Served
from .render.queue import QueueTimes
from .render.shot import Rendering
from .storage import database
from .web.anonymous_limits import AnonymousLimits
from .web.error_body import error_body
from .web.timeouts import PROVEN

LARGEST_BODY = 1024 * 1024  # bytes
LONGEST_LOGGED_PATH = 200
BUSY_SECONDS = 2  # until somebody who found the database busy may try again

OPS_PATHS = frozenset({"/health", "/ready", "/metrics"})  # what the listener of ops_listen has
APART = OPS_PATHS - {"/health"}  # what the main port then has no more

_EXPECTED = {200, 503}  # answers to those who look at the box; a change of mind is in the log in any case
_COSTS_A_SCREENSHOT = {("POST", "/v1/screenshots")}
_SIDE = "allscreenshots_box.side"  # in a scope: which listener the request came to, if not to the main one
_SLASHES = re.compile(r"/{2,}")
_NAME = re.compile(r"[^A-Za-z0-9_.\[\]-]")
_LINK = re.compile(r"(?<=/admin/link/).+", re.IGNORECASE)  # the token of a one-time link

AnyRequest = Request[Any, Any, Any]
Side = Literal["ops", "admin"]


def beside(app: ASGIApp, side: Side) -> ASGIApp:
    """Return *app* as a listener beside the main one has it."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        cast("dict[str, Any]", scope)[_SIDE] = side
        await app(scope, receive, send)

    return marked


class BoxRequest(AnyRequest):
    """A request whose JSON body becomes the type that its handler declares, or a list of all its problems."""

    async def json(self) -> Any:
        """Return the body as the handler's type. Raises InvalidRequest."""
        declared = self.route_handler.parsed_data_field
        data, ignored = validation.read(declared.annotation if declared else validation.WireModel, await self.body())
        context_of(self.scope).ignored = ignored
        return data

    async def form(self) -> FormMultiDict:
        """Return the fields of a form. Raises InvalidRequest."""
        return await read_form(self)


@dataclass
class RequestContext:
    """What is known of one request while it is answered."""

    id: str
    client: str
    begun: float
    authenticated: AuthenticatedRequest | None = None
    bucket_state: BucketState | None = None
    ignored: validation.Ignored | None = None
    error: BoxError | None = None
    status: int = 0
    sent: int = 0  # bytes of the body


def context_of(scope: Scope) -> RequestContext:
    """Return the visit that *scope* belongs to."""
    return cast("RequestContext", scope["state"]["context"])


class Front:
    """Stands before routing: gives the request an id, authenticates what is below /v1, writes the log line.

    Before routing, so that without a key not even the existence of a path can be learnt.
    """

    def __init__(self, inner: ASGIApp, state: State, settings: Settings, routes: frozenset[str]) -> None:
        self._inner = inner
        self._routes = routes  # templates
        self._ops_apart = settings.ops_address is not None
        self._admin_side = "admin" if settings.admin_address else None
        self._no_admin = settings.no_admin
        self._state = state
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
        path = scope["path"] = _SLASHES.sub("/", scope["path"])
        scope["raw_path"] = path.encode()
        peer = (scope.get("client") or ("", 0))[0]
        headers = list(scope["headers"])
        context = RequestContext(secrets.token_hex(8), client_of(peer, headers, self._trusted), time.monotonic())
        scope.setdefault("state", {})["context"] = context

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                headers = [*_headers(context, _times_of(scope)), *self._farewell(scope)]
                message["headers"] = [*message["headers"], *headers]
            elif message["type"] == "http.response.body":
                context.sent += len(message["body"])
            await send(message)

        with logs.about(context.id):
            try:
                await self._pass(scope, receive, send_with_headers, context)
            except Exception as error:  # noqa: BLE001 - whatever authentication meets is answered like the rest
                await _respond(answer(BoxRequest(scope), error), scope, receive, send_with_headers)
            finally:
                self._log(scope, context)
                self._count(scope, context)
                self._note(scope, context)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> None:
        refuse_key_in_query(scope["query_string"])
        path = scope["path"]
        if not self._has(scope, path):
            raise NotFound(_ONLY_PAGE_HERE if cast("dict[str, Any]", scope).get(_SIDE) == "admin" else _NOTHING_HERE)
        if self._is_page(path):
            peer = (scope.get("client") or ("", 0))[0]
            await self._state.authentication.admit(scope, context.client, peer, self._trusted)
        if path == "/v1" or path.startswith("/v1/"):
            kind: Kind = "screenshot" if (scope.get("method"), path.rstrip("/")) in _COSTS_A_SCREENSHOT else "general"
            authenticator: Authenticator = self._state.authenticator
            context.authenticated = await authenticator.admit(list(scope["headers"]), context.client, kind)
            context.bucket_state = context.authenticated.bucket_state
            scope["state"]["authenticated"] = context.authenticated
        if context.authenticated is not None or scope["state"].get("session") is not None:
            scope["state"][PROVEN] = True
            await self._inner(scope, receive, send)
            return
        with self._anonymous.bounded(receive, network_of(context.client)) as bounded:
            await self._inner(scope, bounded, send)

    def _farewell(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Ask a client of a box that stops to come back by another connection: to the next box."""
        stopping = self._state.readiness.draining and scope["http_version"].startswith("1")
        return [(b"connection", b"close")] if stopping else []

    def _has(self, scope: Scope, path: str) -> bool:
        """Say whether the port that this came to has *path* at all: operators' paths may have others."""
        side = cast("dict[str, Any]", scope).get(_SIDE)
        if self._is_page(path):
            return bool(side == self._admin_side)
        path = path.rstrip("/")
        if side is not None:
            return side == "ops" and path in OPS_PATHS
        return not (self._ops_apart and path in APART)

    def _is_page(self, path: str) -> bool:
        return not self._no_admin and is_below(path)

    def shows_page(self, scope: Scope) -> bool:
        """Say whether what a request fails with is shown to an operator, as a page."""
        return self._is_page(scope["path"]) and self._has(scope, scope["path"])

    def _count(self, scope: Scope, context: RequestContext) -> None:
        rendering: Rendering | None = scope["state"].get("rendering")
        times = _times_of(scope)
        self._state.metrics.count(
            Served(
                method=str(scope.get("method")),
                route=self._route(scope),
                status=context.status,
                seconds=time.monotonic() - context.begun,
                code=context.error.code if context.error else "ok",
                sent=context.sent,
                key=context.authenticated.key.prefix if context.authenticated else None,
                shot=_asks_for_a_shot(scope, context),
                line=times.queued if times else None,
                rendering=times.rendered if times and times.begun is not None else None,
                steps=rendering.steps if rendering else {},
                fetched=rendering.fetched if rendering else 0,
            )
        )

    def _note(self, scope: Scope, context: RequestContext) -> None:
        """Take note of what was captured, or failed to be: of what came as far as to name its target."""
        target: str | None = scope["state"].get("target")
        if target is None:
            return
        rendering: Rendering | None = scope["state"].get("rendering")
        key = context.authenticated.key if context.authenticated else None
        self._state.captures.note(
            history.CaptureRecord(
                moment=timestamps.now(),
                request=context.id,
                caller=f"{key.prefix} ({key.name})" if key else scope["state"]["caller"],
                target=_shown(target, context, with_query=False),
                status=context.status,
                code=context.error.code if context.error else None,
                milliseconds=round((time.monotonic() - context.begun) * 1000),
                bytes=sum(len(product.content) for product in rendering.products) if rendering else 0,
            )
        )

    def _route(self, scope: Scope) -> str:
        """Return the template of what was asked for: a stranger's paths must not become labels."""
        path = scope["path"].rstrip("/") or "/"
        if path in self._routes:  # also those that did not come as far as routing
            return path
        for above in ("/v1", ROOT):
            if path.startswith(f"{above}/"):
                return str(scope.get("path_template") or f"{above}/{{path}}")
        return OTHER

    def _log(self, scope: Scope, context: RequestContext) -> None:
        if not self._log_health and scope["path"] in OPS_PATHS and context.status in _EXPECTED:
            return
        target, times = scope["state"].get("target"), _times_of(scope)
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
            fetched=scope["state"].get("fetched"),
            refused=scope["state"].get("refused") or None,
            target=_shown(target, context, with_query=self._log_queries) if target else None,
            error=context.error.code if context.error else None,
            reason=context.error.reason if isinstance(context.error, TargetNotAllowed | CrossSite) else None,
        )


def _shown(target: str, context: RequestContext, *, with_query: bool) -> str:
    """Return what was to be shot, as it may be kept: what is no URL may be anything."""
    return logs.NO_URL if isinstance(context.error, InvalidUrl) else logs.shown_url(target, with_query=with_query)


def _asks_for_a_shot(scope: Scope, context: RequestContext) -> bool:
    """Say whether a picture was asked for by somebody who may: with a good key, or on the operator's page."""
    if context.authenticated is None:
        return "caller" in scope["state"]
    return context.authenticated.bucket_state.kind == "screenshot"


def _times_of(scope: Scope) -> QueueTimes | None:
    """Return how long the request waited and took, if it came to the queue."""
    times = cast("QueueTimes | None", scope["state"].get("times"))
    return times if times is not None and times.arrived is not None else None


def _was_loaded(scope: Scope) -> bool:
    """Say whether a page was loaded for the request: from its turn on, it has cost what a picture costs."""
    times = _times_of(scope)
    return times is not None and times.begun is not None


def _milliseconds(seconds: float | None) -> int:
    return round((seconds or 0) * 1000)


def _headers(context: RequestContext, times: QueueTimes | None) -> list[tuple[bytes, bytes]]:
    named = {"X-Request-Id": context.id}
    if times is not None:
        named |= {
            "X-Queue-Time-Ms": str(_milliseconds(times.queued)),
            "X-Render-Time-Ms": str(_milliseconds(times.rendered)),
        }
    if context.bucket_state is not None:
        named |= context.bucket_state.headers(time.time())
    if context.ignored:
        named["X-Ignored-Fields"] = ", ".join(_NAME.sub("?", name)[:64] for name in context.ignored)
    return [(name.lower().encode(), value.encode()) for name, value in named.items()]


async def _respond(response: Response[Any], scope: Scope, receive: Receive, send: Send) -> None:
    await response.to_asgi_response(None, BoxRequest(scope))(scope, receive, send)


def answer(request: AnyRequest, error: Exception) -> Response[Any]:
    """Turn any failure into the answer that this client understands: the one place where that happens."""
    context = context_of(request.scope)
    known = _known(error, request, context)
    context.error = known
    if isinstance(known, Limited):
        context.authenticated, context.bucket_state = known.authenticated, known.authenticated.bucket_state
    if context.authenticated is not None and known.is_free(loaded=_was_loaded(request.scope)):
        context.bucket_state = request.app.state.authenticator.give_back(
            context.authenticated, bounded=not known.blames_box
        )
    if request.app.state.front.shows_page(request.scope) and (page := refusal(request, known, context.id)):
        return page
    body = error_body(known, context.id, request.headers.get("user-agent", ""))
    return Response(body, status_code=known.status, headers=known.headers)


_NOTHING_HERE = "There is nothing here; / says what there is."
_ONLY_PAGE_HERE = "There is nothing here but /admin."


_PLAIN: dict[int, Callable[[str], BoxError]] = {  # by the path that was asked for
    404: lambda _: NotFound(_NOTHING_HERE),
    413: lambda path: RequestTooLarge(f"The body must be at most {_bound_of(path)} bytes."),
}


def _bound_of(path: str) -> int:
    return LARGEST_FORM if is_below(path) else LARGEST_BODY


def _known(error: Exception, request: AnyRequest, context: RequestContext) -> BoxError:
    if isinstance(error, BoxError):
        return error
    if isinstance(error, InternalServerException) and "disconnected" in error.detail:
        return InvalidRequest("The body ended before it was whole.")
    if isinstance(error, DatabaseError) and request.app.state.front.shows_page(request.scope):
        logs.fault("request_failed", error, id=context.id)
        return ServiceUnavailable(database.trouble(error, request.app.state.settings.database_path), BUSY_SECONDS)
    if not isinstance(error, HTTPException) or error.status_code >= 500:  # noqa: PLR2004 - our faults
        logs.fault("request_failed", error, id=context.id)
        return InternalError("The box failed to do this; its log has the reason under the request id.")
    if error.status_code == 405:  # noqa: PLR2004 - the one whose headers matter
        return MethodNotAllowed(f"{request.method} is not for this path.", headers=dict(error.headers or {}))
    plain = _PLAIN.get(error.status_code)
    return plain(request.scope["path"]) if plain else InvalidRequest("The request must have a JSON object as its body.")
