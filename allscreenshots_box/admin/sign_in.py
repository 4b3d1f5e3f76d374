"""Coming in and going out: the password, the one-time link that sets it, and the end of a session."""

from sqlite3 import DatabaseError
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath

from .. import logs
from ..errors import OperatorError
from ..process import command_hint
from ..storage.database import trouble
from .authentication import OPEN, AdminAuthentication, cookie_name, destination, is_secure
from .password import SHORTEST_PASSWORD
from .path_prefix import ROOT
from .sessions import OperatorSession
from .templating import moved, page

AnyRequest = Request[Any, Any, Any]

_NEAR = {"127.0.0.1", "::1", "localhost"}


@get("/sign-in", opt=OPEN)
async def ask(request: AnyRequest, authentication: NamedDependency[AdminAuthentication]) -> Response[Any]:
    """Ask for the password."""
    to = destination(request.query_params.get("next", ""))
    if session_of(request):
        return elsewhere(to)
    return await _form(request, authentication, to)


@post("/sign-in", opt=OPEN)
async def sign_in(request: AnyRequest, authentication: NamedDependency[AdminAuthentication]) -> Response[Any]:
    """Begin a session, always a new one, if that is the password."""
    form = await request.form()
    to = destination(form.get("next", ""))
    token = await authentication.sign_in(form.get("password", ""), client_of(request), session_of(request))
    if token is None:
        return await _form(request, authentication, to, status=401, problem="This is not the password.")
    return arrived(request, token, to)


@post("/sign-out", opt=OPEN)
async def sign_out(request: AnyRequest, authentication: NamedDependency[AdminAuthentication]) -> Response[Any]:
    """End this session; without one there is nothing to do."""
    forgotten = _cookie(request, "", max_age=0)
    if session := session_of(request):
        try:
            await authentication.sign_out(session, request.state.actor)
        except DatabaseError as error:
            return _half_out(request, error, forgotten)
    return elsewhere(f"{ROOT}/sign-in", cookie=forgotten)


def _half_out(request: AnyRequest, error: DatabaseError, forgotten: Cookie) -> Response[Any]:
    """Take the session from this browser at least, and say what is left of it."""
    logs.fault("session_not_ended", error)
    why = trouble(error, request.app.state.services.settings.database_path)
    answer = page("half-out.html", status=503, why=why, command=_command(request, "admin sign-out"))
    answer.set_cookie(forgotten)
    return answer


@get("/link/{token:str}", opt=OPEN)
async def open_link(
    request: AnyRequest, token: FromPath[str], authentication: NamedDependency[AdminAuthentication]
) -> Response[Any]:
    """Ask for a new password, and use nothing up: programs that look into mails open links, too."""
    return await _link_form(request, authentication, token)


@post("/link/{token:str}", opt=OPEN)
async def use_link(
    request: AnyRequest, token: FromPath[str], authentication: NamedDependency[AdminAuthentication]
) -> Response[Any]:
    """Set the password, use the link up, and begin a session."""
    form = await request.form()
    try:
        new = chosen(form.get("password", ""), form.get("repeat", ""))
        session = await authentication.use_link(token, new, client_of(request))
    except OperatorError as error:
        return await _link_form(request, authentication, token, status=400, problem=str(error))
    return arrived(request, session, ROOT) if session else await _link_form(request, authentication, token)


def chosen(password: str, repeat: str) -> str:
    """Return a new password that was typed twice. Raises OperatorError."""
    if password != repeat:
        raise OperatorError("The two passwords differ.")
    return password


def client_of(request: AnyRequest) -> str:
    """Return the address of the client."""
    return str(request.scope["state"]["client"])


def session_of(request: AnyRequest) -> OperatorSession | None:
    """Return the session that the request belongs to, if any."""
    session: OperatorSession | None = request.scope["state"].get("session")
    return session


def arrived(request: AnyRequest, token: str, to: str) -> Response[Any]:
    """Give the browser its session, and send it to *to*."""
    return elsewhere(to, cookie=_cookie(request, token))


def elsewhere(to: str, *, cookie: Cookie | None = None) -> Response[Any]:
    """Send the browser to a path of the page."""
    answer = moved(to)
    if cookie is not None:
        answer.set_cookie(cookie)
    return answer


def _cookie(request: AnyRequest, token: str, *, max_age: int | None = None) -> Cookie:
    """Return the cookie of a session: gone with the browser's window, and sent to nothing but the page."""
    secure = is_secure(request.scope["state"]["origin"])
    name = cookie_name(secure=secure)
    return Cookie(key=name, value=token, path=ROOT, max_age=max_age, secure=secure, httponly=True, samesite="strict")


async def _form(
    request: AnyRequest, authentication: AdminAuthentication, to: str, *, status: int = 200, problem: str | None = None
) -> Response[Any]:
    shown: dict[str, Any] = {
        "problem": problem,
        "to": to,
        "first": not await authentication.has_password(),
        "command": _command(request),
    }
    return page("sign-in.html", status=status, **shown)


async def _link_form(
    request: AnyRequest,
    authentication: AdminAuthentication,
    token: str,
    *,
    status: int = 200,
    problem: str | None = None,
) -> Response[Any]:
    good = await authentication.link_works(token)
    shown: dict[str, Any] = {
        "problem": problem,
        "good": good,
        "shortest": SHORTEST_PASSWORD,
        "command": _command(request),
    }
    return page("link.html", status=status if good else 404, **shown)


def _command(request: AnyRequest, words: str = "admin link") -> str:
    """Return the command that does *words*; without the paths of this machine for who is not on it."""
    command = command_hint.typed(request.app.state.services.settings.data_dir, words)
    if command_hint.has_path(command) and not _is_near(request):
        return f"{command_hint.PROGRAM} {words}"
    return command


def _is_near(request: AnyRequest) -> bool:
    """Say whether the browser runs on this machine: a proxy here asks from here, but for a host of another name."""
    return client_of(request) in _NEAR and urlsplit(request.scope["state"]["origin"]).hostname in _NEAR


routes = [ask, sign_in, sign_out, open_link, use_link]
