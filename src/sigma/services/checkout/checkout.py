"""The client's side of a payment: the posted payment page, the waiting page, saved answers."""

from contextlib import suppress
from dataclasses import dataclass, field, replace

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.answers import Answer, Answers, Consent, next_shred_at_us
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice, require_payable
from sigma.domain.billing.invoice_figures import record_opening
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.billing.payment_starts import (
    UNFINISHED_WINDOW_US,
    begin,
    max_unfinished,
    require_start_allowed,
    start_limit,
)
from sigma.domain.billing.question import AnswerValue, parse_answers
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import ACQUIRER_QUERY, ACQUIRER_QUERY_INVOICE, PAYMENT_START_ADDRESS
from sigma.domain.local_time import local_date
from sigma.domain.time_units import MINUTE_US
from sigma.services.answer_codec import encrypt_values, read_values
from sigma.services.billing import invoices as invoice_services
from sigma.services.billing.invoices import PublicInvoice
from sigma.services.billing.payment_limits import check_connection_amount
from sigma.services.billing.payment_views import receipt_answers
from sigma.services.billing.payments import try_advance
from sigma.services.checkout.payers import find_customer, forget_mistyped
from sigma.services.connection_secrets import is_secret_readable
from sigma.services.contact_hashes import contact_hash
from sigma.services.context import Context
from sigma.services.invoice_cards import payment_links
from sigma.services.invoice_cards.cards import mark_opened
from sigma.services.limits import client_network
from sigma.services.platform.search_tokens import payment_tokens
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import connections, invoices, mails, payments, receipts, refunds
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import ConflictError, Tx
from sigma.store.lists import tokens
from sigma.texts import Translator, consent_text, text_hash

RESUME_WINDOW_US = 50 * MINUTE_US  # the acquirer drops an unfinished payment after an hour


@dataclass(frozen=True, slots=True)
class PayForm:
    """A posted payment page.

    `values`: question key → values as typed. `payer`: the browser's secret from its cookie.
    `nonce`: unique per rendered form; a second submit of the form is the same payment.
    `locale`: the language that the client asks for; "": the shop's language of clients.
    """

    values: dict[str, list[str]]
    has_consented: bool
    nonce: str
    payer: str
    locale: str
    ip: str
    user_agent: str
    page_url: str
    consent_hash: str = ""  # of the text that the client read; "" when the page did not say
    signature: str = ""  # of the payment link, see sigma.services.invoice_cards.payment_links


@dataclass(frozen=True, slots=True)
class PublicPayment:
    """A payment as its client may see it. `mail` is the latest receipt mail.

    `receipt_answers`: what the seller chose to show to anyone with the link to the receipt.
    """

    payment: Payment
    invoice: Invoice
    shop: Shop
    receipt: Receipt | None
    refunds: tuple[Refund, ...]
    mail: Mail | None
    receipt_answers: tuple[Answer, ...] = ()


async def start(ctx: Context, token: str, form: PayForm) -> Payment:
    """Store the answers and the payment with its operation key, then start it at the acquirer.

    The same form of the same browser returns the same payment; another form of that browser
    resumes its unfinished payment. Raises RefusedError: "validation" with problems by question
    key, "no_connection", "secret_unreadable", "amount_not_accepted", "too_many_requests", or the
    reason why the invoice cannot be paid. A browser above a limit gets its own open payment, if it
    has one.
    """
    if form.signature:
        await mark_opened(ctx, token, form.signature, form.payer)
    public = await invoice_services.get_public(ctx, token)
    answers = _read_answers(public.invoice, public.shop, form, ctx.now_us())
    try:
        await ctx.limiter.require(PAYMENT_START_ADDRESS, client_network(form.ip))
        await ctx.limiter.require(start_limit(public.invoice), public.invoice.id)
        payment, resumed = await _store_form(ctx, public, form, answers, resume=True)
    except RefusedError as refused:
        if refused.code != "too_many_requests":
            raise
        own = await _find_own_payment(ctx, public.invoice, form)
        if own is None:
            raise
        return own
    payment = await try_advance(ctx, payment.id)
    if resumed and payment.status in (Status.FAILED, Status.CANCELED):
        payment, _ = await _store_form(ctx, public, form, answers, resume=False)
        payment = await try_advance(ctx, payment.id)
    return payment


async def _find_own_payment(ctx: Context, invoice: Invoice, form: PayForm) -> Payment | None:
    """Return the payment of this form, or this browser's unfinished one, as it is stored."""
    payer = payment_links.hash_browser(ctx, form.payer)
    async with ctx.db.read() as tx:
        return await payments.find_by_form(
            tx, invoice.id, payer, form.nonce
        ) or await payments.find_unfinished(tx, invoice.id, payer, ctx.now_us() - RESUME_WINDOW_US)


async def _store_form(
    ctx: Context,
    public: PublicInvoice,
    form: PayForm,
    answers: dict[str, AnswerValue],
    *,
    resume: bool,
) -> tuple[Payment, bool]:
    try:
        async with ctx.db.write() as tx:
            return await _store_under_lock(ctx, tx, public, form, answers, resume)
    except ConflictError as conflict:
        if conflict.constraint != "uq_payments_form":
            raise
        async with ctx.db.write() as tx:
            await invoices.lock(tx, public.invoice.id)  # wait until the duplicate is committed
            duplicate = await payments.find_by_form(
                tx, public.invoice.id, payment_links.hash_browser(ctx, form.payer), form.nonce
            )
        assert duplicate is not None, "the payment with the same form caused the conflict"
        return duplicate, False


async def _store_under_lock(
    ctx: Context,
    tx: Tx,
    public: PublicInvoice,
    form: PayForm,
    answers: dict[str, AnswerValue],
    resume: bool,
) -> tuple[Payment, bool]:
    """Find or create the payment under the invoice's lock.

    Returns the first that exists of: the payment of this form, the unfinished payment of this
    browser, a new payment; and whether it is the unfinished one.
    """
    invoice, shop = await invoices.lock(tx, public.invoice.id), public.shop
    now_us, payer = ctx.now_us(), payment_links.hash_browser(ctx, form.payer)
    if duplicate := await payments.find_by_form(tx, invoice.id, payer, form.nonce):
        if resume or duplicate.status not in (Status.FAILED, Status.CANCELED):
            return duplicate, False
        # This form's payment has failed: the second payment needs a nonce of its own.
        form = replace(form, nonce=f"{form.nonce}+")
    require_payable(invoice, now_us, await invoices.count_holds(tx, invoice.id))
    connection = await connections.find_active(tx, invoice.shop_id)
    if connection is None:
        raise RefusedError("no_connection")
    if not is_secret_readable(ctx.cipher, connection):
        raise RefusedError("secret_unreadable")
    if check_connection_amount(ctx, connection, invoice.amount):
        raise RefusedError("amount_not_accepted", amount=invoice.amount)
    unfinished = (
        await payments.find_unfinished(tx, invoice.id, payer, now_us - RESUME_WINDOW_US)
        if resume
        else None
    )
    if unfinished is not None and unfinished.connection_id != connection.id:
        unfinished = None
    if unfinished is None:
        await _require_start_allowed(tx, invoice, now_us)
    payment = unfinished or _new_payment(ctx, invoice, connection, form, payer)
    if invoice.conversation_id is not None and payment.conversation_id is None:
        conversation_id = await payment_links.payer_conversation(tx, invoice.id, payer)
        payment = replace(payment, conversation_id=conversation_id)
    payment = replace(
        payment,
        has_email="email" in answers,
        locale=form.locale or shop.locale,
        customer_id=await find_customer(ctx, tx, invoice, payment, answers) or payment.customer_id,
    )
    answer_row = _build_answers(ctx, payment, invoice, answers) if invoice.questions else None
    is_personal = _has_personal_questions(invoice)
    consent = _build_consent(ctx, payment, invoice, shop, form) if is_personal else None
    change = begin(
        payment,
        answer_row,
        consent,
        now_us,
        ctx.id_factory(payment.shop_id),
        is_new=unfinished is None,
    )
    if unfinished is not None:
        await tokens.remove(tx, [payment.id])  # the client may have changed the answers
    found_by = payment_tokens(ctx.cipher, payment, invoice, answers)
    change += record_opening(invoice, now_us)  # also without the script of the page
    await changes.write(tx, change + Change(search_tokens=(found_by,)), now_us)
    await forget_mistyped(ctx, tx, unfinished, payment, answers)
    return payment, unfinished is not None


async def _require_start_allowed(tx: Tx, invoice: Invoice, now_us: int) -> None:
    """Raise RefusedError("too_many_requests") when too many payments are unfinished."""
    started_at_us = await payments.list_unfinished_starts(
        tx, invoice.id, now_us - UNFINISHED_WINDOW_US, max_unfinished(invoice)
    )
    require_start_allowed(invoice, started_at_us, now_us)


def _has_personal_questions(invoice: Invoice) -> bool:
    return any(question.is_personal for question in invoice.questions)


def _read_answers(
    invoice: Invoice, shop: Shop, form: PayForm, now_us: int
) -> dict[str, AnswerValue]:
    answers, problems = parse_answers(
        invoice.questions, form.values, today=local_date(now_us, shop.tz)
    )
    if _has_personal_questions(invoice):
        problems += _check_consent(invoice, shop, form)
    if problems:
        raise validation_error(*problems)
    return answers


def _check_consent(invoice: Invoice, shop: Shop, form: PayForm) -> list[Problem]:
    """Return the problem of a missing consent, or of one to a text that has changed since."""
    if not form.has_consented:
        return [Problem("consent", "consent")]
    text, _ = consent_text(shop, invoice.questions, Translator(form.locale or shop.locale, shop.tz))
    if form.consent_hash and form.consent_hash != text_hash(text):
        return [Problem("consent", "consent_changed")]
    return []


def _new_payment(
    ctx: Context, invoice: Invoice, connection: Connection, form: PayForm, payer: str
) -> Payment:
    payment_id = ctx.new_id("pay", invoice.shop_id)
    return Payment(
        id=payment_id,
        shop_id=invoice.shop_id,
        invoice_id=invoice.id,
        connection_id=connection.id,
        provider=connection.provider,
        operation_key=payment_id,
        token=ctx.new_token(),
        amount=invoice.amount,
        status=Status.CREATED,
        created_at_us=ctx.now_us(),
        payer_hash=payer,
        form_nonce=form.nonce,
        attribution=invoice.attribution,
    )


def _build_answers(
    ctx: Context, payment: Payment, invoice: Invoice, answers: dict[str, AnswerValue]
) -> Answers:
    answers_id, now_us = ctx.new_id("ans", payment.shop_id), ctx.now_us()
    return Answers(
        id=answers_id,
        shop_id=payment.shop_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        payer_hash=payment.payer_hash,
        questions=invoice.questions,
        values_encrypted=encrypt_values(ctx.cipher, answers_id, answers),
        created_at_us=now_us,
        email_hash=contact_hash(ctx.cipher, payment.shop_id, "email", answers.get("email")),
        phone_hash=contact_hash(ctx.cipher, payment.shop_id, "phone", answers.get("phone")),
        shred_at_us=next_shred_at_us(invoice.questions, answers, now_us),
    )


def _build_consent(
    ctx: Context, payment: Payment, invoice: Invoice, shop: Shop, form: PayForm
) -> Consent:
    translator = Translator(form.locale or shop.locale, shop.tz)
    text, version = consent_text(shop, invoice.questions, translator)
    evidence = {"ip": form.ip, "user_agent": form.user_agent, "page_url": form.page_url}
    consent_id = ctx.new_id("cns", payment.shop_id)
    return Consent(
        id=consent_id,
        shop_id=payment.shop_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        purpose="order",
        text=text,
        text_version=version,
        text_sha256=text_hash(text),
        given_at_us=ctx.now_us(),
        evidence_encrypted=ctx.cipher.encrypt(
            evidence, EncryptedColumn.CONSENT_EVIDENCE, consent_id
        ),
    )


@dataclass(frozen=True, slots=True)
class SavedForm:
    """What a browser posted last for an invoice.

    `answers`: by question key. `consent_hash`: hash of the text consented to, "" without one.
    """

    answers: dict[str, AnswerValue] = field(default_factory=dict)
    consent_hash: str = ""


async def saved_form(ctx: Context, invoice_id: str, payer: str) -> SavedForm:
    """Return the last answers and consent of this browser on an invoice; empty if none.

    Answers that cannot be decrypted are empty: the client fills them in again.
    """
    if not payer:
        return SavedForm()
    async with ctx.db.read() as tx:
        browser = payment_links.hash_browser(ctx, payer)
        row = await answer_rows.find_by_payer(tx, invoice_id, browser)
        if row is None:
            return SavedForm()
        consents = await answer_rows.list_consents(tx, row.payment_id)
    consent_hash = consents[-1].text_sha256 if consents else ""
    return SavedForm(read_values(ctx.cipher, row) or {}, consent_hash)


def is_own_attempt(ctx: Context, payment: Payment, payer: str) -> bool:
    """Return whether this browser started the payment, less than RESUME_WINDOW_US ago."""
    is_recent = ctx.now_us() - payment.created_at_us < RESUME_WINDOW_US
    browser = payment_links.hash_browser(ctx, payer)
    return bool(browser) and is_recent and payment.payer_hash == browser


async def get_public(ctx: Context, payment_token: str) -> PublicPayment:
    """Return the stored payment of a public token. Raises RefusedError("not_found")."""
    async with ctx.db.read() as tx:
        payment = await payments.find_by_token(tx, payment_token)
        if payment is None:
            raise RefusedError("not_found", what="payment")
        invoice = await invoices.get(tx, payment.invoice_id)
        shop = await shops.get(tx, payment.shop_id)
        assert invoice is not None and shop is not None, "a payment has an invoice and a shop"
        if payment.status is not Status.CAPTURED:
            return PublicPayment(payment, invoice, shop, None, (), None)
        receipt_mails = [
            m for m in await mails.list_for_payment(tx, payment.id) if m.kind == "receipt"
        ]
        return PublicPayment(
            payment,
            invoice,
            shop,
            await receipts.find_for_payment(tx, payment.id),
            await refunds.list_for_payment(tx, payment.id),
            receipt_mails[-1] if receipt_mails else None,
            await receipt_answers(ctx, tx, payment.id),
        )


async def refresh(ctx: Context, payment_token: str) -> PublicPayment:
    """Like `get_public`, but query the acquirer first.

    Skipped when the payment is final or was queried less than 1 s ago, and above the limit of
    queries for its invoice. Raises RefusedError("not_found").
    """
    async with ctx.db.read() as tx:
        payment = await payments.find_by_token(tx, payment_token)
    if payment is None:
        raise RefusedError("not_found", what="payment")
    if (
        not payment.is_final
        and await ctx.limiter.is_allowed(ACQUIRER_QUERY, payment.id)
        and await ctx.limiter.is_allowed(ACQUIRER_QUERY_INVOICE, payment.invoice_id)
    ):
        # Rejected or unreadable credentials are an error for the owner, not for the client.
        with suppress(RefusedError, DecryptionError):
            await try_advance(ctx, payment.id)
    return await get_public(ctx, payment_token)
