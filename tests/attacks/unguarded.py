"""The box without one of its guards, to see that its attacks are ones: `unguarded.py GUARD serve ...`.

Nothing in the box can be told to do without a guard, so it is taken out here, before the program starts.
"""

import dataclasses
import sys
from contextvars import ContextVar
from typing import Any

from allscreenshots_box.cli import main
from allscreenshots_box.egress import policy as outbound
from allscreenshots_box.egress import session
from allscreenshots_box.egress.policy import AllowedTarget, Scope, Target
from allscreenshots_box.egress.session import ProxySession
from allscreenshots_box.render.browsers import chromium, tab_pool


def judgement() -> None:
    """Find everything allowed."""

    def decide(target: Target, addresses: Any, _: Any, scope: Scope) -> AllowedTarget:
        return AllowedTarget(target, tuple(addresses), dataclasses.replace(scope, space=scope.space or "public"))

    replace_decision(decide)


def spaces() -> None:
    """Let a page go wherever somebody might ask for."""
    decide = outbound.decide

    def decide_anew(target: Target, addresses: Any, policy: Any, scope: Scope) -> AllowedTarget:
        return decide(target, addresses, policy, dataclasses.replace(scope, space=None))

    replace_decision(decide_anew)


def embedding() -> None:
    """See no IPv4 address inside an IPv6 one, and take what is unknown for public."""
    replace(outbound, "_carried", lambda _: None)
    replace(outbound, "_is_never", lambda address: address.is_link_local)


def ports() -> None:
    """Take every port for one of the web's."""
    replace(outbound, "_require_port", lambda *_, **__: None)


def denial() -> None:
    """Forget what the operator denies."""
    policy_of = outbound.policy_of
    replace(outbound, "policy_of", lambda settings: dataclasses.replace(policy_of(settings), deny=()))


def pinning() -> None:
    """Judge one answer of the name server and go by the next, as who dials by name does."""
    asked: ContextVar[Target] = ContextVar("asked")
    reach, dial = ProxySession.reach, ProxySession._dial

    async def reach_by_name(opened: ProxySession, target: Target, make: Any) -> Any:
        asked.set(target)
        return await reach(opened, target, make)

    async def dial_by_name(opened: ProxySession, port: int, _: Any, make: Any) -> str | None:
        return await dial(opened, port, await opened._resolve(asked.get().host, 0), make)

    replace(ProxySession, "reach", reach_by_name)
    replace(ProxySession, "_dial", dial_by_name)


def webrtc() -> None:
    """Let WebRTC send what it likes."""
    replace(chromium, "SWITCHES", tuple(switch for switch in chromium.SWITCHES if "webrtc" not in switch))


def loopback_by_proxy() -> None:
    """Let Chromium go to loopback and link-local by itself, as it does beside any proxy."""
    replace(tab_pool, "NO_PROXY_FOR_NOTHING", "")


def proxy() -> None:
    """Let Chromium go everywhere by itself."""
    replace(tab_pool, "NO_PROXY_FOR_NOTHING", "*")


def replace_decision(decide: Any) -> None:
    """Put another decision where the box asks for one: before a shot, and for each connection."""
    for asks in (outbound, session):
        replace(asks, "decide", decide)


def replace(where: Any, name: str, what: Any) -> None:
    """Put something else in the place of a guard that is there."""
    assert hasattr(where, name), f"{where} has no {name}"
    setattr(where, name, what)


GUARDS = {
    guard.__name__: guard
    for guard in (judgement, spaces, embedding, ports, denial, pinning, webrtc, loopback_by_proxy, proxy)
}

if __name__ == "__main__":
    for named in sys.argv.pop(1).split(","):
        GUARDS[named]()
    main()
