"""The month's statement: operations, their totals by day and kind, and what the acquirer agrees to.

All sums come from `Figures`, so they are those of the home page.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sigma.domain.billing.payment import Attention
from sigma.domain.figures import Figures, capture_figures, refund_figures
from sigma.domain.local_time import local_date
from sigma.domain.money import Money
from sigma.domain.reconciliation.difference import Difference
from sigma.domain.reports.periods import Period

MAX_PDF_OPERATIONS = 1000  # a longer PDF has the totals only; the XLSX file has all operations


class OperationKind(StrEnum):
    """What moved the money."""

    PAYMENT = "payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"  # taken back by the client's bank: a dispute


@dataclass(frozen=True, slots=True)
class Operation:
    """A captured payment, or a succeeded refund. `at_us`: UTC microseconds, when it counts.

    `provider_id` is the acquirer's id of the payment or refund, "" when it has none. `income` is
    the amount of a payment less the acquirer's fee, None when the fee is unknown; a refund has
    none. `attention` is why the owner must look at the payment. `client` is masked as the role of
    the reader requires. `paid_at_us`: when the refunded payment was captured.
    """

    kind: OperationKind
    at_us: int
    id: str
    payment_id: str
    provider_id: str
    invoice_number: int
    title: str
    amount: Money
    income: Money | None = None
    attention: Attention | None = None
    client: str = ""
    paid_at_us: int | None = None

    @property
    def figures(self) -> Figures:
        """What the operation adds to the totals."""
        if self.kind is OperationKind.PAYMENT:
            return capture_figures(self.amount.minor, self.income.minor if self.income else None)
        return refund_figures(
            self.amount.minor, is_chargeback=self.kind is OperationKind.CHARGEBACK
        )

    @property
    def fee(self) -> Money | None:
        """What the acquirer withheld, taxes included; None: unknown, or a refund."""
        return None if self.income is None else self.amount - self.income


class AgreementStatus(StrEnum):
    """Whether the acquirer was compared with the whole period, and with what result."""

    AGREES = "agrees"
    DIFFERS = "differs"
    PARTLY_CHECKED = "partly_checked"  # the rest of the period was not compared
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished reconciliation of [since_us, until_us), and its open differences."""

    since_us: int
    until_us: int
    finished_at_us: int
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the acquirer agrees to, as of `as_of_us` (UTC microseconds, None: never compared)."""

    status: AgreementStatus
    as_of_us: int | None = None
    differences: tuple[Difference, ...] = ()


def agreement(since_us: int, until_us: int, comparisons: Iterable[Comparison]) -> Agreement:
    """Return what the latest comparisons say about [since_us, until_us).

    Each moment counts by the latest comparison that covers it; the result is as old as the oldest
    one that was needed.
    """
    open_parts = [(since_us, until_us)]
    used_at_us: list[int] = []
    found: dict[tuple[object, ...], Difference] = {}
    for comparison in sorted(comparisons, key=lambda one: one.finished_at_us, reverse=True):
        rest: list[tuple[int, int]] = []
        for part in open_parts:
            begin_us = max(part[0], comparison.since_us)
            end_us = min(part[1], comparison.until_us)
            if begin_us >= end_us:
                rest.append(part)
                continue
            used_at_us.append(comparison.finished_at_us)
            for one in comparison.differences:
                if begin_us <= one.created_at_us < end_us:
                    found.setdefault(one.fingerprint, one)
            rest += [(part[0], begin_us), (end_us, part[1])]
        open_parts = [part for part in rest if part[0] < part[1]]
    if not used_at_us:
        return Agreement(AgreementStatus.UNCHECKED)
    differences = tuple(sorted(found.values(), key=lambda one: one.created_at_us))
    if differences:
        status = AgreementStatus.DIFFERS
    else:
        status = AgreementStatus.PARTLY_CHECKED if open_parts else AgreementStatus.AGREES
    return Agreement(status, min(used_at_us), differences)


@dataclass(frozen=True, slots=True)
class CurrencyStatement:
    """Totals of one currency. `opening`: everything before the period; `days` in order."""

    currency: str
    opening: Figures
    total: Figures
    days: tuple[tuple[date, Figures], ...]
    kinds: tuple[tuple[OperationKind, Figures], ...]

    @property
    def closing(self) -> Figures:
        """Everything up to the end of the period."""
        return self.opening + self.total


@dataclass(frozen=True, slots=True)
class MonthlyStatement:
    """A statement of a period. `until_us`: up to which moment it is complete."""

    period: Period
    until_us: int
    operations: tuple[Operation, ...]
    currencies: tuple[CurrencyStatement, ...]
    agreement: Agreement


def build_statement(
    period: Period,
    until_us: int,
    operations: Iterable[Operation],
    opening: dict[str, Figures],
    agreed: Agreement,
) -> MonthlyStatement:
    """Return the statement of a period from its operations, in any order.

    `opening`: the figures before the period by currency.
    """
    ordered = tuple(sorted(operations, key=lambda one: (one.at_us, one.id)))
    days: dict[str, dict[date, Figures]] = defaultdict(lambda: defaultdict(Figures))
    kinds: dict[str, dict[OperationKind, Figures]] = defaultdict(lambda: defaultdict(Figures))
    for operation in ordered:
        currency = operation.amount.currency
        days[currency][local_date(operation.at_us, period.tz)] += operation.figures
        kinds[currency][operation.kind] += operation.figures
    found = {currency for currency, figures in opening.items() if figures} | days.keys()
    return MonthlyStatement(
        period,
        until_us,
        ordered,
        tuple(
            CurrencyStatement(
                currency,
                opening.get(currency, Figures()),
                sum(days[currency].values(), Figures()),
                tuple(sorted(days[currency].items())),
                tuple((kind, kinds[currency][kind]) for kind in OperationKind),
            )
            for currency in sorted_currencies(found)
        ),
        agreed,
    )


def build_summary(
    period: Period,
    until_us: int,
    days: dict[tuple[date, str], Figures],
    opening: dict[str, Figures],
    agreed: Agreement,
) -> MonthlyStatement:
    """Return a statement without operations and kinds, from the totals of days by currency."""
    found = {currency for currency, figures in opening.items() if figures}
    found |= {currency for (_, currency), figures in days.items() if figures.has_money}
    return MonthlyStatement(
        period,
        until_us,
        (),
        tuple(
            CurrencyStatement(
                currency,
                opening.get(currency, Figures()),
                sum((one for (_, of), one in days.items() if of == currency), Figures()),
                tuple(
                    (day, one)
                    for (day, of), one in sorted(days.items())
                    if of == currency and one.has_money
                ),
                (),
            )
            for currency in sorted_currencies(found)
        ),
        agreed,
    )


def sorted_currencies(currencies: Iterable[str]) -> list[str]:
    """Return currencies in the order of reports: roubles first, then by code."""
    return sorted(currencies, key=lambda currency: (currency != "RUB", currency))
