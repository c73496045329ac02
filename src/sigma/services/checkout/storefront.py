"""The public page of a shop's services: its name, what it shows, and buying without asking first.

Anybody may come here, so buying is measured: for each address, and for each shop as a whole.
"""

import asyncio
import ipaddress
from dataclasses import dataclass, replace

from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.accounts.slug import check_slug
from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.catalogue.service import Service, draft_of
from sigma.domain.change import Change
from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.billing import invoices
from sigma.services.context import DAY, HOUR, MINUTE, Context, id_at
from sigma.services.platform import idempotency
from sigma.services.platform.idempotency import Remember
from sigma.services.vk import links as vk_links
from sigma.store import changes
from sigma.store import idempotency as request_rows
from sigma.store.accounts import shops
from sigma.store.billing import connections
from sigma.store.billing import invoices as invoice_rows
from sigma.store.catalogue import services as catalogue_services
from sigma.store.engine.interface import Conflict
from sigma.store.messaging import communities

ACTOR = "storefront"
FRESH = DAY  # an unpaid invoice this old is not offered again
PER_ADDRESS, SPAN = 10, 10 * MINUTE  # invoices that one address may ask for in a while
PER_SHOP = 200  # unpaid invoices of a shop's page in an hour
REMEMBERED = 20_000  # addresses that were counted
AGAIN = 50  # times that one browser can buy the same thing in a row
PATIENCE, PAUSE_S = 50, 0.1  # a second click waits up to five seconds for the first one's answer


@dataclass(frozen=True, slots=True)
class Front:
    """What the public page shows. `links`: a service's id, or "", → where to write.

    `payable`: an acquirer is connected. `sizes`: a photo's id → its width and height.
    """

    shop: Shop
    services: tuple[Service, ...]
    links: dict[str, str]
    payable: bool
    sizes: dict[str, tuple[int, int]]

    def service(self, service_id: str) -> Service:
        """One of the visible services. Raises Refused("not_found")."""
        for service in self.services:
            if service.id == service_id:
                return service
        raise Refused("not_found", what="service")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who presses «Оплатить»: the browser's own secret, and the address it comes from."""

    secret: str
    ip: str


def url(ctx: Context, slug: str) -> str:
    """The address of a shop's public page."""
    return f"{ctx.settings.base_url}/s/{slug}"


async def save_slug(ctx: Context, member: Member, slug: str | None) -> Shop:
    """Names the shop's public page, or closes it with None. Raises Refused("validation")."""
    member.must(Permission.CATALOGUE)
    if slug is not None and (problem := check_slug(slug)):
        raise invalid(problem)
    try:
        async with ctx.db.write() as tx:
            shop = await shops.lock(tx, member.shop_id)
            await changes.write(tx, Change((replace(shop, slug=slug),)), ctx.now())
    except Conflict as conflict:
        if conflict.constraint != "uq_shops_slug":
            raise
        raise invalid(Problem("slug", "slug_taken")) from None
    return replace(shop, slug=slug, version=shop.version + 1)


async def links(ctx: Context, shop_id: str, services: list[Service]) -> dict[str, str]:
    """Where a client writes about each service ("": about nothing yet); empty without a community.

    An item of a community is talked about there, everything else in the first community.
    """
    async with ctx.db.read() as tx:
        known = {c.id: c for c in await communities.of_shop(tx, shop_id)}
        lines = {c.id: await connections.get(tx, c.id) for c in known.values()}
    if not known:
        return {}
    first = next(iter(known))
    found = {}
    for service_id, home in [("", None), *((s.id, s.vk_connection_id) for s in services)]:
        where = home if home in known else first
        connection = lines[where]
        assert connection is not None, "a community has its connection"
        found[service_id] = vk_links.dialog_url(known[where], connection, service_id, "sigma")
    return found


async def front(ctx: Context, slug: str) -> Front:
    """The page of this name. Raises Refused("not_found")."""
    async with ctx.db.read() as tx:
        shop_id = await catalogue_services.shop_by_slug(tx, slug)
        shop = await shops.get(tx, shop_id) if shop_id else None
        if shop is None:
            raise Refused("not_found", what="shop")
        visible = [s for s in await catalogue_services.of_shop(tx, shop.id) if s.visible]
        acquirer = await connections.active(tx, shop.id)
        sizes = await catalogue_services.photo_sizes(tx, shop.id)
    where = await links(ctx, shop.id, visible)
    return Front(shop, tuple(visible), where, acquirer is not None, sizes)


async def payable(ctx: Context, shop_id: str) -> bool:
    """Whether an acquirer is connected, so that «Оплатить» leads somewhere."""
    async with ctx.db.read() as tx:
        return await connections.active(tx, shop_id) is not None


async def buy(ctx: Context, slug: str, service_id: str, buyer: Buyer) -> Invoice:
    """An invoice for a service with a fixed price.

    The same browser gets the same one, as long as it is fresh and can be paid. Raises Refused:
    "not_found", "service_not_payable", "no_connection", "too_many_requests".
    """
    seen = await front(ctx, slug)
    service = seen.service(service_id)
    if not service.payable:
        raise Refused("service_not_payable")
    if not seen.payable:
        raise Refused("no_connection")
    # What was bought before stands in the key, so the next one is another; so does the version,
    # for what the seller has changed is not what was offered.
    key = f"buy:{ctx.sealer.mark(buyer.secret)}:{service.id}:{service.version}"
    earlier: Invoice | None = None
    for _ in range(AGAIN):
        name = f"{key}:{earlier.id}" if earlier else key
        invoice = await _once(ctx, service, name, buyer)
        if _offered_again(invoice, ctx.now()):
            return invoice
        earlier = invoice
    raise _too_many(SPAN)


def _offered_again(invoice: Invoice, now: int) -> bool:
    """Whether it is as good as a new one."""
    fresh = now - invoice.created_at < FRESH
    unpaid = invoice.status is Status.OPEN and invoice.paid_count == 0
    return fresh and unpaid and not invoice.lapsed(now)


async def _once(ctx: Context, service: Service, key: str, buyer: Buyer) -> Invoice:
    """The invoice made under a key, now or before."""
    till = Member(ACTOR, service.shop_id, Role.OPERATOR)

    async with ctx.db.write() as tx:  # the store may be keeping it this very moment
        known = await request_rows.get(tx, service.shop_id, key)
    if known is not None:
        return await invoices.get(ctx, till, known.body)

    async def act(remember: Remember) -> Invoice:
        await _measure(ctx, service.shop_id, buyer.ip)
        draft = draft_of(service, ctx.now())
        return await invoices.create(ctx, till, draft, remember=lambda made: remember(303, made.id))

    for _ in range(PATIENCE):
        try:
            answered, _repeat = await idempotency.once(ctx, till, key, service.id, act)
            return await invoices.get(ctx, till, answered.body)
        except Refused as refused:
            if refused.code != "idempotency_in_flight":
                raise
        await asyncio.sleep(PAUSE_S)
    raise Refused("idempotency_in_flight")


async def _measure(ctx: Context, shop_id: str, ip: str) -> None:
    """Counts one more invoice. Raises Refused("too_many_requests")."""
    now, who = ctx.now(), _neighbourhood(ip)
    count, until = ctx.buyers.get(who, (0, 0))
    if until <= now:
        count, until = 0, now + SPAN
    if count >= PER_ADDRESS:
        raise _too_many(until - now)
    if len(ctx.buyers) >= REMEMBERED:
        for old in [name for name, (_, end) in ctx.buyers.items() if end <= now]:
            del ctx.buyers[old]
        if len(ctx.buyers) >= REMEMBERED:
            raise _too_many(SPAN)  # a crowd of bots: better nobody than everybody
    ctx.buyers[who] = (count + 1, until)  # before anything is waited for: many come at once
    async with ctx.db.read() as tx:
        since = id_at("inv", now - HOUR)
        unpaid = await invoice_rows.unpaid_by(tx, shop_id, ACTOR, since, PER_SHOP)
    if unpaid >= PER_SHOP:
        count, until = ctx.buyers.pop(who, (1, until))
        if count > 1:  # what was not made is not counted
            ctx.buyers[who] = (count - 1, until)
        raise _too_many(HOUR)


def _too_many(wait: int) -> Refused:
    return Refused("too_many_requests", minutes=-(-wait // MINUTE))


def _neighbourhood(ip: str) -> str:
    """An address; the 64 bits of an IPv6 one that a household has to itself."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip[:64]
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)
