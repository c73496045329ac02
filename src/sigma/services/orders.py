"""Orders of VK's own advanced shop: seen in the dialog, invoiced, and told when they are paid."""

from dataclasses import replace

from sigma.channels.vk import market
from sigma.channels.vk.errors import Final
from sigma.domain.card import Order
from sigma.domain.change import Change, Happening
from sigma.domain.community import Community
from sigma.domain.conversation import Conversation
from sigma.domain.errors import Refused
from sigma.domain.invoice import Invoice
from sigma.domain.member import Member, Permission
from sigma.domain.payment import Payment
from sigma.services.context import Context
from sigma.services.lines import line
from sigma.store import cards, changes
from sigma.store.contract import Tx


def seen(
    ctx: Context,
    community: Community,
    conversation: Conversation,
    said: market.Order,
    known: Order | None,
    now: int,
) -> Change:
    """What VK tells of an order, as a row beside its dialog. Told again, it changes nothing."""
    if said.total is None:
        return Change()  # a currency that we do not know: VK's own page shows it
    body = ctx.sealer.seal({"items": list(said.items), "comment": said.comment})
    if known is not None:
        if known.amount == said.total:
            return Change()
        return Change((replace(known, amount=said.total, body_sealed=body),))
    order = Order(
        id=ctx.new_id("ord", community.shop_id),
        shop_id=community.shop_id,
        connection_id=community.id,
        conversation_id=conversation.id,
        vk_order_id=said.id,
        vk_user_id=said.user_id,
        display_id=said.display_id,
        amount=said.total,
        body_sealed=body,
        created_at=now,
    )
    line = Happening(ctx.new_id("evt", order.shop_id), order.shop_id, order.id, "order.came", now)
    return Change((order, line))


async def get(ctx: Context, member: Member, order_id: str) -> Order:
    """An order of the member's shop. Raises Refused("not_found")."""
    member.must(Permission.ANSWER)
    async with ctx.db.read() as tx:
        order = await cards.order(tx, order_id)
    if order is None or order.shop_id != member.shop_id:
        raise Refused("not_found", what="order")
    return order


async def invoiced(tx: Tx, shop_id: str, order_id: str, invoice: Invoice) -> Change:
    """Ties an order to its invoice. Raises Refused("not_found")."""
    order = await cards.order(tx, order_id)
    if order is None or order.shop_id != shop_id:
        raise Refused("not_found", what="order")
    return Change((replace(order, invoice_id=invoice.id),))


async def tell(
    ctx: Context, invoice: Invoice, captured: list[Payment], refunded_minor: int
) -> None:
    """Writes the payment status and the receipt's link into VK's order, when they are news there.

    Raises Later and NeedsPerson. A plain no of VK is kept as `told` = "no:<code>" for the operator.
    """
    async with ctx.db.read() as tx:
        order = await cards.order_of_invoice(tx, invoice.id)
    if order is None or not captured:
        return
    paid = sum(p.amount.minor for p in captured)
    wanted = "returned" if refunded_minor >= paid else "paid"
    if order.told == wanted or order.told.startswith("no:"):
        return
    spoken = await line(ctx, order.connection_id)
    link = f"{ctx.settings.base_url}/r/{captured[-1].token}"
    try:
        await market.edit_order(
            spoken.vk,
            order.vk_user_id,
            order.vk_order_id,
            payment_status=wanted,
            receipt_link=link if len(link) <= market.MAX_RECEIPT_LINK else None,
        )
    except Final as no:
        wanted = f"no:{no.code}"
    async with ctx.db.write() as tx:
        fresh = await cards.order(tx, order.id)
        assert fresh is not None, "an order is never deleted"
        await changes.write(tx, Change((replace(fresh, told=wanted),)), ctx.now())
