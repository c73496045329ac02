"""Contract of every acquirer adapter, over real HTTP: refunds."""

import time

import pytest

from sigma.domain.billing import refund
from sigma.domain.billing.payment import Event
from sigma.domain.money import Money
from sigma.domain.time_units import MINUTE_US
from sigma.providers.base import ConnectionAccess, RejectedError, UnknownOutcomeError
from tests.providers.contract_requests import (
    AMOUNT,
    complete_payment,
    refund_request,
    start_payment,
)
from tests.providers.harness import Fault, Operation, ProviderHarness


async def test_partial_refunds_are_possible_up_to_the_whole_amount(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    captured = await complete_payment(harness, access)
    part = await harness.provider.start_refund(access, refund_request(captured, 500_00, 1))
    assert (part.event, part.amount) == (refund.Event.SUCCEEDED, Money(500_00))
    with pytest.raises(RejectedError, match="bad_request"):
        await harness.provider.start_refund(access, refund_request(captured, 1_000_01, 2))
    rest = await harness.provider.start_refund(access, refund_request(captured, 1_000_00, 3))
    assert await harness.provider.fetch_refund(access, rest.provider_id) == rest
    after = await harness.provider.fetch_payment(access, captured.provider_id)
    assert (after.event, after.amount, after.refunded) == (Event.CAPTURED, AMOUNT, AMOUNT)


async def test_unpaid_payment_cannot_be_refunded(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    pending = await start_payment(harness, access)
    with pytest.raises(RejectedError, match="bad_request"):
        await harness.provider.start_refund(access, refund_request(pending))


async def test_pending_refund_succeeds_later(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    captured = await complete_payment(harness, access)
    await harness.delay_next_refund(access)
    pending = await harness.provider.start_refund(access, refund_request(captured))
    assert pending.event is refund.Event.PENDING
    for _ in range(2):  # some acquirers change the status only on a query
        await harness.provider.fetch_refund(access, pending.provider_id)
    final = await harness.provider.fetch_refund(access, pending.provider_id)
    assert (final.event, final.amount) == (refund.Event.SUCCEEDED, Money(500_00))


async def test_declined_refund_fails_with_reason(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    captured = await complete_payment(harness, access)
    await harness.decline_next_refund(access)
    final = await harness.provider.start_refund(access, refund_request(captured))
    assert (final.event, final.failure) == (refund.Event.FAILED, harness.decline_reason)


async def test_refund_with_lost_reply_is_found_after_operation_key_expired(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    captured = await complete_payment(harness, access)
    await harness.provider.start_refund(access, refund_request(captured, 100_00, 1))
    await harness.inject_fault(access, Fault.LOST_CUT, Operation.REFUND)
    with pytest.raises(UnknownOutcomeError):
        await harness.provider.start_refund(access, refund_request(captured, 200_00, 2))
    await harness.expire_operation_keys(access)
    listed = {
        refund_record.refund_id: refund_record.reply
        for refund_record in await harness.provider.list_refunds(access, captured.provider_id)
    }
    assert listed.keys() == {"ref_1", "ref_2"}
    assert (listed["ref_2"].event, listed["ref_2"].amount) == (
        refund.Event.SUCCEEDED,
        Money(200_00),
    )


async def test_refunds_of_another_payment_are_not_listed(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    first, second = [await complete_payment(harness, access, n) for n in (1, 2)]
    await harness.provider.start_refund(access, refund_request(first))
    assert len(await harness.provider.list_refunds(access, first.provider_id)) == 1
    assert await harness.provider.list_refunds(access, second.provider_id) == ()


async def test_all_refunds_of_a_payment_are_listed_over_several_pages(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    captured = await complete_payment(harness, access)
    for number in range(103):
        await harness.provider.start_refund(access, refund_request(captured, 1_00, number))
    listed = await harness.provider.list_refunds(access, captured.provider_id)
    assert {refund_record.refund_id for refund_record in listed} == {
        f"ref_{number}" for number in range(103)
    }


async def test_refunds_of_the_account_are_listed_by_date_newest_first(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    before_us = time.time_ns() // 1000 - MINUTE_US
    captured = [await complete_payment(harness, access, number) for number in range(2)]
    for number in range(103):
        paid = captured[number % 2]
        await harness.provider.start_refund(access, refund_request(paid, 1_00, number))
    after_us = time.time_ns() // 1000 + MINUTE_US
    list_page = harness.provider.list_refunds_by_date
    first = await list_page(access, before_us, after_us)
    assert first.next_cursor is not None
    second = await list_page(access, before_us, after_us, first.next_cursor)
    assert second.next_cursor is None
    listed = [*first.refunds, *second.refunds]
    assert {one.refund_id for one in listed} == {f"ref_{number}" for number in range(103)}
    assert {one.payment_provider_id for one in listed} == {p.provider_id for p in captured}
    times = [one.reply.created_at_us or 0 for one in listed]
    assert times == sorted(times, reverse=True)
    assert before_us < times[-1] <= times[0] < after_us
    assert (await list_page(access, after_us, after_us + MINUTE_US)).refunds == ()
