"""The audit log: record a deed in its transaction; list and export a shop's entries."""

from collections.abc import AsyncIterator
from typing import Any

import structlog

from sigma.documents.tables.csv_table import csv_text, safe_cell
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION, Entry, EntryFilter, new_entry
from sigma.domain.limits import Limit
from sigma.domain.origin import Origin
from sigma.domain.time_units import DAY_US
from sigma.services.context import Context
from sigma.services.paging import DEFAULT_LIMIT, Page, make_page
from sigma.store.accounts import api_keys, members
from sigma.store.audit import entries
from sigma.store.engine.interface import Tx

log = structlog.get_logger()

# No limit of attempts: it tells whether an entry was written in the last hour.
_ANSWERS_VIEWED = Limit("answers_viewed", 1, 3600, per="member and payment", reason="")
MAX_ACTORS = 200  # offered by the filter of the page
EXPORT_BATCH = 500
PRUNE_BATCH = 500  # rows per transaction: on SQLite every other write waits for it
CHAIN_BATCH = 100


async def record(
    ctx: Context, tx: Tx, member: Member, deed: Deed, subject: str = "", **detail: Any
) -> None:
    """Add a deed of a member to the log of the shop, in the transaction of the deed.

    Call it after the other writes of the transaction: it locks the shop's log until the COMMIT.
    `subject`: id of what was changed. `detail`: values that JSON can hold, without secrets and
    without personal data of clients; see `changed_fields` for settings.
    """
    await record_for_chain(
        ctx, tx, member.shop_id, member.actor, member.origin, deed, subject, **detail
    )


async def record_for_chain(
    ctx: Context,
    tx: Tx,
    chain: str,
    actor: str,
    origin: Origin,
    deed: Deed,
    subject: str = "",
    **detail: Any,
) -> None:
    """Add a deed to the log of a shop (`chain`: its id) or of the installation.

    For what happens without a member; see `record`. `actor`: id of a user or key, "cli", "system",
    or "" without a session.
    """
    entry = new_entry(
        chain,
        deed,
        actor=actor,
        subject=subject,
        detail=detail,
        origin=origin,
        now_us=ctx.now_us(),
    )
    _, is_new_chain = await entries.append(tx, ctx.cipher, entry)
    if is_new_chain and chain != INSTALLATION:
        # The installation's log names every chain: none can disappear without a trace.
        started = new_entry(
            INSTALLATION,
            Deed.CHAIN_STARTED,
            actor=actor,
            subject=chain,
            detail={},
            origin=origin,
            now_us=ctx.now_us(),
        )
        await entries.append(tx, ctx.cipher, started)


async def record_alone(
    ctx: Context, member: Member, deed: Deed, subject: str = "", **detail: Any
) -> None:
    """Add a deed that writes nothing else, such as a view or an export."""
    async with ctx.db.write() as tx:
        await record(ctx, tx, member, deed, subject, **detail)


async def record_answers_viewed(ctx: Context, member: Member, subject: str = "") -> None:
    """Record that a member was shown answers: once an hour for each member and payment.

    `subject` is the payment; empty for a list that an API key reads.
    """
    usage = await ctx.limiter.count(_ANSWERS_VIEWED, f"{member.actor} {subject}")
    if usage.is_exceeded:
        return
    try:
        await record_alone(ctx, member, Deed.ANSWERS_VIEWED, subject)
    except BaseException:
        await ctx.limiter.undo(_ANSWERS_VIEWED, f"{member.actor} {subject}")
        raise


async def list_page(
    ctx: Context,
    member: Member,
    wanted: EntryFilter | None = None,
    *,
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Page[Entry]:
    """Return a page of the shop's log, the newest first. Raises RefusedError("forbidden")."""
    member.require(Permission.AUDIT)
    before = int(cursor) if cursor and cursor.isdecimal() and len(cursor) < 18 else None
    async with ctx.db.read() as tx:
        found = await entries.list_page(
            tx, member.shop_id, wanted or EntryFilter(), before_number=before, limit=limit + 1
        )
    return make_page(found, limit, lambda entry: str(entry.number))


async def list_actors(ctx: Context, member: Member) -> list[str]:
    """Return who has entries in the shop's log, as `Entry.actor`, up to MAX_ACTORS."""
    member.require(Permission.AUDIT)
    async with ctx.db.read() as tx:
        return await entries.list_actors(tx, member.shop_id, MAX_ACTORS)


async def list_names(ctx: Context, member: Member) -> dict[str, str]:
    """Return the display names of the shop's members and API keys by id."""
    member.require(Permission.AUDIT)
    async with ctx.db.read() as tx:
        names = await members.list_names(tx, member.shop_id)
        keys = await api_keys.list_for_shop(tx, member.shop_id)
    return names | {key.id: key.name for key in keys}


async def iterate(ctx: Context, member: Member, wanted: EntryFilter) -> AsyncIterator[list[Entry]]:
    """Yield the matching entries in batches, the newest first."""
    member.require(Permission.AUDIT)
    before: int | None = None
    while True:
        async with ctx.db.read() as tx:
            batch = await entries.list_page(
                tx, member.shop_id, wanted, before_number=before, limit=EXPORT_BATCH
            )
        if batch:
            yield batch
        if len(batch) < EXPORT_BATCH:
            return
        before = batch[-1].number


def csv_lines(rows: list[list[str]]) -> str:
    """Return rows as CSV for spreadsheet programs; see `safe_cell`."""
    return csv_text([safe_cell(cell) for cell in row] for row in rows)


async def prune(ctx: Context, chain: str, keep_days: int) -> None:
    """Delete the entries of a chain that are older than `keep_days`, in batches.

    The stored end of the chain says where it begins now, so that verification still works.
    """
    before_us = ctx.now_us() - keep_days * DAY_US
    while True:
        async with ctx.db.write() as tx:
            count = await entries.prune(tx, ctx.cipher, chain, before_us, PRUNE_BATCH)
        if count < PRUNE_BATCH:
            return


async def log_ends(ctx: Context, since_us: int) -> None:
    """Write the end of every chain that has grown since then to the structured log.

    The log is outside the database: with it, `sigma audit verify --against` finds a database that
    was put back to an earlier state.
    """
    after_id = ""
    while True:
        async with ctx.db.read() as tx:
            chains = await entries.list_chains(tx, after_id=after_id, limit=CHAIN_BATCH)
        for chain in chains:
            if chain.last_at_us >= since_us:
                log.info("audit.end", chain=chain.id, number=chain.last_number, mac=chain.last_mac)
        if len(chains) < CHAIN_BATCH:
            return
        after_id = chains[-1].id
