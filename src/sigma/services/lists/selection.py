"""Turn a filter into a `Selection` of the store: which rows, from which source.

A list, its totals and an export of the same filter use the same selection.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.customers.search import query_tokens
from sigma.domain.lists.filters import InvoiceFilter, ListFilter, PaymentFilter, Refunded
from sigma.domain.lists.search_query import SearchQuery, parse_search
from sigma.services.context import Context
from sigma.services.customers.attachment import vk_contact
from sigma.services.customers.codec import identity_hashes, token_hashes
from sigma.services.platform.search_tokens import Feature, Subject, token_hash
from sigma.store.customers import identities, lists
from sigma.store.engine.interface import Tx
from sigma.store.lists import look_ups
from sigma.store.lists.invoices import INVOICES
from sigma.store.lists.payments import PAYMENTS
from sigma.store.lists.reading import Branch, Selection, probe
from sigma.store.lists.sources import ListTable, Source

MAX_FOUND_CUSTOMERS = 100  # clients with a searched name, the newest: others are found by contact
TOKEN_PROBE = 2000
MAX_FOUND_IDS = 500  # rows that a look-up of an id, a VK user or a client adds to a search
# Sources that serve a list by date however many rows they have: there is no better one.
_DENSE_SOURCES = frozenset({Source.TOKEN, Source.LAST4, Source.AMOUNT, Source.REFUNDED})
# Sources by the conditions that they serve, the most selective kinds first.
_SOURCES: tuple[tuple[Source, set[str]], ...] = (
    (Source.IDS, {"ids"}),
    (Source.INVOICE, {"invoice"}),
    (Source.CUSTOMER, {"customers"}),
    (Source.LAST4, {"last4"}),
    (Source.TOKEN, set()),
    (Source.AMOUNT, {"amount"}),
    (Source.ATTENTION, {"attention"}),
    (Source.REFUNDED, {"refunded_any", "refunded_state"}),
    (Source.SERVICE, {"service"}),
    (Source.MEMBER, {"member"}),
    (Source.STATUS, {"status"}),
)


async def select_payments(
    ctx: Context, tx: Tx, member: Member, shop: Shop, wanted: PaymentFilter
) -> Selection:
    """Return the selection of a filter of payments. Raises RefusedError("forbidden").

    A member who may not read answers cannot filter by e-mail or phone, and their search does not
    look into answers, VK ids and names of clients.
    """
    values = _shared_values(ctx, shop, wanted) | _payment_values(wanted)
    tokens = _required_tokens(ctx, member, Subject.PAYMENT, wanted)
    if wanted.empty_answer:
        hashed = partial(token_hash, ctx.cipher, member.shop_id, Subject.PAYMENT)
        tokens += (hashed(Feature.EMPTY_ANSWER, wanted.empty_answer),)
    base = _base(ctx, member, PAYMENTS, values, wanted)
    if not wanted.query:
        return replace(base, branches=[await _choose(tx, base, Branch(tokens=tokens))])
    search = parse_search(wanted.query)
    branches = _token_branches(ctx, member, Subject.PAYMENT, search, tokens)
    branches += [Branch(values={"amount": minor}, tokens=tokens) for minor in search.amounts_minor]
    if search.last4:
        branches.append(Branch(values={"last4": search.last4}, tokens=tokens))
    if search.number is not None:
        invoice_id = await look_ups.invoice_by_number(tx, member.shop_id, search.number)
        branches += [Branch(values={"invoice": one}, tokens=tokens) for one in _some(invoice_id)]
    if ids := await _found_payments(tx, member, search):
        branches.append(Branch(values={"ids": ids}, tokens=tokens))
    if customer_ids := await _found_customers(ctx, tx, member, wanted.query, search):
        branches.append(Branch(values={"customers": customer_ids}, tokens=tokens))
    return replace(
        base,
        branches=await _usable(tx, base, branches),
        is_cut=len(ids) >= MAX_FOUND_IDS or len(customer_ids) >= MAX_FOUND_CUSTOMERS,
    )


async def select_invoices(
    ctx: Context, tx: Tx, member: Member, shop: Shop, wanted: InvoiceFilter
) -> Selection:
    """Return the selection of a filter of invoices. Raises like `select_payments`.

    What clients answered is found through their payments, the latest MAX_FOUND_IDS of them.
    """
    values = _shared_values(ctx, shop, wanted)
    if wanted.status == InvoiceStatus.EXPIRED:
        del values["status"]
        values["expired"] = True
    elif wanted.status == InvoiceStatus.OPEN:
        values["unexpired"] = True
    base = _base(ctx, member, INVOICES, values, wanted)
    public_tokens = _metadata_tokens(ctx, member, Subject.INVOICE, wanted)
    contact_tokens = _contact_tokens(ctx, member, wanted)
    if contact_tokens:
        of_payments = replace(base, listed=PAYMENTS, values={})
        by_contact = await _invoices_of(tx, of_payments, Branch(tokens=contact_tokens))
        values = dict(values) | {"ids": by_contact.ids}
        base = replace(base, values=values, is_cut=by_contact.is_cut)
    if not wanted.query:
        return replace(base, branches=[await _choose(tx, base, Branch(tokens=public_tokens))])
    search = parse_search(wanted.query)
    branches = _token_branches(ctx, member, Subject.INVOICE, search, public_tokens)
    branches += [
        Branch(values={"amount": minor}, tokens=public_tokens) for minor in search.amounts_minor
    ]
    found = await _found_invoices(ctx, tx, member, base, search)
    if found.ids:
        branches.append(Branch(values={"ids": sorted(set(found.ids))}, tokens=public_tokens))
    if customer_ids := await _found_customers(ctx, tx, member, wanted.query, search):
        branches.append(Branch(values={"customers": customer_ids}, tokens=public_tokens))
    return replace(
        base,
        branches=await _usable(tx, base, branches),
        is_cut=base.is_cut or found.is_cut or len(customer_ids) >= MAX_FOUND_CUSTOMERS,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Ids of invoices. `is_cut`: there are more than the look-up reads."""

    ids: list[str]
    is_cut: bool = False


def _base(
    ctx: Context, member: Member, listed: ListTable, values: dict[str, Any], wanted: ListFilter
) -> Selection:
    return Selection(
        listed,
        member.shop_id,
        ctx.now_us(),
        values,
        is_by_amount=wanted.sort.is_by_amount,
        is_descending=wanted.sort.is_descending,
    )


def _shared_values(ctx: Context, shop: Shop, wanted: ListFilter) -> dict[str, Any]:
    start_us, end_us = wanted.period.bounds_us(ctx.now_us(), shop.tz)
    values = {
        "created_from": start_us,
        "created_to": end_us,
        "status": wanted.status or None,
        "service": wanted.service_id or None,
        "member": wanted.member_id or None,
        "customers": [wanted.customer_id] if wanted.customer_id else None,
        "amount_from": wanted.amount_from,
        "amount_to": wanted.amount_to,
    }
    return {name: value for name, value in values.items() if value is not None}


def _payment_values(wanted: PaymentFilter) -> dict[str, Any]:
    """Return the conditions that only payments have."""
    values = {
        "method": wanted.method,
        "connection": wanted.connection_id,
        "invoice": wanted.invoice_id,
        "attention": wanted.needs_attention,
    }
    found: dict[str, Any] = {name: value for name, value in values.items() if value}
    return found | _refunded_values(wanted.refunded)


def _refunded_values(refunded: Refunded | None) -> dict[str, Any]:
    match refunded:
        case None:
            return {}
        case Refunded.ANY:
            return {"refunded_any": True}
        case Refunded.NONE:
            return {"unrefunded": True}
    return {"refunded_state": str(refunded)}


def _required_tokens(
    ctx: Context, member: Member, subject: Subject, wanted: ListFilter
) -> tuple[int, ...]:
    return _contact_tokens(ctx, member, wanted) + _metadata_tokens(ctx, member, subject, wanted)


def _contact_tokens(ctx: Context, member: Member, wanted: ListFilter) -> tuple[int, ...]:
    """Return the tokens of an e-mail and a phone, which only answers have."""
    if wanted.email or wanted.phone:
        member.require(Permission.READ_ANSWERS)
    hashed = partial(token_hash, ctx.cipher, member.shop_id, Subject.PAYMENT)
    contacts = ((Feature.EMAIL, wanted.email), (Feature.PHONE, wanted.phone))
    return tuple(hashed(feature, contact) for feature, contact in contacts if contact)


def _metadata_tokens(
    ctx: Context, member: Member, subject: Subject, wanted: ListFilter
) -> tuple[int, ...]:
    hashed = partial(token_hash, ctx.cipher, member.shop_id, subject)
    return tuple(hashed(Feature.METADATA, key, value) for key, value in wanted.metadata)


def _token_branches(
    ctx: Context, member: Member, subject: Subject, search: SearchQuery, required: tuple[int, ...]
) -> list[Branch]:
    """Return the branches of words, contacts and metadata."""
    hashed = partial(token_hash, ctx.cipher, member.shop_id, subject)
    reads_answers = member.can(Permission.READ_ANSWERS)
    feature = Feature.WORD if reads_answers else Feature.PUBLIC_WORD
    alternatives = [tuple(hashed(feature, stem) for stem in search.stems)]
    if search.pair:
        alternatives.append((hashed(Feature.METADATA, *search.pair),))
    if reads_answers and subject is Subject.PAYMENT:
        contacts = ((Feature.EMAIL, search.email), (Feature.PHONE, search.phone))
        alternatives += [(hashed(kind, contact),) for kind, contact in contacts if contact]
    return [Branch(tokens=(*one, *required)) for one in alternatives if one]


async def _found_payments(tx: Tx, member: Member, search: SearchQuery) -> list[str]:
    """Return the ids of payments that have a searched id: Sigma's, the acquirer's or VK's."""
    found: list[str] = []
    if search.external_id:
        found += await look_ups.payments_by_external_id(tx, member.shop_id, search.external_id)
    if search.vk_id is not None and member.can(Permission.READ_ANSWERS):
        found += await look_ups.payments_by_vk_id(tx, member.shop_id, search.vk_id, MAX_FOUND_IDS)
    return list(dict.fromkeys(found))


async def _found_invoices(
    ctx: Context, tx: Tx, member: Member, base: Selection, search: SearchQuery
) -> _Found:
    """Return the ids of invoices by number, by ids, and by what their clients answered."""
    found: list[str] = []
    if search.number is not None:
        found += _some(await look_ups.invoice_by_number(tx, member.shop_id, search.number))
    if search.external_id.startswith("inv_"):
        found.append(search.external_id)
    by_vk_id: list[str] = []
    if search.vk_id is not None and member.can(Permission.READ_ANSWERS):
        limit = MAX_FOUND_IDS
        by_vk_id = await look_ups.invoices_by_vk_id(tx, member.shop_id, search.vk_id, limit)
    payment_ids = await _found_payments(tx, member, search)
    is_cut = len(by_vk_id) >= MAX_FOUND_IDS or len(payment_ids) >= MAX_FOUND_IDS
    found += by_vk_id + await look_ups.invoices_of_payments(tx, payment_ids)
    of_payments = replace(base, listed=PAYMENTS, values={})
    branches = _token_branches(ctx, member, Subject.PAYMENT, search, ())
    branches += [Branch(values={"last4": one}) for one in _some(search.last4)]
    for branch in branches:
        of_branch = await _invoices_of(tx, of_payments, branch)
        found += of_branch.ids
        is_cut = is_cut or of_branch.is_cut
    return _Found(found, is_cut)


async def _invoices_of(tx: Tx, of_payments: Selection, branch: Branch) -> _Found:
    """Return the invoices of the latest payments of a branch."""
    latest = replace(of_payments, is_by_amount=False, is_descending=True)
    selection = replace(latest, branches=[await _choose(tx, latest, branch)])
    ids = await look_ups.latest_ids(tx, selection, MAX_FOUND_IDS)
    return _Found(await look_ups.invoices_of_payments(tx, ids), len(ids) >= MAX_FOUND_IDS)


async def _found_customers(
    ctx: Context, tx: Tx, member: Member, text: str, search: SearchQuery
) -> list[str]:
    """Return the customers whose name has the beginnings of all searched words, or the VK id.

    None for a member who may not read answers: both are masked for them, and what is found would
    tell whose they are.
    """
    found: list[str] = []
    if not member.can(Permission.READ_ANSWERS):
        return found
    if search.vk_id is not None:
        vk_user = vk_contact(search.vk_id)
        hashes = identity_hashes(ctx.cipher, member.shop_id, vk_user)
        owners = [await identities.find(tx, member.shop_id, vk_user.kind, one) for one in hashes]
        found += [identity.customer_id for identity in owners if identity]
    tokens = query_tokens(text) if search.stems and not search.email else []
    if tokens:
        words = token_hashes(ctx.cipher, member.shop_id, tokens)
        named = await lists.find_by_tokens(tx, member.shop_id, words, limit=MAX_FOUND_CUSTOMERS)
        found += [customer.id for customer in named]
    return found


async def _usable(tx: Tx, base: Selection, branches: list[Branch]) -> list[Branch]:
    """Return the branches that agree with the filter, each with its source.

    A search for another invoice, sum or client than the filter has finds nothing.
    """
    usable = []
    for branch in branches:
        values = dict(branch.values)
        for name in values.keys() & base.values.keys():
            if isinstance(values[name], list):
                values[name] = sorted(set(values[name]) & set(base.values[name]))
            elif values[name] != base.values[name]:
                values[name] = None
        if all(values.values()):
            usable.append(await _choose(tx, base, replace(branch, values=values)))
    return usable


async def _choose(tx: Tx, base: Selection, branch: Branch) -> Branch:
    """Return the branch with the source that reads the fewest rows.

    Sources are tried in turn: each is counted up to its window, which is fast, and the first with
    fewer rows is taken. A list by amount whose rows are many reads them in the order of amounts.
    """
    window = base.windows.table
    branch = await _rarest_token_first(tx, base, branch)
    for candidate in _candidates(base, branch):
        count = await probe(tx, base, candidate, window)
        is_small = count < window
        if is_small:
            return candidate
        if candidate.source in _DENSE_SOURCES and not base.is_by_amount:
            return candidate  # its rows are in the order of the list, and most of them match
    if not base.is_by_amount:
        return branch
    counted = await probe(tx, base, branch, base.windows.index)
    return branch if counted < base.windows.index else replace(branch, source=Source.BY_AMOUNT)


async def _rarest_token_first(tx: Tx, base: Selection, branch: Branch) -> Branch:
    """Order the tokens by how many rows have them, counted up to TOKEN_PROBE."""
    if len(branch.tokens) < 2:
        return branch
    counts = {}
    for token in branch.tokens:
        one = Branch(Source.TOKEN, tokens=(token,))
        counts[token] = await probe(tx, base, one, TOKEN_PROBE)
    return replace(branch, tokens=tuple(sorted(branch.tokens, key=counts.__getitem__)))


def _candidates(base: Selection, branch: Branch) -> Iterable[Branch]:
    """Yield the branch with each source that can serve it, the most selective kinds first."""
    names = base.values.keys() | branch.values.keys()
    for source, conditions in _SOURCES:
        is_possible = bool(branch.tokens) if source is Source.TOKEN else bool(names & conditions)
        if is_possible:
            yield replace(branch, source=source)


def _some(value: str | None) -> list[str]:
    return [value] if value else []
