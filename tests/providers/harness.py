"""The interface of a provider harness: an acquirer's test environment with clients and faults."""

from enum import StrEnum
from typing import Protocol

from sigma.domain.billing.payment import PaymentReply
from sigma.providers.base import ConnectionAccess, Provider


class Operation(StrEnum):
    """The operations that a fault can affect."""

    CREATE = "create"
    GET = "get"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    GET_REFUND = "get_refund"
    LIST = "list"
    LIST_REFUNDS = "list_refunds"
    CHECK = "check"


class Fault(StrEnum):
    """Faults between Sigma and an acquirer. LOST_*: the work is done but the reply is lost."""

    CUT_BEFORE = "cut_before"
    ERROR_BEFORE = "error_before"
    TOO_MANY = "too_many"
    SLOW = "slow"
    LOST_CUT = "lost_cut"
    LOST_ERROR = "lost_error"
    LOST_IN_PROGRESS = "lost_later"  # HTTP 202: still in progress, ask again
    LOST_GARBAGE = "lost_garbage"


SLOW_RESPONSE_S = 0.3  # how long a SLOW response takes; the contract tests wait less


class ProviderHarness(Protocol):
    """One per adapter. Every account is fresh: it has no payments of other tests."""

    provider: Provider
    mask: str  # of the card that `pay` uses
    brand: str
    decline_reason: str  # of the card that `decline` uses

    def access(self) -> ConnectionAccess:
        """Return access to a fresh account."""

    def with_wrong_secret(self, access: ConnectionAccess) -> ConnectionAccess:
        """Return access to the same account with a wrong secret."""

    async def pay(self, access: ConnectionAccess, provider_id: str) -> None:
        """Pay as the client with a card that works."""

    async def pay_with_declined_card(self, access: ConnectionAccess, provider_id: str) -> None:
        """Try to pay as the client with a card without money."""

    async def expire_payments(self, access: ConnectionAccess) -> None:
        """Advance the acquirer's clock past the payment deadline."""

    async def expire_operation_keys(self, access: ConnectionAccess) -> None:
        """Advance the acquirer's clock until it has deleted the idempotency keys."""

    async def delay_next_refund(self, access: ConnectionAccess) -> None:
        """Make the next refund pending; it succeeds when it is fetched next."""

    async def decline_next_refund(self, access: ConnectionAccess) -> None:
        """Make the client's bank decline the next refund."""

    async def inject_fault(
        self, access: ConnectionAccess, fault: Fault, operation: Operation
    ) -> None:
        """Inject this fault into the next such call, once."""

    async def misreport_amount(
        self, access: ConnectionAccess, operation: Operation, *, value: str = "", currency: str = ""
    ) -> None:
        """Make the next such call's response contain another amount or currency."""

    async def count_payments(self, access: ConnectionAccess) -> int:
        """Return how many payments the account has at the acquirer."""

    async def count_refunds(self, access: ConnectionAccess, provider_id: str) -> int:
        """Return how many refunds the payment has at the acquirer."""

    def make_notice(self, reply: PaymentReply) -> bytes:
        """Return the body of the acquirer's notice about this payment."""
