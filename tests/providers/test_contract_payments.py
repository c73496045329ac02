"""Contract of every acquirer adapter, over real HTTP: payments and two-stage capture."""

import time
from dataclasses import replace

import pytest

from sigma.domain.billing.payment import Event
from sigma.domain.money import Money
from sigma.providers.base import ConnectionAccess, RejectedError
from tests.providers.contract_requests import (
    AMOUNT,
    HOUR_US,
    complete_payment,
    refund_request,
    start_payment,
)
from tests.providers.harness import Operation, ProviderHarness


async def test_new_payment_is_pending_with_confirmation_url(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(harness, access)
    assert created.event is Event.PENDING
    assert created.confirmation_url.startswith(("http://", "https://"))
    assert (created.amount, created.payment_id) == (AMOUNT, "pay_1")
    fetched = await harness.provider.fetch_payment(access, created.provider_id)
    assert (fetched.provider_id, fetched.event) == (created.provider_id, Event.PENDING)


async def test_same_operation_key_returns_same_payment_in_current_state(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(harness, access)
    assert await start_payment(harness, access) == created
    await harness.pay(access, created.provider_id)
    again = await start_payment(harness, access)
    assert (again.provider_id, again.event) == (created.provider_id, Event.CAPTURED)
    assert await harness.count_payments(access) == 1


async def test_captured_payment_has_amount_card_and_time(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    before = time.time_ns() // 1000
    captured = await complete_payment(harness, access)
    assert (captured.event, captured.amount, captured.payment_id) == (
        Event.CAPTURED,
        AMOUNT,
        "pay_1",
    )
    assert captured.method is not None
    assert (captured.method.kind, captured.method.mask, captured.method.brand) == (
        "card",
        harness.mask,
        harness.brand,
    )
    assert captured.captured_at_us is not None
    assert abs(captured.captured_at_us - before) < HOUR_US
    assert captured.income is None or Money(0) < captured.income <= AMOUNT


async def test_declined_card_fails_payment_with_reason(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(harness, access)
    await harness.pay_with_declined_card(access, created.provider_id)
    fetched = await harness.provider.fetch_payment(access, created.provider_id)
    assert (fetched.event, fetched.failure) == (Event.FAILED, harness.decline_reason)


async def test_unpaid_payment_is_canceled_after_timeout(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(harness, access)
    await harness.expire_payments(access)
    fetched = await harness.provider.fetch_payment(access, created.provider_id)
    assert (fetched.event, bool(fetched.failure)) == (Event.CANCELED, True)


async def test_authorized_payment_can_be_captured(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    authorized = await complete_payment(harness, access, two_stage=True)
    assert (authorized.event, authorized.amount, authorized.captured_at_us) == (
        Event.AUTHORIZED,
        AMOUNT,
        None,
    )
    captured = await harness.provider.capture(access, authorized.provider_id, AMOUNT, "capture-1")
    assert (captured.event, captured.amount) == (Event.CAPTURED, AMOUNT)


async def test_authorized_payment_can_be_canceled(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    authorized = await complete_payment(harness, access, two_stage=True)
    canceled = await harness.provider.cancel(access, authorized.provider_id, "cancel-1")
    assert canceled.event is Event.CANCELED
    fetched = await harness.provider.fetch_payment(access, authorized.provider_id)
    assert fetched.event is Event.CANCELED


async def test_capture_or_cancel_of_final_payment_returns_its_status(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    captured, canceled = [
        await complete_payment(harness, access, n, two_stage=True) for n in (1, 2)
    ]
    await harness.provider.capture(access, captured.provider_id, AMOUNT, "capture-1")
    await harness.provider.cancel(access, canceled.provider_id, "cancel-1")
    for final, event in ((captured, Event.CAPTURED), (canceled, Event.CANCELED)):
        again = await harness.provider.capture(access, final.provider_id, AMOUNT, "capture-2")
        assert again.event is event
        again = await harness.provider.cancel(access, final.provider_id, "cancel-2")
        assert again.event is event


async def test_pending_payment_cannot_be_captured_or_canceled(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(harness, access)
    with pytest.raises(RejectedError, match="bad_request"):
        await harness.provider.capture(access, created.provider_id, AMOUNT, "capture-1")
    with pytest.raises(RejectedError, match="bad_request"):
        await harness.provider.cancel(access, created.provider_id, "cancel-1")
    await harness.pay(access, created.provider_id)


async def test_capture_over_authorized_amount_is_rejected(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    authorized = await complete_payment(harness, access, two_stage=True)
    with pytest.raises(RejectedError, match="bad_request"):
        await harness.provider.capture(access, authorized.provider_id, Money(1_500_01), "capture-1")


async def test_long_payment_list_is_paged(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    for number in range(103):
        await start_payment(harness, access, number)
    now_us = time.time_ns() // 1000
    payment_ids: list[str] = []
    times: list[int] = []
    cursor = None
    for _ in range(5):
        page = await harness.provider.list_payments(
            access, now_us - HOUR_US, now_us + HOUR_US, cursor
        )
        payment_ids += [reply.payment_id for reply in page.replies]
        times += [reply.created_at_us or 0 for reply in page.replies]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(payment_ids) == sorted(f"pay_{number}" for number in range(103))
    assert times == sorted(times, reverse=True)
    assert now_us - HOUR_US < times[-1]


@pytest.mark.parametrize("call", [Operation.GET, Operation.CREATE])
async def test_different_amount_or_currency_is_reported_unchanged(
    harness: ProviderHarness, access: ConnectionAccess, call: Operation
) -> None:
    captured = await complete_payment(harness, access)
    for wrong_fields, expected in (
        ({"value": "15.00"}, Money(15_00)),
        ({"currency": "USD"}, Money(1_500_00, "USD")),
        ({"currency": "INR"}, None),  # an unsupported currency: never equal to our amount
    ):
        await harness.misreport_amount(access, call, **wrong_fields)
        reply = (
            await harness.provider.fetch_payment(access, captured.provider_id)
            if call is Operation.GET
            else await start_payment(harness, access)
        )
        assert (reply.event, reply.amount) == (Event.CAPTURED, expected)


async def test_long_texts_are_truncated_to_acquirer_limits(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(
        harness, access, description="Ж" * 5000, metadata={"note": "ю" * 5000}
    )
    assert created.payment_id == "pay_1"
    await harness.pay(access, created.provider_id)
    long_refund = replace(refund_request(created), description="Ё" * 5000)
    await harness.provider.start_refund(access, long_refund)
    (listed,) = await harness.provider.list_refunds(access, created.provider_id)
    assert listed.refund_id == "ref_1"
