"""The operator's page: what it shows, and what can be done on it."""

from litestar import Router
from litestar.di import Provide

from . import account, activity, api_key, api_keys, files, overview, plans, playground, sign_in
from .body import LARGEST_FORM, read_form
from .condition import Insight
from .door import ROOT, Door, is_below, require_operator
from .fields import Tickets
from .refusal import refusal

__all__ = ["LARGEST_FORM", "ROOT", "Door", "Insight", "is_below", "read_form", "refusal", "router"]


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
            *files.routes,
        ],
        guards=[require_operator],
        request_max_body_size=LARGEST_FORM,
        dependencies={"tickets": Provide(lambda: tickets, sync_to_thread=False)},
        include_in_schema=False,
    )
