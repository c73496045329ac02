"""The bank has done it and its answer is lost: in the end ours is as the bank's, and nothing is
done twice.
"""

import asyncio
from typing import Any

import pytest

from sigma.domain.billing.payment import Payment, Status
from sigma.services.billing import payments, refunds
from sigma.services.checkout import checkout
from tests.services.acts import (
    advanced,
    all_is_well,
    ask_bank,
    details,
    fresh,
    refund,
    refused,
    settle_down,
)
from tests.world import World

DONE = ["cut_answer", "http_500_after", "http_202", "garbage"]
NOT_DONE = ["http_500_before", "http_429", "cut_request"]
DAY_AND_MORE = 30 * 3600


async def both_clocks(world: World, seconds: int) -> None:
    """Time goes by here and at the bank."""
    world.clock.move(seconds=seconds)
    await world.control(clock_offset_s=seconds)


@pytest.mark.parametrize("trouble", DONE + NOT_DONE)
async def test_a_lost_answer_to_the_opening_is_asked_again_with_the_same_key(
    world: World, trouble: str
) -> None:
    await world.control(**{trouble: {"on": "create", "times": 2}})
    payment = await world.started()
    assert (payment.status, payment.unknown) == (Status.CREATED, True)
    assert len(await world.bank_list()) == (trouble in DONE)
    await world.work()
    world.clock.move(hours=1.5)  # a 202 may ask for patience
    await world.work()
    world.clock.move(hours=1.5)
    await world.work()
    known = await fresh(world, payment)
    assert (known.status, known.unknown) == (Status.PENDING, False)
    assert known.confirmation_url
    assert len(await world.bank_list()) == 1
    await world.pay(known)
    await all_is_well(world)
    kinds = [h.kind for h in (await details(world, payment)).timeline]
    assert kinds == ["payment.started", "payment.unknown", "payment.pending", "payment.captured"]


@pytest.mark.parametrize("trouble", DONE + NOT_DONE)
async def test_a_lost_answer_to_a_look_changes_nothing_until_one_arrives(
    world: World, trouble: str
) -> None:
    payment = await world.started()
    await world.pay(payment)
    await world.control(**{trouble: {"on": "get", "times": 3}})
    for _ in range(3):
        seen = await checkout.refresh(world.ctx, payment.token)
        assert (seen.payment.status, seen.payment.unknown) == (Status.PENDING, True)
        world.clock.move(seconds=3)
    seen = await checkout.refresh(world.ctx, payment.token)
    assert (seen.payment.status, seen.payment.unknown) == (Status.CAPTURED, False)
    await all_is_well(world)


async def held(world: World) -> Payment:
    payment = await world.started()
    await world.pay(payment)
    payment = await advanced(world, payment)
    assert payment.status is Status.AUTHORIZED
    return payment


@pytest.mark.parametrize("trouble", DONE + NOT_DONE)
@pytest.mark.parametrize("wish", ["capture", "cancel"])
async def test_a_lost_answer_to_a_decision_about_held_money_is_found_out(
    two_stage: World, trouble: str, wish: str
) -> None:
    world = two_stage
    payment = await held(world)
    await world.control(**{trouble: {"on": wish, "times": 2}})
    decide = payments.capture if wish == "capture" else payments.cancel
    asked = await decide(world.ctx, world.member, payment.id)
    assert (asked.status, asked.unknown, asked.wanted) == (Status.AUTHORIZED, True, wish)
    other = payments.cancel if wish == "capture" else payments.capture
    assert await refused(other(world.ctx, world.member, payment.id)) == "payment_not_authorized"
    world.clock.move(hours=2)
    await settle_down(world)
    ended = {"capture": (Status.CAPTURED, "succeeded"), "cancel": (Status.CANCELED, "canceled")}
    theirs = await ask_bank(world, f"payments/{payment.provider_id}")
    known = await fresh(world, payment)
    assert (known.status, theirs["status"]) == ended[wish]
    assert (known.unknown, known.wanted) == (False, "")
    await all_is_well(world)


@pytest.mark.parametrize("trouble", DONE + NOT_DONE)
async def test_a_lost_answer_to_a_refund_never_gives_back_twice(world: World, trouble: str) -> None:
    payment = await world.paid()
    await world.control(**{trouble: {"on": "refund", "times": 2}})
    asked = await refund(world, payment, 60_000)
    await world.work()
    kept = await refunds.get(world.ctx, world.member, asked.id)
    assert (kept.status, kept.unknown) == ("pending", True)
    assert await refused(refund(world, payment, 100_000)) == "refund_too_large"
    world.clock.move(hours=2)
    await settle_down(world)
    assert len(await world.bank_list("refunds")) == 1
    kept = await refunds.get(world.ctx, world.member, asked.id)
    assert (kept.status, kept.unknown) == ("succeeded", False)
    await all_is_well(world)


@pytest.mark.parametrize("trouble", DONE)
async def test_a_lost_answer_to_a_look_at_a_refund_is_asked_again(
    world: World, trouble: str
) -> None:
    payment = await world.paid()
    await world.control(refund_pending=1, **{trouble: {"on": "get_refund", "times": 2}})
    await refund(world, payment, 60_000)
    world.clock.move(hours=2)
    await settle_down(world)
    assert [r.status for r in (await details(world, payment)).refunds] == ["succeeded"]
    await all_is_well(world)


async def test_a_bank_that_is_silent_for_a_day_is_asked_for_ever(world: World) -> None:
    payment = await world.started()
    await world.pay(payment)
    await world.control(cut_request={"on": ["get", "create"]})
    for _ in range(60):
        await world.work()
        world.clock.move(minutes=20)
    assert (await fresh(world, payment)).unknown
    await world.control(cut_request=None)
    await settle_down(world)
    assert (await fresh(world, payment)).status is Status.CAPTURED
    await all_is_well(world)


async def test_a_lost_opening_older_than_its_key_is_looked_up_and_not_repeated(
    world: World,
) -> None:
    await world.control(cut_answer={"on": "create", "times": 1})
    payment = await world.started()
    (theirs,) = await world.bank_list()
    await world.pay_at_bank(theirs["id"])
    await both_clocks(world, DAY_AND_MORE)
    await settle_down(world)
    assert len(await world.bank_list()) == 1
    assert (await fresh(world, payment)).status is Status.CAPTURED
    await all_is_well(world)


async def test_a_lost_opening_that_never_reached_the_bank_ends_after_a_day(world: World) -> None:
    await world.control(cut_request={"on": "create", "times": 1})
    payment = await world.started()
    await both_clocks(world, DAY_AND_MORE)
    await settle_down(world)
    assert await world.bank_list() == []
    ended = await fresh(world, payment)
    assert (ended.status, ended.failure) == (Status.FAILED, "never_started")
    await all_is_well(world)
    await payments.ask_again(world.ctx, world.member, payment.id)
    assert await world.bank_list() == []


@pytest.mark.parametrize(
    ("trouble", "ended"), [("cut_answer", "succeeded"), ("cut_request", "failed")]
)
async def test_a_lost_refund_older_than_its_key_is_looked_up_and_not_repeated(
    world: World, trouble: str, ended: str
) -> None:
    payment = await world.paid()
    await world.control(**{trouble: {"on": "refund", "times": 1}})
    asked = await refund(world, payment, 60_000)
    await world.work()
    done = len(await world.bank_list("refunds"))
    await both_clocks(world, DAY_AND_MORE)
    await settle_down(world)
    assert len(await world.bank_list("refunds")) == done
    kept = await refunds.get(world.ctx, world.member, asked.id)
    assert kept.status == ended
    await all_is_well(world)


async def test_a_lost_refund_that_is_then_refused_is_looked_up_before_it_is_given_up(
    world: World,
) -> None:
    """Six hundred roubles are given back, the answer is lost, and now the bank says that there is
    not so much left: its own answer of the first time.
    """
    payment = await world.paid()
    await world.control(cut_answer={"on": "refund", "times": 1})
    asked = await refund(world, payment, 100_000)
    await world.work()
    await world.control(clock_offset_s=25 * 3600)  # the bank's clock runs ahead: keys forgotten
    await settle_down(world)
    assert len(await world.bank_list("refunds")) == 1
    kept = await refunds.get(world.ctx, world.member, asked.id)
    assert kept.status == "succeeded"
    await all_is_well(world)


async def test_with_a_wrong_key_nothing_is_paid_and_the_right_one_finds_everything(
    world: World,
) -> None:
    invoice = await world.invoice()
    payment = await world.started(invoice)
    await world.pay(payment)
    await world.set_key("wrong")
    await checkout.refresh(world.ctx, payment.token)
    for _ in range(20):
        await world.work()
        world.clock.move(minutes=20)
    assert (await fresh(world, payment)).status is Status.PENDING
    other = await world.started(await world.invoice(), payer="another")
    assert (other.status, other.failure) == (Status.FAILED, "rejected_credentials")

    await world.set_key("test_another")
    await settle_down(world)
    assert (await fresh(world, payment)).status is Status.CAPTURED
    await payments.ask_again(world.ctx, world.member, other.id)
    assert len(await world.bank_list()) == 1
    await all_is_well(world)


async def test_a_lost_opening_that_is_then_refused_is_not_given_up(world: World) -> None:
    await world.control(cut_answer={"on": "create", "times": 1})
    payment = await world.started()
    (theirs,) = await world.bank_list()
    await world.pay_at_bank(theirs["id"])
    await world.set_key("wrong")
    world.clock.move(minutes=15)
    await world.work()
    assert (await fresh(world, payment)).status is Status.CREATED
    await world.set_key("test_right")
    await settle_down(world)
    assert (await fresh(world, payment)).status is Status.CAPTURED
    await all_is_well(world)


async def test_a_call_that_is_cut_by_the_clients_patience_is_found_out(world: World) -> None:
    """A browser that goes away takes its request with it: the task is cancelled in the call."""
    invoice = await world.invoice()
    await world.control(delay_ms={"on": "create", "times": 1, "value": 300})
    going = asyncio.create_task(checkout.start(world.ctx, invoice.token, world.form("mine")))
    await asyncio.sleep(0.1)
    going.cancel()
    results: list[Any] = await asyncio.gather(going, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    await asyncio.sleep(0.3)
    again = await world.started(invoice, payer="mine")
    assert len(await world.bank_list()) == 1
    assert again.confirmation_url
    await world.pay(again)
    await all_is_well(world)
