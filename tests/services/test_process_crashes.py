"""A process crashes at any step of a payment or a refund: another process finishes the work and
nothing is done twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from sigma import worker
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.idempotency import Idempotency, render_id
from sigma.domain.money import Money
from sigma.services.billing import acquirer_notices, payments, refunds
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.context import Context
from sigma.services.platform.idempotency import run_once
from sigma.store.schema.tables import mails as mail_rows
from sigma.store.schema.tables import payments as payment_rows
from sigma.store.schema.tables import receipts as receipt_rows
from sigma.store.schema.tables import refunds as refund_rows
from sigma.store.workers import ALIVE_US, WorkerProcess
from tests.crash_injection import CrashPlan, ProcessKilledError, with_crash_plan
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    check_reconciled,
    make_payment_notice,
    refusal_code,
    run_until_idle,
)
from tests.world import World

pytestmark = pytest.mark.both_databases


Step = Callable[[Context], Awaitable[None]]

DEAD_AFTER_S = ALIVE_US / 1_000_000  # without heartbeats


@dataclass
class Journey:
    """One invoice from the payment form to the refund, as a list of steps.

    A step that a crash interrupts is repeated by the same caller: the client sends the form again,
    the shop's program repeats its idempotency key.
    """

    world: World
    invoice: Invoice
    form: PayForm
    two_stage: bool = False
    payment: Payment | None = field(default=None)

    async def submit_form(self, ctx: Context) -> None:
        self.payment = await checkout.start(ctx, self.invoice.token, self.form)

    async def pay(self, ctx: Context) -> None:
        """Pay on the bank's page; wait for the worker first if its address is unknown."""
        world = self.world
        if self.payment is None or not self.payment.confirmation_url:
            await run_jobs_later(world, ctx)
            self.payment = await self._load_payment()
        await world.pay(self.payment)

    async def _load_payment(self) -> Payment:
        stored = await fetch_rows(self.world.ctx.db, payment_rows, self.world.shop.id)
        (row,) = [row for row in stored if row["invoice_id"] == self.invoice.id]
        return await payments.get(self.world.ctx, self.world.member, row["id"])

    async def receive_notice(self, ctx: Context) -> None:
        assert self.payment is not None
        assert self.payment.provider_id
        body = await make_payment_notice(self.world, self.payment.provider_id)
        await acquirer_notices.accept(ctx, self.world.connection, body)
        await worker.run_due_jobs(ctx)

    async def capture(self, ctx: Context) -> None:
        """Capture the authorized payment; a repeated call may find it captured already."""
        assert self.payment is not None
        call = payments.capture(ctx, self.world.member, self.payment.id)
        assert await refusal_code(call) in ("", "payment_not_authorized")
        await worker.run_due_jobs(ctx)

    async def return_from_bank(self, ctx: Context) -> None:
        assert self.payment is not None
        await checkout.refresh(ctx, self.payment.token)

    async def request_refund(self, ctx: Context) -> None:
        assert self.payment is not None
        member, payment_id = self.world.member, self.payment.id
        idempotency = Idempotency(member.shop_id, payment_id, "", 201, render_id)
        await run_once(
            ctx,
            idempotency,
            lambda: refunds.request(
                ctx, member, payment_id, Money(40_000), "", idempotency=idempotency
            ),
        )
        await worker.run_due_jobs(ctx)

    def steps(self) -> list[Step]:
        if self.two_stage:
            return [self.submit_form, self.pay, self.receive_notice, self.capture]
        return [
            self.submit_form,
            self.pay,
            self.receive_notice,
            self.return_from_bank,
            self.request_refund,
        ]


async def run_jobs_later(world: World, ctx: Context) -> None:
    world.clock.advance(minutes=3)
    await worker.run_due_jobs(ctx)


async def new_journey(world: World, *, two_stage: bool = False) -> Journey:
    return Journey(
        world,
        await world.create_invoice(),
        world.pay_form(f"browser-{world.form_count}"),
        two_stage,
    )


async def run_steps(journey: Journey, life: CrashPlan) -> None:
    """Run the steps in a process that may crash, then continue in another one."""
    ctx = replace(journey.world.ctx, worker=WorkerProcess())
    restarted_ctx = replace(journey.world.ctx, worker=WorkerProcess(), in_flight=set())
    for step in journey.steps():
        if not life.has_crashed:
            try:
                await step(with_crash_plan(ctx, life))
                continue
            except ProcessKilledError:
                journey.world.clock.advance(seconds=DEAD_AFTER_S)  # its leases are void
        await step(restarted_ctx)


async def check_journey(journey: Journey, crash_point: str) -> None:
    """Assert one captured payment, one receipt, one mail of each kind and at most one refund."""
    world = journey.world
    await run_until_idle(world)
    db, shop_id = world.ctx.db, world.shop.id
    stored_payments = [
        row
        for row in await fetch_rows(db, payment_rows, shop_id)
        if row["invoice_id"] == journey.invoice.id
    ]
    assert [row["status"] for row in stored_payments] == [Status.CAPTURED], crash_point
    payment_id = stored_payments[0]["id"]

    async def count(table: object, **more: str) -> int:
        found = await fetch_rows(db, table, shop_id)  # type: ignore[arg-type]
        expected = {"payment_id": payment_id} | more
        return sum(all(row[k] == v for k, v in expected.items()) for row in found)

    assert await count(receipt_rows) == 1, crash_point
    assert await count(mail_rows, kind="receipt", status="sent") == 1, crash_point
    assert await count(mail_rows, kind="receipt") == 1, crash_point
    refunded = 0 if journey.two_stage else 1
    assert await count(refund_rows, status="succeeded") == refunded, crash_point
    assert await count(refund_rows) == refunded, crash_point
    assert await count(mail_rows, kind="refund", status="sent") == refunded, crash_point


async def check_mails(world: World) -> None:
    """Assert that every mail marked as sent is in a mailbox."""
    delivered = b"".join(email.raw for email in world.sandbox.mailbox.emails.values())
    for mail in await fetch_rows(world.ctx.db, mail_rows, world.shop.id):
        assert mail["status"] == "sent"
        assert f"<{mail['id']}@127.0.0.1>".encode() in delivered, "marked as sent but not delivered"


async def crash_at_every_step(world: World, *, two_stage: bool) -> None:
    await run_steps(await new_journey(world, two_stage=two_stage), CrashPlan())  # a new customer
    journey = await new_journey(world, two_stage=two_stage)
    uncrashed = CrashPlan()
    await run_steps(journey, uncrashed)
    await check_journey(journey, "no crash")
    assert uncrashed.step_count > 50
    for crash_step in range(1, uncrashed.step_count + 1):
        journey, life = await new_journey(world, two_stage=two_stage), CrashPlan(crash_step)
        await run_steps(journey, life)
        assert life.has_crashed, (
            f"{crash_step} of {uncrashed.step_count}, {life.step_count} {life.last_step}"
        )
        await check_journey(journey, f"crash at step {crash_step}, {life.last_step}")
        if crash_step % 40 == 0:
            await check_reconciled(world)
    await check_reconciled(world)
    await check_mails(world)


async def test_crash_at_any_step_gives_one_payment_and_one_refund(world: World) -> None:
    await crash_at_every_step(world, two_stage=False)


async def test_crash_at_any_step_captures_an_authorized_payment_once(
    two_stage_world: World,
) -> None:
    await crash_at_every_step(two_stage_world, two_stage=True)
