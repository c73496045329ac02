"""Taking payments: the shop's connections to acquirers. Their secrets are never shown again."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.billing.connection import Connection, Status
from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.accounts.users import Session
from sigma.services.billing import connections
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import Given, cabinet_page, go, posted, refusal, words_of
from sigma.web.forms import one

FIELDS = ("provider", "title", "account", "two_stage", "base_url", "timeout_s", "ca_bundle")
ADVANCED = ("base_url", "timeout_s", "ca_bundle")
DEFAULT = "yookassa"


@get("/settings/connections")
async def list_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """All connections of the shop."""
    found = await connections.listing(ctx, session.member)
    return cabinet_page(
        request,
        session,
        "cabinet/settings/connections.html",
        place="settings",
        connections=found,
        providers=ctx.providers,
    )


@get("/settings/connections/new")
async def new_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The form of a new connection."""
    typed = dict.fromkeys(FIELDS, "") | {"provider": DEFAULT}
    return _form(request, ctx, session, None, typed, {})


@post("/settings/connections/new")
async def add(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Stores a new connection and asks the acquirer at once whether it works."""
    given = await posted(request)
    try:
        made = await _save(ctx, session, None, given)
    except Refused as refused:
        return _refused(request, ctx, session, None, given, refused)
    return _saved(await connections.check(ctx, session.member, made.id))


@get("/settings/connections/{connection_id:str}")
async def connection_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    connection_id: FromPath[str],
) -> Response[Any]:
    """One connection: its check, the address for notices, its form."""
    connection = await connections.get(ctx, session.member, connection_id)
    return _form(request, ctx, session, connection, _kept(connection), {})


@post("/settings/connections/{connection_id:str}")
async def save(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    connection_id: FromPath[str],
) -> Response[Any]:
    """Stores the changes and asks the acquirer again."""
    given = await posted(request)
    connection = await connections.get(ctx, session.member, connection_id)
    try:
        await _save(ctx, session, connection, given)
    except Refused as refused:
        return _refused(request, ctx, session, connection, given, refused)
    return _saved(await connections.check(ctx, session.member, connection_id))


@post("/settings/connections/{connection_id:str}/check")
async def check(
    ctx: NamedDependency[Context], session: NamedDependency[Session], connection_id: FromPath[str]
) -> Response[Any]:
    """Asks the acquirer whether these credentials work; the page then shows what it said."""
    await connections.check(ctx, session.member, connection_id)
    return go(f"/settings/connections/{connection_id}")


@post("/settings/connections/{connection_id:str}/switch")
async def switch(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    connection_id: FromPath[str],
) -> Response[Any]:
    """Takes new payments through it, or no more."""
    active = one(await posted(request), "active") == "1"
    await connections.switch(ctx, session.member, connection_id, active)
    done = "settings.done_connection_on" if active else "settings.done_connection_off"
    return go(f"/settings/connections/{connection_id}", done)


def _saved(connection: Connection) -> Response[Any]:
    """On to the connection's page, which says what the acquirer answered."""
    url = f"/settings/connections/{connection.id}"
    if connection.check_ok:
        return go(url, "settings.done_connection")
    return go(url, "settings.done_connection_bad", tone="bad")


async def _save(
    ctx: Context, session: Session, known: Connection | None, given: Given
) -> Connection:
    return await connections.save(
        ctx,
        session.member,
        known.id if known else None,
        provider=known.provider if known else one(given, "provider"),
        title=one(given, "title"),
        account=one(given, "account"),
        secret=one(given, "secret") or None,
        settings=read_settings(given),
    )


def read_settings(given: Given) -> dict[str, Any]:
    """What a connection keeps besides credentials; the adapter fills gaps. Raises Refused."""
    settings: dict[str, Any] = {name: one(given, name) for name in ADVANCED if one(given, name)}
    settings["two_stage"] = one(given, "two_stage") == "1"
    if text := settings.get("timeout_s"):
        try:
            settings["timeout_s"] = float(text.replace(",", "."))
        except ValueError:
            raise invalid(Problem("timeout_s", "range", {"min": 1, "max": 120})) from None
    return settings


def _kept(connection: Connection) -> dict[str, str]:
    settings = {name: str(connection.settings.get(name) or "") for name in ADVANCED}
    return settings | {
        "provider": connection.provider,
        "title": connection.title,
        "account": connection.account,
        "timeout_s": settings["timeout_s"].removesuffix(".0"),
        "two_stage": "1" if connection.two_stage else "0",
    }


def _refused(
    request: WebRequest,
    ctx: Context,
    session: Session,
    connection: Connection | None,
    given: Given,
    refused: Refused,
) -> Response[Any]:
    if refused.code != "validation":
        raise refused
    typed = {name: one(given, name) for name in FIELDS}
    return _form(request, ctx, session, connection, typed, refusal(words_of(session), refused), 422)


def _form(
    request: WebRequest,
    ctx: Context,
    session: Session,
    connection: Connection | None,
    typed: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    providers = {name: p.titles[session.locale] for name, p in ctx.providers.items()}
    known = ctx.providers.get(typed["provider"] or DEFAULT)
    return cabinet_page(
        request,
        session,
        "cabinet/settings/connection.html",
        place="settings",
        status=status,
        errors=errors,
        typed=typed,
        connection=connection,
        active=connection is not None and connection.status is Status.ACTIVE,
        providers=providers,
        live_url=known.base_url if known else "",
        notice_url=connections.notice_url(ctx, connection) if connection else "",
        advanced_open=any(name in errors for name in ADVANCED),
    )


HANDLERS = [list_page, new_page, add, connection_page, save, check, switch]
