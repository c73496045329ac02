"""Auto-replies: the shop's settings and the rules that choose a reply. Off by default."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sigma.domain.bank_cards import contains_card_number
from sigma.domain.catalogue.service import Service, normalized_title
from sigma.domain.errors import Problem, has_control_characters
from sigma.domain.messaging.conversation import Conversation

MAX_TEXT = 1000  # characters
DAY_MINUTES = 24 * 60
MAX_AUTO_REPLY_AGE_US = 10 * 60_000_000  # an older message arrived late: an operator answers it


class AutoReply(StrEnum):
    """What Sigma replies by itself."""

    NOTHING = "nothing"
    GREETING = "greeting"  # with the services as buttons
    INVOICE = "invoice"  # the payment link of a service with a fixed price
    INVOICE_BY_OPERATOR = "invoice_by_operator"  # automatic invoices are off
    PRICE_BY_OPERATOR = "price_by_operator"  # the price is not fixed: an operator will name it
    CLOSED = "closed"  # outside working hours


@dataclass(frozen=True, slots=True)
class AutoReplySettings:
    """A shop's settings for auto-replies.

    Nothing is sent unless `enabled`; `greeting_enabled`, `invoice_enabled` and `closed_enabled`
    switch single replies. `hours` has one (from, to) pair per day, Monday first, in minutes after
    local midnight, or None for a day off; an empty tuple means always open. An empty text means
    Sigma's default text.
    """

    enabled: bool = False
    greeting_enabled: bool = True
    greeting: str = ""
    invoice_enabled: bool = True
    closed_enabled: bool = False
    closed_text: str = ""
    hours: tuple[tuple[int, int] | None, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A client's message. `payload` comes from a pressed button; the client can forge it.

    `written_at_us` is UTC microseconds. `is_first`: the conversation has no outgoing message
    before it, and no earlier message is missing in Sigma.
    """

    text: str
    payload: dict[str, Any] | None
    written_at_us: int
    is_first: bool

    @property
    def is_start_button(self) -> bool:
        """Whether the client pressed VK's own «Начать» button."""
        return (self.payload or {}).get("command") == "start"


def check_auto_reply_settings(settings: AutoReplySettings) -> list[Problem]:
    """Return the problems by field; empty when the settings are valid."""
    problems = []
    for name, text in (("greeting", settings.greeting), ("closed_text", settings.closed_text)):
        if has_control_characters(text, allow_line_breaks=True):
            problems.append(Problem(name, "characters"))
        if len(text) > MAX_TEXT:
            problems.append(Problem(name, "too_long", {"max": MAX_TEXT}))
        elif contains_card_number(text):
            problems.append(Problem(name, "card_number"))
    if settings.hours and len(settings.hours) != 7:
        problems.append(Problem("hours", "choose"))
    for n, day in enumerate(settings.hours):
        if day is not None and not 0 <= day[0] < day[1] <= DAY_MINUTES:
            problems.append(Problem(f"hours.{n}", "hours"))
    return problems


def is_open(settings: AutoReplySettings, local_time: datetime) -> bool:
    """Return whether the shop is open at a time on the shop's clock."""
    if not settings.hours:
        return True
    day = settings.hours[local_time.weekday()]
    return day is not None and day[0] <= local_time.hour * 60 + local_time.minute < day[1]


def chosen_service(message: IncomingMessage, services: Sequence[Service]) -> Service | None:
    """Return the service that the pressed button names, or whose title is the message text.

    Only visible services can be chosen. A button with an unknown service id gives None: the text
    is then not compared.
    """
    available = [s for s in services if s.is_visible and s.deleted_at_us is None]
    if message.payload and "service" in message.payload:
        return next((s for s in available if s.id == message.payload["service"]), None)
    title = normalized_title(message.text)
    return next((s for s in available if normalized_title(s.title) == title), None)


def choose_reply(
    settings: AutoReplySettings,
    conversation: Conversation,
    message: IncomingMessage,
    service: Service | None,
    local_time: datetime,
    now_us: int,
) -> AutoReply:
    """Return the auto-reply to a message at `now_us` (UTC microseconds).

    `local_time` is the same time on the shop's clock. Returns NOTHING when an operator has taken
    the conversation over or has answered, when VK blocks replies, or when the message is older
    than MAX_AUTO_REPLY_AGE_US.
    """
    if (
        not settings.enabled
        or not _awaits_reply(conversation)
        or now_us - message.written_at_us > MAX_AUTO_REPLY_AGE_US
    ):
        return AutoReply.NOTHING
    if service is not None and service.is_payable:
        return AutoReply.INVOICE if settings.invoice_enabled else AutoReply.INVOICE_BY_OPERATOR
    if service is not None:
        return AutoReply.PRICE_BY_OPERATOR
    if settings.closed_enabled and not is_open(settings, local_time):
        return AutoReply.CLOSED
    return (
        AutoReply.GREETING
        if settings.greeting_enabled and (message.is_first or message.is_start_button)
        else AutoReply.NOTHING
    )


def _awaits_reply(conversation: Conversation) -> bool:
    """Return whether the client waits for a reply, VK allows one and no operator took over."""
    return (
        conversation.is_unanswered
        and not conversation.handled_by_operator
        and not conversation.blocked_reason
    )
