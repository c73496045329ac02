"""Refunds made at the acquirer, outside Sigma: found, booked once, subtracted from what is left."""

import asyncio
import itertools
from typing import Any

import pytest

from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.billing.refund import Origin
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from sigma.providers.base import UnknownOutcomeError
from sigma.services.billing import payments, refunds
from sigma.services.billing.refund_sync import sync_refunds
from sigma.store.schema.tables import ledger
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    check_reconciled,
    deliver_notice,
    fetch_from_bank,
    list_mails,
    make_notice,
    make_payment_notice,
    payment_details,
    refusal_code,
    reload_payment,
    request_refund,
    run_until_idle,
)
from tests.world import World

pytestmark = pytest.mark.both_databases


async def refund_at_bank(world: World, payment: Payment, amount_minor: int) -> dict[str, Any]:
    """Refund in the acquirer's own cabinet."""
    return await world.refund_at_bank(payment, amount_minor)


async def refunds_of(world: World, payment: Payment) -> list[tuple[str, str, int]]:
    """Return (origin, status, amount) of each refund, oldest first."""
    details = await payment_details(world, payment)
    return [(r.origin, r.status, r.amount.minor) for r in details.refunds]


async def refund_notice(world: World, refund_id: str) -> bytes:
    body = await fetch_from_bank(world, f"refunds/{refund_id}")
    return await make_notice(world, "refund.succeeded", body)


@pytest.mark.parametrize("amount_minor", [1, 30_000, 150_000])
@pytest.mark.parametrize("way", ["refund_notice", "payment_notice", "look_up", "job", "sync"])
async def test_refund_made_at_the_acquirer_is_found(
    world: World, way: str, amount_minor: int
) -> None:
    payment = await world.complete_payment()
    await world.run_jobs()
    made = await refund_at_bank(world, payment, amount_minor)
    if way == "refund_notice":
        await deliver_notice(world, await refund_notice(world, made["id"]))
        await world.run_jobs()
    elif way == "payment_notice":
        await deliver_notice(world, await make_payment_notice(world, payment.provider_id or ""))
        await world.run_jobs()
    elif way == "look_up":
        await payments.refresh(world.ctx, world.member, payment.id)
    elif way == "job":
        await payments.advance(world.ctx, payment.id)
    else:
        for _ in range(2):  # the second call finds nothing new
            found = (await sync_refunds(world.ctx, payment.id)).refunds
            assert [(r.origin, r.provider_id) for r in found] == [("acquirer", made["id"])]
    details = await payment_details(world, payment)
    assert [r.origin for r in details.refunds] == [Origin.ACQUIRER]
    assert details.refunded == Money(amount_minor)
    assert details.refundable == Money(150_000 - amount_minor)
    assert await refusal_code(request_refund(world, payment, 150_000)) == "already_refunded"
    await check_reconciled(world)


async def test_refund_over_the_amount_is_too_large_even_after_a_refund_elsewhere(
    world: World,
) -> None:
    payment = await world.complete_payment()
    await refund_at_bank(world, payment, 30_000)
    await sync_refunds(world.ctx, payment.id)
    assert await refusal_code(request_refund(world, payment, 150_001)) == "refund_too_large"
    await request_refund(world, payment, 120_000)
    assert await refusal_code(request_refund(world, payment, 30_001)) == "refund_too_large"
    await check_reconciled(world)
    assert len(await world.list_at_bank("refunds")) == 2


@pytest.mark.parametrize("elsewhere_minor", [150_000, 100_000])
async def test_our_refund_of_money_refunded_elsewhere_says_so(
    world: World, elsewhere_minor: int
) -> None:
    payment = await world.complete_payment()
    await refund_at_bank(world, payment, elsewhere_minor)
    await request_refund(world, payment, 150_000)
    await run_until_idle(world)
    ours, theirs = (await payment_details(world, payment)).refunds
    assert (ours.status, ours.failure) == ("failed", "already_refunded")
    assert (theirs.origin, theirs.amount.minor) == ("acquirer", elsewhere_minor)
    assert (await reload_payment(world, payment)).attention is None
    await check_reconciled(world)
    (mail, *_) = await list_mails(world, "owner@example.org")
    assert "уже возвращены в кабинете эквайера" in mail["text"]
    assert "другим способом" not in mail["text"]


ORDERS = list(itertools.product(["ours_first", "theirs_first"], ["none", "once", "thrice"]))


@pytest.mark.parametrize(("order", "notices"), ORDERS)
@pytest.mark.parametrize("fault", ["", "cut_answer", "cut_request", "http_500_after"])
async def test_refund_elsewhere_during_one_of_ours_is_booked_once(
    world: World, order: str, notices: str, fault: str
) -> None:
    payment = await world.complete_payment()
    made = None if order == "ours_first" else await refund_at_bank(world, payment, 50_000)
    if fault:
        await world.inject_faults(**{fault: {"on": "refund", "times": 1}})
    await request_refund(world, payment, 60_000)
    await world.run_jobs()
    made = made or await refund_at_bank(world, payment, 50_000)
    notice = await refund_notice(world, made["id"])
    for _ in range({"none": 0, "once": 1, "thrice": 3}[notices]):
        await deliver_notice(world, notice)
        await world.run_jobs()
    await run_until_idle(world)
    if notices == "none":
        await sync_refunds(world.ctx, payment.id)
    assert sorted(await refunds_of(world, payment)) == [
        ("acquirer", "succeeded", 50_000),
        ("sigma", "succeeded", 60_000),
    ]
    await check_reconciled(world)


@pytest.mark.parametrize("order", ["ours_first", "theirs_first"])
async def test_both_refund_everything_and_money_goes_back_once(world: World, order: str) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(cut_answer={"on": "refund", "times": 1})
    await request_refund(world, payment, 150_000)
    if order == "ours_first":
        await world.run_jobs()
        await world.refund_at_bank(payment, 150_000, expected_status=400)
    else:
        await world.inject_faults(cut_answer=None)
        await refund_at_bank(world, payment, 150_000)
    await run_until_idle(world)
    expected = [("sigma", "succeeded", 150_000)]
    if order == "theirs_first":
        expected = [("acquirer", "succeeded", 150_000), ("sigma", "failed", 150_000)]
    assert sorted(await refunds_of(world, payment)) == expected
    assert len(await world.list_at_bank("refunds")) == 1
    await check_reconciled(world)


async def test_simultaneous_syncs_book_a_refund_once(world: World) -> None:
    payment = await world.complete_payment()
    await refund_at_bank(world, payment, 30_000)
    await refund_at_bank(world, payment, 20_000)
    await asyncio.gather(*(sync_refunds(world.ctx, payment.id) for _ in range(5)))
    assert [minor for _, _, minor in await refunds_of(world, payment)] == [30_000, 20_000]
    await check_reconciled(world)


async def test_pending_refund_made_elsewhere_reserves_its_amount_until_it_fails(
    world: World,
) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(refund_pending=-1)
    made = await refund_at_bank(world, payment, 100_000)
    await sync_refunds(world.ctx, payment.id, reads_list=True)
    assert await refunds_of(world, payment) == [("acquirer", "pending", 100_000)]
    assert (await payment_details(world, payment)).refundable == Money(50_000)
    url = f"{world.sandbox.base_url}/bank/test/refunds/{made['id']}"
    await world.http.post(url, json={"status": "canceled", "reason": "insufficient_funds"})
    await run_until_idle(world)
    assert await refunds_of(world, payment) == [("acquirer", "failed", 100_000)]
    assert (await reload_payment(world, payment)).attention is None
    await check_reconciled(world)


@pytest.mark.parametrize("fault", ["http_500_before", "cut_answer"])
async def test_difference_is_booked_without_a_list_and_not_again_with_one(
    world: World, fault: str
) -> None:
    payment = await world.complete_payment()
    first = await refund_at_bank(world, payment, 30_000)
    await world.inject_faults(**{fault: {"on": "list_refunds", "times": 2}})
    for _ in range(2):
        with pytest.raises(UnknownOutcomeError):
            await sync_refunds(world.ctx, payment.id, reads_list=True)
    assert await refunds_of(world, payment) == [("acquirer", "succeeded", 30_000)]
    second = await refund_at_bank(world, payment, 30_000)
    await sync_refunds(world.ctx, payment.id)
    details = await payment_details(world, payment)
    assert {r.provider_id for r in details.refunds} <= {first["id"], second["id"], None}
    assert details.refunded == Money(60_000)
    await sync_refunds(world.ctx, payment.id, reads_list=True)
    assert (await payment_details(world, payment)).refunded == Money(60_000)
    await check_reconciled(world)


async def test_difference_is_not_booked_while_a_refund_of_ours_may_explain_it(
    world: World,
) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(
        cut_answer={"on": "refund", "times": 1}, http_500_before={"on": "list_refunds", "times": 1}
    )
    await request_refund(world, payment, 60_000)
    await world.run_jobs()
    with pytest.raises(UnknownOutcomeError):
        await sync_refunds(world.ctx, payment.id)
    assert await refunds_of(world, payment) == [("sigma", "pending", 60_000)]
    await check_reconciled(world)


async def test_chargeback_is_booked_and_reported_to_the_owner_only(world: World) -> None:
    payment = await world.complete_payment()
    await world.run_jobs()
    await world.charge_back(payment, 40_000)
    await deliver_notice(world, await make_payment_notice(world, payment.provider_id or ""))
    await run_until_idle(world)
    assert await refunds_of(world, payment) == [("chargeback", "succeeded", 40_000)]
    await request_refund(world, payment, 110_000)
    await check_reconciled(world)
    (mail, *_) = await list_mails(world, "owner@example.org")
    assert "Банк клиента отозвал деньги" in mail["text"]
    postings = await fetch_rows(world.ctx.db, ledger, world.shop.id)
    assert {(p["origin"], p["amount_minor"]) for p in postings if p["kind"] == "refund"} == {
        ("chargeback", 40_000),
        ("chargeback", -40_000),
        ("sigma", 110_000),
        ("sigma", -110_000),
    }


async def test_chargeback_of_everything_fails_our_refund_as_already_refunded(
    world: World,
) -> None:
    payment = await world.complete_payment()
    await world.charge_back(payment, 150_000)
    await request_refund(world, payment, 150_000)
    await run_until_idle(world)
    assert sorted(await refunds_of(world, payment)) == [
        ("chargeback", "succeeded", 150_000),
        ("sigma", "failed", 150_000),
    ]
    await check_reconciled(world)


async def test_refund_elsewhere_of_an_extra_payment_settles_what_is_due(world: World) -> None:
    invoice = await world.create_invoice()
    first = await world.start_payment(invoice, payer="a")
    extra = await world.start_payment(invoice, payer="b")
    for payment in (first, extra):
        await world.pay(payment)
        await payments.advance(world.ctx, payment.id)
    assert (await reload_payment(world, extra)).attention is Attention.EXTRA
    await refund_at_bank(world, extra, 150_000)
    await sync_refunds(world.ctx, extra.id)
    assert (await reload_payment(world, extra)).attention is None
    postings = await fetch_rows(world.ctx.db, ledger, world.shop.id)
    due = [p["amount_minor"] for p in postings if p["account"] == Account.REFUNDS_DUE]
    assert sum(due) == 0
    await check_reconciled(world)


async def test_plain_rejection_of_an_unknown_refund_does_not_fail_it(world: World) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(cut_request={"on": "refund", "times": 1})
    requested = await request_refund(world, payment, 60_000)
    await world.run_jobs()
    await refund_at_bank(world, payment, 150_000)
    for _ in range(3):
        await world.run_jobs()
        world.clock.advance(minutes=2)
    stored = await payment_details(world, payment)
    assert [r.status for r in stored.refunds if r.id == requested.id] == ["pending"]
    await run_until_idle(world)
    stored = await payment_details(world, payment)
    assert [r.failure for r in stored.refunds if r.id == requested.id] == ["already_refunded"]
    await check_reconciled(world)


async def test_window_of_a_lost_call_starts_at_the_last_lost_call(world: World) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(cut_request={"on": "refund"})
    requested = await request_refund(world, payment, 60_000)
    for _ in range(9):  # calls are lost for 45 minutes
        world.clock.advance(minutes=5)
        with pytest.raises(UnknownOutcomeError):
            await refunds.advance(world.ctx, requested.id)
    await world.inject_faults(cut_request=None)
    await refund_at_bank(world, payment, 150_000)
    world.clock.advance(minutes=5)
    assert await refusal_code(refunds.advance(world.ctx, requested.id)) == "acquirer_refused"
    world.clock.advance(minutes=6)
    failed = await refunds.advance(world.ctx, requested.id)
    assert (failed.status, failed.failure) == ("failed", "already_refunded")
    await check_reconciled(world)
