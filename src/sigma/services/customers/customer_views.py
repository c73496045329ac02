"""Customers as a member of the shop sees them: the list, the search, one customer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.question import parse_email, parse_phone
from sigma.domain.change import TimelineEvent
from sigma.domain.customers.customer import Customer, CustomerDetails, IdentityKind
from sigma.domain.customers.joining import Contact
from sigma.domain.customers.masking import mask_contact, mask_name
from sigma.domain.customers.moves import Move
from sigma.domain.customers.search import query_tokens, tag_token
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.money import Money
from sigma.services.context import Context
from sigma.services.customers import codec
from sigma.services.paging import MAX_LIMIT, Page, make_page
from sigma.services.platform import audit_log
from sigma.store.billing import timeline
from sigma.store.customers import customers, identities, lists
from sigma.store.customers import moves as move_rows
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx

PAGE_SIZE = 50
_VK_ID = re.compile(r"(?:(?:https?://)?(?:m\.)?vk\.(?:com|ru)/)?id(\d{1,12})|(\d{1,12})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContactView:
    """One contact. `text` is masked for a member who may not see personal data."""

    id: str
    kind: IdentityKind
    text: str


@dataclass(frozen=True, slots=True)
class CustomerSum:
    """What a customer has paid in one currency, and what went back."""

    payment_count: int
    captured: Money
    refunded: Money

    @property
    def total(self) -> Money:
        """What the shop has of it now."""
        return Money(self.captured.minor - self.refunded.minor, self.captured.currency)


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer in a list. `name` may be empty; `sums`: one for each currency.

    `is_masked`: name and contacts are masked.
    """

    customer: Customer
    name: str
    contacts: tuple[ContactView, ...]
    sums: tuple[CustomerSum, ...]
    is_masked: bool

    @property
    def title(self) -> str:
        """The name, or the first contact; empty without both."""
        return self.name or next((contact.text for contact in self.contacts), "")

    @property
    def photo_url(self) -> str:
        """The picture of the VK profile; empty when masked."""
        return "" if self.is_masked else self.customer.photo_url


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another customer who may be the same person: they share a contact of this kind."""

    id: str
    other: CustomerRow
    reason: IdentityKind


@dataclass(frozen=True, slots=True)
class CustomerView:
    """One customer with what only their page shows.

    `details` is None for a member who may not see personal data, or without the key that decrypts
    them (`is_unreadable`). `conversations` are empty without the right to read them. `names`: the
    titles of the customers of `moves`.
    """

    row: CustomerRow
    details: CustomerDetails | None
    is_unreadable: bool
    conversations: tuple[Conversation, ...]
    suggestions: tuple[Suggestion, ...]
    moves: tuple[Move, ...]
    names: dict[str, str]
    timeline: tuple[TimelineEvent, ...]


async def list_page(
    ctx: Context,
    member: Member,
    *,
    query: str = "",
    tag: str = "",
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> Page[CustomerRow]:
    """Return a page of customers: those with the latest activity first, or what a search finds.

    `query` is an e-mail address, a phone, a VK id or link, or the beginnings of the words of a
    name; `tag`: only customers with this tag. What is found is ordered by the first payment or
    message, the newest first. Raises RefusedError("forbidden"): a member who sees only initials
    may not search, because what is found would tell whose they are.
    """
    member.require(Permission.READ)
    if query or tag:
        member.require(Permission.READ_ANSWERS)
    async with ctx.db.read() as tx:
        if query or tag:
            page = await _search(ctx, tx, member, query, tag, cursor or "", limit)
        else:
            before = _parse_cursor(cursor)
            rows = await lists.list_latest(tx, member.shop_id, before, limit + 1)
            page = make_page(rows, limit, lambda one: f"{one.last_activity_at_us}.{one.id}")
        views = await _rows(ctx, tx, member, page.data)
    if views and not views[0].is_masked:
        await audit_log.record_answers_viewed(ctx, member)
    return Page(views, page.next_cursor)


def _parse_cursor(cursor: str | None) -> tuple[int, str]:
    at_us, _, customer_id = (cursor or "").partition(".")
    if not customer_id or not at_us.isascii() or not at_us.isdecimal() or len(at_us) > 17:
        return lists.START_CURSOR
    return int(at_us), customer_id


async def _search(
    ctx: Context, tx: Tx, member: Member, query: str, tag: str, before_id: str, limit: int
) -> Page[Customer]:
    contacts = _contacts_in(query)
    if contacts and not tag:
        ids = set()
        for contact in contacts:
            for hashed in codec.identity_hashes(ctx.cipher, member.shop_id, contact):
                if found := await identities.find(tx, member.shop_id, contact.kind, hashed):
                    ids.add(found.customer_id)
        return Page(list((await customers.find_by_ids(tx, ids)).values()))
    tokens = query_tokens(query) + ([tag_token(tag)] if tag else [])
    if not tokens:
        return Page([])
    # The longest first: it has the fewest customers, and the others are looked up for each.
    tokens.sort(key=len, reverse=True)
    hashes = codec.token_hashes(ctx.cipher, member.shop_id, tokens)
    rows = await lists.find_by_tokens(tx, member.shop_id, hashes, before_id, limit + 1)
    return make_page(rows, limit, lambda one: one.id)


def _contacts_in(query: str) -> list[Contact]:
    """Return the contacts that a search text may be: digits are a phone or a VK id."""
    text = query.strip()
    if "@" in text:
        email = parse_email(text)
        return [Contact(IdentityKind.EMAIL, email)] if email else []
    found = []
    if match := _VK_ID.fullmatch(text):
        found.append(Contact(IdentityKind.VK, str(int(match[1] or match[2]))))
    if sum(one.isdecimal() for one in text) > 4 and not any(one.isalpha() for one in text):
        phone = parse_phone(text)
        if isinstance(phone, str):
            found.append(Contact(IdentityKind.PHONE, phone))
    return found


async def _rows(
    ctx: Context, tx: Tx, member: Member, found: Sequence[Customer]
) -> list[CustomerRow]:
    """Return customers with names, contacts and sums, read by one statement each."""
    if not found:
        return []
    ids = [one.id for one in found]
    is_masked = not member.can(Permission.READ_ANSWERS)
    contacts: dict[str, list[ContactView]] = {}
    for identity in await identities.list_for_customers(tx, ids):
        value = codec.read_identity(ctx.cipher, identity)
        text = value or "•••"
        if is_masked and value:
            text = mask_contact(identity.kind, value)
        view = ContactView(identity.id, identity.kind, text)
        contacts.setdefault(identity.customer_id, []).append(view)
    sums = await lists.sum_payments(tx, ids)
    rows = []
    for one in found:
        name = codec.read_name(ctx.cipher, one.id, one.name_encrypted)
        rows.append(
            CustomerRow(
                customer=one,
                name=mask_name(name) if is_masked else name,
                contacts=tuple(contacts.get(one.id, ())),
                sums=tuple(
                    CustomerSum(count, Money(captured, currency), Money(refunded, currency))
                    for currency, (count, captured, refunded) in sorted(
                        sums.get(one.id, {}).items()
                    )
                ),
                is_masked=is_masked,
            )
        )
    return rows


async def access(ctx: Context, member: Member, customer_id: str) -> Customer:
    """Return a customer of the shop; of one that was merged, the one who has the rows now.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        found = await customers.get(tx, customer_id)
        while found is not None and found.merged_into_id is not None:
            found = await customers.get(tx, found.merged_into_id)
    if found is None or found.shop_id != member.shop_id:
        raise RefusedError("not_found", what="customer")
    return found


async def get_row(ctx: Context, member: Member, customer_id: str) -> CustomerRow:
    """Return one customer as lists show it. Raises RefusedError: "forbidden", "not_found"."""
    customer = await access(ctx, member, customer_id)
    async with ctx.db.read() as tx:
        (row,) = await _rows(ctx, tx, member, [customer])
    return row


async def get_view(ctx: Context, member: Member, customer_id: str) -> CustomerView:
    """Return one customer with everything but payments and invoices, which have pages.

    Raises RefusedError: "forbidden", "not_found".
    """
    customer = await access(ctx, member, customer_id)
    can_converse = member.can(Permission.ANSWER)
    details, is_unreadable = _read_details(ctx, member, customer)
    async with ctx.db.read() as tx:
        (row,) = await _rows(ctx, tx, member, [customer])
        conversations = await lists.list_conversations(tx, customer.id) if can_converse else []
        moved = await move_rows.list_for_customer(tx, customer.id)
        others = {one.from_id for one in moved} | {one.to_id for one in moved}
        other_rows = await _rows(
            ctx, tx, member, list((await customers.find_by_ids(tx, others)).values())
        )
        suggestions = await _suggestions(ctx, tx, member, customer)
        events = await timeline.list_for_subject(tx, customer.id, limit=MAX_LIMIT)
    if not row.is_masked:
        await audit_log.record_answers_viewed(ctx, member, customer.id)
    return CustomerView(
        row=row,
        details=details,
        is_unreadable=is_unreadable,
        conversations=tuple(conversations),
        suggestions=suggestions,
        moves=tuple(moved),
        names={one.customer.id: one.title for one in other_rows},
        timeline=tuple(events),
    )


def _read_details(
    ctx: Context, member: Member, customer: Customer
) -> tuple[CustomerDetails | None, bool]:
    if not member.can(Permission.READ_ANSWERS):
        return None, False
    try:
        return codec.decrypt_details(ctx.cipher, customer), False
    except DecryptionError:
        return None, True


async def _suggestions(
    ctx: Context, tx: Tx, member: Member, customer: Customer
) -> tuple[Suggestion, ...]:
    """Return who may be the same person: of this customer and of those merged into it."""
    own = {customer.id, *await lists.list_merged(tx, customer.id)}
    found: dict[str, tuple[str, str]] = {}
    for suggestion_id, one_id, other_id, reason in await lists.list_suggestions(tx, own):
        other: Customer | None = await customers.get(tx, other_id if one_id in own else one_id)
        while other is not None and other.merged_into_id is not None:
            other = await customers.get(tx, other.merged_into_id)
        if other is not None and other.id not in own:
            found.setdefault(other.id, (suggestion_id, reason))
    rows = await _rows(ctx, tx, member, list((await customers.find_by_ids(tx, found)).values()))
    return tuple(
        Suggestion(found[row.customer.id][0], row, IdentityKind(found[row.customer.id][1]))
        for row in rows
    )
