"""Two small tables and their statements for the tests of the database engine."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from sigma.store.database import open_database
from sigma.store.engine.interface import Database
from sigma.store.engine.statements import DIALECTS, in_list, insert_ignore, statement, upsert
from sigma.store.schema.columns import BigInt, Flag, TextC
from tests.postgres import run_sql

metadata = MetaData(naming_convention={"uq": "uq_%(table_name)s_%(column_0_N_name)s"})
shops = Table(
    "shops",
    metadata,
    Column("id", TextC, primary_key=True),
    Column("balance", BigInt, nullable=False),
)
requests = Table(
    "requests",
    metadata,
    Column("shop", TextC, ForeignKey("shops.id"), nullable=False),
    Column("key", TextC, nullable=False),
    Column("answer", TextC),
    Column("done", Flag, nullable=False),
    UniqueConstraint("shop", "key"),
    Index("uq_requests_answer", "answer", unique=True),
)

INSERT_SHOP = statement(insert(shops))
GET_SHOP = statement(select(shops).where(shops.c.id == bindparam("id")))
LOCK_SHOP = statement(select(shops).where(shops.c.id == bindparam("id")).with_for_update())
LIST_SHOPS = statement(select(shops).order_by(shops.c.id))
COUNT_SHOPS = statement(select(func.count().label("n")).select_from(shops))
SELECT_SHOPS_BY_ID = statement(
    select(shops.c.id).where(in_list(shops.c.id, "ids")).order_by(shops.c.id)
)
SELECT_SHOPS_BY_BALANCE = statement(select(shops.c.id).where(in_list(shops.c.balance, "sums")))
SELECT_SHOPS_A_AND_C = statement(
    select(shops.c.id).where(shops.c.id.in_(["a", "c"])).order_by(shops.c.id)
)
ADD_TO_BALANCE = statement(
    update(shops)
    .where(shops.c.id == bindparam("id_"))
    .values(balance=shops.c.balance + bindparam("by"))
)
INCREMENT_BALANCE = statement(
    update(shops)
    .where(shops.c.id == bindparam("id_"))
    .values(balance=shops.c.balance + 1)
    .returning(shops.c.balance)
)
COMPARE_AND_SET_BALANCE = (
    statement(  # optimistic locking: updates only if the balance is still `was`
        update(shops)
        .where(shops.c.id == bindparam("id_"), shops.c.balance == bindparam("was"))
        .values(balance=bindparam("will"))
    )
)
DELETE_SHOP = statement(delete(shops).where(shops.c.id == bindparam("id")))
INSERT_REQUEST = statement(insert(requests))
INSERT_REQUEST_IGNORE = statement(insert_ignore(requests, "shop", "key").returning(requests.c.key))
UPSERT_SHOP = statement(upsert(shops, ["id"], ["balance"]))


def request_values(
    shop: str, key: str, answer: str | None = None, done: bool = False
) -> dict[str, object]:
    return {"shop": shop, "key": key, "answer": answer, "done": done}


async def get_balance(db: Database, shop: str) -> int | None:
    """Return the shop's balance, or None if there is no such shop."""
    async with db.read() as tx:
        row = await tx.fetch_one(GET_SHOP, id=shop)
    return None if row is None else int(row["balance"])


async def count_shops(db: Database) -> int:
    async with db.read() as tx:
        row = await tx.fetch_one(COUNT_SHOPS)
    assert row is not None
    return int(row["n"])


def create_statements(dialect: str) -> list[str]:
    """Return the CREATE statements of both tables in a dialect ("sqlite" or "postgresql")."""
    tables = metadata.sorted_tables
    statements: list[CreateTable | CreateIndex] = [CreateTable(table) for table in tables]
    statements += [CreateIndex(index) for table in tables for index in table.indexes]
    return [str(one.compile(dialect=DIALECTS[dialect])) for one in statements]


def create_sqlite_tables(path: Path) -> str:
    """Create the tables in a new SQLite file; return its URL."""
    with sqlite3.connect(path) as con:
        for sql in create_statements("sqlite"):
            con.execute(sql)
    con.close()
    return f"sqlite:///{path}"


def create_postgres_tables(url: str) -> None:
    """Create the tables in a PostgreSQL database."""
    run_sql(url, *create_statements("postgresql"))


@asynccontextmanager
async def open_engine(url: str, pool_size: int = 8) -> AsyncIterator[Database]:
    """Open the database on these tables and close it after the block."""
    db = await open_database(url, pool_size=pool_size, metadata=metadata)
    try:
        yield db
    finally:
        await db.close()
