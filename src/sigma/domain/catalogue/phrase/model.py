"""The meaning of an invoice phrase."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from sigma.domain.local_time import time_zone
from sigma.domain.money import Money

END_OF_DAY = time(23, 59, 59)


class Ask(StrEnum):
    """What is not clear in a phrase; docs/inbox.md explains each to sellers."""

    AMOUNT_WHICH = "amount_which"  # several numbers can be the sum: `amount` is None
    AMOUNT_FORMAT = "amount_format"  # «1.500» is 1500 or 1.50: `amount` is None
    AMOUNT_CONFIRM = "amount_confirm"  # «от 1500», a price per hour, a very small number
    DISCOUNT = "discount"  # a discount or a percent is named: it is not subtracted
    ITEMS_OR_TOTAL = "items_or_total"  # items, or other numbers beside one sum
    CURRENCY = "currency"  # the connection takes several, the phrase names none
    SERVICE_WHICH = "service_which"  # no sum, and several services fit
    VISIT_OR_DEADLINE = "visit_or_deadline"  # «завтра»: `deadline` is proposed
    DURATION_OR_DEADLINE = "duration_or_deadline"  # «на 3 дня»: `deadline` is proposed
    DEADLINE_CONFIRM = "deadline_confirm"  # «до 18»: the day of the month is proposed


# The preview itself answers these: the seller reads it and sends the invoice.
NOTES = {Ask.AMOUNT_CONFIRM, Ask.DISCOUNT, Ask.CURRENCY, Ask.DEADLINE_CONFIRM}


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, a time of day, or both, in the shop's time zone.

    `note`: what else was typed about the time of a visit («утром», «до 12:00»).
    """

    day: date | None = None
    clock: time | None = None
    note: str = ""

    def at(self, tz: str) -> datetime:
        """Return the moment in a time zone (IANA name): without a time, the last second of the day.

        Where an hour repeats at the end of summer time it is the later one.
        """
        assert self.day is not None, "a time without a day is no moment"
        clock = self.clock or END_OF_DAY
        return datetime.combine(self.day, clock, time_zone(tz)).replace(fold=1)


@dataclass(frozen=True, slots=True)
class PhraseItem:
    """One position of the invoice. `price` is for a quantity of 1."""

    name: str
    quantity: Decimal
    price: Money

    @property
    def amount(self) -> Money:
        """Price × quantity."""
        return self.price.multiply(self.quantity)


@dataclass(frozen=True, slots=True)
class KnownService:
    """A service of the shop that a phrase can name. `price` None: by agreement.

    `is_fixed` False: the price is the lowest one («от 1500 ₽»).
    """

    title: str
    price: Money | None = None
    is_fixed: bool = True
    id: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """The seller's answers to the questions of a phrase; empty fields are not answered.

    `day`: "visit", "deadline" or "duration". `amount`: decimal text of one of the choices, or
    "items". `service`: the title of one of the services.
    """

    day: str = ""
    amount: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a phrase means.

    `amount` is None while the seller must choose among `choices` or `services`. With items it is
    their sum, otherwise a number of the phrase or the price of a service. `deadline` is proposed
    while `ask` has VISIT_OR_DEADLINE or DURATION_OR_DEADLINE. `service`: the service whose title
    or price was taken.
    """

    amount: Money | None
    title: str
    items: tuple[PhraseItem, ...] = ()
    deadline: Moment | None = None
    visit: Moment | None = None
    ask: tuple[Ask, ...] = ()
    choices: tuple[Money, ...] = ()
    service: KnownService | None = None
    services: tuple[KnownService, ...] = ()

    @property
    def service_id(self) -> str:
        """The id of the service, "" without one."""
        return self.service.id if self.service else ""
