"""What can differ between Sigma and an acquirer, how to find it in one pair, and what to do.

A pair is one object on both sides; either side may be missing. `payment_difference` and
`refund_difference` name at most one kind for a pair: the one to repair first.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.billing import payment as payments
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.payment import Payment, PaymentReply
from sigma.domain.billing.refund import Refund, RefundReply
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US


class Kind(StrEnum):
    """What differs. "There" is the acquirer, "here" is Sigma."""

    PAYMENT_CAPTURED_THERE = "payment_captured_there"
    PAYMENT_CAPTURED_HERE = "payment_captured_here"  # there it is pending, held or canceled
    PAYMENT_STATUS_DIFFERS = "payment_status_differs"  # captured on neither side
    PAYMENT_AMOUNT_DIFFERS = "payment_amount_differs"
    PAYMENT_CURRENCY_DIFFERS = "payment_currency_differs"
    PAYMENT_MISSING_HERE = "payment_missing_here"  # its metadata names our payment or invoice
    PAYMENT_MISSING_THERE = "payment_missing_there"
    PAYMENT_DUPLICATE = "payment_duplicate"  # its metadata names a payment that is another one
    PAYMENT_FOREIGN = "payment_foreign"  # nothing here belongs to it
    REFUND_MISSING_HERE = "refund_missing_here"
    REFUND_MISSING_THERE = "refund_missing_there"
    REFUND_AMOUNT_DIFFERS = "refund_amount_differs"
    REFUND_STATUS_DIFFERS = "refund_status_differs"
    LEDGER_MISSING = "ledger_missing"  # captured or refunded, but not in the ledger
    LEDGER_DIFFERS = "ledger_differs"  # booked with another amount


class Action(StrEnum):
    """What a member can do about a difference. Each difference offers one."""

    RECORD_PAYMENT = "record_payment"  # record what the acquirer says
    BOOK_REFUND = "book_refund"
    CHECK = "check"  # query the acquirer again and apply its reply
    BOOK_ENTRY = "book_entry"  # write the missing ledger entry
    ASK_ACQUIRER = "ask_acquirer"  # write to its support, then close the difference
    ACKNOWLEDGE = "acknowledge"  # not our payment


ACTIONS: dict[Kind, Action] = {
    Kind.PAYMENT_CAPTURED_THERE: Action.RECORD_PAYMENT,
    Kind.PAYMENT_CAPTURED_HERE: Action.ASK_ACQUIRER,
    Kind.PAYMENT_STATUS_DIFFERS: Action.CHECK,
    Kind.PAYMENT_AMOUNT_DIFFERS: Action.ASK_ACQUIRER,
    Kind.PAYMENT_CURRENCY_DIFFERS: Action.ASK_ACQUIRER,
    Kind.PAYMENT_MISSING_HERE: Action.RECORD_PAYMENT,
    Kind.PAYMENT_MISSING_THERE: Action.ASK_ACQUIRER,
    Kind.PAYMENT_DUPLICATE: Action.RECORD_PAYMENT,
    Kind.PAYMENT_FOREIGN: Action.ACKNOWLEDGE,
    Kind.REFUND_MISSING_HERE: Action.BOOK_REFUND,
    Kind.REFUND_MISSING_THERE: Action.ASK_ACQUIRER,
    Kind.REFUND_AMOUNT_DIFFERS: Action.ASK_ACQUIRER,
    Kind.REFUND_STATUS_DIFFERS: Action.CHECK,
    Kind.LEDGER_MISSING: Action.BOOK_ENTRY,
    Kind.LEDGER_DIFFERS: Action.ASK_ACQUIRER,
}
# These actions change nothing in Sigma's money: a person decides that the difference is settled.
CLOSING_ACTIONS = (Action.ASK_ACQUIRER, Action.ACKNOWLEDGE)

MISSING_THERE = (Kind.PAYMENT_MISSING_THERE, Kind.REFUND_MISSING_THERE)

# Pairs that agree. A payment that has ended here may still be pending there: no money has moved.
_PAYMENT_AGREES: dict[payments.Status, set[payments.Event]] = {
    payments.Status.CREATED: {payments.Event.PENDING},
    payments.Status.PENDING: {payments.Event.PENDING},
    payments.Status.AUTHORIZED: {payments.Event.AUTHORIZED},
    payments.Status.CAPTURED: {payments.Event.CAPTURED},
    payments.Status.CANCELED: {
        payments.Event.PENDING,
        payments.Event.CANCELED,
        payments.Event.FAILED,
    },
    payments.Status.FAILED: {
        payments.Event.PENDING,
        payments.Event.CANCELED,
        payments.Event.FAILED,
    },
}
_MONEY_EVENTS = (payments.Event.AUTHORIZED, payments.Event.CAPTURED)
# The end of an unpaid payment is found by polling. Until this age it is no difference.
MAX_SETTLING_US = DAY_US


class Claim(StrEnum):
    """What the metadata of an acquirer's payment, which is missing here, names in Sigma."""

    NOTHING = "nothing"
    UNSTARTED = "unstarted"  # a payment without the acquirer's id, or only its invoice
    OTHER = "other"  # a payment that is another one at the acquirer


@dataclass(frozen=True, slots=True)
class PaymentPair:
    """A payment on both sides; one side may be None. `booked`: its amount in the ledger.

    `claim` is meaningful only when `ours` is None. `claimed_payment_id` and `claimed_invoice_id`
    are ids from the metadata that exist in this shop, else empty.
    """

    ours: Payment | None
    theirs: PaymentReply | None
    claim: Claim = Claim.NOTHING
    claimed_payment_id: str = ""
    claimed_invoice_id: str = ""
    booked: Money | None = None


@dataclass(frozen=True, slots=True)
class RefundPair:
    """A refund on both sides; one side may be None. `booked`: its amount in the ledger.

    `payment_id` is our id of the refunded payment, empty when the payment is unknown here.
    """

    ours: Refund | None
    theirs: RefundReply | None
    payment_id: str = ""
    booked: Money | None = None


def payment_difference(pair: PaymentPair, now_us: int) -> Kind | None:
    """Return what differs in a pair of payments, None when both sides agree."""
    ours, theirs = pair.ours, pair.theirs
    if ours is None:
        return _missing_payment(pair)
    if theirs is None:
        return Kind.PAYMENT_MISSING_THERE
    has_money = theirs.event in _MONEY_EVENTS
    if theirs.amount is None:
        if has_money:
            return Kind.PAYMENT_CURRENCY_DIFFERS  # a currency that Money does not support
    elif theirs.amount.currency != ours.amount.currency:
        return Kind.PAYMENT_CURRENCY_DIFFERS
    elif theirs.amount != ours.amount:
        return Kind.PAYMENT_AMOUNT_DIFFERS
    if theirs.event not in _PAYMENT_AGREES[ours.status]:
        return _payment_status(ours, theirs, now_us)
    if ours.status is payments.Status.CAPTURED:
        return _ledger(pair.booked, ours.amount)
    return None


def _missing_payment(pair: PaymentPair) -> Kind | None:
    if pair.theirs is None or pair.theirs.event not in _MONEY_EVENTS:
        return None  # without money it changes nothing in the ledger
    if pair.claim is Claim.UNSTARTED:
        return Kind.PAYMENT_MISSING_HERE
    return Kind.PAYMENT_DUPLICATE if pair.claim is Claim.OTHER else Kind.PAYMENT_FOREIGN


def _payment_status(ours: Payment, theirs: PaymentReply, now_us: int) -> Kind | None:
    if theirs.event is payments.Event.CAPTURED:
        return Kind.PAYMENT_CAPTURED_THERE
    if ours.status is payments.Status.CAPTURED:
        return Kind.PAYMENT_CAPTURED_HERE
    is_unpaid = ours.status in (payments.Status.CREATED, payments.Status.PENDING)
    is_settling = is_unpaid and now_us - ours.created_at_us < MAX_SETTLING_US
    if is_settling and theirs.event not in _MONEY_EVENTS:
        return None
    return Kind.PAYMENT_STATUS_DIFFERS


def refund_difference(pair: RefundPair) -> Kind | None:
    """Return what differs in a pair of refunds, None when both sides agree.

    A refund of a payment that is unknown here is no difference: its payment is one.
    """
    ours, theirs = pair.ours, pair.theirs
    if ours is None:
        if theirs is None or theirs.event is refunds.Event.FAILED or not pair.payment_id:
            return None
        is_nothing = theirs.amount is not None and theirs.amount.minor == 0
        return None if is_nothing else Kind.REFUND_MISSING_HERE
    if theirs is None:
        return Kind.REFUND_MISSING_THERE
    if theirs.amount != ours.amount and (
        theirs.amount is not None or theirs.event is refunds.Event.SUCCEEDED
    ):
        return Kind.REFUND_AMOUNT_DIFFERS
    if str(theirs.event) != str(ours.status):
        return Kind.REFUND_STATUS_DIFFERS
    if ours.status is refunds.Status.SUCCEEDED:
        return _ledger(pair.booked, ours.amount)
    return None


def _ledger(booked: Money | None, amount: Money) -> Kind | None:
    if booked is None:
        return Kind.LEDGER_MISSING
    return None if booked == amount else Kind.LEDGER_DIFFERS


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a difference. `status` is empty when the object is missing there.

    `amount` is None when it is missing, or in a currency that Money does not support.
    """

    status: str = ""
    amount: Money | None = None


class State(StrEnum):
    """The lists are read at different moments, so a difference is first only suspected.

    CLOSED: a person decided that it is settled; the next runs do not report it again.
    """

    SUSPECTED = "suspected"
    DISMISSED = "dismissed"  # a moment later both sides agreed
    OPEN = "open"
    REPAIRED = "repaired"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference that a run has found. Times are UTC microseconds.

    `payment_id` and `refund_id` are ours, `provider_id` is the acquirer's id of the object; each
    is empty when there is none. `created_at_us` is the object's creation time. `is_tried`: its
    action was carried out and both sides still differ. `closed_by` is the id of a user or API key.
    Change it only by `confirmed`, `attempted` and `closed`.
    """

    id: str
    shop_id: str
    run_id: str
    connection_id: str
    kind: Kind
    provider_id: str
    payment_id: str
    refund_id: str
    invoice_id: str
    ours: Side
    theirs: Side
    created_at_us: int
    found_at_us: int
    state: State = State.SUSPECTED
    is_tried: bool = False
    closed_at_us: int | None = None
    closed_by: str = ""
    version: int = 0

    @property
    def is_refund(self) -> bool:
        """Whether the object is a refund and not a payment."""
        return bool(self.refund_id) or self.kind in _REFUND_KINDS

    @property
    def action(self) -> Action | None:
        """What to do about it; None when nothing is left to do."""
        if self.state is not State.OPEN:
            return None
        return Action.ASK_ACQUIRER if self.is_tried else ACTIONS[self.kind]

    @property
    def fingerprint(self) -> tuple[str, str, Side, Side]:
        """What must be equal for a closed difference to close this one too."""
        return (self.kind, self.provider_id, self.ours, self.theirs)


_REFUND_KINDS = (
    Kind.REFUND_MISSING_HERE,
    Kind.REFUND_MISSING_THERE,
    Kind.REFUND_AMOUNT_DIFFERS,
    Kind.REFUND_STATUS_DIFFERS,
)


def sides(pair: PaymentPair | RefundPair) -> tuple[Side, Side]:
    """Return our side and the acquirer's side of a pair."""
    ours, theirs = pair.ours, pair.theirs
    return (
        Side(str(ours.status), ours.amount) if ours else Side(),
        Side(str(theirs.event), theirs.amount) if theirs else Side(),
    )


def find_difference(pair: PaymentPair | RefundPair, now_us: int) -> Kind | None:
    """Return what differs in a pair, None when both sides agree."""
    if isinstance(pair, RefundPair):
        return refund_difference(pair)
    return payment_difference(pair, now_us)


def confirmed(difference: Difference, kind: Kind | None, now: tuple[Side, Side]) -> Difference:
    """Return a suspected difference after both sides were read again; `kind` None: they agree.

    An object that is not missing there after all is dismissed: it is compared with its row when
    the acquirer's list is read.
    """
    if kind is None or (difference.kind in MISSING_THERE and kind is not difference.kind):
        return replace(difference, state=State.DISMISSED)
    return replace(difference, state=State.OPEN, kind=kind, ours=now[0], theirs=now[1])


def attempted(difference: Difference, *, agrees: bool, actor: str, now_us: int) -> Difference:
    """Return the difference after its action. `agrees`: both sides agree now.

    When they still differ, the action becomes ASK_ACQUIRER.
    """
    if not agrees:
        return replace(difference, is_tried=True)
    return replace(difference, state=State.REPAIRED, closed_at_us=now_us, closed_by=actor)


def closed(difference: Difference, actor: str, now_us: int) -> Difference:
    """Return the difference as settled by a person's decision."""
    return replace(difference, state=State.CLOSED, closed_at_us=now_us, closed_by=actor)
