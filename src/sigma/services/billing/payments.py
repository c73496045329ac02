"""The road of a payment: the client's click, the acquirer's answers, and the only way to "paid"."""

from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing import payment as domain
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection, Notice
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Event, Payment, Reply, Status
from sigma.domain.billing.question import Question, Value
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund, refunded, taken
from sigma.domain.change import Happening
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.providers.base import Access, KeyTaken, Order, Provider, Rejected, Unknown, access_to
from sigma.services.context import HOUR, MINUTE, Context, Page, page
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import connections, invoices, mails, payments, refunds
from sigma.store.engine.interface import Tx

OF_THE_SHOP = ("credentials", "forbidden")  # a no to the shop, not to the question
ON_ITS_WAY = 10 * MINUTE  # a lost call may still be on its way to the acquirer for so long


async def advance(ctx: Context, payment_id: str) -> Payment:
    """Asks the acquirer what became of a payment and writes what that changes: the only road to
    "paid".

    The client's return, the acquirer's notice and the worker's clock all come here. Raises Unknown
    when the answer was lost (the payment is then marked so), Refused("acquirer_refused") when the
    acquirer says that our credentials are wrong.
    """
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, payment_id)
    if payment is None:
        raise Refused("not_found", what="payment")
    if payment.final and (payment.status is not Status.FAILED or payment.provider_id is None):
        return payment  # a failed one may have been paid after all, if it ever began
    try:
        reply = await _ask(ctx, payment)
    except Unknown:
        await _mark_unknown(ctx, payment)
        raise
    except Rejected as no:
        reply = await _plain_no(ctx, payment, no)
    return await _settle(ctx, payment, reply)


async def reach(ctx: Context, connection_id: str) -> tuple[Connection, Provider, Access]:
    """A connection with its adapter and the access for one call."""
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
    assert connection is not None, "a connection with payments is never deleted"
    provider = ctx.providers[connection.provider]
    secret = ctx.sealer.open(connection.secret_sealed)
    return connection, provider, access_to(provider, connection, secret)


async def _ask(ctx: Context, payment: Payment) -> Reply:
    """One question to the acquirer, with no transaction open."""
    connection, provider, access = await reach(ctx, payment.connection_id)
    if payment.provider_id is None:
        return await _start(ctx, payment, access, connection.two_stage)
    if payment.wanted and payment.status is Status.AUTHORIZED:
        if payment.wanted == "capture":
            return await provider.capture(
                access, payment.provider_id, payment.amount, payment.wanted_key
            )
        return await provider.cancel(access, payment.provider_id, payment.wanted_key)
    return await provider.fetch_payment(access, payment.provider_id)


async def _start(ctx: Context, payment: Payment, access: Access, two_stage: bool) -> Reply:
    """Opens the payment at the acquirer; a key too old to be repeated is looked up instead.

    So is one that the acquirer heard with other words: the language or the settings have changed.
    """
    provider = ctx.providers[payment.provider]
    age = ctx.now() - payment.created_at
    if age >= provider.capabilities.key_lifetime_us - HOUR:
        return await _find(ctx, payment, access) or Reply("", Event.FAILED, failure="never_started")
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, payment.invoice_id)
    assert invoice is not None, "a payment has an invoice"
    order = Order(
        payment_id=payment.id,
        operation_key=payment.operation_key,
        amount=payment.amount,
        description=f"№ {invoice.number}. {invoice.title}",
        return_url=f"{ctx.settings.base_url}/i/{invoice.token}/wait/{payment.token}",
        locale=payment.locale,
        two_stage=two_stage,
        metadata={"invoice": invoice.id},
    )
    try:
        return await provider.start_payment(access, order)
    except KeyTaken:
        if found := await _find(ctx, payment, access):
            return found
        raise


async def _find(ctx: Context, payment: Payment, access: Access) -> Reply | None:
    """Looks a lost payment up by the id that we sent along."""
    provider = ctx.providers[payment.provider]
    since, until, cursor = payment.created_at - HOUR, payment.created_at + 26 * HOUR, None
    while True:
        listed = await provider.list_payments(access, since, until, cursor)
        for reply in listed.replies:
            if reply.our_id == payment.id:
                return reply
        if (cursor := listed.next_cursor) is None:
            return None


async def _plain_no(ctx: Context, payment: Payment, no: Rejected) -> Reply:
    """A plain no ends a payment only when nothing began: of an earlier, lost call it says nothing,
    so then the acquirer's list must say it, once no call can be on its way any more.
    """
    reply = Reply(provider_id="", event=Event.FAILED, failure=f"rejected_{no.code}")
    if payment.provider_id is not None or (payment.unknown and no.code in OF_THE_SHOP):
        raise Refused("acquirer_refused", reason=no.code) from no
    if not payment.unknown:
        return reply
    try:
        _, _, access = await reach(ctx, payment.connection_id)
        found = await _find(ctx, payment, access)
    except Rejected:
        found = None
    if found is None and ctx.now() - payment.created_at < ON_ITS_WAY:
        raise Refused("acquirer_refused", reason=no.code) from no
    return found or reply


async def _settle(ctx: Context, asked: Payment, reply: Reply) -> Payment:
    """Writes what an answer changes, under the invoice's lock."""
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, asked.shop_id)
    assert shop is not None, "a payment's shop is never deleted"
    async with ctx.db.write() as tx:
        invoice, payment = await _locked(tx, asked)
        if not reply.provider_id and (payment.provider_id or payment.unknown > asked.unknown):
            return payment  # a no to a repeat of what another call had begun, or lost, meanwhile
        now = ctx.now()
        change = domain.settle(payment, invoice, shop, reply, now, ctx.ids_of(shop.id))
        await changes.write(tx, change, now)
    return next((s for s in change.saved if isinstance(s, Payment)), payment)


async def _locked(tx: Tx, seen: Payment) -> tuple[Invoice, Payment]:
    """The invoice's lock, then the payment as it is under it."""
    invoice = await invoices.lock(tx, seen.invoice_id)
    payment = await payments.get(tx, seen.id)
    assert payment is not None, "a payment is never deleted"
    return invoice, payment


async def _mark_unknown(ctx: Context, asked: Payment) -> None:
    async with ctx.db.write() as tx:
        _, payment = await _locked(tx, asked)
        if not payment.final:
            now = ctx.now()
            change = domain.not_known(payment, now, ctx.ids_of(payment.shop_id))
            await changes.write(tx, change, now)


async def capture(ctx: Context, member: Member, payment_id: str) -> Payment:
    """Takes held money: decided and stored first, then asked of the acquirer. Raises Refused."""
    return await _want(ctx, member, payment_id, "capture")


async def cancel(ctx: Context, member: Member, payment_id: str) -> Payment:
    """Lets held money go. Raises Refused."""
    return await _want(ctx, member, payment_id, "cancel")


async def _want(ctx: Context, member: Member, payment_id: str, wanted: str) -> Payment:
    member.must(Permission.CAPTURE)
    seen = await get(ctx, member, payment_id)
    async with ctx.db.write() as tx:
        _, payment = await _locked(tx, seen)
        now, new_id = ctx.now(), ctx.ids_of(seen.shop_id)
        change = domain.want(payment, wanted, new_id("op"), now, new_id, member.actor)
        await changes.write(tx, change, now)
    return await try_advance(ctx, payment_id)


async def ask_again(ctx: Context, member: Member, payment_id: str) -> Payment:
    """A person asks the acquirer again. Raises Refused."""
    await get(ctx, member, payment_id)
    return await try_advance(ctx, payment_id)


async def get(ctx: Context, member: Member, payment_id: str) -> Payment:
    """The payment as it is known here. Raises Refused("not_found")."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, payment_id)
    if payment is None or payment.shop_id != member.shop_id:
        raise Refused("not_found", what="payment")
    return payment


async def try_advance(ctx: Context, payment_id: str) -> Payment:
    """advance() for somebody who is waiting: a lost answer is a state, not an error; the job goes
    on asking.
    """
    try:
        return await advance(ctx, payment_id)
    except Unknown:
        async with ctx.db.read() as tx:
            payment = await payments.get(tx, payment_id)
        assert payment is not None, "a payment is never deleted"
        return payment


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment in a list, with its invoice's name and what was given back."""

    payment: Payment
    invoice_number: int
    invoice_title: str
    refunded: Money


@dataclass(frozen=True, slots=True)
class AnswerShown:
    """One answer as a member may see it."""

    question: Question
    value: Value | None
    masked: bool


@dataclass(frozen=True, slots=True)
class Details:
    """Everything about one payment.

    `left` may still be given back; the timeline is oldest first.
    """

    payment: Payment
    invoice: Invoice
    connection: Connection
    answers: list[AnswerShown]
    consents: tuple[Consent, ...]
    timeline: tuple[Happening, ...]
    mails: tuple[Mail, ...]
    receipt: Receipt | None
    refunds: tuple[Refund, ...]
    refunded: Money
    left: Money
    notices: tuple[Notice, ...]


async def listing(
    ctx: Context,
    member: Member,
    *,
    invoice_id: str | None = None,
    status: str | None = None,
    attention: bool | None = None,
    query: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Page[PaymentRow]:
    """The shop's payments, newest first."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        found = await payments.listing(
            tx,
            member.shop_id,
            invoice_id=invoice_id,
            status=status,
            attention=bool(attention),
            query=query or "",
            before=cursor or "",
            limit=limit + 1,
        )
    rows = [PaymentRow(p, n, t, Money(back, p.amount.currency)) for p, n, t, back in found]
    return page(rows, limit, lambda row: row.payment.id)


async def details(ctx: Context, member: Member, payment_id: str) -> Details:
    """One payment with all that belongs to it.

    Answers are masked for those who need not read them.
    """
    payment = await get(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, payment.invoice_id)
        connection = await connections.get(tx, payment.connection_id)
        assert invoice is not None and connection is not None, "a payment has both"
        kept = await payments.answers_of(tx, payment_id)
        back = await refunds.of_payment(tx, payment_id)
        currency = payment.amount.currency
        told = payment.provider_id and await connections.notices_of(
            tx, connection.id, payment.provider_id
        )
        return Details(
            payment=payment,
            invoice=invoice,
            connection=connection,
            answers=_shown(ctx, member, kept[-1]) if kept else [],
            consents=tuple(await payments.consents_of(tx, payment_id)),
            timeline=await mails.timeline(tx, payment_id),
            mails=await mails.of_payment(tx, payment_id),
            receipt=await payments.receipt(tx, payment_id),
            refunds=back,
            refunded=refunded(back, currency),
            left=payment.amount - taken(back, currency)
            if payment.status is Status.CAPTURED
            else Money(0, currency),
            notices=tuple(told or ()),
        )


def _shown(ctx: Context, member: Member, kept: Answers) -> list[AnswerShown]:
    values: dict[str, Value] = ctx.sealer.open(kept.sealed)
    clear = member.may(Permission.READ_ANSWERS)
    return [
        AnswerShown(q, _view(values.get(q.key), clear), masked=not clear) for q in kept.questions
    ]


def _view(value: Value | None, clear: bool) -> Value | None:
    if clear or value is None or isinstance(value, bool):
        return value
    return "•••"
