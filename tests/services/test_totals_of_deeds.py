"""The totals of reports agree with a count of the rows after every order of deeds.

Each order is a shuffle of what can happen to one invoice. A deed that is refused in its order must
change no total either. All invoices are of one shop, so that totals are shared.
"""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.errors import RefusedError
from sigma.domain.figures import Figures, Source, sum_figures
from sigma.domain.money import Money
from sigma.domain.time_units import HOUR_US
from sigma.services.billing import invoices, payment_acceptance, payments, refunds
from sigma.services.billing.refund_sync import sync_refunds
from sigma.services.invoice_cards import cards
from sigma.services.personal_data import client_erasure, clients
from sigma.services.reports import totals_check
from sigma.store.billing import payments as payment_rows
from sigma.store.reports import recount, totals
from tests.conversation_invoices import pay_invoice, start_conversation
from tests.reconciliation import load_reconciliation
from tests.vk_world import VkWorld
from tests.world import QUESTIONS

ORDERS = 14
EXPIRY_HOURS = 20


class Life:
    """One invoice and the deeds that can be done to it, in any order."""

    def __init__(self, world: VkWorld, invoice: Invoice, conversation_id: str) -> None:
        self.world, self.invoice, self.conversation_id = world, invoice, conversation_id
        self.started: list[Payment] = []

    async def payments(self, *statuses: Status) -> list[Payment]:
        """Return the payments of this invoice as they are stored, the oldest first."""
        async with self.world.ctx.db.read() as tx:
            found = [await payment_rows.get(tx, one.id) for one in self.started]
        return [one for one in found if one is not None and one.status in statuses]

    async def issue(self) -> None:
        await invoices.issue(self.world.ctx, self.world.member, self.invoice.id)

    async def open(self) -> None:
        await invoices.record_opening(self.world.ctx, self.invoice.token)

    async def send(self) -> None:
        world = self.world
        await cards.send_invoice(world.ctx, world.member, self.conversation_id, self.invoice.id)

    async def start(self) -> None:
        payer = f"browser-{len(self.started)}"
        self.started.append(await self.world.start_payment(self.invoice, payer=payer))

    async def pay(self) -> None:
        for payment in await self.payments(Status.PENDING):
            await payments.advance(self.world.ctx, payment.id)  # the bank may have ended it
        if not await self.payments(Status.PENDING):
            await self.start()
        (payment, *_) = await self.payments(Status.PENDING)
        await self.world.pay(payment)
        await payments.advance(self.world.ctx, payment.id)

    async def pay_without_a_fee(self) -> None:
        await self.world.inject_faults(no_income=True)
        try:
            await self.pay()
        finally:
            await self.world.inject_faults(no_income=None)

    async def find_fee(self) -> None:
        for payment in await self.payments(Status.CAPTURED):
            await sync_refunds(self.world.ctx, payment.id)

    async def refund(self) -> None:
        for payment in (await self.payments(Status.CAPTURED))[:1]:
            world, part = self.world, Money(10_000)
            refund = await refunds.request(world.ctx, world.member, payment.id, part, "нет")
            await refunds.advance(world.ctx, refund.id)

    async def charge_back(self) -> None:
        for payment in (await self.payments(Status.CAPTURED))[-1:]:
            await self.world.charge_back(payment, 777)
            await sync_refunds(self.world.ctx, payment.id, reads_list=True)

    async def accept(self) -> None:
        for payment in await self.payments(Status.CAPTURED):
            with suppress(RefusedError):
                await payment_acceptance.accept(self.world.ctx, self.world.member, payment.id)

    async def void(self) -> None:
        await invoices.void(self.world.ctx, self.world.member, self.invoice.id)

    async def expire(self) -> None:
        await pass_time(self.world, EXPIRY_HOURS)
        await invoices.expire(self.world.ctx, self.invoice.id)

    def deeds(self, rng: random.Random) -> list[Callable[[], Awaitable[None]]]:
        """Return all deeds in a random order. Most invoices are issued first, some end early."""
        others: list[Callable[[], Awaitable[None]]] = [
            *(self.open, self.send, self.start, self.pay, self.pay_without_a_fee, self.find_fee),
            *(self.refund, self.charge_back, self.accept, self.find_fee),
            *[end for end in (self.void, self.expire) if rng.random() < 0.4],
        ]
        rng.shuffle(others)
        others.insert(rng.choice([0, 0, 0, 4]), self.issue)
        return others


def name_of(deed: Callable[[], Awaitable[None]]) -> str:
    return str(getattr(deed, "__name__", deed))


async def pass_time(world: VkWorld, hours: float) -> None:
    """Move the clocks of Sigma, of VK and of the bank."""
    await world.advance_clocks(hours=hours)
    await world.inject_faults(clock_offset_s=world.clock.offset_us // 1_000_000)


async def draft_invoice(world: VkWorld, max_payments: int | None = 2) -> Invoice:
    draft = Draft(
        title="Маникюр",
        amount=Money(150_000),
        questions=QUESTIONS,
        max_payments=max_payments,
        expires_at_us=world.ctx.now_us() + EXPIRY_HOURS * HOUR_US,
    )
    return await invoices.create(world.ctx, world.member, draft, is_issued=False)


async def find_wrong_totals(world: VkWorld) -> list[str]:
    """Return which totals differ from two counts of the rows: the product's and that of tests."""
    shop_id = world.shop.id
    async with world.ctx.db.read() as tx:
        days = await recount.find_days(tx, shop_id)
        wrong_count = await recount.count_wrong(tx, shop_id, *days) if days else 0
    snapshot = await load_reconciliation(world, reads_bank=False)
    return [*["sigma totals finds one"] * wrong_count, *snapshot.find_wrong_totals()]


@pytest.mark.both_databases
async def test_totals_agree_with_the_rows_after_any_order_of_deeds(vk_world: VkWorld) -> None:
    world, rng = vk_world, random.Random(11)
    world.clock.stop()
    conversation_id = await start_conversation(world)
    done: set[str] = set()
    for number in range(ORDERS):
        invoice = await draft_invoice(world, rng.choice([1, 2, None]))
        life = Life(world, invoice, conversation_id)
        names: list[str] = []
        for deed in life.deeds(rng):
            names.append(name_of(deed))
            with suppress(RefusedError):
                await deed()
                done.add(names[-1])
            assert await find_wrong_totals(world) == [], (number, names)
            await pass_time(world, rng.choice([0, 0.2, 0.5]))
    assert done >= {"issue", "open", "send", "pay", "find_fee", "accept", "void", "expire"}
    async with world.ctx.db.read() as tx:
        days = await recount.find_days(tx, world.shop.id)
        assert days is not None
        right = await recount.read_totals(tx, world.shop.id, *days)
    every = sum_figures(list(right.values()))
    assert all((every.chargeback_minor, every.fee_minor, every.opened_count, every.paid_count))
    async with world.ctx.db.write() as tx:
        for key in rng.sample(sorted(right), 5):
            extra = Figures(gross_minor=1, opened_count=-1)
            await tx.write_all([totals.insert_op(key, extra)])
    assert await find_wrong_totals(world) != []
    repaired = [day async for day in totals_check.check(world.ctx, world.shop.id, repairs=True)]
    assert sum(day.wrong_count for day in repaired) == 5
    async with world.ctx.db.read() as tx:
        assert await recount.read_totals(tx, world.shop.id, *days) == right
    assert await find_wrong_totals(world) == []


async def test_invoice_counts_where_it_was_first_opened(vk_world: VkWorld) -> None:
    world = vk_world
    conversation_id = await start_conversation(world)
    life = Life(world, await draft_invoice(world), conversation_id)
    for deed in (life.issue, life.open, life.send, life.pay):
        await deed()
    sources = await count_sources(world)
    assert (sources["cabinet"].opened_count, sources["cabinet"].paid_count) == (1, 1)
    assert sources["cabinet"].payment_count == 1
    assert "conversation" not in sources

    sent = Life(world, await draft_invoice(world), conversation_id)
    for deed in (sent.issue, sent.send, sent.open):
        await deed()
    await pay_invoice(world, sent.invoice)
    of_conversation = (await count_sources(world))[str(Source.CONVERSATION)]
    counted = (of_conversation.opened_count, of_conversation.paid_count)
    assert (*counted, of_conversation.payment_count) == (1, 1, 1)


async def test_erasure_of_a_conversation_moves_no_figures(vk_world: VkWorld) -> None:
    world = vk_world
    conversation_id = await start_conversation(world)
    life = Life(world, await draft_invoice(world), conversation_id)
    for deed in (life.issue, life.send, life.open):
        await deed()
    before = await count_sources(world)
    assert before[str(Source.CONVERSATION)].opened_count == 1
    customer_id = (await world.conversation()).customer_id
    assert customer_id is not None
    keys = {one.key for one in await clients.find(world.ctx, world.member, customer_id)}
    await client_erasure.erase(world.ctx, world.member, customer_id, keys)
    assert await count_sources(world) == before
    assert await find_wrong_totals(world) == []


async def count_sources(world: VkWorld) -> dict[str, Figures]:
    """Return the figures of all time by source."""
    async with world.ctx.db.read() as tx:
        days = await recount.find_days(tx, world.shop.id)
        assert days is not None
        found = await totals.sum_by_key(tx, world.shop.id, totals.Dimension.SOURCE, *days)
    return {key: figures for (key, _), figures in found.items() if figures}
