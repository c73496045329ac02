"""Lost answers of the acquirer: Sigma ends in the bank's state and no operation is done twice."""

import asyncio

import pytest

from sigma.domain.billing.payment import Payment, Status
from sigma.services.billing import payments, refunds
from sigma.services.checkout import checkout
from tests.services.actions import (
    check_reconciled,
    fetch_from_bank,
    payment_details,
    refusal_code,
    reload_payment,
    request_refund,
    run_until_idle,
    try_advance,
)
from tests.world import World

pytestmark = pytest.mark.both_databases

FAULTS_AFTER = ["cut_answer", "http_500_after", "http_202", "garbage"]
FAULTS_BEFORE = ["http_500_before", "http_429", "cut_request"]
KEY_EXPIRED_S = 30 * 3600


async def move_both_clocks(world: World, seconds: int) -> None:
    """Move Sigma's clock and the bank's clock by `seconds`."""
    world.clock.advance(seconds=seconds)
    await world.inject_faults(clock_offset_s=seconds)


@pytest.mark.parametrize("fault", FAULTS_AFTER + FAULTS_BEFORE)
async def test_create_with_a_lost_answer_is_retried_with_the_same_key(
    world: World, fault: str
) -> None:
    await world.inject_faults(**{fault: {"on": "create", "times": 2}})
    payment = await world.start_payment()
    assert (payment.status, payment.is_outcome_unknown) == (Status.CREATED, True)
    assert len(await world.list_at_bank()) == (fault in FAULTS_AFTER)
    await world.run_jobs()
    world.clock.advance(hours=1.5)  # a 202 answer may ask to wait
    await world.run_jobs()
    world.clock.advance(hours=1.5)
    await world.run_jobs()
    stored = await reload_payment(world, payment)
    assert (stored.status, stored.is_outcome_unknown) == (Status.PENDING, False)
    assert stored.confirmation_url
    assert len(await world.list_at_bank()) == 1
    await world.pay(stored)
    await check_reconciled(world)
    event_kinds = [event.kind for event in (await payment_details(world, payment)).timeline.data]
    assert event_kinds == [
        "payment.captured",
        "payment.pending",
        "payment.unknown",
        "payment.started",
    ]


@pytest.mark.parametrize("fault", FAULTS_AFTER + FAULTS_BEFORE)
async def test_lost_answers_to_fetch_change_no_status(world: World, fault: str) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    await world.inject_faults(**{fault: {"on": "get", "times": 3}})
    for _ in range(3):
        view = await checkout.refresh(world.ctx, payment.token)
        assert (view.payment.status, view.payment.is_outcome_unknown) == (Status.PENDING, True)
        world.clock.advance(seconds=3)
    view = await checkout.refresh(world.ctx, payment.token)
    assert (view.payment.status, view.payment.is_outcome_unknown) == (Status.CAPTURED, False)
    await check_reconciled(world)


async def authorized_payment(world: World) -> Payment:
    payment = await world.start_payment()
    await world.pay(payment)
    payment = await try_advance(world, payment)
    assert payment.status is Status.AUTHORIZED
    return payment


@pytest.mark.parametrize("fault", FAULTS_AFTER + FAULTS_BEFORE)
@pytest.mark.parametrize("action", ["capture", "cancel"])
async def test_capture_or_cancel_with_a_lost_answer_is_resolved(
    two_stage_world: World, fault: str, action: str
) -> None:
    world = two_stage_world
    payment = await authorized_payment(world)
    await world.inject_faults(**{fault: {"on": action, "times": 2}})
    decide = payments.capture if action == "capture" else payments.cancel
    pending = await decide(world.ctx, world.member, payment.id)
    assert (pending.status, pending.is_outcome_unknown, pending.requested_action) == (
        Status.AUTHORIZED,
        True,
        action,
    )
    opposite = payments.cancel if action == "capture" else payments.capture
    assert (
        await refusal_code(opposite(world.ctx, world.member, payment.id))
        == "payment_not_authorized"
    )
    world.clock.advance(hours=2)
    await run_until_idle(world)
    expected = {"capture": (Status.CAPTURED, "succeeded"), "cancel": (Status.CANCELED, "canceled")}
    bank_payment = await fetch_from_bank(world, f"payments/{payment.provider_id}")
    stored = await reload_payment(world, payment)
    assert (stored.status, bank_payment["status"]) == expected[action]
    assert (stored.is_outcome_unknown, stored.requested_action) == (False, "")
    await check_reconciled(world)


@pytest.mark.parametrize("fault", FAULTS_AFTER + FAULTS_BEFORE)
async def test_refund_with_a_lost_answer_is_done_once(world: World, fault: str) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(**{fault: {"on": "refund", "times": 2}})
    requested = await request_refund(world, payment, 60_000)
    await world.run_jobs()
    stored = await refunds.get(world.ctx, world.member, requested.id)
    assert (stored.status, stored.is_outcome_unknown) == ("pending", True)
    assert await refusal_code(request_refund(world, payment, 100_000)) == "refund_too_large"
    world.clock.advance(hours=2)
    await run_until_idle(world)
    assert len(await world.list_at_bank("refunds")) == 1
    stored = await refunds.get(world.ctx, world.member, requested.id)
    assert (stored.status, stored.is_outcome_unknown) == ("succeeded", False)
    await check_reconciled(world)


@pytest.mark.parametrize("fault", FAULTS_AFTER)
async def test_refund_fetch_with_a_lost_answer_is_retried(world: World, fault: str) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(refund_pending=1, **{fault: {"on": "get_refund", "times": 2}})
    await request_refund(world, payment, 60_000)
    world.clock.advance(hours=2)
    await run_until_idle(world)
    assert [item.status for item in (await payment_details(world, payment)).refunds] == [
        "succeeded"
    ]
    await check_reconciled(world)


async def test_unreachable_bank_is_retried_without_a_limit(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    await world.inject_faults(cut_request={"on": ["get", "create"]})
    for _ in range(60):
        await world.run_jobs()
        world.clock.advance(minutes=20)
    assert (await reload_payment(world, payment)).is_outcome_unknown
    await world.inject_faults(cut_request=None)
    await run_until_idle(world)
    assert (await reload_payment(world, payment)).status is Status.CAPTURED
    await check_reconciled(world)


async def test_lost_create_older_than_its_key_is_searched_and_not_repeated(world: World) -> None:
    await world.inject_faults(cut_answer={"on": "create", "times": 1})
    payment = await world.start_payment()
    (bank_payment,) = await world.list_at_bank()
    await world.pay_by_provider_id(bank_payment["id"])
    await move_both_clocks(world, KEY_EXPIRED_S)
    await run_until_idle(world)
    assert len(await world.list_at_bank()) == 1
    assert (await reload_payment(world, payment)).status is Status.CAPTURED
    await check_reconciled(world)


async def test_lost_create_that_never_reached_the_bank_fails_after_a_day(world: World) -> None:
    await world.inject_faults(cut_request={"on": "create", "times": 1})
    payment = await world.start_payment()
    await move_both_clocks(world, KEY_EXPIRED_S)
    await run_until_idle(world)
    assert await world.list_at_bank() == []
    failed = await reload_payment(world, payment)
    assert (failed.status, failed.failure) == (Status.FAILED, "never_started")
    await check_reconciled(world)
    await payments.refresh(world.ctx, world.member, payment.id)
    assert await world.list_at_bank() == []


@pytest.mark.parametrize(
    ("fault", "status"), [("cut_answer", "succeeded"), ("cut_request", "failed")]
)
async def test_lost_refund_older_than_its_key_is_searched_and_not_repeated(
    world: World, fault: str, status: str
) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(**{fault: {"on": "refund", "times": 1}})
    requested = await request_refund(world, payment, 60_000)
    await world.run_jobs()
    refund_count = len(await world.list_at_bank("refunds"))
    await move_both_clocks(world, KEY_EXPIRED_S)
    await run_until_idle(world)
    assert len(await world.list_at_bank("refunds")) == refund_count
    stored = await refunds.get(world.ctx, world.member, requested.id)
    assert stored.status == status
    await check_reconciled(world)


async def test_rejected_retry_of_a_lost_refund_is_searched_before_it_fails(world: World) -> None:
    """The bank refunds, its answer is lost and its idempotency key expires: the repeated call is
    rejected as too large, although the first one succeeded.
    """
    payment = await world.complete_payment()
    await world.inject_faults(cut_answer={"on": "refund", "times": 1})
    requested = await request_refund(world, payment, 100_000)
    await world.run_jobs()
    await world.inject_faults(clock_offset_s=25 * 3600)  # past the bank's key lifetime
    await run_until_idle(world)
    assert len(await world.list_at_bank("refunds")) == 1
    stored = await refunds.get(world.ctx, world.member, requested.id)
    assert stored.status == "succeeded"
    await check_reconciled(world)


async def test_wrong_credentials_change_nothing_and_right_ones_catch_up(world: World) -> None:
    invoice = await world.create_invoice()
    payment = await world.start_payment(invoice)
    await world.pay(payment)
    await world.set_acquirer_secret("wrong")
    await checkout.refresh(world.ctx, payment.token)
    for _ in range(20):
        await world.run_jobs()
        world.clock.advance(minutes=20)
    assert (await reload_payment(world, payment)).status is Status.PENDING
    rejected = await world.start_payment(await world.create_invoice(), payer="another")
    assert (rejected.status, rejected.failure) == (Status.FAILED, "rejected_credentials")

    await world.set_acquirer_secret("test_another")
    await run_until_idle(world)
    assert (await reload_payment(world, payment)).status is Status.CAPTURED
    await payments.refresh(world.ctx, world.member, rejected.id)
    assert len(await world.list_at_bank()) == 1
    await check_reconciled(world)


async def test_rejected_retry_of_a_lost_create_does_not_fail_the_payment(world: World) -> None:
    await world.inject_faults(cut_answer={"on": "create", "times": 1})
    payment = await world.start_payment()
    (bank_payment,) = await world.list_at_bank()
    await world.pay_by_provider_id(bank_payment["id"])
    await world.set_acquirer_secret("wrong")
    world.clock.advance(minutes=15)
    await world.run_jobs()
    assert (await reload_payment(world, payment)).status is Status.CREATED
    await world.set_acquirer_secret("test_right")
    await run_until_idle(world)
    assert (await reload_payment(world, payment)).status is Status.CAPTURED
    await check_reconciled(world)


async def test_cancelled_request_creates_one_payment(world: World) -> None:
    """A browser that disconnects cancels the request's task in the middle of the call."""
    invoice = await world.create_invoice()
    await world.inject_faults(delay_ms={"on": "create", "times": 1, "value": 300})
    call = asyncio.create_task(checkout.start(world.ctx, invoice.token, world.pay_form("mine")))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0.3)
    retried = await world.start_payment(invoice, payer="mine")
    assert len(await world.list_at_bank()) == 1
    assert retried.confirmation_url
    await world.pay(retried)
    await check_reconciled(world)
