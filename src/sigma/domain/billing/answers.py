"""A client's answers for one payment, and the consent given with them.

Both are personal data: values arrive here encrypted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sigma.domain.billing.question import AnswerValue, Question


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one payment form.

    `values_encrypted` decrypts to a JSON object, question key → value. `questions` are those that
    were on the page, so the answers stay readable after the invoice or service changes.
    `payer_hash` is the hash of the browser's secret.
    """

    id: str
    shop_id: str
    invoice_id: str
    payment_id: str
    payer_hash: str
    questions: tuple[Question, ...]
    values_encrypted: str
    created_at_us: int
    version: int = 0


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
