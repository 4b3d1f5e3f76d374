"""All that is below /admin, as one router."""

from litestar import Router
from litestar.di import Provide

from . import account, activity, api_key, api_keys, overview, plans, playground, sign_in, static_files
from .authentication import require_operator
from .forms import LARGEST_FORM, FormRequest, FormTokens


def router() -> Router:
    """Return everything below /admin."""
    form_tokens = FormTokens()
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
        request_class=FormRequest,
        request_max_body_size=LARGEST_FORM,
        dependencies={"form_tokens": Provide(lambda: form_tokens, sync_to_thread=False)},
        include_in_schema=False,
    )
