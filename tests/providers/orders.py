"""What the contract asks for: orders with keyword changes, and a payment brought to a state."""

from dataclasses import replace

from sigma.domain.billing.payment import Reply
from sigma.domain.money import Money
from sigma.providers.base import Access, Order, RefundOrder
from tests.providers.stage import SLOW_S, Stage

SUM = Money(1_500_00)
HOUR_US = 3600 * 1_000_000


def order(number: int = 1, **more: object) -> Order:
    plain = Order(
        payment_id=f"pay_{number}",
        operation_key=f"key-{number}",
        amount=SUM,
        description="Счёт 42: маникюр",
        return_url="https://pay.shop.example/p/abc",
        metadata={"invoice": "inv_1"},
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def back(paid: Reply, minor: int = 500_00, number: int = 1) -> RefundOrder:
    return RefundOrder(
        f"ref_{number}", f"refund-key-{number}", paid.provider_id, Money(minor), "Не подошло"
    )


async def start(stage: Stage, access: Access, number: int = 1, **more: object) -> Reply:
    return await stage.provider.start_payment(access, order(number, **more))


async def paid(stage: Stage, access: Access, number: int = 1, **more: object) -> Reply:
    made = await start(stage, access, number, **more)
    await stage.pay(access, made.provider_id)
    return await stage.provider.fetch_payment(access, made.provider_id)


def hasty(access: Access) -> Access:
    """Waits less than a slow answer takes."""
    return replace(access, timeout_s=SLOW_S / 3)
