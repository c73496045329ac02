"""Verification of the audit log: every entry, every chain, and what was known of them before."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION, Chain
from sigma.domain.audit.verification import ChainCheck, Fault, FaultKind
from sigma.services.context import Context
from sigma.store.audit import entries
from sigma.store.paging import MAX_INT

BATCH_SIZE = 500
CHAIN_BATCH = 100

# Chain → number → MAC of entries that are known from an earlier verification or from the log.
KnownMacs = Mapping[str, Mapping[int, str]]
Report = Callable[[str, int], Awaitable[None]]  # chain and entries checked in it so far


@dataclass(frozen=True, slots=True)
class ChainResult:
    """The result for one chain. `fault_count` may be larger than the number of listed faults."""

    chain: str
    entry_count: int
    first_number: int
    last_number: int
    last_mac: str
    faults: tuple[Fault, ...]
    fault_count: int


async def verify(
    ctx: Context,
    shop_id: str | None = None,
    *,
    known: KnownMacs | None = None,
    report: Report | None = None,
) -> list[ChainResult]:
    """Verify all chains, or that of one shop. Raises StoreError.

    Deeds may be recorded meanwhile. `known`: MACs from outside the database, without which an
    earlier copy of a whole chain that was put back looks right.
    """
    known = known or {}
    chain_ids = {shop_id} if shop_id is not None else {*(await _list_chain_ids(ctx)), *known}
    # The ids come first: a chain that is started meanwhile is named later than it is looked for.
    named = {*await _list_named_chains(ctx), *known}
    if shop_id is None:
        chain_ids |= named
    return [
        await _verify_chain(
            ctx, chain_id, known.get(chain_id, {}), report, is_named=chain_id in named
        )
        for chain_id in sorted(chain_ids)
    ]


async def _list_chain_ids(ctx: Context) -> set[str]:
    """Return the chains that have a stored end or entries."""
    found: set[str] = set()
    after_id = ""
    while True:
        async with ctx.db.read() as tx:
            chains = await entries.list_chains(tx, after_id=after_id, limit=CHAIN_BATCH)
        found.update(chain.id for chain in chains)
        if len(chains) < CHAIN_BATCH:
            break
        after_id = chains[-1].id
    after_id = ""
    while True:
        async with ctx.db.read() as tx:
            next_id = await entries.next_chain_with_entries(tx, after_id)
        if next_id is None:
            return found
        found.add(next_id)
        after_id = next_id


async def _list_named_chains(ctx: Context) -> set[str]:
    """Return the chains that the installation's log names."""
    named: set[str] = set()
    after_number = 0
    while True:
        async with ctx.db.read() as tx:
            batch = await entries.list_after(tx, INSTALLATION, after_number, BATCH_SIZE)
        named.update(one.subject for one in batch if one.deed == Deed.CHAIN_STARTED.value)
        if len(batch) < BATCH_SIZE:
            return named
        after_number = batch[-1].number


async def _verify_chain(
    ctx: Context,
    chain_id: str,
    known: Mapping[int, str],
    report: Report | None,
    *,
    is_named: bool,
) -> ChainResult:
    """Verify one chain. Starts again when old entries were deleted after their time meanwhile.

    A chain that is not named and has no entries belongs to a shop in which nothing was done yet.
    """
    while True:
        async with ctx.db.read() as tx:
            end = await entries.get_chain(tx, chain_id)
        check = ChainCheck(end or Chain(chain_id), ctx.cipher.verify_audit_mac, dict(known))
        if end is None:
            check.faults.clear()
            check.fault_count = 0
            await _check_without_end(ctx, check, is_named=is_named)
            return _result(check)
        if not await _check_entries(ctx, check, report):
            continue
        check.finish()
        await _check_after_end(ctx, check)
        return _result(check)


async def _check_without_end(ctx: Context, check: ChainCheck, *, is_named: bool) -> None:
    async with ctx.db.read() as tx:
        first = await entries.list_after(tx, check.end.id, -MAX_INT, 1)
    if first:
        check.report(FaultKind.END_MISSING)
    elif is_named:
        check.report(FaultKind.CHAIN_MISSING)


async def _check_entries(ctx: Context, check: ChainCheck, report: Report | None) -> bool:
    """Check the entries up to the end; False when the beginning was deleted meanwhile."""
    after_number = -MAX_INT  # entries before the beginning are found too
    while True:
        async with ctx.db.read() as tx:
            batch = await entries.list_after(tx, check.end.id, after_number, BATCH_SIZE)
            current = await entries.get_chain(tx, check.end.id)
        if current is None or current.pruned_number != check.end.pruned_number:
            return False
        for entry in batch:
            if entry.number <= check.end.pruned_number:
                check.report(FaultKind.INSERTED, entry.number)
            elif entry.number <= check.end.last_number:
                check.check(entry)
        if report is not None:
            await report(check.end.id, check.entry_count)
        if len(batch) < BATCH_SIZE or batch[-1].number > check.end.last_number:
            return True
        after_number = batch[-1].number
        await asyncio.sleep(0)  # requests of the same process come first


async def _check_after_end(ctx: Context, check: ChainCheck) -> None:
    """Report entries after the end, unless the end has moved on."""
    async with ctx.db.read() as tx:
        later = await entries.list_after(tx, check.end.id, check.end.last_number, BATCH_SIZE)
        current = await entries.get_chain(tx, check.end.id)
    last_number = current.last_number if current else check.end.last_number
    for entry in later:
        if entry.number > last_number:
            check.report(FaultKind.INSERTED, entry.number)


def _result(check: ChainCheck) -> ChainResult:
    return ChainResult(
        chain=check.end.id,
        entry_count=check.entry_count,
        first_number=check.end.pruned_number + 1,
        last_number=check.end.last_number,
        last_mac=check.end.last_mac,
        faults=tuple(check.faults),
        fault_count=check.fault_count,
    )
