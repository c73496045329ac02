"""Query plans: no list query scans a whole table or sorts its rows, on both databases."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import bindparam, select

from sigma.store import jobs
from sigma.store.accounts import api_keys, sessions, shops
from sigma.store.billing import (
    acquirer_notices,
    answers,
    connections,
    invoices,
    ledger,
    mails,
    payments,
    receipts,
    refunds,
    timeline,
)
from sigma.store.catalogue import photos, services
from sigma.store.database import open_database
from sigma.store.engine.statements import Statement, statement
from sigma.store.messaging import todo_board, vk_events
from sigma.store.reconciliation import differences, rows, runs
from sigma.store.schema import tables
from tests.store.factories import (
    CONNECTION,
    NOW_US,
    SHOP,
    insert_rows,
    plain_invoice,
    plain_payment,
)

pytestmark = pytest.mark.both_databases


VALUES: dict[str, Any] = {
    "shop_id": SHOP.id,
    "before_id": "~",
    "limit": 25,
    "now_us": NOW_US,
    "lease_until_us": NOW_US + 1,
    "since_us": NOW_US,
    "created_after_us": NOW_US,
    "pattern": "%x%",
    "exact": "pay_1",
    "status": "captured",
    "id": "inv_00001",
    "invoice_id": "inv_00001",
    "payment_id": "pay_00001",
    "connection_id": CONNECTION.id,
    "provider_id": "bank-1",
    "object_id": "bank-1",
    "conversation_key": "peer:777",
    "payer_hash": "payer",
    "form_nonce": "nonce",
    "token": "token-1",
    "subject_id": "pay_00001",
    "kind": "receipt",
    "secret_hash": "x",
    "at_us": NOW_US,
    "paid_since_us": NOW_US,
    "mail_after_id": "mail_1",
    "refund_before_us": NOW_US,
    "limit_per_section": 100,
    "market_item_id": 1,
    "slug": "lak",
    "after_id": "inv_1",
    "created_by": "storefront",
    "since_id": "pay_0",
    "run_id": "rec_1",
    "state": "open",
    "ids": ["pay_00001", "pay_00002"],
    "connection_ids": [CONNECTION.id],
    "provider_ids": ["bank-1", "bank-2"],
    "keys": ["reminder:crd_1:2026-11-24"],
}
STATEMENTS: dict[str, Statement] = {
    **{f"invoices {key}": stmt for key, stmt in invoices._LISTS.items()},
    **{f"payments {key}": stmt for key, stmt in payments._LISTS.items()},
    "invoice by token": invoices._find_for_payment_page,
    "authorized payments": invoices._count_holds,
    "payment by token": payments._find_by_token,
    "payment by form": payments._find_by_form,
    "unfinished payment of a browser": payments._find_unfinished,
    "payment by acquirer's id": payments._find_by_provider_id,
    "receipt": receipts._find_for_payment,
    "answers of a payment": answers._list_for_payment,
    "answers of a browser": answers._find_by_payer,
    "consents": answers._list_consents,
    "captured amounts": payments._sum_captured,
    "refunds": refunds._list_for_payment,
    "mails": mails._list_for_payment,
    "timeline": timeline._list_for_subject,
    "acquirer notices": acquirer_notices._list_for_object,
    "active connection": connections._find_active,
    "unprocessed VK events": vk_events._list_unprocessed,
    "session": sessions._find,
    "API key": api_keys._find,
    "ledger": ledger._sum_owed,
    "due jobs": jobs._claim,
    **{f"to-do board {name}": stmt for name, stmt in todo_board.LISTS.items()},
    **{f"to-do board counts {len(names)}": stmt for names, stmt in todo_board.COUNTS.items()},
    "reminders": todo_board.SENT_TIMES,
    "services": services._list_for_shop,
    "service by market item": services._find_by_market_item,
    "photos of services": photos._list_sizes,
    "shop by slug": shops._find_by_slug,
    "reconciliation runs": runs._list_for_shop,
    "differences of a run": differences._list_for_run,
    "count of differences": differences._count_by_state,
    "closed differences": differences._list_closed,
    "payments of a period": rows._list_payments,
    "refunds of a period": rows._list_refunds,
    "count of payments of a period": rows._count_payments,
    "count of refunds of a period": rows._count_refunds,
    "payments by acquirer's ids": rows._payments_by_provider_ids,
    "refunds by acquirer's ids": rows._refunds_by_provider_ids,
    "payments by ids": rows._payments_by_ids,
    "invoices by ids": rows._invoice_ids,
    "ledger by ids": rows._booked,
    "unpaid storefront invoices": invoices._count_open_by_creator,
}
# Bad queries that prove that the check detects scans and sorts.
KNOWN_BAD = {
    "full scan": statement(select(tables.invoices).where(tables.invoices.c.title == "x")),
    "sort": statement(
        select(tables.payments)
        .where(tables.payments.c.shop_id == bindparam("shop_id"))
        .order_by(tables.payments.c.form_nonce)
    ),
}
# One shop's captures of a day are grouped in memory; due jobs are updated in any order.
SORT_ALLOWED = {"captured amounts", "due jobs", "count of differences", "ledger by ids"}


@pytest.fixture
async def filled_url(database_url: str) -> str:
    """Return a database with enough rows for realistic query plans."""
    db = await open_database(database_url)
    await insert_rows(
        db, SHOP, CONNECTION, *(replace(SHOP, id=f"shp_{n}", slug=None) for n in range(2, 100))
    )
    await insert_rows(db, *(plain_invoice(n) for n in range(1, 101)))
    await insert_rows(db, *(plain_payment(n) for n in range(1, 101)))
    await db.close()
    return database_url


def sqlite_plan(con: sqlite3.Connection, stmt: Statement) -> list[str]:
    compiled = stmt.compiled_for("sqlite")
    sql, values = compiled.sql, compiled.arguments(VALUES)
    return [row[3] for row in con.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


async def postgres_plan(con: asyncpg.Connection, stmt: Statement) -> list[str]:
    compiled = stmt.compiled_for("postgresql")
    sql, values = compiled.sql, compiled.arguments(VALUES)
    return [row[0] for row in await con.fetch(f"EXPLAIN (COSTS OFF) {sql}", *values)]


async def test_every_list_query_uses_an_index(filled_url: str) -> None:
    slow: dict[str, list[str]] = {}
    if filled_url.startswith("sqlite"):
        with closing(sqlite3.connect(filled_url.removeprefix("sqlite:///"))) as con:
            con.execute("ANALYZE")
            for name, stmt in (STATEMENTS | KNOWN_BAD).items():
                plan = sqlite_plan(con, stmt)
                if bad_steps := [step for step in plan if _is_bad_sqlite_step(step, name)]:
                    slow[name] = bad_steps
    else:
        con = await asyncpg.connect(filled_url)
        await con.execute("ANALYZE")
        # The planner prefers scans for few rows. With scans and sorts disabled, a plan
        # contains one only when no index can serve the query.
        for plan_type in ("seqscan", "sort", "bitmapscan", "incremental_sort"):
            await con.execute(f"SET enable_{plan_type} = off")
        for name, stmt in (STATEMENTS | KNOWN_BAD).items():
            plan = await postgres_plan(con, stmt)
            if bad_steps := [step for step in plan if _is_bad_postgres_step(step, name)]:
                slow[name] = bad_steps
        await con.close()
    assert set(slow) == set(KNOWN_BAD), slow


def _is_bad_sqlite_step(step: str, name: str) -> bool:
    sorts_rows = "TEMP B-TREE" in step and name not in SORT_ALLOWED
    # Row sources that are subqueries with their own limit, not tables.
    row_sources = ("SCAN due", "SCAN anon_", "SCAN CONSTANT ROW", "SCAN json_each ")
    is_row_source = step.startswith(row_sources)
    return sorts_rows or (step.startswith("SCAN") and "USING" not in step and not is_row_source)


def _is_bad_postgres_step(step: str, name: str) -> bool:
    return "Seq Scan" in step or ("Sort" in step and "Key" not in step and name not in SORT_ALLOWED)
