"""The public storefront: its slug, purchases, and their limits per address and per shop."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.billing.invoice import Status
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, Service, fields_of
from sigma.domain.errors import RefusedError
from sigma.domain.limits import PURCHASE_ADDRESS
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Buyer
from tests.service_factories import create_service
from tests.world import World

QUESTIONS = (Question("email", QuestionKind.EMAIL, required=True),)


async def test_storefront_is_found_by_its_slug(world: World) -> None:
    with pytest.raises(RefusedError, match="not_found"):
        await storefront.get(world.ctx, "lak")
    await storefront.save_slug(world.ctx, world.member, "lak")
    hidden = await create_service(world, is_visible=False)
    visible = await create_service(world)
    page = await storefront.get(world.ctx, "lak")
    assert (page.shop.id, page.services, page.can_pay) == (world.shop.id, (visible,), True)
    with pytest.raises(RefusedError, match="not_found"):
        page.service(hidden.id)
    with pytest.raises(RefusedError) as caught:
        await storefront.save_slug(world.ctx, world.member, "admin")
    assert [problem.code for problem in caught.value.problems] == ["slug_taken"]
    await storefront.save_slug(world.ctx, world.member, None)
    with pytest.raises(RefusedError, match="not_found"):
        await storefront.get(world.ctx, "lak")


async def add_sold_service(world: World, **more: Any) -> Service:
    await storefront.save_slug(world.ctx, world.member, "lak")
    return await create_service(
        world, invoice_template=InvoiceTemplate(QUESTIONS, 3, "https://vk.me/lak"), **more
    )


async def test_purchase_creates_an_invoice_from_the_template(world: World) -> None:
    service = await add_sold_service(world)
    invoice = await storefront.buy(world.ctx, "lak", service.id, Buyer("one", "203.0.113.1"))
    assert invoice.status is Status.OPEN
    assert invoice.created_by == "storefront"
    assert invoice.amount == Money(150_000)
    assert invoice.service_id == service.id
    assert (invoice.questions, invoice.return_url) == (QUESTIONS, "https://vk.me/lak")
    payment = await world.start_payment(invoice)
    assert payment.confirmation_url


async def test_browser_gets_the_same_invoice_while_it_can_be_paid(world: World) -> None:
    service = await add_sold_service(world)

    async def buy(secret: str = "one") -> str:
        buyer = Buyer(secret, "203.0.113.1")
        return (await storefront.buy(world.ctx, "lak", service.id, buyer)).id

    first = await asyncio.gather(*(buy() for _ in range(5)))
    assert len(set(first)) == 1
    assert await buy("other") != first[0]
    await invoices.void(world.ctx, world.member, first[0])
    second = await buy()
    assert second not in first
    assert await buy() == second
    world.clock.advance(hours=25)  # past the reuse window, though still payable
    third = await buy()
    assert third not in (*first, second)
    await services.save(
        world.ctx, world.member, service.id, replace(fields_of(service), amount=Money(200_000))
    )
    fourth = await storefront.buy(world.ctx, "lak", service.id, Buyer("one", "203.0.113.1"))
    assert fourth.id != third
    assert fourth.amount == Money(200_000)


async def test_paid_service_can_be_bought_again(world: World) -> None:
    service = await add_sold_service(world)
    buyer = Buyer("one", "203.0.113.1")
    first = await storefront.buy(world.ctx, "lak", service.id, buyer)
    await world.complete_payment(first)
    assert (await storefront.buy(world.ctx, "lak", service.id, buyer)).id != first.id


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"price_kind": PriceKind.FROM}, "service_not_payable"),
        ({"price_kind": PriceKind.AGREEMENT}, "service_not_payable"),
        ({"is_visible": False}, "not_found"),
    ],
)
async def test_unpayable_or_hidden_service_cannot_be_bought(
    world: World, more: dict[str, Any], code: str
) -> None:
    service = await add_sold_service(world, **more)
    with pytest.raises(RefusedError, match=code):
        await storefront.buy(world.ctx, "lak", service.id, Buyer("one", "203.0.113.1"))
    assert (await invoices.list_page(world.ctx, world.member)).data == []


async def test_purchases_per_address_are_limited(world: World) -> None:
    service = await add_sold_service(world)

    async def buy(n: int, ip: str) -> str:
        return (await storefront.buy(world.ctx, "lak", service.id, Buyer(f"b{n}", ip))).id

    for n in range(PURCHASE_ADDRESS.amount):
        await buy(n, f"2001:db8::{n}")  # one /64 network
    with pytest.raises(RefusedError, match="too_many_requests"):
        await buy(99, "2001:db8::ffff")
    await buy(0, "2001:db8::ffff")  # an existing purchase is not limited
    await buy(100, "2001:db8:0:1::1")
    world.clock.advance(minutes=11)
    await buy(101, "2001:db8::1")


async def test_unpaid_purchases_per_shop_are_limited(world: World) -> None:
    service = await add_sold_service(world)
    buyers = [
        Buyer(f"b{n}", f"198.51.{n // 250}.{n % 250}")
        for n in range(storefront.MAX_UNPAID_PER_SHOP)
    ]
    bought = [await storefront.buy(world.ctx, "lak", service.id, buyer) for buyer in buyers]
    with pytest.raises(RefusedError, match="too_many_requests"):
        await storefront.buy(world.ctx, "lak", service.id, Buyer("last", "192.0.2.1"))
    assert len(bought) == storefront.MAX_UNPAID_PER_SHOP
    await world.complete_payment(bought[-1])  # paid invoices do not count
    await storefront.buy(world.ctx, "lak", service.id, Buyer("last", "192.0.2.1"))


@pytest.mark.both_databases
async def test_simultaneous_purchases_do_not_pass_the_limit_of_a_shop(world: World) -> None:
    service = await add_sold_service(world)

    async def buy(n: int) -> str:
        buyer = Buyer(f"b{n}", f"198.51.{n // 250}.{n % 250}")
        try:
            return (await storefront.buy(world.ctx, "lak", service.id, buyer)).id
        except RefusedError as refused:
            return refused.code

    almost_full = storefront.MAX_UNPAID_PER_SHOP - 3
    for n in range(almost_full):
        await buy(n)
    outcomes = await asyncio.gather(*(buy(almost_full + n) for n in range(12)))
    assert sum(outcome.startswith("inv_") for outcome in outcomes) == 3
    assert outcomes.count("too_many_requests") == 9
