"""The audit log: append to a chain under its lock, read pages, delete old entries."""

from dataclasses import replace
from itertools import product
from typing import Any

import structlog
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy import delete as delete_from

from sigma.domain.audit.entry import Chain, Entry, EntryFilter, extend, link
from sigma.store.encryption import Cipher
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.row_codec import column_values, field_values
from sigma.store.engine.statements import Statement, insert_ignore, statement
from sigma.store.paging import MAX_INT
from sigma.store.schema.platform_tables import audit_chains, audit_entries

log = structlog.get_logger()

_entry, _chain = audit_entries.c, audit_chains.c
_add_chain = statement(insert_ignore(audit_chains, "id"))
_get_chain = statement(select(audit_chains).where(_chain.id == bindparam("chain")))
_lock_chain = statement(
    select(audit_chains).where(_chain.id == bindparam("chain")).with_for_update()
)
_list_chains = statement(
    select(audit_chains)
    .where(_chain.id > bindparam("after_id"))
    .order_by(_chain.id)
    .limit(bindparam("limit"))
)
_save_chain = statement(
    update(audit_chains)
    .where(_chain.id == bindparam("key_id"))
    .values({c.name: bindparam(c.name) for c in audit_chains.columns if c.name != "id"})
)
_insert = statement(insert(audit_entries))
_last = statement(
    select(_entry.number, _entry.mac)
    .where(_entry.chain == bindparam("chain"))
    .order_by(_entry.number.desc())
    .limit(1)
)
_list_after = statement(
    select(audit_entries)
    .where(_entry.chain == bindparam("chain"), _entry.number > bindparam("after_number"))
    .order_by(_entry.number)
    .limit(bindparam("limit"))
)
_get_mac = statement(
    select(_entry.mac).where(
        _entry.chain == bindparam("chain"), _entry.number == bindparam("number")
    )
)
_first_since = statement(
    select(_entry.number)
    .where(_entry.chain == bindparam("chain"), _entry.occurred_at_us >= bindparam("since_us"))
    .order_by(_entry.occurred_at_us, _entry.number)
    .limit(1)
)
_delete_up_to = statement(
    delete_from(audit_entries).where(
        _entry.chain == bindparam("chain"), _entry.number <= bindparam("last_pruned_number")
    )
)
# The next chain that has an entry, so that chains without a stored end are found.
_next_chain_with_entries = statement(
    select(func.min(_entry.chain).label("chain")).where(_entry.chain > bindparam("after_id"))
)
_list_actors = statement(
    select(func.min(_entry.actor).label("actor")).where(
        _entry.chain == bindparam("chain"), _entry.actor > bindparam("after_actor")
    )
)


def _list_page(*, has_actor: bool, has_deed: bool) -> Statement:
    query = select(audit_entries).where(
        _entry.chain == bindparam("chain"),
        _entry.number < bindparam("before_number"),
        _entry.number >= bindparam("first_number"),
    )
    if has_actor:
        query = query.where(_entry.actor == bindparam("actor"))
    if has_deed:
        query = query.where(_entry.deed == bindparam("deed"))
    return statement(query.order_by(_entry.number.desc()).limit(bindparam("limit")))


_LISTS = {
    (has_actor, has_deed): _list_page(has_actor=has_actor, has_deed=has_deed)
    for has_actor, has_deed in product((False, True), repeat=2)
}


def _chain_from_row(row: Row) -> Chain:
    return Chain(**column_values(audit_chains, row))


def _entry_from_row(row: Row) -> Entry:
    return Entry(**column_values(audit_entries, row))


def _save_chain_op(chain: Chain) -> Op:
    return Op(_save_chain, field_values(chain, "id") | {"key_id": chain.id})


async def append(tx: Tx, cipher: Cipher, entry: Entry) -> tuple[Entry, bool]:
    """Link an entry to its chain and store it; return it, and whether it began the chain.

    Locks the chain until the transaction ends, so that entries of concurrent transactions get
    consecutive numbers: call it last in a transaction. An end that is not authentic stays so: a
    MAC made here would hide what was done to it.
    """
    chain, is_new = await _lock(tx, entry.chain)
    last = await tx.fetch_one(_last, chain=entry.chain)
    number, mac = (last["number"], last["mac"]) if last else (0, "")
    is_authentic = is_new or cipher.verify_audit_mac(chain.authenticated_bytes(), chain.mac)
    if last and (number, mac) != (chain.last_number, chain.last_mac):
        # Numbers go on after whatever is there: deeds must not fail because of it.
        number = max(number, chain.last_number)
        chain, is_authentic = replace(chain, last_number=number, last_mac=mac), False
    if not last and chain.last_number > chain.pruned_number:
        is_authentic = False
    entry = link(chain, entry)
    entry = replace(entry, mac=cipher.audit_mac(entry.authenticated_bytes()))
    chain = extend(chain, entry)
    if is_authentic:
        chain = replace(chain, mac=cipher.audit_mac(chain.authenticated_bytes()))
    else:
        log.error("audit.end_changed", chain=chain.id, number=chain.last_number)
    await tx.write_all([Op(_insert, field_values(entry)), _save_chain_op(chain)])
    return entry, is_new and not last


async def _lock(tx: Tx, chain_id: str) -> tuple[Chain, bool]:
    row = await tx.fetch_one(_lock_chain, chain=chain_id)
    if row is not None:
        return _chain_from_row(row), False
    is_new = await tx.execute(_add_chain, **field_values(Chain(chain_id))) == 1
    row = await tx.fetch_one(_lock_chain, chain=chain_id)
    assert row is not None, "the chain was added, here or by another transaction"
    return _chain_from_row(row), is_new


async def get_chain(tx: Tx, chain_id: str) -> Chain | None:
    """Return the end of a chain, or None."""
    row = await tx.fetch_one(_get_chain, chain=chain_id)
    return _chain_from_row(row) if row else None


async def list_chains(tx: Tx, *, after_id: str = "", limit: int) -> list[Chain]:
    """Return ends of chains in the order of their ids, after `after_id`."""
    rows = await tx.fetch_all(_list_chains, after_id=after_id, limit=limit)
    return [_chain_from_row(row) for row in rows]


async def next_chain_with_entries(tx: Tx, after_id: str) -> str | None:
    """Return the id of the next chain that has entries, or None."""
    row = await tx.fetch_one(_next_chain_with_entries, after_id=after_id)
    return row["chain"] if row else None


async def list_after(tx: Tx, chain: str, after_number: int, limit: int) -> list[Entry]:
    """Return entries of a chain with higher numbers, the oldest first."""
    rows = await tx.fetch_all(_list_after, chain=chain, after_number=after_number, limit=limit)
    return [_entry_from_row(row) for row in rows]


async def list_page(
    tx: Tx, chain: str, wanted: EntryFilter, *, before_number: int | None, limit: int
) -> list[Entry]:
    """Return entries that match a filter, the newest first, with numbers below `before_number`.

    Times never go back along a chain, so a period is a range of numbers.
    """
    first, before = 0, MAX_INT if before_number is None else before_number
    if wanted.since_us is not None:
        number = await _first_number(tx, chain, wanted.since_us)
        if number is None:
            return []
        first = number
    if wanted.until_us is not None:
        number = await _first_number(tx, chain, wanted.until_us)
        before = before if number is None else min(before, number)
    values: dict[str, Any] = {"chain": chain, "first_number": first, "before_number": before}
    if wanted.actor:
        values["actor"] = wanted.actor
    if wanted.deed:
        values["deed"] = wanted.deed
    chosen = _LISTS[bool(wanted.actor), bool(wanted.deed)]
    return [_entry_from_row(row) for row in await tx.fetch_all(chosen, **values, limit=limit)]


async def _first_number(tx: Tx, chain: str, since_us: int) -> int | None:
    row = await tx.fetch_one(_first_since, chain=chain, since_us=since_us)
    return int(row["number"]) if row else None


async def list_actors(tx: Tx, chain: str, limit: int) -> list[str]:
    """Return who has entries in a chain: one jump in an index for each, up to `limit`."""
    actors: list[str] = []
    after = ""
    while len(actors) < limit:
        row = await tx.fetch_one(_list_actors, chain=chain, after_actor=after)
        if row is None or row["actor"] is None:
            break
        after = row["actor"]
        actors.append(after)
    return actors


async def prune(tx: Tx, cipher: Cipher, chain_id: str, before_us: int, limit: int) -> int:
    """Delete up to `limit` of the oldest entries before a time (UTC microseconds); return how many.

    The last entry of a chain is left. The MAC of the last deleted entry stays in the chain:
    verification continues from it. A chain whose end is not authentic
    is left alone, as evidence.
    """
    row = await tx.fetch_one(_lock_chain, chain=chain_id)
    chain = _chain_from_row(row) if row else None
    if chain is None or not cipher.verify_audit_mac(chain.authenticated_bytes(), chain.mac):
        return 0
    first = await _first_number(tx, chain_id, before_us)
    first_left = min(
        chain.last_number if first is None else first,
        chain.pruned_number + limit + 1,
        chain.last_number,
    )
    last_pruned = first_left - 1
    if last_pruned <= chain.pruned_number:
        return 0
    row = await tx.fetch_one(_get_mac, chain=chain_id, number=last_pruned)
    if row is None:
        return 0  # an entry is missing: verification reports it
    count = last_pruned - chain.pruned_number
    pruned = replace(chain, pruned_number=last_pruned, pruned_mac=row["mac"], mac="")
    pruned = replace(pruned, mac=cipher.audit_mac(pruned.authenticated_bytes()))
    await tx.execute(_delete_up_to, chain=chain_id, last_pruned_number=last_pruned)
    await tx.write_all([_save_chain_op(pruned)])
    return count
