"""Where everything long-lived is made, joined, and in the end closed."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import cast

from litestar import HttpMethod, Litestar, Router, route
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.params import FromPath

from . import __version__, keys, logs
from .admin.authentication import ROOT, AdminAuthentication
from .admin.routes import router
from .admin.status import BoxStatus
from .api import reference, screenshots
from .api import usage as statements
from .api.openapi import Described
from .captures import history
from .config import Settings
from .egress import policy
from .errors import (
    NotFound,
)
from .front import LARGEST_BODY, BoxRequest, Front, answer
from .keys import usage
from .keys.authentication import Authenticator
from .keys.plans import Buckets
from .metrics import Metrics, Sample
from .render.browsers import processes
from .render.renderer import Renderer, equipment, running
from .storage import database
from .web import probes
from .web.readiness import Readiness

Rendering = Callable[[], AbstractAsyncContextManager[Renderer]]


def create_app(settings: Settings, rendering: Rendering | None = None) -> Litestar:
    """Return the box as an ASGI application; nothing is opened until it starts.

    *rendering* opens a renderer other than the browser that the settings describe.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        opened = rendering() if rendering is not None else _rendering(settings)
        connected = database.connected(settings.database_path)
        async with connected as db, usage.counting(db) as counted, history.noting(db) as noted, opened as renderer:
            hasher, buckets = keys.hasher_of(settings.argon2_memory, settings.argon2_passes), Buckets()
            authenticator, authentication = (
                Authenticator(db, hasher, buckets),
                AdminAuthentication(db, hasher, Buckets()),
            )
            app.state.update(
                {
                    "database": db,
                    "renderer": renderer,
                    "authenticator": authenticator,
                    "authentication": authentication,
                    "hasher": hasher,
                }
            )
            app.state.readiness = Readiness(renderer, db, settings.data_dir)
            metrics.watch(lambda: _sample(app.state), _memory)
            app.state.update({"usage": counted, "captures": noted, "buckets": buckets, "begun": datetime.now(UTC)})
            yield
            app.state.readiness.close()
            await app.state.authenticator.close()
            await app.state.authentication.close()

    metrics = Metrics(__version__, keys=settings.metrics_keys)
    app = Litestar(
        [
            *probes.routes,
            *reference.routes,
            *([] if settings.no_admin else [router()]),
            Router("/v1", route_handlers=[*screenshots.routes, *statements.routes, nothing]),
        ],
        lifespan=[lifespan],
        dependencies={
            "renderer": Provide(provide_renderer, sync_to_thread=False),
            "readiness": Provide(provide_readiness, sync_to_thread=False),
            "counted": Provide(provide_metrics, sync_to_thread=False),
            "usage": Provide(provide_usage, sync_to_thread=False),
            "authentication": Provide(provide_authentication, sync_to_thread=False),
            "buckets": Provide(provide_buckets, sync_to_thread=False),
            "box_status": Provide(provide_box_status, sync_to_thread=False),
        },
        exception_handlers={Exception: answer},
        request_class=BoxRequest,
        request_max_body_size=LARGEST_BODY,
        openapi_config=_openapi(),
        logging_config=None,  # ours is set up by the server
    )
    app.state.update({"metrics": metrics, "settings": settings})
    app.state.page = None if settings.no_admin or settings.admin_address else ROOT
    routes = frozenset(route.path for route in app.routes)
    app.state.front = app.asgi_handler = Front(app.asgi_handler, app.state, settings, routes)
    return app


async def reload(app: Litestar, settings: Settings) -> None:
    """Let the running *app* go by *settings*, which differ only in what it can take up.

    Raises OperatorError, and has changed nothing then.
    """
    await app.state.renderer.reload(policy.policy_of(settings), settings.block_rules)
    app.state.front.reload(settings)
    app.state.settings = settings
    logs.choose(settings.log_level, settings.log_levels)


def _sample(state: State) -> Sample:
    slots, in_use, waiting = state.renderer.standing
    return Sample(
        slots=slots,
        in_use=in_use,
        waiting=waiting,
        restarts=state.renderer.restarts,
        proofs=state.authenticator.proofs,
        ready=not state.readiness.reasons,
    )


def _memory() -> dict[str, int]:
    server, browser = processes.weigh(os.getpid())
    return {"server": server, "browser": browser}


def _rendering(settings: Settings) -> AbstractAsyncContextManager[Renderer]:
    return running(equipment(settings), policy.policy_of(settings))


def _openapi() -> OpenAPIConfig:
    scheme = SecurityScheme(
        type="apiKey",
        name="X-API-Key",
        security_scheme_in="header",
        description="A key of this box: 48 characters that begin with `ask_`. Never in a URL, never in a browser.",
    )
    return OpenAPIConfig(
        title="allscreenshots-box",
        version=__version__,
        description="Screenshots of web pages, taken on your own machine. Every path under `/v1` needs a key.",
        path="/schema",
        render_plugins=[Described(path="/openapi.json")],
        tags=[
            Tag(name="Screenshot", description="Pictures of web pages, and what else can be made of them."),
            Tag(name="Usage", description="What has been used; one token of the key's bucket `general` each."),
        ],
        components=Components(security_schemes={"ApiKey": scheme}),
        security=[{"ApiKey": []}],
    )


def provide_renderer(state: State) -> Renderer:
    """Hand the renderer to the handlers that ask for it."""
    return cast("Renderer", state.renderer)


def provide_readiness(state: State) -> Readiness:
    """Hand over what knows whether the box is ready."""
    return cast("Readiness", state.readiness)


def provide_metrics(state: State) -> Metrics:
    """Hand over what counts."""
    return cast("Metrics", state.metrics)


def provide_usage(state: State) -> usage.Usage:
    """Hand the counters to the handlers that ask for them."""
    return cast("usage.Usage", state.usage)


def provide_authentication(state: State) -> AdminAuthentication:
    """Hand over what lets operators in."""
    return cast("AdminAuthentication", state.authentication)


def provide_buckets(state: State) -> Buckets:
    """Hand over the buckets of all who are limited."""
    return cast("Buckets", state.buckets)


def provide_box_status(state: State) -> BoxStatus:
    """Hand over all that the operator's page looks at."""
    return BoxStatus(
        settings=state.settings,
        begun=state.begun,
        database=state.database,
        renderer=state.renderer,
        readiness=state.readiness,
        usage=state.usage,
        captures=state.captures,
    )


@route("/{path:path}", http_method=list(HttpMethod), include_in_schema=False, status_code=404)
async def nothing(path: FromPath[str]) -> None:  # noqa: ARG001 - not repeated: some people put secrets there
    """Answer for every path under /v1 that is nothing else: behind authentication, like all of them."""
    raise NotFound("There is nothing here; /schema/openapi.json lists what there is.")
