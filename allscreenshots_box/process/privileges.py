"""Which user this process is: root gives itself up before it touches the data."""

import fcntl
import os
import pwd
from pathlib import Path

from ..config import Settings
from ..errors import OperatorError


def enter(settings: Settings) -> None:
    """Make the data directory ready, and become its owner if this process is root.

    So no file is left behind that the server cannot open, and Chromium's sandbox, which cannot work as
    root, is on. Raises OperatorError.
    """
    os.umask(0o077)
    try:
        if os.geteuid() == 0:
            _become(_owner(settings.data_dir, settings.user))
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        reachable = os.access(settings.data_dir, os.R_OK | os.X_OK)
    except OSError as error:
        raise OperatorError(
            f"The data directory {settings.data_dir} cannot be made ({error.strerror}): "
            "choose another with --data-dir, or mend the rights or the disk of the one above it."
        ) from error
    if not reachable:
        raise OperatorError(
            f"The data directory {settings.data_dir} cannot be read by user {name()}: "
            "run the command with sudo, or choose another with --data-dir."
        )


def _owner(data_dir: Path, user: str) -> pwd.struct_passwd:
    """Return whose *data_dir* is; one that is missing, or root's and empty, is given to *user* first."""
    if not data_dir.exists():
        _account(user)  # or nothing is made
        os.umask(0o022)  # for those above it, which others may have to pass
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        os.umask(0o077)
        data_dir.mkdir(mode=0o700, exist_ok=True)  # two first commands at once: one makes it, both go on
    owner = data_dir.stat().st_uid
    return _account_of(owner) if owner != 0 else _given(data_dir, user)


def _given(data_dir: Path, user: str) -> pwd.struct_passwd:
    """Give *data_dir*, root's and empty, to *user*; if another command did so meanwhile, return whose it is now."""
    held = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)  # else it may be given away, and filled, between two looks at it
        owner = os.fstat(held).st_uid
        if owner != 0:
            return _account_of(owner)
        if os.listdir(held):  # noqa: PTH208 - what is held, not what bears its name now
            raise OperatorError(
                f"The data directory {data_dir} belongs to root, and the server never runs as root: "
                f"`chown -R {user}: {data_dir}` if it is the box's, or choose another with --data-dir."
            )
        account = _account(user)
        os.fchown(held, account.pw_uid, account.pw_gid)
        os.fchmod(held, 0o700)
        return account
    finally:
        os.close(held)


def _account(user: str) -> pwd.struct_passwd:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise OperatorError(
            f"There is no user {user!r} to become: `useradd --system {user}` makes it, "
            "or name another with the setting user."
        ) from None
    if account.pw_uid == 0:
        raise OperatorError("The setting user must name a user other than root.")
    return account


def _account_of(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise OperatorError(f"The data directory belongs to user id {uid}, which has no account: chown it.") from None


def _become(account: pwd.struct_passwd) -> None:
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ |= {"USER": account.pw_name, "LOGNAME": account.pw_name}
    for name in [name for name in os.environ if name.startswith(("XDG_", "SUDO_", "DBUS_"))]:
        del os.environ[name]  # root's session, of no use to another user
    for needed in (os.__file__, __file__):
        if not os.access(needed, os.R_OK):
            raise OperatorError(
                f"User {account.pw_name} cannot read {needed}, which this program is made of: install it "
                "with ./install.sh, which chooses a Python and a place that every user can read."
            )


def name(uid: int | None = None) -> str:
    """Return the name of a user id, of this process if none is given."""
    uid = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
