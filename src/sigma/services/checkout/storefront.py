"""The public page of a shop (`/s/{slug}`): slug, visible services, buying without an operator.

The page is open to everybody, so new invoices are limited per address and per shop.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.accounts.slug import check_slug
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.connection import AmountLimits, is_amount_accepted
from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.catalogue.service import Service, draft_invoice
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.figures import STOREFRONT_ACTOR
from sigma.domain.idempotency import Idempotency, render_id
from sigma.domain.limits import PURCHASE_ADDRESS, too_many_requests
from sigma.domain.time_units import DAY_US, HOUR_US, MINUTE_US
from sigma.services.billing import invoices
from sigma.services.billing.payment_limits import SECRET_UNREADABLE, connection_limits
from sigma.services.connection_secrets import is_secret_readable
from sigma.services.context import Context
from sigma.services.ids import min_id
from sigma.services.limits import client_network
from sigma.services.platform import audit_log
from sigma.services.platform.idempotency import run_once
from sigma.services.vk import links as vk_links
from sigma.store import changes
from sigma.store import idempotency as stored_responses
from sigma.store.accounts import shops
from sigma.store.billing import connections, payments
from sigma.store.billing import invoices as invoice_rows
from sigma.store.catalogue import photos
from sigma.store.catalogue import services as catalogue_services
from sigma.store.encryption import HashPurpose
from sigma.store.engine.interface import ConflictError, Tx
from sigma.store.messaging import communities

ACTOR = STOREFRONT_ACTOR
REUSE_WINDOW_US = DAY_US  # an older unpaid invoice is not offered again
MAX_UNPAID_PER_SHOP = 200  # unpaid invoices of one shop's page per hour
MAX_REPEAT_PURCHASES = 50  # invoices for one service, version and browser
# A second click waits up to 5 s for the result of the first.
MAX_IN_FLIGHT_WAITS, IN_FLIGHT_PAUSE_S = 50, 0.1


@dataclass(frozen=True, slots=True)
class Storefront:
    """What the public page shows.

    `conversation_urls`: service id → URL of a VK conversation about it ("": no service).
    `can_pay`: an acquirer is connected, and its key is readable. `photo_sizes`: photo id → (width,
    height) in pixels. `payment_limits`: of the acquirer, by currency. `is_secret_readable`: whether
    the acquirer's key can be decrypted.
    """

    shop: Shop
    services: tuple[Service, ...]
    conversation_urls: dict[str, str]
    can_pay: bool
    photo_sizes: dict[str, tuple[int, int]]
    payment_limits: Mapping[str, AmountLimits] = field(default_factory=dict)
    is_secret_readable: bool = True

    def is_payable(self, service: Service) -> bool:
        """Return whether a client can pay the service without an operator."""
        if not service.is_payable or service.amount is None or not self.can_pay:
            return False
        return is_amount_accepted(service.amount, self.payment_limits)

    def service(self, service_id: str) -> Service:
        """Return a visible service by id. Raises RefusedError("not_found")."""
        for service in self.services:
            if service.id == service_id:
                return service
        raise RefusedError("not_found", what="service")


@dataclass(frozen=True, slots=True)
class Buyer:
    """The browser that buys: its secret from the cookie, and its IP address."""

    secret: str
    ip: str


def storefront_url(ctx: Context, slug: str) -> str:
    """Return the URL of a shop's public page."""
    return f"{ctx.settings.base_url}/s/{slug}"


async def save_slug(ctx: Context, member: Member, slug: str | None) -> Shop:
    """Set the slug of the public page; None closes the page. Raises RefusedError("validation")."""
    member.require(Permission.CATALOGUE)
    if slug is not None and (problem := check_slug(slug)):
        raise validation_error(problem)
    try:
        async with ctx.db.write() as tx:
            shop = await shops.lock(tx, member.shop_id)
            await changes.write(tx, Change((replace(shop, slug=slug),)), ctx.now_us())
            if changed := changed_fields({"slug": shop.slug}, {"slug": slug}):
                deed = Deed.STOREFRONT_CHANGED
                await audit_log.record(ctx, tx, member, deed, shop.id, changes=changed)
    except ConflictError as conflict:
        if conflict.constraint != "uq_shops_slug":
            raise
        raise validation_error(Problem("slug", "slug_taken")) from None
    return replace(shop, slug=slug, version=shop.version + 1)


async def conversation_urls(ctx: Context, shop_id: str, services: list[Service]) -> dict[str, str]:
    """Return the VK conversation URL by service id ("" for no service); {} without a community.

    A service that is linked to a market item uses the community of the item, all others use the
    shop's oldest community.
    """
    async with ctx.db.read() as tx:
        community_by_id = {c.id: c for c in await communities.list_for_shop(tx, shop_id)}
        connection_by_id = await connections.find_by_ids(tx, community_by_id)
    if not community_by_id:
        return {}
    first_id = next(iter(community_by_id))
    urls = {}
    for service_id, linked_id in [("", None), *((s.id, s.vk_connection_id) for s in services)]:
        community_id = linked_id if linked_id in community_by_id else first_id
        urls[service_id] = vk_links.chat_url(
            community_by_id[community_id], connection_by_id[community_id], service_id, "sigma"
        )
    return urls


async def get(ctx: Context, slug: str) -> Storefront:
    """Return the public page with this slug. Raises RefusedError("not_found")."""
    async with ctx.db.read() as tx:
        shop = await shops.find_by_slug(tx, slug)
        if shop is None:
            raise RefusedError("not_found", what="shop")
        visible = [s for s in await catalogue_services.list_for_shop(tx, shop.id) if s.is_visible]
        acquirer = await connections.find_active(tx, shop.id)
        sizes = await photos.list_sizes(tx, shop.id)
    urls = await conversation_urls(ctx, shop.id, visible)
    limits = connection_limits(ctx, acquirer) if acquirer else {}
    is_readable = acquirer is None or is_secret_readable(ctx.cipher, acquirer)
    can_pay = acquirer is not None and is_readable
    return Storefront(shop, tuple(visible), urls, can_pay, sizes, limits, is_readable)


async def can_pay(ctx: Context, shop_id: str) -> bool:
    """Return whether the shop has an active acquirer connection."""
    async with ctx.db.read() as tx:
        return await connections.find_active(tx, shop_id) is not None


async def buy(ctx: Context, slug: str, service_id: str, buyer: Buyer) -> Invoice:
    """Return an invoice for a service with a fixed price: a new one, or the browser's last one.

    The last invoice is reused while it is open, less than a day old and not filled in. Raises
    RefusedError: "not_found", "service_not_payable", "no_connection", "secret_unreadable",
    "too_many_requests".
    """
    page = await get(ctx, slug)
    service = page.service(service_id)
    if not service.is_payable:
        raise RefusedError("service_not_payable")
    if not page.is_secret_readable:
        raise RefusedError(SECRET_UNREADABLE)
    if not page.can_pay:
        raise RefusedError("no_connection")
    if not page.is_payable(service):
        raise RefusedError("service_not_payable")
    # The key contains the previous invoice, so that the next purchase is a new invoice, and the
    # version, so that a changed service is never sold with its old price.
    browser = ctx.cipher.keyed_hash(HashPurpose.BUYER, buyer.secret)
    key = f"buy:{browser}:{service.id}:{service.version}"
    earlier: Invoice | None = None
    for _ in range(MAX_REPEAT_PURCHASES):
        name = f"{key}:{earlier.id}" if earlier else key
        invoice = await _invoice_for_key(ctx, service, name, buyer)
        if await _is_reusable(ctx, invoice):
            return invoice
        earlier = invoice
    raise too_many_requests(10 * MINUTE_US)


async def _is_reusable(ctx: Context, invoice: Invoice) -> bool:
    """Return whether the invoice is open and recent, and no client has filled it in.

    On a shared device the next buyer would see the answers of the one before.
    """
    now_us = ctx.now_us()
    is_recent = now_us - invoice.created_at_us < REUSE_WINDOW_US
    if not is_recent or invoice.status_at(now_us) is not Status.OPEN:
        return False
    async with ctx.db.read() as tx:
        return not await payments.exists_for_invoice(tx, invoice.id)


async def _invoice_for_key(ctx: Context, service: Service, key: str, buyer: Buyer) -> Invoice:
    """Return the invoice of an idempotency key; create it when there is none."""
    member = Member(ACTOR, service.shop_id, Role.OPERATOR)

    async with ctx.db.read() as tx:
        stored = await stored_responses.get(tx, service.shop_id, key)
    if stored is not None:
        return await invoices.get(ctx, member, stored.body)

    idempotency = Idempotency(service.shop_id, key, service.id, 303, render_id)

    async def create_invoice() -> Invoice:
        address = client_network(buyer.ip)
        await ctx.limiter.require(PURCHASE_ADDRESS, address)
        draft = draft_invoice(service, ctx.now_us())
        try:
            return await invoices.create(
                ctx, member, draft, idempotency=idempotency, require_allowed=require_few_unpaid
            )
        except RefusedError:
            await ctx.limiter.undo(PURCHASE_ADDRESS, address)  # no invoice was created
            raise

    async def require_few_unpaid(tx: Tx) -> None:
        # Under the lock of the shop: purchases at the same time would all read the same count.
        await shops.lock(tx, service.shop_id)
        since_id = min_id("inv", ctx.now_us() - HOUR_US)
        unpaid = await invoice_rows.count_open_by_creator(
            tx, service.shop_id, ACTOR, since_id, MAX_UNPAID_PER_SHOP
        )
        if unpaid >= MAX_UNPAID_PER_SHOP:
            raise too_many_requests(HOUR_US)

    for _ in range(MAX_IN_FLIGHT_WAITS):
        try:
            response, _repeat = await run_once(ctx, idempotency, create_invoice)
            return await invoices.get(ctx, member, response.body)
        except RefusedError as refused:
            if refused.code != "idempotency_in_flight":
                raise
        await asyncio.sleep(IN_FLIGHT_PAUSE_S)
    raise RefusedError("idempotency_in_flight")
