"""Which key each encrypted row needs; re-encryption in small batches by primary key."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select, union_all, update

from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import PREFIX_LENGTH, Cipher, DecryptionError, key_id_of
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.statements import Statement, statement, upsert
from sigma.store.schema.platform_tables import key_rotations

COLUMNS = tuple(EncryptedColumn)
BATCH_SIZE = 128  # rows in one transaction: on SQLite every other write waits for it
_OPS_PER_STATEMENT = 32  # PostgreSQL prepares one statement for each batch size


@dataclass(frozen=True, slots=True)
class Rotation:
    """The progress of the re-encryption to the key `id`; the next batch follows `after_id`.

    A pass goes over all columns; the rotation ends with a pass that re-encrypts nothing.
    `pass_changed_count`: rows re-encrypted in the current pass. `unreadable_count`: rows of the
    current pass that no configured key decrypts. `rotated_count`: rows re-encrypted in all passes.
    """

    id: str
    column_name: str
    after_id: str
    pass_changed_count: int
    rotated_count: int
    unreadable_count: int
    started_at_us: int
    finished_at_us: int | None = None


def new_rotation(key_id: str, now_us: int) -> Rotation:
    """Return a rotation to the key `key_id` before its first batch."""
    return Rotation(key_id, COLUMNS[0], "", 0, 0, 0, now_us)


def _prefix(column: EncryptedColumn) -> Any:
    return func.substr(column.column, literal_column("1"), literal_column(str(PREFIX_LENGTH)))


def _count_rows(column: EncryptedColumn) -> Statement:
    prefix = _prefix(column)
    query = select(prefix.label("prefix"), func.count().label("n"))
    return statement(query.where(column.column != "").group_by(prefix))


def _next_batch(column: EncryptedColumn) -> Statement:
    table = column.table
    query = select(table.c.id, column.column.label("ciphertext"))
    needs_other_key = _prefix(column) != bindparam("prefix")
    query = query.where(table.c.id > bindparam("after_id"), column.column != "", needs_other_key)
    return statement(query.order_by(table.c.id).limit(bindparam("limit")))


def _replace_ciphertext(column: EncryptedColumn) -> Statement:
    """Compare and set. The new version makes a transaction that read the old row start again."""
    table = column.table
    return statement(
        update(table)
        .where(table.c.id == bindparam("key_id"), column.column == bindparam("key_ciphertext"))
        .values({column.column: bindparam("ciphertext"), table.c.version: table.c.version + 1})
    )


def _edge_rows(column: EncryptedColumn) -> list[Any]:
    """Select the ciphertext of the first and of the last row of a table."""
    id_column = column.table.c.id
    query = select(column.column.label("ciphertext"))
    return [
        select(query.order_by(order).limit(literal_column("1")).subquery())
        for order in (id_column, id_column.desc())
    ]


_counts: Mapping[EncryptedColumn, Statement] = {one: _count_rows(one) for one in COLUMNS}
_batches: Mapping[EncryptedColumn, Statement] = {one: _next_batch(one) for one in COLUMNS}
_replaces: Mapping[EncryptedColumn, Statement] = {one: _replace_ciphertext(one) for one in COLUMNS}
_edges = statement(union_all(*(query for one in COLUMNS for query in _edge_rows(one))))
_get = statement(select(key_rotations).where(key_rotations.c.id == bindparam("id")))
_save = statement(
    upsert(key_rotations, ["id"], [c.name for c in key_rotations.columns if c.name != "id"])
)


async def get(tx: Tx, key_id: str) -> Rotation | None:
    """Return the rotation to the key `key_id`, or None."""
    row = await tx.fetch_one(_get, id=key_id)
    return Rotation(*(row[name] for name in Rotation.__slots__)) if row else None


async def save(tx: Tx, rotation: Rotation) -> None:
    """Store the progress of a rotation."""
    await tx.execute(_save, **{name: getattr(rotation, name) for name in Rotation.__slots__})


async def count_rows_by_key(tx: Tx) -> dict[str, dict[EncryptedColumn, int]]:
    """Return key id → column → number of rows that need this key.

    The key id is empty for values of an unknown format. Reads every encrypted row.
    """
    counts: dict[str, dict[EncryptedColumn, int]] = {}
    for column in COLUMNS:
        for row in await tx.fetch_all(_counts[column]):
            by_column = counts.setdefault(key_id_of(row["prefix"]), {})
            by_column[column] = by_column.get(column, 0) + int(row["n"])
    return counts


async def list_edge_key_ids(tx: Tx) -> set[str]:
    """Return the keys that the first and the last row of each table need. Reads few rows."""
    rows = await tx.fetch_all(_edges)
    return {key_id_of(row["ciphertext"]) for row in rows if row["ciphertext"]}


async def list_batch(
    tx: Tx, cipher: Cipher, column: EncryptedColumn, after_id: str, limit: int = BATCH_SIZE
) -> list[Row]:
    """Return `id` and `ciphertext` of the next rows that are not encrypted with the first key."""
    return await tx.fetch_all(
        _batches[column], prefix=cipher.current_prefix, after_id=after_id, limit=limit
    )


async def advance(tx: Tx, cipher: Cipher, rotation: Rotation, now_us: int) -> Rotation:
    """Re-encrypt the next batch, store the progress and return it.

    A row that was changed since it was read is left to the next pass.
    """
    column = EncryptedColumn(rotation.column_name)
    rows = await list_batch(tx, cipher, column, rotation.after_id)
    ops = [op for row in rows if (op := _reencrypt(cipher, column, row)) is not None]
    for start in range(0, len(ops), _OPS_PER_STATEMENT):
        await tx.write_all(ops[start : start + _OPS_PER_STATEMENT])
    rotation = replace(
        rotation,
        pass_changed_count=rotation.pass_changed_count + len(ops),
        rotated_count=rotation.rotated_count + len(ops),
        unreadable_count=rotation.unreadable_count + len(rows) - len(ops),
    )
    if len(rows) == BATCH_SIZE:
        rotation = replace(rotation, after_id=rows[-1]["id"])
    else:
        rotation = _next_column(rotation, column, now_us)
    await save(tx, rotation)
    return rotation


def _next_column(rotation: Rotation, column: EncryptedColumn, now_us: int) -> Rotation:
    following = COLUMNS.index(column) + 1
    if following < len(COLUMNS):
        return replace(rotation, column_name=COLUMNS[following], after_id="")
    if rotation.pass_changed_count == 0:
        return replace(rotation, finished_at_us=now_us)
    first = COLUMNS[0]
    return replace(
        rotation, column_name=first, after_id="", pass_changed_count=0, unreadable_count=0
    )


def _reencrypt(cipher: Cipher, column: EncryptedColumn, row: Row) -> Op | None:
    """Return the write of a row under the first key, None when it cannot be decrypted."""
    old = row["ciphertext"]
    try:
        value = cipher.decrypt(old, column, row["id"])
    except DecryptionError:
        return None
    new = cipher.encrypt(value, column, row["id"])
    values = {"key_id": row["id"], "key_ciphertext": old, "ciphertext": new}
    return Op(_replaces[column], values, expected_rows=None)
