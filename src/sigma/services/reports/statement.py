"""The month's statement: read page by page, so that a month of 30,000 payments holds up nobody."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.answers import Answers
from sigma.domain.billing.mail import mask_email
from sigma.domain.billing.payment import Attention
from sigma.domain.billing.refund import Origin
from sigma.domain.figures import Figures
from sigma.domain.local_time import start_of_day
from sigma.domain.money import Money
from sigma.domain.reports.periods import FIRST_DAY, Period
from sigma.domain.reports.statement import (
    MonthlyStatement,
    Operation,
    OperationKind,
    agreement,
    build_statement,
    build_summary,
)
from sigma.services.answer_codec import read_values
from sigma.services.context import Context
from sigma.services.reconciliation.runs import list_comparisons
from sigma.services.reports.figures import sum_days
from sigma.store.billing import answers
from sigma.store.engine.interface import Row
from sigma.store.reports import statement_rows, totals
from sigma.store.reports.totals import Dimension

PAGE_ROWS = 500
_VISIBLE_PHONE_DIGITS = 4


async def get_statement(ctx: Context, member: Member, period: Period) -> MonthlyStatement:
    """Return the statement of a period, up to now if the period is not over.

    Clients are masked for a member who may not read answers. Raises RefusedError("forbidden").
    """
    member.require(Permission.REPORTS)
    until_us = max(min(period.until_us, ctx.now_us()), period.since_us)
    operations: list[Operation] = []
    async for rows in _pages(ctx, member, period, statement_rows.list_payments):
        operations += await _payments(ctx, member, rows)
    async for rows in _pages(ctx, member, period, statement_rows.list_refunds):
        operations += await _refunds(ctx, member, rows)
    comparisons = await list_comparisons(ctx, member.shop_id, period.since_us)
    return build_statement(
        period,
        until_us,
        operations,
        await _opening(ctx, member.shop_id, period),
        agreement(period.since_us, until_us, comparisons),
    )


async def get_summary(ctx: Context, member: Member, period: Period) -> MonthlyStatement:
    """Return the totals of a statement without its operations, from the totals of reports.

    Raises RefusedError("forbidden").
    """
    member.require(Permission.REPORTS)
    until_us = max(min(period.until_us, ctx.now_us()), period.since_us)
    async with ctx.db.read() as tx:
        days = await sum_days(tx, member.shop_id, period)
    comparisons = await list_comparisons(ctx, member.shop_id, period.since_us)
    opening = await _opening(ctx, member.shop_id, period)
    agreed = agreement(period.since_us, until_us, comparisons)
    return build_summary(period, until_us, days, opening, agreed)


async def _opening(ctx: Context, shop_id: str, period: Period) -> dict[str, Figures]:
    first_us = start_of_day(FIRST_DAY, "UTC")
    async with ctx.db.read() as tx:
        sums = await totals.sum_by_key(tx, shop_id, Dimension.ALL, first_us, period.since_us)
    return {currency: figures for (_, currency), figures in sums.items()}


async def _pages(
    ctx: Context,
    member: Member,
    period: Period,
    read: Callable[..., Awaitable[list[Row]]],
) -> AsyncIterator[list[Row]]:
    after_us, after_id = period.since_us, ""
    while True:
        async with ctx.db.read() as tx:
            rows = await read(
                tx,
                shop_id=member.shop_id,
                after_us=after_us,
                after_id=after_id,
                until_us=period.until_us,
                limit=PAGE_ROWS,
            )
        if rows:
            yield rows
        if len(rows) < PAGE_ROWS:
            return
        after_us, after_id = rows[-1]["at_us"], rows[-1]["id"]


async def _payments(ctx: Context, member: Member, rows: list[Row]) -> list[Operation]:
    clients = await _clients(ctx, member, [row["id"] for row in rows])
    return [
        Operation(
            OperationKind.PAYMENT,
            row["at_us"],
            row["id"],
            row["id"],
            income=None if row["income_minor"] is None else _money(row, "income_minor"),
            attention=Attention(row["attention"]) if row["attention"] else None,
            **_common(row),
            client=clients.get(row["id"], ""),
        )
        for row in rows
    ]


async def _refunds(ctx: Context, member: Member, rows: list[Row]) -> list[Operation]:
    clients = await _clients(ctx, member, [row["payment_id"] for row in rows])
    return [
        Operation(
            OperationKind.CHARGEBACK
            if row["origin"] == Origin.CHARGEBACK
            else OperationKind.REFUND,
            row["at_us"],
            row["id"],
            row["payment_id"],
            **_common(row),
            client=clients.get(row["payment_id"], ""),
            paid_at_us=row["captured_at_us"],
        )
        for row in rows
    ]


def _common(row: Row) -> dict[str, Any]:
    return {
        "provider_id": row["provider_id"] or "",
        "invoice_number": row["number"],
        "title": row["title"],
        "amount": _money(row, "amount_minor"),
    }


def _money(row: Row, column: str) -> Money:
    return Money(row[column], row["currency"])


async def _clients(ctx: Context, member: Member, payment_ids: list[str]) -> dict[str, str]:
    """Return the client of each payment by its id, masked if the member may not read answers."""
    async with ctx.db.read() as tx:
        latest = await answers.list_latest(tx, payment_ids)
    is_masked = not member.can(Permission.READ_ANSWERS)
    return {
        payment_id: _client(ctx, row, is_masked=is_masked) for payment_id, row in latest.items()
    }


def _client(ctx: Context, row: Answers, *, is_masked: bool) -> str:
    values = read_values(ctx.cipher, row) or {}
    for kind in ("name", "email", "phone"):
        value = values.get(kind)
        if isinstance(value, str) and value:
            return mask_contact(kind, value) if is_masked else value
    return ""


def mask_contact(kind: str, value: str) -> str:
    """Return «И. П.», "i***@mail.ru" or «••• 43-21» for a name, an e-mail address, a phone."""
    if kind == "email":
        return mask_email(value)
    if kind == "phone":
        return f"••• {value[-_VISIBLE_PHONE_DIGITS:-2]}-{value[-2:]}"
    return " ".join(f"{word[0]}." for word in value.split()[:3])
