"""The loopback proxy that all of the browser's traffic goes through."""

import asyncio
from dataclasses import replace

from . import policy as outbound
from .peer_credentials import Peers
from .relay import Inside
from .session import Bounds, Door

_BOUNDS = Bounds()


class Proxy:
    """Opens doors. *largest* is the number of bytes that may pass through one."""

    def __init__(
        self,
        policy: outbound.Policy,
        largest: int | None = None,
        *,
        resolve: outbound.Resolve,
        bounds: Bounds = _BOUNDS,
    ) -> None:
        self._policy, self._largest, self._resolve, self._bounds = policy, largest, resolve, bounds
        self._peers = Peers()
        self._doors: set[Door] = set()

    async def open(self) -> Door:
        """Open a door. It costs a listening socket, and lets nobody in until the shot is admitted."""
        door = Door(self._policy, self._largest, self._resolve, self._bounds, self._peers)
        await door.listen(lambda: Inside(door))
        self._doors = {door, *(other for other in self._doors if not other.closed)}
        return door

    async def judge(self, url: str, scope: outbound.Scope) -> outbound.Vetted:
        """Return where *url* points if the box may go there on behalf of *scope*; else raise why not."""
        return await outbound.judge(url, self._policy, self._resolve, scope)

    def obey(self, policy: outbound.Policy) -> None:
        """Go by *policy* from the next connection on; a door that is open stays closed to others."""
        self._policy = policy
        ports = {door.port for door in self._doors if not door.closed}
        apart = replace(policy, allow=tuple(place for place in policy.allow if place.port not in ports))
        for door in self._doors:
            door.obey(apart)

    async def close(self) -> None:
        """Close every door."""
        await asyncio.gather(*(door.close() for door in self._doors))
        self._peers.close()
