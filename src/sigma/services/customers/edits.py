"""Name, notes and tags of a customer, and the answer to a suggestion."""

from dataclasses import replace

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.change import Change
from sigma.domain.customers.customer import Customer, CustomerDetails, NameSource
from sigma.domain.customers.edits import CustomerForm, check_form
from sigma.domain.customers.search import index_tokens
from sigma.domain.errors import RefusedError, validation_error
from sigma.services.context import Context
from sigma.services.customers import codec
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.customers import customers, suggestions


async def save(ctx: Context, member: Member, customer_id: str, form: CustomerForm) -> Customer:
    """Store name, notes and tags. A name that a member types is not replaced by VK's.

    Raises RefusedError: "forbidden", "not_found", "changed_meanwhile", "validation". Raises
    DecryptionError when the stored notes cannot be decrypted: they would be lost.
    """
    member.require(Permission.CUSTOMERS)
    if problems := check_form(form):
        raise validation_error(*problems)
    async with ctx.db.write() as tx:
        customer = await customers.lock(tx, customer_id)
        if customer is None or customer.shop_id != member.shop_id:
            raise RefusedError("not_found", what="customer")
        if customer.merged_into_id is not None:
            raise RefusedError("changed_meanwhile")
        stored = codec.decrypt_details(ctx.cipher, customer)
        name = codec.decrypt_name(ctx.cipher, customer.id, customer.name_encrypted)
        before = {"client_name": name, "notes": stored.notes, "tags": stored.tags}
        after = {"client_name": form.name, "notes": form.notes, "tags": form.tags}
        changed = changed_fields(before, after, hidden=after)
        if not changed:
            return customer
        saved = replace(
            customer,
            name_encrypted=codec.encrypt_name(ctx.cipher, customer.id, form.name),
            name_source=_name_source(customer, name, form.name),
            details_encrypted=codec.encrypt_details(
                ctx.cipher, customer.id, CustomerDetails(form.notes, form.tags)
            ),
        )
        await changes.write(tx, Change((saved,)), ctx.now_us())
        tokens = index_tokens(form.name, form.tags)
        hashes = codec.token_hashes(ctx.cipher, customer.shop_id, tokens)
        await customers.index_words(tx, customer.shop_id, customer.id, hashes)
        await audit_log.record(ctx, tx, member, Deed.CUSTOMER_CHANGED, customer.id, changes=changed)
    return saved


def _name_source(customer: Customer, before: str, after: str) -> NameSource:
    if after == before:
        return customer.name_source
    return NameSource.MEMBER if after else NameSource.NONE


async def dismiss_suggestion(ctx: Context, member: Member, suggestion_id: str) -> str:
    """Record that two customers are two people; return the id of one of them.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.CUSTOMERS)
    async with ctx.db.write() as tx:
        found = await suggestions.find_shop(tx, suggestion_id)
        if found is None or found[0] != member.shop_id:
            raise RefusedError("not_found", what="suggestion")
        if await suggestions.dismiss(tx, suggestion_id, member.actor, ctx.now_us()):
            await audit_log.record(ctx, tx, member, Deed.SUGGESTION_DISMISSED, found[1])
    return found[1]
