"""The operator's own account: its password, and who is signed in."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency

from ..errors import OperatorError
from .authentication import AdminAuthentication
from .password import SHORTEST_PASSWORD
from .path_prefix import ROOT
from .sign_in import arrived, chosen, client_of, elsewhere, session_of
from .templating import page

AnyRequest = Request[Any, Any, Any]


@get("/account")
async def show(request: AnyRequest, authentication: NamedDependency[AdminAuthentication]) -> Response[Any]:
    """Show who is signed in, and the form for another password."""
    return await _account(request, authentication)


@post("/account/password")
async def change_password(request: AnyRequest, authentication: NamedDependency[AdminAuthentication]) -> Response[Any]:
    """Set another password, and end all sessions but this one, which gets a new token."""
    form = await request.form()
    try:
        new = chosen(form.get("password", ""), form.get("repeat", ""))
        token = await authentication.change_password(form.get("old", ""), new, client_of(request))
    except OperatorError as error:
        return await _account(request, authentication, status=400, problem=str(error))
    if token is None:
        return await _account(request, authentication, status=400, problem="The old password is not right.")
    return arrived(request, token, f"{ROOT}/account?done=changed")


@post("/account/sign-out")
async def sign_out_everywhere(
    request: AnyRequest, authentication: NamedDependency[AdminAuthentication]
) -> Response[Any]:
    """End all sessions, this one too."""
    await authentication.sign_out_everywhere(request.state.actor)
    return elsewhere(f"{ROOT}/sign-in")


async def _account(
    request: AnyRequest, authentication: AdminAuthentication, *, status: int = 200, problem: str | None = None
) -> Response[Any]:
    own = session_of(request)
    return page(
        "account.html",
        section="account",
        status=status,
        problem=problem,
        changed=request.query_params.get("done") == "changed" and problem is None,
        own=own.digest if own else None,
        sessions=await authentication.sessions(),
        shortest=SHORTEST_PASSWORD,
    )


routes = [show, change_password, sign_out_everywhere]
