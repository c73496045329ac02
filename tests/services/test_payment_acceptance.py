"""A late or extra payment is accepted or refunded; the books and the invoice follow."""

import asyncio

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.errors import RefusedError
from sigma.domain.ledger import Account
from sigma.services.billing import invoices, payments
from sigma.services.billing.payment_acceptance import accept, refund_all
from sigma.store.schema.tables import ledger
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    check_reconciled,
    member_with_role,
    payment_details,
    refusal_code,
    reload_payment,
    request_refund,
)
from tests.world import World

pytestmark = pytest.mark.both_databases


async def extra_payment(world: World) -> tuple[Invoice, Payment]:
    """Two clients pay an invoice for one payment."""
    invoice = await world.create_invoice()
    pair = [await world.start_payment(invoice, payer=name) for name in ("a", "b")]
    for payment in pair:
        await world.pay(payment)
        payment = await payments.advance(world.ctx, payment.id)
    assert payment.attention is Attention.EXTRA
    return invoice, payment


async def late_payment(world: World) -> tuple[Invoice, Payment]:
    """The client pays before the deadline of the bank and after that of the invoice."""
    invoice = await world.create_invoice(expires_at_us=world.clock() + 60_000_000)
    payment = await world.start_payment(invoice)
    await world.inject_faults(clock_offset_s=120)
    world.clock.advance(seconds=120)
    await world.pay(payment)
    await world.run_jobs()
    payment = await payments.advance(world.ctx, payment.id)
    assert payment.attention is Attention.LATE
    return invoice, payment


async def balance(world: World, account: Account) -> int:
    rows = await fetch_rows(world.ctx.db, ledger, world.shop.id)
    return sum(row["amount_minor"] for row in rows if row["account"] == account)


async def test_accepted_late_payment_makes_the_invoice_paid(world: World) -> None:
    invoice, payment = await late_payment(world)
    accepted = await accept(world.ctx, world.member, payment.id)
    assert accepted.attention is None
    invoice = await invoices.get(world.ctx, world.member, invoice.id)
    assert (invoice.status, invoice.paid_count) == (InvoiceStatus.PAID, 1)
    assert await balance(world, Account.REFUNDS_DUE) == 0
    assert await balance(world, Account.SALES) == -150_000
    kinds = [event.kind for event in (await payment_details(world, payment)).timeline.data]
    assert kinds[0] == "payment.accepted"
    await check_reconciled(world)


async def test_accepted_extra_payment_is_counted_above_the_limit(world: World) -> None:
    invoice, payment = await extra_payment(world)
    await accept(world.ctx, world.member, payment.id)
    invoice = await invoices.get(world.ctx, world.member, invoice.id)
    assert (invoice.status, invoice.paid_count) == (InvoiceStatus.PAID, 2)
    assert await balance(world, Account.SALES) == -300_000
    await check_reconciled(world)


async def test_refund_after_acceptance_is_taken_from_sales(world: World) -> None:
    _, payment = await extra_payment(world)
    await accept(world.ctx, world.member, payment.id)
    await request_refund(world, payment, 50_000)
    await check_reconciled(world)
    assert await balance(world, Account.REFUNDS_DUE) == 0
    assert await balance(world, Account.SALES) == -250_000


async def test_repeated_and_simultaneous_presses_decide_once(world: World) -> None:
    invoice, payment = await extra_payment(world)
    await asyncio.gather(*(accept(world.ctx, world.member, payment.id) for _ in range(3)))
    assert (await invoices.get(world.ctx, world.member, invoice.id)).paid_count == 2
    _, other = await late_payment(world)
    made = await asyncio.gather(*(refund_all(world.ctx, world.member, other.id) for _ in range(3)))
    assert len({refund.id for refund in made}) == 1
    await check_reconciled(world)
    assert (await reload_payment(world, other)).attention is None


async def test_only_a_payment_that_waits_for_a_decision_is_refunded_with_one_press(
    world: World,
) -> None:
    plain = await world.complete_payment()
    _, accepted = await extra_payment(world)
    await accept(world.ctx, world.member, accepted.id)
    for payment in (plain, accepted):
        refusal = await refusal_code(refund_all(world.ctx, world.member, payment.id))
        assert refusal == "payment_not_acceptable"
        assert (await payment_details(world, payment)).refunds == ()


async def test_simultaneous_acceptance_and_refund_decide_once(world: World) -> None:
    _, payment = await extra_payment(world)
    outcomes = await asyncio.gather(
        *(
            decide(world.ctx, world.member, payment.id)
            for _ in range(2)
            for decide in (accept, refund_all)
        ),
        return_exceptions=True,
    )
    refused = [one for one in outcomes if isinstance(one, RefusedError)]
    assert [one.code for one in refused] == ["payment_not_acceptable"] * 2
    await check_reconciled(world)


async def test_payment_that_needs_no_decision_is_not_accepted(world: World) -> None:
    plain = await world.complete_payment()
    assert await refusal_code(accept(world.ctx, world.member, plain.id)) == "payment_not_acceptable"
    _, extra = await extra_payment(world)
    await request_refund(world, extra, 10_000)
    assert await refusal_code(accept(world.ctx, world.member, extra.id)) == "payment_not_acceptable"
    await check_reconciled(world)
    voided = await world.create_invoice()
    payment = await world.start_payment(voided)
    await invoices.void(world.ctx, world.member, voided.id)
    await world.pay(payment)
    await payments.advance(world.ctx, payment.id)
    assert (
        await refusal_code(accept(world.ctx, world.member, payment.id)) == "payment_not_acceptable"
    )


async def test_accepted_payment_is_not_refunded_by_a_press_on_an_old_page(world: World) -> None:
    _, payment = await extra_payment(world)
    await accept(world.ctx, world.member, payment.id)
    assert await refusal_code(refund_all(world.ctx, world.member, payment.id)) == (
        "payment_not_acceptable"
    )
    plain = await world.complete_payment()
    assert await refusal_code(refund_all(world.ctx, world.member, plain.id)) == (
        "payment_not_acceptable"
    )
    assert (await payment_details(world, plain)).refunds == ()
    await check_reconciled(world)


async def test_late_payment_of_an_invoice_voided_since_can_only_be_refunded(world: World) -> None:
    invoice, payment = await late_payment(world)
    await invoices.void(world.ctx, world.member, invoice.id)
    assert await refusal_code(accept(world.ctx, world.member, payment.id)) == (
        "payment_not_acceptable"
    )
    await refund_all(world.ctx, world.member, payment.id)
    await check_reconciled(world)
    assert (await reload_payment(world, payment)).attention is None


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
async def test_decision_needs_the_permission_to_refund(world: World, role: Role) -> None:
    _, payment = await extra_payment(world)
    member = member_with_role(world, role)
    assert await refusal_code(accept(world.ctx, member, payment.id)) == "forbidden"
    assert await refusal_code(refund_all(world.ctx, member, payment.id)) == "forbidden"
