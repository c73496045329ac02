"""Retention periods, and the erasure log."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.personal_data.erasure import Erasure
from sigma.domain.personal_data.retention import MAX_DAYS, MIN_DAYS, DataKind, Retention
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.personal_data import retention
from sigma.texts import Translator
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    FormValues,
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import first_value, parse_count, parse_cursor

HERE = "/settings/data"


@get(HERE)
async def periods_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the periods and the erasure log."""
    return await _page(request, ctx, session)


@post(HERE, opt=RECENT_AUTHENTICATION)
async def save_periods(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Store the periods; what is older is deleted soon."""
    form_data = await read_form_values(request)
    try:
        await retention.save(ctx, session.member, _parse_periods(form_data))
    except RefusedError as error:
        if error.code != "validation":
            raise
        values = {f"{kind}_days": first_value(form_data, f"{kind}_days") for kind in DataKind}
        errors = refusal_texts(translator_for(session), error)
        return await _page(request, ctx, session, status=422, errors=errors, values=values)
    return redirect(HERE, "settings.done_periods")


def _parse_periods(form_data: FormValues) -> Retention:
    """Return the periods of a form. Raises RefusedError("validation")."""
    parsed = {
        kind: parse_count(
            first_value(form_data, f"{kind}_days"),
            f"{kind}_days",
            minimum=MIN_DAYS[kind],
            maximum=MAX_DAYS,
        )
        for kind in DataKind
    }
    problems = [value for value in parsed.values() if isinstance(value, Problem)]
    if problems:
        raise validation_error(*problems)
    return Retention(
        **{kind.value: value for kind, value in parsed.items() if isinstance(value, int)}
    )


async def _page(
    request: WebRequest, ctx: Context, session: Session, status: int = 200, **context: Any
) -> Response[Any]:
    stored = await retention.get(ctx, session.member)
    cursor = parse_cursor(first_value(query_values(request), "cursor"))
    erasures = await retention.list_erasures(ctx, session.member, cursor=cursor)
    translator = translator_for(session)
    defaults: dict[str, Any] = {
        "values": {f"{kind}_days": str(stored.days(kind)) for kind in DataKind},
        "errors": {},
    }
    return render_cabinet_page(
        request,
        session,
        "cabinet/personal_data/periods.html",
        section="settings",
        status=status,
        kinds=[str(kind) for kind in DataKind],
        minimum={str(kind): days for kind, days in MIN_DAYS.items()},
        max_days=MAX_DAYS,
        erasures=[(one, _counts_text(one, translator)) for one in erasures.data],
        more_url=next_page_url(HERE, erasures.next_cursor),
        can_find=session.member.can(Permission.PERSONAL_DATA),
        **(defaults | context),
    )


def _counts_text(erasure: Erasure, translator: Translator) -> str:
    """Return "ответы: 3, сообщения: 12"."""
    return ", ".join(
        f"{translator.t(f'personal_data.kind_{kind}')}: {count}"
        for kind, count in erasure.counts.items()
        if count
    )


HANDLERS = [periods_page, save_periods]
