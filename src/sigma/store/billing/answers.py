"""Clients' answers and consents. Answer values and the evidence of consents are encrypted."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import bindparam, func, select

from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.question import Question
from sigma.store.engine.interface import Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.tables import answers, consents

_questions_decoder = msgspec.json.Decoder(tuple[Question, ...])

CODEC = build_codec(
    answers,
    lambda a: field_values(a, "questions") | {"questions": encode_json(a.questions)},
    lambda row: Answers(
        questions=_questions_decoder.decode(row["questions"]),
        **column_values(answers, row, "questions"),
    ),
)
CONSENT_CODEC = build_codec(
    consents, field_values, lambda row: Consent(**column_values(consents, row))
)

_list_for_payment = statement(
    select(answers).where(answers.c.payment_id == bindparam("payment_id")).order_by(answers.c.id)
)
_latest = answers.alias("latest")
_list_latest = statement(
    select(answers).where(
        in_list(answers.c.payment_id, "payment_ids"),
        answers.c.id
        == select(func.max(_latest.c.id))
        .where(_latest.c.payment_id == answers.c.payment_id)
        .scalar_subquery(),
    )
)
_find_by_payer = statement(
    select(answers)
    .where(
        answers.c.invoice_id == bindparam("invoice_id"),
        answers.c.payer_hash == bindparam("payer_hash"),
    )
    .order_by(answers.c.id.desc())
    .limit(1)
)
_list_consents = statement(
    select(consents).where(consents.c.payment_id == bindparam("payment_id")).order_by(consents.c.id)
)


async def list_for_payment(tx: Tx, payment_id: str) -> list[Answers]:
    """Return all versions of a payment's answers, the oldest first. The last one is valid."""
    rows = await tx.fetch_all(_list_for_payment, payment_id=payment_id)
    return [CODEC.from_row(r) for r in rows]


async def list_latest(tx: Tx, payment_ids: Iterable[str]) -> dict[str, Answers]:
    """Return the valid answers of payments by payment id, where there are any."""
    rows = await tx.fetch_all(_list_latest, payment_ids=list(payment_ids))
    return {row["payment_id"]: CODEC.from_row(row) for row in rows}


async def find_by_payer(tx: Tx, invoice_id: str, payer_hash: str) -> Answers | None:
    """Return the latest answers of a browser to an invoice, or None."""
    row = await tx.fetch_one(_find_by_payer, invoice_id=invoice_id, payer_hash=payer_hash)
    return CODEC.from_row(row) if row else None


async def list_consents(tx: Tx, payment_id: str) -> list[Consent]:
    """Return the consents given with a payment, the oldest first."""
    rows = await tx.fetch_all(_list_consents, payment_id=payment_id)
    return [CONSENT_CODEC.from_row(r) for r in rows]
