"""The contract of every acquirer adapter, over real HTTP: not knowing is never a no."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sigma.domain.billing import refund
from sigma.domain.billing.payment import Event
from sigma.domain.money import Money
from sigma.providers.base import Access, Unknown
from tests.providers.orders import HOUR_US, SUM, back, hasty, order, paid, start
from tests.providers.stage import Call, Stage, Trouble


async def test_a_key_told_with_other_data_is_never_a_no(stage: Stage, access: Access) -> None:
    await start(stage, access)
    with pytest.raises(Unknown):
        await start(stage, access, amount=Money(1_00))


@pytest.mark.parametrize("trouble", Trouble)
async def test_a_lost_creation_is_unknown_and_its_repeat_makes_one(
    stage: Stage, access: Access, trouble: Trouble
) -> None:
    await stage.trouble(access, trouble, Call.CREATE)
    with pytest.raises(Unknown):
        await start(stage, hasty(access) if trouble is Trouble.SLOW else access)
    assert await stage.created(access) == int(trouble.startswith("lost"))
    made = await start(stage, access)
    assert await start(stage, access) == made
    assert await stage.created(access) == 1


@pytest.mark.parametrize("trouble", Trouble)
async def test_a_lost_capture_is_unknown_and_its_repeat_takes_once(
    stage: Stage, access: Access, trouble: Trouble
) -> None:
    held = await paid(stage, access, two_stage=True)
    await stage.trouble(access, trouble, Call.CAPTURE)
    caller = hasty(access) if trouble is Trouble.SLOW else access
    with pytest.raises(Unknown):
        await stage.provider.capture(caller, held.provider_id, SUM, "capture-1")
    seen = await stage.provider.capture(access, held.provider_id, SUM, "capture-1")
    assert (seen.event, seen.amount) == (Event.CAPTURED, SUM)


@pytest.mark.parametrize("trouble", Trouble)
async def test_a_lost_cancel_is_unknown_and_its_repeat_lets_go(
    stage: Stage, access: Access, trouble: Trouble
) -> None:
    held = await paid(stage, access, two_stage=True)
    await stage.trouble(access, trouble, Call.CANCEL)
    caller = hasty(access) if trouble is Trouble.SLOW else access
    with pytest.raises(Unknown):
        await stage.provider.cancel(caller, held.provider_id, "cancel-1")
    seen = await stage.provider.cancel(access, held.provider_id, "cancel-1")
    assert seen.event is Event.CANCELED


@pytest.mark.parametrize("trouble", Trouble)
async def test_a_lost_refund_is_unknown_and_its_repeat_gives_back_once(
    stage: Stage, access: Access, trouble: Trouble
) -> None:
    seen = await paid(stage, access)
    await stage.trouble(access, trouble, Call.REFUND)
    with pytest.raises(Unknown):
        await stage.provider.start_refund(
            hasty(access) if trouble is Trouble.SLOW else access, back(seen)
        )
    done = await stage.provider.start_refund(access, back(seen))
    assert (done.event, done.amount) == (refund.Event.SUCCEEDED, Money(500_00))
    assert await stage.refunds(access, seen.provider_id) == 1


@pytest.mark.parametrize("trouble", Trouble)
async def test_a_question_without_an_answer_is_unknown(
    stage: Stage, access: Access, trouble: Trouble
) -> None:
    seen = await paid(stage, access)
    done = await stage.provider.start_refund(access, back(seen))
    caller = hasty(access) if trouble is Trouble.SLOW else access
    provider = stage.provider
    asks: dict[Call, Callable[[], Awaitable[object]]] = {
        Call.GET: lambda: provider.fetch_payment(caller, seen.provider_id),
        Call.GET_REFUND: lambda: provider.fetch_refund(caller, done.provider_id),
        Call.LIST_REFUNDS: lambda: provider.list_refunds(caller, seen.provider_id),
        Call.LIST: lambda: provider.list_payments(caller, 0, 1),
        Call.CHECK: lambda: provider.check(caller),
    }
    for call, ask in asks.items():
        await stage.trouble(access, trouble, call)
        with pytest.raises(Unknown):
            await ask()


async def test_unknown_says_when_to_ask_again(stage: Stage, access: Access) -> None:
    await stage.trouble(access, Trouble.LOST_LATER, Call.CREATE)
    with pytest.raises(Unknown) as lost:
        await start(stage, access)
    assert lost.value.retry_after_s == 1.8


async def test_nobody_there_is_unknown(stage: Stage, access: Access) -> None:
    nowhere = replace(access, base_url="http://127.0.0.1:1/v3")
    with pytest.raises(Unknown):
        await stage.provider.start_payment(nowhere, order())


async def test_a_lost_payment_is_found_by_date(stage: Stage, access: Access) -> None:
    if not stage.provider.capabilities.list_by_date:
        return
    await start(stage, access, 1)
    await stage.trouble(access, Trouble.LOST_CUT, Call.CREATE)
    with pytest.raises(Unknown):
        await start(stage, access, 2)
    now = time.time_ns() // 1000
    listed = await stage.provider.list_payments(access, now - HOUR_US, now + HOUR_US)
    assert {reply.our_id for reply in listed.replies} == {"pay_1", "pay_2"}
    assert listed.next_cursor is None
    earlier = await stage.provider.list_payments(access, now - 2 * HOUR_US, now - HOUR_US)
    assert earlier.replies == ()
