"""Keys on the page: listed, searched and made."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency

from .. import keys
from ..errors import OperatorError
from ..keys import KeySecret
from ..keys import plans as limits
from ..services import Services
from ..storage.database import Database
from . import expiry, forms, key_list
from .forms import Form, FormTokens
from .key_list import Question
from .templating import actor_of, base_of, page

AnyRequest = Request[Any, Any, Any]

SENT_BEFORE = (
    "This form was sent before, and nothing was done now. If a key was made and you have not got its secret, "
    "rotate it: that makes a new one."
)

CURL = """curl -X POST "{base}/v1/screenshots" \\
    -H "X-API-Key: $ALLSCREENSHOTS_API_KEY" \\
    -H "Content-Type: application/json" \\
    -d '{{"url": "https://example.com"}}' \\
    --output screenshot.png"""


@get("/keys")
async def show(request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """List the keys."""
    asked, now = _question(request.query_params), datetime.now(UTC)
    answer = await services.database.look(key_list.look_up, asked, now)
    plans = await services.database.run(limits.plans)

    def at(**changes: Any) -> str:
        """Return the address of this list, changed."""
        asks: dict[str, Any] = {"q": asked.search, "plan": asked.plan, "state": "all" if asked.everything else ""}
        asks |= {"sort": asked.sort, "order": "back" if asked.backwards else "", "page": answer.page}
        told = {name: value for name, value in (asks | changes).items() if value}
        return f"/admin/keys?{urlencode(told)}"

    return page("keys.html", section="keys", answer=answer, asked=asked, plans=plans, now=now, at=at)


def _question(asked: Any) -> Question:
    """Read an address that anybody may have typed: what is not understood is not asked."""
    number = asked.get("page", "")
    return Question(
        search=asked.get("q", "").strip(),
        plan=asked.get("plan", ""),
        everything=asked.get("state") == "all",
        sort=asked["sort"] if asked.get("sort") in key_list.SORTS else "created",
        backwards=asked.get("order") == "back",
        page=int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1,  # noqa: PLR2004
    )


@get("/keys/new")
async def ask(services: NamedDependency[Services], form_tokens: NamedDependency[FormTokens]) -> Response[str]:
    """Ask what a new key is to be."""
    form = Form({"plan": "default", "expires": expiry.NEVER, "organization": keys.DEFAULT_ORGANIZATION})
    return await _asked(services.database, form, form_tokens)


@post("/keys/new", status_code=200)
async def create(
    request: AnyRequest, services: NamedDependency[Services], form_tokens: NamedDependency[FormTokens]
) -> Response[str]:
    """Make a key, and show its secret in this very answer: it is nowhere else."""
    form = await forms.sent(request)
    if not form_tokens.take(form.values.get("ticket", "")):
        form.errors[""] = SENT_BEFORE
        return await _asked(services.database, form, form_tokens)
    try:
        facts = _facts(form)
        generated = await services.hasher.generated()
        key, secret = await services.database.run(keys.create, generated, by=actor_of(request), **facts)
    except OperatorError as error:
        form.refuse(error)
        return await _asked(services.database, form, form_tokens)
    return shown_once(request, key, secret)


def _facts(form: Form) -> dict[str, Any]:
    values = form.values
    return {
        "name": values.get("name", ""),
        "plan": values.get("plan", ""),
        "environment": values.get("environment") or None,
        "organization": values.get("organization") or keys.DEFAULT_ORGANIZATION,
        "allow_hosts": hosts_in(values.get("allow_hosts", "")),
        "lifetime": expiry.lifetime(form, datetime.now(UTC)) or None,
    }


def hosts_in(text: str) -> list[str]:
    """Return the places in *text*: one a line, or with commas or spaces between."""
    return text.replace(",", " ").split()


def shown_once(request: AnyRequest, key: KeySecret, secret: str, *, grace: str = "") -> Response[str]:
    """Return the one page that has *secret*."""
    curl = CURL.format(base=base_of(request))
    return page("secret.html", section="keys", key=key, secret=secret, curl=curl, grace=grace)


async def _asked(database: Database, form: Form, form_tokens: FormTokens) -> Response[str]:
    plans = await database.run(limits.plans)
    known = await database.look(key_list.environments)
    asked_twice = {"", "name"} & set(form.errors)
    twin = await database.run(_live_named, form.values.get("name", "")) if asked_twice else None
    return page(
        "new_key.html",
        section="keys",
        status=400 if form.errors else 200,
        form=form,
        ticket=form_tokens.new(),
        plans=plans,
        environments=known,
        expiries=expiry.CHOICES,
        twin=twin,
    )


def _live_named(db: Any, name: str) -> KeySecret | None:
    try:
        return keys.find(db, name)
    except OperatorError:
        return None


routes = [show, ask, create]
