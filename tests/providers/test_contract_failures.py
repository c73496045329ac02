"""Contract of every acquirer adapter, over real HTTP: a lost reply is never a rejection."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sigma.domain.billing import refund
from sigma.domain.billing.payment import Event
from sigma.domain.money import Money
from sigma.providers.base import ConnectionAccess, UnknownOutcomeError
from tests.providers.contract_requests import (
    AMOUNT,
    HOUR_US,
    complete_payment,
    payment_request,
    refund_request,
    start_payment,
    with_short_timeout,
)
from tests.providers.harness import Fault, Operation, ProviderHarness


async def test_operation_key_reused_with_other_data_is_unknown_outcome(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    await start_payment(harness, access)
    with pytest.raises(UnknownOutcomeError):
        await start_payment(harness, access, amount=Money(1_00))


@pytest.mark.parametrize("trouble", Fault)
async def test_creation_with_lost_reply_is_unknown_and_retry_creates_one_payment(
    harness: ProviderHarness, access: ConnectionAccess, trouble: Fault
) -> None:
    await harness.inject_fault(access, trouble, Operation.CREATE)
    with pytest.raises(UnknownOutcomeError):
        await start_payment(
            harness, with_short_timeout(access) if trouble is Fault.SLOW else access
        )
    assert await harness.count_payments(access) == int(trouble.startswith("lost"))
    created = await start_payment(harness, access)
    assert await start_payment(harness, access) == created
    assert await harness.count_payments(access) == 1


@pytest.mark.parametrize("trouble", Fault)
async def test_capture_with_lost_reply_is_unknown_and_retry_captures_once(
    harness: ProviderHarness, access: ConnectionAccess, trouble: Fault
) -> None:
    authorized = await complete_payment(harness, access, two_stage=True)
    await harness.inject_fault(access, trouble, Operation.CAPTURE)
    caller_access = with_short_timeout(access) if trouble is Fault.SLOW else access
    with pytest.raises(UnknownOutcomeError):
        await harness.provider.capture(caller_access, authorized.provider_id, AMOUNT, "capture-1")
    captured = await harness.provider.capture(access, authorized.provider_id, AMOUNT, "capture-1")
    assert (captured.event, captured.amount) == (Event.CAPTURED, AMOUNT)


@pytest.mark.parametrize("trouble", Fault)
async def test_cancel_with_lost_reply_is_unknown_and_retry_cancels(
    harness: ProviderHarness, access: ConnectionAccess, trouble: Fault
) -> None:
    authorized = await complete_payment(harness, access, two_stage=True)
    await harness.inject_fault(access, trouble, Operation.CANCEL)
    caller_access = with_short_timeout(access) if trouble is Fault.SLOW else access
    with pytest.raises(UnknownOutcomeError):
        await harness.provider.cancel(caller_access, authorized.provider_id, "cancel-1")
    canceled = await harness.provider.cancel(access, authorized.provider_id, "cancel-1")
    assert canceled.event is Event.CANCELED


@pytest.mark.parametrize("trouble", Fault)
async def test_refund_with_lost_reply_is_unknown_and_retry_refunds_once(
    harness: ProviderHarness, access: ConnectionAccess, trouble: Fault
) -> None:
    captured = await complete_payment(harness, access)
    await harness.inject_fault(access, trouble, Operation.REFUND)
    with pytest.raises(UnknownOutcomeError):
        await harness.provider.start_refund(
            with_short_timeout(access) if trouble is Fault.SLOW else access,
            refund_request(captured),
        )
    refunded = await harness.provider.start_refund(access, refund_request(captured))
    assert (refunded.event, refunded.amount) == (refund.Event.SUCCEEDED, Money(500_00))
    assert await harness.count_refunds(access, captured.provider_id) == 1


@pytest.mark.parametrize("trouble", Fault)
async def test_query_without_reply_is_unknown_outcome(
    harness: ProviderHarness, access: ConnectionAccess, trouble: Fault
) -> None:
    captured = await complete_payment(harness, access)
    refunded = await harness.provider.start_refund(access, refund_request(captured))
    caller_access = with_short_timeout(access) if trouble is Fault.SLOW else access
    provider = harness.provider
    queries: dict[Operation, Callable[[], Awaitable[object]]] = {
        Operation.GET: lambda: provider.fetch_payment(caller_access, captured.provider_id),
        Operation.GET_REFUND: lambda: provider.fetch_refund(caller_access, refunded.provider_id),
        Operation.LIST_REFUNDS: lambda: provider.list_refunds(caller_access, captured.provider_id),
        Operation.LIST: lambda: provider.list_payments(caller_access, 0, 1),
        Operation.CHECK: lambda: provider.describe_account(caller_access),
    }
    for call, query in queries.items():
        await harness.inject_fault(access, trouble, call)
        with pytest.raises(UnknownOutcomeError):
            await query()


async def test_unknown_outcome_carries_retry_delay(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    await harness.inject_fault(access, Fault.LOST_IN_PROGRESS, Operation.CREATE)
    with pytest.raises(UnknownOutcomeError) as caught:
        await start_payment(harness, access)
    assert caught.value.retry_after_s == 1.8


async def test_unreachable_acquirer_is_unknown_outcome(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    unreachable = replace(access, base_url="http://127.0.0.1:1/v3")
    with pytest.raises(UnknownOutcomeError):
        await harness.provider.start_payment(unreachable, payment_request())


async def test_payment_with_lost_reply_is_found_by_date(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    await start_payment(harness, access, 1)
    await harness.inject_fault(access, Fault.LOST_CUT, Operation.CREATE)
    with pytest.raises(UnknownOutcomeError):
        await start_payment(harness, access, 2)
    now_us = time.time_ns() // 1000
    listed = await harness.provider.list_payments(access, now_us - HOUR_US, now_us + HOUR_US)
    assert {reply.payment_id for reply in listed.replies} == {"pay_1", "pay_2"}
    assert listed.next_cursor is None
    earlier = await harness.provider.list_payments(access, now_us - 2 * HOUR_US, now_us - HOUR_US)
    assert earlier.replies == ()
