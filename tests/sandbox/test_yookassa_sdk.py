"""The official `yookassa` package works unchanged with the sandbox bank."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from yookassa import Configuration, Payment, Receipt, Refund, Settings
from yookassa.domain.exceptions import BadRequestError, NotFoundError, UnauthorizedError
from yookassa.domain.notification import WebhookNotificationFactory

from tests.sandbox.merchants import Merchant, NoticeReceiver, payment_body

InThread = Callable[..., Any]
ITEM = {
    "description": "Маникюр",
    "quantity": "1",
    "amount": {"value": "1500.00", "currency": "RUB"},
    "vat_code": 1,
}
RECEIPT = {"customer": {"email": "payer@example.com"}, "items": [ITEM]}


@pytest.fixture
def in_thread(merchant: Merchant) -> InThread:
    """Configure the package; return a function that runs its blocking calls in a thread."""
    Configuration.configure(
        merchant.id, "test_secret", api_url=f"{merchant.sandbox.base_url}/bank/v3"
    )
    return asyncio.to_thread


async def test_create_and_read_payment(in_thread: InThread, merchant: Merchant) -> None:
    created = await in_thread(
        Payment.create, payment_body(metadata={"invoice": "1042"}), str(uuid4())
    )
    assert (created.status, created.paid, created.test) == ("pending", False, True)
    assert created.id in created.confirmation.confirmation_url
    assert created.confirmation.confirmation_url.startswith(merchant.sandbox.base_url)
    await merchant.pay(created.id, "2200000000000004")
    read = await in_thread(Payment.find_one, created.id)
    assert (read.status, read.paid, read.refundable) == ("succeeded", True, True)
    assert str(read.income_amount.value) == "1447.50"
    assert read.payment_method.card.last4 == "0004"
    assert read.authorization_details.three_d_secure.applied is True
    assert read.metadata["invoice"] == "1042"


async def test_capture_less_and_cancel(in_thread: InThread, merchant: Merchant) -> None:
    first = await merchant.complete_payment(capture=False)
    second = await merchant.complete_payment(capture=False)
    assert first["status"] == "waiting_for_capture"
    less = {"amount": {"value": "900.00", "currency": "RUB"}}
    captured = await in_thread(Payment.capture, first["id"], less, str(uuid4()))
    assert (captured.status, str(captured.amount.value)) == ("succeeded", "900.00")
    canceled = await in_thread(Payment.cancel, second["id"], str(uuid4()))
    assert canceled.status == "canceled"
    assert canceled.cancellation_details.reason == "canceled_by_merchant"
    with pytest.raises(BadRequestError):
        await in_thread(Payment.cancel, first["id"], str(uuid4()))


async def test_refund_in_parts(in_thread: InThread, merchant: Merchant) -> None:
    paid = await merchant.complete_payment("1500.00")

    def part(value: str) -> dict[str, Any]:
        return {"payment_id": paid["id"], "amount": {"value": value, "currency": "RUB"}}

    refund = await in_thread(Refund.create, part("500.00"), str(uuid4()))
    assert refund.status == "succeeded"
    with pytest.raises(BadRequestError):
        await in_thread(Refund.create, part("1000.01"), str(uuid4()))
    await in_thread(Refund.create, part("1000.00"), str(uuid4()))
    read = await in_thread(Payment.find_one, paid["id"])
    assert (str(read.refunded_amount.value), read.refundable) == ("1500.00", False)
    listed = await in_thread(Refund.list, {"payment_id": paid["id"]})
    assert [str(one.amount.value) for one in listed.items] == ["1000.00", "500.00"]
    assert (await in_thread(Refund.find_one, refund.id)).payment_id == paid["id"]


async def test_list_payments_by_page_and_date(in_thread: InThread, merchant: Merchant) -> None:
    created = [await merchant.create_payment(f"{n}.00") for n in range(1, 6)]
    first = await in_thread(Payment.list, {"limit": 3})
    rest = await in_thread(Payment.list, {"limit": 3, "cursor": first.next_cursor})
    assert [one.id for one in first.items + rest.items] == [p["id"] for p in reversed(created)]
    assert rest.next_cursor is None
    late = await in_thread(
        Payment.list, {"created_at.gte": created[4]["created_at"], "status": "pending"}
    )
    assert created[4]["id"] in [one.id for one in late.items]
    none = await in_thread(Payment.list, {"created_at.lt": created[0]["created_at"]})
    assert none.items == []


async def test_register_receipts(in_thread: InThread, merchant: Merchant) -> None:
    paid = await merchant.complete_payment(receipt=RECEIPT)
    assert paid["receipt_registration"] == "pending"
    await merchant.inject_faults(clock_offset_s=5)
    assert (await in_thread(Payment.find_one, paid["id"])).receipt_registration == "succeeded"
    listed = await in_thread(Receipt.list, {"payment_id": paid["id"]})
    assert listed.items[0].fiscal_attribute
    second = {
        "type": "payment",
        "payment_id": paid["id"],
        "customer": {"email": "payer@example.com"},
        "items": [ITEM | {"payment_subject": "service", "payment_mode": "full_payment"}],
        "settlements": [{"type": "prepayment", "amount": ITEM["amount"]}],
        "send": True,
    }
    created = await in_thread(Receipt.create, second, str(uuid4()))
    assert (await in_thread(Receipt.find_one, created.id)).type == "payment"


async def test_refusals_raise_errors_of_package(in_thread: InThread, merchant: Merchant) -> None:
    with pytest.raises(NotFoundError):
        await in_thread(Payment.find_one, "2e0b0c1f-000f-5000-8000-18db351245c7")
    with pytest.raises(BadRequestError) as error:
        await in_thread(Payment.create, payment_body("350000.01"), str(uuid4()))
    assert error.value.content["parameter"] == "amount.value"
    me = await in_thread(Settings.get_account_settings)
    assert me.account_id == merchant.id
    Configuration.configure("1", "live_x", api_url=f"{merchant.sandbox.base_url}/bank/v3")
    with pytest.raises(UnauthorizedError):
        await in_thread(Payment.list, {})


async def test_package_parses_notice(merchant: Merchant, notice_receiver: NoticeReceiver) -> None:
    paid = await merchant.complete_payment()
    (body,) = await notice_receiver.wait_for_notices(1)
    notice = WebhookNotificationFactory().create(body)
    assert (notice.event, notice.object.id) == ("payment.succeeded", paid["id"])
