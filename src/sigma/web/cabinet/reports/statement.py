"""The page of a month's statement, and its files."""

import re
from datetime import date
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import RefusedError
from sigma.domain.local_time import local_date
from sigma.domain.reports.periods import Period, month_period
from sigma.domain.reports.statement import MAX_PDF_OPERATIONS
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.reports import statement_files
from sigma.services.reports.statement import get_summary
from sigma.services.reports.statement_files import FileFormat
from sigma.texts.statement_view import build_statement_view, month_title
from sigma.web.cabinet.guards import NO_STORE_HEADERS, WebRequest
from sigma.web.cabinet.responses import render_cabinet_page, translator_for
from sigma.web.cabinet.urls import query_values
from sigma.web.forms import first_value

MONTHS = 24  # offered
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_MEDIA_TYPES = {
    FileFormat.PDF: "application/pdf",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@get("/reports/statement")
async def statement_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the totals of a month (`?month=2026-11`, else the present one) and its files."""
    session.member.require(Permission.REPORTS)
    translator = translator_for(session)
    today = local_date(ctx.now_us(), session.shop.tz)
    period = _month(first_value(query_values(request), "month") or f"{today:%Y-%m}", session)
    summary = await get_summary(ctx, session.member, period)
    view = build_statement_view(summary, session.shop, translator, ctx.now_us())
    count = sum(one.total.payment_count + one.total.refund_count for one in summary.currencies)
    return render_cabinet_page(
        request,
        session,
        "cabinet/reports/statement.html",
        section="home",
        view=view,
        month=f"{period.first_day:%Y-%m}",
        months=[(f"{day:%Y-%m}", month_title(day, translator)) for day in _months(today, period)],
        is_pdf_short=count > MAX_PDF_OPERATIONS,
        max_pdf=translator.number(str(MAX_PDF_OPERATIONS)),
        can_reconcile=session.member.can(Permission.RECONCILE),
        hide_plus=True,
    )


def _month(text: str, session: Session) -> Period:
    """Return a calendar month in the shop's zone. Raises RefusedError("not_found")."""
    match = _MONTH.fullmatch(text)
    if match is None:
        raise RefusedError("not_found", what="statement")
    return month_period(int(match[1]), int(match[2]), session.shop.tz)


def _months(today: date, period: Period) -> list[date]:
    """Return the first days of the latest months, and that of the period, the latest first."""
    number = today.year * 12 + today.month - 1
    latest = [date(n // 12, n % 12 + 1, 1) for n in range(number, number - MONTHS, -1)]
    return sorted({*latest, period.first_day}, reverse=True)


@get("/reports/statement/{month:str}/{file_format:str}")
async def statement_file(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    month: FromPath[str],
    file_format: FromPath[str],
) -> Response[bytes]:
    """Download the statement of a month as "pdf" or "xlsx"."""
    session.member.require(Permission.REPORTS)
    if file_format not in tuple(FileFormat):
        raise RefusedError("not_found", what="statement")
    period, chosen = _month(month, session), FileFormat(file_format)
    content = await statement_files.download(
        ctx, session.member, session.shop, period, chosen, session.locale
    )
    name = f"sigma-{period.first_day:%Y-%m}.{chosen}"
    return Response(
        content,
        media_type=_MEDIA_TYPES[chosen],
        headers=NO_STORE_HEADERS | {"content-disposition": f'attachment; filename="{name}"'},
    )


HANDLERS = [statement_page, statement_file]
