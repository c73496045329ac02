"""Rotation of SIGMA_SECRET_KEY: which key stored rows need, and their re-encryption.

The first key encrypts. `rotate_batch` moves rows of the other keys to it, in small transactions
with a stored cursor: it runs beside other work, and can be killed at any time and go on later.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION
from sigma.domain.change import Change, Job
from sigma.domain.origin import NO_ORIGIN
from sigma.domain.time_units import SECOND_US
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store import changes, jobs, key_rotations
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import BusyError, StaleError
from sigma.store.key_rotations import Rotation

JOB_SLICE_US = 5 * SECOND_US  # one run of the job; its lease must not expire
MAX_PAUSE_S = 0.1
MAX_CHECKED_ROWS = 1000  # leftover rows of an old key that are decrypted to see if it still matters


class KeyRole(StrEnum):
    """What a key is for this process."""

    CURRENT = "current"  # the first key: it encrypts
    OLD = "old"  # another configured key
    MISSING = "missing"  # rows need it, but SIGMA_SECRET_KEY does not contain it
    UNKNOWN = "unknown"  # not a ciphertext of this version


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """A key and the rows that need it. `damaged_count`: rows that it cannot decrypt any more."""

    key_id: str
    role: KeyRole
    rows_by_column: dict[EncryptedColumn, int]
    damaged_count: int = 0

    @property
    def row_count(self) -> int:
        """Number of rows that need this key."""
        return sum(self.rows_by_column.values())

    @property
    def is_removable(self) -> bool:
        """Whether nothing that can be read needs this old key."""
        return self.role is KeyRole.OLD and self.row_count == self.damaged_count


async def list_usages(ctx: Context) -> list[KeyUsage]:
    """Return every configured key and every key that rows need. Reads all encrypted rows."""
    async with ctx.db.read() as tx:
        counts = await key_rotations.count_rows_by_key(tx)
    usages = []
    for key_id in (*ctx.cipher.key_ids, *sorted(set(counts) - set(ctx.cipher.key_ids))):
        role = _role(ctx, key_id)
        by_column = counts.get(key_id, {})
        is_leftover = role is KeyRole.OLD and 0 < sum(by_column.values()) <= MAX_CHECKED_ROWS
        damaged = await _count_damaged(ctx, key_id, by_column) if is_leftover else 0
        usages.append(KeyUsage(key_id, role, by_column, damaged))
    return usages


def _role(ctx: Context, key_id: str) -> KeyRole:
    if key_id == ctx.cipher.current_key_id:
        return KeyRole.CURRENT
    if key_id in ctx.cipher.key_ids:
        return KeyRole.OLD
    return KeyRole.MISSING if key_id else KeyRole.UNKNOWN


async def _count_damaged(ctx: Context, key_id: str, by_column: dict[EncryptedColumn, int]) -> int:
    """Return how many of the rows that name this key cannot be decrypted with it."""
    damaged = 0
    for column in by_column:
        after_id = ""
        while True:
            async with ctx.db.read() as tx:
                rows = await key_rotations.list_batch(tx, ctx.cipher, column, after_id)
            for row in rows:
                if row["ciphertext"].split(".")[1:2] == [key_id]:
                    damaged += not _is_readable(ctx, column, row["id"], row["ciphertext"])
            if len(rows) < key_rotations.BATCH_SIZE:
                break
            after_id = rows[-1]["id"]
    return damaged


def _is_readable(ctx: Context, column: EncryptedColumn, row_id: str, ciphertext: str) -> bool:
    try:
        ctx.cipher.decrypt(ciphertext, column, row_id)
    except DecryptionError:
        return False
    return True


async def start(ctx: Context) -> Rotation:
    """Return the unfinished rotation to the first key, or begin a new one."""
    key_id = ctx.cipher.current_key_id
    async with ctx.db.write() as tx:
        rotation = await key_rotations.get(tx, key_id)
        if rotation is None or rotation.finished_at_us is not None:
            rotation = key_rotations.new_rotation(key_id, ctx.now_us())
            await key_rotations.save(tx, rotation)
            await audit_log.record_for_chain(
                ctx, tx, INSTALLATION, "cli", NO_ORIGIN, Deed.KEYS_ROTATED, key_id
            )
    return rotation


async def rotate_batch(ctx: Context) -> Rotation:
    """Re-encrypt the next batch of the rotation to the first key; return its progress.

    Several processes may do this at once: then some rows are read twice.
    """
    while True:
        try:
            async with ctx.db.write() as tx:
                rotation = await key_rotations.get(tx, ctx.cipher.current_key_id)
                assert rotation is not None, "start() has stored it"
                if rotation.finished_at_us is not None:
                    return rotation
                return await key_rotations.advance(tx, ctx.cipher, rotation, ctx.now_us())
        except (BusyError, StaleError):
            await asyncio.sleep(MAX_PAUSE_S)  # another write was first: nothing is written yet


async def rotate(
    ctx: Context, report: Callable[[Rotation], Awaitable[None]] | None = None
) -> Rotation:
    """Re-encrypt until every readable row needs the first key only; `report` after each batch."""
    rotation = await start(ctx)
    while rotation.finished_at_us is None:
        started_s = time.monotonic()
        rotation = await rotate_batch(ctx)
        if report is not None:
            await report(rotation)
        # Half of the time belongs to other writes.
        await asyncio.sleep(min(time.monotonic() - started_s, MAX_PAUSE_S))
    return rotation


async def enqueue(ctx: Context) -> None:
    """Let a worker do the rotation: job encryption.rotate."""
    rotation = await start(ctx)
    await changes.commit(
        ctx.db, Change(jobs=(Job("encryption.rotate", rotation.id, ""),)), ctx.now_us()
    )
    await ctx.db.notify(jobs.CHANNEL)


async def run_job(ctx: Context, key_id: str) -> int | None:
    """Job encryption.rotate: re-encrypt for some seconds.

    Returns the current time (UTC microseconds) while rows are left. Does nothing when the first
    key of this process is another one: the settings have changed since.
    """
    if key_id != ctx.cipher.current_key_id:
        return None
    rotation = await start(ctx) if await _is_unfinished(ctx) else None
    until_us = ctx.now_us() + JOB_SLICE_US
    while rotation is not None and rotation.finished_at_us is None and ctx.now_us() < until_us:
        started_s = time.monotonic()
        rotation = await rotate_batch(ctx)
        await asyncio.sleep(min(time.monotonic() - started_s, MAX_PAUSE_S))
    return ctx.now_us() if rotation is not None and rotation.finished_at_us is None else None


async def _is_unfinished(ctx: Context) -> bool:
    async with ctx.db.read() as tx:
        rotation = await key_rotations.get(tx, ctx.cipher.current_key_id)
    return rotation is not None and rotation.finished_at_us is None
