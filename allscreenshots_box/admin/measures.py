"""Amounts as people read them."""

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
