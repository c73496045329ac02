"""The label of a question, shared by the payment page and the cabinet."""

from sigma.domain.billing.question import BUILT_IN_KINDS, Question
from sigma.texts import Translator


def question_label(question: Question, translator: Translator) -> str:
    """Return the label of a question: the seller's, or a translated one for contact questions."""
    return (
        translator.t(f"common.question.{question.kind}")
        if question.kind in BUILT_IN_KINDS
        else question.label
    )
