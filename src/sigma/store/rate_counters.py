"""Counters of rate limits, shared by all processes of an installation.

Every write is one statement that does not wait for the disk: a counter may be lost in a crash.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, delete, or_, select, update

from sigma.store.engine.interface import Database, Row, Tx
from sigma.store.engine.statements import insert_on_conflict, statement
from sigma.store.schema.account_tables import rate_counters
from sigma.store.schema.columns import BigInt


@dataclass(frozen=True, slots=True)
class RateCounter:
    """A counter. Times: UTC microseconds; after `expires_at_us` it counts as zero."""

    count: int
    last_at_us: int
    expires_at_us: int


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInt)


_COLUMNS = (
    rate_counters.c.count.label("attempts"),
    rate_counters.c.last_at_us,
    rate_counters.c.expires_at_us,
)
_is_expired = rate_counters.c.expires_at_us <= _number("now_us")
_insert: Any = insert_on_conflict(rate_counters).values(
    key=bindparam("key"),
    count=1,
    last_at_us=_number("now_us"),
    expires_at_us=_number("until_us"),
)
_next_count = case((_is_expired, 1), else_=rate_counters.c.count + 1)

# The first attempt opens the window; later ones do not prolong it. Above the limit nothing is
# written, so a flood costs no disk.
_add = statement(
    _insert.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": _next_count,
            "last_at_us": _number("now_us"),
            "expires_at_us": case(
                (_is_expired, _number("until_us")), else_=rate_counters.c.expires_at_us
            ),
        },
        where=or_(_is_expired, rate_counters.c.count < _number("amount")),
    ).returning(*_COLUMNS)
)
# Compare and set: of several attempts that read the same count only one is counted.
_add_if_unchanged = statement(
    _insert.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": _next_count,
            "last_at_us": _number("now_us"),
            "expires_at_us": _number("until_us"),
        },
        where=or_(_is_expired, rate_counters.c.count == _number("expected_count")),
    ).returning(*_COLUMNS)
)
_put = statement(
    insert_on_conflict(rate_counters)
    .values(
        key=bindparam("key"),
        count=bindparam("count"),
        last_at_us=_number("now_us"),
        expires_at_us=_number("until_us"),
    )
    .on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": bindparam("count"),
            "last_at_us": _number("now_us"),
            "expires_at_us": _number("until_us"),
        },
    )
    .returning(*_COLUMNS)
)
_get = statement(
    select(*_COLUMNS).where(
        rate_counters.c.key == bindparam("key"),
        rate_counters.c.expires_at_us > _number("now_us"),
    )
)
_subtract = statement(
    update(rate_counters)
    .where(rate_counters.c.key == bindparam("key_"), rate_counters.c.count > 0)
    .values(count=rate_counters.c.count - 1)
)
_delete = statement(delete(rate_counters).where(rate_counters.c.key == bindparam("key")))
_delete_expired = statement(
    delete(rate_counters).where(
        rate_counters.c.key.in_(
            select(rate_counters.c.key)
            .where(rate_counters.c.expires_at_us <= bindparam("now_us"))
            .limit(bindparam("limit"))
        )
    )
)


def _from_row(row: Row | None) -> RateCounter | None:
    if row is None:
        return None
    return RateCounter(int(row["attempts"]), int(row["last_at_us"]), int(row["expires_at_us"]))


async def add(
    db: Database, key: str, *, amount: int, now_us: int, until_us: int
) -> RateCounter | None:
    """Count one attempt and return the counter; None when it has reached `amount`.

    `until_us`: the end of the window that a first attempt opens.
    """
    row = await db.execute_unsynced(_add, key=key, amount=amount, now_us=now_us, until_us=until_us)
    return _from_row(row)


async def put(db: Database, key: str, *, count: int, now_us: int, until_us: int) -> None:
    """Set a counter, whatever it was, to a count that ends at `until_us`."""
    await db.execute_unsynced(_put, key=key, count=count, now_us=now_us, until_us=until_us)


async def add_if_unchanged(
    db: Database, key: str, *, expected_count: int, now_us: int, until_us: int
) -> RateCounter | None:
    """Count one attempt if the counter is still `expected_count` (0: none or expired).

    Returns None when another attempt was counted meanwhile. The counter now expires at `until_us`.
    """
    row = await db.execute_unsynced(
        _add_if_unchanged, key=key, expected_count=expected_count, now_us=now_us, until_us=until_us
    )
    return _from_row(row)


async def get(db: Database, key: str, now_us: int) -> RateCounter | None:
    """Return the counter, or None when there is none or it has expired."""
    # Not `db.read()`: on SQLite that does not see the unsynced writes of the last milliseconds.
    return _from_row(await db.execute_unsynced(_get, key=key, now_us=now_us))


async def subtract(db: Database, key: str) -> None:
    """Uncount one attempt."""
    await db.execute_unsynced(_subtract, key_=key)


async def remove(db: Database, key: str) -> None:
    """Forget all attempts."""
    await db.execute_unsynced(_delete, key=key)


async def delete_expired(tx: Tx, now_us: int, limit: int) -> int:
    """Delete up to `limit` expired counters; return how many."""
    return await tx.execute(_delete_expired, now_us=now_us, limit=limit)
