"""Letters with an invoice: sent by a member, or as an automatic reminder.

Address and content are determined when a letter is sent, and whether it may still be sent is
checked before each attempt: an invoice that was paid meanwhile is not asked for again.
"""

import base64
import binascii
from dataclasses import dataclass, replace

from sigma.documents.mails import MailBody, invoice_mail
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.billing.invoice import Invoice, reminder_jobs, timeline_event
from sigma.domain.billing.mail import Mail, mask_email
from sigma.domain.billing.question import parse_email
from sigma.domain.change import Change, Job
from sigma.domain.customers.customer import IdentityKind
from sigma.domain.customers.joining import Contact
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.reminders.reminder import InvoiceRecipient, Reminder, ReminderKind
from sigma.services.billing.invoices import get as get_invoice
from sigma.services.billing.invoices import payment_url
from sigma.services.contact_hashes import contact_hashes
from sigma.services.context import Context
from sigma.services.customers import attachment, codec
from sigma.services.platform import audit_log, mail_limits
from sigma.services.reminders import facts, stops
from sigma.store import changes
from sigma.store.billing import invoice_recipients, invoices, mails, reminders
from sigma.store.customers import customers, identities, moves
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError, SignaturePurpose
from sigma.store.engine.interface import Tx
from sigma.texts import Translator

KINDS = ("invoice", "reminder")
CLIENT = "client"  # in place of an address: that of the client whom the invoice is for


@dataclass(frozen=True, slots=True)
class InvoiceLetter:
    """A rendered letter and the address that gets it."""

    address: str
    body: MailBody


@dataclass(frozen=True, slots=True)
class SentInvoice:
    """A recipient of an invoice with the letters to it, the oldest first.

    `address` is masked unless the member may read answers; "" after its deletion.
    """

    recipient: InvoiceRecipient
    address: str
    mails: tuple[Mail, ...]


def parse_address(text: str) -> str:
    """Return the normalized address. Raises RefusedError("validation") about the field "email"."""
    address = parse_email(text)
    if address is None:
        raise validation_error(Problem("email", "email" if text.strip() else "required"))
    return address


async def send(ctx: Context, member: Member, invoice_id: str, address: str) -> Mail:
    """Queue a letter with an invoice. `address`: an e-mail, or CLIENT for the client's own.

    An address that already has the invoice gets it again. Raises RefusedError: "forbidden",
    "not_found", "validation" (field "email"), "mail_no_address" without the client's e-mail,
    "mail_stopped" when the client wants no letters, "mail_limit", or the reason why the invoice
    cannot be paid.
    """
    member.require(Permission.ISSUE)
    invoice = await get_invoice(ctx, member, invoice_id)
    address = await _client_address(ctx, invoice) if address == CLIENT else parse_address(address)
    async with ctx.db.read() as tx:
        holds = await invoices.count_holds(tx, invoice.id)
        if await reminders.has_stop(tx, stops.email_hashes(ctx, invoice.shop_id, address)):
            raise RefusedError("mail_stopped")
    invoice_domain.require_payable(invoice, ctx.now_us(), holds)  # before anything is counted
    await mail_limits.require(ctx, invoice.shop_id, invoice_id=invoice.id)
    async with ctx.db.write() as tx:
        now_us = ctx.now_us()
        invoice = await invoices.lock(tx, invoice_id)
        holds = await invoices.count_holds(tx, invoice.id)
        invoice_domain.require_payable(invoice, now_us, holds)
        former_id = invoice.customer_id
        invoice, was_attached = await _attach(ctx, tx, invoice, address)
        recipient = await _recipient(ctx, tx, member, invoice, address, now_us)
        number = 1 + await mails.last_number(tx, "invoice", recipient.id)
        mail = Mail(
            ctx.new_id("mail", invoice.shop_id),
            *(invoice.shop_id, "invoice", recipient.id, ""),
            now_us,
            number,
        )
        event = timeline_event(
            invoice, "mailed", now_us, ctx.id_factory(invoice.shop_id), member.actor
        )
        jobs = (Job("mail.send", mail.id, invoice.shop_id), *reminder_jobs(invoice, now_us))
        rows = (invoice, recipient, mail, event) if was_attached else (recipient, mail, event)
        await changes.write(tx, Change(rows, jobs=jobs), now_us)
        if was_attached and former_id is not None and invoice.customer_id is not None:
            await attachment.forget_if_empty(ctx, tx, former_id, invoice.customer_id, ())
        await audit_log.record(ctx, tx, member, Deed.INVOICE_MAILED, invoice_id)
    return replace(mail, version=1)


async def client_address(ctx: Context, member: Member, invoice: Invoice) -> str:
    """Return the e-mail of the client whom the invoice is for, masked; "" without one."""
    member.require(Permission.READ)
    if not member.can(Permission.ANSWER):
        return ""
    try:
        return mask_email(await _client_address(ctx, invoice))
    except (RefusedError, DecryptionError):
        return ""


async def _client_address(ctx: Context, invoice: Invoice) -> str:
    """Return what the client answered in the invoice's conversation, else the address of the card.

    Raises RefusedError("mail_no_address"), DecryptionError.
    """
    address = await _answered_address(ctx, invoice) or await _card_address(ctx, invoice)
    if not address:
        raise RefusedError("mail_no_address")
    return address


async def _answered_address(ctx: Context, invoice: Invoice) -> str:
    if invoice.conversation_id is None:
        return ""
    async with ctx.db.read() as tx:
        found = await invoice_recipients.find_client_answers(tx, invoice.conversation_id)
    if found is None or not found[1]:
        return ""
    answers_id, ciphertext = found
    values = ctx.cipher.decrypt(ciphertext, EncryptedColumn.ANSWER_VALUES, answers_id)
    address = values.get("email")
    return address if isinstance(address, str) else ""


async def _card_address(ctx: Context, invoice: Invoice) -> str:
    """Return the newest e-mail address of the customer's card that can be decrypted."""
    if invoice.customer_id is None:
        return ""
    async with ctx.db.read() as tx:
        contacts = await identities.list_for_customers(tx, [invoice.customer_id])
    emails = [one for one in reversed(contacts) if one.kind is IdentityKind.EMAIL]
    readable = (codec.read_identity(ctx.cipher, one) for one in emails)
    return next((address for address in readable if address), "")


async def _attach(ctx: Context, tx: Tx, invoice: Invoice, address: str) -> tuple[Invoice, bool]:
    """Find or create the customer with this address, so that a card shows who got the invoice.

    Return the locked invoice, and whether it is the customer's since now: a link that anybody may
    pay belongs to nobody. An invoice whose customer is known only by a letter with it passes to
    the customer who has the corrected address.
    """
    is_own = not invoice.is_shared_link
    if is_own and await _was_mistyped(ctx, tx, invoice, address):
        invoice = replace(invoice, customer_id=None)
    customer_id = await attachment.attach(
        ctx,
        tx,
        invoice.shop_id,
        [Contact(IdentityKind.EMAIL, address)],
        invoice_customer_id=invoice.customer_id if is_own else None,
    )
    if invoice.customer_id is not None or not is_own:
        return invoice, False
    return replace(invoice, customer_id=customer_id), True


async def _was_mistyped(ctx: Context, tx: Tx, invoice: Invoice, address: str) -> bool:
    """Return whether another customer has this address, and that of the invoice is made by letters.

    Such a customer has no name, and nothing but this invoice and addresses that it was sent to.
    """
    customer_id = invoice.customer_id
    if customer_id is None:
        return False
    owner_ids = set()
    for hashed in codec.identity_hashes(
        ctx.cipher, invoice.shop_id, Contact(IdentityKind.EMAIL, address)
    ):
        if found := await identities.find(tx, invoice.shop_id, IdentityKind.EMAIL, hashed):
            owner_ids.add(found.customer_id)
    if not owner_ids - {customer_id}:
        return False
    own = await moves.rows_of(tx, customer_id)
    if own["payments"] or own["conversations"] or own["invoices"] != [invoice.id]:
        return False
    customer = await customers.get(tx, customer_id)
    if customer is None or customer.name_encrypted or customer.details_encrypted:
        return False
    recipients = await invoice_recipients.list_for_invoice(tx, invoice.id)
    mailed = {facts.decrypt_address(ctx, one) for one in recipients}
    contacts = await identities.list_for_customers(tx, [customer_id])
    return all(codec.read_identity(ctx.cipher, one) in mailed for one in contacts)


async def _recipient(
    ctx: Context, tx: Tx, member: Member, invoice: Invoice, address: str, now_us: int
) -> InvoiceRecipient:
    """Return the recipient with this address, a new one if the invoice was not sent there yet."""
    shop_id = invoice.shop_id
    hashes = contact_hashes(ctx.cipher, shop_id, "email", address)
    for one in await invoice_recipients.list_for_invoice(tx, invoice.id):
        if one.email_hash in hashes:
            return replace(one, sent_at_us=now_us)
    recipient_id = ctx.new_id("ivr", shop_id)
    column = EncryptedColumn.INVOICE_RECIPIENT_EMAIL
    return InvoiceRecipient(
        id=recipient_id,
        shop_id=shop_id,
        invoice_id=invoice.id,
        email_encrypted=ctx.cipher.encrypt(address, column, recipient_id),
        email_hash=hashes[0],
        created_at_us=now_us,
        created_by=member.actor,
        sent_at_us=now_us,
    )


async def list_for_invoice(ctx: Context, member: Member, invoice_id: str) -> list[SentInvoice]:
    """Return whom an invoice was mailed to, the oldest first. Raises RefusedError("not_found")."""
    await get_invoice(ctx, member, invoice_id)
    async with ctx.db.read() as tx:
        recipients = await invoice_recipients.list_for_invoice(tx, invoice_id)
        if not recipients:
            return []
        sent = await reminders.list_for_invoice(tx, invoice_id)
        owner = {one.id: one.target_id for one in sent} | {one.id: one.id for one in recipients}
        letters = await invoice_recipients.list_mails(tx, list(owner))
    return [
        SentInvoice(
            one,
            _address_for(ctx, member, one),
            tuple(mail for mail in letters if owner[mail.subject_key] == one.id),
        )
        for one in recipients
    ]


def _address_for(ctx: Context, member: Member, recipient: InvoiceRecipient) -> str:
    try:
        address = facts.decrypt_address(ctx, recipient)
    except DecryptionError:
        return ""
    if not address or member.can(Permission.READ_ANSWERS):
        return address
    return mask_email(address)


async def cancel_reason(ctx: Context, mail: Mail) -> str:
    """Return why a letter must not be sent any more, "" if it may be; before each attempt.

    Read under the lock of the invoice, under which payments are settled.
    """
    async with ctx.db.write() as tx:
        recipient, reminder = await _subject(tx, mail)
        if recipient is None or not recipient.email_encrypted:
            return "address_erased"
        if reminder is not None:
            return "" if await facts.may_hand_over(ctx, tx, reminder) else "not_due"
        invoice = await invoices.lock(tx, recipient.invoice_id)
        address = facts.decrypt_address(ctx, recipient)
        if await reminders.has_stop(tx, stops.email_hashes(ctx, recipient.shop_id, address)):
            return "mail_stopped"
        try:
            holds = await invoices.count_holds(tx, invoice.id)
            invoice_domain.require_payable(invoice, ctx.now_us(), holds)
        except RefusedError as refusal:
            return refusal.code
    return ""


async def _subject(tx: Tx, mail: Mail) -> tuple[InvoiceRecipient | None, Reminder | None]:
    if mail.kind == "invoice":
        return await invoice_recipients.get(tx, mail.subject_key), None
    reminder = await reminders.get(tx, mail.subject_key)
    if reminder is None:
        return None, None
    return await invoice_recipients.get(tx, reminder.target_id), reminder


async def render(ctx: Context, tx: Tx, mail: Mail, shop: Shop) -> InvoiceLetter | None:
    """Return the letter; None when its recipient was erased. Raises DecryptionError."""
    recipient, reminder = await _subject(tx, mail)
    if recipient is None or not (address := facts.decrypt_address(ctx, recipient)):
        return None
    invoice = await invoices.get(tx, recipient.invoice_id)
    assert invoice is not None, "a recipient references its invoice"
    client_hash = stops.email_hashes(ctx, shop.id, address)[0]
    return InvoiceLetter(
        address,
        preview_body(
            invoice,
            shop,
            reminder.kind if reminder else None,
            link=f"{payment_url(ctx, invoice)}?d={_sign(ctx, recipient.id)}",
            stop_url=stops.stop_url(ctx, shop.id, client_hash),
        ),
    )


def preview_body(
    invoice: Invoice, shop: Shop, kind: ReminderKind | None, *, link: str, stop_url: str
) -> MailBody:
    """Return the words of a letter, in the shop's language; `kind` None: the invoice itself."""
    return invoice_mail(invoice, shop, Translator(shop.locale, shop.tz), kind, link, stop_url)


def _sign(ctx: Context, recipient_id: str) -> str:
    """Return the link signature of a recipient, like that of a card: 24 URL-safe characters."""
    signature = ctx.cipher.sign(SignaturePurpose.PAYMENT_LINK, recipient_id)
    return base64.urlsafe_b64encode(signature).decode()


async def mark_opened(ctx: Context, invoice: Invoice, signature: str) -> None:
    """Record that the link in a letter was opened; a forged signature changes nothing."""
    try:
        raw = base64.urlsafe_b64decode(signature)
    except (binascii.Error, ValueError):
        return
    async with ctx.db.read() as tx:
        known = await invoice_recipients.list_for_invoice(tx, invoice.id)
    found = next(
        (
            one
            for one in known
            if ctx.cipher.is_signature(raw, SignaturePurpose.PAYMENT_LINK, one.id)
        ),
        None,
    )
    if found is None or found.opened_at_us is not None:
        return
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        locked = await invoices.lock(tx, invoice.id)
        recipient = await invoice_recipients.get(tx, found.id)
        if recipient is None or recipient.opened_at_us is not None:
            return
        event = timeline_event(locked, "opened", now_us, ctx.id_factory(invoice.shop_id), "client")
        opened = replace(recipient, opened_at_us=now_us)
        change = Change((opened, event), jobs=reminder_jobs(locked, now_us))
        await changes.write(tx, change, now_us)
