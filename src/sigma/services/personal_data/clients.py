"""Find everything about one client.

The search starts from a customer, or from a payment or mailed invoice that belongs to no customer,
and offers the customer's card and each contact; the member chooses, because two people may share an
address: a contact also finds payments of other customers. Nothing is joined by what is found in the
second step.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import AnswerValue
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.customers.customer import (
    Customer,
    CustomerDetails,
    Identity,
    IdentityKind,
)
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.reminders.reminder import InvoiceRecipient
from sigma.services.answer_codec import read_values
from sigma.services.contact_hashes import contact_hashes
from sigma.services.context import Context
from sigma.services.customers import codec
from sigma.services.reminders.facts import decrypt_address
from sigma.store.billing import invoice_recipients, invoices, payments, reminders
from sigma.store.customers import customers, identities, lists
from sigma.store.customers import moves as move_rows
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations
from sigma.store.personal_data import clients

T = TypeVar("T")


class IdentifierKind(StrEnum):
    """By what the data of a client are found."""

    CUSTOMER = "customer"  # the card, and the rows that belong to it
    VK_USER = "vk"
    EMAIL = "email"
    PHONE = "phone"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One thing by which data are found.

    `value`: a VK id, a keyed hash, or the id of a customer or payment.

    `label`: the name, address or number as people read it. `hashes`: of an e-mail address or phone,
    those that its payments may have, by today's and earlier keys.
    """

    kind: IdentifierKind
    value: str
    label: str
    payment_count: int = 0
    conversation_count: int = 0
    hashes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The value of its form field."""
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True)
class CustomerCard:
    """What the card of a customer says; None for what no key decrypts."""

    customer: Customer
    name: str | None
    details: CustomerDetails | None
    contacts: tuple[tuple[IdentityKind, str | None], ...]


@dataclass(frozen=True, slots=True)
class ClientData:
    """Everything that is stored about a client, except messages, which are read by page.

    `values`: decrypted answers by the id of their row; None for one that no key decrypts.
    """

    identifiers: tuple[Identifier, ...]
    cards: tuple[CustomerCard, ...]
    conversations: tuple[Conversation, ...]
    payments: tuple[Payment, ...]
    invoices: tuple[Invoice, ...]
    answers: tuple[Answers, ...]
    values: dict[str, dict[str, AnswerValue] | None]
    consents: tuple[Consent, ...]
    mails: tuple[Mail, ...]
    recipients: tuple[InvoiceRecipient, ...]
    receipts: tuple[Receipt, ...]
    refunds: tuple[Refund, ...]
    orders: tuple[VkOrder, ...]
    notice_ids: tuple[str, ...]

    def contacts(self, key: str) -> set[str]:
        """Return the client's answers to a built-in question, such as "email"."""
        found = (values.get(key) for values in self.values.values() if values)
        return {value for value in found if isinstance(value, str) and value}


async def find(ctx: Context, member: Member, subject_id: str) -> tuple[Identifier, ...]:
    """Return by what the client can be found: a customer, or a payment or invoice without one.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.PERSONAL_DATA)
    async with ctx.db.read() as tx:
        return await _find(ctx, tx, member, subject_id)


async def _find(ctx: Context, tx: Tx, member: Member, subject_id: str) -> tuple[Identifier, ...]:
    if subject_id.startswith("pay_"):
        payment = await payments.get(tx, subject_id)
        if payment is None or payment.shop_id != member.shop_id:
            raise RefusedError("not_found", what="payment")
        return (Identifier(IdentifierKind.PAYMENT, payment.id, payment.id[-6:], 1),)
    if subject_id.startswith("inv_"):
        return await _find_recipients(ctx, tx, member, subject_id)
    customer = await customers.get(tx, subject_id)
    if customer is None or customer.shop_id != member.shop_id:
        raise RefusedError("not_found", what="customer")
    own = await move_rows.rows_of(tx, customer.id)
    identifiers = [
        Identifier(
            IdentifierKind.CUSTOMER,
            customer.id,
            codec.read_name(ctx.cipher, customer.id, customer.name_encrypted),
            len(own["payments"]),
            len(own["conversations"]),
        )
    ]
    for identity in await identities.list_for_customers(tx, [customer.id]):
        value = codec.read_identity(ctx.cipher, identity) or ""
        identifiers.append(await _contact_identifier(ctx, tx, identity, value))
    return tuple(identifiers)


async def _find_recipients(
    ctx: Context, tx: Tx, member: Member, invoice_id: str
) -> tuple[Identifier, ...]:
    """Return the e-mail addresses that an invoice was sent to."""
    invoice = await invoices.get(tx, invoice_id)
    if invoice is None or invoice.shop_id != member.shop_id:
        raise RefusedError("not_found", what="invoice")
    found: dict[str, Identifier] = {}
    for one in await clients.list_recipients(tx, member.shop_id, invoice_ids=[invoice_id]):
        if one.email_hash:
            address = read_recipient(ctx, one)
            found[one.email_hash] = await _address_identifier(
                ctx, tx, member.shop_id, IdentifierKind.EMAIL, one.email_hash, address
            )
    return tuple(found.values())


async def _address_identifier(
    ctx: Context, tx: Tx, shop_id: str, kind: IdentifierKind, hashed: str, value: str
) -> Identifier:
    """Return an e-mail address or phone; `value` is "" when no key decrypts it."""
    possible = contact_hashes(ctx.cipher, shop_id, kind.value, value) if value else []
    hashes = tuple(dict.fromkeys([hashed, *possible]))
    ids = await _payment_ids(tx, shop_id, kind, hashes)
    return Identifier(kind, hashed, value or "•••", len(ids), hashes=hashes)


async def _contact_identifier(ctx: Context, tx: Tx, identity: Identity, value: str) -> Identifier:
    """Return a contact with the number of payments and conversations that it finds."""
    shop_id = identity.shop_id
    if identity.kind is IdentityKind.VK:
        peer_id = int(value) if value.isdecimal() else 0
        found = await clients.list_conversations(tx, shop_id, peer_id)
        paid = await clients.list_payments(tx, conversation_ids=[one.id for one in found])
        label = found[0].title if found else (f"id{value}" if value else "•••")
        return Identifier(IdentifierKind.VK_USER, value, label, len(paid), len(found))
    kind = IdentifierKind(identity.kind.value)
    return await _address_identifier(ctx, tx, shop_id, kind, identity.identity_hash, value)


async def _payment_ids(
    tx: Tx, shop_id: str, kind: IdentifierKind, hashes: Iterable[str]
) -> set[str]:
    found: set[str] = set()
    for hashed in hashes:
        found |= await clients.list_payment_ids(tx, shop_id, kind.value, hashed)
    return found


async def _cards(ctx: Context, tx: Tx, ids: Collection[str]) -> list[CustomerCard]:
    """Return the cards of customers and of those that were merged into them."""
    every = set(ids)
    for customer_id in ids:
        every.update(await lists.list_merged(tx, customer_id))
    contacts: dict[str, list[tuple[IdentityKind, str | None]]] = {}
    for one in await identities.list_for_customers(tx, every):
        value = codec.read_identity(ctx.cipher, one)
        contacts.setdefault(one.customer_id, []).append((one.kind, value))
    return [
        CustomerCard(
            customer=customer,
            name=_readable(codec.decrypt_name, ctx.cipher, customer.id, customer.name_encrypted),
            details=_readable(codec.decrypt_details, ctx.cipher, customer),
            contacts=tuple(contacts.get(customer.id, ())),
        )
        for customer in (await customers.find_by_ids(tx, every)).values()
    ]


def _readable(decrypt: Callable[..., T], *arguments: object) -> T | None:
    """Return what `decrypt` returns; None when the key is missing."""
    try:
        return decrypt(*arguments)
    except DecryptionError:
        return None


async def gather(
    ctx: Context, tx: Tx, member: Member, subject_id: str, chosen: Collection[str]
) -> ClientData:
    """Return everything that the chosen identifiers (`Identifier.key`) find.

    Raises RefusedError: "not_found", "validation" with field "identifiers" when none is chosen.
    """
    member.require(Permission.PERSONAL_DATA)
    offered = await _find(ctx, tx, member, subject_id)
    identifiers = tuple(one for one in offered if one.key in chosen)
    if not identifiers:
        raise validation_error(Problem("identifiers", "choose"))
    rows = await _chosen_rows(tx, member.shop_id, identifiers)
    own, payment_ids = list(rows.conversations.values()), rows.payment_ids
    conversation_ids = list(rows.conversations)
    found = await clients.list_payments(tx, conversation_ids=conversation_ids, ids=payment_ids)
    ids = [payment.id for payment in found]
    answers = await clients.list_answers(tx, ids)
    own_invoices, recipients = await _invoices_and_recipients(
        tx,
        member.shop_id,
        conversation_ids=conversation_ids,
        invoice_ids={payment.invoice_id for payment in found} | rows.invoice_ids,
        email_hashes=rows.email_hashes,
    )
    return ClientData(
        identifiers=identifiers,
        cards=tuple(await _cards(ctx, tx, rows.customer_ids)),
        conversations=tuple(own),
        payments=tuple(found),
        invoices=tuple(own_invoices),
        answers=tuple(answers),
        values={one.id: read_values(ctx.cipher, one) for one in answers},
        consents=tuple(await clients.list_consents(tx, ids)),
        mails=(
            *await clients.list_mails(tx, ids),
            *await invoice_recipients.list_mails(tx, await _letter_subjects(tx, recipients)),
        ),
        recipients=tuple(recipients),
        receipts=tuple(await clients.list_receipts(tx, ids)),
        refunds=tuple(await clients.list_refunds(tx, ids)),
        orders=tuple(await clients.list_orders(tx, conversation_ids)),
        notice_ids=tuple(one[0] for one in await clients.list_notices(tx, found)),
    )


async def _invoices_and_recipients(
    tx: Tx,
    shop_id: str,
    *,
    conversation_ids: Collection[str],
    invoice_ids: Collection[str],
    email_hashes: Collection[str],
) -> tuple[list[Invoice], list[InvoiceRecipient]]:
    """Return the client's invoices, and to which addresses they were sent.

    Letters of a shared link may be those of other people: only the chosen addresses count.
    """
    own = await clients.list_invoices(tx, conversation_ids=conversation_ids, ids=invoice_ids)
    recipients = await clients.list_recipients(
        tx,
        shop_id,
        invoice_ids=[one.id for one in own if not one.is_shared_link],
        email_hashes=email_hashes,
    )
    # The invoices of letters belong to the client too: their texts may name them.
    mailed_ids = {one.invoice_id for one in recipients} - {one.id for one in own}
    mailed = await clients.list_invoices(tx, ids=mailed_ids)
    return own + [one for one in mailed if not one.is_shared_link], recipients


async def _letter_subjects(tx: Tx, recipients: list[InvoiceRecipient]) -> list[str]:
    """Return the subjects of the letters to recipients: the recipients and their reminders."""
    ids = {one.id for one in recipients}
    subjects = set(ids)
    for invoice_id in {one.invoice_id for one in recipients}:
        sent = await reminders.list_for_invoice(tx, invoice_id)
        subjects |= {one.id for one in sent if one.target_id in ids}
    return sorted(subjects)


def read_recipient(ctx: Context, recipient: InvoiceRecipient) -> str:
    """Return the address of a recipient; "" when it is deleted or no key decrypts it."""
    try:
        return decrypt_address(ctx, recipient)
    except DecryptionError:
        return ""


@dataclass(slots=True)
class _Rows:
    conversations: dict[str, Conversation] = field(default_factory=dict)
    payment_ids: set[str] = field(default_factory=set)
    invoice_ids: set[str] = field(default_factory=set)
    customer_ids: set[str] = field(default_factory=set)
    email_hashes: set[str] = field(default_factory=set)


async def _chosen_rows(tx: Tx, shop_id: str, identifiers: Iterable[Identifier]) -> _Rows:
    """Return what the identifiers find."""
    rows = _Rows()
    for one in identifiers:
        found: list[Conversation] = []
        match one.kind:
            case IdentifierKind.CUSTOMER:
                own = await move_rows.rows_of(tx, one.value)
                rows.customer_ids.add(one.value)
                rows.payment_ids.update(own["payments"])
                rows.invoice_ids.update(own["invoices"])
                found = list((await conversations.find_by_ids(tx, own["conversations"])).values())
            case IdentifierKind.VK_USER if one.value.isdecimal():
                found = await clients.list_conversations(tx, shop_id, int(one.value))
            case IdentifierKind.PAYMENT:
                rows.payment_ids.add(one.value)
            case IdentifierKind.EMAIL | IdentifierKind.PHONE:
                rows.payment_ids |= await _payment_ids(tx, shop_id, one.kind, one.hashes)
                if one.kind is IdentifierKind.EMAIL:
                    rows.email_hashes.update(one.hashes)
        rows.conversations |= {conversation.id: conversation for conversation in found}
    return rows
