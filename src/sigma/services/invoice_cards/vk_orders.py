"""Orders of VK's own advanced shop: seen in the dialog, invoiced, and told when they are paid."""

from dataclasses import replace

from sigma.channels.vk import market
from sigma.channels.vk.errors import Final, NeedsPerson
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.change import Change, Happening
from sigma.domain.errors import Problem, Refused, invalid
from sigma.domain.messaging.card import Face, Order, Taken, look_of
from sigma.domain.messaging.community import Community, Delivery
from sigma.domain.messaging.conversation import Conversation
from sigma.services.context import HOUR, MINUTE, Context
from sigma.services.conversations import message_sync
from sigma.services.conversations.change_feed import told
from sigma.services.vk.community_client import broken, line
from sigma.store import changes
from sigma.store.billing import connections, invoices
from sigma.store.engine.interface import Tx
from sigma.store.messaging import cards, conversations

NEEDED = "market"  # the right of a key that opens the orders
OFTEN = 2 * MINUTE


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


async def take(
    ctx: Context, community: Community, said: market.Order, *, notice_id: str = ""
) -> None:
    """An order as VK tells it stands beside its dialog; its event is handled with it."""
    dialog = await message_sync.opened(ctx, community, said.user_id)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, dialog.id)
        known = await cards.order_by_vk(tx, community.id, said.user_id, said.id)
        now = ctx.now()
        change = seen(ctx, community, locked, said, known, now)
        if change:
            change += Change((replace(locked, changed_at=now),))
            await changes.write(tx, change, now)
        if notice_id:
            await connections.mark_handled(tx, notice_id, now)
    if change:
        await told(ctx)


async def read(ctx: Context, community_id: str) -> int | None:
    """Job: asks for the latest orders, for the long poll does not tell of them.

    Raises Later. Returns when to ask again; None while the key is no good or is nobody's.
    """
    try:
        spoken = await line(ctx, community_id)
    except Refused:
        return None
    community = spoken.community
    if community.trouble or NEEDED not in community.rights:
        return None  # whoever gives another key promises it again
    try:
        found = await market.orders(spoken.vk, community.group_id)
    except NeedsPerson as no:
        await broken(ctx, community_id, no)
        return None
    except Final:
        return ctx.now() + HOUR  # not an advanced shop; it may become one
    async with ctx.db.read() as tx:
        fresh = [
            said
            for said in found
            if said.total is not None
            and (
                (known := await cards.order_by_vk(tx, community.id, said.user_id, said.id)) is None
                or known.amount != said.total
            )
        ]
    for said in reversed(fresh):
        await take(ctx, community, said)
    return ctx.now() + (OFTEN if community.delivery is Delivery.LONGPOLL else HOUR)


async def get(ctx: Context, member: Member, order_id: str) -> Order:
    """An order of the member's shop. Raises Refused("not_found")."""
    member.must(Permission.ANSWER)
    async with ctx.db.read() as tx:
        order = await cards.order(tx, order_id)
    if order is None or order.shop_id != member.shop_id:
        raise Refused("not_found", what="order")
    return order


async def invoiced(tx: Tx, order_id: str, invoice: Invoice, now: int) -> Change:
    """Ties an order of the invoice's dialog to it.

    Raises Refused: "not_found"; "validation" while another invoice for it is paid or waits.
    """
    order = await cards.order(tx, order_id)
    if order is None or order.conversation_id != invoice.conversation_id:
        raise Refused("not_found", what="order")
    if order.invoice_id is not None:
        other = await invoices.get(tx, order.invoice_id)
        waits = other is not None and other.status is Status.OPEN and not other.lapsed(now)
        if other is not None and (waits or other.paid_count):
            raise invalid(Problem("order", "order_invoiced", {"number": other.number}))
    return Change((replace(order, invoice_id=invoice.id),))


async def tell(ctx: Context, invoice: Invoice, taken: list[Taken]) -> None:
    """Writes the payment status and the receipt's link into VK's order, when they are news there.

    Raises Later, NeedsPerson and Refused("no_community"). A plain no of VK is kept as `told` =
    "no:<code>" for the operator, and tried again with the next news.
    """
    async with ctx.db.read() as tx:
        order = await cards.order_of_invoice(tx, invoice.id)
    look = look_of(invoice, taken, None, ctx.now())
    if order is None or look.paid is None:
        return
    wanted = "returned" if look.face is Face.REFUNDED else "paid"
    if order.told == wanted:
        return
    spoken = await line(ctx, order.connection_id)
    link = f"{ctx.settings.base_url}/r/{look.paid.token}"
    try:
        await market.edit_order(
            spoken.vk,
            order.vk_user_id,
            order.vk_order_id,
            payment_status=wanted,
            receipt_link=link if len(link) <= market.MAX_RECEIPT_LINK else None,
        )
    except NeedsPerson as no:
        await broken(ctx, spoken.community.id, no)
        raise
    except Final as no:
        wanted = f"no:{no.code}"
    async with ctx.db.write() as tx:
        fresh = await cards.order(tx, order.id)
        assert fresh is not None, "an order is never deleted"
        if fresh.told != wanted:
            await changes.write(tx, Change((replace(fresh, told=wanted),)), ctx.now())
