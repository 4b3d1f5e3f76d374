"""Plans on the page: listed, made, changed and removed."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import sqlite_utils
from litestar import Request, Response, get, post
from litestar.di import NamedDependency

from ..errors import NotFound, OperatorError
from ..keys import plans as limits
from ..keys.plans import Plan
from ..services import Services
from ..storage.audit import Actor
from . import forms, key_list
from .forms import Form, Outdated
from .templating import actor_of, moved, page

AnyRequest = Request[Any, Any, Any]

DONE = {"saved": "The plan is saved, and holds from the next request on.", "removed": "The plan is removed."}
NUMBERS = [name for name in Plan.__dataclass_fields__ if name != "name"]
_MOST_DIGITS = 25  # Python reads thousands, slowly; no limit has as many


@get("/plans")
async def show(request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """List the plans."""
    plans = await services.database.look(_told)
    done = DONE.get(request.query_params.get("done", ""), "")
    return page("plans.html", section="plans", plans=plans, done=done, address=address, on=_keys_on)


def _told(db: sqlite_utils.Database) -> list[tuple[Plan, int, int]]:
    """Return every plan with how many keys are on it: those that work, and all."""
    counted = key_list.on_plans(db, datetime.now(UTC))
    return [(plan, *counted.get(plan.name, (0, 0))) for plan in limits.plans(db)]


def address(name: str, act: str = "edit") -> str:
    """Return where the plan *name* is; in the query, as a name may have slashes."""
    return f"/admin/plans/{act}?{urlencode({'name': name})}"


def _keys_on(name: str) -> str:
    return f"/admin/keys?{urlencode({'plan': name, 'state': 'all'})}"


@get("/plans/new")
async def ask(services: NamedDependency[Services]) -> Response[str]:
    """Ask what a new plan is to allow: as much as the default one, to begin with."""
    default, _ = await _found(services, "default")
    return _asked(None, _form_of(default))


@post("/plans/new", status_code=200)
async def create(request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Make a plan."""
    form = await forms.sent(request)
    try:
        name = form.values.get("name", "")
        await services.database.run(limits.set_plan, name, _limits(form), anew=True, by=actor_of(request))
    except OperatorError as error:
        form.refuse(error)
        return _asked(None, form)
    return moved("/admin/plans?done=saved")


@get("/plans/edit")
async def ask_again(request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Ask what is to be changed."""
    plan, number = await _found(services, request.query_params.get("name", ""))
    return _asked(plan.name, _form_of(plan), number)


@post("/plans/edit", status_code=200)
async def edit(request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Change a plan."""
    plan, number = await _found(services, request.query_params.get("name", ""))
    form = await forms.sent(request)
    try:
        known = asdict(plan)
        said = _limits(form)
        changes = {field: value for field, value in said.items() if value != (known[field] or limits.UNLIMITED)}
        if changes:
            forms.require_shown(form, _shown_of(plan))
            await services.database.run(_edit, form, plan.name, changes, actor_of(request))
    except Outdated:
        plan, number = await _found(services, plan.name)
        forms.outdated(form, "plan", _shown_of(plan))
        return _asked(plan.name, form, number)
    except OperatorError as error:
        form.refuse(error)
        return _asked(plan.name, form, number)
    return moved("/admin/plans?done=saved")


def _edit(db: sqlite_utils.Database, form: Form, name: str, changes: dict[str, Any], by: Actor) -> None:
    def require(plan: Plan | None) -> None:  # one that is gone must not come back by an old form
        forms.require_shown(form, _shown_of(plan) if plan else {})

    limits.set_plan(db, name, changes, by=by, require=require)


@post("/plans/remove", status_code=200)
async def remove(request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Remove a plan that no key is on."""
    plan, number = await _found(services, request.query_params.get("name", ""))
    try:
        await services.database.run(limits.remove_plan, plan.name, by=actor_of(request))
    except OperatorError as error:
        form = _form_of(plan)
        form.refuse(error)
        return _asked(plan.name, form, number)
    return moved("/admin/plans?done=removed")


async def _found(services: Services, name: str) -> tuple[Plan, int]:
    for plan, _, number in await services.database.look(_told):
        if plan.name == name:
            return plan, number
    raise NotFound("There is no such plan.")


def _form_of(plan: Plan) -> Form:
    shown = _shown_of(plan)
    return Form(shown | {"shown": forms.mark(shown)})


def _shown_of(plan: Plan) -> dict[str, str]:
    known = asdict(plan)
    return {field: limits.UNLIMITED if known[field] is None else str(known[field]) for field in NUMBERS}


def _limits(form: Form) -> dict[str, Any]:
    """Return the limits in *form*. Raises OperatorError for the first that is no number."""
    return {field: _read(field, form.values.get(field, "")) for field in NUMBERS}


def _read(field: str, text: str) -> int | str:
    text = text.replace(",", "").replace("_", "").replace(" ", "")
    if field in limits.QUOTAS and text.lower() in {"", limits.UNLIMITED}:
        return limits.UNLIMITED
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > _MOST_DIGITS:
        or_not = f", or {limits.UNLIMITED}" if field in limits.QUOTAS else ""
        raise OperatorError(f"{field.replace('_', ' ').capitalize()} must be a whole number{or_not}.", field=field)
    return int(text)


def _asked(name: str | None, form: Form, number: int = 0) -> Response[str]:
    status = 400 if form.errors else 200
    return page(
        "plan.html", section="plans", status=status, form=form, name=name, number=number, address=address, on=_keys_on
    )


routes = [show, ask, create, ask_again, edit, remove]
