"""How fast payments settle: the acquirer's word, the lock, the books, the receipt, the promised
mail.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import limits
from bench.stage import Stage
from sigma.domain.billing import payment as domain
from sigma.domain.billing.payment import Payment
from sigma.services.billing import payments
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices
from sigma.store.billing import payments as rows
from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.postgres import PostgresDatabase
from tests.postgres import run_sql

CLIENTS = 16
_COPIED = {  # what must be its own in each copy of a prepared row
    "invoices": ("id", "token"),
    "payments": ("id", "invoice_id", "operation_key", "provider_id", "token", "nonce"),
}


async def ours(stage: Stage, count: int) -> float:
    """Payments a second through `payments.advance`, CLIENTS at a time."""
    waiting = [await stage.pending() for _ in range(count)]
    began = time.perf_counter()

    async def one(share: Sequence[Payment]) -> None:
        for payment in share:
            settled = await payments.advance(stage.ctx, payment.id)
            assert settled.status is domain.Status.CAPTURED

    await asyncio.gather(*(one(waiting[n::CLIENTS]) for n in range(CLIENTS)))
    return count / (time.perf_counter() - began)


async def postgres_script(stage: Stage, url: str, copies: int) -> str:
    """The pgbench script of a settlement, with rows prepared for `copies` transactions a client."""
    assert isinstance(stage.ctx.db, PostgresDatabase)
    warm, one, two = [await stage.pending() for _ in range(3)]
    await payments.advance(stage.ctx, warm.id)
    _copy_rows(url, one, copies)
    first = await limits.record(stage.ctx.db, lambda: payments.advance(stage.ctx, one.id))
    second = await limits.record(stage.ctx.db, lambda: payments.advance(stage.ctx, two.id))
    return limits.script(first, second)


def _copy_rows(url: str, payment: Payment, copies: int) -> None:
    """Copies an open invoice and its payment, ids and all, under the suffixes that pgbench will
    name.
    """
    keys = {"invoices": payment.invoice_id, "payments": payment.id}
    for table, changed in _COPIED.items():
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
    told = run_sql(
        url,
        "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) "
        f"FROM information_schema.columns WHERE table_name = '{table}'",
    )
    return told.strip().split(",")


async def sqlite_limit(stage: Stage, path: Path, count: int) -> float:
    """The same reads and writes on the bare driver, one COMMIT each."""
    decisions: list[list[tuple[str, Sequence[Any]]]] = []
    for _ in range(count):
        payment = await stage.pending()
        decisions.append(await _statements(stage, payment))
    return await asyncio.to_thread(limits.sqlite_rate, path, decisions)


async def _statements(stage: Stage, payment: Payment) -> list[tuple[str, Sequence[Any]]]:
    ctx, taken = stage.ctx, _Taken()
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, payment.invoice_id)
        shop = await shops.get(tx, payment.shop_id)
    assert invoice is not None
    assert shop is not None
    assert payment.provider_id is not None
    provider = ctx.providers["yookassa"]
    reply = await provider.fetch_payment(None, payment.provider_id)  # type: ignore[arg-type]
    change = domain.settle(payment, invoice, shop, reply, ctx.now(), ctx.ids_of(shop.id))
    await changes.write(taken, change, ctx.now())
    reads = [
        (rows.CODEC.by_id, {"id": payment.id}),
        (shops.CODEC.by_id, {"id": shop.id}),
        (invoices.CODEC.by_id, {"id": invoice.id}),
        (rows.CODEC.by_id, {"id": payment.id}),
    ]
    writes = [(op.stmt, op.values) for op in taken.ops]
    return [
        (stmt.on("sqlite").sql, stmt.on("sqlite").arguments(values))
        for stmt, values in [*reads, *writes]
    ]


class _Taken(Tx):
    """A transaction that only remembers what it was asked to write."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    async def write_all(self, ops: Sequence[Op], wake: str | None = None) -> None:
        """Remembers."""
        self.ops += ops
