"""Database interface: the guarantees that SQLite and PostgreSQL share."""

import asyncio
import time

import pytest

from sigma.store.database import open_database
from sigma.store.engine.interface import (
    ConflictError,
    Database,
    IntegrityError,
    Op,
    StaleError,
    UnreachableError,
)
from sigma.store.engine.statements import text_statement
from tests.store.engine_tables import (
    ADD_TO_BALANCE,
    COMPARE_AND_SET_BALANCE,
    COUNT_SHOPS,
    GET_SHOP,
    INCREMENT_BALANCE,
    INSERT_REQUEST,
    INSERT_REQUEST_IGNORE,
    INSERT_SHOP,
    LIST_SHOPS,
    LOCK_SHOP,
    SELECT_SHOPS_A_AND_C,
    SELECT_SHOPS_BY_BALANCE,
    SELECT_SHOPS_BY_ID,
    UPSERT_SHOP,
    count_shops,
    get_balance,
    metadata,
    request_values,
)


def add(shop: str, balance: int = 0) -> Op:
    return Op(INSERT_SHOP, {"id": shop, "balance": balance})


async def test_written_row_is_read_by_column_name(db: Database) -> None:
    async with db.write() as tx:
        assert await tx.execute(INSERT_SHOP, id="a", balance=-(2**62)) == 1
    async with db.read() as tx:
        row = await tx.fetch_one(GET_SHOP, id="a")
        assert row is not None
        assert (row["id"], row["balance"]) == ("a", -(2**62))
        assert await tx.fetch_one(GET_SHOP, id="nobody") is None
        assert [row["id"] for row in await tx.fetch_all(LIST_SHOPS)] == ["a"]


async def test_exception_in_transaction_rolls_back_everything(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - leaving the block raises
        async with db.write() as tx:
            await tx.execute(INSERT_SHOP, id="a", balance=1)
            await tx.write_all([add("b")])
            await tx.execute(INSERT_SHOP, id="c", balance=1)
            raise ZeroDivisionError
    assert await count_shops(db) == 0


async def test_uncommitted_writes_are_visible_only_in_their_transaction(db: Database) -> None:
    async with db.write() as tx:
        await tx.write_all([add("a")])
        row = await tx.fetch_one(COUNT_SHOPS)
        assert row is not None
        assert row["n"] == 1
        assert await count_shops(db) == 0
        await tx.execute(ADD_TO_BALANCE, id_="a", by=5)
        row = await tx.fetch_one(LOCK_SHOP, id="a")
        assert row is not None
        assert row["balance"] == 5
    assert await get_balance(db, "a") == 5


async def test_transaction_fails_even_when_its_database_error_is_caught(db: Database) -> None:
    await db.commit([add("a")])
    with pytest.raises(ConflictError):  # noqa: PT012 - leaving the block raises
        async with db.write() as tx:
            await tx.execute(INSERT_SHOP, id="b", balance=0)
            with pytest.raises(ConflictError):
                await tx.execute(INSERT_SHOP, id="a", balance=0)
            with pytest.raises(ConflictError):
                await tx.fetch_one(GET_SHOP, id="a")
    assert await count_shops(db) == 1


@pytest.mark.parametrize("has_begun", [False, True])
async def test_conflict_names_same_constraint_on_both_databases(
    db: Database, has_begun: bool
) -> None:
    await db.commit([add("s"), Op(INSERT_REQUEST, request_values("s", "k", "first"))])
    for values, name in (
        (request_values("s", "k", "second"), "uq_requests_shop_key"),
        (request_values("s", "other", "first"), "uq_requests_answer"),
    ):
        with pytest.raises(ConflictError) as caught:  # noqa: PT012 - leaving the block raises
            async with db.write() as tx:
                if has_begun:
                    await tx.fetch_one(LOCK_SHOP, id="s")
                await tx.write_all([Op(INSERT_REQUEST, values)])
        assert caught.value.constraint == name
    with pytest.raises(ConflictError) as caught:
        await db.commit([add("s")])
    assert caught.value.constraint == "shops_pkey"


async def test_foreign_key_and_not_null_violations_are_refused(db: Database) -> None:
    with pytest.raises(IntegrityError):
        await db.commit([Op(INSERT_REQUEST, request_values("nobody", "k"))])
    with pytest.raises(IntegrityError):
        await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": None})])


@pytest.mark.parametrize("has_begun", [False, True])
async def test_update_of_changed_row_is_stale_and_rolls_back_the_rest(
    db: Database, has_begun: bool
) -> None:
    await db.commit([add("a", 1)])
    ops = [add("b"), Op(COMPARE_AND_SET_BALANCE, {"id_": "a", "was": 7, "will": 8}), add("c")]
    with pytest.raises(StaleError, match="0 rows instead of 1"):  # noqa: PT012 - leaving the block raises
        async with db.write() as tx:
            if has_begun:
                await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.write_all(ops)
    with pytest.raises(StaleError):
        await db.commit(ops)
    assert await count_shops(db) == 1
    await db.commit([Op(COMPARE_AND_SET_BALANCE, {"id_": "a", "was": 1, "will": 2}), add("b")])
    assert await get_balance(db, "a") == 2


async def test_write_may_expect_any_number_of_rows(db: Database) -> None:
    await db.commit(
        [
            add("a"),
            Op(COMPARE_AND_SET_BALANCE, {"id_": "a", "was": 7, "will": 8}, expected_rows=None),
        ]
    )
    await db.commit([Op(INSERT_REQUEST_IGNORE, request_values("a", "k")), add("b")])
    again = Op(INSERT_REQUEST_IGNORE, request_values("a", "k"), expected_rows=0)
    await db.commit([again, add("c")])
    assert await count_shops(db) == 3


async def test_hundreds_of_writes_are_one_transaction(db: Database) -> None:
    many = [add(f"shop-{number}", number) for number in range(300)]
    with pytest.raises(ConflictError):
        await db.commit([*many, add("shop-7")])
    assert await count_shops(db) == 0
    await db.commit(many)
    assert await count_shops(db) == 300


async def test_write_alls_in_one_transaction_run_in_order(db: Database) -> None:
    async with db.write() as tx:
        await tx.write_all([add("a", 1)])
        await tx.write_all([Op(COMPARE_AND_SET_BALANCE, {"id_": "a", "was": 1, "will": 2})])
        await tx.write_all([Op(COMPARE_AND_SET_BALANCE, {"id_": "a", "was": 2, "will": 3})])
    assert await get_balance(db, "a") == 3


async def test_list_of_any_length_is_one_bind_value(db: Database) -> None:
    await db.commit([add("a", 1), add("b", 2), add("c", 3), add("Ж\"\\'", 4)])
    async with db.read() as tx:

        async def ids_in(ids: list[str]) -> list[str]:
            return [row["id"] for row in await tx.fetch_all(SELECT_SHOPS_BY_ID, ids=ids)]

        assert await ids_in(["c", "a", "nobody"]) == ["a", "c"]
        assert await ids_in([]) == []
        assert await ids_in(["Ж\"\\'"]) == ["Ж\"\\'"]
        rows = await tx.fetch_all(SELECT_SHOPS_BY_BALANCE, sums=[2, 9])
        assert [row["id"] for row in rows] == ["b"]
        assert [row["id"] for row in await tx.fetch_all(SELECT_SHOPS_A_AND_C)] == ["a", "c"]


async def test_insert_ignore_returns_only_new_row_and_upsert_updates_existing_one(
    db: Database,
) -> None:
    await db.commit([add("a", 1)])
    async with db.write() as tx:
        assert await tx.fetch_one(INSERT_REQUEST_IGNORE, **request_values("a", "k")) is not None
        assert await tx.fetch_one(INSERT_REQUEST_IGNORE, **request_values("a", "k")) is None
        assert await tx.execute(UPSERT_SHOP, id="a", balance=5) == 1
        assert await tx.execute(UPSERT_SHOP, id="b", balance=6) == 1
    assert (await get_balance(db, "a"), await get_balance(db, "b")) == (5, 6)


async def test_float_for_integer_column_is_refused(db: Database) -> None:
    with pytest.raises(TypeError, match="float"):
        await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 12.5})])
    with pytest.raises(KeyError):
        await db.commit([Op(INSERT_SHOP, {"id": "a"})])
    assert await count_shops(db) == 0


async def test_raw_sql_runs_on_both_databases(db: Database) -> None:
    total = text_statement(
        "SELECT CAST(SUM(balance) AS BIGINT) AS total FROM shops WHERE id >= :min_id", "min_id"
    )
    await db.commit([add("a", 1), add("b", 2), add("c", 3)])
    async with db.read() as tx:
        row = await tx.fetch_one(total, min_id="b")
        assert row is not None
        assert row["total"] == 5
    with pytest.raises(ValueError, match="min_id"):
        text_statement("SELECT :min_id", "most")


async def test_read_transaction_refuses_to_write(db: Database) -> None:
    async with db.read() as tx:
        with pytest.raises(RuntimeError, match="only reads"):
            await tx.fetch_one(INCREMENT_BALANCE, id_="a")


async def test_unsynced_counter_gives_each_caller_a_different_number(db: Database) -> None:
    await db.commit([add("a")])
    rows = await asyncio.gather(
        *(db.execute_unsynced(INCREMENT_BALANCE, id_="a") for _ in range(100))
    )
    assert sorted(row["balance"] for row in rows if row) == list(range(1, 101))
    assert await db.execute_unsynced(INCREMENT_BALANCE, id_="nobody") is None
    await db.commit([add("b")])
    assert await get_balance(db, "a") == 100


async def test_unsynced_write_alone_is_committed_soon(db: Database) -> None:
    await db.commit([add("a")])
    await db.execute_unsynced(INCREMENT_BALANCE, id_="a")
    deadline = time.monotonic() + 2
    while await get_balance(db, "a") != 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("moment", ["waiting for its slot", "in a statement", "between statements"])
async def test_cancelled_transaction_leaves_no_rows_and_no_locks(db: Database, moment: str) -> None:
    await db.commit([add("a")])
    has_lock, go_on = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.execute(ADD_TO_BALANCE, id_="a", by=100)
            has_lock.set()
            await go_on.wait()
            while moment == "in a statement":
                await tx.execute(ADD_TO_BALANCE, id_="a", by=1)

    async def second() -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.execute(ADD_TO_BALANCE, id_="a", by=1)

    first_task = asyncio.create_task(first())
    await has_lock.wait()
    second_task = asyncio.create_task(second())
    await asyncio.sleep(0.02)
    if moment == "waiting for its slot":
        second_task.cancel()
        go_on.set()
        await asyncio.gather(first_task, second_task, return_exceptions=True)
        assert await get_balance(db, "a") == 100
    else:
        if moment == "in a statement":
            go_on.set()
            await asyncio.sleep(0.02)
        first_task.cancel()
        await asyncio.gather(first_task, second_task, return_exceptions=True)
        assert await get_balance(db, "a") == 1
    await asyncio.wait_for(db.commit([add("b")]), 2)


async def test_cancellation_at_any_moment_never_blocks_the_database(db: Database) -> None:
    await db.commit([add("a")])

    async def work(number: int) -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
            await tx.write_all([add(f"w{number}")])

    for number in range(120):
        tasks = [asyncio.create_task(work(number * 3 + index)) for index in range(3)]
        for _ in range(number % 12):
            await asyncio.sleep(0)
        await asyncio.sleep(number % 7 / 3000)
        tasks[number % 3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(work(1000), 5)
    assert await get_balance(db, "a") == await count_shops(db) - 1


async def test_row_lock_prevents_lost_updates(db: Database) -> None:
    await db.commit([add("a")])

    async def deposit() -> None:
        async with db.write() as tx:
            row = await tx.fetch_one(LOCK_SHOP, id="a")
            assert row is not None
            new = {"id_": "a", "was": row["balance"], "will": row["balance"] + 1}
            await tx.write_all([Op(COMPARE_AND_SET_BALANCE, new)])

    await asyncio.gather(*(deposit() for _ in range(200)))
    assert await get_balance(db, "a") == 200


async def test_expected_row_count_detects_race_without_lock(db: Database) -> None:
    await db.commit([add("a")])

    async def deposit() -> bool:
        try:
            async with db.write() as tx:
                row = await tx.fetch_one(GET_SHOP, id="a")
                assert row is not None
                await asyncio.sleep(0.001)
                new = {"id_": "a", "was": row["balance"], "will": row["balance"] + 1}
                await tx.write_all([Op(COMPARE_AND_SET_BALANCE, new)])
        except StaleError:
            return False
        return True

    succeeded = sum(await asyncio.gather(*(deposit() for _ in range(50))))
    assert 1 <= succeeded < 50
    assert await get_balance(db, "a") == succeeded


async def test_nested_transaction_is_refused_at_once(db: Database) -> None:
    await db.commit([add("a")])
    async with db.write() as tx:
        await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
        for nested in (db.commit([add("b")]), db.execute_unsynced(INCREMENT_BALANCE, id_="a")):
            with pytest.raises(RuntimeError, match="inside a transaction"):
                await nested
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with db.write() as other:
                await other.execute(ADD_TO_BALANCE, id_="a", by=1)
    assert await get_balance(db, "a") == 1


async def test_committed_write_wakes_waiter(db: Database) -> None:
    waiter = asyncio.create_task(db.wait("jobs", 10))
    await asyncio.sleep(0.05)
    assert not waiter.done()
    await db.commit([add("a")], notify_channels=["jobs"])
    await asyncio.wait_for(waiter, 2)
    async with db.write() as tx:
        await tx.write_all([add("b")], notify_channels=["jobs"])
    await asyncio.wait_for(db.wait("jobs", 10), 2)  # the signal came before the wait
    with pytest.raises(ConflictError):
        await db.commit([add("a")], notify_channels=["jobs"])
    started_at = time.monotonic()
    await db.wait("jobs", 0.1)
    assert time.monotonic() - started_at > 0.09


async def test_close_finishes_while_transaction_is_open(db: Database) -> None:
    await db.commit([add("a")])
    has_begun = asyncio.Event()

    async def hold() -> None:
        async with db.write() as tx:
            await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
            has_begun.set()
            await asyncio.sleep(0.05)

    holder = asyncio.create_task(hold())
    await has_begun.wait()
    await asyncio.wait_for(db.close(), 5)
    await asyncio.gather(holder, return_exceptions=True)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////no/such/folder/sigma.db",
        "sqlite://",
        "postgresql://sigma:secret@127.0.0.1:1/sigma",
        "mysql://127.0.0.1/sigma",
    ],
)
async def test_unreachable_database_error_is_one_line_without_password(url: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        await open_database(url, metadata=metadata)
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
