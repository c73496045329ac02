"""The very same moment: everybody has the bank's answer in hand before anybody may write."""

import asyncio
from dataclasses import replace
from typing import Any

from sqlalchemy import Table

from sigma.domain.billing.payment import Attention
from sigma.providers.base import Access, Provider
from sigma.services.billing import acquirer_notices, payments
from sigma.services.checkout import checkout
from sigma.services.context import Context
from sigma.store.billing import payments as stored
from sigma.store.schema import tables
from tests.books import rows
from tests.services.acts import all_is_well, fresh, tell, told_of
from tests.world import World


class Gate:
    """An acquirer whose looks at payments come back together, when `count` of them are there."""

    def __init__(self, provider: Provider, count: int) -> None:
        self._provider = provider
        self._barrier = asyncio.Barrier(count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def fetch_payment(self, access: Access, provider_id: str) -> Any:
        reply = await self._provider.fetch_payment(access, provider_id)
        async with asyncio.timeout(20):
            await self._barrier.wait()
        return reply


def gated(world: World, count: int) -> Context:
    providers: dict[str, Any] = {"yookassa": Gate(world.ctx.providers["yookassa"], count)}
    return replace(world.ctx, providers=providers)


async def number(world: World, table: Table) -> int:
    return len(await rows(world.ctx.db, table, world.shop.id))


async def test_ten_notices_answered_at_the_same_moment_book_once(world: World) -> None:
    payment = await world.started()
    await world.pay(payment)
    assert payment.provider_id
    for _ in range(10):
        await tell(world, await told_of(world, payment.provider_id))
    told = (await payments.details(world.ctx, world.member, payment.id)).notices
    ctx = gated(world, 10)
    await asyncio.gather(*(acquirer_notices.handle(ctx, notice.id) for notice in told))
    assert await number(world, tables.ledger) == 3
    assert await number(world, tables.mails) == 1
    await all_is_well(world)


async def test_two_tabs_answered_at_the_same_moment_are_one_sale_and_one_debt(
    world: World,
) -> None:
    invoice = await world.invoice()
    tabs = [await world.started(invoice, payer=payer) for payer in ("one", "two")]
    for payment in tabs:
        await world.pay(payment)
    ctx = gated(world, 6)
    await asyncio.gather(*(payments.advance(ctx, payment.id) for payment in tabs * 3))
    flags = {(await fresh(world, payment)).attention for payment in tabs}
    assert flags == {None, Attention.EXTRA}
    await all_is_well(world)


async def test_a_double_click_keeps_one_set_of_answers_and_one_consent(world: World) -> None:
    invoice = await world.invoice()
    form = world.form()
    started = await asyncio.gather(
        *(checkout.start(world.ctx, invoice.token, form) for _ in range(8))
    )
    shown = await payments.details(world.ctx, world.member, started[0].id)
    lines = [line.kind for line in shown.timeline]
    assert (lines.count("payment.started"), lines.count("payment.resumed")) == (1, 0)
    assert len(shown.consents) == 1
    async with world.ctx.db.read() as tx:
        assert len(await stored.answers_of(tx, started[0].id)) == 1
