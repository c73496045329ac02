"""The catalogue: what the shop offers, in its order, with photos and a template for invoices."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.catalogue.service import PriceKind, Service, Template, check_service, moved
from sigma.domain.change import Change
from sigma.domain.errors import Problem, Refused, invalid
from sigma.domain.money import Money
from sigma.services.catalogue import image_processing
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.catalogue import services
from sigma.store.catalogue.services import Photo
from sigma.store.engine.interface import Tx
from sigma.store.idempotency import Answered

MAX_SERVICES = 1000

small_of = services.small_of


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person fills in about a service. The price of one by agreement is dropped."""

    title: str
    description: str = ""
    price: PriceKind = PriceKind.AGREEMENT
    amount: Money | None = None
    photo_id: str | None = None
    visible: bool = True
    template: Template = field(default_factory=Template)


async def listing(ctx: Context, member: Member) -> list[Service]:
    """The shop's services in their order, hidden ones too."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        return await services.of_shop(tx, member.shop_id)


async def get(ctx: Context, member: Member, service_id: str) -> Service:
    """One service. Raises Refused("not_found"), for a deleted one too."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        return _own(await services.get(tx, service_id), member)


def _own(service: Service | None, member: Member) -> Service:
    if service is None or service.shop_id != member.shop_id or service.deleted_at is not None:
        raise Refused("not_found", what="service")
    return service


def offer_of(service: Service) -> Offer:
    """What a service says, to be changed and saved again."""
    return Offer(
        title=service.title,
        description=service.description,
        price=service.price,
        amount=service.amount,
        photo_id=service.photo_id,
        visible=service.visible,
        template=service.template,
    )


def applied(service: Service, offer: Offer) -> Service:
    """The service as the offer wants it. Raises Refused("validation") with every problem."""
    wanted = replace(
        service,
        title=offer.title.strip(),
        description=offer.description.strip(),
        price=offer.price,
        amount=None if offer.price is PriceKind.AGREEMENT else offer.amount,
        photo_id=offer.photo_id,
        visible=offer.visible,
        template=offer.template,
    )
    if problems := check_service(wanted):
        raise invalid(*problems)
    return wanted


def fresh(ctx: Context, shop_id: str, position: int) -> Service:
    """A service that is nothing yet."""
    return Service(
        id=ctx.new_id("svc", shop_id),
        shop_id=shop_id,
        title="",
        created_at=ctx.now(),
        position=position,
    )


async def save(
    ctx: Context,
    member: Member,
    service_id: str | None,
    offer: Offer,
    *,
    remember: Callable[[Service], Answered] | None = None,
) -> Service:
    """Adds a service at the end of the catalogue, or changes one.

    Raises Refused("validation") with every problem.
    """
    member.must(Permission.CATALOGUE)
    if service_id is not None:
        return await _change(ctx, member, service_id, lambda seen: applied(seen, offer), offer)
    async with ctx.db.write() as tx:
        await room_for(tx, member.shop_id, 1)
        await _check_photo(tx, member, offer.photo_id)
        position = await services.next_position(tx, member.shop_id)
        service = applied(fresh(ctx, member.shop_id, position), offer)
        answered = remember(service) if remember else None
        await changes.write(tx, Change((service,)), ctx.now(), answered)
    return replace(service, version=1)


async def room_for(tx: Tx, shop_id: str, more: int) -> list[Service]:
    """The catalogue, locked against other additions.

    Raises Refused("validation") when so many more would be too many.
    """
    await shops.lock(tx, shop_id)
    known = await services.of_shop(tx, shop_id)
    if len(known) + more > MAX_SERVICES:
        raise invalid(Problem("title", "too_many", {"max": MAX_SERVICES}))
    return known


async def _change(
    ctx: Context,
    member: Member,
    service_id: str,
    change: Callable[[Service], Service],
    offer: Offer | None = None,
) -> Service:
    member.must(Permission.CATALOGUE)
    await get(ctx, member, service_id)
    async with ctx.db.write() as tx:
        seen = _own(await services.lock(tx, service_id), member)
        if offer is not None and offer.photo_id != seen.photo_id:
            await _check_photo(tx, member, offer.photo_id)
        after = change(seen)
        if after == seen:
            return seen
        await changes.write(tx, Change((after,)), ctx.now())
    return replace(after, version=after.version + 1)


async def _check_photo(tx: Tx, member: Member, photo_id: str | None) -> None:
    if photo_id is None:
        return
    photo = await services.photo(tx, photo_id)
    if photo is None or photo.shop_id != member.shop_id:
        raise invalid(Problem("photo", "photo_gone"))


async def show(ctx: Context, member: Member, service_id: str, visible: bool) -> Service:
    """Shows a service to clients, or hides it."""
    return await _change(ctx, member, service_id, lambda seen: replace(seen, visible=visible))


async def delete(ctx: Context, member: Member, service_id: str) -> Service:
    """Takes a service out of the catalogue for good. Its invoices and dialogs stay.

    The community's item is left alone and belongs to nothing here any more.
    """
    return await _change(
        ctx,
        member,
        service_id,
        lambda seen: replace(
            seen, deleted_at=ctx.now(), vk_connection_id=None, vk_item_id=None, vk_seen={}
        ),
    )


async def move(ctx: Context, member: Member, service_id: str, step: int) -> None:
    """Moves a service `step` places down its catalogue (−1: up)."""
    member.must(Permission.CATALOGUE)
    await get(ctx, member, service_id)
    async with ctx.db.write() as tx:
        known = await room_for(tx, member.shop_id, 0)
        await changes.write(tx, Change(tuple(moved(known, service_id, step))), ctx.now())


async def add_photo(ctx: Context, member: Member, data: bytes) -> Photo:
    """Keeps a picture for a service; one that no service takes is forgotten in a day.

    Raises Refused("validation") about "photo".
    """
    member.must(Permission.CATALOGUE)
    full, small = await image_processing.drawn(data)
    photo_id, now = f"pho_{ctx.new_token()}", ctx.now()
    kept = [
        Photo(name, member.shop_id, one.media_type, one.width, one.height, one.data, now)
        for name, one in ((photo_id, full), (small_of(photo_id), small))
    ]
    await changes.commit(ctx.db, Change(tuple(kept)), now)
    return replace(kept[0], version=1)


async def photo(ctx: Context, photo_id: str) -> Photo:
    """A picture by its unguessable name, for anybody. Raises Refused("not_found")."""
    async with ctx.db.read() as tx:
        found = await services.photo(tx, photo_id)
    if found is None:
        raise Refused("not_found", what="photo")
    return found


async def photo_size(
    ctx: Context, member: Member, photo_id: str | None
) -> dict[str, tuple[int, int]]:
    """The width and height of one of the shop's photos, by its name; nothing for another's."""
    if photo_id is None:
        return {}
    async with ctx.db.read() as tx:
        found = await services.photo(tx, photo_id)
    if found is None or found.shop_id != member.shop_id:
        return {}
    return {photo_id: (found.width, found.height)}
