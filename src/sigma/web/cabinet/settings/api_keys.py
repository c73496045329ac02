"""API keys: create (the secret is displayed once), list, revoke."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.services.accounts import api_keys
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value


@get("/settings/keys")
async def keys_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the API keys and the form for a new one."""
    return await _keys_page(request, ctx, session)


@post("/settings/keys", opt=RECENT_AUTHENTICATION)
async def create_key(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Create an API key. No redirect: its secret is in this response only and is not stored."""
    name = first_value(await read_form_values(request), "name")
    try:
        _, secret = await api_keys.create(ctx, session.member, name, origin=session.origin)
    except RefusedError as error:
        if error.code != "validation":
            raise
        errors = refusal_texts(translator_for(session), error)
        return await _keys_page(request, ctx, session, status=422, errors=errors, name=name)
    return await _keys_page(request, ctx, session, status=201, secret=secret)


@post("/settings/keys/{key_id:str}/revoke")
async def revoke_key(
    ctx: NamedDependency[Context], session: NamedDependency[Session], key_id: FromPath[str]
) -> Response[Any]:
    """Revoke an API key; it stops working at once."""
    await api_keys.revoke(ctx, session.member, key_id)
    return redirect("/settings/keys", "settings.done_revoked")


async def _keys_page(
    request: WebRequest, ctx: Context, session: Session, status: int = 200, **context: Any
) -> Response[Any]:
    all_keys = await api_keys.list_for_shop(ctx, session.member)
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/api_keys.html",
        section="settings",
        status=status,
        keys=[key for key in all_keys if key.revoked_at_us is None],
        revoked_keys=[key for key in all_keys if key.revoked_at_us is not None],
        base_url=ctx.settings.base_url,
        **({"secret": "", "name": ""} | context),
    )


HANDLERS = [keys_page, create_key, revoke_key]
