"""What differs between two settings: what a running server takes up, and what waits for a restart."""

from dataclasses import dataclass, replace

from .config import NAMES, Settings

LIVE = frozenset(
    {
        "allow",
        "block_rules",
        "deny",
        "drain",
        "log_health",
        "log_level",
        "log_levels",
        "log_queries",
        "tls_cert",
        "tls_key",
        "trusted_proxy",
    }
)


@dataclass(frozen=True)
class Changes:
    """Settings that take effect now, and the names of those that changed."""

    settings: Settings
    taken: tuple[str, ...]
    waiting: tuple[str, ...]  # for a restart


def between(now: Settings, new: Settings) -> Changes:
    """Return what becomes of *now* while *new* is in the file."""
    changed = [name for name in NAMES if getattr(now, name) != getattr(new, name)]
    live = LIVE
    if (now.tls_cert is None) != (new.tls_cert is None):  # a port that speaks TLS does not change its language
        live = LIVE - {"tls_cert", "tls_key"}
    taken = {name: getattr(new, name) for name in changed if name in live}
    return Changes(replace(now, **taken), tuple(taken), tuple(name for name in changed if name not in live))
