"""Find or create the customer of a message, an invoice or a payment, in its transaction."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from sigma.domain.customers.customer import (
    Customer,
    Identity,
    IdentityKind,
    NameSource,
    replaces_name,
)
from sigma.domain.customers.joining import Contact, by_strength, join
from sigma.domain.customers.search import index_tokens
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.conversation import Conversation
from sigma.services.context import Context
from sigma.services.customers import codec
from sigma.store.customers import customers, identities, moves, suggestions
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.personal_data import erasing


@dataclass(frozen=True, slots=True)
class OfferedName:
    """A name from a source that may replace the stored one."""

    name: str = ""
    source: NameSource = NameSource.NONE
    photo_url: str = ""


NO_NAME = OfferedName()


def vk_contact(peer_id: int) -> Contact:
    """Return the contact of a VK user."""
    return Contact(IdentityKind.VK, str(peer_id))


async def attach(
    ctx: Context,
    tx: Tx,
    shop_id: str,
    contacts: Iterable[Contact],
    *,
    invoice_customer_id: str | None = None,
    name: OfferedName = NO_NAME,
) -> str | None:
    """Return the id of the customer with these contacts; create the customer if nobody has them.

    None without contacts. Call it inside the transaction that writes the row of the customer, after
    the locks of invoice and conversation. `invoice_customer_id` is of a locked invoice for one
    payment. The contacts stay locked until the transaction ends, so that a merge at the same time
    either moves the new row too, or is finished before; two transactions with one contact never
    create two customers. See sigma.domain.customers.joining for the rule.
    """
    given = by_strength(contacts)
    if not given and invoice_customer_id is None:
        return None
    owners: list[tuple[IdentityKind, str]] = []
    created: Customer | None = None
    for contact in given:
        claimant = join(owners, invoice_customer_id).customer_id
        owner = await _owner_of(ctx, tx, shop_id, contact, claimant)
        if owner is None:
            created = await _create(ctx, tx, shop_id)
            owner = await _owner_of(ctx, tx, shop_id, contact, created.id)
        assert owner is not None, "the new customer has claimed it, or somebody else"
        owners.append((contact.kind, owner))
    joining = join(owners, invoice_customer_id)
    assert joining.customer_id is not None, "somebody has the first contact"
    if created is not None and joining.customer_id != created.id:
        await customers.remove(tx, created.id)  # a concurrent transaction has claimed the contact
    for other_id, kind in joining.doubles:
        new_id = ctx.new_id("sug", shop_id)
        ids = (joining.customer_id, other_id)
        await suggestions.add(tx, new_id, shop_id, ids, kind.value, ctx.now_us())
    if name.name:
        await offer_name(ctx, tx, joining.customer_id, name)
    if created is None or joining.customer_id != created.id:
        op = customers.touch(joining.customer_id, ctx.now_us())
        await tx.execute(op.stmt, **op.values)
    return joining.customer_id


async def with_customer(ctx: Context, tx: Tx, conversation: Conversation) -> Conversation:
    """Return the locked conversation with its customer, who is found or created if it has none.

    The caller writes the conversation in this transaction.
    """
    if conversation.customer_id is not None:
        return conversation
    contacts = [vk_contact(conversation.peer_id)]
    name = OfferedName(conversation.name, NameSource.VK, conversation.photo_url)
    customer_id = await attach(ctx, tx, conversation.shop_id, contacts, name=name)
    return replace(conversation, customer_id=customer_id)


async def forget_if_empty(
    ctx: Context, tx: Tx, customer_id: str, heir_id: str, contacts: Iterable[Contact]
) -> None:
    """Delete a customer who has nothing left, whose only payment belongs to `heir_id` now.

    Call it when the answers of a payment were corrected: nobody has the mistyped address. The given
    contacts go to the heir. A customer that a member has edited, merged or split stays.
    """
    customer = await customers.get(tx, customer_id)
    if customer is None or customer.name_source is NameSource.MEMBER or customer.details_encrypted:
        return
    own = await moves.rows_of(tx, customer_id)
    has_rows = any(ids for name, ids in own.items() if name != "customer_identities")
    if has_rows or customer.merged_into_id or await moves.list_for_customer(tx, customer_id, 1):
        return
    given = {
        (contact.kind, hashed)
        for contact in contacts
        for hashed in codec.identity_hashes(ctx.cipher, customer.shop_id, contact)
    }
    locked = await identities.lock_of_customers(tx, [customer_id])
    given_ids = [one.id for one in locked if (one.kind, one.identity_hash) in given]
    await moves.move_rows(tx, {"customer_identities": given_ids}, customer_id, heir_id)
    await erasing.erase_customers(tx, [customer_id])


async def _create(ctx: Context, tx: Tx, shop_id: str) -> Customer:
    now_us = ctx.now_us()
    customer = Customer(ctx.new_id("cus", shop_id), shop_id, now_us, now_us)
    op = customers.save(customer)
    await tx.execute(op.stmt, **op.values)
    return customer


async def _owner_of(
    ctx: Context, tx: Tx, shop_id: str, contact: Contact, claimant: str | None
) -> str | None:
    """Return who has a contact, locked; nobody's is given to `claimant`, if there is one."""
    hashes = codec.identity_hashes(ctx.cipher, shop_id, contact)
    while True:
        for hashed in hashes:
            if identity := await identities.lock(tx, shop_id, contact.kind, hashed):
                return identity.customer_id
        if claimant is None or await _claim(ctx, tx, shop_id, claimant, contact, hashes[0]):
            return claimant


async def _claim(
    ctx: Context, tx: Tx, shop_id: str, customer_id: str, contact: Contact, hashed: str
) -> bool:
    identity_id = ctx.new_id("cid", shop_id)
    identity = Identity(
        id=identity_id,
        shop_id=shop_id,
        customer_id=customer_id,
        kind=contact.kind,
        identity_hash=hashed,
        value_encrypted=codec.encrypt_identity(ctx.cipher, identity_id, contact.value),
        created_at_us=ctx.now_us(),
    )
    return await identities.claim(tx, identity)


async def offer_name(ctx: Context, tx: Tx, customer_id: str, offered: OfferedName) -> None:
    """Store a name and photo, unless the stored name is from a better source."""
    customer = await customers.lock(tx, customer_id)
    if customer is None or not replaces_name(customer.name_source, offered.source):
        return
    with suppress(DecryptionError):  # of notes whose key is missing now: the name is not urgent
        await save_name(ctx, tx, customer, offered)


async def save_name(ctx: Context, tx: Tx, customer: Customer, offered: OfferedName) -> None:
    """Store a name with its words for search. The customer is locked."""
    tags = codec.decrypt_details(ctx.cipher, customer).tags
    renamed = replace(
        customer,
        name_encrypted=codec.encrypt_name(ctx.cipher, customer.id, offered.name),
        name_source=offered.source,
        photo_url=offered.photo_url or customer.photo_url,
    )
    await tx.write_all([customers.save(renamed)])
    hashes = codec.token_hashes(ctx.cipher, customer.shop_id, index_tokens(offered.name, tags))
    await customers.index_words(tx, customer.shop_id, customer.id, hashes)


async def require_customer(tx: Tx, shop_id: str, customer_id: str) -> str:
    """Return the id of a customer that a new invoice is issued to, locked.

    Of a customer that was merged it is the id of the other one. Raises RefusedError("not_found").
    """
    customer = await customers.lock(tx, customer_id)
    while customer is not None and customer.merged_into_id is not None:
        customer = await customers.lock(tx, customer.merged_into_id)
    if customer is None or customer.shop_id != shop_id:
        raise RefusedError("not_found", what="customer")
    return customer.id
