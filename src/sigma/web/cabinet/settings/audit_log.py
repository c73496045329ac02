"""The audit log: the page with its filters, and its export."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response, Stream

from sigma.domain.accounts.member import Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import EntryFilter
from sigma.domain.errors import RefusedError
from sigma.domain.local_time import start_of_day
from sigma.services.accounts import users
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.texts import Translator
from sigma.web.cabinet.guards import SESSION_COOKIE, WebRequest
from sigma.web.cabinet.responses import render_cabinet_page, translator_for
from sigma.web.cabinet.settings.audit_views import actor_text, deed_text, entry_view
from sigma.web.cabinet.urls import build_url, next_page_url, query_values
from sigma.web.cookies import read_cookie
from sigma.web.forms import FormValues, first_value, parse_cursor

HERE = "/settings/audit"
EXPORT_COLUMNS = (
    *("number", "time_utc", "actor", "actor_name", "deed", "deed_text", "subject"),
    *("address", "browser", "session", "request_id", "detail", "mac"),
)


@get(HERE)
async def audit_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the shop's audit log, newest first, with filters in the URL."""
    query = query_values(request)
    values = {name: first_value(query, name) for name in ("actor", "deed", "since", "until")}
    page = await audit_log.list_page(
        ctx,
        session.member,
        _parse_filter(query, session.shop.tz),
        cursor=parse_cursor(first_value(query, "cursor")),
    )
    translator = translator_for(session)
    names = await audit_log.list_names(ctx, session.member)
    actors = await audit_log.list_actors(ctx, session.member)
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/audit_log.html",
        section="settings",
        rows=[entry_view(entry, names, translator) for entry in page.data],
        values=values,
        is_filtered=any(values.values()),
        actors=[("", translator.t("audit.anyone"))]
        + [(actor, actor_text(actor, names, translator)) for actor in actors],
        deeds=_deed_options(translator),
        more_url=next_page_url(HERE, page.next_cursor, **values),
        export_url=build_url(f"{HERE}.csv", **values),
        hide_plus=True,
    )


def _deed_options(translator: Translator) -> list[tuple[str, str]]:
    deeds = sorted((deed_text(deed.value, translator), deed.value) for deed in Deed)
    return [("", translator.t("audit.anything")), *((value, text) for text, value in deeds)]


def _parse_filter(query: FormValues, tz: str) -> EntryFilter:
    """Return the filter of a query string; values that cannot be read are left out."""
    since, until = (_parse_day(first_value(query, name)) for name in ("since", "until"))
    return EntryFilter(
        actor=first_value(query, "actor")[:60],
        deed=first_value(query, "deed")[:60],
        since_us=start_of_day(since, tz) if since else None,
        until_us=start_of_day(until + timedelta(days=1), tz) if until else None,
    )


def _parse_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 9000 else None


@get(f"{HERE}.csv")
async def export_audit_log(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Stream:
    """Export the entries that match the filters as CSV, newest first."""
    session.member.require(Permission.AUDIT)
    wanted = _parse_filter(query_values(request), session.shop.tz)
    await audit_log.record_alone(ctx, session.member, Deed.AUDIT_EXPORTED)
    names = await audit_log.list_names(ctx, session.member)
    secret = read_cookie(request, SESSION_COOKIE)
    headers = {"content-disposition": 'attachment; filename="audit-log.csv"'}
    return Stream(
        lambda: csv_chunks(ctx, session, secret, wanted, names),
        media_type="text/csv",
        headers=headers,
    )


async def csv_chunks(
    ctx: Context, session: Session, secret: str, wanted: EntryFilter, names: dict[str, str]
) -> AsyncIterator[str]:
    """Yield the file in parts.

    The session and its right are read again before each part: a person who loses them during a long
    download gets no further entries, and the browser reports the download as failed.
    """
    translator = translator_for(session)
    # The byte order mark: spreadsheet programs recognize UTF-8 by it.
    yield "\ufeff" + audit_log.csv_lines([list(EXPORT_COLUMNS)])
    async for batch in audit_log.iterate(ctx, session.member, wanted):
        current = await users.find_session(ctx, secret)
        if current is None or current.shop.id != session.shop.id:
            raise RefusedError("unauthorized")
        current.member.require(Permission.AUDIT)
        yield audit_log.csv_lines(
            [
                [
                    str(entry.number),
                    Translator("en", "UTC").datetime(entry.occurred_at_us),
                    entry.actor,
                    actor_text(entry.actor, names, translator),
                    entry.deed,
                    deed_text(entry.deed, translator),
                    entry.subject,
                    entry.address,
                    entry.agent,
                    entry.session,
                    entry.request_id,
                    entry.detail,
                    entry.mac,
                ]
                for entry in batch
            ]
        )


HANDLERS = [audit_page, export_audit_log]
