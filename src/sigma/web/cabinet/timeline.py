"""The timeline of a payment or an invoice as texts; template: cabinet/timeline.html."""

from dataclasses import dataclass

from sigma.domain.change import TimelineEvent
from sigma.domain.money import Money
from sigma.services.accounts.users import Session
from sigma.services.checkout import storefront
from sigma.texts import Translator


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """An entry of the timeline. `at_us`: UTC microseconds; `tone`: good, bad, wait or quiet."""

    at_us: int
    text: str
    actor_text: str
    tone: str


_TONES = {
    "payment.captured": "good",
    "payment.failed": "bad",
    "payment.unknown": "wait",
    "refund.failed": "bad",
    "refund.unknown": "wait",
    "invoice.paid": "good",
    "invoice.expired": "bad",
}


def timeline_item(event: TimelineEvent, session: Session, translator: Translator) -> TimelineItem:
    """Return a timeline event as text, with its actor if that is a person or an API client."""
    params = {}
    if "minor" in event.detail:
        params["sum"] = Money(event.detail["minor"], event.detail["currency"])
    key = f"payments.event.{event.kind}"
    text = translator.t(key, **params) if translator.has(key) else event.kind
    attention = ".attention_" in event.kind
    return TimelineItem(
        at_us=event.occurred_at_us,
        text=text,
        actor_text=actor_text(event.actor, session, translator),
        tone="bad" if attention else _TONES.get(event.kind, "quiet"),
    )


def actor_text(actor: str, session: Session, translator: Translator) -> str:
    """Return who did it: a person or an API client; empty for Sigma itself."""
    if actor == session.user.id:
        return translator.t("payments.by_you")
    if actor.startswith("usr_"):
        return translator.t("payments.by_member")
    if actor.startswith("key_"):
        return translator.t("payments.by_api")
    if actor == storefront.ACTOR:
        return translator.t("payments.by_client")
    return ""
