"""Make the keyed hashes of customers and of the search index of lists anew."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import AnswerValue
from sigma.domain.change import Change, SearchTokens
from sigma.domain.customers.customer import Customer, Identity
from sigma.domain.customers.joining import Contact
from sigma.domain.customers.search import index_tokens
from sigma.services.answer_codec import read_values
from sigma.services.context import CONFLICT_ERRORS, Context
from sigma.services.customers import codec
from sigma.services.platform.search_tokens import invoice_tokens, payment_tokens
from sigma.store import changes
from sigma.store.billing import answers as answer_rows
from sigma.store.customers import customers
from sigma.store.encryption import Cipher, DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.lists import tokens
from sigma.store.personal_data import clients, hashed_rows

T = TypeVar("T")
Build = Callable[[Cipher], SearchTokens]


async def rehash_customers(ctx: Context) -> int:
    """Make the hashes of contacts, names and tags anew; return how many rows changed."""
    count, after_id = 0, ""
    while True:
        async with ctx.db.read() as tx:
            page = await hashed_rows.list_identities(tx, after_id)
        for identity in page:
            count += await _rehash_identity(ctx, identity)
        if len(page) < hashed_rows.PAGE_SIZE:
            break
        after_id = page[-1].id
    return count + await _rehash_names(ctx)


async def _rehash_identity(ctx: Context, identity: Identity) -> int:
    value = codec.read_identity(ctx.cipher, identity)
    if value is None:
        return 0
    hashed, *_ = codec.identity_hashes(ctx.cipher, identity.shop_id, Contact(identity.kind, value))
    if hashed == identity.identity_hash:
        return 0
    try:
        async with ctx.db.write() as tx:
            before = identity.identity_hash
            return int(await hashed_rows.set_identity_hash(tx, identity.id, before, hashed))
    except CONFLICT_ERRORS:
        return 0  # another process is making it anew


async def _rehash_names(ctx: Context) -> int:
    count, after_id = 0, ""
    while True:
        async with ctx.db.read() as tx:
            page = await hashed_rows.list_customers(tx, after_id)
        for customer in page:
            async with ctx.db.write() as tx:
                count += await _rehash_name(ctx, tx, customer)
        if len(page) < hashed_rows.PAGE_SIZE:
            return count
        after_id = page[-1].id


async def _rehash_name(ctx: Context, tx: Tx, listed: Customer) -> int:
    customer = await customers.lock(tx, listed.id)
    if customer is None:
        return 0
    try:
        name = codec.decrypt_name(ctx.cipher, customer.id, customer.name_encrypted)
        found = index_tokens(name, codec.decrypt_details(ctx.cipher, customer).tags)
    except DecryptionError:
        return 0
    if not found:
        return 0
    hashes = codec.token_hashes(ctx.cipher, customer.shop_id, found)
    await customers.index_words(tx, customer.shop_id, customer.id, hashes)
    return 1


async def rehash_lists(ctx: Context) -> int:
    """Make the search index of invoices and payments anew; return how many subjects changed."""
    count = await _walk(ctx, hashed_rows.list_invoice_ids, _rehash_invoices)
    return count + await _walk(ctx, hashed_rows.list_payment_ids, _rehash_payments)


async def _walk(
    ctx: Context,
    list_ids: Callable[[Tx, str], Coroutine[Any, Any, list[str]]],
    rehash: Callable[[Context, Tx, list[str]], Coroutine[Any, Any, int]],
) -> int:
    count, after_id = 0, ""
    while True:
        async with ctx.db.read() as tx:
            page = await list_ids(tx, after_id)
        if page:
            async with ctx.db.write() as tx:
                count += await rehash(ctx, tx, page)
        if len(page) < hashed_rows.PAGE_SIZE:
            return count
        after_id = page[-1]


async def _rehash_invoices(ctx: Context, tx: Tx, ids: list[str]) -> int:
    found = await clients.list_invoices(tx, ids=ids)
    return await _replace(ctx, tx, {one.id: _invoice_builder(one) for one in found})


def _invoice_builder(invoice: Invoice) -> Build:
    return lambda cipher: invoice_tokens(cipher, invoice)


def _payment_builder(payment: Payment, invoice: Invoice, values: dict[str, AnswerValue]) -> Build:
    return lambda cipher: payment_tokens(cipher, payment, invoice, values)


async def _rehash_payments(ctx: Context, tx: Tx, ids: list[str]) -> int:
    payments = await clients.list_payments(tx, ids=ids)
    invoices = await clients.list_invoices(tx, ids={one.invoice_id for one in payments})
    invoice_by_id = {one.id: one for one in invoices}
    latest = await answer_rows.list_latest(tx, ids)
    builders: dict[str, Build] = {}
    for payment in payments:
        stored, invoice = latest.get(payment.id), invoice_by_id[payment.invoice_id]
        values = (read_values(ctx.cipher, stored) or {}) if stored else {}
        builders[payment.id] = _payment_builder(payment, invoice, values)
    return await _replace(ctx, tx, builders)


async def _replace(ctx: Context, tx: Tx, builders: dict[str, Build]) -> int:
    """Replace the tokens that an earlier key made by those of today's key.

    Only a token that is in the index gets a successor: what was erased is not indexed again.
    """
    stored = await hashed_rows.list_token_hashes(tx, list(builders))
    earlier = ctx.cipher.earlier_ciphers()
    changed: list[SearchTokens] = []
    for subject_id, build in builders.items():
        today = build(ctx.cipher)
        renewed = stored[subject_id].intersection(today.token_hashes)
        for cipher in earlier:
            renewed |= _successors(build(cipher), today, stored[subject_id])
        if renewed and renewed != stored[subject_id]:
            hashes = tuple(one for one in today.token_hashes if one in renewed)
            changed.append(SearchTokens(subject_id, today.created_at_us, hashes))
    if changed:
        await tokens.remove(tx, [one.subject_id for one in changed])
        await changes.write(tx, Change(search_tokens=tuple(changed)), ctx.now_us())
    return len(changed)


def _successors(earlier: SearchTokens, today: SearchTokens, stored: Iterable[int]) -> set[int]:
    """Return today's hashes of the texts whose earlier hashes are stored: both have one order."""
    known = set(stored)
    pairs = zip(earlier.token_hashes, today.token_hashes, strict=True)
    return {after for before, after in pairs if before in known}
