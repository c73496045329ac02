"""One payment with everything that belongs to it, for the cabinet."""

from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.acquirer_notice import AcquirerNotice
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import AnswerValue, Question
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund, refundable_amount, refunded_amount
from sigma.domain.change import TimelineEvent
from sigma.domain.money import Money
from sigma.services.answer_codec import read_values
from sigma.services.billing.payments import get
from sigma.services.context import Context
from sigma.services.paging import MAX_LIMIT, Page, make_page
from sigma.services.platform import audit_log
from sigma.store.billing import (
    acquirer_notices,
    connections,
    invoices,
    mails,
    receipts,
    refunds,
)
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import timeline as timeline_rows

# Shown instead of each answer that a member may not read, also of one that was not given.
MASK = "•••"


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One answer; the value is MASK if the member may not read answers."""

    question: Question
    value: AnswerValue | None
    is_masked: bool
    is_unreadable: bool = False


@dataclass(frozen=True, slots=True)
class PaymentDetails:
    """Everything about one payment.

    `answers_erased_at_us`: since when the answers are erased; None while they are stored.
    `refundable` is what can still be refunded. `reports_payouts`: see `Capabilities`.
    Refunds and mails are oldest first, timeline and notices newest first, by page.
    """

    payment: Payment
    invoice: Invoice
    connection: Connection
    answers: list[AnswerView]
    consents: tuple[Consent, ...]
    timeline: Page[TimelineEvent]
    mails: tuple[Mail, ...]
    receipt: Receipt | None
    refunds: tuple[Refund, ...]
    refunded: Money
    refundable: Money
    notices: Page[AcquirerNotice]
    reports_payouts: bool = False
    answers_erased_at_us: int | None = None


async def get_details(
    ctx: Context,
    member: Member,
    payment_id: str,
    *,
    timeline_cursor: str | None = None,
    notices_cursor: str | None = None,
) -> PaymentDetails:
    """Return one payment with everything that belongs to it. Raises RefusedError("not_found").

    Answers are masked for members without the permission to read them. The cursors select the
    page of the timeline and of the notices.
    """
    payment = await get(ctx, member, payment_id)
    details = await _read_details(ctx, member, payment, timeline_cursor, notices_cursor)
    if any(view.value not in (None, MASK) for view in details.answers):
        await audit_log.record_answers_viewed(ctx, member, payment_id)
    return details


async def _read_details(
    ctx: Context,
    member: Member,
    payment: Payment,
    timeline_cursor: str | None,
    notices_cursor: str | None,
) -> PaymentDetails:
    payment_id = payment.id
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, payment.invoice_id)
        connection = await connections.get(tx, payment.connection_id)
        assert invoice is not None and connection is not None, (
            "a payment has an invoice and a connection"
        )
        answer_versions = await answer_rows.list_for_payment(tx, payment_id)
        refund_rows = await refunds.list_for_payment(tx, payment_id)
        currency = payment.amount.currency
        events = await timeline_rows.list_for_subject(
            tx, payment_id, before_id=timeline_cursor or "", limit=MAX_LIMIT + 1
        )
        notices = payment.provider_id and await acquirer_notices.list_for_object(
            tx,
            connection.id,
            payment.provider_id,
            before_id=notices_cursor or "",
            limit=MAX_LIMIT + 1,
        )
        return PaymentDetails(
            payment=payment,
            invoice=invoice,
            connection=connection,
            answers=answer_views(ctx, member, answer_versions[-1]) if answer_versions else [],
            consents=tuple(await answer_rows.list_consents(tx, payment_id)),
            timeline=make_page(events, MAX_LIMIT, lambda event: event.id),
            mails=await mails.list_for_payment(tx, payment_id),
            receipt=await receipts.find_for_payment(tx, payment_id),
            refunds=refund_rows,
            refunded=refunded_amount(refund_rows, currency),
            refundable=refundable_amount(payment, refund_rows),
            notices=make_page(notices or [], MAX_LIMIT, lambda notice: notice.id),
            reports_payouts=ctx.providers[payment.provider].capabilities.reports_payouts,
            answers_erased_at_us=answer_versions[-1].erased_at_us if answer_versions else None,
        )


def answer_views(ctx: Context, member: Member, answers: Answers) -> list[AnswerView]:
    """Return the answers to the questions that were on the page; masked without the right."""
    can_read = member.can(Permission.READ_ANSWERS)
    stored = read_values(ctx.cipher, answers) if can_read else {}
    values, is_unreadable = stored or {}, stored is None
    return [
        AnswerView(
            q,
            values.get(q.key) if can_read else MASK,
            is_masked=not can_read,
            is_unreadable=is_unreadable,
        )
        for q in answers.questions
    ]
