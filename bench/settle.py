"""Measure settlement: the acquirer's reply, the lock, ledger entries, the receipt, the mail job."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import limits
from bench.stage import Harness
from sigma.domain.billing import payment as domain
from sigma.domain.billing.payment import Payment
from sigma.services.billing import payments
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices
from sigma.store.billing import payments as rows
from sigma.store.engine.postgres import PostgresDatabase
from tests.postgres import run_sql

CLIENTS = 16
_UNIQUE_COLUMNS = {  # columns that must be unique in each copy of a prepared row
    "invoices": ("id", "token"),
    "payments": ("id", "invoice_id", "operation_key", "provider_id", "token", "form_nonce"),
}


async def settlement_rate(harness: Harness, count: int) -> float:
    """Return payments per second through `payments.advance`, CLIENTS at a time."""
    pending = [await harness.create_pending_payment() for _ in range(count)]
    start_s = time.perf_counter()

    async def settle_share(share: Sequence[Payment]) -> None:
        for payment in share:
            settled = await payments.advance(harness.ctx, payment.id)
            assert settled.status is domain.Status.CAPTURED

    await asyncio.gather(*(settle_share(pending[n::CLIENTS]) for n in range(CLIENTS)))
    return count / (time.perf_counter() - start_s)


async def postgres_script(harness: Harness, url: str, copies: int) -> str:
    """Return the pgbench script of a settlement and prepare rows for `copies` runs per client."""
    assert isinstance(harness.ctx.db, PostgresDatabase)
    warm, one, two = [await harness.create_pending_payment() for _ in range(3)]
    await payments.advance(harness.ctx, warm.id)
    _copy_rows(url, one, copies)
    first = await limits.record_statements(
        harness.ctx.db, lambda: payments.advance(harness.ctx, one.id)
    )
    second = await limits.record_statements(
        harness.ctx.db, lambda: payments.advance(harness.ctx, two.id)
    )
    return limits.pgbench_script(first, second)


def _copy_rows(url: str, payment: Payment, copies: int) -> None:
    """Copy an open invoice and its payment once for each suffix that pgbench will use."""
    keys = {"invoices": payment.invoice_id, "payments": payment.id}
    for table, changed in _UNIQUE_COLUMNS.items():
        columns = _columns(url, table)
        values = [
            f"{c} || u" if c in changed else f"{c} + u" if c == "number" else c for c in columns
        ]
        run_sql(
            url,
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table}, "
            f"(SELECT c * 1000000 + 100000000 + i AS u FROM generate_series(0, {CLIENTS - 1}) c, "
            f"generate_series(1, {copies}) i) AS g WHERE id = '{keys[table]}'",
        )
    run_sql(url, "ANALYZE invoices", "ANALYZE payments")


def _columns(url: str, table: str) -> list[str]:
    output = run_sql(
        url,
        "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) "
        f"FROM information_schema.columns WHERE table_name = '{table}'",
    )
    return output.strip().split(",")


async def sqlite_limit(harness: Harness, path: Path, count: int) -> float:
    """Return the rate of the same reads and writes on the bare driver, one COMMIT each."""
    decisions: list[list[tuple[str, Sequence[Any]]]] = []
    for _ in range(count):
        payment = await harness.create_pending_payment()
        decisions.append(await _statements(harness, payment))
    return await asyncio.to_thread(limits.sqlite_rate, path, decisions)


async def _statements(harness: Harness, payment: Payment) -> list[tuple[str, Sequence[Any]]]:
    ctx = harness.ctx
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, payment.invoice_id)
        shop = await shops.get(tx, payment.shop_id)
    assert invoice is not None
    assert shop is not None
    assert payment.provider_id is not None
    provider = ctx.providers["yookassa"]
    reply = await provider.fetch_payment(None, payment.provider_id)  # type: ignore[arg-type]
    change = domain.settle(payment, invoice, shop, reply, ctx.now_us(), ctx.id_factory(shop.id))
    ops, _ = changes.write_ops(change, ctx.now_us())
    reads = [
        (rows.CODEC.select_by_id, {"id": payment.id}),
        (shops.CODEC.select_by_id, {"id": shop.id}),
        (invoices.CODEC.select_by_id, {"id": invoice.id}),
        (rows.CODEC.select_by_id, {"id": payment.id}),
    ]
    writes = [(op.stmt, op.values) for op in ops]
    return [
        (stmt.compiled_for("sqlite").sql, stmt.compiled_for("sqlite").arguments(values))
        for stmt, values in [*reads, *writes]
    ]
