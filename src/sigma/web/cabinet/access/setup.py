"""The very first page: whoever set Sigma up makes a shop and owns it. Closed ever afterwards."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.errors import Refused
from sigma.services.accounts import users
from sigma.services.accounts.users import MIN_PASSWORD
from sigma.services.context import Context
from sigma.texts import LOCALES, Words
from sigma.web.cabinet.guards import Elsewhere, WebRequest, session_cookie
from sigma.web.cabinet.responses import go, posted, refusal
from sigma.web.forms import one
from sigma.web.rendering import language, page


@get("/start")
async def start_page(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """The form of the first start."""
    if not await users.needs_owner(ctx):
        raise Elsewhere("/sign-in")
    return _form(request, {}, {})


@post("/start")
async def start(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Makes the shop and its owner, signs him in."""
    given = await posted(request)
    typed = {name: one(given, name) for name in ("shop_name", "name", "login", "locale")}
    locale = typed["locale"] if typed["locale"] in LOCALES else "ru"
    try:
        signed = await users.first_owner(
            ctx,
            login=typed["login"],
            password=(given.get("password") or [""])[0],
            name=typed["name"],
            shop_name=typed["shop_name"],
            locale=locale,
        )
    except Refused as refused:
        if refused.code == "forbidden":
            raise Elsewhere("/sign-in") from refused
        return _form(request, typed, refusal(Words(locale), refused), status=422)
    answer = go("/", "cabinet.done_started")
    answer.set_cookie(session_cookie(ctx, signed.secret))
    return answer


def _form(
    request: WebRequest, typed: dict[str, str], errors: dict[str, str], status: int = 200
) -> Response[Any]:
    locale = typed.get("locale") or language(request)
    words = Words(locale if locale in LOCALES else "ru")
    return page(
        request,
        "cabinet/start.html",
        words,
        status=status,
        typed=typed,
        errors=errors,
        locales=LOCALES,
        min_password=MIN_PASSWORD,
    )


HANDLERS = [start_page, start]
