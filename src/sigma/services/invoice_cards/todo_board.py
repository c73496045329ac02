"""To-do board: payments that need attention, unanswered clients, unpaid payment links, recent
payments, failed e-mails and refunds; and the reminder of an unpaid invoice.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import REFUND_REASONS
from sigma.domain.billing.payment_acceptance import ACCEPTABLE
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US, HOUR_US
from sigma.services.context import Context
from sigma.services.conversations import message_codec, outbox
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.ids import min_id
from sigma.services.invoice_cards import payment_links
from sigma.services.invoice_cards.card_messages import reminder_body
from sigma.services.paging import make_page
from sigma.services.platform import quotas
from sigma.services.reminders import stops
from sigma.services.reminders.facts import message_key
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices, reminders
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import ConflictError, Row, Tx
from sigma.store.messaging import cards, conversations, messages, todo_board

MAX_COUNT = 100  # limit of each count
MAX_MAIL_AGE_DAYS = 30  # older failed e-mails are not listed
SLOW_REFUND_US = HOUR_US  # a refund pending for longer is listed


class Kind(StrEnum):
    """The kind of a board section."""

    ATTENTION = "attention"  # payments to decide about; a failed refund is in its own section
    UNANSWERED = "unanswered"
    UNOPENED = "unopened"
    OPENED = "opened"
    PAID = "paid"
    MAIL = "mail"
    REFUND = "refund"


# Visible without Permission.ANSWER.
MONEY_KINDS = (Kind.ATTENTION, Kind.PAID, Kind.MAIL, Kind.REFUND)


class Action(StrEnum):
    """The action that the board offers for an item."""

    ANSWER = "answer"
    REMIND = "remind"
    PAYMENT = "payment"
    DECIDE = "decide"  # accept the payment, or refund all of it
    REFUND_ALL = "refund_all"
    MAIL = "mail"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a conversation. `blocked_reason`: VK's error code, or "" if not blocked."""

    conversation_id: str
    name: str
    photo_url: str
    blocked_reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the board. `at_us`: waiting since, or time of the event (UTC microseconds).

    `status` by kind. Unopened and opened: "lost" when the link was not delivered to the client,
    otherwise the status of the last payment. Refund: "unknown", "pending" or "failed". Mail: the
    SMTP server's reply. Attention: the reason. `detail`: the failure code of a refund,
    the masked address of an e-mail. `reminded_at_us` is the time of today's reminder. `preview` is
    the client's last message, None when no encryption key decrypts it.
    """

    kind: Kind
    id: str
    at_us: int
    action: Action
    client: Client | None = None
    invoice_number: int = 0
    title: str = ""
    amount: Money | None = None
    payment_id: str = ""
    status: str = ""
    detail: str = ""
    preview: str | None = ""
    reminded_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the board; pass `next_cursor` to read the items below."""

    kind: Kind
    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Board:
    """The sections that a member may see. Each of `counts` is at most MAX_COUNT."""

    counts: dict[Kind, int]
    sections: list[Section] = field(default_factory=list)


def visible_kinds(member: Member) -> tuple[Kind, ...]:
    """Return the kinds of sections that a member may see."""
    return tuple(Kind) if member.can(Permission.ANSWER) else MONEY_KINDS


async def counts(ctx: Context, member: Member) -> dict[Kind, int]:
    """Return the number of items per kind, each at most MAX_COUNT."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        return await _counts(ctx, tx, member)


async def _counts(ctx: Context, tx: Tx, member: Member) -> dict[Kind, int]:
    kinds = visible_kinds(member)
    values = _query_params(ctx, member)
    count_by_name = await todo_board.count_items(
        tx, tuple(str(g) for g in kinds), values, MAX_COUNT
    )
    return {kind: count_by_name[kind] for kind in kinds}


def _query_params(ctx: Context, member: Member) -> dict[str, Any]:
    now_us = ctx.now_us()
    return {
        "shop_id": member.shop_id,
        "now_us": now_us,
        "paid_since_us": now_us - DAY_US,
        "mail_after_id": min_id("mail", now_us - MAX_MAIL_AGE_DAYS * DAY_US),
        "refund_before_us": now_us - SLOW_REFUND_US,
    }


async def load(
    ctx: Context,
    member: Member,
    only_kind: Kind | None = None,
    *,
    limit: int,
    cursor: str | None = None,
) -> Board:
    """Return the board, or one section of it, with at most `limit` items per section.

    Raises RefusedError("forbidden") without the permission for it.
    """
    member.require(Permission.READ)
    kinds = visible_kinds(member)
    if only_kind is not None and only_kind not in kinds:
        raise RefusedError("forbidden", permission=str(Permission.ANSWER))
    async with ctx.db.read() as tx:
        counts = await _counts(ctx, tx, member)
        listed_kinds = [only_kind] if only_kind else [kind for kind in kinds if counts[kind]]
        sections = [await _section(ctx, tx, member, kind, limit, cursor) for kind in listed_kinds]
    return Board(counts, sections)


async def _section(
    ctx: Context, tx: Tx, member: Member, kind: Kind, limit: int, cursor: str | None
) -> Section:
    rows = await todo_board.list_items(
        tx, kind, _query_params(ctx, member), _parse_cursor(cursor), limit + 1
    )
    items = [_item(ctx, member, kind, row) for row in rows]
    page_of_items = make_page(items, limit, lambda item: f"{item.at_us}.{item.id}")
    remindable = [item for item in page_of_items.data if item.action is Action.REMIND]
    if not remindable:
        return Section(kind, page_of_items.data, page_of_items.next_cursor)
    shop = await shops.get(tx, member.shop_id)
    assert shop is not None, "a member references a shop"
    keys = {item.id: message_key(item.id, ctx.now_us(), shop.tz) for item in remindable}
    sent_at_us = await todo_board.sent_times(tx, member.shop_id, list(keys.values()))
    items = [
        replace(item, reminded_at_us=sent_at_us.get(keys.get(item.id, "")))
        for item in page_of_items.data
    ]
    return Section(kind, items, page_of_items.next_cursor)


def _parse_cursor(cursor: str | None) -> tuple[int, str] | None:
    at_us, _, row_id = (cursor or "").partition(".")
    return (int(at_us), row_id) if at_us.isdecimal() and len(at_us) < 18 else None


def _item(ctx: Context, member: Member, kind: Kind, row: Row) -> Item:
    client = _client(row) if row["conversation_id"] and member.can(Permission.ANSWER) else None
    item = Item(kind, row["id"], row["at_us"], Action.ANSWER, client)
    if kind is Kind.UNANSWERED:
        return replace(item, preview=_decrypt_preview(ctx, row))
    item = replace(
        item,
        invoice_number=row["number"],
        title=row["title"],
        amount=Money(row["amount_minor"], row["currency"]),
    )
    match kind:
        case Kind.ATTENTION:
            action = _decision(member, row)
            return replace(item, action=action, payment_id=row["id"], status=row["attention"])
        case Kind.PAID:
            return replace(item, action=Action.PAYMENT, payment_id=row["id"])
        case Kind.MAIL:
            can_resend = member.can(Permission.ISSUE)
            return replace(
                item,
                action=Action.MAIL if can_resend else Action.PAYMENT,
                payment_id=row["payment_id"],
                status=row["server_reply"],
                detail=row["recipient_masked"],
            )
        case Kind.REFUND:
            status = "unknown" if row["is_outcome_unknown"] else row["status"]
            return replace(
                item,
                action=Action.REFUND,
                payment_id=row["payment_id"],
                status=status,
                detail=row["failure"],
            )
    return _unpaid_item(item, row)


def _decision(member: Member, row: Row) -> Action:
    """Return the decision that a member can make with one press; PAYMENT: only on its page."""
    is_due = row["attention"] in REFUND_REASONS and not row["has_refund"]
    if not is_due or not member.can(Permission.REFUND):
        return Action.PAYMENT
    can_accept = row["attention"] in ACCEPTABLE and row["invoice_status"] != InvoiceStatus.VOID
    return Action.DECIDE if can_accept else Action.REFUND_ALL


def _unpaid_item(item: Item, row: Row) -> Item:
    """Return the item of an unpaid payment link.

    An authorized payment is to be captured, so no reminder is offered. In a blocked conversation
    the operator must find another way to reach the client.
    """
    if row["latest_payment_status"] == "authorized":
        return replace(
            item, action=Action.PAYMENT, payment_id=row["latest_payment_id"], status="authorized"
        )
    is_lost = row["message_id"] is None or row["message_status"] == "failed"
    action = Action.ANSWER if row["blocked_reason"] else Action.REMIND
    return replace(
        item, action=action, status="lost" if is_lost else row["latest_payment_status"] or ""
    )


def _client(row: Row) -> Client:
    name = row["name"] or f"id{row['peer_id']}"
    return Client(row["conversation_id"], name, row["photo_url"], row["blocked_reason"])


def _decrypt_preview(ctx: Context, row: Row) -> str | None:
    try:
        if row["client_body_encrypted"]:
            return message_codec.preview_text(
                message_codec.decrypt_body(
                    ctx.cipher, row["client_message_id"], row["client_body_encrypted"]
                )
            )
        return message_codec.decrypt_preview(ctx.cipher, row["id"], row["preview_encrypted"])
    except DecryptionError:
        return None


async def remind(ctx: Context, member: Member, card_id: str) -> bool:
    """Remind the client of an unpaid invoice, at most once a day.

    Returns False when today's reminder already exists. Raises RefusedError: forbidden, not_found,
    cannot_write, reminders_stopped, or the reason why the invoice cannot be paid.
    """
    member.require(Permission.ANSWER)
    async with ctx.db.read() as tx:
        card = await cards.get(tx, card_id)
        shop = await shops.get(tx, member.shop_id)
    if card is None or shop is None or card.shop_id != member.shop_id:
        raise RefusedError("not_found", what="card")
    await quotas.require_message(ctx, member.shop_id)
    now_us = ctx.now_us()
    key = message_key(card.id, now_us, shop.tz)
    try:
        async with ctx.db.write() as tx:
            invoice = await invoices.lock(tx, card.invoice_id)
            invoice_domain.require_payable(
                invoice, now_us, await invoices.count_holds(tx, invoice.id)
            )
            conversation = await conversations.lock(tx, card.conversation_id)
            if conversation.blocked_reason:
                raise RefusedError("cannot_write", reason=conversation.blocked_reason)
            if await messages.find_by_key(tx, shop.id, key):
                return False
            if await reminders.has_stop(tx, stops.conversation_hashes(ctx, conversation)):
                raise RefusedError("reminders_stopped")
            url = payment_links.payment_link(ctx, invoice, card.id)
            body = reminder_body(invoice, shop, url, conversation)
            _, change = outbox.enqueue(
                ctx,
                conversation,
                body,
                author=member.actor,
                idempotency_key=key,
                now_us=now_us,
                is_reply=False,
            )
            await changes.write(tx, change, now_us)
    except ConflictError:
        return False  # a concurrent call has queued it
    await notify_changed(ctx)
    return True
