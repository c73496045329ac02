"""What a shop lets Sigma answer by itself, and what it would answer. Off until it is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sigma.domain.catalogue.service import Service, folded
from sigma.domain.errors import Problem, has_controls
from sigma.domain.messaging.conversation import Conversation

MAX_TEXT = 1000
DAY_MINUTES = 24 * 60
FRESH = 10 * 60_000_000  # microseconds: an older message was told late; a person answers it


class Say(StrEnum):
    """What an automatic answer is."""

    NOTHING = "nothing"
    GREETING = "greeting"  # and the services as buttons
    INVOICE = "invoice"  # the link of a service with a fixed price
    CHOSEN = "chosen"  # a person will send the link: the shop sends none by itself
    PRICE = "price"  # a service whose price is not fixed: a person will name it
    CLOSED = "closed"  # outside working hours


@dataclass(frozen=True, slots=True)
class AutoAnswers:
    """A shop's settings. `hours` has a pair of minutes of the day for Monday … Sunday, or None for
    a day off; empty: always open. Texts that are empty are said in Sigma's own words.

    `greet`, `invoice` and `closed` say which answers are given when it is `on`.
    """

    on: bool = False
    greet: bool = True
    greeting: str = ""
    invoice: bool = True
    closed: bool = False
    closed_text: str = ""
    hours: tuple[tuple[int, int] | None, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's message as the rules see it. `payload` is the client's wish and no more.

    `at` is UTC microseconds. `first`: the dialog began with it, or with others that nobody has
    answered, and all of them are known.
    """

    text: str
    payload: dict[str, Any] | None
    at: int
    first: bool

    @property
    def started(self) -> bool:
        """The client pressed VK's own «Начать»."""
        return (self.payload or {}).get("command") == "start"


def check_auto_answers(wanted: AutoAnswers) -> list[Problem]:
    """What is wrong, by field."""
    problems = []
    for name, text in (("greeting", wanted.greeting), ("closed_text", wanted.closed_text)):
        if len(text) > MAX_TEXT:
            problems.append(Problem(name, "too_long", {"max": MAX_TEXT}))
        if has_controls(text, lines=True):
            problems.append(Problem(name, "characters"))
    if wanted.hours and len(wanted.hours) != 7:
        problems.append(Problem("hours", "choose"))
    for n, day in enumerate(wanted.hours):
        if day is not None and not 0 <= day[0] < day[1] <= DAY_MINUTES:
            problems.append(Problem(f"hours.{n}", "hours"))
    return problems


def open_at(wanted: AutoAnswers, local: datetime) -> bool:
    """Whether the shop works at a local moment."""
    if not wanted.hours:
        return True
    day = wanted.hours[local.weekday()]
    return day is not None and day[0] <= local.hour * 60 + local.minute < day[1]


def chosen(asked: Asked, offered: Sequence[Service]) -> Service | None:
    """The service that a button names, or the client's very words. Only what is offered now can be
    chosen; a button that names anything else names nothing.
    """
    shown = [s for s in offered if s.visible and s.deleted_at is None]
    if asked.payload and "service" in asked.payload:
        return next((s for s in shown if s.id == asked.payload["service"]), None)
    words = folded(asked.text)
    return next((s for s in shown if folded(s.title) == words), None)


def decide(
    wanted: AutoAnswers,
    conversation: Conversation,
    asked: Asked,
    service: Service | None,
    local: datetime,
    now: int,
) -> Say:
    """What to answer at `now` (UTC microseconds; `local` on the shop's clock).

    A person who has taken the dialog over, or has already answered, is never talked into.
    """
    if not wanted.on or not _alone(conversation) or now - asked.at > FRESH:
        return Say.NOTHING
    if service is not None and service.payable:
        return Say.INVOICE if wanted.invoice else Say.CHOSEN
    if service is not None:
        return Say.PRICE
    if wanted.closed and not open_at(wanted, local):
        return Say.CLOSED
    return Say.GREETING if wanted.greet and (asked.first or asked.started) else Say.NOTHING


def _alone(conversation: Conversation) -> bool:
    """Whether the client waits, and for nobody in particular."""
    return conversation.unanswered and not conversation.by_hand and not conversation.closed
