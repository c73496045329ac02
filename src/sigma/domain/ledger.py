"""Double-entry bookkeeping in minor units. An entry that does not balance cannot be constructed."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.money import Money


class Account(StrEnum):
    """Accounts of the ledger. A debit is positive, a credit negative."""

    ACQUIRER = "acquirer"  # what the acquirer owes the shop
    FEES = "fees"  # the acquirer's commission
    SALES = "sales"  # what the shop has earned
    REFUNDS_DUE = "refunds_due"  # what the shop must refund: extra, late and voided payments


@dataclass(frozen=True, slots=True)
class Posting:
    """The amount posted to one account; positive is debit, negative is credit."""

    account: Account
    amount: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """Two or more postings of one currency that sum to zero. Raises ValueError otherwise.

    `(kind, subject_id)` is unique in the ledger, so the same event cannot be booked twice.
    """

    kind: str  # "capture", "fee", "refund" or "acceptance"
    subject_id: str  # id of the payment or refund
    shop_id: str
    booked_at_us: int  # UTC microseconds
    postings: tuple[Posting, ...]
    origin: str = "sigma"  # of a refund: "sigma", "acquirer" or "chargeback"

    def __post_init__(self) -> None:
        currencies = {posting.amount.currency for posting in self.postings}
        if len(currencies) != 1 or len(self.postings) < 2:
            raise ValueError("an entry needs two or more postings in one currency")
        if any(posting.amount.minor == 0 for posting in self.postings):
            raise ValueError("a posting cannot be zero")
        if sum(posting.amount.minor for posting in self.postings) != 0:
            raise ValueError("an entry must balance")


def plausible_income(income: Money | None, amount: Money) -> Money | None:
    """Return the acquirer's net income of a payment if it is plausible, else None.

    Plausible: same currency, more than zero, not more than `amount`.
    """
    if income is None or income.currency != amount.currency:
        return None
    return income if 0 < income.minor <= amount.minor else None


def capture_entry(
    *,
    payment_id: str,
    shop_id: str,
    booked_at_us: int,
    amount: Money,
    income: Money | None,
    is_refund_due: bool,
) -> Entry:
    """Return the entry of a captured payment. `booked_at_us`: UTC microseconds.

    `income` is the amount less the acquirer's commission, or None when the acquirer did not report
    it. `is_refund_due`: the money must go back to the client (extra, late or voided payment).
    """
    income = plausible_income(income, amount) or amount
    postings = [Posting(Account.ACQUIRER, income)]
    if fee := amount - income:
        postings.append(Posting(Account.FEES, fee))
    postings.append(Posting(Account.REFUNDS_DUE if is_refund_due else Account.SALES, -amount))
    return Entry("capture", payment_id, shop_id, booked_at_us, tuple(postings))


def fee_entries(
    *, payment_id: str, shop_id: str, booked_at_us: int, amount: Money, income: Money
) -> tuple[Entry, ...]:
    """Return the entry of a fee that the acquirer reports after the capture was booked without it.

    None when the acquirer reports that it charges nothing. `booked_at_us`: the time of the capture,
    so that both are in the same period.
    """
    if not (fee := amount - income):
        return ()
    postings = (Posting(Account.FEES, fee), Posting(Account.ACQUIRER, -fee))
    return (Entry("fee", payment_id, shop_id, booked_at_us, postings),)


def refund_entry(
    *,
    refund_id: str,
    shop_id: str,
    booked_at_us: int,
    amount: Money,
    origin: str,
    is_refund_due: bool,
) -> Entry:
    """Return the entry of a refund. The acquirer does not return its commission.

    `origin`: who gave the money back. `is_refund_due`: the payment is booked as money to refund and
    not as a sale, see `sigma.store.billing.ledger.is_refund_due`.
    """
    source = Account.REFUNDS_DUE if is_refund_due else Account.SALES
    return Entry(
        "refund",
        refund_id,
        shop_id,
        booked_at_us,
        (Posting(source, amount), Posting(Account.ACQUIRER, -amount)),
        origin,
    )


def acceptance_entry(*, payment_id: str, shop_id: str, booked_at_us: int, amount: Money) -> Entry:
    """Return the entry of a late or extra payment that the seller accepts: it becomes a sale."""
    return Entry(
        "acceptance",
        payment_id,
        shop_id,
        booked_at_us,
        (Posting(Account.REFUNDS_DUE, amount), Posting(Account.SALES, -amount)),
    )
