"""Simultaneous bank answers: every task has the bank's answer before any of them may write."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table

from sigma.domain.billing.payment import Attention
from sigma.providers.base import ConnectionAccess, Provider
from sigma.services.billing import acquirer_notices, payments
from sigma.services.billing.payment_details import get_details
from sigma.services.checkout import checkout
from sigma.services.context import Context
from sigma.store.billing import answers
from sigma.store.schema import tables
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    check_reconciled,
    deliver_notice,
    make_payment_notice,
    reload_payment,
)
from tests.world import World

pytestmark = pytest.mark.both_databases


class BarrierProvider:
    """A provider whose `fetch_payment` calls all return together, once `count` of them wait."""

    def __init__(self, provider: Provider, count: int) -> None:
        self._provider = provider
        self._barrier = asyncio.Barrier(count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def fetch_payment(self, access: ConnectionAccess, provider_id: str) -> Any:
        # Many calls at once on a busy machine take longer than the short timeout of the tests.
        patient = replace(access, timeout_s=30)
        reply = await self._provider.fetch_payment(patient, provider_id)
        async with asyncio.timeout(20):
            await self._barrier.wait()
        return reply


def barrier_context(world: World, count: int) -> Context:
    providers: dict[str, Any] = {
        "yookassa": BarrierProvider(world.ctx.providers["yookassa"], count)
    }
    return replace(world.ctx, providers=providers)


async def count_rows(world: World, table: Table) -> int:
    return len(await fetch_rows(world.ctx.db, table, world.shop.id))


async def test_simultaneous_notices_write_one_ledger_entry(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    assert payment.provider_id
    for _ in range(10):
        await deliver_notice(world, await make_payment_notice(world, payment.provider_id))
    notices = (await get_details(world.ctx, world.member, payment.id)).notices.data
    ctx = barrier_context(world, 10)
    await asyncio.gather(*(acquirer_notices.process(ctx, notice.id) for notice in notices))
    assert await count_rows(world, tables.ledger) == 3
    assert await count_rows(world, tables.mails) == 1
    await check_reconciled(world)


async def test_simultaneous_payments_of_one_invoice_give_one_extra(world: World) -> None:
    invoice = await world.create_invoice()
    attempts = [await world.start_payment(invoice, payer=payer) for payer in ("one", "two")]
    for payment in attempts:
        await world.pay(payment)
    ctx = barrier_context(world, 6)
    await asyncio.gather(*(payments.advance(ctx, payment.id) for payment in attempts * 3))
    flags = {(await reload_payment(world, payment)).attention for payment in attempts}
    assert flags == {None, Attention.EXTRA}
    await check_reconciled(world)


async def test_double_click_stores_one_set_of_answers_and_one_consent(world: World) -> None:
    invoice = await world.create_invoice()
    form = world.pay_form()
    started = await asyncio.gather(
        *(checkout.start(world.ctx, invoice.token, form) for _ in range(8))
    )
    view = await get_details(world.ctx, world.member, started[0].id)
    kinds = [event.kind for event in view.timeline.data]
    assert (kinds.count("payment.started"), kinds.count("payment.resumed")) == (1, 0)
    assert len(view.consents) == 1
    async with world.ctx.db.read() as tx:
        assert len(await answers.list_for_payment(tx, started[0].id)) == 1
