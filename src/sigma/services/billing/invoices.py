"""What can be done with invoices: create, issue, void, list, expire, and what the world sees
behind the link.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import invoice as domain
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.change import Change, Happening
from sigma.domain.errors import Refused, invalid
from sigma.services.context import Context, Page, page
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices, mails
from sigma.store.catalogue import services
from sigma.store.engine.interface import Tx
from sigma.store.idempotency import Answered

Remember = Callable[[Invoice], Answered]


@dataclass(frozen=True, slots=True)
class Public:
    """What the payment page shows.

    `provider` is the acquirer that would take the money, None when there is none.
    """

    invoice: Invoice
    shop: Shop
    provider: str | None
    holds: int


def payment_url(ctx: Context, invoice: Invoice) -> str:
    """The link to send to the client."""
    return f"{ctx.settings.base_url}/i/{invoice.token}"


async def create(
    ctx: Context,
    member: Member,
    draft: Draft,
    *,
    issued: bool = True,
    remember: Remember | None = None,
) -> Invoice:
    """A new invoice with the shop's next number.

    Raises Refused("validation") with every problem.
    """
    member.must(Permission.ISSUE)
    now = ctx.now()
    await check(ctx, member, draft, now)
    number = await shops.next_number(ctx.db, member.shop_id)
    invoice, change = drawn(ctx, draft, member.shop_id, number, member.actor, now, issued=issued)
    await changes.commit(ctx.db, change, now, remember(invoice) if remember else None)
    return invoice


async def check(ctx: Context, member: Member, draft: Draft, now: int) -> None:
    """What is looked at before a number is spent.

    Raises Refused("validation") with every problem, "not_found" for a service that is not the
    shop's.
    """
    if problems := domain.check_draft(draft, now):
        raise invalid(*problems)
    await _check_service(ctx, member, draft)


def drawn(
    ctx: Context,
    draft: Draft,
    shop_id: str,
    number: int,
    actor: str,
    now: int,
    *,
    issued: bool = True,
) -> tuple[Invoice, Change]:
    """The invoice of a draft with all that a draft has not, and what must be written."""
    return domain.create(
        draft,
        shop_id=shop_id,
        number=number,
        token=ctx.new_token(),
        now=now,
        new_id=ctx.ids_of(shop_id),
        actor=actor,
        issued=issued,
    )


async def _check_service(ctx: Context, member: Member, draft: Draft) -> None:
    if draft.service_id is None:
        return
    async with ctx.db.read() as tx:
        service = await services.get(tx, draft.service_id)
    if service is None or service.shop_id != member.shop_id:
        raise Refused("not_found", what="service")


async def issue(ctx: Context, member: Member, invoice_id: str) -> Invoice:
    """Opens a draft."""
    member.must(Permission.ISSUE)
    async with ctx.db.write() as tx:
        invoice = await _locked(ctx, tx, member, invoice_id)
        now = ctx.now()
        change = domain.issue(invoice, now, ctx.ids_of(invoice.shop_id), member.actor)
        await changes.write(tx, change, now)
    return await get(ctx, member, invoice_id)


async def void(
    ctx: Context, member: Member, invoice_id: str, *, remember: Remember | None = None
) -> Invoice:
    """Calls an invoice off. Voiding twice is fine. Raises Refused when it is paid."""
    member.must(Permission.ISSUE)
    async with ctx.db.write() as tx:
        invoice = await _locked(ctx, tx, member, invoice_id)
        now = ctx.now()
        change = domain.void(invoice, now, ctx.ids_of(invoice.shop_id), member.actor)
        voided = next((s for s in change.saved if isinstance(s, Invoice)), invoice)
        await changes.write(tx, change, now, remember(voided) if remember else None)
    return voided


async def _locked(ctx: Context, tx: Tx, member: Member, invoice_id: str) -> Invoice:
    seen = await invoices.get(tx, invoice_id)
    if seen is None or seen.shop_id != member.shop_id:
        raise Refused("not_found", what="invoice")
    return await invoices.lock(tx, invoice_id)


async def get(ctx: Context, member: Member, invoice_id: str) -> Invoice:
    """The invoice. Raises Refused("not_found")."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, invoice_id)
    if invoice is None or invoice.shop_id != member.shop_id:
        raise Refused("not_found", what="invoice")
    return invoice


async def timeline(ctx: Context, member: Member, invoice_id: str) -> tuple[Happening, ...]:
    """What happened to an invoice, oldest first."""
    await get(ctx, member, invoice_id)
    async with ctx.db.read() as tx:
        return await mails.timeline(tx, invoice_id)


async def listing(
    ctx: Context,
    member: Member,
    *,
    status: str | None = None,
    query: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Page[Invoice]:
    """The shop's invoices, newest first. An open one whose time is over counts as expired."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        found = await invoices.listing(
            tx,
            member.shop_id,
            status=status,
            query=query or "",
            before=cursor or "",
            limit=limit + 1,
            now=ctx.now(),
        )
    return page(found, limit, lambda invoice: invoice.id)


async def public(ctx: Context, token: str) -> Public:
    """What is behind a public link. Raises Refused("not_found")."""
    async with ctx.db.read() as tx:
        found = await invoices.public(tx, token)
    if found is None or found[0].status is domain.Status.DRAFT:
        raise Refused("not_found", what="invoice")
    invoice, shop, holds, provider = found
    return Public(invoice, shop, provider, holds)


async def expire(ctx: Context, invoice_id: str) -> None:
    """The job at an invoice's last minute: an open one expires, any other stays as it is."""
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, invoice_id)
        now = ctx.now()
        await changes.write(tx, domain.lapse(invoice, now, ctx.ids_of(invoice.shop_id)), now)
