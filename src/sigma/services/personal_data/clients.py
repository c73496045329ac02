"""Find everything about one client.

A client is who a shop says it is: a VK user, an e-mail address, a phone. The search starts from a
payment, a conversation or an invoice that was sent by e-mail, and offers what it finds there; the
member chooses, because two people may share an address. Nothing is joined by what is found in the
second step.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import AnswerValue, parse_email, parse_phone
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.reminder import InvoiceRecipient
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.vk_order import VkOrder
from sigma.services.billing.answer_codec import contact_hash, read_values
from sigma.services.context import Context
from sigma.services.reminders.facts import decrypt_address
from sigma.store.billing import invoice_recipients, invoices, payments, reminders
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations
from sigma.store.personal_data import clients


class IdentifierKind(StrEnum):
    """By what the data of a client are found."""

    VK_USER = "vk"
    EMAIL = "email"
    PHONE = "phone"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One thing by which data are found. `value`: a VK id, a keyed hash, or the id of a payment.

    `label`: the name, address or number as people read it.
    """

    kind: IdentifierKind
    value: str
    label: str
    payment_count: int = 0
    conversation_count: int = 0

    @property
    def key(self) -> str:
        """The value of its form field."""
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True)
class ClientData:
    """Everything that is stored about a client, except messages, which are read by page.

    `values`: decrypted answers by the id of their row; None for one that no key decrypts.
    """

    identifiers: tuple[Identifier, ...]
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


async def find_by_contact(ctx: Context, member: Member, text: str) -> str:
    """Return the id of the latest payment with an e-mail address or phone number.

    Without one, the latest invoice that was sent to the address.

    Raises RefusedError("validation") with field "contact" when there is none.
    """
    member.require(Permission.PERSONAL_DATA)
    kind, value = "email", parse_email(text) if "@" in text else None
    if value is None:
        phone = parse_phone(text)
        kind, value = "phone", phone if isinstance(phone, str) else None
    if value is None:
        raise validation_error(Problem("contact", "contact"))
    found: set[str] = set()
    async with ctx.db.read() as tx:
        for cipher in (ctx.cipher, *ctx.cipher.former_ciphers()):
            hashed = contact_hash(cipher, member.shop_id, kind, value)
            found |= await clients.list_payment_ids(tx, member.shop_id, kind, hashed)
        if not found and kind == "email":
            hashes = [
                contact_hash(cipher, member.shop_id, kind, value)
                for cipher in (ctx.cipher, *ctx.cipher.former_ciphers())
            ]
            mailed = await clients.list_recipients(tx, member.shop_id, email_hashes=hashes)
            found = {one.invoice_id for one in mailed}
    if not found:
        raise validation_error(Problem("contact", "contact_unknown"))
    return max(found)


async def find(ctx: Context, member: Member, subject_id: str) -> tuple[Identifier, ...]:
    """Return by what the client of a payment or conversation can be found.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.PERSONAL_DATA)
    async with ctx.db.read() as tx:
        return await _find(ctx, tx, member, subject_id)


async def _find(ctx: Context, tx: Tx, member: Member, subject_id: str) -> tuple[Identifier, ...]:
    payment, conversation, invoice_id = await _access_subject(tx, member, subject_id)
    own = (
        await clients.list_conversations(tx, member.shop_id, conversation.peer_id)
        if conversation
        else []
    )
    direct = await clients.list_payments(
        tx,
        conversation_ids=[one.id for one in own],
        ids=[payment.id] if payment else [],
    )
    identifiers = []
    if conversation is not None:
        identifiers.append(
            Identifier(
                IdentifierKind.VK_USER,
                str(conversation.peer_id),
                conversation.title,
                sum(one.conversation_id is not None for one in direct),
                len(own),
            )
        )
    contacts: dict[tuple[IdentifierKind, str], str] = {}
    for answers in await clients.list_answers(tx, [one.id for one in direct]):
        values = read_values(ctx.cipher, answers) or {}
        for kind, hashed in (
            (IdentifierKind.EMAIL, answers.email_hash),
            (IdentifierKind.PHONE, answers.phone_hash),
        ):
            if hashed:
                contacts[kind, hashed] = str(values.get(kind.value, "")) or "•••"
    if invoice_id:
        for one in await clients.list_recipients(tx, member.shop_id, invoice_ids=[invoice_id]):
            if one.email_hash:
                label = read_recipient(ctx, one) or "•••"
                contacts.setdefault((IdentifierKind.EMAIL, one.email_hash), label)
    for (kind, hashed), label in contacts.items():
        found = await clients.list_payment_ids(tx, member.shop_id, kind.value, hashed)
        identifiers.append(Identifier(kind, hashed, label, len(found)))
    if payment is not None:
        identifiers.append(Identifier(IdentifierKind.PAYMENT, payment.id, payment.id[-6:], 1))
    return tuple(identifiers)


async def _access_subject(
    tx: Tx, member: Member, subject_id: str
) -> tuple[Payment | None, Conversation | None, str]:
    """Return the payment, its or the named conversation, and the invoice to look for recipients of.

    The invoice is "" for a payment of a shared link: its letters may be those of other people.
    """
    if subject_id.startswith("inv_"):
        invoice = await invoices.get(tx, subject_id)
        if invoice is None or invoice.shop_id != member.shop_id:
            raise RefusedError("not_found", what="invoice")
        return None, None, invoice.id
    if subject_id.startswith("pay_"):
        payment = await payments.get(tx, subject_id)
        if payment is None or payment.shop_id != member.shop_id:
            raise RefusedError("not_found", what="payment")
        conversation_id = payment.conversation_id
        conversation = await conversations.get(tx, conversation_id) if conversation_id else None
        invoice = await invoices.get(tx, payment.invoice_id)
        is_own = invoice is not None and not invoice.is_shared_link
        return payment, conversation, payment.invoice_id if is_own else ""
    conversation = await conversations.get(tx, subject_id)
    if conversation is None or conversation.shop_id != member.shop_id:
        raise RefusedError("not_found", what="conversation")
    return None, conversation, ""


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
    own: list[Conversation] = []
    payment_ids: set[str] = set()
    email_hashes: set[str] = set()
    for one in identifiers:
        if one.kind is IdentifierKind.VK_USER:
            own += await clients.list_conversations(tx, member.shop_id, int(one.value))
        elif one.kind is IdentifierKind.PAYMENT:
            payment_ids.add(one.value)
        else:
            if one.kind is IdentifierKind.EMAIL:
                email_hashes.add(one.value)
            payment_ids |= await clients.list_payment_ids(
                tx, member.shop_id, one.kind.value, one.value
            )
    conversation_ids = [one.id for one in own]
    found = await clients.list_payments(tx, conversation_ids=conversation_ids, ids=payment_ids)
    ids = [payment.id for payment in found]
    answers = await clients.list_answers(tx, ids)
    own_invoices = await clients.list_invoices(
        tx, conversation_ids=conversation_ids, ids={payment.invoice_id for payment in found}
    )
    recipients = await clients.list_recipients(
        tx,
        member.shop_id,
        invoice_ids=[one.id for one in own_invoices if not one.is_shared_link],
        email_hashes=email_hashes,
    )
    own_ids = {one.id for one in own_invoices}
    # The invoices of letters belong to the client too: their texts may name them.
    mailed_ids = {one.invoice_id for one in recipients} - own_ids
    own_invoices += [
        one for one in await clients.list_invoices(tx, ids=mailed_ids) if not one.is_shared_link
    ]
    return ClientData(
        identifiers=identifiers,
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
