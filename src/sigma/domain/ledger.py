"""The books: double entries in minor units. An entry that does not balance cannot be built."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.money import Money


class Account(StrEnum):
    """Whose money it is. Debit is plus, credit is minus."""

    ACQUIRER = "acquirer"  # what the acquirer owes the shop
    FEES = "fees"  # what the acquirer kept
    SALES = "sales"  # what the shop has earned
    OWED = "owed"  # what the shop must give back: extra and late payments


@dataclass(frozen=True, slots=True)
class Line:
    """One side of an entry; `amount` is signed."""

    account: Account
    amount: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """Lines that sum to zero.

    `(kind, subject)` is unique in the books, so nothing is booked twice.
    """

    kind: str  # "capture" or "refund"
    subject: str  # the payment's or refund's id
    shop_id: str
    at: int  # UTC microseconds
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        if len({line.amount.currency for line in self.lines}) != 1 or len(self.lines) < 2:
            raise ValueError("an entry needs two lines or more, in one currency")
        if any(line.amount.minor == 0 for line in self.lines):
            raise ValueError("a line of an entry cannot be zero")
        if sum(line.amount.minor for line in self.lines) != 0:
            raise ValueError("an entry must balance")


def plausible(income: Money | None, amount: Money) -> Money | None:
    """What the acquirer says is left of an amount, if it can be believed; else None."""
    if income is None or income.currency != amount.currency:
        return None
    return income if 0 < income.minor <= amount.minor else None


def capture_entry(
    *,
    payment_id: str,
    shop_id: str,
    at: int,
    amount: Money,
    income: Money | None,
    owed: bool,
) -> Entry:
    """Money taken from a client.

    `income` is the amount less the acquirer's commission, where it told; `owed` when it must go
    back.
    """
    income = plausible(income, amount) or amount
    lines = [Line(Account.ACQUIRER, income)]
    if fee := amount - income:
        lines.append(Line(Account.FEES, fee))
    lines.append(Line(Account.OWED if owed else Account.SALES, -amount))
    return Entry("capture", payment_id, shop_id, at, tuple(lines))


def refund_entry(*, refund_id: str, shop_id: str, at: int, amount: Money, owed: bool) -> Entry:
    """Money given back. The acquirer's commission does not come back."""
    source = Account.OWED if owed else Account.SALES
    return Entry(
        "refund",
        refund_id,
        shop_id,
        at,
        (Line(source, amount), Line(Account.ACQUIRER, -amount)),
    )
