"""The contract of every acquirer adapter, over real HTTP: payments and held money."""

import time
from dataclasses import replace

import pytest

from sigma.domain.billing.payment import Event
from sigma.domain.money import Money
from sigma.providers.base import Access, Rejected
from tests.providers.orders import HOUR_US, SUM, back, paid, start
from tests.providers.stage import Call, Stage


async def test_a_new_payment_waits_and_says_where_to_pay(stage: Stage, access: Access) -> None:
    made = await start(stage, access)
    assert made.event is Event.PENDING
    assert made.confirmation_url.startswith(("http://", "https://"))
    assert (made.amount, made.our_id) == (SUM, "pay_1")
    seen = await stage.provider.fetch_payment(access, made.provider_id)
    assert (seen.provider_id, seen.event) == (made.provider_id, Event.PENDING)


async def test_the_same_key_gives_the_same_payment_as_it_is_now(
    stage: Stage, access: Access
) -> None:
    made = await start(stage, access)
    assert await start(stage, access) == made
    await stage.pay(access, made.provider_id)
    again = await start(stage, access)
    assert (again.provider_id, again.event) == (made.provider_id, Event.CAPTURED)
    assert await stage.created(access) == 1


async def test_a_paid_payment_names_sum_card_and_moment(stage: Stage, access: Access) -> None:
    before = time.time_ns() // 1000
    seen = await paid(stage, access)
    assert (seen.event, seen.amount, seen.our_id) == (Event.CAPTURED, SUM, "pay_1")
    assert seen.method is not None
    assert (seen.method.kind, seen.method.mask, seen.method.brand) == (
        "card",
        stage.mask,
        stage.brand,
    )
    assert seen.captured_at is not None
    assert abs(seen.captured_at - before) < HOUR_US
    assert seen.income is None or Money(0) < seen.income <= SUM


async def test_a_decline_is_a_failure_with_its_reason(stage: Stage, access: Access) -> None:
    made = await start(stage, access)
    await stage.decline(access, made.provider_id)
    seen = await stage.provider.fetch_payment(access, made.provider_id)
    assert (seen.event, seen.failure) == (Event.FAILED, stage.decline_reason)


async def test_an_unpaid_payment_is_canceled_by_time(stage: Stage, access: Access) -> None:
    made = await start(stage, access)
    await stage.expire(access)
    seen = await stage.provider.fetch_payment(access, made.provider_id)
    assert (seen.event, bool(seen.failure)) == (Event.CANCELED, True)


async def test_held_money_is_taken_by_decision(stage: Stage, access: Access) -> None:
    held = await paid(stage, access, two_stage=True)
    assert (held.event, held.amount, held.captured_at) == (Event.AUTHORIZED, SUM, None)
    taken = await stage.provider.capture(access, held.provider_id, SUM, "capture-1")
    assert (taken.event, taken.amount) == (Event.CAPTURED, SUM)


async def test_held_money_is_let_go_by_decision(stage: Stage, access: Access) -> None:
    held = await paid(stage, access, two_stage=True)
    gone = await stage.provider.cancel(access, held.provider_id, "cancel-1")
    assert gone.event is Event.CANCELED
    seen = await stage.provider.fetch_payment(access, held.provider_id)
    assert seen.event is Event.CANCELED


async def test_a_decision_on_what_is_already_decided_gives_what_is(
    stage: Stage, access: Access
) -> None:
    taken, gone = [await paid(stage, access, n, two_stage=True) for n in (1, 2)]
    await stage.provider.capture(access, taken.provider_id, SUM, "capture-1")
    await stage.provider.cancel(access, gone.provider_id, "cancel-1")
    for decided, event in ((taken, Event.CAPTURED), (gone, Event.CANCELED)):
        again = await stage.provider.capture(access, decided.provider_id, SUM, "capture-2")
        assert again.event is event
        again = await stage.provider.cancel(access, decided.provider_id, "cancel-2")
        assert again.event is event


async def test_what_is_not_held_cannot_be_decided(stage: Stage, access: Access) -> None:
    made = await start(stage, access)
    with pytest.raises(Rejected, match="bad_request"):
        await stage.provider.capture(access, made.provider_id, SUM, "capture-1")
    with pytest.raises(Rejected, match="bad_request"):
        await stage.provider.cancel(access, made.provider_id, "cancel-1")
    await stage.pay(access, made.provider_id)


async def test_more_than_is_held_cannot_be_taken(stage: Stage, access: Access) -> None:
    held = await paid(stage, access, two_stage=True)
    with pytest.raises(Rejected, match="bad_request"):
        await stage.provider.capture(access, held.provider_id, Money(1_500_01), "capture-1")


async def test_a_long_list_is_read_page_by_page(stage: Stage, access: Access) -> None:
    if not stage.provider.capabilities.list_by_date:
        return
    for number in range(103):
        await start(stage, access, number)
    now = time.time_ns() // 1000
    seen: list[str] = []
    cursor = None
    for _ in range(5):
        page = await stage.provider.list_payments(access, now - HOUR_US, now + HOUR_US, cursor)
        seen += [reply.our_id for reply in page.replies]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"pay_{number}" for number in range(103))


@pytest.mark.parametrize("call", [Call.GET, Call.CREATE])
async def test_another_sum_is_carried_as_it_was_told(
    stage: Stage, access: Access, call: Call
) -> None:
    seen = await paid(stage, access)
    for named, expected in (
        ({"value": "15.00"}, Money(15_00)),
        ({"currency": "USD"}, Money(1_500_00, "USD")),
        ({"currency": "INR"}, None),  # no Money of ours, so it can never be equal to ours
    ):
        await stage.misname(access, call, **named)
        told = (
            await stage.provider.fetch_payment(access, seen.provider_id)
            if call is Call.GET
            else await start(stage, access)
        )
        assert (told.event, told.amount) == (Event.CAPTURED, expected)


async def test_long_words_are_cut_to_what_the_acquirer_takes(stage: Stage, access: Access) -> None:
    made = await start(stage, access, description="Ж" * 5000, metadata={"note": "ю" * 5000})
    assert made.our_id == "pay_1"
    await stage.pay(access, made.provider_id)
    wordy = replace(back(made), description="Ё" * 5000)
    await stage.provider.start_refund(access, wordy)
    (found,) = await stage.provider.list_refunds(access, made.provider_id)
    assert found.our_id == "ref_1"
