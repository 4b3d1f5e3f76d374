"""One key on the page: all its secrets, what it used, and what can be done to it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlite_utils
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from .. import config, keys
from ..errors import NotFound, OperatorError
from ..keys import GeneratedKey, KeySecret, plans, usage_store
from ..keys.usage_store import Counts
from ..services import Services
from ..storage.audit import Actor
from ..storage.database import typed
from . import expiry, formatting, forms, key_list
from .api_keys import hosts_in, shown_once
from .forms import Form, Outdated
from .templating import actor_of, moved, page

AnyRequest = Request[Any, Any, Any]

GRACES = [("0s", "at once"), ("1h", "in 1 hour"), ("24h", "in 24 hours"), ("7d", "in 7 days")]
DONE = {"saved": "The changes are saved, and hold from the next request on.", "nothing": "Nothing was changed."}
LARGEST_ID = 2**63 - 1  # SQLite's


@get("/keys/{key_id:int}")
async def show(key_id: FromPath[int], request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Show the key."""
    return await _shown(services, key_id, Form({"grace": "24h"}), DONE.get(request.query_params.get("done", ""), ""))


@get("/keys/{key_id:int}/edit")
async def ask(key_id: FromPath[int], services: NamedDependency[Services]) -> Response[str]:
    """Ask what is to be changed."""
    key = await _found(services, key_id)
    hosts = "\n".join((key.allow_hosts or "").split(",")).strip()
    known = {"name": key.name, "plan": key.plan.name, "environment": key.environment or "", "allow_hosts": hosts}
    shown = {"expires": expiry.AS_IT_IS, "shown": forms.mark(_state_of(key))}
    return await _asked(services, key, Form(known | shown))


@post("/keys/{key_id:int}/edit", status_code=200)
async def edit(key_id: FromPath[int], request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Change the key."""
    key = await _found(services, key_id)
    form = await forms.sent(request)
    try:
        changes = _changes(key, form)
        if changes:
            forms.require_shown(form, _state_of(key))
            await services.database.run(_edit, form, key_id, changes, actor_of(request))
    except Outdated:
        key = await _found(services, key_id)
        forms.outdated(form, "key", _state_of(key))
        return await _asked(services, key, form)
    except OperatorError as error:
        form.refuse(error)
        return await _asked(services, key, form)
    return moved(f"/admin/keys/{key_id}?done={'saved' if changes else 'nothing'}")


def _edit(db: sqlite_utils.Database, form: Form, key_id: int, changes: dict[str, Any], by: Actor) -> None:
    def require(key: KeySecret) -> None:
        forms.require_shown(form, _state_of(key))

    keys.edit(db, key_id, changes, by=by, require=require)


def _state_of(key: KeySecret) -> dict[str, Any]:
    """Return all that the form shows of *key*, in words of people."""
    hosts = (key.allow_hosts or "").replace(",", " ")
    return {
        "name": key.name,
        "plan": key.plan.name,
        "environment": key.environment,
        "allowed_hosts": hosts,
        "expiry": key.expires_at,
    }


def _changes(key: KeySecret, form: Form) -> dict[str, Any]:
    """Return what differs from *key* in the form: the audit tells of nothing else."""
    values = form.values
    told: dict[str, Any] = {"name": values.get("name", ""), "plan": values.get("plan", "")}
    told["environment"] = values.get("environment") or None
    known = {"name": key.name, "plan": key.plan.name, "environment": key.environment}
    changes = {name: value for name, value in told.items() if value != known[name]}
    hosts = hosts_in(values.get("allow_hosts", ""))
    if sorted(hosts) != sorted((key.allow_hosts or "").split(",") if key.allow_hosts else []):
        changes["allow_hosts"] = hosts
    span = expiry.lifetime(form, datetime.now(UTC))
    if span != expiry.AS_IT_IS:
        changes["expires"] = span
    return changes


@post("/keys/{key_id:int}/rotate", status_code=200)
async def rotate(key_id: FromPath[int], request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Give the key a new secret, and show it in this very answer."""
    key = await _found(services, key_id)
    form = await forms.sent(request)
    try:
        grace = _grace(form)
        _require_newest(key, form.values.get("prefix", ""))  # here too, before any slow work
        generated = await services.hasher.generated()
        new, secret = await services.database.run(_rotate, generated, key, grace, actor_of(request))
    except OperatorError as error:
        form.refuse(error)
        return await _shown(services, key_id, form)
    return shown_once(request, new, secret, grace=dict(GRACES)[form.values["grace"]])


def _grace(form: Form) -> timedelta:
    if form.values.get("grace") not in dict(GRACES):
        raise OperatorError("Choose one of these.", field="grace")
    return config.duration(form.values["grace"])


def _rotate(
    db: sqlite_utils.Database, generated: GeneratedKey, key: KeySecret, grace: timedelta, by: Actor
) -> tuple[KeySecret, str]:
    _require_newest(keys.find(db, key.id), key.prefix)
    return keys.rotate(db, generated, key.id, grace=grace, by=by)


def _require_newest(key: KeySecret, seen: str) -> None:
    """Refuse a form that was sent before: a reload or a double click must not rotate once more."""
    if seen != key.prefix:
        raise OperatorError(
            "Nothing was done now: the key has been rotated since this form was shown, and has the secret "
            f"{key.prefix}…. If you have not got that, rotate once more.",
            field="grace",
        )


@post("/keys/{key_id:int}/delete", status_code=200)
async def delete(key_id: FromPath[int], request: AnyRequest, services: NamedDependency[Services]) -> Response[str]:
    """Revoke all secrets of the key, at once."""
    key = await _found(services, key_id)
    form = await forms.sent(request)
    if form.values.get("typed") != key.name:
        form.errors["typed"] = "That is not the name of this key."
        return await _shown(services, key_id, form)
    await services.database.run(keys.revoke, key_id, by=actor_of(request))
    return moved(f"/admin/keys/{key_id}")


# --- what is shown ------------------------------------------------------------------------------


async def _found(services: Services, key_id: int) -> KeySecret:
    key: KeySecret = await _read(services, key_id, keys.find)
    return key


async def _read(services: Services, key_id: int, function: Callable[..., Any], *more: Any) -> Any:
    try:
        return await services.database.run(function, max(0, min(key_id, LARGEST_ID)), *more)
    except OperatorError:
        raise NotFound("There is no such key; it may have been forgotten by `keys prune`.") from None


async def _shown(services: Services, key_id: int, form: Form, done: str = "") -> Response[str]:
    told = await _read(services, key_id, _told, datetime.now(UTC))
    form.values.setdefault("grace", "24h")
    return page(
        "key.html", section="keys", status=400 if form.errors else 200, form=form, done=done, graces=GRACES, **told
    )


def _told(db: sqlite_utils.Database, key_id: int, now: datetime) -> dict[str, Any]:
    """Return all that the page of a key says of it."""
    key, found = keys.find(db, key_id), keys.secrets_of(db, key_id)
    this = usage_store.period_of(now.date())
    by_day = usage_store.tally(db, key_id, since=this.name)
    month, in_all = Counts(), Counts()
    for counts in by_day.values():
        month.add(counts)
    for counts in usage_store.months(db, [key_id]).values():
        in_all.add(counts)
    live = key.is_live(now)
    used = max((secret.last_used_at for secret in found if secret.last_used_at), default=None)
    (made,) = db.execute("select created_at from keys where id = ?", [key_id]).fetchone()  # longer ago than its secret
    return {
        "key": key,
        "state": key.state(now),
        "live": live,
        "prune": typed(db, "keys prune"),
        "secrets": [(secret, secret.state(now)) for secret in found],
        "used": used,
        "made": made,
        "unused": live and formatting.read(used or made) < now - key_list.UNUSED_AFTER,
        "old": live and formatting.read(key.created_at) < now - key_list.ROTATE_AFTER,
        "month": month,
        "in_all": in_all,
        "days": [(day, by_day.get((key_id, day), Counts()).screenshots) for day in key_list.days_of(this)],
        "begins": f"{this.ends:%Y-%m-%d}",
    }


async def _asked(services: Services, key: KeySecret, form: Form) -> Response[str]:
    return page(
        "edit_key.html",
        section="keys",
        status=400 if form.errors else 200,
        key=key,
        form=form,
        plans=await services.database.run(plans.plans),
        environments=await services.database.look(key_list.environments),
        expiries=[(expiry.AS_IT_IS, "As it is"), *expiry.CHOICES],
    )


routes = [show, ask, edit, rotate, delete]
