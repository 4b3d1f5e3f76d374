"""All that is below /admin, as one router."""

from litestar import Router
from litestar.di import Provide

from . import account, activity, api_key, api_keys, overview, plans, playground, sign_in, static_files
from .authentication import require_operator
from .body import LARGEST_FORM
from .forms import Tickets


def router() -> Router:
    """Return everything below /admin."""
    tickets = Tickets()
    return Router(
        "/admin",
        route_handlers=[
            *overview.routes,
            *api_keys.routes,
            *api_key.routes,
            *plans.routes,
            *playground.routes,
            *activity.routes,
            *sign_in.routes,
            *account.routes,
            *static_files.routes,
        ],
        guards=[require_operator],
        request_max_body_size=LARGEST_FORM,
        dependencies={"tickets": Provide(lambda: tickets, sync_to_thread=False)},
        include_in_schema=False,
    )
