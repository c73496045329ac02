"""View models of a payment's page: timeline, answers, decline reasons."""

from dataclasses import dataclass
from typing import Any

from sigma.domain.billing.payment import Status
from sigma.domain.billing.question import AnswerValue, Question, QuestionKind
from sigma.services.accounts.users import Session
from sigma.services.billing.payments import AnswerView, PaymentDetails
from sigma.texts import Translator
from sigma.texts.failures import decline_text
from sigma.texts.receipt_view import card_label
from sigma.web.cabinet.timeline import actor_text, timeline_item
from sigma.web.questions import question_label


@dataclass(frozen=True, slots=True)
class AnswerText:
    """One answer as text. `copy_text`: the value for the clipboard, empty if not copyable."""

    key: str
    label: str
    text: str
    copy_text: str
    kind: str


def answer_text(answer_data: AnswerView, translator: Translator) -> AnswerText:
    """Return the view of an answer. A masked value and a yes/no answer cannot be copied."""
    q = answer_data.question
    text = _value_text(q, answer_data.value, translator)
    copy_text = "" if answer_data.is_masked or isinstance(answer_data.value, bool) else text
    if q.kind is QuestionKind.PHONE and copy_text:
        copy_text = str(answer_data.value)
    return AnswerText(q.key, question_label(q, translator), text, copy_text, str(q.kind))


def _value_text(question: Question, value: AnswerValue | None, translator: Translator) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return translator.t("common.yes" if value else "common.no")
    if isinstance(value, list):
        return ", ".join(value)
    if question.kind is QuestionKind.PHONE and value.startswith("+"):
        return translator.phone(value)
    return value


def refund_reason(code: str, translator: Translator) -> str:
    """Return why the refund failed, and what to do."""
    key = f"payments.refund_failure.{code}"
    return translator.t(key if code and translator.has(key) else "payments.refund_failure.other")


def details_texts(
    details: PaymentDetails, session: Session, translator: Translator
) -> dict[str, Any]:
    """Return the translated texts of a payment's page, by the names its template uses."""
    payment = details.payment
    method = payment.method
    failed = payment.status in (Status.FAILED, Status.CANCELED)
    return {
        "timeline": [timeline_item(event, session, translator) for event in details.timeline.data],
        "answers": [answer_text(item, translator) for item in details.answers],
        "masked": any(item.is_masked for item in details.answers),
        "card": card_label(method.mask, method.brand, translator) if method else "",
        "reason": decline_text(payment.failure, translator) if failed and payment.failure else "",
        "refund_reasons": {
            r.id: refund_reason(r.failure, translator) for r in details.refunds if r.failure
        },
        "by": {r.id: actor_text(r.created_by, session, translator) for r in details.refunds},
    }
