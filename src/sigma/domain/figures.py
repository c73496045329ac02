"""The figures of reports, defined once: home page, statement and totals all use `Figures`.

The page "Figures and the monthly statement" of the documentation explains each to accountants.
"""

from dataclasses import dataclass, fields
from enum import StrEnum

STOREFRONT_ACTOR = "storefront"  # `created_by` of invoices that clients order on the public page
AUTO_REPLY_ACTOR = "auto"  # `created_by` of invoices that an automatic reply has issued
_NO_MEMBER = ("", STOREFRONT_ACTOR, AUTO_REPLY_ACTOR)


class Source(StrEnum):
    """Where an invoice was issued."""

    CONVERSATION = "conversation"
    STOREFRONT = "storefront"
    API = "api"
    CABINET = "cabinet"


@dataclass(frozen=True, slots=True)
class Attribution:
    """To what a payment and its refunds are counted. It never changes after the payment started.

    `service_id` is empty for an invoice without a service. `issuer` is the id of the user or API
    key that issued the invoice; empty when a client or an automatic reply did.
    """

    service_id: str = ""
    issuer: str = ""
    source: Source = Source.CABINET


NO_ATTRIBUTION = Attribution()


def attribution_of(
    *,
    created_by: str,
    conversation_id: str | None,
    service_id: str | None,
    source: Source | None = None,
) -> Attribution:
    """Return the attribution of an invoice and of everything that is paid for it.

    `source`: where an invoice was issued that is counted already, see `Invoice.source`.
    """
    issuer = "" if created_by in _NO_MEMBER else created_by
    return Attribution(service_id or "", issuer, source or _source(created_by, conversation_id))


def _source(created_by: str, conversation_id: str | None) -> Source:
    if conversation_id is not None:
        return Source.CONVERSATION
    if created_by == STOREFRONT_ACTOR:
        return Source.STOREFRONT
    return Source.API if created_by.startswith("key_") else Source.CABINET


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts, and sums of one currency in minor units.

    A payment counts when it was captured, whatever becomes of it; a refund counts when it
    succeeded, whenever its payment was captured. `fee_minor` is what the acquirer withheld, taxes
    included. Payments whose fee the acquirer did not report are in `unknown_fee_count`, their
    amounts in `unknown_fee_gross_minor`. `chargeback_minor` is the part of `refund_minor` that
    banks of clients took back. `opened_count` counts invoices by the moment when a client first
    opened them, `paid_count` those of them that were paid since.
    """

    payment_count: int = 0
    gross_minor: int = 0
    fee_minor: int = 0
    unknown_fee_count: int = 0
    unknown_fee_gross_minor: int = 0
    refund_count: int = 0
    refund_minor: int = 0
    chargeback_minor: int = 0
    opened_count: int = 0
    paid_count: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, name) + getattr(other, name) for name in FIGURE_NAMES))

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in FIGURE_NAMES)

    @property
    def has_money(self) -> bool:
        """Whether a payment or a refund is counted."""
        return bool(self.payment_count or self.refund_count)

    @property
    def net_minor(self) -> int:
        """What is left: gross less refunds and fees. Unknown fees are not subtracted."""
        return self.gross_minor - self.refund_minor - self.fee_minor

    @property
    def average_minor(self) -> int | None:
        """The average payment, rounded half up; None without payments."""
        if not self.payment_count:
            return None
        return (2 * self.gross_minor + self.payment_count) // (2 * self.payment_count)

    @property
    def conversion_permille(self) -> int | None:
        """How many of a thousand opened invoices were paid; None when none was opened."""
        if not self.opened_count:
            return None
        return (2000 * self.paid_count + self.opened_count) // (2 * self.opened_count)


FIGURE_NAMES = tuple(field.name for field in fields(Figures))


def sum_figures(items: "list[Figures] | tuple[Figures, ...]") -> Figures:
    """Return the sum; zeros when there are none."""
    return sum(items, Figures())


@dataclass(frozen=True, slots=True)
class Tally:
    """What one event adds to the figures of a shop at `at_us` (UTC microseconds).

    A Change with a tally adds it to the stored totals in the same transaction.
    """

    shop_id: str
    at_us: int
    currency: str
    attribution: Attribution
    figures: Figures


def capture_figures(amount_minor: int, income_minor: int | None) -> Figures:
    """Return the figures of one captured payment.

    `income_minor`: the amount less the acquirer's fee, None when the acquirer did not report it.
    """
    if income_minor is None:
        return Figures(
            payment_count=1,
            gross_minor=amount_minor,
            unknown_fee_count=1,
            unknown_fee_gross_minor=amount_minor,
        )
    return Figures(payment_count=1, gross_minor=amount_minor, fee_minor=amount_minor - income_minor)


def late_fee_figures(amount_minor: int, income_minor: int) -> Figures:
    """Return what changes when the fee of a payment that was counted without one becomes known."""
    return Figures(
        fee_minor=amount_minor - income_minor,
        unknown_fee_count=-1,
        unknown_fee_gross_minor=-amount_minor,
    )


def refund_figures(amount_minor: int, *, is_chargeback: bool) -> Figures:
    """Return the figures of one succeeded refund. The acquirer does not return its fee."""
    return Figures(
        refund_count=1,
        refund_minor=amount_minor,
        chargeback_minor=amount_minor if is_chargeback else 0,
    )
