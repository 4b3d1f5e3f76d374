"""Where in its life a secret stands, and whether it works: one function, and one piece of SQL that says the same.

Moments are as they are stored: spelled so that they sort as text.
"""

from typing import Literal

State = Literal["active", "retiring", "retired", "expired", "revoked"]

WORKING = ("active", "retiring")

# What was stopped by an act stays stopped, whatever the clock says since; by a rotation, both moments are equal.
STATE = """case
    when revoked_at = retires_at then 'retired'
    when revoked_at is not null then 'revoked'
    when expires_at <= :now then 'expired'
    when retires_at is null then 'active'
    when retires_at > :now then 'retiring'
    else 'retired' end"""
WORKS = f"{STATE} in {WORKING}"


def state_of(now: str, *, revoked_at: str | None, retires_at: str | None, expires_at: str | None) -> State:
    """Return where a secret stands *now*, by its own ends and that of its key: as STATE does of a row of both."""
    if revoked_at is not None:
        return "retired" if revoked_at == retires_at else "revoked"
    if expires_at is not None and expires_at <= now:
        return "expired"
    if retires_at is None:
        return "active"
    return "retiring" if retires_at > now else "retired"


def works(now: str, *, revoked_at: str | None, retires_at: str | None, expires_at: str | None) -> bool:
    """Say whether requests with such a secret are let in *now*: as WORKS does."""
    return state_of(now, revoked_at=revoked_at, retires_at=retires_at, expires_at=expires_at) in WORKING
