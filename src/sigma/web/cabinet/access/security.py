"""«Вход и безопасность»: the user's password and sessions, and what the shop demands."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.accounts.password import MIN_PASSWORD
from sigma.domain.accounts.second_factor import SecondFactorRule, effective_rule
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.money import Money
from sigma.services.accounts import api_keys, password_changes, shops
from sigma.services.accounts.users import Session
from sigma.services.authentication import second_factors, session_list
from sigma.services.authentication.relying_party import relying_party
from sigma.services.context import Context
from sigma.web.cabinet.access.key_revocation import (
    FORM_FIELDS,
    default_since,
    parse_revocation,
)
from sigma.web.cabinet.access.sign_in import device_of
from sigma.web.cabinet.guards import (
    RECENT_AUTHENTICATION,
    WebRequest,
    device_cookie,
    session_cookie,
)
from sigma.web.cabinet.responses import (
    FormValues,
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value, parse_money
from sigma.web.retry_after import retry_after_headers

URL = "/settings/access"


@get(URL)
async def security_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show password, second factors, sessions and the rules of the shop."""
    return await render_security_page(request, ctx, session)


@post(URL)
async def change_password(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Change the password; all other sessions of the user end, this one gets a new secret."""
    form_data = await read_form_values(request)
    old, new = (form_data.get(name, [""])[0] for name in ("old", "new"))
    try:
        if not old:
            raise validation_error(Problem("old", "required"))
        renewed = await password_changes.change_password(
            ctx,
            session,
            old,
            new,
            device=device_of(request),
            revoke_keys_since_us=parse_revocation(form_data, session.shop.tz),
        )
    except RefusedError as error:
        texts = refusal_texts(translator_for(session), error)
        response = await render_security_page(
            request, ctx, session, texts, form_data, error.http_status
        )
        response.headers.update(retry_after_headers(error))
        return response
    response = redirect(URL, "access.done_password")
    response.set_cookie(session_cookie(ctx, renewed.secret))
    response.set_cookie(device_cookie(ctx, renewed.device))
    return response


@post(f"{URL}/sessions/{{session_id:str}}/end", opt=RECENT_AUTHENTICATION)
async def end_session(
    ctx: NamedDependency[Context], session: NamedDependency[Session], session_id: FromPath[str]
) -> Response[Any]:
    """End one of the user's sessions."""
    await session_list.end(ctx, session, session_id)
    return redirect(f"{URL}#sessions", "access.done_session")


@post(f"{URL}/sessions/end-others", opt=RECENT_AUTHENTICATION)
async def end_other_sessions(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """End all sessions of the user but this one."""
    await session_list.end_others(ctx, session)
    return redirect(f"{URL}#sessions", "access.done_sessions")


@post(f"{URL}/rules", opt=RECENT_AUTHENTICATION)
async def save_rules(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save what the shop demands of its members."""
    session.member.require(Permission.SETTINGS)
    form_data = await read_form_values(request)
    try:
        await shops.save_security_rules(
            ctx,
            session.member,
            second_factor_rule=_parse_rule(form_data),
            refund_confirmation=_parse_refund_confirmation(form_data),
        )
    except RefusedError as error:
        if error.code != "validation":
            raise
        texts = refusal_texts(translator_for(session), error)
        return await render_security_page(request, ctx, session, texts, form_data, 422)
    return redirect(f"{URL}#rules", "access.done_rules")


def _parse_rule(form_data: FormValues) -> SecondFactorRule:
    rule = first_value(form_data, "second_factor_rule")
    if rule not in set(SecondFactorRule):
        raise validation_error(Problem("second_factor_rule", "choose"))
    return SecondFactorRule(rule)


def _parse_refund_confirmation(form_data: FormValues) -> Money | None:
    text = first_value(form_data, "refund_confirmation")
    if not text:
        return None
    amount = parse_money(text, "refund_confirmation")
    if isinstance(amount, Problem):
        raise validation_error(amount)
    return amount


async def render_security_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    errors: dict[str, str] | None = None,
    form_data: FormValues | None = None,
    status: int = 200,
) -> Response[Any]:
    """Render the page, with the texts of a refused form."""
    overview = await second_factors.get_overview(ctx, session)
    limit_minor = session.shop.refund_confirmation_minor
    limit = "" if limit_minor is None else Money(limit_minor).to_decimal_text()
    form_data = form_data or {}
    values = {name: first_value(form_data, name) for name in (*FORM_FIELDS, "name")}
    rules = {
        "second_factor_rule": session.second_factor_rule.value,
        "refund_confirmation": limit.removesuffix(".00").replace(".", ","),
    }
    is_rules_form = "second_factor_rule" in form_data
    return render_cabinet_page(
        request,
        session,
        "cabinet/access/security.html",
        section="settings",
        status=status,
        errors=errors or {},
        values=values,
        rules={name: first_value(form_data, name) for name in rules} if is_rules_form else rules,
        rule_choices=[
            rule
            for rule in SecondFactorRule
            if rule is effective_rule(rule, is_required=ctx.settings.is_second_factor_required)
        ],
        overview=overview,
        sessions=await session_list.list_open(ctx, session),
        keys=await api_keys.list_made_by(ctx, session.user.id),
        default_since=default_since(ctx.now_us(), session.shop.tz),
        min_password=MIN_PASSWORD,
        party=relying_party(ctx.settings.base_url),
        options_url=f"{URL}/passkeys/options",
        hide_plus=True,
    )


HANDLERS = [security_page, change_password, end_session, end_other_sessions, save_rules]
