"""Fill the tables with 10^5 rows inside the database, fast enough for every test run.

The same SQL runs on both databases: row number `n` gives every column its value. A column without
an entry in VALUES gets its own name and `n` (texts) or `n` (numbers), so that unique keys hold and
a new table is filled without a change here. Foreign keys are not checked.
"""

import sqlite3
from contextlib import closing

import asyncpg
from sqlalchemy import Column, LargeBinary, Table, Text

from sigma.store.schema.all_tables import ALL_TABLES
from tests.store.factories import NOW_US

BIG, MEDIUM, SMALL = 100_000, 20_000, 200
ROW_COUNTS = {
    **dict.fromkeys(
        ("invoices", "payments", "messages", "timeline_events", "jobs", "customers"), BIG
    ),
    # One or a few rows for each shop, member or connected account.
    **dict.fromkeys(
        (
            "shops",
            "counters",
            "users",
            "members",
            "api_keys",
            "passkeys",
            "authenticator_apps",
            "connections",
            "communities",
            "auto_reply_settings",
            "notification_settings",
            "notification_addresses",
            "telegram_bots",
            "installation_keys",
            "key_rotations",
        ),
        SMALL,
    ),
}
SHOP_COUNT = 20
# The objects that statements are tried with have many rows: the shop a twentieth of each table, the
# invoice, the conversation and the payment some thousand.
HOT = 3


def text_id(prefix: str, number: str = "n") -> str:
    """Return the SQL of an id whose order is the order of the number."""
    return f"'{prefix}_' || substr(CAST(1000000 + {number} AS TEXT), 2)"


def hot_id(prefix: str) -> str:
    """Return the id of the hot row of a table."""
    return f"{prefix}_{HOT:06}"


def _often_hot(prefix: str, below: int = BIG // 5) -> str:
    """Refer to the hot row from the rows of its shop with numbers `below` this."""
    is_hot = f"n % {SHOP_COUNT} = {HOT} AND n > {HOT} AND n < {below}"
    return f"CASE WHEN {is_hot} THEN '{hot_id(prefix)}' ELSE {text_id(prefix)} END"


def _mostly(value: str, **shares: int) -> str:
    """Return SQL of `value`, and of each other value in one of so many rows of every shop."""
    cases = " ".join(
        f"WHEN (n / {SHOP_COUNT}) % {share} = {position} THEN '{other}'"
        for position, (other, share) in enumerate(shares.items())
    )
    return f"CASE {cases} ELSE '{value}' END"


_number_in_shop = f"(n / {SHOP_COUNT})"
_at_us = f"{NOW_US} - ({BIG} - n) * 60000000"
_rarely_null = "CASE WHEN n % 200 < 20 THEN NULL ELSE n END"
# By column name, for every table that has it; by "table.column" where a table differs.
VALUES = {
    "shop_id": text_id("shp", f"n % {SHOP_COUNT}"),
    "user_id": text_id("usr"),
    "connection_id": text_id("con", f"n % {SHOP_COUNT}"),
    "invoice_id": _often_hot("inv"),
    "payment_id": text_id("pay"),
    "conversation_id": _often_hot("cnv"),
    "subject_id": _often_hot("inv"),
    "created_at_us": _at_us,
    "processed_at_us": f"CASE WHEN n % 200 < 20 THEN NULL ELSE {_at_us} END",
    "currency": "'RUB'",
    "search": "'маникюр ' || n",
    "shops.id": text_id("shp"),
    "auto_reply_settings.id": text_id("shp"),
    "counters.shop_id": text_id("shp"),
    "telegram_bots.shop_id": text_id("shp"),
    "notifications.status": _mostly("sent", queued=200, failed=150),
    "notifications.way": "'push'",
    "notifications.topic": "'money'",
    "notification_deliveries.way": "'push'",
    "notification_deliveries.topic": "'money'",
    "members.role": "'owner'",
    "connections.status": "'active'",
    "connections.provider": "'yookassa'",
    "communities.event_delivery": "'long_poll'",
    "communities.error_code": "''",
    "invoices.status": _mostly("paid", open=10, expired=2000, draft=60, void=70),
    "invoices.expires_at_us": f"CASE WHEN n % 3 = 0 THEN NULL ELSE {NOW_US} + n END",
    "invoices.created_by": "'usr_1'",
    "invoices.conversation_id": _often_hot("cnv", BIG // 50),
    "cards.conversation_id": _often_hot("cnv", BIG // 50),
    "payments.status": _mostly("captured", authorized=200, pending=190, created=180, failed=9),
    "payments.payer_hash": "'payer' || (n / 3)",
    "payments.attention": "CASE WHEN n % 20000 < 20 THEN 'late' ELSE NULL END",
    "payments.captured_at_us": _at_us,
    "payments.conversation_id": _often_hot("cnv", BIG // 50),
    "refunds.status": _mostly("succeeded", pending=300, failed=200),
    "refunds.finished_at_us": _at_us,
    "mails.status": _mostly("sent", failed=200),
    "mails.kind": "'receipt'",
    "answers.payer_hash": "'payer' || (n / 3)",
    "receipts.payment_id": text_id("pay"),
    "ledger.kind": "'capture'",
    "ledger.subject_id": text_id("pay", "(n / 2)"),
    "ledger.line_number": "n % 2",
    "ledger.account": "CASE WHEN n % 2 = 0 THEN 'acquirer' ELSE 'sales' END",
    "ledger.booked_at_us": _at_us,
    "acquirer_notices.object_id": _often_hot("bank"),
    "jobs.kind": _mostly("mail.send", **{"card.refresh": 200}),
    "jobs.subject_id": text_id("inv"),
    "jobs.state": "CASE WHEN n % 2000 < 20 THEN 'dead' ELSE 'queued' END",
    "jobs.due_at_us": f"{NOW_US} + n * 1000",
    "jobs.lane": _mostly("mail", conversations=200),
    "jobs.lease_until_us": "0",
    "workers.alive_until_us": f"{NOW_US} - n * 1000",
    "vk_events.conversation_key": "'peer:' || (n % 500)",
    "conversations.peer_id": "n",
    "conversations.last_at_us": _at_us,
    "conversations.changed_at_us": _at_us,
    "conversations.waiting_since_us": _at_us,
    "conversations.unread_count": f"CASE WHEN {_number_in_shop} % 50 = 0 THEN 1 ELSE 0 END",
    "conversations.is_unanswered": f"CASE WHEN {_number_in_shop} % 40 = 0 THEN 1 ELSE 0 END",
    "conversations.is_last_outgoing": "n % 2",
    "messages.status": _mostly("sent", queued=200, failed=150),
    "messages.is_outgoing": "(n / 7) % 2",
    "messages.cmid": "n",
    "search_tokens.token_hash": "n / 40",
    "customer_id": text_id("cus"),
    "invoices.customer_id": _often_hot("cus", BIG // 10),
    "payments.customer_id": _often_hot("cus", BIG // 10),
    "customers.merged_into_id": f"CASE WHEN n % 200 < 20 THEN {text_id('cus')} ELSE NULL END",
    "customers.last_activity_at_us": _at_us,
    "customer_tokens.token_hash": "n / 40",
    "customer_suggestions.other_id": text_id("cus", "(n + 1)"),
    "customer_suggestions.dismissed_at_us": _rarely_null,
    "customer_moves.from_id": text_id("cus"),
    "customer_moves.to_id": text_id("cus", "(n + 1)"),
    "search_tokens.conversation_id": text_id("cnv"),
    "cards.invoice_id": text_id("inv"),
    "cards.state": _mostly("paid", issued=100, opened=90),
    "cards.opened_at_us": f"CASE WHEN (n / 7) % 2 = 0 THEN NULL ELSE {_at_us} END",
    "cards.message_fingerprint": "'fingerprint'",
    "vk_orders.vk_payment_status": "'paid'",
    "vk_orders.invoice_id": text_id("inv"),
    "services.position": _number_in_shop,
    "services.deleted_at_us": f"CASE WHEN {_number_in_shop} % 40 = 0 THEN NULL ELSE 1 END",
    "services.vk_item_id": "n",
    "services.vk_connection_id": text_id("con", f"n % {SHOP_COUNT}"),
    "services.photo_id": text_id("pho"),
}
_ID_PREFIXES = {
    "invoices": "inv",
    "payments": "pay",
    "conversations": "cnv",
    "messages": "msg",
    "connections": "con",
    "communities": "con",
    "users": "usr",
    "photos": "pho",
    "cards": "crd",
    "customers": "cus",
}


def _value(table: Table, column: Column[object]) -> str:
    name = column.name
    if (value := VALUES.get(f"{table.name}.{name}", VALUES.get(name))) is not None:
        return value
    if name == "id":
        return text_id(_ID_PREFIXES.get(table.name, table.name))
    if isinstance(column.type, LargeBinary):
        return "CAST('photo' AS BLOB)"
    return f"'{name}' || n" if isinstance(column.type, Text) else "n"


def _insert(table: Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(_value(table, column) for column in table.columns)
    count = ROW_COUNTS.get(table.name, MEDIUM)
    numbers = f"SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}"
    return (
        f"WITH RECURSIVE numbers(n) AS ({numbers})"
        f' INSERT INTO "{table.name}" ({columns}) SELECT {values} FROM numbers'
    )


def fill_sqlite(con: sqlite3.Connection) -> None:
    """Fill the tables of a migrated SQLite file. No ANALYZE: an installation never runs it."""
    with closing(con.cursor()) as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.execute("PRAGMA cache_size = -200000")
        cursor.execute("BEGIN")
        for table in ALL_TABLES.sorted_tables:
            cursor.execute(_insert(table))
        cursor.execute("COMMIT")


async def fill_postgres(con: asyncpg.Connection) -> None:
    """Fill the tables of a migrated PostgreSQL database, and analyze them."""
    await con.execute("SET session_replication_role = replica")  # no foreign keys
    async with con.transaction():
        for table in ALL_TABLES.sorted_tables:
            await con.execute(_insert(table).replace("AS BLOB", "AS BYTEA"))
    await con.execute("VACUUM ANALYZE")
