"""What the database promises, on SQLite and PostgreSQL alike."""

import asyncio
import time

import pytest

from sigma.store.database import (
    Conflict,
    Database,
    Op,
    Refused,
    Stale,
    Unreachable,
    open_database,
    text_statement,
)
from tests.store.engine import (
    ADD_REQUEST,
    ADD_REQUEST_ONCE,
    ADD_SHOP,
    CHANGE,
    COUNT_SHOPS,
    GET_SHOP,
    LIST_SHOPS,
    LOCK_SHOP,
    NEXT,
    PUT_SHOP,
    RAISE,
    SHOPS_OF,
    SHOPS_WITH,
    SOME_SHOPS,
    balance,
    count,
    metadata,
    request,
)


def add(shop: str, balance: int = 0) -> Op:
    return Op(ADD_SHOP, {"id": shop, "balance": balance})


async def test_what_was_written_is_read_by_column_name(db: Database) -> None:
    async with db.write() as tx:
        assert await tx.execute(ADD_SHOP, id="a", balance=-(2**62)) == 1
    async with db.read() as tx:
        row = await tx.fetch_one(GET_SHOP, id="a")
        assert row is not None
        assert (row["id"], row["balance"]) == ("a", -(2**62))
        assert await tx.fetch_one(GET_SHOP, id="nobody") is None
        assert [row["id"] for row in await tx.fetch_all(LIST_SHOPS)] == ["a"]


async def test_an_exception_in_the_block_undoes_everything(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - leaving raises
        async with db.write() as tx:
            await tx.execute(ADD_SHOP, id="a", balance=1)
            await tx.write_all([add("b")])
            await tx.execute(ADD_SHOP, id="c", balance=1)
            raise ZeroDivisionError
    assert await count(db) == 0


async def test_a_transaction_sees_its_own_writes_and_nobody_else_does(db: Database) -> None:
    async with db.write() as tx:
        await tx.write_all([add("a")])
        row = await tx.fetch_one(COUNT_SHOPS)
        assert row is not None
        assert row["n"] == 1
        assert await count(db) == 0
        await tx.execute(RAISE, id_="a", by=5)
        row = await tx.fetch_one(LOCK_SHOP, id="a")
        assert row is not None
        assert row["balance"] == 5
    assert await balance(db, "a") == 5


async def test_a_caught_error_still_ends_the_transaction(db: Database) -> None:
    await db.commit([add("a")])
    with pytest.raises(Conflict):  # noqa: PT012 - leaving raises
        async with db.write() as tx:
            await tx.execute(ADD_SHOP, id="b", balance=0)
            with pytest.raises(Conflict):
                await tx.execute(ADD_SHOP, id="a", balance=0)
            with pytest.raises(Conflict):
                await tx.fetch_one(GET_SHOP, id="a")
    assert await count(db) == 1


@pytest.mark.parametrize("begun", [False, True])
async def test_a_conflict_names_the_key_alike_on_both_databases(db: Database, begun: bool) -> None:
    await db.commit([add("s"), Op(ADD_REQUEST, request("s", "k", "first"))])
    for values, name in (
        (request("s", "k", "second"), "uq_requests_shop_key"),
        (request("s", "other", "first"), "uq_requests_answer"),
    ):
        with pytest.raises(Conflict) as caught:  # noqa: PT012 - leaving raises
            async with db.write() as tx:
                if begun:
                    await tx.fetch_one(LOCK_SHOP, id="s")
                await tx.write_all([Op(ADD_REQUEST, values)])
        assert caught.value.constraint == name
    with pytest.raises(Conflict) as caught:
        await db.commit([add("s")])
    assert caught.value.constraint == "shops_pkey"


async def test_a_row_without_its_parent_is_refused(db: Database) -> None:
    with pytest.raises(Refused):
        await db.commit([Op(ADD_REQUEST, request("nobody", "k"))])
    with pytest.raises(Refused):
        await db.commit([Op(ADD_SHOP, {"id": "a", "balance": None})])


@pytest.mark.parametrize("begun", [False, True])
async def test_a_write_that_meets_no_row_is_stale_and_undoes_the_rest(
    db: Database, begun: bool
) -> None:
    await db.commit([add("a", 1)])
    ops = [add("b"), Op(CHANGE, {"id_": "a", "was": 7, "will": 8}), add("c")]
    with pytest.raises(Stale, match="0 rows instead of 1"):  # noqa: PT012 - leaving raises
        async with db.write() as tx:
            if begun:
                await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.write_all(ops)
    with pytest.raises(Stale):
        await db.commit(ops)
    assert await count(db) == 1
    await db.commit([Op(CHANGE, {"id_": "a", "was": 1, "will": 2}), add("b")])
    assert await balance(db, "a") == 2


async def test_a_write_may_expect_any_number_of_rows(db: Database) -> None:
    await db.commit([add("a"), Op(CHANGE, {"id_": "a", "was": 7, "will": 8}, expect=None)])
    await db.commit([Op(ADD_REQUEST_ONCE, request("a", "k")), add("b")])
    again = Op(ADD_REQUEST_ONCE, request("a", "k"), expect=0)
    await db.commit([again, add("c")])
    assert await count(db) == 3


async def test_hundreds_of_writes_are_one_transaction(db: Database) -> None:
    many = [add(f"shop-{number}", number) for number in range(300)]
    with pytest.raises(Conflict):
        await db.commit([*many, add("shop-7")])
    assert await count(db) == 0
    await db.commit(many)
    assert await count(db) == 300


async def test_two_write_alls_in_a_block_follow_one_another(db: Database) -> None:
    async with db.write() as tx:
        await tx.write_all([add("a", 1)])
        await tx.write_all([Op(CHANGE, {"id_": "a", "was": 1, "will": 2})])
        await tx.write_all([Op(CHANGE, {"id_": "a", "was": 2, "will": 3})])
    assert await balance(db, "a") == 3


async def test_a_list_of_any_length_is_one_value(db: Database) -> None:
    await db.commit([add("a", 1), add("b", 2), add("c", 3), add("Ж\"\\'", 4)])
    async with db.read() as tx:

        async def found(ids: list[str]) -> list[str]:
            return [row["id"] for row in await tx.fetch_all(SHOPS_OF, ids=ids)]

        assert await found(["c", "a", "nobody"]) == ["a", "c"]
        assert await found([]) == []
        assert await found(["Ж\"\\'"]) == ["Ж\"\\'"]
        rows = await tx.fetch_all(SHOPS_WITH, sums=[2, 9])
        assert [row["id"] for row in rows] == ["b"]
        assert [row["id"] for row in await tx.fetch_all(SOME_SHOPS)] == ["a", "c"]


async def test_insert_ignore_and_upsert_tell_new_from_known(db: Database) -> None:
    await db.commit([add("a", 1)])
    async with db.write() as tx:
        assert await tx.fetch_one(ADD_REQUEST_ONCE, **request("a", "k")) is not None
        assert await tx.fetch_one(ADD_REQUEST_ONCE, **request("a", "k")) is None
        assert await tx.execute(PUT_SHOP, id="a", balance=5) == 1
        assert await tx.execute(PUT_SHOP, id="b", balance=6) == 1
    assert (await balance(db, "a"), await balance(db, "b")) == (5, 6)


async def test_a_float_is_not_money(db: Database) -> None:
    with pytest.raises(TypeError, match="float"):
        await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 12.5})])
    with pytest.raises(KeyError):
        await db.commit([Op(ADD_SHOP, {"id": "a"})])
    assert await count(db) == 0


async def test_sql_by_hand_runs_on_both_databases(db: Database) -> None:
    total = text_statement(
        "SELECT CAST(SUM(balance) AS BIGINT) AS total FROM shops WHERE id >= :least", "least"
    )
    await db.commit([add("a", 1), add("b", 2), add("c", 3)])
    async with db.read() as tx:
        row = await tx.fetch_one(total, least="b")
        assert row is not None
        assert row["total"] == 5
    with pytest.raises(ValueError, match="least"):
        text_statement("SELECT :least", "most")


async def test_reading_refuses_to_write(db: Database) -> None:
    async with db.read() as tx:
        with pytest.raises(RuntimeError, match="only reads"):
            await tx.fetch_one(NEXT, id_="a")


async def test_a_counter_gives_every_caller_another_number(db: Database) -> None:
    await db.commit([add("a")])
    rows = await asyncio.gather(*(db.relaxed(NEXT, id_="a") for _ in range(100)))
    assert sorted(row["balance"] for row in rows if row) == list(range(1, 101))
    assert await db.relaxed(NEXT, id_="nobody") is None
    await db.commit([add("b")])
    assert await balance(db, "a") == 100


async def test_a_counter_alone_reaches_the_disk_soon(db: Database) -> None:
    await db.commit([add("a")])
    await db.relaxed(NEXT, id_="a")
    deadline = time.monotonic() + 2
    while await balance(db, "a") != 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("moment", ["waiting for its turn", "in a statement", "between them"])
async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(
    db: Database, moment: str
) -> None:
    await db.commit([add("a")])
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.execute(RAISE, id_="a", by=100)
            inside.set()
            await go_on.wait()
            while moment == "in a statement":
                await tx.execute(RAISE, id_="a", by=1)

    async def second() -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.execute(RAISE, id_="a", by=1)

    one = asyncio.create_task(first())
    await inside.wait()
    two = asyncio.create_task(second())
    await asyncio.sleep(0.02)
    if moment == "waiting for its turn":
        two.cancel()
        go_on.set()
        await asyncio.gather(one, two, return_exceptions=True)
        assert await balance(db, "a") == 100
    else:
        if moment == "in a statement":
            go_on.set()
            await asyncio.sleep(0.02)
        one.cancel()
        await asyncio.gather(one, two, return_exceptions=True)
        assert await balance(db, "a") == 1
    await asyncio.wait_for(db.commit([add("b")]), 2)


async def test_cancelling_at_every_moment_never_jams_the_database(db: Database) -> None:
    await db.commit([add("a")])

    async def work(number: int) -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.execute(RAISE, id_="a", by=1)
            await tx.write_all([add(f"w{number}")])

    for number in range(120):
        tasks = [asyncio.create_task(work(number * 3 + one)) for one in range(3)]
        for _ in range(number % 12):
            await asyncio.sleep(0)
        await asyncio.sleep(number % 7 / 3000)
        tasks[number % 3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(work(1000), 5)
    assert await balance(db, "a") == await count(db) - 1


async def test_a_row_lock_lets_nobody_add_to_an_old_balance(db: Database) -> None:
    await db.commit([add("a")])

    async def deposit() -> None:
        async with db.write() as tx:
            row = await tx.fetch_one(LOCK_SHOP, id="a")
            assert row is not None
            new = {"id_": "a", "was": row["balance"], "will": row["balance"] + 1}
            await tx.write_all([Op(CHANGE, new)])

    await asyncio.gather(*(deposit() for _ in range(200)))
    assert await balance(db, "a") == 200


async def test_without_a_lock_the_expectation_catches_the_race(db: Database) -> None:
    await db.commit([add("a")])

    async def deposit() -> bool:
        try:
            async with db.write() as tx:
                row = await tx.fetch_one(GET_SHOP, id="a")
                assert row is not None
                await asyncio.sleep(0.001)
                new = {"id_": "a", "was": row["balance"], "will": row["balance"] + 1}
                await tx.write_all([Op(CHANGE, new)])
        except Stale:
            return False
        return True

    done = sum(await asyncio.gather(*(deposit() for _ in range(50))))
    assert 1 <= done < 50
    assert await balance(db, "a") == done


async def test_a_transaction_inside_a_transaction_is_refused_at_once(db: Database) -> None:
    await db.commit([add("a")])
    async with db.write() as tx:
        await tx.execute(RAISE, id_="a", by=1)
        for nested in (db.commit([add("b")]), db.relaxed(NEXT, id_="a")):
            with pytest.raises(RuntimeError, match="inside a transaction"):
                await nested
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with db.write() as other:
                await other.execute(RAISE, id_="a", by=1)
    assert await balance(db, "a") == 1


async def test_a_waiter_is_woken_by_a_committed_write(db: Database) -> None:
    waiter = asyncio.create_task(db.wait("jobs", 10))
    await asyncio.sleep(0.05)
    assert not waiter.done()
    await db.commit([add("a")], wake="jobs")
    await asyncio.wait_for(waiter, 2)
    async with db.write() as tx:
        await tx.write_all([add("b")], wake="jobs")
    await asyncio.wait_for(db.wait("jobs", 10), 2)  # it was woken before it waited
    with pytest.raises(Conflict):
        await db.commit([add("a")], wake="jobs")
    started_at = time.monotonic()
    await db.wait("jobs", 0.1)
    assert time.monotonic() - started_at > 0.09


async def test_closing_lets_go_of_everyone(db: Database) -> None:
    await db.commit([add("a")])
    inside = asyncio.Event()

    async def hold() -> None:
        async with db.write() as tx:
            await tx.execute(RAISE, id_="a", by=1)
            inside.set()
            await asyncio.sleep(0.05)

    holder = asyncio.create_task(hold())
    await inside.wait()
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
async def test_a_database_out_of_reach_is_said_in_one_line_without_the_password(url: str) -> None:
    with pytest.raises(Unreachable) as caught:
        await open_database(url, metadata=metadata)
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
