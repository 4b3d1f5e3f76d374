"""Where everything long-lived is made, joined, and in the end closed."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp

from . import __version__, keys, logs
from .admin.area import AdminArea
from .admin.authentication import AdminAuthentication
from .admin.path_prefix import ROOT
from .admin.routes import router
from .api import reference, screenshots, unserved
from .api import usage as usage_api
from .api.area import ROOT as API_ROOT
from .api.area import ApiArea
from .api.openapi import Described
from .captures import history
from .captures.capturer import Capturer
from .captures.history import CaptureHistory
from .config import Settings
from .egress import policy
from .keys import usage
from .keys.authentication import Authenticator
from .keys.hashing import Hasher
from .keys.rate_limits import TokenBuckets
from .keys.usage import Usage
from .metrics import Metrics, Sample
from .render.browsers import processes
from .render.browsers.tab_pool import CAUSES
from .render.renderer import Renderer, equipment, running
from .services import Services
from .storage import database
from .storage.database import Database
from .web import probes
from .web.areas import LARGEST_BODY, Area, area_of
from .web.exception_handlers import Answer, answering
from .web.middleware import Middleware, Surroundings
from .web.readiness import Readiness
from .web.request import BoxRequest

Rendering = Callable[[], AbstractAsyncContextManager[Renderer]]


def create_app(settings: Settings, rendering: Rendering | None = None) -> Litestar:
    """Return the box as an ASGI application; nothing is opened until it starts.

    *rendering* opens a renderer other than the browser that the settings describe.
    """
    metrics = Metrics(__version__, keys=settings.metrics_keys)
    areas: list[Area] = []  # those that let people in, once there is what they ask

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        opened = rendering() if rendering is not None else _rendering(settings)
        connected = database.connected(settings.database_path)
        async with connected as db, usage.counting(db) as counted, history.noting(db) as noted, opened as renderer:
            services = _services(settings, db, counted, noted, renderer, metrics)
            authentication = AdminAuthentication(db, services.hasher, TokenBuckets())
            areas[:] = _areas(services, authentication)
            metrics.watch(lambda: _sample(services), _memory)
            app.state.update({"services": services, "authentication": authentication})
            app.state.middleware = app.asgi_handler = _middleware(app, services, areas, metrics, answer, inner)
            yield
            services.readiness.close()
            await services.authenticator.close()
            await authentication.close()
            services.hasher.close()

    answer = answering(partial(area_of, areas))
    app = Litestar(
        [
            *probes.routes,
            *reference.routes,
            *([] if settings.no_admin else [router()]),
            Router(API_ROOT, route_handlers=[*screenshots.routes, *usage_api.routes, *unserved.routes]),
        ],
        lifespan=[lifespan],
        dependencies={
            "services": Provide(provide_services, sync_to_thread=False),
            "authentication": Provide(provide_authentication, sync_to_thread=False),
            "readiness": Provide(provide_readiness, sync_to_thread=False),
            "metrics": Provide(lambda: metrics, sync_to_thread=False),
        },
        exception_handlers={Exception: answer},
        request_class=BoxRequest,
        request_max_body_size=LARGEST_BODY,
        openapi_config=_openapi(),
        logging_config=None,  # ours is set up by the server
    )
    app.state.page = None if settings.no_admin or settings.admin_address else ROOT
    inner, app.asgi_handler = app.asgi_handler, _not_started
    metrics.expect(_operations(app))
    return app


async def _not_started(*_: Any) -> None:
    """Let nobody in before there is what lets people in."""
    raise RuntimeError("The application has not been started.")


def _services(  # noqa: PLR0913, PLR0917 - what was opened for it
    settings: Settings, db: Database, counted: Usage, noted: CaptureHistory, renderer: Renderer, metrics: Metrics
) -> Services:
    hasher, buckets = Hasher(keys.hasher_of(settings.argon2_memory, settings.argon2_passes)), TokenBuckets()
    return Services(
        settings=settings,
        begun=datetime.now(UTC),
        database=db,
        renderer=renderer,
        readiness=Readiness(renderer, db, settings.data_dir),
        hasher=hasher,
        buckets=buckets,
        authenticator=Authenticator(db, hasher, buckets),
        usage=counted,
        history=noted,
        capturer=Capturer(renderer, counted, noted, metrics),
    )


def _areas(services: Services, authentication: AdminAuthentication) -> list[Area]:
    settings = services.settings
    areas: list[Area] = [ApiArea(services.authenticator)]
    if not settings.no_admin:
        areas.append(AdminArea(authentication, "admin" if settings.admin_address else None, settings.database_path))
    return areas


def _middleware(  # noqa: PLR0913, PLR0917 - what it stands between
    app: Litestar, services: Services, areas: list[Area], metrics: Metrics, answer: Answer, inner: ASGIApp
) -> Middleware:
    around = Surroundings(
        areas=areas,
        routes=frozenset(route.path for route in app.routes),
        metrics=metrics,
        answer=answer,
        is_stopping=lambda: services.readiness.draining,
    )
    return Middleware(inner, services.settings, around)


async def reload(app: Litestar, settings: Settings) -> None:
    """Let the running *app* go by *settings*, which differ only in what it can take up.

    Raises OperatorError, and has changed nothing then.
    """
    services = services_of(app)
    await services.renderer.reload(policy.policy_of(settings), settings.block_rules)
    app.state.middleware.reload(settings)
    services.settings = settings
    logs.choose(settings.log_level, settings.log_levels)


def services_of(app: Litestar) -> Services:
    """Return the parts of a running *app*."""
    return cast("Services", app.state.services)


def _operations(app: Litestar) -> set[tuple[str, str]]:
    """Return what callers may ask for, by method and route; what is made for no path of its own is left out."""
    known = {route.path: route.methods - {"OPTIONS"} for route in app.routes if isinstance(route, HTTPRoute)}
    below = [path for path in known if path.startswith(f"{API_ROOT}/") and "{" not in path]
    return {(method, path) for path in below for method in known[path]}


def _sample(services: Services) -> Sample:
    slots, in_use, waiting = services.renderer.standing
    return Sample(
        slots=slots,
        in_use=in_use,
        waiting=waiting,
        restarts=dict.fromkeys(CAUSES, 0) | services.renderer.restarts,
        proofs=services.authenticator.proofs,
        ready=not services.readiness.reasons,
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


def provide_services(state: State) -> Services:
    """Hand the parts of the box to the handlers that ask for them."""
    return cast("Services", state.services)


def provide_authentication(state: State) -> AdminAuthentication:
    """Hand over what lets operators in."""
    return cast("AdminAuthentication", state.authentication)


def provide_readiness(state: State) -> Readiness:
    """Hand over what knows whether the box is ready."""
    return provide_services(state).readiness
