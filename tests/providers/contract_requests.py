"""Requests of the provider contract tests, and payments brought to a state."""

from dataclasses import replace

from sigma.domain.billing.payment import PaymentReply
from sigma.domain.money import Money
from sigma.providers.base import ConnectionAccess, PaymentRequest, RefundRequest
from tests.providers.harness import SLOW_RESPONSE_S, ProviderHarness

AMOUNT = Money(1_500_00)
HOUR_US = 3600 * 1_000_000


def payment_request(number: int = 1, **more: object) -> PaymentRequest:
    """Return a payment request; requests with another `number` have other ids and keys."""
    plain = PaymentRequest(
        payment_id=f"pay_{number}",
        operation_key=f"key-{number}",
        amount=AMOUNT,
        description="Счёт 42: маникюр",
        return_url="https://pay.shop.example/p/abc",
        metadata={"invoice": "inv_1"},
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def refund_request(
    paid_reply: PaymentReply, amount_minor: int = 500_00, number: int = 1
) -> RefundRequest:
    """Return a refund request for a paid payment."""
    return RefundRequest(
        f"ref_{number}",
        f"refund-key-{number}",
        paid_reply.provider_id,
        Money(amount_minor),
        "Не подошло",
    )


async def start_payment(
    stage: ProviderHarness, access: ConnectionAccess, number: int = 1, **more: object
) -> PaymentReply:
    """Start a payment."""
    return await stage.provider.start_payment(access, payment_request(number, **more))


async def complete_payment(
    stage: ProviderHarness, access: ConnectionAccess, number: int = 1, **more: object
) -> PaymentReply:
    """Start a payment, pay it as the client and return the acquirer's reply about it."""
    started = await start_payment(stage, access, number, **more)
    await stage.pay(access, started.provider_id)
    return await stage.provider.fetch_payment(access, started.provider_id)


def with_short_timeout(access: ConnectionAccess) -> ConnectionAccess:
    """Return the access with a timeout shorter than a slow response takes."""
    return replace(access, timeout_s=SLOW_RESPONSE_S / 3)
