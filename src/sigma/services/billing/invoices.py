"""Invoices: create, issue, void, list, expire, and the public view behind the payment link."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.values import money_detail
from sigma.domain.billing import invoice as domain
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.change import Change, TimelineEvent
from sigma.domain.errors import RefusedError, validation_error
from sigma.domain.idempotency import Idempotency
from sigma.providers.base import redirect_origins
from sigma.services.billing.payment_limits import check_amount, is_payable
from sigma.services.connection_secrets import is_ciphertext_readable
from sigma.services.context import Context
from sigma.services.customers.attachment import require_customer
from sigma.services.paging import MAX_LIMIT, Page, make_page
from sigma.services.platform import audit_log, quotas
from sigma.services.platform.search_tokens import invoice_tokens
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices
from sigma.store.billing import timeline as timeline_rows
from sigma.store.catalogue import services
from sigma.store.engine.interface import Tx


@dataclass(frozen=True, slots=True)
class PublicInvoice:
    """What the payment page shows.

    `provider` is the acquirer of the active connection, None when the shop has none that takes
    the amount.
    `held_count` is the number of payments that are authorized but not captured.
    `redirect_origins`: the origins of the acquirer's page.
    """

    invoice: Invoice
    shop: Shop
    provider: str | None
    held_count: int
    redirect_origins: tuple[str, ...] = ()
    is_secret_readable: bool = True  # whether the acquirer's key can be decrypted


def payment_url(ctx: Context, invoice: Invoice) -> str:
    """Return the public URL of the payment page."""
    return f"{ctx.settings.base_url}/i/{invoice.token}"


async def create(
    ctx: Context,
    member: Member,
    draft: Draft,
    *,
    is_issued: bool = True,
    idempotency: Idempotency[Invoice] | None = None,
    require_allowed: Callable[[Tx], Awaitable[None]] | None = None,
) -> Invoice:
    """Create an invoice with the shop's next number; `is_issued` False leaves it a draft.

    `require_allowed` runs in the transaction that writes the invoice and raises to prevent it.
    Raises RefusedError: "validation" with all problems, "not_found" for a foreign service or
    customer, "quota_invoices".
    """
    member.require(Permission.ISSUE)
    now_us = ctx.now_us()
    await require_valid_draft(ctx, member, draft, now_us, is_issued=is_issued)
    await quotas.require_invoice(ctx, member.shop_id)
    number = await shops.next_invoice_number(ctx.db, member.shop_id)
    async with ctx.db.write() as tx:
        if require_allowed is not None:
            await require_allowed(tx)
        if draft.customer_id is not None:
            customer_id = await require_customer(tx, member.shop_id, draft.customer_id)
            draft = replace(draft, customer_id=customer_id)
        invoice, change = build(
            ctx, draft, member.shop_id, number, member.actor, now_us, is_issued=is_issued
        )
        await changes.write(tx, change.with_response(idempotency, invoice, now_us), now_us)
    return invoice


async def require_valid_draft(
    ctx: Context, member: Member, draft: Draft, now_us: int, *, is_issued: bool = True
) -> None:
    """Validate a draft before an invoice number is used up.

    An invoice that is issued must also be within the limits of the shop's acquirer. Raises
    RefusedError: "validation" with all problems, "not_found" for a foreign service.
    """
    problems = domain.check_draft(draft, now_us)
    if is_issued:
        problems += await check_amount(ctx, member.shop_id, draft.amount)
    if problems:
        raise validation_error(*problems)
    await _require_own_service(ctx, member, draft)


def build(
    ctx: Context,
    draft: Draft,
    shop_id: str,
    number: int,
    actor: str,
    now_us: int,
    *,
    is_issued: bool = True,
) -> tuple[Invoice, Change]:
    """Build an invoice from a valid draft. Returns it and the change to write."""
    invoice, change = domain.create(
        draft,
        shop_id=shop_id,
        number=number,
        token=ctx.new_token(),
        now_us=now_us,
        new_id=ctx.id_factory(shop_id),
        actor=actor,
        is_issued=is_issued,
    )
    return invoice, change + Change(search_tokens=(invoice_tokens(ctx.cipher, invoice),))


async def _require_own_service(ctx: Context, member: Member, draft: Draft) -> None:
    if draft.service_id is None:
        return
    async with ctx.db.read() as tx:
        service = await services.get(tx, draft.service_id)
    if service is None or service.shop_id != member.shop_id:
        raise RefusedError("not_found", what="service")


async def issue(ctx: Context, member: Member, invoice_id: str) -> Invoice:
    """Issue a draft. Raises RefusedError, "validation" for an amount that the acquirer refuses."""
    member.require(Permission.ISSUE)
    drafted = await get(ctx, member, invoice_id)
    if problems := await check_amount(ctx, member.shop_id, drafted.amount):
        raise validation_error(*problems)
    async with ctx.db.write() as tx:
        invoice = await _lock_own(tx, member, invoice_id)
        now_us = ctx.now_us()
        change = domain.issue(invoice, now_us, ctx.id_factory(invoice.shop_id), member.actor)
        await changes.write(tx, change, now_us)
    return await get(ctx, member, invoice_id)


async def void(
    ctx: Context,
    member: Member,
    invoice_id: str,
    *,
    idempotency: Idempotency[Invoice] | None = None,
) -> Invoice:
    """Void an invoice. Idempotent. Raises RefusedError when it is paid."""
    member.require(Permission.ISSUE)
    async with ctx.db.write() as tx:
        invoice = await _lock_own(tx, member, invoice_id)
        now_us = ctx.now_us()
        change = domain.void(invoice, now_us, ctx.id_factory(invoice.shop_id), member.actor)
        voided = next((s for s in change.rows if isinstance(s, Invoice)), invoice)
        await changes.write(tx, change.with_response(idempotency, voided, now_us), now_us)
        if change:
            detail = money_detail(invoice.amount)
            await audit_log.record(ctx, tx, member, Deed.INVOICE_VOIDED, invoice_id, **detail)
    return voided


async def _lock_own(tx: Tx, member: Member, invoice_id: str) -> Invoice:
    invoice = await invoices.get(tx, invoice_id)
    if invoice is None or invoice.shop_id != member.shop_id:
        raise RefusedError("not_found", what="invoice")
    return await invoices.lock(tx, invoice_id)


async def get(ctx: Context, member: Member, invoice_id: str) -> Invoice:
    """Return an invoice of the member's shop. Raises RefusedError("not_found")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, invoice_id)
    if invoice is None or invoice.shop_id != member.shop_id:
        raise RefusedError("not_found", what="invoice")
    return invoice


async def timeline(
    ctx: Context,
    member: Member,
    invoice_id: str,
    *,
    cursor: str | None = None,
    limit: int = MAX_LIMIT,
) -> Page[TimelineEvent]:
    """Return a page of an invoice's timeline, newest first. Raises RefusedError("not_found")."""
    await get(ctx, member, invoice_id)
    async with ctx.db.read() as tx:
        rows = await timeline_rows.list_for_subject(
            tx, invoice_id, before_id=cursor or "", limit=limit + 1
        )
    return make_page(rows, limit, lambda event: event.id)


async def list_page(
    ctx: Context,
    member: Member,
    *,
    status: str | None = None,
    query: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Page[Invoice]:
    """Return a page of the shop's invoices, newest first.

    An open invoice past its expiry time counts as expired, even before the job has run.
    """
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        rows = await invoices.list_for_shop(
            tx,
            member.shop_id,
            status=status,
            query=query or "",
            before_id=cursor or "",
            limit=limit + 1,
            now_us=ctx.now_us(),
        )
    return make_page(rows, limit, lambda invoice: invoice.id)


async def get_public(ctx: Context, token: str) -> PublicInvoice:
    """Return the invoice of a public token. Raises RefusedError("not_found"), also for a draft."""
    async with ctx.db.read() as tx:
        row = await invoices.find_for_payment_page(tx, token)
        if row is None or row[0].status is domain.Status.DRAFT:
            raise RefusedError("not_found", what="invoice")
        invoice, shop, holds, provider, settings, secret = row
        if provider and not await is_payable(ctx, tx, shop.id, provider, invoice.amount):
            provider = None  # the connection has changed since the invoice was issued
    origins = redirect_origins(ctx.providers[provider], settings) if provider else ()
    is_readable = provider is None or is_ciphertext_readable(ctx.cipher, *secret)
    return PublicInvoice(invoice, shop, provider, holds, origins, is_readable)


async def expire(ctx: Context, invoice_id: str) -> None:
    """Job invoice.expire: expire an open invoice; leave any other status unchanged."""
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, invoice_id)
        now_us = ctx.now_us()
        await changes.write(
            tx, domain.expire(invoice, now_us, ctx.id_factory(invoice.shop_id)), now_us
        )
