"""Payments that need attention: late, extra, voided, wrong amount; failed mails and dead jobs."""

from typing import Any

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.ledger import Account
from sigma.services.billing import invoices, mails, payments
from sigma.services.checkout import checkout
from sigma.services.platform import jobs
from sigma.store.schema.tables import ledger
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    check_reconciled,
    deliver_notice,
    mail_kinds,
    make_payment_notice,
    member_with_role,
    payment_details,
    refusal_code,
    reload_payment,
    request_refund,
    run_until_idle,
    try_advance,
)
from tests.world import World

HOUR_US = 3_600_000_000


async def invoice_status(world: World, invoice_id: str) -> str:
    return str((await invoices.get(world.ctx, world.member, invoice_id)).status)


async def is_refund_due(world: World, payment: Payment) -> bool:
    """Return whether the ledger holds the payment as a refund due."""
    postings = await fetch_rows(world.ctx.db, ledger, world.shop.id)
    return any(
        posting["account"] == Account.REFUNDS_DUE and posting["subject_id"] == payment.id
        for posting in postings
    )


async def test_expired_invoice_cannot_be_paid(world: World) -> None:
    invoice = await world.create_invoice(expires_at_us=world.clock() + HOUR_US)
    await world.run_jobs()
    assert await invoice_status(world, invoice.id) == "open"
    world.clock.advance(hours=1, seconds=1)
    assert await refusal_code(world.start_payment(invoice)) == "invoice_expired"
    listed = await invoices.list_page(world.ctx, world.member, status="expired")
    assert [listed_invoice.id for listed_invoice in listed.data] == [invoice.id]
    await world.run_jobs()
    assert await invoice_status(world, invoice.id) == "expired"
    timeline = await invoices.timeline(world.ctx, world.member, invoice.id)
    assert [event.kind for event in timeline.data] == ["invoice.expired", "invoice.issued"]


async def test_payment_made_before_expiry_but_confirmed_later_counts(world: World) -> None:
    invoice = await world.create_invoice(expires_at_us=world.clock() + HOUR_US)
    payment = await world.start_payment(invoice)
    await world.pay(payment)
    world.clock.advance(hours=2)
    await invoices.expire(world.ctx, invoice.id)
    assert await invoice_status(world, invoice.id) == "expired"
    paid = await try_advance(world, payment)
    assert (paid.status, paid.attention) == (Status.CAPTURED, None)
    assert await invoice_status(world, invoice.id) == "paid"
    assert not await is_refund_due(world, paid)
    await check_reconciled(world)


async def test_payment_after_expiry_is_late_and_due_for_refund(world: World) -> None:
    invoice = await world.create_invoice(expires_at_us=world.clock() + HOUR_US // 2)
    payment = await world.start_payment(invoice)
    await world.inject_faults(clock_offset_s=2400)
    world.clock.advance(seconds=2400)
    await world.pay(payment)
    await run_until_idle(world)
    paid = await reload_payment(world, payment)
    assert (paid.status, paid.attention) == (Status.CAPTURED, Attention.LATE)
    assert await invoice_status(world, invoice.id) == "expired"
    assert await is_refund_due(world, paid)
    view = await payment_details(world, payment)
    assert sorted(mail_kinds(view.mails)) == ["attention", "receipt"]
    await check_reconciled(world)


async def test_payment_of_a_voided_invoice_is_flagged(world: World) -> None:
    invoice = await world.create_invoice()
    payment = await world.start_payment(invoice)
    await invoices.void(world.ctx, world.member, invoice.id)
    assert await refusal_code(world.start_payment(invoice, payer="x")) == "invoice_void"
    await world.pay(payment)
    paid = await try_advance(world, payment)
    assert (paid.status, paid.attention) == (Status.CAPTURED, Attention.VOIDED)
    assert await invoice_status(world, invoice.id) == "void"
    assert await is_refund_due(world, paid)
    await check_reconciled(world)


async def test_extra_payment_is_flagged_until_fully_refunded(world: World) -> None:
    invoice = await world.create_invoice()
    first = await world.start_payment(invoice, payer="one")
    second = await world.start_payment(invoice, payer="two")
    await world.pay(first)
    await world.pay(second)
    assert (await try_advance(world, first)).attention is None
    extra = await try_advance(world, second)
    assert (extra.status, extra.attention) == (Status.CAPTURED, Attention.EXTRA)
    assert await is_refund_due(world, extra)
    assert not await is_refund_due(world, first)
    await run_until_idle(world)
    view = await payment_details(world, extra)
    assert [(mail.kind, mail.status) for mail in view.mails if mail.kind == "attention"] == [
        ("attention", "sent")
    ]
    flagged = await payments.list_page(world.ctx, world.member, attention=True)
    assert [row.payment.id for row in flagged.data] == [extra.id]

    await request_refund(world, extra, 100_000)
    await run_until_idle(world)
    assert (await reload_payment(world, extra)).attention is Attention.EXTRA
    await request_refund(world, extra, 50_000)
    await run_until_idle(world)
    assert (await reload_payment(world, extra)).attention is None
    await check_reconciled(world)


@pytest.mark.parametrize(
    "fault", [{"wrong_amount": "1.00"}, {"wrong_currency": "USD"}], ids=["amount", "currency"]
)
async def test_payment_with_a_wrong_amount_is_flagged_and_not_captured(
    world: World, fault: dict[str, Any]
) -> None:
    invoice = await world.create_invoice()
    payment = await world.start_payment(invoice)
    await world.pay(payment)
    await world.inject_faults(**fault)
    assert payment.provider_id
    for _ in range(3):
        await deliver_notice(world, await make_payment_notice(world, payment.provider_id))
        await run_until_idle(world)
        await checkout.refresh(world.ctx, payment.token)
    wrong = await reload_payment(world, payment)
    assert (wrong.status, wrong.attention) == (Status.PENDING, Attention.MISMATCH)
    assert await invoice_status(world, invoice.id) == "open"
    view = await payment_details(world, payment)
    assert [(mail.kind, mail.status) for mail in view.mails] == [("attention", "sent")]
    assert view.receipt is None
    assert await fetch_rows(world.ctx.db, ledger, world.shop.id) == []

    await world.inject_faults(wrong_amount=None, wrong_currency=None)
    corrected = await payments.refresh(world.ctx, world.member, payment.id)
    assert (corrected.status, corrected.attention) == (Status.CAPTURED, None)
    await check_reconciled(world)


async def test_receipt_refused_by_the_mail_server_fails_with_its_answer(world: World) -> None:
    await set_global_faults(world, mail_refuse={"on": "gone@example.net"})
    payment = await world.complete_payment(email="gone@example.net")
    await run_until_idle(world)
    mail = (await payment_details(world, payment)).mails[0]
    assert mail.status == "failed"
    assert mail.server_reply.startswith("550")
    assert mail.recipient_masked == "g***@example.net"
    assert "gone@example.net" not in mail.server_reply


async def set_global_faults(world: World, **rules: Any) -> None:
    """Set sandbox faults for every shop: a mailbox belongs to no shop."""
    url = f"{world.sandbox.base_url}/control"
    assert (await world.http.post(url, json=rules)).status_code == 200


async def test_mail_is_retried_while_the_server_is_busy(world: World) -> None:
    await set_global_faults(world, mail_busy={"on": "slow@example.net", "times": 2})
    payment = await world.complete_payment(email="slow@example.net")
    await world.run_jobs()
    waiting = (await payment_details(world, payment)).mails[0]
    assert (waiting.status, waiting.attempts) == ("queued", 1)
    assert waiting.server_reply.startswith("451")
    await run_until_idle(world)
    sent = (await payment_details(world, payment)).mails[0]
    assert (sent.status, sent.attempts) == ("sent", 3)
    await check_reconciled(world)


async def test_resent_receipt_is_a_new_mail(world: World) -> None:
    payment = await world.complete_payment()
    await run_until_idle(world)
    await mails.resend(world.ctx, world.member, payment.id)
    await run_until_idle(world)
    sent = (await payment_details(world, payment)).mails
    assert [(mail.kind, mail.number, mail.status) for mail in sent] == [
        ("receipt", 1, "sent"),
        ("receipt", 2, "sent"),
    ]
    assert await refusal_code(
        mails.resend(world.ctx, member_with_role(world, Role.VIEWER), payment.id)
    ) == ("forbidden")
    await check_reconciled(world, allow_resent_receipts=True)


async def test_unfinished_payment_is_canceled_when_the_bank_expires_it(world: World) -> None:
    payment = await world.start_payment()
    world.clock.advance(minutes=70)
    await world.inject_faults(clock_offset_s=4200)
    await world.run_jobs()
    canceled = await reload_payment(world, payment)
    assert (canceled.status, canceled.failure) == (Status.CANCELED, "expired_on_confirmation")
    await check_reconciled(world)


async def test_dead_job_is_listed_and_can_be_retried(world: World) -> None:
    payment = await world.complete_payment()
    await world.set_acquirer_secret("wrong_secret")
    requested = await request_refund(world, payment, 10_000)
    for _ in range(14):
        await world.run_jobs()
        world.clock.advance(minutes=20)
    dead = (await jobs.list_dead(world.ctx, world.member)).data
    assert [(job.kind, job.last_error) for job in dead] == [
        ("refund.advance", "refused: acquirer_refused")
    ]
    await jobs.retry(world.ctx, world.member, dead[0].id)
    assert (await jobs.list_dead(world.ctx, world.member)).data == []
    await world.run_jobs()
    await world.set_acquirer_secret("test_secret")
    await run_until_idle(world)
    assert [item.status for item in (await payment_details(world, payment)).refunds] == [
        "succeeded"
    ]
    assert requested.status == "pending"
    await check_reconciled(world)
