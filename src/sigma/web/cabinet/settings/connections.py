"""The shop's connections to acquirers. A stored secret is never sent to the browser."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.billing.connection import Connection, Status
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts.users import Session
from sigma.services.billing import connections
from sigma.services.billing.connection_settings import list_certificates
from sigma.services.connection_secrets import is_secret_readable
from sigma.services.context import Context
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

ADVANCED_FIELDS = ("base_url", "timeout_s", "ca_certificates")
FORM_FIELDS = ("provider", "title", "account", "two_stage", *ADVANCED_FIELDS)
DEFAULT_PROVIDER = "yookassa"


@get("/settings/connections")
async def connections_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the shop's connections."""
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/connections.html",
        section="settings",
        connections=await connections.list_for_shop(ctx, session.member),
        providers=ctx.providers,
    )


@get("/settings/connections/new")
async def new_connection_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show an empty form."""
    values = dict.fromkeys(FORM_FIELDS, "") | {"provider": DEFAULT_PROVIDER}
    return _form_page(request, ctx, session, None, values, {})


@post("/settings/connections/new", opt=RECENT_AUTHENTICATION)
async def create_connection(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save a new connection and check its credentials with the acquirer."""
    form_data = await read_form_values(request)
    try:
        connection = await _save(ctx, session, None, form_data)
    except RefusedError as error:
        return _form_page_with_errors(request, ctx, session, None, form_data, error)
    return _redirect_with_check_result(
        await connections.verify_credentials(ctx, session.member, connection.id)
    )


@get("/settings/connections/{connection_id:str}")
async def connection_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    connection_id: FromPath[str],
) -> Response[Any]:
    """Show a connection: the result of its check, the notice URL, the form."""
    connection = await connections.get(ctx, session.member, connection_id)
    errors = {}
    if connection.settings.get("ca_bundle"):  # the path of a file, from an older version
        errors["ca_certificates"] = translator_for(session).t("errors.problem.certificate_path")
    return _form_page(request, ctx, session, connection, _form_values(connection), errors)


@post("/settings/connections/{connection_id:str}", opt=RECENT_AUTHENTICATION)
async def save_connection(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    connection_id: FromPath[str],
) -> Response[Any]:
    """Save the changes and check the credentials with the acquirer."""
    form_data = await read_form_values(request)
    connection = await connections.get(ctx, session.member, connection_id)
    try:
        await _save(ctx, session, connection, form_data)
    except RefusedError as error:
        return _form_page_with_errors(request, ctx, session, connection, form_data, error)
    return _redirect_with_check_result(
        await connections.verify_credentials(ctx, session.member, connection_id)
    )


@post("/settings/connections/{connection_id:str}/check")
async def check_connection(
    ctx: NamedDependency[Context], session: NamedDependency[Session], connection_id: FromPath[str]
) -> Response[Any]:
    """Check the credentials with the acquirer; the page then shows the result."""
    await connections.verify_credentials(ctx, session.member, connection_id)
    return redirect(f"/settings/connections/{connection_id}")


@post("/settings/connections/{connection_id:str}/switch", opt=RECENT_AUTHENTICATION)
async def set_active(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    connection_id: FromPath[str],
) -> Response[Any]:
    """Start or stop using the connection for new payments."""
    active = first_value(await read_form_values(request), "active") == "1"
    await connections.set_active(ctx, session.member, connection_id, active, origin=session.origin)
    flash_key = "settings.done_connection_on" if active else "settings.done_connection_off"
    return redirect(f"/settings/connections/{connection_id}", flash_key)


def _redirect_with_check_result(connection: Connection) -> Response[Any]:
    """Redirect to the connection's page, which shows the result of the check."""
    url = f"/settings/connections/{connection.id}"
    if connection.has_passed_check:
        return redirect(url, "settings.done_connection")
    return redirect(url, "settings.done_connection_bad", tone="bad")


async def _save(
    ctx: Context, session: Session, connection: Connection | None, form_data: FormValues
) -> Connection:
    return await connections.save(
        ctx,
        session.member,
        connection.id if connection else None,
        provider=connection.provider if connection else first_value(form_data, "provider"),
        title=first_value(form_data, "title"),
        account=first_value(form_data, "account"),
        secret=first_value(form_data, "secret") or None,
        settings=parse_settings(form_data),
        origin=session.origin,
    )


def parse_settings(form_data: FormValues) -> dict[str, Any]:
    """Parse the settings besides credentials; the adapter adds defaults for missing ones.

    Raises RefusedError("validation") when `timeout_s` is not a number.
    """
    settings: dict[str, Any] = {
        name: value for name in ADVANCED_FIELDS if (value := _form_value(form_data, name))
    }
    settings["two_stage"] = first_value(form_data, "two_stage") == "1"
    if text := settings.get("timeout_s"):
        try:
            settings["timeout_s"] = float(text.replace(",", "."))
        except ValueError:
            raise validation_error(Problem("timeout_s", "range", {"min": 1, "max": 120})) from None
    return settings


def _form_value(form_data: FormValues, name: str) -> str:
    return first_value(form_data, name, multiline=name == "ca_certificates")


def _form_values(connection: Connection) -> dict[str, str]:
    settings = {name: str(connection.settings.get(name) or "") for name in ADVANCED_FIELDS}
    return settings | {
        "provider": connection.provider,
        "title": connection.title,
        "account": connection.account,
        "timeout_s": settings["timeout_s"].removesuffix(".0"),
        "two_stage": "1" if connection.two_stage else "0",
    }


def _form_page_with_errors(
    request: WebRequest,
    ctx: Context,
    session: Session,
    connection: Connection | None,
    form_data: FormValues,
    error: RefusedError,
) -> Response[Any]:
    if error.code != "validation":
        raise error
    values = {name: _form_value(form_data, name) for name in FORM_FIELDS}
    return _form_page(
        request,
        ctx,
        session,
        connection,
        values,
        refusal_texts(translator_for(session), error),
        422,
    )


def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    connection: Connection | None,
    values: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    providers = {name: p.titles[session.locale] for name, p in ctx.providers.items()}
    provider = ctx.providers.get(values["provider"] or DEFAULT_PROVIDER)
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/connection.html",
        section="settings",
        status=status,
        errors=errors,
        values=values,
        connection=connection,
        active=connection is not None and connection.status is Status.ACTIVE,
        providers=providers,
        live_url=provider.base_url if provider else "",
        has_two_stage=provider is not None and provider.capabilities.two_stage,
        notice_url=connections.notice_url(ctx, connection) if connection else "",
        # The secret of a connection is asked for again when an advanced field has changed.
        advanced_open=any(name in errors for name in (*ADVANCED_FIELDS, "secret")),
        secret_unreadable=connection is not None and not is_secret_readable(ctx.cipher, connection),
        certificates=list_certificates(connection) if connection else [],
    )


HANDLERS = [
    connections_page,
    new_connection_page,
    create_connection,
    connection_page,
    save_connection,
    check_connection,
    set_active,
]
