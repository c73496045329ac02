"""Queries of the inbox pages: conversation lists and search, card states, and the invoices and
payments of a conversation.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    Subquery,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union,
)

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.messaging.card import CardState
from sigma.domain.messaging.conversation import Conversation
from sigma.store.billing import invoices as invoice_rows
from sigma.store.billing import payments as payment_rows
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.messaging.conversations import from_row
from sigma.store.paging import MAX_ID, MAX_INT
from sigma.store.schema.catalogue_tables import services
from sigma.store.schema.messaging_tables import cards, conversations, search_tokens
from sigma.store.schema.tables import invoices, payments
from sigma.store.search_text import like_pattern

START_CURSOR = (MAX_INT, MAX_ID)  # a cursor before the first conversation

_c = conversations.c
_token_column = search_tokens.c.token_hash


def _has_all_tokens() -> ColumnElement[bool]:
    """Match conversations that contain all `token_hashes`. The subquery runs once, not per row."""
    matches = (
        select(search_tokens.c.conversation_id)
        .where(
            search_tokens.c.shop_id == bindparam("shop_id"), in_list(_token_column, "token_hashes")
        )
        .group_by(search_tokens.c.conversation_id)
        .having(func.count() == bindparam("token_count"))
    )
    return _c.id.in_(matches)


def _list_statement(state: str, search: str) -> Statement:
    query: Select[Any] = select(conversations).where(
        _c.shop_id == bindparam("shop_id"),
        # A row comparison lets the index seek to the cursor, so a far page is as fast as the first.
        tuple_(_c.last_at_us, _c.id) < tuple_(bindparam("before_at_us"), bindparam("before_id")),
    )
    if state:
        query = query.where(
            _c.unread_count > literal_column("0")
            if state == "unread"
            else _c.is_unanswered == literal_column("1")
        )
    if search:
        by_name = _c.search.like(bindparam("pattern"), escape="\\")
        query = query.where(or_(by_name, _has_all_tokens()) if search == "tokens" else by_name)
    return statement(query.order_by(_c.last_at_us.desc(), _c.id.desc()).limit(bindparam("limit")))


_LISTS = {
    (only, search): _list_statement(only, search)
    for only in ("", "unread", "unanswered")
    for search in ("", "name", "tokens")
}
_count_unread = statement(
    select(func.count().label("n")).select_from(
        select(_c.id)
        .where(_c.shop_id == bindparam("shop_id"), _c.unread_count > literal_column("0"))
        .limit(bindparam("limit"))
        .subquery()
    )
)
_latest_card_states = statement(
    select(cards.c.conversation_id, cards.c.state).where(
        cards.c.id.in_(
            select(func.max(cards.c.id))
            .where(in_list(cards.c.conversation_id, "ids"))
            .group_by(cards.c.conversation_id)
        )
    )
)
_service_titles = statement(
    select(services.c.id, services.c.title).where(in_list(services.c.id, "ids"))
)


def _latest(ids: CompoundSelect[Any]) -> Subquery:
    """Select the latest ids. The limit is inside, so that PostgreSQL looks up only these rows."""
    found = ids.subquery()
    return select(found.c.id).order_by(found.c.id.desc()).limit(bindparam("limit")).subquery()


# Issued in the conversation, or sent there later: then only the card refers to the conversation.
_invoice_ids = _latest(
    union(
        select(invoices.c.id).where(invoices.c.conversation_id == bindparam("conversation_id")),
        select(cards.c.invoice_id.label("id")).where(
            cards.c.conversation_id == bindparam("conversation_id")
        ),
    )
)
_list_invoices = statement(
    select(invoices)
    .join(_invoice_ids, _invoice_ids.c.id == invoices.c.id)
    .order_by(invoices.c.id.desc())
)
_payment_ids = _latest(
    union(
        select(payments.c.id).where(payments.c.conversation_id == bindparam("conversation_id")),
        select(payments.c.id)
        .join(invoices, invoices.c.id == payments.c.invoice_id)
        .where(invoices.c.conversation_id == bindparam("conversation_id")),
    )
)
_list_payments = statement(
    select(
        payments,
        invoices.c.number.label("invoice_number"),
        payment_rows.REFUNDED_MINOR.label("refunded_minor"),
    )
    .join(_payment_ids, _payment_ids.c.id == payments.c.id)
    .join(invoices, invoices.c.id == payments.c.invoice_id)
    .order_by(payments.c.id.desc())
)


async def list_conversations(
    tx: Tx,
    shop_id: str,
    *,
    state: str = "",
    query: str = "",
    token_hashes: Sequence[int] = (),
    before_cursor: tuple[int, str] | None = None,
    limit: int,
) -> list[Conversation]:
    """Return conversations, the latest first. `state` is "", "unread" or "unanswered".

    With `query`, a conversation matches if the client's name contains it or if the messages
    contain all `token_hashes`. `before_cursor` is (time of the last message in UTC microseconds,
    id) of the previous page's last row.
    """
    at_us, last_id = before_cursor or START_CURSOR
    values: dict[str, object] = {
        "shop_id": shop_id,
        "before_at_us": at_us,
        "before_id": last_id,
        "limit": limit,
    }
    search = ""
    if query:
        search = "tokens" if token_hashes else "name"
        values["pattern"] = like_pattern(query)
        if token_hashes:
            values |= {"token_hashes": list(token_hashes), "token_count": len(token_hashes)}
    return [from_row(r) for r in await tx.fetch_all(_LISTS[state, search], **values)]


async def count_unread(tx: Tx, shop_id: str, limit: int) -> int:
    """Count unread conversations, up to `limit`."""
    row = await tx.fetch_one(_count_unread, shop_id=shop_id, limit=limit)
    return int(row["n"]) if row else 0


async def latest_card_states(tx: Tx, conversation_ids: Iterable[str]) -> dict[str, CardState]:
    """Return the state of the latest card by conversation id, where there is a card."""
    rows = await tx.fetch_all(_latest_card_states, ids=list(conversation_ids))
    return {r["conversation_id"]: CardState(r["state"]) for r in rows}


async def service_titles(tx: Tx, service_ids: Iterable[str]) -> dict[str, str]:
    """Return the titles of services by id."""
    rows = await tx.fetch_all(_service_titles, ids=list(service_ids))
    return {r["id"]: r["title"] for r in rows}


async def list_invoices(tx: Tx, conversation_id: str, limit: int) -> list[Invoice]:
    """Return the invoices of a conversation, the newest first."""
    rows = await tx.fetch_all(_list_invoices, conversation_id=conversation_id, limit=limit)
    return [invoice_rows.from_row(r) for r in rows]


async def list_payments(tx: Tx, conversation_id: str, limit: int) -> list[tuple[Payment, int, int]]:
    """Return the payments of a conversation, the newest first.

    These are payments of invoices issued in the conversation, and payments that its client made
    through a payment link. A row is (payment, invoice number, refunded amount in minor units).
    """
    rows = await tx.fetch_all(_list_payments, conversation_id=conversation_id, limit=limit)
    return [(payment_rows.from_row(r), r["invoice_number"], int(r["refunded_minor"])) for r in rows]
