"""A client's answers for one payment, and the consent given with them.

Both are personal data: values arrive here encrypted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sigma.domain.billing.question import AnswerValue, Question
from sigma.domain.time_units import DAY_US


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one payment form.

    `values_encrypted` decrypts to a JSON object, question key → value. `questions` are those that
    were on the page, so the answers stay readable after the invoice or service changes.
    `payer_hash` is the hash of the browser's secret; `email_hash` and `phone_hash` are keyed hashes
    of the contacts, by which the payments of one client are found. `shred_at_us`: when the next
    answer with a period of its own is deleted. `erased_at_us`: since when `values_encrypted` is
    empty.
    """

    id: str
    shop_id: str
    invoice_id: str
    payment_id: str
    payer_hash: str
    questions: tuple[Question, ...]
    values_encrypted: str
    created_at_us: int
    email_hash: str = ""
    phone_hash: str = ""
    shred_at_us: int | None = None
    erased_at_us: int | None = None
    version: int = 0


def next_shred_at_us(
    questions: tuple[Question, ...], values: Mapping[str, AnswerValue], given_at_us: int
) -> int | None:
    """Return when the first stored answer with a period of its own is to be deleted, or None."""
    due = [
        given_at_us + question.keep_days * DAY_US
        for question in questions
        if question.keep_days and question.key in values
    ]
    return min(due, default=None)


def unexpired_values(
    questions: tuple[Question, ...],
    values: Mapping[str, AnswerValue],
    given_at_us: int,
    now_us: int,
) -> dict[str, AnswerValue]:
    """Return the answers without those whose own period is over."""
    expired = {
        question.key
        for question in questions
        if question.keep_days and given_at_us + question.keep_days * DAY_US <= now_us
    }
    return {key: value for key, value in values.items() if key not in expired}


@dataclass(frozen=True, slots=True)
class Consent:
    """Proof of a consent: the exact text, its version and hash, and the time (UTC microseconds).

    `evidence_encrypted` decrypts to JSON: ip, user_agent, page_url.
    """

    id: str
    shop_id: str
    invoice_id: str
    payment_id: str
    purpose: str
    text: str
    text_version: str
    text_sha256: str
    given_at_us: int
    evidence_encrypted: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with the client's answer, decrypted."""

    question: Question
    value: AnswerValue


def receipt_answers(
    questions: tuple[Question, ...], values: Mapping[str, AnswerValue]
) -> tuple[Answer, ...]:
    """Return the answers that the seller shows on the receipt, in the order of the questions.

    Answers are never copied into the receipt: they stay encrypted in one row, so that erasing it
    also clears the receipt.
    """
    return tuple(
        Answer(q, values[q.key])
        for q in questions
        if q.show_on_receipt and values.get(q.key) not in (None, "", [])
    )
