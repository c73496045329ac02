"""What a shop lets Sigma answer by itself, and what it would answer. Off until it is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sigma.domain.conversation import Conversation
from sigma.domain.errors import Problem, has_controls
from sigma.domain.service import Service

MAX_TEXT = 1000
DAY_MINUTES = 24 * 60
FRESH = 10 * 60_000_000  # microseconds: an older message was told late; a person answers it


class Say(StrEnum):
    """What an automatic answer is."""

    NOTHING = "nothing"
    GREETING = "greeting"  # and the services as buttons
    INVOICE = "invoice"  # the link of a service with a fixed price
    PRICE = "price"  # a service whose price is not fixed: a person will name it
    CLOSED = "closed"  # outside working hours


@dataclass(frozen=True, slots=True)
class AutoAnswers:
    """A shop's settings. `hours` has a pair of minutes of the day for Monday … Sunday, or None for
    a day off; empty: always open. Texts that are empty are said in Sigma's own words.
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
    """A client's message as the rules see it. `at` and `now` are UTC microseconds."""

    text: str
    payload: dict[str, Any] | None
    at: int
    first: bool  # nothing was ever written to this client


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
    """The service that a button or its very words name. Only what is offered can be chosen."""
    name = (asked.payload or {}).get("service")
    words = asked.text.strip().casefold()
    for service in offered:
        if service.visible and (service.id == name or service.title.casefold() == words):
            return service
    return None


def decide(
    wanted: AutoAnswers,
    conversation: Conversation,
    asked: Asked,
    service: Service | None,
    local: datetime,
    now: int,
) -> Say:
    """What to answer. A person who has taken the dialog over is never talked into."""
    if not wanted.on or conversation.by_hand or conversation.closed or now - asked.at > FRESH:
        return Say.NOTHING
    if service is not None:
        if service.payable:
            return Say.INVOICE if wanted.invoice else Say.NOTHING
        return Say.PRICE
    if wanted.closed and not open_at(wanted, local):
        return Say.CLOSED
    started = (asked.payload or {}).get("command") == "start"
    return Say.GREETING if wanted.greet and (asked.first or started) else Say.NOTHING
