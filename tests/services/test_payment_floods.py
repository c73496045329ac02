"""Floods of payment starts: few payments and calls to the acquirer, the client gets through."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from sigma import worker
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.billing.payment_starts import MAX_UNFINISHED
from sigma.domain.errors import RefusedError
from sigma.domain.limits import (
    ACQUIRER_QUERY_INVOICE,
    PAYMENT_START_ADDRESS,
    PAYMENT_START_INVOICE,
)
from sigma.services.billing import payments
from sigma.services.checkout import checkout
from sigma.store.billing import answers
from tests.world import World


async def start(world: World, invoice: Invoice, ip: str, payer: str = "") -> Payment | str:
    """Start a payment from an address; return it, or the code of the refusal.

    Without `payer` the browser has no cookies, so that each form is another one.
    """
    form = world.pay_form(payer or f"form-{world.form_count}")
    try:
        return await checkout.start(world.ctx, invoice.token, replace(form, ip=ip))
    except RefusedError as refused:
        return refused.code


async def flood(world: World, invoice: Invoice, addresses: list[str]) -> Counter[Any]:
    """Start payments at once; count the refusals by code and the starts as "started"."""
    results = await asyncio.gather(*(start(world, invoice, ip) for ip in addresses))
    return Counter("started" if isinstance(r, Payment) else r for r in results)


async def stored_payments(world: World, invoice: Invoice) -> int:
    """Return how many payments of the invoice are stored."""
    page = await payments.list_page(world.ctx, world.member, invoice_id=invoice.id, limit=100)
    return len(page.data)


MANY_ADDRESSES = [f"2001:db8:0:{n:x}::1" for n in range(160)]


@pytest.mark.both_databases
async def test_flood_from_one_address_starts_few_payments(world: World) -> None:
    invoice = await world.create_invoice()
    outcomes = await flood(world, invoice, ["203.0.113.7"] * 160)
    assert outcomes == {"started": 5, "too_many_requests": 155}
    assert await stored_payments(world, invoice) == 5
    assert len(await world.list_at_bank()) == 5


@pytest.mark.both_databases
async def test_flood_from_many_addresses_on_one_invoice_starts_few_payments(world: World) -> None:
    invoice = await world.create_invoice()
    outcomes = await flood(world, invoice, MANY_ADDRESSES)
    assert outcomes == {"started": 5, "too_many_requests": 155}
    assert len(await world.list_at_bank()) == 5
    other = await world.create_invoice()
    assert isinstance(await start(world, other, "198.51.100.1"), Payment), "others are not slowed"


async def test_address_may_start_a_bounded_number_of_payments_of_all_invoices(
    world: World,
) -> None:
    started = 0
    for n in range(PAYMENT_START_ADDRESS.amount + 5):
        invoice = await world.create_invoice()
        started += isinstance(await start(world, invoice, f"2001:db8::{n:x}"), Payment)
    assert started == PAYMENT_START_ADDRESS.amount


async def test_shared_link_takes_many_clients_but_not_any_number(world: World) -> None:
    invoice = await world.create_invoice(max_payments=None)
    outcomes = await flood(world, invoice, MANY_ADDRESSES)
    assert outcomes == {"started": MAX_UNFINISHED, "too_many_requests": 160 - MAX_UNFINISHED}


async def test_client_with_an_open_payment_is_led_to_it(world: World) -> None:
    invoice = await world.create_invoice()
    own = await start(world, invoice, "198.51.100.1", "own browser")
    assert isinstance(own, Payment)
    await flood(world, invoice, MANY_ADDRESSES)
    for ip in ("198.51.100.1", MANY_ADDRESSES[0]):
        again = await start(world, invoice, ip, "own browser")
        assert isinstance(again, Payment)
        assert (again.id, again.confirmation_url) == (own.id, own.confirmation_url)
    assert await start(world, invoice, "198.51.100.1", "another browser") == "too_many_requests"
    await world.pay(own)
    assert (await payments.advance(world.ctx, own.id)).status is Status.CAPTURED


async def test_places_of_abandoned_payments_become_free(world: World) -> None:
    world.clock.stop()
    invoice = await world.create_invoice()
    assert (await flood(world, invoice, MANY_ADDRESSES))["started"] == 5
    world.clock.advance(minutes=14, seconds=59)
    with pytest.raises(RefusedError) as caught:
        await checkout.start(world.ctx, invoice.token, world.pay_form("client"))
    assert caught.value.params["wait"].total_seconds() <= 1
    world.clock.advance(seconds=2)
    assert isinstance(await start(world, invoice, "198.51.100.1"), Payment)


async def test_declined_payment_frees_its_place_at_once(world: World) -> None:
    invoice = await world.create_invoice()
    for n in range(8):
        payment = await start(world, invoice, f"198.51.100.{n}")
        assert isinstance(payment, Payment), n
        await world.pay(payment, "5555555555554592")  # declined: insufficient funds
        assert (await payments.advance(world.ctx, payment.id)).is_final


async def test_starts_of_one_browser_are_limited_too(world: World) -> None:
    """Each form of a browser that resumes its payment stores answers and asks the acquirer."""
    invoice = await world.create_invoice()
    first = await start(world, invoice, "198.51.100.1", "browser")
    assert isinstance(first, Payment)
    for n in range(PAYMENT_START_INVOICE.amount + 20):
        again = await start(world, invoice, f"2001:db8:0:{n:x}::1", "browser")
        assert isinstance(again, Payment)
        assert again.id == first.id
    async with world.ctx.db.read() as tx:
        rows = await answers.list_for_payment(tx, first.id)
    assert len(rows) == PAYMENT_START_INVOICE.amount


async def test_invalid_forms_are_not_counted(world: World) -> None:
    invoice = await world.create_invoice()
    for _ in range(2 * PAYMENT_START_ADDRESS.amount):
        form = replace(world.pay_form("browser", email="wrong"), ip="198.51.100.1")
        with pytest.raises(RefusedError, match="validation"):
            await checkout.start(world.ctx, invoice.token, form)
    assert isinstance(await start(world, invoice, "198.51.100.1"), Payment)


async def test_flood_leaves_the_receipt_of_another_client_fast(world: World) -> None:
    """The jobs of a flood do not grow with its size."""
    flooded, other = await world.create_invoice(), await world.create_invoice()
    await flood(world, flooded, ["203.0.113.7"] * 80 + MANY_ADDRESSES[:80])
    paid = await world.start_payment(other)
    await world.pay(paid)
    await payments.advance(world.ctx, paid.id)
    assert await worker.run_due_jobs(world.ctx) <= 10
    details = await checkout.get_public(world.ctx, paid.token)
    assert details.mail is not None
    assert details.mail.status == "sent"


async def test_open_waiting_pages_of_one_invoice_query_the_acquirer_rarely(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    for _ in range(ACQUIRER_QUERY_INVOICE.amount):  # by pages of other payments of the link
        assert await world.ctx.limiter.is_allowed(ACQUIRER_QUERY_INVOICE, payment.invoice_id)
    view = await checkout.refresh(world.ctx, payment.token)
    assert view.payment.status is Status.PENDING
    world.clock.advance(seconds=ACQUIRER_QUERY_INVOICE.window_s)
    view = await checkout.refresh(world.ctx, payment.token)
    assert view.payment.status is Status.CAPTURED
