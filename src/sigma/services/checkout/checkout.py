"""The client's side of a payment: what is asked, the click on «Оплатить», waiting, and the answers
that survive it.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import payment as domain
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice, check_payable
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.billing.question import Value, read_answers
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.billing import invoices as invoice_services
from sigma.services.billing.payments import try_advance
from sigma.services.context import MINUTE, SECOND, Context
from sigma.services.invoice_cards import payment_links
from sigma.services.invoice_cards.cards import opened
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import connections, invoices, mails, payments, refunds
from sigma.store.engine.interface import Conflict, Tx
from sigma.texts import Words, consent_text

RESUME = 50 * MINUTE  # the acquirer keeps an unfinished payment for an hour
FRESH = 3 * SECOND // 2  # asked this recently, the acquirer is not asked again for a page


@dataclass(frozen=True, slots=True)
class PayForm:
    """A posted payment page.

    `given` is key → values as typed; `payer` is the browser's own secret.
    """

    given: dict[str, list[str]]
    consent: bool
    nonce: str
    payer: str
    locale: str
    ip: str
    user_agent: str
    page_url: str
    mark: str = ""  # of the dialog's link, see sigma.services.invoice_cards.payment_links


@dataclass(frozen=True, slots=True)
class Seen:
    """A payment as its client may see it. `mail` is the latest mail with the receipt."""

    payment: Payment
    invoice: Invoice
    shop: Shop
    receipt: Receipt | None
    refunds: tuple[Refund, ...]
    mail: Mail | None


async def start(ctx: Context, token: str, form: PayForm) -> Payment:
    """Stores the answers and the payment with its key, then opens it at the acquirer.

    The same form of the same browser gives the same payment; another form of it goes back to its
    unfinished one. Raises Refused: "validation" by question key, the invoice's own reasons,
    "no_connection".
    """
    if form.mark:
        await opened(ctx, token, form.mark, form.payer)
    payment, resumed = await _open(ctx, token, form, resume=True)
    payment = await try_advance(ctx, payment.id)
    if resumed and payment.status in (Status.FAILED, Status.CANCELED):
        payment, _ = await _open(ctx, token, form, resume=False)
        payment = await try_advance(ctx, payment.id)
    return payment


async def _open(ctx: Context, token: str, form: PayForm, *, resume: bool) -> tuple[Payment, bool]:
    public = await invoice_services.public(ctx, token)
    answers = _read(public.invoice, form)
    try:
        async with ctx.db.write() as tx:
            return await _write(ctx, tx, token, public.shop, form, answers, resume)
    except Conflict as conflict:
        if conflict.constraint != "uq_payments_form":
            raise
        async with ctx.db.write() as tx:
            await invoices.lock(tx, public.invoice.id)  # the twin may be on its way to disk
            twin = await payments.by_form(
                tx, public.invoice.id, ctx.sealer.mark(form.payer), form.nonce
            )
        assert twin is not None, "the form's payment is what was in the way"
        return twin, False


async def _write(
    ctx: Context,
    tx: Tx,
    token: str,
    shop: Shop,
    form: PayForm,
    answers: dict[str, Value],
    resume: bool,
) -> tuple[Payment, bool]:
    """Under the invoice's lock: the form's own payment, the browser's unfinished one, or a new
    one.
    """
    invoice = await invoices.lock_by_token(tx, token)
    assert invoice is not None, "it was there a moment ago"
    now, payer = ctx.now(), ctx.sealer.mark(form.payer)
    if twin := await payments.by_form(tx, invoice.id, payer, form.nonce):
        if resume or twin.status not in (Status.FAILED, Status.CANCELED):
            return twin, False
        form = replace(form, nonce=f"{form.nonce}+")
    check_payable(invoice, now, await invoices.holds(tx, invoice.id))
    connection = await connections.active(tx, invoice.shop_id)
    if connection is None:
        raise Refused("no_connection")
    live = await payments.live(tx, invoice.id, payer, now - RESUME) if resume else None
    if live is not None and live.connection_id != connection.id:
        live = None
    payment = live or _new_payment(ctx, invoice, connection, form, payer)
    if invoice.conversation_id is not None and payment.conversation_id is None:
        dialog = await payment_links.dialog_of(tx, invoice.id, payer)
        payment = replace(payment, conversation_id=dialog)
    payment = replace(payment, wants_mail="email" in answers, locale=form.locale)
    kept = _answers(ctx, payment, invoice, answers) if invoice.questions else None
    consent = _consent(ctx, payment, invoice, shop, form) if _personal(invoice) else None
    change = domain.begin(
        payment, kept, consent, now, ctx.ids_of(payment.shop_id), fresh=live is None
    )
    await changes.write(tx, change, now)
    return payment, live is not None


def _personal(invoice: Invoice) -> bool:
    return any(question.personal for question in invoice.questions)


def _read(invoice: Invoice, form: PayForm) -> dict[str, Value]:
    answers, problems = read_answers(invoice.questions, form.given)
    if _personal(invoice) and not form.consent:
        problems.append(Problem("consent", "consent"))
    if problems:
        raise invalid(*problems)
    return answers


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
        created_at=ctx.now(),
        payer=payer,
        nonce=form.nonce,
    )


def _answers(
    ctx: Context, payment: Payment, invoice: Invoice, answers: dict[str, Value]
) -> Answers:
    return Answers(
        id=ctx.new_id("ans", payment.shop_id),
        shop_id=payment.shop_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        payer=payment.payer,
        questions=invoice.questions,
        sealed=ctx.sealer.seal(answers),
        created_at=ctx.now(),
    )


def _consent(
    ctx: Context, payment: Payment, invoice: Invoice, shop: Shop, form: PayForm
) -> Consent:
    words = Words(form.locale, shop.tz)
    text, version = consent_text(shop, invoice.questions, words)
    evidence = {"ip": form.ip, "user_agent": form.user_agent, "page_url": form.page_url}
    return Consent(
        id=ctx.new_id("cns", payment.shop_id),
        shop_id=payment.shop_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        purpose="order",
        text=text,
        text_version=version,
        text_sha256=hashlib.sha256(text.encode()).hexdigest(),
        given_at=ctx.now(),
        evidence_sealed=ctx.sealer.seal(evidence),
    )


async def saved_answers(ctx: Context, invoice_id: str, payer: str) -> dict[str, Value]:
    """What this browser last answered on an invoice; nothing for another browser."""
    if not payer:
        return {}
    async with ctx.db.read() as tx:
        kept = await payments.answers_by_payer(tx, invoice_id, ctx.sealer.mark(payer))
    return ctx.sealer.open(kept.sealed) if kept else {}


async def seen(ctx: Context, payment_token: str) -> Seen:
    """The payment behind a public link, as it is known here. Raises Refused("not_found")."""
    async with ctx.db.read() as tx:
        payment = await payments.by_token(tx, payment_token)
        if payment is None:
            raise Refused("not_found", what="payment")
        invoice = await invoices.get(tx, payment.invoice_id)
        shop = await shops.get(tx, payment.shop_id)
        assert invoice is not None and shop is not None, "a payment has both"
        if payment.status is not Status.CAPTURED:
            return Seen(payment, invoice, shop, None, (), None)
        sent = [m for m in await mails.of_payment(tx, payment.id) if m.kind == "receipt"]
        return Seen(
            payment,
            invoice,
            shop,
            await payments.receipt(tx, payment.id),
            await refunds.of_payment(tx, payment.id),
            sent[-1] if sent else None,
        )


async def refresh(ctx: Context, payment_token: str) -> Seen:
    """Like seen(), but asks the acquirer first, unless it is over or was asked a moment ago."""
    async with ctx.db.read() as tx:
        payment = await payments.by_token(tx, payment_token)
    if payment is None:
        raise Refused("not_found", what="payment")
    now = ctx.now()
    if not payment.final and now - ctx.asked.get(payment.id, 0) > FRESH:
        if len(ctx.asked) > 10_000:
            ctx.asked.clear()
        ctx.asked[payment.id] = now
        with suppress(Refused):  # the shop's credentials are refused: the owner sees it
            await try_advance(ctx, payment.id)
    return await seen(ctx, payment_token)
