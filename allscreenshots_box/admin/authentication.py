"""The way into the page: who is let in, and what a stranger may see."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from sqlite3 import DatabaseError
from typing import Any
from urllib.parse import quote

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from .. import logs
from ..errors import NotSignedIn
from ..hosts import Network
from ..keys.authentication import Headers, network_of
from ..keys.hashing import Hasher
from ..keys.rate_limits import TokenBuckets
from ..storage.audit import Actor
from ..storage.database import Database
from . import csrf, sessions
from . import password as passwords
from .login_throttle import LoginThrottle
from .path_prefix import ROOT, forwarded_prefix
from .sessions import OperatorSession

OPEN = {"open": True}  # the option of a handler that answers strangers
TOLD_EVERY = timedelta(minutes=1)  # failures, to the audit: a flood must not push all else out of it; so ...
TOLD_DAILY = timedelta(days=1)  # ... the span doubles, up to this one, until ...
QUIET = timedelta(hours=2)  # ... there has been no failure for so long
MOST_COOKIES = 16  # of our name in one request: another site of the same domain may have added some
LONGEST_NEXT = 500  # characters

_STATIC = re.compile(rf"{ROOT}/static/[^/]+")
_OPEN = re.compile(rf"{ROOT}/(?:sign-in|sign-out|link/[^/]+)/?")
_NEXT = re.compile(rf"{ROOT}(?:/(?:[\w.~-]|%[0-9A-Fa-f]{{2}})+)*(?:\?[\w.~%=&+:,-]*)?", re.ASCII)
_DECOY = re.compile(r"/\.|%(?:2e|2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)  # read as other paths, by somebody
_CHANGE_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})
_OPERATOR, _NOBODY = "operator", "nobody"  # who acts, as the audit shows it


def is_below(path: str) -> bool:
    """Say whether *path* is the page's."""
    return path == ROOT or path.startswith(f"{ROOT}/")


class AdminAuthentication:
    """Lets operators in, by their session, and makes sessions of passwords and links."""

    def __init__(
        self,
        database: Database,
        hasher: Hasher,
        buckets: TokenBuckets,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._throttle = LoginThrottle(buckets)
        self.now = now
        self._failed = 0  # sign-ins that the audit does not know of yet ...
        self._failed_at = ""  # ... and the address of the last
        self._told = self._failed_last = datetime.min.replace(tzinfo=UTC)
        self._told_every = TOLD_EVERY

    async def admit(self, scope: Scope, client: str, peer: str, trusted: Sequence[Network]) -> None:
        """Let a request below /admin pass, and leave who makes it in its state. Raises NotSignedIn or CrossSite.

        Before routing: whoever is not signed in learns of no path whether it exists.
        """
        path, state, headers = scope["path"], scope["state"], list(scope["headers"])
        state["origin"] = csrf.own(scope["scheme"], peer, headers, trusted)
        state["prefix"] = forwarded_prefix(peer, headers, trusted)
        state["client"] = client
        if _STATIC.fullmatch(path):
            return
        if scope.get("method") not in _CHANGE_NOTHING:
            csrf.refuse_foreign(headers, state["origin"])
        if session := await self._recognize(headers, secure=is_secure(state["origin"])):
            state["actor"], state["session"] = Actor(_OPERATOR, client), session
        elif not _OPEN.fullmatch(path):
            raise NotSignedIn(f"{ROOT}/sign-in{_next_of(scope)}")

    async def _recognize(self, headers: Headers, *, secure: bool) -> OperatorSession | None:
        tokens = _tokens(headers, cookie_name(secure=secure))[:MOST_COOKIES]
        return await self._database.run(sessions.recognize_one, tokens, now=self.now()) if tokens else None

    async def has_password(self) -> bool:
        """Say whether a password is set: before the first one, nobody can sign in."""
        return await self._database.run(passwords.password_hash) is not None

    async def sign_in(self, password: str, client: str, instead_of: OperatorSession | None) -> str | None:
        """Return the token of a new session, None if that is not the password.

        Raises RateLimited and ServiceUnavailable. A right password waits like a wrong one: otherwise it could be told.
        """
        proven = await self._proven(password, client)
        if proven is None:
            return None
        await self._tell_failures()
        by = Actor(_OPERATOR, client)
        return await self._database.run(passwords.sign_in, proven, by=by, now=self.now(), instead_of=instead_of)

    async def change_password(self, old: str, new: str, client: str) -> str | None:
        """Return the token of the one session that is left, None if *old* is not the password.

        Raises OperatorError if *new* cannot be one, RateLimited and ServiceUnavailable.
        """
        new = passwords.readable(new)
        proven = await self._proven(old, client)
        if proven is None:
            return None
        hashed = await self._hasher.hash(new)
        by = Actor(_OPERATOR, client)
        session = await self._database.run(passwords.change_password, proven, hashed, by=by, now=self.now())
        if session is not None:
            self._throttle.remember(client, hashed, self.now())
        return session

    async def link_works(self, token: str) -> bool:
        """Say whether a one-time link would be taken."""
        return await self._database.run(passwords.link_works, token, now=self.now())

    async def use_link(self, token: str, password: str, client: str) -> str | None:
        """Set the password by a one-time link, and return the token of a new session; None if it works no more.

        Raises OperatorError if that cannot be a password, and the link stays good.
        """
        if not await self.link_works(token):  # a stranger costs no argon2
            return None
        hashed = await self._hasher.hash(passwords.readable(password))
        by = Actor(_OPERATOR, client)
        session = await self._database.run(passwords.use_link, token, hashed, by=by, now=self.now())
        if session is not None:
            self._throttle.remember(client, hashed, self.now())
        return session

    async def sessions(self) -> list[OperatorSession]:
        """Return who is signed in."""
        return await self._database.run(sessions.those, now=self.now())

    async def require(self, session: OperatorSession) -> None:
        """Raise NotSignedIn if *session* has ended since it was recognized."""
        if session.digest not in {one.digest for one in await self.sessions()}:
            raise NotSignedIn(f"{ROOT}/sign-in")

    async def sign_out(self, session: OperatorSession, by: Actor) -> None:
        """End one session."""
        await self._database.run(sessions.sign_out, session, by=by)

    async def sign_out_everywhere(self, by: Actor) -> None:
        """End all sessions."""
        await self._database.run(sessions.sign_out_everywhere, by=by, now=self.now())

    async def close(self) -> None:
        """Let what is being proven and written come to its end."""
        await self._throttle.close()
        await self._tell_failures()

    async def _proven(self, password: str, client: str) -> str | None:
        """Return the hash that *password* proves, None if it is not the password."""
        hashed = await self._database.run(passwords.password_hash)
        if hashed is None or len(password.encode()) > passwords.LARGEST_PASSWORD:
            return None
        proof = partial(self._hasher.matches, hashed, passwords.spelled(password))
        if not await self._throttle.check(proof, client, known=await self._is_known(client, hashed)):
            await self._note_failure(client)
            return None
        if self._hasher.is_outdated(hashed):
            hashed = await self._rehashed(hashed, password)
        self._throttle.remember(client, hashed, self.now())
        return hashed

    async def _is_known(self, client: str, hashed: str) -> bool:
        """Say whether somebody signed in well from there of late, or is signed in from there."""
        if self._throttle.knows(client, hashed, self.now()):
            return True
        return network_of(client) in {network_of(session.address) for session in await self.sessions()}

    async def _rehashed(self, proven: str, password: str) -> str:
        new = await self._hasher.hash(passwords.readable(password))
        try:
            await self._database.run(passwords.rehash, proven, new)
        except DatabaseError as error:
            logs.fault("password_not_rehashed", error)
            return proven
        return new

    async def _note_failure(self, client: str) -> None:
        now = self.now()
        quiet, self._failed_last = now - self._failed_last >= QUIET, now
        self._failed, self._failed_at = self._failed + 1, client
        logs.event("sign_in_failed", logs.WARNING, client=client)
        if quiet or now - self._told >= self._told_every:
            self._told_every = TOLD_EVERY if quiet else min(2 * self._told_every, TOLD_DAILY)
            await self._tell_failures()

    async def _tell_failures(self) -> None:
        number, self._failed = self._failed, 0
        if not number:
            return
        self._told = self.now()
        try:
            await self._database.run(sessions.note_failures, number, by=Actor(_NOBODY, self._failed_at))
        except DatabaseError as error:  # a full disk keeps nobody out
            self._failed += number
            logs.fault("failures_not_written", error)


def require_operator(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Stop what came past authentication by a path that routing reads otherwise: there should be none."""
    if not handler.opt.get("open") and "actor" not in connection.scope["state"]:
        raise NotSignedIn(f"{ROOT}/sign-in")


# --- cookies and paths --------------------------------------------------------------------------


def is_secure(page: str) -> bool:
    """Say whether the browser came to the origin *page* by TLS."""
    return page.startswith("https:")


def cookie_name(*, secure: bool) -> str:
    """Return what the session's cookie is called; the prefix keeps plain HTTP from planting one."""
    return "__Secure-allscreenshots-box" if secure else "allscreenshots-box"


def _tokens(headers: Headers, name: str) -> list[str]:
    pairs = [
        pair.strip().partition("=")
        for found, value in headers
        if found == b"cookie"
        for pair in value.decode("latin-1").split(";")
    ]
    return [token for key, _, token in pairs if key == name]


def destination(wanted: str) -> str:
    """Return where to go after signing in: *wanted* if that is a path of the page and leads nowhere else."""
    path = wanted.partition("?")[0]
    good = len(wanted) <= LONGEST_NEXT and _NEXT.fullmatch(wanted) and not _DECOY.search(path)
    return wanted if good and not _OPEN.fullmatch(path) else ROOT


def _next_of(scope: Scope) -> str:
    """Return the query that brings the operator back to where a session was missing, if that is worth it."""
    query = scope["query_string"].decode("latin-1")
    wanted = destination(quote(scope["path"]) + (f"?{query}" if query else ""))
    return f"?next={quote(wanted, safe='/')}" if wanted != ROOT and scope.get("method") == "GET" else ""
