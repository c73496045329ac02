"""A payment's page as facts for its template: the story in words, what is asked of a person."""

from dataclasses import dataclass
from typing import Any

from sigma.domain.billing.payment import RETURNABLE, Attention, Status
from sigma.domain.billing.question import BUILT_IN, Kind, Question, Value
from sigma.domain.change import Happening
from sigma.domain.money import Money
from sigma.services.accounts.users import Session
from sigma.services.billing.payments import AnswerShown, Details
from sigma.services.checkout import storefront
from sigma.texts import Words
from sigma.texts.receipt_view import card


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the timeline. `at` is UTC microseconds; `tone` as of chips."""

    at: int
    text: str
    who: str
    tone: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in words. `copy` is the very value for the clipboard, empty when there is none."""

    key: str
    label: str
    text: str
    copy: str
    kind: str


_TONES = {
    "payment.captured": "good",
    "payment.failed": "bad",
    "payment.unknown": "wait",
    "refund.failed": "bad",
    "refund.unknown": "wait",
    "invoice.paid": "good",
    "invoice.expired": "bad",
}


def line(told: Happening, session: Session, words: Words) -> Line:
    """What happened, in words; by whom, when it was a person or a program."""
    params = {}
    if "minor" in told.detail:
        params["sum"] = Money(told.detail["minor"], told.detail["currency"])
    key = f"payments.happened.{told.kind}"
    said = words.t(key, **params) if words.has(key) else told.kind
    attention = ".attention_" in told.kind
    return Line(
        at=told.at,
        text=said,
        who=_who(told.actor, session, words),
        tone="bad" if attention else _TONES.get(told.kind, "quiet"),
    )


def _who(actor: str, session: Session, words: Words) -> str:
    if actor == session.user.id:
        return words.t("payments.by_you")
    if actor.startswith("usr_"):
        return words.t("payments.by_member")
    if actor.startswith("key_"):
        return words.t("payments.by_program")
    if actor == storefront.ACTOR:
        return words.t("payments.by_client")
    return ""


def answer(shown: AnswerShown, words: Words) -> Answer:
    """An answer as a person reads it."""
    q = shown.question
    text = _text(q, shown.value, words)
    copied = "" if shown.masked or isinstance(shown.value, bool) else text
    if q.kind is Kind.PHONE and copied:
        copied = str(shown.value)
    return Answer(q.key, label(q, words), text, copied, str(q.kind))


def label(q: Question, words: Words) -> str:
    """The name of a question: the seller's own, or the page's for contact fields."""
    return words.t(f"common.question.{q.kind}") if q.kind in BUILT_IN else q.label


def _text(q: Question, value: Value | None, words: Words) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return words.t("common.yes" if value else "common.no")
    if isinstance(value, list):
        return ", ".join(value)
    if q.kind is Kind.PHONE and value.startswith("+"):
        return words.phone(value)
    return value


def reason(code: str, words: Words) -> str:
    """Why the bank said no, in the words that the client saw."""
    known = f"checkout.decline.{code}"
    return words.t(known if code and words.has(known) else "checkout.decline.other")


def refund_reason(code: str, words: Words) -> str:
    """Why the bank did not give the money back, and what to do."""
    known = f"payments.refund_failure.{code}"
    return words.t(known if code and words.has(known) else "payments.refund_failure.other")


def view(d: Details, session: Session, words: Words) -> dict[str, Any]:
    """Everything that must be put into words before it is shown."""
    payment = d.payment
    method = payment.method
    failed = payment.status in (Status.FAILED, Status.CANCELED)
    return {
        "timeline": [line(told, session, words) for told in d.timeline],
        "answers": [answer(shown, words) for shown in d.answers],
        "masked": any(shown.masked for shown in d.answers),
        "card": card(method.mask, method.brand, words) if method else "",
        "reason": reason(payment.failure, words) if failed and payment.failure else "",
        "refund_reasons": {r.id: refund_reason(r.failure, words) for r in d.refunds if r.failure},
        "by": {r.id: _who(r.created_by, session, words) for r in d.refunds},
    }


def summary(d: Details) -> dict[str, Any]:
    """What may be done now. `attention` names why a person must look, `do` the one way out."""
    payment = d.payment
    why = payment.attention
    returns = why in RETURNABLE or why is Attention.REFUND_FAILED
    return {
        "attention": str(why) if why else "",
        "do": "refund" if returns and d.left else "ask",
        "held": payment.status is Status.AUTHORIZED and not payment.wanted,
        "deciding": payment.wanted,
        "can_refund": payment.status is Status.CAPTURED and bool(d.left),
        "can_ask": not payment.final or payment.status is Status.FAILED or payment.unknown,
        "can_mail": d.receipt is not None and payment.wants_mail,
    }
