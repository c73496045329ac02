"""Lists of customers, and what one customer has: sums, payments, invoices, conversations."""

from collections.abc import Iterable, Sequence

from sqlalchemy import and_, bindparam, exists, func, or_, select, tuple_

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.customers.customer import Customer
from sigma.domain.messaging.conversation import Conversation
from sigma.store.billing import invoices as invoice_rows
from sigma.store.billing import payments as payment_rows
from sigma.store.billing.payments import REFUNDED_MINOR
from sigma.store.customers import customers as customer_rows
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.messaging import conversations as conversation_rows
from sigma.store.paging import MAX_ID, MAX_INT
from sigma.store.schema.customer_tables import customer_suggestions, customer_tokens, customers
from sigma.store.schema.messaging_tables import conversations
from sigma.store.schema.tables import invoices, payments

START_CURSOR = (MAX_INT, MAX_ID)  # before the first customer
MAX_TOKENS = 4  # of a query; further words are not compared

_latest = statement(
    select(customers)
    .where(
        customers.c.shop_id == bindparam("shop_id"),
        customers.c.merged_into_id.is_(None),
        # A row comparison lets the index seek to the cursor, so a far page is as fast as the first.
        tuple_(customers.c.last_activity_at_us, customers.c.id)
        < tuple_(bindparam("before_at_us"), bindparam("before_id")),
    )
    .order_by(customers.c.last_activity_at_us.desc(), customers.c.id.desc())
    .limit(bindparam("limit"))
)


_list_inactive = statement(
    select(customers.c.id)
    .where(
        customers.c.shop_id == bindparam("shop_id"),
        customers.c.merged_into_id.is_(None),
        customers.c.last_activity_at_us < bindparam("before_us"),
    )
    .order_by(customers.c.last_activity_at_us)
    .limit(bindparam("limit"))
)


def _by_tokens_statement(count: int) -> Statement:
    """Walk the customers with the first token, the newest first, and look the others up."""
    found = customer_tokens.alias("found")
    conditions = [
        found.c.shop_id == bindparam("shop_id"),
        found.c.token_hash == bindparam("token_1"),
        found.c.customer_id < bindparam("before_id"),
    ]
    for number in range(2, count + 1):
        other = customer_tokens.alias(f"other_{number}")
        conditions.append(
            exists().where(
                other.c.shop_id == bindparam("shop_id"),
                other.c.token_hash == bindparam(f"token_{number}"),
                other.c.customer_id == found.c.customer_id,
            )
        )
    ids = (
        select(found.c.customer_id)
        .where(*conditions)
        .order_by(found.c.customer_id.desc())
        .limit(bindparam("limit"))
        .subquery()
    )
    return statement(
        select(customers)
        .join(ids, ids.c.customer_id == customers.c.id)
        .order_by(customers.c.id.desc())
    )


_BY_TOKENS = {count: _by_tokens_statement(count) for count in range(1, MAX_TOKENS + 1)}
_of_customers = and_(
    payments.c.customer_id.is_not(None),
    in_list(payments.c.customer_id, "ids"),
    payments.c.status == "captured",
)
_sums = statement(
    select(
        payments.c.customer_id,
        payments.c.currency,
        func.count().label("n"),
        func.sum(payments.c.amount_minor).label("minor"),
        func.sum(REFUNDED_MINOR).label("refunded_minor"),
    )
    .where(_of_customers)
    .group_by(payments.c.customer_id, payments.c.currency)
)
_list_payments = statement(
    select(payments, REFUNDED_MINOR.label("refunded_minor"))
    .where(
        payments.c.customer_id.is_not(None),
        payments.c.customer_id == bindparam("customer_id"),
        payments.c.id < bindparam("before_id"),
    )
    .order_by(payments.c.id.desc())
    .limit(bindparam("limit"))
)
_list_invoices = statement(
    select(invoices)
    .where(
        invoices.c.customer_id.is_not(None),
        invoices.c.customer_id == bindparam("customer_id"),
        invoices.c.id < bindparam("before_id"),
    )
    .order_by(invoices.c.id.desc())
    .limit(bindparam("limit"))
)
# By payments: an invoice that was issued to nobody may be paid by anybody.
_list_paid_invoices = statement(
    select(invoices)
    .join(payments, payments.c.invoice_id == invoices.c.id)
    .where(
        payments.c.customer_id.is_not(None),
        payments.c.customer_id == bindparam("customer_id"),
        payments.c.invoice_id < bindparam("before_id"),
    )
    .order_by(payments.c.id.desc())
    .limit(bindparam("limit"))
)
_invoice_titles = statement(
    select(invoices.c.id, invoices.c.number, invoices.c.title).where(in_list(invoices.c.id, "ids"))
)
_list_conversations = statement(
    select(conversations)
    .where(
        conversations.c.customer_id.is_not(None),
        conversations.c.customer_id == bindparam("customer_id"),
    )
    .order_by(conversations.c.id.desc())
    .limit(bindparam("limit"))
)
_list_merged = statement(
    select(customers.c.id).where(
        customers.c.merged_into_id.is_not(None), in_list(customers.c.merged_into_id, "ids")
    )
)
_list_suggestions = statement(
    select(customer_suggestions)
    .where(
        or_(
            in_list(customer_suggestions.c.customer_id, "ids"),
            in_list(customer_suggestions.c.other_id, "ids"),
        ),
        customer_suggestions.c.dismissed_at_us.is_(None),
    )
    .order_by(customer_suggestions.c.id.desc())
    .limit(bindparam("limit"))
)


async def list_latest(
    tx: Tx, shop_id: str, before: tuple[int, str] = START_CURSOR, limit: int = 50
) -> list[Customer]:
    """Return customers, those with the latest activity first.

    `before`: (time of the activity, id) of the last customer of the page before.
    """
    rows = await tx.fetch_all(
        _latest, shop_id=shop_id, before_at_us=before[0], before_id=before[1], limit=limit
    )
    return [customer_rows.from_row(row) for row in rows]


async def list_inactive(tx: Tx, shop_id: str, before_us: int, limit: int) -> list[str]:
    """Return the ids of customers without activity since a time (UTC microseconds)."""
    rows = await tx.fetch_all(_list_inactive, shop_id=shop_id, before_us=before_us, limit=limit)
    return [row["id"] for row in rows]


async def find_by_tokens(
    tx: Tx, shop_id: str, token_hashes: Sequence[int], before_id: str = "", limit: int = 50
) -> list[Customer]:
    """Return customers who have all tokens (at most MAX_TOKENS are compared), the newest first."""
    compared = token_hashes[:MAX_TOKENS]
    values: dict[str, object] = {f"token_{n}": one for n, one in enumerate(compared, start=1)}
    rows = await tx.fetch_all(
        _BY_TOKENS[len(compared)],
        shop_id=shop_id,
        before_id=before_id or MAX_ID,
        limit=limit,
        **values,
    )
    return [customer_rows.from_row(row) for row in rows]


async def sum_payments(
    tx: Tx, customer_ids: Iterable[str]
) -> dict[str, dict[str, tuple[int, int, int]]]:
    """Return customer id → currency → (payments, captured, refunded in minor units)."""
    rows = await tx.fetch_all(_sums, ids=sorted(set(customer_ids)))
    sums: dict[str, dict[str, tuple[int, int, int]]] = {}
    for row in rows:
        counted = (int(row["n"]), int(row["minor"]), int(row["refunded_minor"]))
        sums.setdefault(row["customer_id"], {})[row["currency"]] = counted
    return sums


async def list_payments(
    tx: Tx, customer_id: str, before_id: str, limit: int
) -> list[tuple[Payment, int]]:
    """Return payments of a customer, each with its refunded sum, the newest first."""
    rows = await tx.fetch_all(
        _list_payments, customer_id=customer_id, before_id=before_id or MAX_ID, limit=limit
    )
    return [(payment_rows.from_row(row), int(row["refunded_minor"])) for row in rows]


async def list_invoices(tx: Tx, customer_id: str, before_id: str, limit: int) -> list[Invoice]:
    """Return the invoices that were issued to a customer or paid by them, the newest first."""
    values = {"customer_id": customer_id, "before_id": before_id or MAX_ID, "limit": limit}
    rows = await tx.fetch_all(_list_invoices, **values)
    rows += await tx.fetch_all(_list_paid_invoices, **values)
    found = {row["id"]: invoice_rows.from_row(row) for row in rows}
    return [found[key] for key in sorted(found, reverse=True)[:limit]]


async def invoice_titles(tx: Tx, ids: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return invoice id → (number, title)."""
    rows = await tx.fetch_all(_invoice_titles, ids=sorted(set(ids)))
    return {row["id"]: (row["number"], row["title"]) for row in rows}


async def list_conversations(tx: Tx, customer_id: str, limit: int = 20) -> list[Conversation]:
    """Return the conversations of a customer, the newest first."""
    rows = await tx.fetch_all(_list_conversations, customer_id=customer_id, limit=limit)
    return [conversation_rows.from_row(row) for row in rows]


async def list_merged(tx: Tx, customer_id: str) -> list[str]:
    """Return the ids of all customers that were merged into one, over all merges."""
    found: list[str] = []
    ids = [customer_id]
    while ids:
        ids = [row["id"] for row in await tx.fetch_all(_list_merged, ids=ids)]
        found += ids
    return found


async def list_suggestions(
    tx: Tx, customer_ids: Iterable[str], limit: int = 50
) -> list[tuple[str, str, str, str]]:
    """Return (id, customer, other customer, kind of the shared contact), not dismissed."""
    rows = await tx.fetch_all(_list_suggestions, ids=sorted(set(customer_ids)), limit=limit)
    columns = ("id", "customer_id", "other_id", "reason")
    return [tuple(row[name] for name in columns) for row in rows]
