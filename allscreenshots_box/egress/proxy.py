"""The loopback proxy that all of the browser's traffic goes through."""

import asyncio
from dataclasses import replace

from .peer_credentials import Peers
from .policy import AllowedTarget, Policy, Resolve, Scope, check_url
from .relay import BrowserSide
from .session import Bounds, ProxySession

_BOUNDS = Bounds()


class Proxy:
    """Opens sessions. *largest* is the number of bytes that may pass through one."""

    def __init__(
        self,
        policy: Policy,
        largest: int | None = None,
        *,
        resolve: Resolve,
        bounds: Bounds = _BOUNDS,
    ) -> None:
        self._policy, self._largest, self._resolve, self._bounds = policy, largest, resolve, bounds
        self._peers = Peers()
        self._sessions: set[ProxySession] = set()

    async def open(self) -> ProxySession:
        """Open a session. It costs a listening socket, and lets nobody in until the shot is admitted."""
        session = ProxySession(self._policy, self._largest, self._resolve, self._bounds, self._peers)
        await session.listen(lambda: BrowserSide(session))
        self._sessions = {session, *(other for other in self._sessions if not other.closed)}
        return session

    async def check_url(self, url: str, scope: Scope) -> AllowedTarget:
        """Return where *url* points if the box may go there on behalf of *scope*; else raise why not."""
        return await check_url(url, self._policy, self._resolve, scope)

    def reload(self, policy: Policy) -> None:
        """Go by *policy* from the next connection on; a session that is open stays closed to others."""
        self._policy = policy
        ports = {session.port for session in self._sessions if not session.closed}
        apart = replace(policy, allow=tuple(place for place in policy.allow if place.port not in ports))
        for session in self._sessions:
            session.reload(apart)

    async def close(self) -> None:
        """Close every session."""
        await asyncio.gather(*(session.close() for session in self._sessions))
        self._peers.close()
