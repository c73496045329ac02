"""Keys of programs: made here, shown once, revoked here."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import Refused
from sigma.services.accounts import api_keys
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import cabinet_page, go, posted, refusal, words_of
from sigma.web.forms import one


@get("/settings/keys")
async def keys_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The list, and the form of a new key."""
    return await _list(request, ctx, session)


@post("/settings/keys")
async def create(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Makes a key. Its secret is in this one answer and nowhere else, so there is no redirect."""
    name = one(await posted(request), "name")
    try:
        _, secret = await api_keys.create(ctx, session.member, name)
    except Refused as refused:
        if refused.code != "validation":
            raise
        errors = refusal(words_of(session), refused)
        return await _list(request, ctx, session, status=422, errors=errors, name=name)
    return await _list(request, ctx, session, status=201, secret=secret)


@post("/settings/keys/{key_id:str}/revoke")
async def revoke(
    ctx: NamedDependency[Context], session: NamedDependency[Session], key_id: FromPath[str]
) -> Response[Any]:
    """Ends a key at once."""
    await api_keys.revoke(ctx, session.member, key_id)
    return go("/settings/keys", "settings.done_revoked")


async def _list(
    request: WebRequest, ctx: Context, session: Session, status: int = 200, **context: Any
) -> Response[Any]:
    found = await api_keys.listing(ctx, session.member)
    return cabinet_page(
        request,
        session,
        "cabinet/settings/keys.html",
        place="settings",
        status=status,
        keys=[key for key in found if key.revoked_at is None],
        revoked=[key for key in found if key.revoked_at is not None],
        base_url=ctx.settings.base_url,
        **({"secret": "", "name": ""} | context),
    )


HANDLERS = [keys_page, create, revoke]
