"""Questions and answers as texts, shared by the payment page, the cabinet and the receipt."""

import datetime as dt

from sigma.domain.billing.question import BUILT_IN_KINDS, AnswerValue, Question, QuestionKind
from sigma.texts import formats
from sigma.texts.translator import Translator


def question_label(question: Question, translator: Translator) -> str:
    """Return the label of a question: the seller's, or a translated one for contact questions."""
    return (
        translator.t(f"common.question.{question.kind}")
        if question.kind in BUILT_IN_KINDS
        else question.label
    )


def answer_text(question: Question, value: AnswerValue | None, translator: Translator) -> str:
    """Return an answer as people read it; "" when there is none.

    A masked date («••••») is returned as it is.
    """
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return translator.t("common.yes" if value else "common.no")
    if isinstance(value, list):
        return ", ".join(value)
    if question.kind is QuestionKind.PHONE and value.startswith("+"):
        return translator.phone(value)
    if question.kind is QuestionKind.DATE:
        try:
            return formats.calendar_date(dt.date.fromisoformat(value), translator.locale)
        except ValueError:
            return value
    return value
