"""How long a key is to work, as a form asks for it: for ever, for one of some spans, or as somebody types."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from ..config import duration
from ..errors import OperatorError
from .forms import Form

NEVER, OTHER = "never", "other"
AS_IT_IS: Literal[""] = ""
CHOICES = [
    (NEVER, "Never"),
    ("30d", "In 30 days"),
    ("90d", "In 90 days"),
    ("365d", "In a year"),
    (OTHER, "At another time:"),
]


def lifetime(form: Form, now: datetime) -> timedelta | Literal[""] | None:
    """Return how long from *now* the key is to work: None for ever, AS_IT_IS for no change. Raises OperatorError."""
    chosen, typed = form.values.get("expires", AS_IT_IS), form.values.get("until", "")
    if chosen not in {AS_IT_IS, *(value for value, _ in CHOICES)}:
        raise OperatorError("Choose one of these.", field="expires")
    if chosen != OTHER:
        if typed:
            raise OperatorError("Choose “At another time” for this to count, or leave it empty.", field="until")
        if chosen == AS_IT_IS:
            return AS_IT_IS
        return None if chosen == NEVER else duration(chosen)
    try:
        span = _ahead(typed, now)
        now + span
    except OperatorError as error:
        raise OperatorError(str(error), field="until") from None
    except OverflowError:
        raise OperatorError("That is further than the calendar goes: say less.", field="until") from None
    if span <= timedelta():
        raise OperatorError("A key must live for at least 1s.", field="until")
    return span


def _ahead(text: str, now: datetime) -> timedelta:
    """Read a date, to whose end it is so long from *now*, or a duration. Raises OperatorError."""
    try:
        last = date.fromisoformat(text)
    except ValueError:
        try:
            return duration(text)
        except ValueError:
            raise OperatorError(
                "Another time must be a date such as 2027-03-31, or a span such as 36h or 45d."
            ) from None
    if last < now.date():
        raise OperatorError("The date is past.")
    return datetime.combine(last, time(23, 59, 59), UTC) - now
