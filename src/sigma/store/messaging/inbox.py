"""What the pages of the dialogs read beside the dialogs themselves: searches, the states of cards,
the names of those who answer, the money of a dialog.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
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
from sigma.domain.messaging.card import Face
from sigma.domain.messaging.conversation import Conversation
from sigma.store.billing import invoices as invoice_rows
from sigma.store.billing import payments as payment_rows
from sigma.store.billing.invoices import pattern
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.messaging.conversations import from_row
from sigma.store.schema.messaging_tables import cards, conversation_words, conversations, services
from sigma.store.schema.tables import invoices, members, payments, refunds, users

FIRST_PAGE = (2**62, "~")  # before every dialog

_c = conversations.c
_asked_word = conversation_words.c.word


def _said() -> ColumnElement[bool]:
    """Dialogs in which every one of `words` was written; read once, not for every row."""
    found = (
        select(conversation_words.c.conversation_id)
        .where(conversation_words.c.shop_id == bindparam("shop_id"), in_list(_asked_word, "words"))
        .group_by(conversation_words.c.conversation_id)
        .having(func.count() == bindparam("how_many"))
    )
    return _c.id.in_(found)


def _list(only: str, search: str) -> Statement:
    query: Select[Any] = select(conversations).where(
        _c.shop_id == bindparam("shop_id"),
        # As a pair, so that the index begins there: a far page is as near as the first.
        tuple_(_c.last_at, _c.id) < tuple_(bindparam("before_at"), bindparam("before_id")),
    )
    if only:
        query = query.where(
            _c.unread > literal_column("0")
            if only == "unread"
            else _c.unanswered == literal_column("1")
        )
    if search:
        named = _c.search.like(bindparam("pattern"), escape="\\")
        query = query.where(or_(named, _said()) if search == "words" else named)
    return statement(query.order_by(_c.last_at.desc(), _c.id.desc()).limit(bindparam("limit")))


_LISTS = {
    (only, search): _list(only, search)
    for only in ("", "unread", "unanswered")
    for search in ("", "name", "words")
}
_unread = statement(
    select(func.count().label("n")).select_from(
        select(_c.id)
        .where(_c.shop_id == bindparam("shop_id"), _c.unread > literal_column("0"))
        .limit(bindparam("limit"))
        .subquery()
    )
)
_faces = statement(
    select(cards.c.conversation_id, cards.c.face).where(
        cards.c.id.in_(
            select(func.max(cards.c.id))
            .where(in_list(cards.c.conversation_id, "ids"))
            .group_by(cards.c.conversation_id)
        )
    )
)
_titles = statement(select(services.c.id, services.c.title).where(in_list(services.c.id, "ids")))
_people = statement(
    select(users.c.id, users.c.name, users.c.login)
    .join(members, members.c.user_id == users.c.id)
    .where(members.c.shop_id == bindparam("shop_id"))
)
# Issued into the dialog, or sent there later: then only the card knows.
_here = union(
    select(invoices.c.id).where(invoices.c.conversation_id == bindparam("conversation_id")),
    select(cards.c.invoice_id).where(cards.c.conversation_id == bindparam("conversation_id")),
).subquery()
_invoices_of = statement(
    select(invoices)
    .where(invoices.c.id.in_(select(_here.c.id)))
    .order_by(invoices.c.id.desc())
    .limit(bindparam("limit"))
)
_payments_of = statement(
    select(
        payments,
        invoices.c.number.label("invoice_number"),
        select(func.coalesce(func.sum(refunds.c.amount_minor), 0))
        .where(refunds.c.payment_id == payments.c.id, refunds.c.status == "succeeded")
        .scalar_subquery()
        .label("refunded_minor"),
    )
    .join(invoices, invoices.c.id == payments.c.invoice_id)
    .where(
        invoices.c.id.in_(select(_here.c.id)),
        or_(
            invoices.c.conversation_id == bindparam("conversation_id"),
            payments.c.conversation_id == bindparam("conversation_id"),
        ),
    )
    .order_by(payments.c.id.desc())
    .limit(bindparam("limit"))
)


async def listing(
    tx: Tx,
    shop_id: str,
    *,
    only: str = "",
    query: str = "",
    words: Sequence[int] = (),
    before: tuple[int, str] | None = None,
    limit: int,
) -> list[Conversation]:
    """Dialogs, the latest first. `only` is "", "unread" or "unanswered".

    `query` is looked for in names; `words` are the keyed hashes of words that must all have been
    written in the dialog. `before` is (last_at, id) of the row above.
    """
    at, last_id = before or FIRST_PAGE
    values: dict[str, object] = {
        "shop_id": shop_id,
        "before_at": at,
        "before_id": last_id,
        "limit": limit,
    }
    search = ""
    if query:
        search = "words" if words else "name"
        values["pattern"] = pattern(query)
        if words:
            values |= {"words": list(words), "how_many": len(words)}
    return [from_row(r) for r in await tx.fetch_all(_LISTS[only, search], **values)]


async def unread(tx: Tx, shop_id: str, limit: int) -> int:
    """How many dialogs are unread; no further than `limit`."""
    row = await tx.fetch_one(_unread, shop_id=shop_id, limit=limit)
    return int(row["n"]) if row else 0


async def faces(tx: Tx, conversation_ids: Iterable[str]) -> dict[str, Face]:
    """What the latest card of each dialog says, where there is one."""
    rows = await tx.fetch_all(_faces, ids=list(conversation_ids))
    return {r["conversation_id"]: Face(r["face"]) for r in rows}


async def titles(tx: Tx, service_ids: Iterable[str]) -> dict[str, str]:
    """The titles of several services."""
    rows = await tx.fetch_all(_titles, ids=list(service_ids))
    return {r["id"]: r["title"] for r in rows}


async def people(tx: Tx, shop_id: str) -> dict[str, str]:
    """How the people of a shop are called: user's id → name, or the login without its host."""
    rows = await tx.fetch_all(_people, shop_id=shop_id)
    return {r["id"]: r["name"] or r["login"].partition("@")[0] for r in rows}


async def invoices_of(tx: Tx, conversation_id: str, limit: int) -> list[Invoice]:
    """The invoices of a dialog, the newest first."""
    rows = await tx.fetch_all(_invoices_of, conversation_id=conversation_id, limit=limit)
    return [invoice_rows.from_row(r) for r in rows]


async def payments_of(tx: Tx, conversation_id: str, limit: int) -> list[tuple[Payment, int, int]]:
    """Payments of those issued there, and by the dialog's client, the newest first: with the
    invoice's number and what was given back (minor units).
    """
    rows = await tx.fetch_all(_payments_of, conversation_id=conversation_id, limit=limit)
    return [(payment_rows.from_row(r), r["invoice_number"], int(r["refunded_minor"])) for r in rows]
