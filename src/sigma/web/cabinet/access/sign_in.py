"""Coming and going: signing in and out, one's own password and language."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.accounts import users
from sigma.services.accounts.users import MIN_PASSWORD, Session
from sigma.services.context import Context
from sigma.texts import LOCALES, Words
from sigma.web.cabinet.guards import COOKIE, Elsewhere, WebRequest, safe_next, session_cookie
from sigma.web.cabinet.responses import cabinet_page, go, posted, refusal, words_of
from sigma.web.forms import one
from sigma.web.rendering import language, page


@get("/sign-in")
async def sign_in_page(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """The door. Whoever is inside already goes on; an empty house leads to the first start."""
    onward = safe_next(request.query_params.get("next", "/"))
    if await users.session(ctx, request.cookies.get(COOKIE, "")):
        raise Elsewhere(onward)
    if await users.needs_owner(ctx):
        raise Elsewhere("/start")
    return _sign_in_form(request, "", onward, "")


@post("/sign-in")
async def sign_in(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Opens a session. A wrong login and a wrong password sound the same."""
    given = await posted(request)
    login, onward = one(given, "login"), safe_next(one(given, "next"))
    password = (given.get("password") or [""])[0]
    ip = request.client.host if request.client else ""
    try:
        signed = await users.sign_in(ctx, login, password, ip=ip)
    except Refused as refused:
        words = Words(language(request))
        wrong = refused.code == "unauthorized"
        said = words.t("cabinet.sign_in_wrong") if wrong else words.refusal(refused)
        status = 422 if wrong else refused.status
        return _sign_in_form(request, login, onward, said, status)
    answer = go(onward)
    answer.set_cookie(session_cookie(ctx, signed.secret))
    return answer


def _sign_in_form(
    request: WebRequest, login: str, onward: str, said: str, status: int = 200
) -> Response[Any]:
    errors = {"": said} if said else {}
    words = Words(language(request))
    return page(
        request,
        "cabinet/sign_in.html",
        words,
        status=status,
        login=login,
        next=onward,
        errors=errors,
        locales=LOCALES,
    )


@post("/sign-out")
async def sign_out(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Ends the session here and on the server."""
    await users.sign_out(ctx, request.cookies.get(COOKIE, ""))
    answer = go("/sign-in")
    answer.set_cookie(session_cookie(ctx, ""))
    return answer


@post("/locale")
async def set_locale(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The language of this person's cabinet."""
    given = await posted(request)
    await users.set_locale(ctx, session, one(given, "locale"))
    return go(safe_next(one(given, "next")))


@get("/settings/access")
async def access_page(request: WebRequest, session: NamedDependency[Session]) -> Response[Any]:
    """One's own password and language."""
    return _access(request, session, {})


@post("/settings/access")
async def change_password(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """A new password; every other browser of this person is signed out."""
    given = await posted(request)
    old, new = (given.get(name, [""])[0] for name in ("old", "new"))
    try:
        if not old:
            raise invalid(Problem("old", "required"))
        await users.change_password(ctx, session, old, new)
    except Refused as refused:
        return _access(request, session, refusal(words_of(session), refused), 422)
    return go("/settings/access", "settings.done_password")


def _access(
    request: WebRequest, session: Session, errors: dict[str, str], status: int = 200
) -> Response[Any]:
    return cabinet_page(
        request,
        session,
        "cabinet/settings/access.html",
        place="settings",
        status=status,
        errors=errors,
        locales=LOCALES,
        min_password=MIN_PASSWORD,
    )


ENTRANCE = [sign_in_page, sign_in]
HANDLERS = [sign_out, set_locale, access_page, change_password]
