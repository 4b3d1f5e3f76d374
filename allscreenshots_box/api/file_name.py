"""The name under which a browser or a download saves a result: that of the host, and never a stranger's words."""

import re

from ..egress.policy import parse

LONGEST_HOST = 64  # characters of it in a name; file systems take 255 bytes, people less

_UNSAFE = re.compile(r"[^a-z0-9.-]+")


def disposition(url: str, extension: str) -> str:
    """Return the Content-Disposition of a picture or PDF of *url*: shown, and saved by a name that is safe anywhere."""
    name = _UNSAFE.sub("-", parse(url).host)[:LONGEST_HOST].strip(".-") or "screenshot"
    return f'inline; filename="{name}.{extension}"'
