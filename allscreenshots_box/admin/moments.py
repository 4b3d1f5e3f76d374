"""Moments as people read them: in UTC, and how long ago or ahead."""

from datetime import UTC, date, datetime, time, timedelta

from ..config import duration
from ..errors import OperatorError

ALMOST = timedelta(minutes=1)  # what is to come in a minute less than a day comes in a day

_STEPS = [  # from this many seconds on, counted in units of so many
    (365 * 86400, 365 * 86400, "year"),
    (60 * 86400, 30 * 86400, "month"),
    (2 * 86400, 86400, "day"),
    (3600, 3600, "hour"),
    (60, 60, "minute"),
]


def read(stamp: str) -> datetime:
    """Return the moment that the database has as *stamp*."""
    return datetime.fromisoformat(stamp).astimezone(UTC)


def day(stamp: str) -> str:
    """Return the day of UTC."""
    return f"{read(stamp):%Y-%m-%d}"


def full(stamp: str) -> str:
    """Return all of it, to the second."""
    return f"{read(stamp):%Y-%m-%d %H:%M:%S} UTC"


def ago(stamp: str, now: datetime | None = None) -> str:
    """Say how long ago *stamp* was, or in what time it will be."""
    past = (now or datetime.now(UTC)) - read(stamp)
    told = span(past if past >= timedelta() else -past + ALMOST)
    if told is None:
        return "just now" if past >= timedelta() else "in less than a minute"
    return f"{told} ago" if past >= timedelta() else f"in {told}"


def since(stamp: str) -> str:
    """Return how long it is since *stamp*."""
    return span(datetime.now(UTC) - read(stamp)) or "less than a minute"


def span(length: timedelta) -> str | None:
    """Return a length of time in its largest unit; None for less than a minute."""
    seconds = length.total_seconds()
    for least, unit, name in _STEPS:
        if seconds >= least:
            number = int(seconds // unit)
            return f"{number} {name}{'s' if number > 1 else ''}"
    return None


def ahead(text: str, now: datetime) -> timedelta:
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
