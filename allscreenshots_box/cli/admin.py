"""The commands that say who may open the operator's page."""

import socket
import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click

from ..admin import password as passwords
from ..admin import sessions
from ..config import Settings
from ..errors import OperatorError
from ..process import command_hint, locks
from .terminal import Commands, hand_over, hasher, opened, say

_LONGEST_LINE = 4 * passwords.LARGEST_PASSWORD  # bytes; what is longer is no password in any case
_EVERYWHERE = ("://0.0.0.0:", "://[::]:")  # what is listened on is no place to go to


@click.group("admin", cls=Commands)
def admin_group() -> None:
    """Say who may open the operator's page.

    All of it works with a server running or not.
    """


@admin_group.command("password")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from the first line of standard input; do not ask.")
def set_password(*, from_stdin: bool) -> None:
    """Set the password of the page, and sign out everybody.

    It is asked for twice on a terminal, and read from standard input where there is none.
    """
    with opened() as (db, settings):
        asked = sys.stdin.isatty() and not from_stdin
        password = passwords.readable(_asked() if asked else _piped(settings))
        ended = passwords.set_password(db, hasher(settings).hash(password), now=datetime.now(UTC))
    say(f"The password of the page is set; {ended} signed out.", err=True)


@admin_group.command("link")
@click.option("--url", metavar="BASE", help="Where your browser finds the box, such as https://shots.corp.example.")
def make_link(url: str | None) -> None:
    """Print a link that sets the password of the page, once, within 30 minutes.

    A newer link, and a new password, end it. Whoever opens it first has the page.
    """
    with opened() as (db, settings):
        base = _base(settings, url)
        ends = passwords.make_link(
            db, lambda token: hand_over(None, f"{base}/admin/link/{token}"), now=datetime.now(UTC)
        )
    hint = "" if url else " If your browser finds the box elsewhere, say --url."
    say(f"It works once, until {ends:%H:%M} UTC; the server must run.{hint}", err=True)


@admin_group.command("sign-out")
def sign_out() -> None:
    """Sign out everybody from the page; the password stays."""
    with opened() as (db, _):
        ended = sessions.sign_out_everywhere(db, now=datetime.now(UTC))
    say(f"{ended} signed out.", err=True)


def _asked() -> str:
    while True:
        password, again = (click.prompt(word, hide_input=True, err=True) for word in ("New password", "The same again"))
        if password == again:
            return str(password)
        say("The two passwords differ: type both again.", err=True)


def _piped(settings: Settings) -> str:
    line = sys.stdin.buffer.readline(_LONGEST_LINE) if sys.stdin is not None else b""
    try:
        password = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise OperatorError("The password on standard input is not text in UTF-8.") from None
    if not password:
        raise OperatorError(
            "No password was given: run this on a terminal, which asks for it, or give it as one line on standard "
            f"input: `{command_hint.typed(settings.data_dir, 'admin password --stdin < FILE')}`."
        )
    return password


def _base(settings: Settings, url: str | None) -> str:
    """Return what stands before /admin in a link."""
    if settings.page_url is None:
        raise OperatorError("There is no page: the setting no_admin took it away; start the server without it.")
    if url is not None:
        return _checked(url)
    base = (locks.sign(settings.data_dir) or settings.page_url).removesuffix("/admin")  # its flags are not ours
    for everywhere in _EVERYWHERE:
        base = base.replace(everywhere, f"://{socket.gethostname()}:")
    return base


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises, if it is no number
    except ValueError:
        parts = urlsplit("")
    plain = parts.scheme in {"http", "https"} and parts.hostname and parts.path in {"", "/"}
    if not plain or parts.query or parts.fragment or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise OperatorError(
            f"--url {url!r} must be a scheme and a host, maybe with a port, such as https://shots.corp.example:8443."
        )
    return f"{parts.scheme}://{parts.netloc}"
