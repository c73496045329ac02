"""Who waits for whom, as rows: what the board lists, and how much there is of each kind."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
)

from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.schema.messaging_tables import cards, conversations, messages
from sigma.store.schema.tables import invoices, mails, payments, refunds

LAST = 2**62  # later than every moment
_c, _i, _p = conversations.c, invoices.c, payments.c
_WHO = (
    _c.id.label("conversation_id"),
    _c.name,
    _c.peer_id,
    _c.photo_url,
    _c.closed,
)
_INVOICE = (_i.id.label("invoice_id"), _i.number, _i.title, _i.amount_minor, _i.currency)


def _shop(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column == bindparam("shop_id")


def _after(at: ColumnElement[Any], row_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Rows under the one at (`at`, `id`) of a list with the latest first."""
    return or_(
        at < bindparam("at"),
        and_(at == bindparam("at"), row_id < bindparam("id")),
    )


# Words of the indexes' own conditions stay words: a parameter would hide them from the planner.
def _unanswered() -> Select[Any]:
    """With the client's last words, where ours stand after them."""
    theirs = (
        select(messages.c.body_sealed)
        .where(messages.c.conversation_id == _c.id, messages.c.out == literal_column("0"))
        .order_by(messages.c.place.desc(), messages.c.id.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    ours = _c.last_out == literal_column("1")
    return select(
        *_WHO,
        _c.id,
        _c.waiting_since.label("at"),
        _c.preview_sealed,
        case((ours, theirs)).label("theirs_sealed"),
    ).where(_shop(_c.shop_id), _c.unanswered == literal_column("1"))


def _last_try(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Something of the latest payment of an invoice."""
    query = select(column).where(_p.invoice_id == _i.id).order_by(_p.id.desc())
    return query.limit(literal_column("1")).scalar_subquery()


def _payable() -> Select[Any]:
    """Cards whose invoice can be paid now, with what became of the last try and of the message."""
    return (
        select(
            *_WHO,
            *_INVOICE,
            cards.c.id,
            cards.c.message_id,
            messages.c.status.label("message_status"),
            _last_try(_p.status).label("last_try"),
            _last_try(_p.id).label("last_payment"),
        )
        .join(invoices, _i.id == cards.c.invoice_id)
        .join(conversations, _c.id == cards.c.conversation_id)
        .outerjoin(messages, messages.c.id == cards.c.message_id)
        .where(
            _shop(cards.c.shop_id),
            _i.status == "open",
            or_(_i.expires_at.is_(None), _i.expires_at > bindparam("now")),
        )
    )


def _unopened() -> Select[Any]:
    return (
        _payable()
        .add_columns(cards.c.created_at.label("at"))
        .where(text("cards.face = 'issued' AND cards.opened_at IS NULL"))
    )


def _opened() -> Select[Any]:
    return (
        _payable()
        .add_columns(cards.c.opened_at.label("at"))
        .where(text("cards.face IN ('issued', 'opened') AND cards.opened_at IS NOT NULL"))
    )


def _paid() -> Select[Any]:
    dialog = func.coalesce(_p.conversation_id, _i.conversation_id)
    return (
        select(
            *_WHO,
            _i.number,
            _i.title,
            _p.amount_minor,
            _p.currency,
            _p.id,
            _p.captured_at.label("at"),
        )
        .join(invoices, _i.id == _p.invoice_id)
        .outerjoin(conversations, _c.id == dialog)
        .where(
            _shop(_p.shop_id),
            _p.status == "captured",
            _p.captured_at >= bindparam("paid_since"),
        )
    )


def _of_payment(query: Select[Any], payment_id: ColumnElement[Any]) -> Select[Any]:
    dialog = func.coalesce(_p.conversation_id, _i.conversation_id)
    return (
        query.add_columns(*_WHO, _i.number, _i.title, _p.id.label("payment_id"))
        .join(payments, _p.id == payment_id)
        .join(invoices, _i.id == _p.invoice_id)
        .outerjoin(conversations, _c.id == dialog)
    )


def _mail() -> Select[Any]:
    """The last letter to the client about a payment has failed."""
    m, later = mails.c, mails.alias("later")
    newer = exists(
        select(later.c.id).where(
            later.c.payment_id == m.payment_id,
            later.c.id > m.id,
            later.c.kind.in_(["receipt", "refund"]),
        )
    )
    query = select(m.id, m.created_at.label("at"), m.answer, m.to_masked).where(
        _shop(m.shop_id),
        text("mails.status = 'failed'"),
        m.kind.in_(["receipt", "refund"]),
        m.id > bindparam("mail_since"),
        ~newer,
    )
    return _of_payment(query, m.payment_id).add_columns(_p.amount_minor, _p.currency)


def _refund() -> Select[Any]:
    """Money that must go back and has not: the acquirer is silent, late, or said no."""
    r, later = refunds.c, refunds.alias("later")
    newer = exists(select(later.c.id).where(later.c.payment_id == r.payment_id, later.c.id > r.id))
    slow = and_(
        r.status == "pending",
        or_(r.unknown == literal_column("1"), r.created_at < bindparam("refund_before")),
    )
    query = select(
        r.id,
        r.created_at.label("at"),
        r.amount_minor,
        r.currency,
        r.status,
        r.unknown,
        r.failure,
    ).where(
        _shop(r.shop_id),
        text("refunds.status IN ('pending', 'failed')"),
        or_(slow, and_(r.status == "failed", ~newer)),
    )
    return _of_payment(query, r.payment_id)


# name → (the query, its order, where it goes on after the row (at, id))
_since = (_c.waiting_since, _c.id)
_PARTS: dict[str, tuple[Select[Any], tuple[Any, ...], ColumnElement[bool]]] = {
    "unanswered": (
        _unanswered(),
        _since,
        or_(
            _c.waiting_since > bindparam("at"),
            and_(_c.waiting_since == bindparam("at"), _c.id > bindparam("id")),
        ),
    ),
    "unopened": (_unopened(), (cards.c.id.desc(),), cards.c.id < bindparam("id")),
    "opened": (
        _opened(),
        (cards.c.opened_at.desc(), cards.c.id.desc()),
        _after(cards.c.opened_at, cards.c.id),
    ),
    "paid": (_paid(), (_p.captured_at.desc(),), _p.captured_at < bindparam("at")),
    "mail": (_mail(), (mails.c.id.desc(),), mails.c.id < bindparam("id")),
    "refund": (_refund(), (refunds.c.id.desc(),), refunds.c.id < bindparam("id")),
}
LISTS: dict[str, Statement] = {
    name: statement(query.where(below).order_by(*order).limit(bindparam("limit")))
    for name, (query, order, below) in _PARTS.items()
}
FIRST: dict[str, tuple[int, str]] = dict.fromkeys(_PARTS, (LAST, "~")) | {"unanswered": (0, "")}


def _count(*names: str) -> Statement:
    """How many of each; no further than `most`."""

    def one(name: str) -> ColumnElement[int]:
        query: Select[Any] = (
            _PARTS[name][0].with_only_columns(literal_column("1")).limit(bindparam("most"))
        )
        return select(func.count()).select_from(query.subquery()).scalar_subquery()

    return statement(select(*(one(name).label(name) for name in names)))


COUNTS: dict[tuple[str, ...], Statement] = {
    names: _count(*names) for names in (tuple(_PARTS), ("paid", "mail", "refund"))
}
SENT = statement(
    select(messages.c.key, messages.c.at).where(
        _shop(messages.c.shop_id), in_list(messages.c.key, "keys")
    )
)


async def listing(
    tx: Tx, name: str, values: dict[str, Any], before: tuple[int, str] | None, limit: int
) -> list[Row]:
    """Rows of one part of the board under the row `before`: (at, id)."""
    at, row_id = before or FIRST[name]
    return await tx.fetch_all(LISTS[name], **values, at=at, id=row_id, limit=limit)


async def counts(
    tx: Tx, names: tuple[str, ...], values: dict[str, Any], most: int
) -> dict[str, int]:
    """How many wait in each part, no further than `most`."""
    row = await tx.fetch_one(COUNTS[names], **values, most=most)
    assert row is not None, "counting answers with a row"
    return {name: int(row[name]) for name in names}


async def sent(tx: Tx, shop_id: str, keys: list[str]) -> dict[str, int]:
    """Which of our messages with these keys were written, and when (UTC microseconds)."""
    rows = await tx.fetch_all(SENT, shop_id=shop_id, keys=keys)
    return {r["key"]: r["at"] for r in rows}
