"""What tests of money in dialogs do: issue into a dialog, be the client who opens and pays."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change, Job
from sigma.domain.messaging.card import Card, Order
from sigma.domain.money import Money
from sigma.services.billing import payments, refunds
from sigma.services.checkout import checkout
from sigma.services.invoice_cards import cards
from sigma.store import changes
from sigma.store.billing import invoices as invoice_rows
from sigma.store.messaging import cards as rows
from tests.vk_world import VkWorld

SUM = 150_000


async def greeted(world: VkWorld, person: int = 0) -> str:
    """A client has written, so he may be answered; the dialog's id."""
    await world.client_writes("Здравствуйте", person)
    await world.hear()
    return (await world.conversation(person)).id


async def issued(
    world: VkWorld, person: int = 0, *, order_id: str | None = None, **more: Any
) -> Invoice:
    """An invoice issued into a dialog; its message is not sent yet."""
    given: dict[str, Any] = {"title": "Маникюр", "amount": Money(SUM)}
    given |= {"conversation_id": (await world.conversation(person)).id} | more
    return await cards.issue(world.ctx, world.member, Draft(**given), order_id=order_id)


async def in_dialog(world: VkWorld, **more: Any) -> Invoice:
    """A client has written and got an invoice."""
    await greeted(world)
    invoice = await issued(world, **more)
    await world.work()
    return invoice


async def card_of(world: VkWorld, invoice: Invoice, person: int = 0) -> Card:
    """The card of an invoice in a dialog, as it is now."""
    dialog = await world.conversation(person)
    async with world.ctx.db.read() as tx:
        found = await rows.of_invoice(tx, invoice.id)
    (card,) = [one for one in found if one.conversation_id == dialog.id]
    return card


async def now_of(world: VkWorld, invoice: Invoice) -> Invoice:
    """The invoice as it is now."""
    async with world.ctx.db.read() as tx:
        found = await invoice_rows.get(tx, invoice.id)
    assert found is not None
    return found


async def order_of(world: VkWorld, person: int = 0) -> Order:
    """The one order of a client."""
    dialog = await world.conversation(person)
    async with world.ctx.db.read() as tx:
        (order,) = await rows.orders_of(tx, dialog.id)
    return order


def button(message: dict[str, Any]) -> dict[str, Any]:
    """The only button under a message of VK."""
    (row,) = message["keyboard"]["buttons"]
    (one,) = row
    return dict(one["action"])


async def mark_at_vk(world: VkWorld, person: int = 0) -> str:
    """The mark of the link that the client's last button opens."""
    messages = (await world.dialog_at_vk(person))["messages"]
    links = [button(one)["link"] for one in messages if one.get("keyboard")]
    return parse_qs(urlsplit(links[-1]).query)["d"][0]


async def opens(world: VkWorld, invoice: Invoice, payer: str = "client", person: int = 0) -> None:
    """The client opens the dialog's link in a browser, and the dialog shows it."""
    mark = await mark_at_vk(world, person)
    await cards.opened(world.ctx, invoice.token, mark, payer)
    await world.work()


async def pays(world: VkWorld, invoice: Invoice, payer: str = "client", mark: str = "") -> Payment:
    """Somebody's browser pays. Nothing that follows is done yet."""
    form = replace(world.form(payer), mark=mark)
    payment = await checkout.start(world.ctx, invoice.token, form)
    await world.pay(payment)
    return await payments.advance(world.ctx, payment.id)


async def refunds_some(world: VkWorld, payment: Payment, minor: int) -> Refund:
    """Money back, until it is known and the dialogs show it."""
    refund = await refunds.request(world.ctx, world.member, payment.id, Money(minor), "")
    await world.work()
    return await refunds.get(world.ctx, world.member, refund.id)


async def ours(world: VkWorld, person: int = 0) -> list[str]:
    """What the community has said in VK, oldest first."""
    found = (await world.dialog_at_vk(person))["messages"]
    return [one["text"] for one in found if one["out"]]


async def refresh(world: VkWorld, invoice_id: str) -> None:
    """The dialogs are looked at again, as the clock would have it."""
    job = Job("card.refresh", invoice_id, world.shop.id)
    await changes.commit(world.ctx.db, Change(jobs=(job,)), world.ctx.now())
    await world.work()
