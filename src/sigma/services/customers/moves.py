"""Merge and split customers, with a trace that can be undone."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.change import Change
from sigma.domain.customers import moves as domain
from sigma.domain.customers.customer import (
    Customer,
    CustomerDetails,
    Identity,
    IdentityKind,
    NameSource,
)
from sigma.domain.customers.moves import Move, MoveKind
from sigma.domain.customers.search import index_tokens
from sigma.domain.errors import RefusedError
from sigma.services.context import Context
from sigma.services.customers import codec
from sigma.services.customers.attachment import vk_contact
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.customers import customers, identities
from sigma.store.customers import moves as move_rows
from sigma.store.customers.moves import RowIds
from sigma.store.engine.interface import BusyError, Tx

MAX_ATTEMPTS = 5


class _NewRowsError(Exception):
    """A row was attached to one of the customers while their rows were being locked."""


async def merge(ctx: Context, member: Member, source_id: str, target_id: str) -> Move:
    """Merge the first customer into the second, with all rows; both were one person.

    The name, notes and tags of both are joined. Raises RefusedError: "forbidden", "not_found",
    "changed_meanwhile", "validation".
    """
    member.require(Permission.CUSTOMERS)

    async def run(tx: Tx) -> Move:
        locked = await _lock(tx, source_id, target_id)
        source, target = locked.get(source_id), locked.get(target_id)
        domain.require_different(source, target, member.shop_id)
        assert source is not None and target is not None, "both were found"
        rows = await move_rows.rows_of(tx, source.id)
        now_us, new_id = ctx.now_us(), ctx.id_factory(member.shop_id)
        counts = {name: len(ids) for name, ids in rows.items()}
        move, change = domain.merge(source, target, counts, now_us, new_id, member.actor)
        await changes.write(tx, change, now_us)
        await move_rows.record_rows(tx, move.id, rows)
        await move_rows.move_rows(tx, rows, source.id, target.id)
        await _join_words(ctx, tx, source, target)
        await _record(ctx, tx, member, Deed.CUSTOMERS_MERGED, move)
        return move

    return await _with_retries(ctx, run)


async def split(
    ctx: Context, member: Member, customer_id: str, identity_ids: Collection[str]
) -> Move:
    """Make the chosen contacts a new customer, with the rows that came by them.

    Raises RefusedError: "forbidden", "not_found", "changed_meanwhile", "validation" with field
    "identities" when none is chosen or none stays.
    """
    member.require(Permission.CUSTOMERS)

    async def run(tx: Tx) -> Move:
        source = (await _lock(tx, customer_id)).get(customer_id)
        if source is None or source.shop_id != member.shop_id:
            raise RefusedError("not_found", what="customer")
        if source.merged_into_id is not None:
            raise RefusedError("changed_meanwhile")
        known = await identities.list_for_customers(tx, [source.id])
        chosen = domain.require_part(known, identity_ids)
        rows = await _rows_by_contacts(ctx, tx, source, known, chosen)
        names = await move_rows.conversation_peers(tx, source.id)
        now_us, new_id = ctx.now_us(), ctx.id_factory(member.shop_id)
        # The picture is of the VK profile, and goes with it.
        has_profile = any(one.kind is IdentityKind.VK for one in chosen)
        new_customer = Customer(
            id=ctx.new_id("cus", member.shop_id),
            shop_id=member.shop_id,
            created_at_us=now_us,
            last_activity_at_us=source.last_activity_at_us,
            photo_url=source.photo_url if has_profile else "",
        )
        counts = {name: len(ids) for name, ids in rows.items()}
        move, change = domain.split(source, new_customer, counts, now_us, new_id, member.actor)
        await changes.write(tx, Change((new_customer,)) + change, now_us)
        if has_profile and source.photo_url:
            await changes.write(tx, Change((replace(source, photo_url=""),)), now_us)
        await move_rows.record_rows(tx, move.id, rows)
        await move_rows.move_rows(tx, rows, source.id, new_customer.id)
        name = next((names[one][1] for one in rows["conversations"] if names[one][1]), "")
        if name:
            stored = await customers.lock(tx, new_customer.id)
            assert stored is not None, "the new customer was written"
            await _save_words(ctx, tx, stored, name, NameSource.VK, CustomerDetails())
        await _record(ctx, tx, member, Deed.CUSTOMER_SPLIT, move)
        return move

    return await _with_retries(ctx, run)


async def undo(ctx: Context, member: Member, move_id: str) -> Move:
    """Undo a merge or a split; one that is undone stays so.

    After a merge its rows and contacts go back, with the rows that came by these contacts since.
    Raises RefusedError: "forbidden", "not_found", "changed_meanwhile".
    """
    member.require(Permission.CUSTOMERS)
    async with ctx.db.read() as tx:
        found = await move_rows.get(tx, move_id)
    if found is None or found.shop_id != member.shop_id:
        raise RefusedError("not_found", what="move")

    async def run(tx: Tx) -> Move:
        # Who has the rows of a merge now, or gets those of a split back.
        other_id = found.to_id if found.kind is MoveKind.MERGE else found.from_id
        holder_id = await _current_id(tx, other_id)
        locked = await _lock(tx, found.from_id, found.to_id, holder_id)
        if await _current_id(tx, other_id) != holder_id:
            raise _NewRowsError
        move = await move_rows.lock(tx, move_id)
        moved = locked.get(found.from_id if found.kind is MoveKind.MERGE else found.to_id)
        holder = locked.get(holder_id)
        if move is None or moved is None or holder is None:
            raise RefusedError("changed_meanwhile")
        now_us, new_id = ctx.now_us(), ctx.id_factory(member.shop_id)
        change = domain.undo(move, moved, holder_id, now_us, new_id, member.actor)
        if not change:
            return move
        await changes.write(tx, change, now_us)
        if move.kind is MoveKind.MERGE:
            await _give_back(ctx, tx, move, moved, holder)
        else:
            rows = await move_rows.rows_of(tx, moved.id)
            await move_rows.move_rows(tx, rows, moved.id, holder_id)
            await _join_words(ctx, tx, moved, holder)
        await _record(ctx, tx, member, Deed.CUSTOMER_MOVE_UNDONE, move)
        return move

    return await _with_retries(ctx, run)


async def _with_retries(ctx: Context, run: Callable[[Tx], Awaitable[Move]]) -> Move:
    """Run a move in a transaction; begin again when a row was attached meanwhile."""
    for _ in range(MAX_ATTEMPTS):
        with suppress(_NewRowsError):
            async with ctx.db.write() as tx:
                return await run(tx)
    raise BusyError("rows are attached to these customers all the time")


async def _lock(tx: Tx, *customer_ids: str) -> dict[str, Customer]:
    """Lock customers with all that belongs to them; return the customers by id.

    In the order of every other transaction: invoices and conversations, contacts, customers.
    Raises _NewRowsError.
    """
    ids = sorted(set(customer_ids))
    locked = await move_rows.lock_rows(tx, ids)
    await identities.lock_of_customers(tx, ids)
    found = await customers.lock_all(tx, ids)
    invoice_ids, conversation_ids = await move_rows.list_locked_ids(tx, ids)
    if not locked.issuperset((*invoice_ids, *conversation_ids)):
        raise _NewRowsError
    return found


async def _current_id(tx: Tx, customer_id: str) -> str:
    """Return the customer that one was merged into, over all merges; itself if it was not."""
    while (found := await customers.get(tx, customer_id)) and found.merged_into_id:
        customer_id = found.merged_into_id
    return customer_id


async def _record(ctx: Context, tx: Tx, member: Member, deed: Deed, move: Move) -> None:
    detail = {"other": move.to_id, **move.counts}
    await audit_log.record(ctx, tx, member, deed, move.from_id, **detail)


async def _give_back(ctx: Context, tx: Tx, move: Move, source: Customer, holder: Customer) -> None:
    """Return the rows of a merge from the customer who has them now."""
    await move_rows.move_rows(tx, await move_rows.recorded_rows(tx, move.id), holder.id, source.id)
    returned = await identities.list_for_customers(tx, [source.id])
    stayed = await identities.list_for_customers(tx, [holder.id])
    since = await _rows_by_contacts(ctx, tx, holder, [*returned, *stayed], returned)
    await move_rows.move_rows(tx, since, holder.id, source.id)
    source_details = codec.decrypt_details(ctx.cipher, source)
    joined = codec.decrypt_details(ctx.cipher, holder)
    await _save_words(
        ctx,
        tx,
        holder,
        codec.decrypt_name(ctx.cipher, holder.id, holder.name_encrypted),
        holder.name_source,
        domain.separated_details(joined, source_details),
    )
    name = codec.decrypt_name(ctx.cipher, source.id, source.name_encrypted)
    await _index(ctx, tx, source, name, source_details)


async def _rows_by_contacts(
    ctx: Context, tx: Tx, customer: Customer, known: list[Identity], chosen: list[Identity]
) -> RowIds:
    """Return the rows of a customer that go with the chosen contacts.

    A payment goes with its strongest contact, an invoice with its conversation or its payments.
    """
    known_hashes = {one.identity_hash for one in known}
    chosen_hashes = {one.identity_hash for one in chosen}

    def goes(peer_id: int | None, *hashes: str) -> bool:
        vk = (
            codec.identity_hashes(ctx.cipher, customer.shop_id, vk_contact(peer_id))
            if peer_id
            else []
        )
        contacts = [one for one in (*vk, *hashes) if one]
        return domain.goes_with(contacts, known_hashes, chosen_hashes)

    contacts = await move_rows.payment_contacts(tx, customer.id)
    going = {
        payment_id: goes(peer_id, email, phone)
        for payment_id, (_, peer_id, email, phone) in contacts.items()
    }
    by_invoice: dict[str, list[bool]] = {}
    for payment_id, (invoice_id, *_) in contacts.items():
        by_invoice.setdefault(invoice_id, []).append(going[payment_id])
    conversations = await move_rows.conversation_peers(tx, customer.id)
    return {
        "customer_identities": [one.id for one in chosen if one.customer_id == customer.id],
        "invoices": [
            invoice_id
            for invoice_id, peer_id in (await move_rows.invoice_peers(tx, customer.id)).items()
            if (goes(peer_id) if peer_id else all(by_invoice.get(invoice_id, [False])))
        ],
        "payments": [payment_id for payment_id, leaves in going.items() if leaves],
        "conversations": [one for one, (peer_id, _) in conversations.items() if goes(peer_id)],
    }


async def _join_words(ctx: Context, tx: Tx, source: Customer, target: Customer) -> None:
    """Join name, notes and tags of a merged customer into its target; only that one is found."""
    source_name = codec.decrypt_name(ctx.cipher, source.id, source.name_encrypted)
    name = codec.decrypt_name(ctx.cipher, target.id, target.name_encrypted)
    details = domain.joined_details(
        codec.decrypt_details(ctx.cipher, target), codec.decrypt_details(ctx.cipher, source)
    )
    target = replace(
        target,
        last_activity_at_us=max(target.last_activity_at_us, source.last_activity_at_us),
        photo_url=target.photo_url or source.photo_url,
    )
    name_source = target.name_source if name else source.name_source
    await _save_words(ctx, tx, target, name or source_name, name_source, details)
    await customers.index_words(tx, source.shop_id, source.id, ())


async def _save_words(
    ctx: Context,
    tx: Tx,
    customer: Customer,
    name: str,
    name_source: NameSource,
    details: CustomerDetails,
) -> None:
    saved = replace(
        customer,
        name_encrypted=codec.encrypt_name(ctx.cipher, customer.id, name),
        name_source=name_source,
        details_encrypted=codec.encrypt_details(ctx.cipher, customer.id, details),
    )
    await changes.write(tx, Change((saved,)), ctx.now_us())
    await _index(ctx, tx, customer, name, details)


async def _index(
    ctx: Context, tx: Tx, customer: Customer, name: str, details: CustomerDetails
) -> None:
    tokens = index_tokens(name, details.tags)
    hashes = codec.token_hashes(ctx.cipher, customer.shop_id, tokens)
    await customers.index_words(tx, customer.shop_id, customer.id, hashes)
