"""The month's statement as a file: drawn in a thread of its own, one at a time."""

from enum import StrEnum

from sigma.documents.statement_pdf import statement_pdf
from sigma.documents.statement_xlsx import statement_xlsx
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.limits import STATEMENT_DOWNLOAD
from sigma.domain.reports.periods import Period
from sigma.domain.reports.statement import MonthlyStatement
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.services.platform.limited_process import SerialExecutor
from sigma.services.reports.statement import get_statement
from sigma.texts import Translator
from sigma.texts.statement_view import build_statement_view

# One statement at a time: drawing one takes seconds and much memory.
_executor = SerialExecutor("statement")


class FileFormat(StrEnum):
    """The formats of a statement."""

    PDF = "pdf"
    XLSX = "xlsx"


async def download(
    ctx: Context, member: Member, shop: Shop, period: Period, file_format: FileFormat, locale: str
) -> bytes:
    """Return the statement of a period as a file, and record it in the audit log.

    Raises RefusedError: "forbidden", "too_many_requests".
    """
    member.require(Permission.REPORTS)
    await ctx.limiter.require(STATEMENT_DOWNLOAD, member.shop_id)
    statement = await get_statement(ctx, member, period)
    await audit_log.record_alone(
        ctx,
        member,
        Deed.STATEMENT_DOWNLOADED,
        month=f"{period.first_day:%Y-%m}",
        format=str(file_format),
        count=len(statement.operations),
    )
    translator = Translator(locale, period.tz)
    return await _executor.run(_draw, statement, shop, translator, ctx.now_us(), file_format)


def _draw(
    statement: MonthlyStatement,
    shop: Shop,
    translator: Translator,
    now_us: int,
    file_format: FileFormat,
) -> bytes:
    view = build_statement_view(statement, shop, translator, now_us)
    if file_format is FileFormat.PDF:
        return statement_pdf(view, translator)
    return statement_xlsx(view, translator)
