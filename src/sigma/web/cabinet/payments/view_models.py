"""View models of a payment's page: timeline, answers, decline reasons."""

from dataclasses import dataclass
from typing import Any

from sigma.domain.billing.payment import Status
from sigma.domain.billing.question import QuestionKind
from sigma.domain.billing.refund import Origin, Refund
from sigma.services.accounts.users import Session
from sigma.services.billing.payment_details import AnswerView, PaymentDetails
from sigma.texts import Translator
from sigma.texts.answers import answer_text, question_label
from sigma.texts.failures import (
    Reader,
    is_acquirer_code,
    payment_failure_text,
    refund_failure_text,
)
from sigma.texts.receipt_view import method_label
from sigma.web.cabinet.timeline import actor_text, timeline_item


@dataclass(frozen=True, slots=True)
class AnswerText:
    """One answer as text. `copy_text`: the value for the clipboard, empty if not copyable."""

    key: str
    label: str
    text: str
    copy_text: str
    kind: str


def answer_row(answer_data: AnswerView, translator: Translator) -> AnswerText:
    """Return the view of an answer. A masked value and a yes/no answer cannot be copied."""
    q = answer_data.question
    text = answer_text(q, answer_data.value, translator)
    copy_text = "" if answer_data.is_masked or isinstance(answer_data.value, bool) else text
    if q.kind is QuestionKind.PHONE and copy_text:
        copy_text = str(answer_data.value)
    return AnswerText(q.key, question_label(q, translator), text, copy_text, str(q.kind))


def details_texts(
    details: PaymentDetails, session: Session, translator: Translator
) -> dict[str, Any]:
    """Return the translated texts of a payment's page, by the names its template uses."""
    payment = details.payment
    method = payment.method
    failed = payment.status in (Status.FAILED, Status.CANCELED)
    return {
        "timeline": [timeline_item(event, session, translator) for event in details.timeline.data],
        "answers": [answer_row(item, translator) for item in details.answers],
        "masked": any(item.is_masked for item in details.answers),
        "unreadable": any(item.is_unreadable for item in details.answers),
        # The receipt shows these answers to anyone who opens it, so its links are masked too.
        "receipt_hidden": any(
            item.is_masked and item.question.show_on_receipt for item in details.answers
        ),
        "card": method_label(method.kind, method.mask, method.brand, translator) if method else "",
        "reason": _failure_text(payment.failure, Reader.SELLER, translator) if failed else "",
        "client_reason": _failure_text(payment.failure, Reader.CLIENT, translator),
        "acquirer_code": payment.failure if is_acquirer_code(payment.failure) else "",
        "refund_reasons": {
            r.id: refund_failure_text(r.failure, Reader.SELLER, translator)
            for r in details.refunds
            if r.failure
        },
        "refund_codes": {
            r.id: r.failure for r in details.refunds if r.failure and is_acquirer_code(r.failure)
        },
        "by": {r.id: _refund_origin(r, session, translator) for r in details.refunds},
    }


def _failure_text(code: str, reader: Reader, translator: Translator) -> str:
    return payment_failure_text(code, reader, translator) if code else ""


def _refund_origin(refund: Refund, session: Session, translator: Translator) -> str:
    """Return who gave the money back: a member, or where it was done outside Sigma."""
    if refund.origin is Origin.SIGMA:
        return actor_text(refund.created_by, session, translator)
    return translator.t(f"payments.refund_origin.{refund.origin}")
