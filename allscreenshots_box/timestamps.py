"""Moments as they are stored: in UTC, to the millisecond, in the one spelling that sorts as text."""

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """Return *moment* as it is stored."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """Return this moment as it is stored."""
    return stamp(datetime.now(UTC))
