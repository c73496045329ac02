"""Payments that need a person: late, extra, of a voided invoice, of another sum. And mails that do
not arrive.
"""

from typing import Any

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.ledger import Account
from sigma.services.billing import invoices, mails, payments
from sigma.services.checkout import checkout
from sigma.services.platform import jobs
from sigma.store.schema.tables import ledger
from tests.books import rows
from tests.services.acts import (
    advanced,
    all_is_well,
    as_role,
    details,
    fresh,
    kinds,
    refund,
    refused,
    settle_down,
    tell,
    told_of,
)
from tests.world import World

HOUR = 3_600_000_000


async def status_of(world: World, invoice_id: str) -> str:
    return str((await invoices.get(world.ctx, world.member, invoice_id)).status)


async def is_owed(world: World, payment: Payment) -> bool:
    """Whether the books hold a payment as money to give back."""
    lines = await rows(world.ctx.db, ledger, world.shop.id)
    return any(line["account"] == Account.OWED and line["subject"] == payment.id for line in lines)


async def test_an_invoice_lapses_by_the_clock_and_cannot_be_paid_then(world: World) -> None:
    invoice = await world.invoice(expires_at=world.clock() + HOUR)
    await world.work()
    assert await status_of(world, invoice.id) == "open"
    world.clock.move(hours=1, seconds=1)
    assert await refused(world.started(invoice)) == "invoice_expired"
    listed = await invoices.listing(world.ctx, world.member, status="expired")
    assert [one.id for one in listed.data] == [invoice.id]
    await world.work()
    assert await status_of(world, invoice.id) == "expired"
    told = await invoices.timeline(world.ctx, world.member, invoice.id)
    assert [h.kind for h in told] == ["invoice.issued", "invoice.expired"]


async def test_paid_in_time_but_learnt_of_later_counts(world: World) -> None:
    invoice = await world.invoice(expires_at=world.clock() + HOUR)
    payment = await world.started(invoice)
    await world.pay(payment)
    world.clock.move(hours=2)
    await invoices.expire(world.ctx, invoice.id)
    assert await status_of(world, invoice.id) == "expired"
    paid = await advanced(world, payment)
    assert (paid.status, paid.attention) == (Status.CAPTURED, None)
    assert await status_of(world, invoice.id) == "paid"
    assert not await is_owed(world, paid)
    await all_is_well(world)


async def test_paid_after_its_time_is_booked_as_owed_and_called_late(world: World) -> None:
    invoice = await world.invoice(expires_at=world.clock() + HOUR // 2)
    payment = await world.started(invoice)
    await world.control(clock_offset_s=2400)
    world.clock.move(seconds=2400)
    await world.pay(payment)
    await settle_down(world)
    paid = await fresh(world, payment)
    assert (paid.status, paid.attention) == (Status.CAPTURED, Attention.LATE)
    assert await status_of(world, invoice.id) == "expired"
    assert await is_owed(world, paid)
    told = await details(world, payment)
    assert sorted(kinds(told.mails)) == ["attention", "receipt"]
    await all_is_well(world)


async def test_a_voided_invoice_that_is_paid_anyway_is_flagged(world: World) -> None:
    invoice = await world.invoice()
    payment = await world.started(invoice)
    await invoices.void(world.ctx, world.member, invoice.id)
    assert await refused(world.started(invoice, payer="x")) == "invoice_void"
    await world.pay(payment)
    paid = await advanced(world, payment)
    assert (paid.status, paid.attention) == (Status.CAPTURED, Attention.VOIDED)
    assert await status_of(world, invoice.id) == "void"
    assert await is_owed(world, paid)
    await all_is_well(world)


async def test_a_second_payment_is_owed_told_to_the_owner_and_calm_when_all_is_back(
    world: World,
) -> None:
    invoice = await world.invoice()
    first = await world.started(invoice, payer="one")
    second = await world.started(invoice, payer="two")
    await world.pay(first)
    await world.pay(second)
    assert (await advanced(world, first)).attention is None
    extra = await advanced(world, second)
    assert (extra.status, extra.attention) == (Status.CAPTURED, Attention.EXTRA)
    assert await is_owed(world, extra)
    assert not await is_owed(world, first)
    await settle_down(world)
    told = await details(world, extra)
    assert [(m.kind, m.status) for m in told.mails if m.kind == "attention"] == [
        ("attention", "sent")
    ]
    flagged = await payments.listing(world.ctx, world.member, attention=True)
    assert [row.payment.id for row in flagged.data] == [extra.id]

    await refund(world, extra, 100_000)
    await settle_down(world)
    assert (await fresh(world, extra)).attention is Attention.EXTRA
    await refund(world, extra, 50_000)
    await settle_down(world)
    assert (await fresh(world, extra)).attention is None
    await all_is_well(world)


@pytest.mark.parametrize(
    "lie", [{"wrong_amount": "1.00"}, {"wrong_currency": "USD"}], ids=["amount", "currency"]
)
async def test_another_sum_than_ours_is_never_paid_and_a_person_is_told(
    world: World, lie: dict[str, Any]
) -> None:
    invoice = await world.invoice()
    payment = await world.started(invoice)
    await world.pay(payment)
    await world.control(**lie)
    assert payment.provider_id
    for _ in range(3):
        await tell(world, await told_of(world, payment.provider_id))
        await settle_down(world)
        await checkout.refresh(world.ctx, payment.token)
    wrong = await fresh(world, payment)
    assert (wrong.status, wrong.attention) == (Status.PENDING, Attention.MISMATCH)
    assert await status_of(world, invoice.id) == "open"
    told = await details(world, payment)
    assert [(m.kind, m.status) for m in told.mails] == [("attention", "sent")]
    assert told.receipt is None
    assert await rows(world.ctx.db, ledger, world.shop.id) == []

    await world.control(wrong_amount=None, wrong_currency=None)
    right = await payments.ask_again(world.ctx, world.member, payment.id)
    assert (right.status, right.attention) == (Status.CAPTURED, None)
    await all_is_well(world)


async def test_a_receipt_that_the_server_refuses_has_failed_with_its_answer(world: World) -> None:
    await misbehave(world, mail_refuse={"on": "gone@example.net"})
    payment = await world.paid(email="gone@example.net")
    await settle_down(world)
    mail = (await details(world, payment)).mails[0]
    assert mail.status == "failed"
    assert mail.answer.startswith("550")
    assert mail.to_masked == "g***@example.net"
    assert "gone@example.net" not in mail.answer


async def misbehave(world: World, **rules: Any) -> None:
    """Misbehaviour for all: a mailbox belongs to no shop."""
    url = f"{world.sandbox.base_url}/control"
    assert (await world.http.post(url, json=rules)).status_code == 200


async def test_a_busy_server_is_asked_again_until_it_takes_the_mail(world: World) -> None:
    await misbehave(world, mail_busy={"on": "slow@example.net", "times": 2})
    payment = await world.paid(email="slow@example.net")
    await world.work()
    waiting = (await details(world, payment)).mails[0]
    assert (waiting.status, waiting.attempts) == ("queued", 1)
    assert waiting.answer.startswith("451")
    await settle_down(world)
    sent = (await details(world, payment)).mails[0]
    assert (sent.status, sent.attempts) == ("sent", 3)
    await all_is_well(world)


async def test_a_receipt_mailed_once_more_is_a_row_of_its_own(world: World) -> None:
    payment = await world.paid()
    await settle_down(world)
    await mails.resend(world.ctx, world.member, payment.id)
    await settle_down(world)
    sent = (await details(world, payment)).mails
    assert [(m.kind, m.number, m.status) for m in sent] == [
        ("receipt", 1, "sent"),
        ("receipt", 2, "sent"),
    ]
    assert await refused(mails.resend(world.ctx, as_role(world, Role.VIEWER), payment.id)) == (
        "forbidden"
    )
    await all_is_well(world, resent=True)


async def test_a_payment_that_nobody_finishes_ends_when_the_bank_lets_it_go(world: World) -> None:
    payment = await world.started()
    world.clock.move(minutes=70)
    await world.control(clock_offset_s=4200)
    await world.work()
    gone = await fresh(world, payment)
    assert (gone.status, gone.failure) == (Status.CANCELED, "expired_on_confirmation")
    await all_is_well(world)


async def test_a_dead_job_is_seen_and_can_be_brought_back_by_the_owner(world: World) -> None:
    payment = await world.paid()
    await world.set_key("wrong_secret")
    back = await refund(world, payment, 10_000)
    for _ in range(14):
        await world.work()
        world.clock.move(minutes=20)
    dead = await jobs.dead(world.ctx, world.member)
    assert [(job.kind, job.last_error) for job in dead] == [
        ("refund.advance", "refused: acquirer_refused")
    ]
    await jobs.retry(world.ctx, world.member, dead[0].id)
    assert await jobs.dead(world.ctx, world.member) == []
    await world.work()
    await world.set_key("test_secret")
    await settle_down(world)
    assert [r.status for r in (await details(world, payment)).refunds] == ["succeeded"]
    assert back.status == "pending"
    await all_is_well(world)
