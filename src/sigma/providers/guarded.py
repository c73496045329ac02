"""An acquirer whose calls pass through a function that may refuse or observe them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from sigma.domain.billing import payment, refund
from sigma.domain.money import Money
from sigma.providers.base import (
    AcquirerRefund,
    Capabilities,
    ConnectionAccess,
    ParsedNotice,
    PaymentPage,
    PaymentRequest,
    Provider,
    RefundPage,
    RefundRequest,
)

ResultT = TypeVar("ResultT")


class CallGuard(Protocol):
    """Makes a call: returns or raises what `work` does, or raises UnknownOutcomeError instead."""

    async def __call__(
        self, access: ConnectionAccess, work: Callable[[], Awaitable[ResultT]]
    ) -> ResultT: ...


class GuardedProvider:
    """A Provider whose methods that call the acquirer go through `guard`."""

    def __init__(self, provider: Provider, guard: CallGuard) -> None:
        self._provider = provider
        self._guard = guard

    @property
    def name(self) -> str:
        """See Provider."""
        return self._provider.name

    @property
    def titles(self) -> Mapping[str, str]:
        """See Provider."""
        return self._provider.titles

    @property
    def base_url(self) -> str:
        """See Provider."""
        return self._provider.base_url

    @property
    def capabilities(self) -> Capabilities:
        """See Provider."""
        return self._provider.capabilities

    async def start_payment(
        self, access: ConnectionAccess, request: PaymentRequest
    ) -> payment.PaymentReply:
        """See Provider."""
        return await self._guard(access, lambda: self._provider.start_payment(access, request))

    async def fetch_payment(
        self, access: ConnectionAccess, provider_id: str
    ) -> payment.PaymentReply:
        """See Provider."""
        return await self._guard(access, lambda: self._provider.fetch_payment(access, provider_id))

    async def capture(
        self, access: ConnectionAccess, provider_id: str, amount: Money, operation_key: str
    ) -> payment.PaymentReply:
        """See Provider."""
        return await self._guard(
            access, lambda: self._provider.capture(access, provider_id, amount, operation_key)
        )

    async def cancel(
        self, access: ConnectionAccess, provider_id: str, operation_key: str
    ) -> payment.PaymentReply:
        """See Provider."""
        return await self._guard(
            access, lambda: self._provider.cancel(access, provider_id, operation_key)
        )

    async def start_refund(
        self, access: ConnectionAccess, request: RefundRequest
    ) -> refund.RefundReply:
        """See Provider."""
        return await self._guard(access, lambda: self._provider.start_refund(access, request))

    async def fetch_refund(self, access: ConnectionAccess, provider_id: str) -> refund.RefundReply:
        """See Provider."""
        return await self._guard(access, lambda: self._provider.fetch_refund(access, provider_id))

    async def list_refunds(
        self, access: ConnectionAccess, provider_payment_id: str
    ) -> tuple[AcquirerRefund, ...]:
        """See Provider."""
        return await self._guard(
            access, lambda: self._provider.list_refunds(access, provider_payment_id)
        )

    async def list_payments(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> PaymentPage:
        """See Provider."""
        return await self._guard(
            access, lambda: self._provider.list_payments(access, since_us, until_us, cursor)
        )

    async def list_refunds_by_date(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> RefundPage:
        """See Provider."""
        return await self._guard(
            access, lambda: self._provider.list_refunds_by_date(access, since_us, until_us, cursor)
        )

    async def describe_account(self, access: ConnectionAccess) -> str:
        """See Provider."""
        return await self._guard(access, lambda: self._provider.describe_account(access))

    def parse_notice(self, body: bytes) -> ParsedNotice:
        """See Provider."""
        return self._provider.parse_notice(body)

    async def aclose(self) -> None:
        """See Provider."""
        await self._provider.aclose()
