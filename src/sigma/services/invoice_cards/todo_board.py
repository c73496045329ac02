"""Who waits for whom: one board of clients without an answer, links without a payment, money that
came, letters and refunds that did not go through; and a reminder of an unpaid invoice.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.services.context import DAY, HOUR, SECOND, Context, id_at, page
from sigma.services.conversations import message_codec, outbox
from sigma.services.conversations.change_feed import told
from sigma.services.invoice_cards import payment_links
from sigma.services.invoice_cards.card_messages import reminder_body
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices
from sigma.store.encryption import Unsealable
from sigma.store.engine.interface import Conflict, Row, Tx
from sigma.store.messaging import cards, conversations, todo_board

COUNTED = 100  # nobody counts further
MAIL_DAYS = 30  # an older failed letter is history
SLOW = HOUR  # a refund that takes longer wants a look


class Group(StrEnum):
    """What is waited for."""

    UNANSWERED = "unanswered"
    UNOPENED = "unopened"
    OPENED = "opened"
    PAID = "paid"
    MAIL = "mail"
    REFUND = "refund"


MONEY = (Group.PAID, Group.MAIL, Group.REFUND)  # for those who may not read dialogs, too


class Act(StrEnum):
    """The one thing to do about a line."""

    ANSWER = "answer"
    REMIND = "remind"
    PAYMENT = "payment"
    MAIL = "mail"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Who:
    """The client of a dialog."""

    conversation_id: str
    name: str
    photo_url: str
    closed: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `at`: since when it waits, or when it happened (UTC microseconds).

    `note` says more of its state. Unopened and opened: lost, when the link has not reached the
    client, or the state of the last payment. Refund: unknown, pending, failed. Mail: the server's
    answer.
    `reminded_at` is today's reminder. `said` is the client's last word, None when no key opens it.
    """

    group: Group
    id: str
    at: int
    act: Act
    who: Who | None = None
    number: int = 0
    title: str = ""
    amount: Money | None = None
    payment_id: str = ""
    note: str = ""
    reason: str = ""
    said: str | None = ""
    reminded_at: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the board; `next_cursor` asks for what is under it."""

    group: Group
    lines: list[Line]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Board:
    """What a member may see of the board. `counts` go no further than COUNTED."""

    counts: dict[Group, int]
    parts: list[Part] = field(default_factory=list)


def groups_of(member: Member) -> tuple[Group, ...]:
    """The parts that a member may see."""
    return tuple(Group) if member.may(Permission.ANSWER) else MONEY


async def counts(ctx: Context, member: Member) -> dict[Group, int]:
    """How much waits of each kind."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        return await _counts(ctx, tx, member)


async def _counts(ctx: Context, tx: Tx, member: Member) -> dict[Group, int]:
    groups = groups_of(member)
    values = _values(ctx, member)
    found = await todo_board.counts(tx, tuple(str(g) for g in groups), values, COUNTED)
    return {group: found[group] for group in groups}


def _values(ctx: Context, member: Member) -> dict[str, Any]:
    now = ctx.now()
    return {
        "shop_id": member.shop_id,
        "now": now,
        "paid_since": now - DAY,
        "mail_since": id_at("mail", now - MAIL_DAYS * DAY),
        "refund_before": now - SLOW,
    }


async def view(
    ctx: Context,
    member: Member,
    only: Group | None = None,
    *,
    limit: int,
    cursor: str | None = None,
) -> Board:
    """The board, or one part of it, `limit` lines of each. Raises Refused("forbidden")."""
    member.must(Permission.READ)
    groups = groups_of(member)
    if only is not None and only not in groups:
        raise Refused("forbidden", permission=str(Permission.ANSWER))
    async with ctx.db.read() as tx:
        counted = await _counts(ctx, tx, member)
        shown = [only] if only else [group for group in groups if counted[group]]
        parts = [await _part(ctx, tx, member, g, limit, cursor) for g in shown]
    return Board(counted, parts)


async def _part(
    ctx: Context, tx: Tx, member: Member, group: Group, limit: int, cursor: str | None
) -> Part:
    rows = await todo_board.listing(tx, group, _values(ctx, member), _place(cursor), limit + 1)
    lines = [_line(ctx, member, group, row) for row in rows]
    found = page(lines, limit, lambda line: f"{line.at}.{line.id}")
    reminding = [line for line in found.data if line.act is Act.REMIND]
    if not reminding:
        return Part(group, found.data, found.next_cursor)
    shop = await shops.get(tx, member.shop_id)
    assert shop is not None, "a member has a shop"
    keys = {line.id: _key(line.id, ctx.now(), shop.tz) for line in reminding}
    sent = await todo_board.sent(tx, member.shop_id, list(keys.values()))
    lines = [replace(one, reminded_at=sent.get(keys.get(one.id, ""))) for one in found.data]
    return Part(group, lines, found.next_cursor)


def _place(cursor: str | None) -> tuple[int, str] | None:
    at, _, row_id = (cursor or "").partition(".")
    return (int(at), row_id) if at.isdecimal() and len(at) < 18 else None


def _line(ctx: Context, member: Member, group: Group, row: Row) -> Line:
    who = _who(row) if row["conversation_id"] and member.may(Permission.ANSWER) else None
    line = Line(group, row["id"], row["at"], Act.ANSWER, who)
    if group is Group.UNANSWERED:
        return replace(line, said=_said(ctx, row))
    line = replace(
        line,
        number=row["number"],
        title=row["title"],
        amount=Money(row["amount_minor"], row["currency"]),
    )
    match group:
        case Group.PAID:
            return replace(line, act=Act.PAYMENT, payment_id=row["id"])
        case Group.MAIL:
            again = member.may(Permission.ISSUE)
            return replace(
                line,
                act=Act.MAIL if again else Act.PAYMENT,
                payment_id=row["payment_id"],
                note=row["answer"],
                reason=row["to_masked"],
            )
        case Group.REFUND:
            note = "unknown" if row["unknown"] else row["status"]
            return replace(
                line,
                act=Act.REFUND,
                payment_id=row["payment_id"],
                note=note,
                reason=row["failure"],
            )
    return _waiting(line, row)


def _waiting(line: Line, row: Row) -> Line:
    """An unpaid link. Held money is taken, not asked for; a closed dialog wants a person."""
    if row["last_try"] == "authorized":
        return replace(line, act=Act.PAYMENT, payment_id=row["last_payment"], note="authorized")
    lost = row["message_id"] is None or row["message_status"] == "failed"
    act = Act.ANSWER if row["closed"] else Act.REMIND
    return replace(line, act=act, note="lost" if lost else row["last_try"] or "")


def _who(row: Row) -> Who:
    name = row["name"] or f"id{row['peer_id']}"
    return Who(row["conversation_id"], name, row["photo_url"], row["closed"])


def _said(ctx: Context, row: Row) -> str | None:
    try:
        if row["theirs_sealed"]:
            return message_codec.line_of(message_codec.read(ctx.sealer, row["theirs_sealed"]))
        return message_codec.read_preview(ctx.sealer, row["preview_sealed"])
    except Unsealable:
        return None


def _key(card_id: str, now: int, tz: str) -> str:
    """One reminder of a card on one day of the shop's calendar."""
    day = datetime.fromtimestamp(now // SECOND, UTC).astimezone(ZoneInfo(tz)).date()
    return f"remind:{card_id}:{day.isoformat()}"


async def remind(ctx: Context, member: Member, card_id: str) -> bool:
    """Writes to the client that the invoice waits, once a day at most; False when it was done.

    Raises Refused: not_found, cannot_write, or why the invoice cannot be paid.
    """
    member.must(Permission.ANSWER)
    async with ctx.db.read() as tx:
        card = await cards.get(tx, card_id)
        shop = await shops.get(tx, member.shop_id)
    if card is None or shop is None or card.shop_id != member.shop_id:
        raise Refused("not_found", what="card")
    now = ctx.now()
    key = _key(card.id, now, shop.tz)
    try:
        async with ctx.db.write() as tx:
            invoice = await invoices.lock(tx, card.invoice_id)
            invoice_domain.check_payable(invoice, now, await invoices.holds(tx, invoice.id))
            conversation = await conversations.lock(tx, card.conversation_id)
            if conversation.closed:
                raise Refused("cannot_write", reason=conversation.closed)
            if await conversations.by_key(tx, shop.id, key):
                return False
            url = payment_links.link(ctx, invoice, card.id)
            body = reminder_body(invoice, shop, url, conversation)
            _, change = outbox.queue(
                ctx, conversation, body, author=member.actor, key=key, now=now, answers=False
            )
            await changes.write(tx, change, now)
    except Conflict:
        return False  # somebody else was faster
    await told(ctx)
    return True
