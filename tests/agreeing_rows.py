"""Many payments and refunds that agree at Sigma and at the bank, written straight into both stores.

A test with 1,000 payments by HTTP would take minutes.
"""

from dataclasses import dataclass, field, replace

from msgspec.structs import replace as replace_struct

from sigma.domain.billing import payment as payment_domain
from sigma.domain.billing import refund as refund_domain
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Event, Payment, PaymentReply, Status
from sigma.domain.billing.refund import Refund, RefundReply
from sigma.domain.change import Change
from sigma.domain.money import Money
from sigma.domain.time_units import MINUTE_US, SECOND_US
from sigma.services.ids import min_id
from sigma.store import changes
from sigma.store.billing import invoices as invoice_rows
from sigma_sandbox.bank import store as bank
from tests.world import World

WRITE_BATCH = 25  # changes in one transaction


@dataclass
class AgreeingRows:
    """The written rows by number; the bank's ids are in `provider_id` of each."""

    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)


@dataclass
class _Maker:
    world: World
    invoice: Invoice
    first_us: int
    distance_us: int
    made: AgreeingRows = field(default_factory=AgreeingRows)

    def our_id(self, prefix: str, number: int, at_us: int) -> str:
        return f"{min_id(prefix, at_us)}{self.world.shop.id[15:19]}{number:08x}"

    def payment(self, number: int, status: str) -> Change:
        """Write one payment to the bank; return Sigma's Change. `status` is here and there."""
        at_us = self.first_us + number * self.distance_us
        amount = Money(100_00 + number)
        captured_at_us = at_us + MINUTE_US
        at_bank = bank.Payment(
            id=f"{number:08x}-000f-5000-8000-{self.world.account:0>12}",
            shop_id=self.world.account,
            status="succeeded" if status == "captured" else "canceled",
            amount_minor=amount.minor,
            currency="RUB",
            capture=True,
            created_at_us=at_us + SECOND_US,
            return_url="http://localhost/",
            confirm_until_us=at_us + MINUTE_US,
            metadata={"payment": self.our_id("pay", number, at_us), "invoice": self.invoice.id},
            captured_at_us=captured_at_us if status == "captured" else None,
            cancel_party=None if status == "captured" else "yoo_money",
            cancel_reason=None if status == "captured" else "expired_on_confirmation",
        )
        self.world.sandbox.bank.get_or_create_shop(self.world.account)
        self.world.sandbox.bank.put_payment(at_bank)
        payment = Payment(
            id=at_bank.metadata["payment"],
            shop_id=self.world.shop.id,
            invoice_id=self.invoice.id,
            connection_id=self.world.connection.id,
            provider="yookassa",
            operation_key=self.world.ctx.new_id("op", self.world.shop.id),
            token=self.world.ctx.new_token(),
            amount=amount,
            status=Status.PENDING,
            created_at_us=at_us,
            provider_id=at_bank.id,
            form_nonce=str(number),
        )
        reply = PaymentReply(
            at_bank.id, Event(status), amount, captured_at_us=at_bank.captured_at_us
        )
        change = payment_domain.settle(
            payment, self.invoice, self.world.shop, reply, at_us, self.new_id
        )
        rows = tuple(row for row in change.rows if not isinstance(row, Invoice))
        self.made.payments += [row for row in rows if isinstance(row, Payment)]
        return Change(rows, change.entries)

    def refund(self, number: int, payment: Payment) -> Change:
        """Write one refund of 10.00 to the bank; return Sigma's Change."""
        at_us = payment.created_at_us + 2 * MINUTE_US
        refund = Refund(
            id=self.our_id("ref", number, at_us),
            shop_id=payment.shop_id,
            payment_id=payment.id,
            invoice_id=payment.invoice_id,
            connection_id=payment.connection_id,
            operation_key=self.world.ctx.new_id("op", self.world.shop.id),
            amount=Money(10_00),
            status=refund_domain.Status.PENDING,
            created_at_us=at_us,
            created_by="system",
        )
        at_bank = bank.Refund(
            id=f"{number:08x}-0015-5000-a000-{self.world.account:0>12}",
            shop_id=self.world.account,
            payment_id=payment.provider_id or "",
            status="succeeded",
            amount_minor=10_00,
            currency="RUB",
            created_at_us=at_us + SECOND_US,
            description=f"[{refund.id}]",
        )
        self.world.sandbox.bank.put_refund(at_bank)
        paid = self.world.sandbox.bank.payments[at_bank.payment_id]
        refunded_minor = paid.refunded_minor + 10_00
        self.world.sandbox.bank.put_payment(replace_struct(paid, refunded_minor=refunded_minor))
        change = refund_domain.settle(
            refund,
            payment,
            (),
            RefundReply(at_bank.id, refund_domain.Event.SUCCEEDED, refund.amount),
            at_us,
            self.new_id,
            is_refund_due=False,
        )
        self.made.refunds += [row for row in change.rows if isinstance(row, Refund)]
        return Change(change.rows, change.entries)

    def new_id(self, prefix: str) -> str:
        return self.world.ctx.new_id(prefix, self.world.shop.id)


async def write_agreeing_rows(
    world: World, payment_count: int, refund_count: int = 0, *, days: int = 25
) -> AgreeingRows:
    """Write payments spread over the last `days`, and a refund for each of the first ones.

    Every tenth payment is canceled on both sides, the others are captured.
    """
    invoice = await world.create_invoice(max_payments=None)
    first_us = world.ctx.now_us() - days * 24 * 60 * MINUTE_US
    distance_us = days * 24 * 60 * MINUTE_US // (payment_count + 1)
    maker = _Maker(world, invoice, first_us, distance_us)
    statuses = ["canceled" if number % 10 == 9 else "captured" for number in range(payment_count)]
    await _write(world, [maker.payment(n, status) for n, status in enumerate(statuses)])
    captured = [p for p in maker.made.payments if p.status is Status.CAPTURED]
    refunds = [maker.refund(n, paid) for n, paid in enumerate(captured[:refund_count])]
    await _write(world, refunds)
    async with world.ctx.db.write() as tx:
        locked = await invoice_rows.lock(tx, invoice.id)
        counted = replace(locked, paid_count=len(captured))
        await changes.write(tx, Change((counted,)), world.ctx.now_us())
    return maker.made


async def _write(world: World, made: list[Change]) -> None:
    for start in range(0, len(made), WRITE_BATCH):
        together = sum(made[start : start + WRITE_BATCH], Change())
        await changes.commit(world.ctx.db, together, world.ctx.now_us())
