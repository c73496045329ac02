"""Payments as rows, with what belongs to one: answers, consents, receipt, refunds so far, and the
lists.
"""

from itertools import product
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.payment import Attention, Method, Payment, Status
from sigma.domain.billing.question import Question
from sigma.domain.billing.receipt import Receipt
from sigma.domain.money import Money
from sigma.store.billing.invoices import LAST, pattern
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import amount, codec, columns, encode, plain
from sigma.store.engine.statements import Statement, statement
from sigma.store.schema.tables import answers, consents, invoices, payments, receipts, refunds

_method = msgspec.json.Decoder(Method)
_questions = msgspec.json.Decoder(tuple[Question, ...])


def _to_row(payment: Payment) -> dict[str, Any]:
    return plain(payment, "amount", "income", "method") | {
        "amount_minor": payment.amount.minor,
        "currency": payment.amount.currency,
        "income_minor": payment.income.minor if payment.income else None,
        "method": encode(payment.method) if payment.method else None,
    }


def from_row(row: Row) -> Payment:
    """A payment from its columns."""
    made = ("amount_minor", "currency", "income_minor", "method", "status", "attention")
    fields = columns(payments, row, *made, "unknown", "wants_mail")
    income = row["income_minor"]
    return Payment(
        amount=amount(row),
        income=None if income is None else Money(income, row["currency"]),
        method=_method.decode(row["method"]) if row["method"] else None,
        status=Status(row["status"]),
        attention=Attention(row["attention"]) if row["attention"] else None,
        unknown=bool(row["unknown"]),
        wants_mail=bool(row["wants_mail"]),
        **fields,
    )


CODEC = codec(payments, _to_row, from_row)

ANSWERS = codec(
    answers,
    lambda a: plain(a, "questions") | {"questions": encode(a.questions)},
    lambda row: Answers(
        questions=_questions.decode(row["questions"]), **columns(answers, row, "questions")
    ),
)
CONSENT = codec(consents, plain, lambda row: Consent(**columns(consents, row)))
RECEIPT = codec(
    receipts,
    lambda r: plain(r, "body") | {"body": encode(r.body)},
    lambda row: Receipt(body=msgspec.json.decode(row["body"]), **columns(receipts, row, "body")),
)

_by_token = statement(select(payments).where(payments.c.token == bindparam("token")))
_by_form = statement(
    select(payments).where(
        payments.c.invoice_id == bindparam("invoice_id"),
        payments.c.payer == bindparam("payer"),
        payments.c.nonce == bindparam("nonce"),
    )
)
_live = statement(
    select(payments)
    .where(
        payments.c.invoice_id == bindparam("invoice_id"),
        payments.c.payer == bindparam("payer"),
        payments.c.status.in_(["created", "pending"]),
        payments.c.created_at > bindparam("since"),
    )
    .order_by(payments.c.id.desc())
    .limit(1)
)
_by_provider = statement(
    select(payments).where(
        payments.c.connection_id == bindparam("connection_id"),
        payments.c.provider_id == bindparam("provider_id"),
    )
)
_receipt = statement(select(receipts).where(receipts.c.payment_id == bindparam("payment_id")))
_answers_of = statement(
    select(answers).where(answers.c.payment_id == bindparam("payment_id")).order_by(answers.c.id)
)
_answers_by_payer = statement(
    select(answers)
    .where(answers.c.invoice_id == bindparam("invoice_id"), answers.c.payer == bindparam("payer"))
    .order_by(answers.c.id.desc())
    .limit(1)
)
_consents_of = statement(
    select(consents).where(consents.c.payment_id == bindparam("payment_id")).order_by(consents.c.id)
)

_refunded: ColumnElement[int] = (
    select(func.coalesce(func.sum(refunds.c.amount_minor), 0))
    .where(refunds.c.payment_id == payments.c.id, refunds.c.status == "succeeded")
    .scalar_subquery()
)


def _list(by_invoice: bool, status: bool, attention: bool, search: bool) -> Statement:
    query: Select[Any] = (
        select(
            payments,
            invoices.c.number.label("invoice_number"),
            invoices.c.title.label("invoice_title"),
            _refunded.label("refunded_minor"),
        )
        .join(invoices, invoices.c.id == payments.c.invoice_id)
        .where(payments.c.shop_id == bindparam("shop_id"), payments.c.id < bindparam("before"))
    )
    if by_invoice:
        query = query.where(payments.c.invoice_id == bindparam("invoice_id"))
    if status:
        query = query.where(payments.c.status == bindparam("status"))
    if attention:
        query = query.where(payments.c.attention.is_not(None))
    if search:
        like: BindParameter[str] = bindparam("pattern")
        query = query.where(
            or_(
                invoices.c.search.like(like, escape="\\"),
                payments.c.method.like(like, escape="\\"),
                payments.c.id == bindparam("exact"),
            )
        )
    return statement(query.order_by(payments.c.id.desc()).limit(bindparam("limit")))


_LISTS = {(i, s, a, q): _list(i, s, a, q) for i, s, a, q in product((False, True), repeat=4)}

_captured_of = statement(
    select(payments, _refunded.label("refunded_minor"))
    .where(payments.c.invoice_id == bindparam("invoice_id"), payments.c.status == "captured")
    .order_by(payments.c.id.desc())
    .limit(bindparam("limit"))
)
_sums = statement(
    select(
        payments.c.currency,
        func.coalesce(func.sum(payments.c.amount_minor), 0).label("minor"),
        func.count().label("n"),
    )
    .where(
        and_(
            payments.c.shop_id == bindparam("shop_id"),
            payments.c.captured_at >= bindparam("since"),
            payments.c.status == "captured",
        )
    )
    .group_by(payments.c.currency)
)


async def get(tx: Tx, payment_id: str) -> Payment | None:
    """The payment, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=payment_id)
    return from_row(row) if row else None


async def by_token(tx: Tx, token: str) -> Payment | None:
    """The payment behind a public link, or None."""
    row = await tx.fetch_one(_by_token, token=token)
    return from_row(row) if row else None


async def by_form(tx: Tx, invoice_id: str, payer: str, nonce: str) -> Payment | None:
    """The payment that one form of one browser has already made."""
    row = await tx.fetch_one(_by_form, invoice_id=invoice_id, payer=payer, nonce=nonce)
    return from_row(row) if row else None


async def live(tx: Tx, invoice_id: str, payer: str, since: int) -> Payment | None:
    """The latest unfinished payment of a browser that was started after `since`."""
    row = await tx.fetch_one(_live, invoice_id=invoice_id, payer=payer, since=since)
    return from_row(row) if row else None


async def by_provider(tx: Tx, connection_id: str, provider_id: str) -> Payment | None:
    """The payment that an acquirer knows by its own id."""
    row = await tx.fetch_one(_by_provider, connection_id=connection_id, provider_id=provider_id)
    return from_row(row) if row else None


async def receipt(tx: Tx, payment_id: str) -> Receipt | None:
    """The receipt of a payment, or None while there is none."""
    row = await tx.fetch_one(_receipt, payment_id=payment_id)
    return RECEIPT.from_row(row) if row else None


async def answers_of(tx: Tx, payment_id: str) -> list[Answers]:
    """What was answered for a payment, oldest first: the last one counts."""
    return [ANSWERS.from_row(r) for r in await tx.fetch_all(_answers_of, payment_id=payment_id)]


async def answers_by_payer(tx: Tx, invoice_id: str, payer: str) -> Answers | None:
    """What a browser last answered on an invoice."""
    row = await tx.fetch_one(_answers_by_payer, invoice_id=invoice_id, payer=payer)
    return ANSWERS.from_row(row) if row else None


async def consents_of(tx: Tx, payment_id: str) -> list[Consent]:
    """The consents given with a payment."""
    return [CONSENT.from_row(r) for r in await tx.fetch_all(_consents_of, payment_id=payment_id)]


async def listing(
    tx: Tx,
    shop_id: str,
    *,
    invoice_id: str | None = None,
    status: str | None = None,
    attention: bool = False,
    query: str = "",
    before: str = "",
    limit: int = 25,
) -> list[tuple[Payment, int, str, int]]:
    """Newest first: payment, its invoice's number and title, what was given back (minor units)."""
    values: dict[str, object] = {"shop_id": shop_id, "before": before or LAST, "limit": limit}
    if invoice_id:
        values["invoice_id"] = invoice_id
    if status:
        values["status"] = status
    if query:
        values |= {"pattern": pattern(query), "exact": query.strip()}
    chosen = _LISTS[bool(invoice_id), bool(status), attention, bool(query)]
    rows = await tx.fetch_all(chosen, **values)
    return [
        (from_row(r), r["invoice_number"], r["invoice_title"], int(r["refunded_minor"]))
        for r in rows
    ]


async def captured_of(tx: Tx, invoice_id: str, limit: int) -> list[tuple[Payment, int]]:
    """An invoice's captured payments, oldest first, the latest `limit` of them: each with what was
    given back (minor units).
    """
    rows = await tx.fetch_all(_captured_of, invoice_id=invoice_id, limit=limit)
    return [(from_row(r), int(r["refunded_minor"])) for r in reversed(rows)]


async def captured_since(tx: Tx, shop_id: str, since: int) -> dict[str, int]:
    """Money taken since a moment: currency → minor units."""
    rows = await tx.fetch_all(_sums, shop_id=shop_id, since=since)
    return {row["currency"]: int(row["minor"]) for row in rows}
