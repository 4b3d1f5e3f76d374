"""Amounts and moments as people read them: in the unit that leaves few digits, in UTC, and how long ago or ahead."""

from datetime import UTC, datetime, timedelta

ALMOST = timedelta(minutes=1)  # what is to come in a minute less than a day comes in a day

_STEPS = [  # from this many seconds on, counted in units of so many
    (365 * 86400, 365 * 86400, "year"),
    (60 * 86400, 30 * 86400, "month"),
    (2 * 86400, 86400, "day"),
    (3600, 3600, "hour"),
    (60, 60, "minute"),
]
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


def size(number: float) -> str:
    """Return an amount of bytes in the unit that leaves few digits."""
    for unit in _UNITS:
        if number < _STEP or unit == _UNITS[-1]:
            break
        number /= _STEP
    return f"{number:,.0f} {unit}" if unit == _UNITS[0] or number >= 100 else f"{number:.1f} {unit}"  # noqa: PLR2004


def span(milliseconds: float) -> str:
    """Return a span of time, in milliseconds below a second."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"  # noqa: PLR2004


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
    told = length_of(past if past >= timedelta() else -past + ALMOST)
    if told is None:
        return "just now" if past >= timedelta() else "in less than a minute"
    return f"{told} ago" if past >= timedelta() else f"in {told}"


def since(stamp: str) -> str:
    """Return how long it is since *stamp*."""
    return length_of(datetime.now(UTC) - read(stamp)) or "less than a minute"


def length_of(length: timedelta) -> str | None:
    """Return a length of time in its largest unit; None for less than a minute."""
    seconds = length.total_seconds()
    for least, unit, name in _STEPS:
        if seconds >= least:
            number = int(seconds // unit)
            return f"{number} {name}{'s' if number > 1 else ''}"
    return None
