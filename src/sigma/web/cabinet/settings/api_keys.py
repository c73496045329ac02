"""API keys: create with scopes (the secret is displayed once), list, revoke."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.api_key import COMMAND_LINE, ApiKey, usable_scopes
from sigma.domain.accounts.member import Scope
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts import api_keys
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.security_log import SecurityEvent, record
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    FormValues,
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value
from sigma.web.request_identity import remote_ip

# Lifetimes of the form in days; texts: settings.key_lifetime_….
LIFETIMES: dict[str, int | None] = {"30": 30, "90": 90, "365": 365, "never": None}
DEFAULT_LIFETIME = "365"


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
    form_data = await read_form_values(request)
    name, networks = first_value(form_data, "name"), first_value(form_data, "networks")
    lifetime = first_value(form_data, "lifetime") or DEFAULT_LIFETIME
    try:
        key, secret = await api_keys.create(
            ctx,
            session.member,
            name,
            scopes=_parse_scopes(form_data),
            lifetime_days=_parse_lifetime(lifetime),
            networks=networks,
            origin=session.origin,
        )
    except RefusedError as error:
        if error.code != "validation":
            raise
        return await _keys_page(
            request,
            ctx,
            session,
            status=422,
            errors=refusal_texts(translator_for(session), error),
            name=name,
            networks=networks,
            lifetime=lifetime,
            chosen=form_data.get("scope", []),
        )
    _record(SecurityEvent.API_KEY_CREATED, request, session, key.id)
    return await _keys_page(request, ctx, session, status=201, secret=secret)


def _parse_scopes(form_data: FormValues) -> tuple[Scope, ...]:
    return tuple(Scope(name) for name in form_data.get("scope", []) if name in set(Scope))


def _parse_lifetime(text: str) -> int | None:
    if text not in LIFETIMES:
        raise validation_error(Problem("lifetime", "choose"))
    return LIFETIMES[text]


@post("/settings/keys/{key_id:str}/revoke")
async def revoke_key(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    key_id: FromPath[str],
) -> Response[Any]:
    """Revoke an API key; it stops working at once."""
    await api_keys.revoke(ctx, session.member, key_id)
    _record(SecurityEvent.API_KEY_REVOKED, request, session, key_id)
    return redirect("/settings/keys", "settings.done_revoked")


def _record(event: SecurityEvent, request: WebRequest, session: Session, key_id: str) -> None:
    record(
        event,
        ip=remote_ip(request),
        user_id=session.user.id,
        shop_id=session.shop.id,
        subject_id=key_id,
    )


async def _keys_page(
    request: WebRequest, ctx: Context, session: Session, status: int = 200, **context: Any
) -> Response[Any]:
    all_keys, names = await api_keys.list_with_makers(ctx, session.member)
    translator = translator_for(session)

    def maker(key: ApiKey) -> str:
        if key.created_by == COMMAND_LINE:
            return translator.t("settings.key_by_command")
        return names.get(key.created_by, "")

    defaults: dict[str, Any] = {
        "secret": "",
        "name": "",
        "networks": "",
        "lifetime": DEFAULT_LIFETIME,
        "chosen": [],
    }
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/api_keys.html",
        section="settings",
        status=status,
        keys=[key for key in all_keys if key.revoked_at_us is None],
        revoked_keys=[key for key in all_keys if key.revoked_at_us is not None],
        maker=maker,
        scopes=usable_scopes(session.member),
        all_scope_count=len(Scope),
        lifetimes=list(LIFETIMES),
        base_url=ctx.settings.base_url,
        **(defaults | context),
    )


HANDLERS = [keys_page, create_key, revoke_key]
