"""The contract of every acquirer adapter, over real HTTP: money back."""

import pytest

from sigma.domain.billing import refund
from sigma.domain.billing.payment import Event
from sigma.domain.money import Money
from sigma.providers.base import Access, Rejected, Unknown
from tests.providers.orders import SUM, back, paid, start
from tests.providers.stage import Call, Stage, Trouble


async def test_money_goes_back_in_parts_up_to_the_whole(stage: Stage, access: Access) -> None:
    seen = await paid(stage, access)
    part = await stage.provider.start_refund(access, back(seen, 500_00, 1))
    assert (part.event, part.amount) == (refund.Event.SUCCEEDED, Money(500_00))
    with pytest.raises(Rejected, match="bad_request"):
        await stage.provider.start_refund(access, back(seen, 1_000_01, 2))
    rest = await stage.provider.start_refund(access, back(seen, 1_000_00, 3))
    assert await stage.provider.fetch_refund(access, rest.provider_id) == rest
    after = await stage.provider.fetch_payment(access, seen.provider_id)
    assert (after.event, after.amount, after.refunded) == (Event.CAPTURED, SUM, SUM)


async def test_an_unpaid_payment_gives_nothing_back(stage: Stage, access: Access) -> None:
    made = await start(stage, access)
    with pytest.raises(Rejected, match="bad_request"):
        await stage.provider.start_refund(access, back(made))


async def test_a_refund_may_wait(stage: Stage, access: Access) -> None:
    seen = await paid(stage, access)
    await stage.hold_refunds(access)
    waiting = await stage.provider.start_refund(access, back(seen))
    assert waiting.event is refund.Event.PENDING
    for _ in range(2):  # some acquirers move on only when asked
        await stage.provider.fetch_refund(access, waiting.provider_id)
    done = await stage.provider.fetch_refund(access, waiting.provider_id)
    assert (done.event, done.amount) == (refund.Event.SUCCEEDED, Money(500_00))


async def test_a_refused_refund_is_a_failure_with_its_reason(stage: Stage, access: Access) -> None:
    seen = await paid(stage, access)
    await stage.refuse_refunds(access)
    done = await stage.provider.start_refund(access, back(seen))
    assert (done.event, done.failure) == (refund.Event.FAILED, stage.decline_reason)


async def test_a_lost_refund_is_found_when_its_key_is_forgotten(
    stage: Stage, access: Access
) -> None:
    seen = await paid(stage, access)
    await stage.provider.start_refund(access, back(seen, 100_00, 1))
    await stage.trouble(access, Trouble.LOST_CUT, Call.REFUND)
    with pytest.raises(Unknown):
        await stage.provider.start_refund(access, back(seen, 200_00, 2))
    await stage.forget_keys(access)
    found = {
        one.our_id: one.reply for one in await stage.provider.list_refunds(access, seen.provider_id)
    }
    assert found.keys() == {"ref_1", "ref_2"}
    assert (found["ref_2"].event, found["ref_2"].amount) == (
        refund.Event.SUCCEEDED,
        Money(200_00),
    )


async def test_refunds_of_another_payment_are_not_listed(stage: Stage, access: Access) -> None:
    one, other = [await paid(stage, access, n) for n in (1, 2)]
    await stage.provider.start_refund(access, back(one))
    assert len(await stage.provider.list_refunds(access, one.provider_id)) == 1
    assert await stage.provider.list_refunds(access, other.provider_id) == ()


async def test_every_refund_of_a_payment_is_listed_however_many(
    stage: Stage, access: Access
) -> None:
    seen = await paid(stage, access)
    for number in range(103):
        await stage.provider.start_refund(access, back(seen, 1_00, number))
    listed = await stage.provider.list_refunds(access, seen.provider_id)
    assert {one.our_id for one in listed} == {f"ref_{number}" for number in range(103)}
