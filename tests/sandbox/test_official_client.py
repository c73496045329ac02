"""The official `yookassa` package works against the sandbox bank unchanged."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from yookassa import Configuration, Payment, Receipt, Refund, Settings
from yookassa.domain.exceptions import BadRequestError, NotFoundError, UnauthorizedError
from yookassa.domain.notification import WebhookNotificationFactory

from tests.sandbox.merchants import Hook, Merchant, wish

Official = Callable[..., Any]
ITEM = {
    "description": "Маникюр",
    "quantity": "1",
    "amount": {"value": "1500.00", "currency": "RUB"},
    "vat_code": 1,
}
RECEIPT = {"customer": {"email": "payer@example.com"}, "items": [ITEM]}


@pytest.fixture
def official(merchant: Merchant) -> Official:
    """Calls the official client in a thread, as a blocking program would."""
    Configuration.configure(
        merchant.id, "test_secret", api_url=f"{merchant.sandbox.base_url}/bank/v3"
    )
    return asyncio.to_thread


async def test_official_client_creates_and_reads_a_payment(
    official: Official, merchant: Merchant
) -> None:
    made = await official(Payment.create, wish(metadata={"invoice": "1042"}), str(uuid4()))
    assert (made.status, made.paid, made.test) == ("pending", False, True)
    assert made.id in made.confirmation.confirmation_url
    assert made.confirmation.confirmation_url.startswith(merchant.sandbox.base_url)
    await merchant.pay(made.id, "2200000000000004")
    read = await official(Payment.find_one, made.id)
    assert (read.status, read.paid, read.refundable) == ("succeeded", True, True)
    assert str(read.income_amount.value) == "1447.50"
    assert read.payment_method.card.last4 == "0004"
    assert read.authorization_details.three_d_secure.applied is True
    assert read.metadata["invoice"] == "1042"


async def test_official_client_captures_less_and_cancels(
    official: Official, merchant: Merchant
) -> None:
    first = await merchant.paid(capture=False)
    second = await merchant.paid(capture=False)
    assert first["status"] == "waiting_for_capture"
    less = {"amount": {"value": "900.00", "currency": "RUB"}}
    taken = await official(Payment.capture, first["id"], less, str(uuid4()))
    assert (taken.status, str(taken.amount.value)) == ("succeeded", "900.00")
    let_go = await official(Payment.cancel, second["id"], str(uuid4()))
    assert let_go.status == "canceled"
    assert let_go.cancellation_details.reason == "canceled_by_merchant"
    with pytest.raises(BadRequestError):
        await official(Payment.cancel, first["id"], str(uuid4()))


async def test_official_client_refunds_in_parts(official: Official, merchant: Merchant) -> None:
    paid = await merchant.paid("1500.00")

    def part(value: str) -> dict[str, Any]:
        return {"payment_id": paid["id"], "amount": {"value": value, "currency": "RUB"}}

    refund = await official(Refund.create, part("500.00"), str(uuid4()))
    assert refund.status == "succeeded"
    with pytest.raises(BadRequestError):
        await official(Refund.create, part("1000.01"), str(uuid4()))
    await official(Refund.create, part("1000.00"), str(uuid4()))
    read = await official(Payment.find_one, paid["id"])
    assert (str(read.refunded_amount.value), read.refundable) == ("1500.00", False)
    listed = await official(Refund.list, {"payment_id": paid["id"]})
    assert [str(one.amount.value) for one in listed.items] == ["1000.00", "500.00"]
    assert (await official(Refund.find_one, refund.id)).payment_id == paid["id"]


async def test_official_client_lists_by_page_and_by_date(
    official: Official, merchant: Merchant
) -> None:
    made = [await merchant.payment(f"{n}.00") for n in range(1, 6)]
    first = await official(Payment.list, {"limit": 3})
    rest = await official(Payment.list, {"limit": 3, "cursor": first.next_cursor})
    assert [one.id for one in first.items + rest.items] == [p["id"] for p in reversed(made)]
    assert rest.next_cursor is None
    late = await official(
        Payment.list, {"created_at.gte": made[4]["created_at"], "status": "pending"}
    )
    assert made[4]["id"] in [one.id for one in late.items]
    none = await official(Payment.list, {"created_at.lt": made[0]["created_at"]})
    assert none.items == []


async def test_official_client_registers_receipts(official: Official, merchant: Merchant) -> None:
    paid = await merchant.paid(receipt=RECEIPT)
    assert paid["receipt_registration"] == "pending"
    await merchant.control(clock_offset_s=5)
    assert (await official(Payment.find_one, paid["id"])).receipt_registration == "succeeded"
    listed = await official(Receipt.list, {"payment_id": paid["id"]})
    assert listed.items[0].fiscal_attribute
    second = {
        "type": "payment",
        "payment_id": paid["id"],
        "customer": {"email": "payer@example.com"},
        "items": [ITEM | {"payment_subject": "service", "payment_mode": "full_payment"}],
        "settlements": [{"type": "prepayment", "amount": ITEM["amount"]}],
        "send": True,
    }
    made = await official(Receipt.create, second, str(uuid4()))
    assert (await official(Receipt.find_one, made.id)).type == "payment"


async def test_official_client_hears_refusals_as_its_own_errors(
    official: Official, merchant: Merchant
) -> None:
    with pytest.raises(NotFoundError):
        await official(Payment.find_one, "2e0b0c1f-000f-5000-8000-18db351245c7")
    with pytest.raises(BadRequestError) as refused:
        await official(Payment.create, wish("350000.01"), str(uuid4()))
    assert refused.value.content["parameter"] == "amount.value"
    me = await official(Settings.get_account_settings)
    assert me.account_id == merchant.id
    Configuration.configure("1", "live_x", api_url=f"{merchant.sandbox.base_url}/bank/v3")
    with pytest.raises(UnauthorizedError):
        await official(Payment.list, {})


async def test_official_client_reads_our_notices(merchant: Merchant, hook: Hook) -> None:
    paid = await merchant.paid()
    (heard,) = await hook.wait(1)
    notice = WebhookNotificationFactory().create(heard)
    assert (notice.event, notice.object.id) == ("payment.succeeded", paid["id"])
