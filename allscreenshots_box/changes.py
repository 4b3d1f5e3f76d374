"""What differs between two settings: what a running server takes up, and what waits for a restart."""

from dataclasses import dataclass, fields, replace

from .config import NAMES, Settings

RELOADABLE = frozenset(row.name for row in fields(Settings) if row.metadata["reloadable"])


@dataclass(frozen=True)
class Changes:
    """Settings that take effect now, and the names of those that changed."""

    settings: Settings
    taken: tuple[str, ...]
    waiting: tuple[str, ...]  # for a restart


def between(now: Settings, new: Settings) -> Changes:
    """Return what becomes of *now* while *new* is in the file."""
    changed = [name for name in NAMES if getattr(now, name) != getattr(new, name)]
    live = RELOADABLE
    if (now.tls_cert is None) != (new.tls_cert is None):  # a port that speaks TLS does not change its language
        live = RELOADABLE - {"tls_cert", "tls_key"}
    taken = {name: getattr(new, name) for name in changed if name in live}
    return Changes(replace(now, **taken), tuple(taken), tuple(name for name in changed if name not in live))
