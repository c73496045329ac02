"""Queries of the to-do board: the items of each section, and their counts."""

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
from sigma.store.paging import MAX_ID, MAX_INT
from sigma.store.schema.messaging_tables import cards, conversations, messages
from sigma.store.schema.tables import invoices, mails, payments, refunds

_c, _i, _p = conversations.c, invoices.c, payments.c
_CLIENT_COLUMNS = (
    _c.id.label("conversation_id"),
    _c.name,
    _c.peer_id,
    _c.photo_url,
    _c.blocked_reason,
)
_INVOICE_COLUMNS = (_i.id.label("invoice_id"), _i.number, _i.title, _i.amount_minor, _i.currency)


def _in_shop(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column == bindparam("shop_id")


def _after_cursor(at: ColumnElement[Any], row_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Match rows after the cursor (`at_us`, `id`) in a list with the latest first."""
    return or_(
        at < bindparam("at_us"),
        and_(at == bindparam("at_us"), row_id < bindparam("id")),
    )


# Conditions of partial indexes are literals: with a parameter the planner cannot use the index.
def _unanswered_query() -> Select[Any]:
    """Select conversations that wait for a reply.

    `preview_encrypted` is the last message. If the shop wrote it, `client_body_encrypted` and
    `client_message_id` are the client's last message, else NULL.
    """

    def of_client_message(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return (
            select(column)
            .where(
                messages.c.conversation_id == _c.id, messages.c.is_outgoing == literal_column("0")
            )
            .order_by(messages.c.position.desc(), messages.c.id.desc())
            .limit(literal_column("1"))
            .scalar_subquery()
        )

    is_ours_last = _c.is_last_outgoing == literal_column("1")
    return select(
        *_CLIENT_COLUMNS,
        _c.id,
        _c.waiting_since_us.label("at_us"),
        _c.preview_encrypted,
        case((is_ours_last, of_client_message(messages.c.body_encrypted))).label(
            "client_body_encrypted"
        ),
        case((is_ours_last, of_client_message(messages.c.id))).label("client_message_id"),
    ).where(_in_shop(_c.shop_id), _c.is_unanswered == literal_column("1"))


def _latest_payment(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Select one column of the latest payment of the invoice."""
    query = select(column).where(_p.invoice_id == _i.id).order_by(_p.id.desc())
    return query.limit(literal_column("1")).scalar_subquery()


def _payable_cards_query() -> Select[Any]:
    """Select cards of payable invoices, with the status of the latest payment and card message."""
    return (
        select(
            *_CLIENT_COLUMNS,
            *_INVOICE_COLUMNS,
            cards.c.id,
            cards.c.message_id,
            messages.c.status.label("message_status"),
            _latest_payment(_p.status).label("latest_payment_status"),
            _latest_payment(_p.id).label("latest_payment_id"),
        )
        .join(invoices, _i.id == cards.c.invoice_id)
        .join(conversations, _c.id == cards.c.conversation_id)
        .outerjoin(messages, messages.c.id == cards.c.message_id)
        .where(
            _in_shop(cards.c.shop_id),
            _i.status == "open",
            or_(_i.expires_at_us.is_(None), _i.expires_at_us > bindparam("now_us")),
        )
    )


def _unopened_query() -> Select[Any]:
    return (
        _payable_cards_query()
        .add_columns(cards.c.created_at_us.label("at_us"))
        .where(text("cards.state = 'issued' AND cards.opened_at_us IS NULL"))
    )


def _opened_query() -> Select[Any]:
    return (
        _payable_cards_query()
        .add_columns(cards.c.opened_at_us.label("at_us"))
        .where(text("cards.state IN ('issued', 'opened') AND cards.opened_at_us IS NOT NULL"))
    )


def _payments_query(at_us: ColumnElement[Any]) -> Select[Any]:
    conversation_id = func.coalesce(_p.conversation_id, _i.conversation_id)
    return (
        select(
            *_CLIENT_COLUMNS,
            _i.number,
            _i.title,
            _p.amount_minor,
            _p.currency,
            _p.id,
            at_us.label("at_us"),
        )
        .join(invoices, _i.id == _p.invoice_id)
        .outerjoin(conversations, _c.id == conversation_id)
        .where(_in_shop(_p.shop_id))
    )


def _attention_query() -> Select[Any]:
    """Select payments that nobody has decided about, such as late and extra ones.

    A pending refund is a decision. `has_refund`: a part of the payment is refunded already.
    """
    r = refunds.c
    pending = exists(select(r.id).where(r.payment_id == _p.id, r.status == "pending"))
    succeeded = exists(select(r.id).where(r.payment_id == _p.id, r.status == "succeeded"))
    query = _payments_query(func.coalesce(_p.captured_at_us, _p.created_at_us)).add_columns(
        _p.attention,
        _i.status.label("invoice_status"),
        case((succeeded, literal_column("1")), else_=literal_column("0")).label("has_refund"),
    )
    return query.where(
        text("payments.attention IS NOT NULL"),
        _p.attention != "refund_failed",  # in the section of refunds
        ~pending,
    ).with_hint(payments, "INDEXED BY ix_payments_attention", "sqlite")


def _paid_query() -> Select[Any]:
    """Select recent payments to deliver for: no decision is due and money is left of them."""
    refunded_minor = (
        select(func.coalesce(func.sum(refunds.c.amount_minor), literal_column("0")))
        .where(refunds.c.payment_id == _p.id, refunds.c.status != "failed")
        .scalar_subquery()
    )
    return _payments_query(_p.captured_at_us).where(
        _p.status == "captured",
        _p.captured_at_us >= bindparam("paid_since_us"),
        or_(_p.attention.is_(None), _p.attention == "refund_failed"),
        refunded_minor < _p.amount_minor,
    )


def _with_payment(query: Select[Any], payment_id: ColumnElement[Any]) -> Select[Any]:
    conversation_id = func.coalesce(_p.conversation_id, _i.conversation_id)
    return (
        query.add_columns(*_CLIENT_COLUMNS, _i.number, _i.title, _p.id.label("payment_id"))
        .join(payments, _p.id == payment_id)
        .join(invoices, _i.id == _p.invoice_id)
        .outerjoin(conversations, _c.id == conversation_id)
    )


def _failed_mails_query() -> Select[Any]:
    """Select failed mails to clients, unless a newer mail about the same payment exists."""
    m, later = mails.c, mails.alias("later")
    newer = exists(
        select(later.c.id).where(
            later.c.payment_id == m.payment_id,
            later.c.id > m.id,
            later.c.kind.in_(["receipt", "refund"]),
        )
    )
    query = select(m.id, m.created_at_us.label("at_us"), m.server_reply, m.recipient_masked).where(
        _in_shop(m.shop_id),
        text("mails.status = 'failed'"),
        m.kind.in_(["receipt", "refund"]),
        m.id > bindparam("mail_after_id"),
        ~newer,
    )
    return _with_payment(query, m.payment_id).add_columns(_p.amount_minor, _p.currency)


def _refunds_query() -> Select[Any]:
    """Select refunds that need attention.

    These are pending ones that are slow or have an unknown outcome, and failed ones unless a newer
    refund of the same payment exists.
    """
    r, later = refunds.c, refunds.alias("later")
    newer = exists(select(later.c.id).where(later.c.payment_id == r.payment_id, later.c.id > r.id))
    slow = and_(
        r.status == "pending",
        or_(
            r.is_outcome_unknown == literal_column("1"),
            r.created_at_us < bindparam("refund_before_us"),
        ),
    )
    query = select(
        r.id,
        r.created_at_us.label("at_us"),
        r.amount_minor,
        r.currency,
        r.status,
        r.is_outcome_unknown,
        r.failure,
    ).where(
        _in_shop(r.shop_id),
        text("refunds.status IN ('pending', 'failed')"),
        or_(slow, and_(r.status == "failed", ~newer)),
    )
    return _with_payment(query, r.payment_id)


# name → (query, order, condition for rows after the cursor (at_us, id))
_waiting_order = (_c.waiting_since_us, _c.id)
_SECTIONS: dict[str, tuple[Select[Any], tuple[Any, ...], ColumnElement[bool]]] = {
    "attention": (_attention_query(), (_p.id.desc(),), _p.id < bindparam("id")),
    "unanswered": (
        _unanswered_query(),
        _waiting_order,
        or_(
            _c.waiting_since_us > bindparam("at_us"),
            and_(_c.waiting_since_us == bindparam("at_us"), _c.id > bindparam("id")),
        ),
    ),
    "unopened": (_unopened_query(), (cards.c.id.desc(),), cards.c.id < bindparam("id")),
    "opened": (
        _opened_query(),
        (cards.c.opened_at_us.desc(), cards.c.id.desc()),
        _after_cursor(cards.c.opened_at_us, cards.c.id),
    ),
    "paid": (
        _paid_query(),
        (_p.captured_at_us.desc(), _p.id.desc()),
        _after_cursor(_p.captured_at_us, _p.id),
    ),
    "mail": (_failed_mails_query(), (mails.c.id.desc(),), mails.c.id < bindparam("id")),
    "refund": (_refunds_query(), (refunds.c.id.desc(),), refunds.c.id < bindparam("id")),
}
LISTS: dict[str, Statement] = {
    name: statement(query.where(below).order_by(*order).limit(bindparam("limit")))
    for name, (query, order, below) in _SECTIONS.items()
}
START_CURSORS: dict[str, tuple[int, str]] = dict.fromkeys(_SECTIONS, (MAX_INT, MAX_ID)) | {
    "unanswered": (0, "")
}


def _count_statement(*names: str) -> Statement:
    """Count the items of each section, up to `limit_per_section`."""

    def section_count(name: str) -> ColumnElement[int]:
        query: Select[Any] = (
            _SECTIONS[name][0]
            .with_only_columns(literal_column("1"))
            .limit(bindparam("limit_per_section"))
        )
        return select(func.count()).select_from(query.subquery()).scalar_subquery()

    return statement(select(*(section_count(name).label(name) for name in names)))


COUNTS: dict[tuple[str, ...], Statement] = {
    names: _count_statement(*names)
    for names in (tuple(_SECTIONS), ("attention", "paid", "mail", "refund"))
}
SENT_TIMES = statement(
    select(messages.c.idempotency_key, messages.c.written_at_us).where(
        _in_shop(messages.c.shop_id), in_list(messages.c.idempotency_key, "keys")
    )
)


async def list_items(
    tx: Tx, section: str, values: dict[str, Any], cursor: tuple[int, str] | None, limit: int
) -> list[Row]:
    """Return items of one section after `cursor` (UTC microseconds, id); None: the first page.

    `values` holds the parameters of the section's query, such as `shop_id` and `now_us`.
    """
    at_us, row_id = cursor or START_CURSORS[section]
    return await tx.fetch_all(LISTS[section], **values, at_us=at_us, id=row_id, limit=limit)


async def count_items(
    tx: Tx, sections: tuple[str, ...], values: dict[str, Any], limit: int
) -> dict[str, int]:
    """Return the number of items by section, up to `limit` each."""
    row = await tx.fetch_one(COUNTS[sections], **values, limit_per_section=limit)
    assert row is not None, "an aggregate query returns one row"
    return {name: int(row[name]) for name in sections}


async def sent_times(tx: Tx, shop_id: str, keys: list[str]) -> dict[str, int]:
    """Return the times (UTC microseconds) of the messages with these keys, by key."""
    rows = await tx.fetch_all(SENT_TIMES, shop_id=shop_id, keys=keys)
    return {r["idempotency_key"]: r["written_at_us"] for r in rows}
