"""Every list is served by an index on both databases: nothing is scanned whole, nothing sorted."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import bindparam, select

from sigma.store import jobs
from sigma.store.accounts import users
from sigma.store.billing import connections, invoices, ledger, mails, payments, refunds
from sigma.store.catalogue import services
from sigma.store.database import open_database
from sigma.store.engine.statements import Statement, statement
from sigma.store.messaging import todo_board
from sigma.store.schema import tables
from tests.store.nouns import CONNECTION, NOW, SHOP, plain_invoice, plain_payment, save

VALUES: dict[str, Any] = {
    "shop_id": SHOP.id,
    "before": "~",
    "limit": 25,
    "now": NOW,
    "until": NOW + 1,
    "since": NOW,
    "pattern": "%x%",
    "exact": "pay_1",
    "status": "captured",
    "id": "inv_00001",
    "invoice_id": "inv_00001",
    "payment_id": "pay_00001",
    "connection_id": CONNECTION.id,
    "provider_id": "bank-1",
    "object_id": "bank-1",
    "payer": "payer",
    "nonce": "nonce",
    "token": "token-1",
    "subject": "pay_00001",
    "kind": "receipt",
    "secret_hash": "x",
    "at": NOW,
    "paid_since": NOW,
    "mail_since": "mail_1",
    "refund_before": NOW,
    "most": 100,
    "item_id": 1,
    "slug": "lak",
    "after": "inv_1",
    "created_by": "storefront",
    "keys": ["remind:crd_1:2026-11-24"],
}
STATEMENTS: dict[str, Statement] = {
    **{f"invoices {key}": stmt for key, stmt in invoices._LISTS.items()},
    **{f"payments {key}": stmt for key, stmt in payments._LISTS.items()},
    "payment page": invoices.PUBLIC,
    "holds": invoices._count_holds,
    "payment by token": payments._by_token,
    "payment by form": payments._by_form,
    "unfinished payment": payments._live,
    "payment by acquirer's id": payments._by_provider,
    "receipt": payments._receipt,
    "answers of a payment": payments._answers_of,
    "answers of a browser": payments._answers_by_payer,
    "consents": payments._consents_of,
    "money taken": payments._sums,
    "refunds": refunds._of_payment,
    "mails": mails._of_payment,
    "timeline": mails._timeline,
    "notices": connections._notices_of,
    "active connection": connections._active,
    "session": users._session,
    "key": users.KEY_BY_SECRET,
    "books": ledger._owed,
    "due jobs": jobs._claim,
    **{f"board {name}": stmt for name, stmt in todo_board.LISTS.items()},
    **{f"board counts {len(names)}": stmt for names, stmt in todo_board.COUNTS.items()},
    "reminders": todo_board.SENT,
    "services": services._of_shop,
    "service of an item": services._by_item,
    "photos of services": services._sizes,
    "public page": services._shop_of,
    "unpaid of the public page": invoices._count_unpaid_by,
}
# What the check must see, to be worth something.
ON_PURPOSE = {
    "a scan": statement(select(tables.invoices).where(tables.invoices.c.title == "x")),
    "a sort": statement(
        select(tables.payments)
        .where(tables.payments.c.shop_id == bindparam("shop_id"))
        .order_by(tables.payments.c.nonce)
    ),
}
# A day of one shop is grouped in memory; due jobs are updated in no order.
MAY_SORT = {"money taken", "due jobs"}


@pytest.fixture
async def filled_url(database_url: str) -> str:
    """A database whose planner has something to think about."""
    db = await open_database(database_url)
    await save(
        db, SHOP, CONNECTION, *(replace(SHOP, id=f"shp_{n}", slug=None) for n in range(2, 100))
    )
    await save(db, *(plain_invoice(n) for n in range(1, 101)))
    await save(db, *(plain_payment(n) for n in range(1, 101)))
    await db.close()
    return database_url


def sqlite_plan(con: sqlite3.Connection, stmt: Statement) -> list[str]:
    compiled = stmt.on("sqlite")
    sql, values = compiled.sql, compiled.arguments(VALUES)
    return [row[3] for row in con.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


async def postgres_plan(con: asyncpg.Connection, stmt: Statement) -> list[str]:
    compiled = stmt.on("postgresql")
    sql, values = compiled.sql, compiled.arguments(VALUES)
    return [row[0] for row in await con.fetch(f"EXPLAIN (COSTS OFF) {sql}", *values)]


async def test_every_list_is_served_by_an_index(filled_url: str) -> None:
    slow: dict[str, list[str]] = {}
    if filled_url.startswith("sqlite"):
        with closing(sqlite3.connect(filled_url.removeprefix("sqlite:///"))) as con:
            con.execute("ANALYZE")
            for name, stmt in (STATEMENTS | ON_PURPOSE).items():
                plan = sqlite_plan(con, stmt)
                if bad := [line for line in plan if _sqlite_bad(line, name)]:
                    slow[name] = bad
    else:
        con = await asyncpg.connect(filled_url)
        await con.execute("ANALYZE")
        # So few rows are scanned gladly; what cannot be avoided even so has no index.
        for way in ("seqscan", "sort", "bitmapscan", "incremental_sort"):
            await con.execute(f"SET enable_{way} = off")
        for name, stmt in (STATEMENTS | ON_PURPOSE).items():
            plan = await postgres_plan(con, stmt)
            if bad := [line for line in plan if _postgres_bad(line, name)]:
                slow[name] = bad
        await con.close()
    assert set(slow) == set(ON_PURPOSE), slow


def _sqlite_bad(line: str, name: str) -> bool:
    sorts = "TEMP B-TREE" in line and name not in MAY_SORT
    # Rows of a query that is limited itself, not of a table.
    few = ("SCAN due", "SCAN anon_", "SCAN CONSTANT ROW", "SCAN json_each ")
    chosen = line.startswith(few)
    return sorts or (line.startswith("SCAN") and "USING" not in line and not chosen)


def _postgres_bad(line: str, name: str) -> bool:
    return "Seq Scan" in line or ("Sort" in line and "Key" not in line and name not in MAY_SORT)
