"""Actions around invoices in conversations: issue one, open its link and pay as the client."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change, Job
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.money import Money
from sigma.services.billing import payments, refunds
from sigma.services.checkout import checkout
from sigma.services.invoice_cards import cards
from sigma.store import changes
from sigma.store.billing import invoices as invoice_rows
from sigma.store.messaging import cards as rows
from sigma.store.messaging import vk_orders
from tests.vk_world import VkWorld

AMOUNT_MINOR = 150_000


async def start_conversation(world: VkWorld, client_id: int = 0) -> str:
    """Let the client write first, so that the shop may answer; return the conversation's id."""
    await world.write_as_client("Здравствуйте", client_id)
    await world.poll_events()
    return (await world.conversation(client_id)).id


async def issue_invoice(
    world: VkWorld, client_id: int = 0, *, order_id: str | None = None, **more: Any
) -> Invoice:
    """Issue an invoice into a conversation. Its message is not sent yet."""
    values: dict[str, Any] = {"title": "Маникюр", "amount": Money(AMOUNT_MINOR)}
    values |= {"conversation_id": (await world.conversation(client_id)).id} | more
    return await cards.issue(world.ctx, world.member, Draft(**values), order_id=order_id)


async def issue_and_send(world: VkWorld, **more: Any) -> Invoice:
    """Let a client write, issue an invoice into the conversation and send its message."""
    await start_conversation(world)
    invoice = await issue_invoice(world, **more)
    await world.run_jobs()
    return invoice


async def get_card(world: VkWorld, invoice: Invoice, client_id: int = 0) -> Card:
    """Return the stored card of an invoice in this client's conversation."""
    conversation = await world.conversation(client_id)
    async with world.ctx.db.read() as tx:
        stored = await rows.list_for_invoice(tx, invoice.id)
    (card,) = [card for card in stored if card.conversation_id == conversation.id]
    return card


async def reload_invoice(world: VkWorld, invoice: Invoice) -> Invoice:
    """Return the invoice as it is stored now."""
    async with world.ctx.db.read() as tx:
        stored = await invoice_rows.get(tx, invoice.id)
    assert stored is not None
    return stored


async def get_vk_order(world: VkWorld, client_id: int = 0) -> VkOrder:
    """Return the client's only VK order."""
    conversation = await world.conversation(client_id)
    async with world.ctx.db.read() as tx:
        (order,) = await vk_orders.list_for_conversation(tx, conversation.id, 10)
    return order


def only_button(message: dict[str, Any]) -> dict[str, Any]:
    """Return the action of the only button under a VK message."""
    (row,) = message["keyboard"]["buttons"]
    (button,) = row
    return dict(button["action"])


async def link_signature(world: VkWorld, client_id: int = 0) -> str:
    """Return the signature in the payment link of the newest button in VK."""
    messages = (await world.fetch_vk_conversation(client_id))["messages"]
    links = [str(only_button(message)["link"]) for message in messages if message.get("keyboard")]
    return parse_qs(urlsplit(links[-1]).query)["d"][0]


async def open_payment_link(
    world: VkWorld, invoice: Invoice, payer: str = "client", client_id: int = 0
) -> None:
    """Let the client open the payment link in a browser and run the jobs that follow."""
    signature = await link_signature(world, client_id)
    await cards.mark_opened(world.ctx, invoice.token, signature, payer)
    await world.run_jobs()


async def pay_invoice(
    world: VkWorld, invoice: Invoice, payer: str = "client", signature: str = ""
) -> Payment:
    """Pay in a browser; jobs do not run. `signature`: of the link, "" for a plain link."""
    form = replace(world.pay_form(payer), signature=signature)
    payment = await checkout.start(world.ctx, invoice.token, form)
    await world.pay(payment)
    return await payments.advance(world.ctx, payment.id)


async def refund_part(world: VkWorld, payment: Payment, amount_minor: int) -> Refund:
    """Refund a part of a payment and run the jobs until its cards show it."""
    refund = await refunds.request(world.ctx, world.member, payment.id, Money(amount_minor), "")
    await world.run_jobs()
    return await refunds.get(world.ctx, world.member, refund.id)


async def community_texts(world: VkWorld, client_id: int = 0) -> list[str]:
    """Return the texts that the community sent in VK, oldest first."""
    messages = (await world.fetch_vk_conversation(client_id))["messages"]
    return [message["text"] for message in messages if message["out"]]


async def refresh_card(world: VkWorld, invoice_id: str) -> None:
    """Run a card refresh job, which otherwise the schedule starts."""
    job = Job("card.refresh", invoice_id, world.shop.id)
    await changes.commit(world.ctx.db, Change(jobs=(job,)), world.ctx.now_us())
    await world.run_jobs()
