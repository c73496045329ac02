"""A small shop of two tables for the tests of the database engine, on either database."""

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

from sigma.store.database import Database, in_list, insert_ignore, open_database, statement, upsert
from sigma.store.engine.statements import DIALECTS
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

ADD_SHOP = statement(insert(shops))
GET_SHOP = statement(select(shops).where(shops.c.id == bindparam("id")))
LOCK_SHOP = statement(select(shops).where(shops.c.id == bindparam("id")).with_for_update())
LIST_SHOPS = statement(select(shops).order_by(shops.c.id))
COUNT_SHOPS = statement(select(func.count().label("n")).select_from(shops))
SHOPS_OF = statement(select(shops.c.id).where(in_list(shops.c.id, "ids")).order_by(shops.c.id))
SHOPS_WITH = statement(select(shops.c.id).where(in_list(shops.c.balance, "sums")))
SOME_SHOPS = statement(select(shops.c.id).where(shops.c.id.in_(["a", "c"])).order_by(shops.c.id))
RAISE = statement(
    update(shops)
    .where(shops.c.id == bindparam("id_"))
    .values(balance=shops.c.balance + bindparam("by"))
)
NEXT = statement(
    update(shops)
    .where(shops.c.id == bindparam("id_"))
    .values(balance=shops.c.balance + 1)
    .returning(shops.c.balance)
)
CHANGE = statement(  # a versioned update
    update(shops)
    .where(shops.c.id == bindparam("id_"), shops.c.balance == bindparam("was"))
    .values(balance=bindparam("will"))
)
DROP_SHOP = statement(delete(shops).where(shops.c.id == bindparam("id")))
ADD_REQUEST = statement(insert(requests))
ADD_REQUEST_ONCE = statement(insert_ignore(requests, "shop", "key").returning(requests.c.key))
PUT_SHOP = statement(upsert(shops, ["id"], ["balance"]))


def request(
    shop: str, key: str, answer: str | None = None, done: bool = False
) -> dict[str, object]:
    return {"shop": shop, "key": key, "answer": answer, "done": done}


async def balance(db: Database, shop: str) -> int | None:
    async with db.read() as tx:
        row = await tx.fetch_one(GET_SHOP, id=shop)
    return None if row is None else int(row["balance"])


async def count(db: Database) -> int:
    async with db.read() as tx:
        row = await tx.fetch_one(COUNT_SHOPS)
    assert row is not None
    return int(row["n"])


def ddl(dialect: str) -> list[str]:
    tables = metadata.sorted_tables
    made: list[CreateTable | CreateIndex] = [CreateTable(table) for table in tables]
    made += [CreateIndex(index) for table in tables for index in table.indexes]
    return [str(one.compile(dialect=DIALECTS[dialect])) for one in made]


def make_sqlite(path: Path) -> str:
    with sqlite3.connect(path) as con:
        for sql in ddl("sqlite"):
            con.execute(sql)
    con.close()
    return f"sqlite:///{path}"


def make_postgres(url: str) -> None:
    run_sql(url, *ddl("postgresql"))


@asynccontextmanager
async def opened(url: str, pool_size: int = 8) -> AsyncIterator[Database]:
    db = await open_database(url, pool_size=pool_size, metadata=metadata)
    try:
        yield db
    finally:
        await db.close()
