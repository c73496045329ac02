"""Payments and invoices of one customer, by page, with refunds and answers."""

from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.money import Money
from sigma.services.billing.payment_details import AnswerView, answer_views
from sigma.services.context import Context
from sigma.services.customers.customer_views import access
from sigma.services.paging import Page, make_page
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import refunds
from sigma.store.customers import lists

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True)
class CustomerPayment:
    """A payment of a customer. Answers are masked for members who may not read them."""

    payment: Payment
    invoice_number: int
    invoice_title: str
    refunded: Money
    refunds: tuple[Refund, ...]
    answers: list[AnswerView]


async def list_payments(
    ctx: Context, member: Member, customer_id: str, *, cursor: str | None = None
) -> Page[CustomerPayment]:
    """Return a page of a customer's payments, the newest first.

    Raises RefusedError: "forbidden", "not_found".
    """
    customer = await access(ctx, member, customer_id)
    async with ctx.db.read() as tx:
        rows = await lists.list_payments(tx, customer.id, cursor or "", PAGE_SIZE + 1)
        page = make_page(rows, PAGE_SIZE, lambda row: row[0].id)
        ids = [payment.id for payment, _ in page.data]
        titles = await lists.invoice_titles(tx, {payment.invoice_id for payment, _ in page.data})
        refunds_by_payment = await refunds.list_for_payments(tx, ids)
        latest = await answer_rows.list_latest(tx, ids)
    found = []
    for payment, refunded_minor in page.data:
        number, title = titles[payment.invoice_id]
        answers = latest.get(payment.id)
        found.append(
            CustomerPayment(
                payment,
                number,
                title,
                Money(refunded_minor, payment.amount.currency),
                refunds_by_payment.get(payment.id, ()),
                answer_views(ctx, member, answers) if answers else [],
            )
        )
    return Page(found, page.next_cursor)


async def list_invoices(
    ctx: Context, member: Member, customer_id: str, *, cursor: str | None = None
) -> Page[Invoice]:
    """Return a page of the invoices that a customer was issued or has paid, the newest first.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.READ)
    customer = await access(ctx, member, customer_id)
    async with ctx.db.read() as tx:
        rows = await lists.list_invoices(tx, customer.id, cursor or "", PAGE_SIZE + 1)
    return make_page(rows, PAGE_SIZE, lambda one: one.id)
