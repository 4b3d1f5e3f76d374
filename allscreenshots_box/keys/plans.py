"""Plans: how much the keys on them may ask for, in an hour, at once and in a month."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import sqlite_utils

from ..errors import OperatorError
from ..storage.audit import COMMAND_LINE, Actor, record
from ..storage.database import acting, typed

Kind = Literal["screenshot", "general"]

HOUR = 3600  # seconds
UNLIMITED = "unlimited"  # how people write the quota that is None
QUOTAS = ("screenshots_per_month", "bandwidth_per_month")
LARGEST = 2_147_483_647  # clients read counts as 32-bit integers
_LARGEST = {"bandwidth_per_month": 2**62, "weight": 100}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much a key may ask for. Monthly quotas None are unlimited."""

    name: str
    screenshots_per_hour: int
    screenshots_burst: int
    requests_per_hour: int
    requests_burst: int
    screenshots_per_month: int | None = None
    bandwidth_per_month: int | None = None
    weight: int = 1  # turns in the queue, to one of a plan with weight 1

    def rate(self, kind: Kind) -> tuple[float, int]:
        """Return (tokens a second, burst) for requests of *kind*."""
        if kind == "screenshot":
            return self.screenshots_per_hour / HOUR, self.screenshots_burst
        return self.requests_per_hour / HOUR, self.requests_burst


def plans(db: sqlite_utils.Database) -> list[Plan]:
    """Return every plan, by name."""
    return [Plan(**row) for row in db.query("select * from plans order by name")]


def set_plan(  # noqa: PLR0913 - each says something else of the same change
    db: sqlite_utils.Database,
    name: str,
    changes: dict[str, Any],
    *,
    anew: bool = False,
    by: Actor = COMMAND_LINE,
    require: Callable[[Plan | None], None] = lambda _plan: None,
) -> Plan:
    """Make the plan *name*, or change it unless it must be made *anew*.

    What *changes* leaves out, or has as None, stays or is the default plan's; a quota goes with UNLIMITED.
    *require* is given the plan as it is until then, if there is one: what it raises leaves that so.
    Raises OperatorError for a number out of range.
    """
    if not name or name != name.strip() or len(name) > 100 or not name.isprintable():  # noqa: PLR2004 - as key names
        raise OperatorError(
            "The name of a plan must be 1 to 100 printable characters without spaces around them.", field="name"
        )
    with acting(db):
        known = {plan.name: plan for plan in plans(db)}
        require(known.get(name))
        if anew and name in known:
            raise OperatorError(
                f"There is a plan {name!r} already: change that one, or choose another name.", field="name"
            )
        base = asdict(known.get(name) or known["default"])
        said = {field: None if value == UNLIMITED else value for field, value in _given(changes).items()}
        plan = Plan(**base | said | {"name": name})
        require_sane(plan)
        row = asdict(plan)
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        updates = ", ".join(f"{column} = excluded.{column}" for column in row)
        db.execute(
            f"insert into plans ({columns}) values ({marks}) on conflict (name) do update set {updates}",
            list(row.values()),
        )
        told = ", ".join(f"{field.replace('_', ' ')} {value}" for field, value in _given(changes).items())
        record(db, by, "set plan", f"{name}: {told}")
    return plan


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in changes.items() if value is not None}


def remove_plan(db: sqlite_utils.Database, name: str, *, by: Actor = COMMAND_LINE) -> None:
    """Forget a plan. Raises OperatorError if there is none, or keys are on it."""
    with acting(db):
        if name == "default":
            raise OperatorError("The plan 'default' stays: change its limits instead.")
        known = [plan.name for plan in plans(db)]
        if name not in known:
            raise OperatorError(no_plan(name, known))
        users = [row["name"] for row in db.query("select distinct name from keys where plan = ? limit 3", [name])]
        if users:
            raise OperatorError(
                f"Keys are on the plan {name!r} ({', '.join(users)}): move each to another plan, "
                f"or forget those that are revoked with `{typed(db, 'keys prune')}`."
            )
        db.execute("delete from plans where name = ?", [name])
        record(db, by, "remove plan", name)


def no_plan(name: str, known: Sequence[str]) -> str:
    """Return the sentence for a plan that there is not."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no plan {name!r}: the plans are {', '.join(known)}.{hint}"


def require_sane(plan: Plan) -> None:
    """Raise OperatorError unless all numbers of *plan* are in range."""
    for field, value in asdict(plan).items():
        largest = _LARGEST.get(field, LARGEST)
        if isinstance(value, int) and not 1 <= value <= largest:
            words = field.replace("_", " ").capitalize()
            raise OperatorError(f"{words} must be between 1 and {largest}, not {value}.", field=field)
